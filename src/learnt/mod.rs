//! What real traffic has taught us about each candidate, and the cost of a request that follows from it
//! (spec §11).
//!
//! Pure: `now` is passed in; no clock, no lock, no log line, no I/O. Only [`Cells`] is shared, and it is
//! read and written without a lock. `select` decides which candidate to ask and `registry` tracks rests;
//! the formulas live here. No part of a prompt is ever kept: a session is a hash.

mod cells;
mod cost;
mod evidence;
mod fading;
mod limit;
mod parameters;
mod rests;
mod saved;
mod session;
mod silent;
#[cfg(test)]
mod tests;

pub use cells::{Cells, Evidences};
pub use cost::{Circumstances, Cost, cost, cost_at_least, cost_of_one};
pub use evidence::{Evidence, Through, teaches};
pub use fading::Fades;
pub use limit::{FirstTokenLimit, first_token_limit};
pub use parameters::{Order, Parameters};
pub use rests::Growing;
pub use saved::SavedEvidence;
pub use session::{Caller, Pin, Pins, Salt, SessionKey, Sticks, score, starts_on};
