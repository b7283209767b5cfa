//! The load: what clients do to a proxy, and what they see of it. One thread, so that a core of
//! its own is enough for it.

mod closed;
mod open;
mod pool;
mod response;
mod stamps;

pub(crate) use closed::Closed;
pub(crate) use open::Open;
pub(crate) use pool::{Events, Pool};
