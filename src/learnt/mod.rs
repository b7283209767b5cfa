//! What real traffic has taught of each candidate, and what a request would cost there by that
//! (spec §11).
//!
//! Pure: `now` is passed in; no clock, no lock, no log line, no I/O. [`Cells`] alone are shared: they are
//! read and written without a lock. Who is asked is decided in `select`, who rests is kept in `registry`;
//! here are the formulas. Nothing of a prompt is ever kept: a session is a hash.

mod cells;
mod cost;
mod evidence;
mod fading;
mod limit;
mod parameters;
mod rests;
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
pub use session::{Caller, Pin, Pins, Salt, SessionKey, Sticks, score, starts_on};
