//! One OpenAI-compatible address in front of the free models of the day.

pub mod attempt;
pub mod cli;
pub mod clock;
pub mod config;
pub mod json;
pub mod list;
pub mod model;
pub mod proxy;
pub mod registry;
pub mod request;
pub mod select;
pub mod server;
pub mod simulator;
pub mod sse;
pub mod telemetry;
pub mod upstream;
