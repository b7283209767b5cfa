//! The load generator: what clients do to a proxy, and what they see of it. It has one thread, so
//! that one core is enough for it.

mod closed;
mod open;
mod pool;
mod response;
mod stamps;

pub(crate) use closed::Closed;
pub(crate) use open::Open;
pub(crate) use pool::{Events, Pool};
