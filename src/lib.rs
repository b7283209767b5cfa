//! One OpenAI-compatible address in front of the free models of the day.
//!
//! The path of a request: [`server`] takes the bytes, [`request`] reads what they need of a
//! model, [`select`] orders the candidates by what [`registry`] knows, and [`attempt`] walks
//! them through [`upstream`], which says of every answer what it means. The first useful event
//! commits; from then on bytes flow. What happened ends as one record in [`telemetry`].
//!
//! Beside it: [`learnt`] is what requests have taught of each candidate, [`list`] keeps the snapshot of
//! models fresh, [`account`] asks what is left of the quota, [`live`] knows how the models do,
//! [`condition`] says of it all whether requests are answered, [`config`] reads the settings, [`proxy`]
//! puts the parts together, [`cli`] is what a person types. [`json`], [`sse`], [`model`] and [`clock`]
//! are what all of them stand on.
//!
//! `ARCHITECTURE.md` has the map and the reasons; a `§` anywhere means `docs/spec.md`.

pub mod account;
pub mod agents;
pub mod answer;
pub mod attempt;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod condition;
pub mod config;
mod duration;
pub mod json;
pub mod learnt;
pub mod ledger;
pub mod list;
pub mod live;
pub mod model;
pub mod provider;
pub mod proxy;
pub mod redact;
pub mod registry;
pub mod request;
pub mod select;
pub mod server;
mod spelling;
pub mod sse;
pub mod surface;
pub mod telemetry;
pub mod units;
pub mod upstream;
pub mod verdict;
