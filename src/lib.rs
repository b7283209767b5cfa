//! One OpenAI-compatible address in front of the free models of the day.
//!
//! The path of a request: [`server`] receives it, [`request`] reads what it needs of a model,
//! [`select`] orders the candidates by what [`registry`] knows, and [`attempt`] walks them through
//! [`upstream`], and interprets every answer. The first useful event commits; from then on bytes
//! flow. The result is one record in [`telemetry`].
//!
//! Beside it: [`learnt`] is what requests have taught about each candidate, [`list`] keeps the
//! snapshot of models fresh, [`account`] asks what is left of the quota, [`live`] knows how the models are doing, [`condition`] sums it up as whether requests are
//! answered, [`trace`] is the form in which attempts are recorded and [`replay`] what is made of that,
//! [`config`] reads the settings, [`proxy`] assembles the parts, and [`cli`] is what a
//! person types. All of them build on [`json`], [`sse`], [`model`] and [`clock`].
//!
//! `ARCHITECTURE.md` has the map and the reasons; `§` always refers to `docs/spec.md`.

#[cfg(test)]
extern crate self as free_llm_proxy;

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
pub mod reload;
pub mod replay;
pub mod request;
pub mod select;
pub mod server;
mod spelling;
pub mod sse;
pub mod state;
pub mod surface;
pub mod telemetry;
pub mod trace;
pub mod units;
pub mod upstream;
pub mod verdict;
