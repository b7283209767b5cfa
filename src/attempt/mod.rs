//! One request, several models: the walk over the candidates, its budget, and the point of no
//! return (spec §4.2, §5, §4.4).
//!
//! An answer is first [`Opened`]: nothing has reached the client yet, and a failure moves on to the next
//! model. Committing consumes it; the result, [`Committed`], can only be ended. Nothing here knows the
//! HTTP server or the shape of errors.

mod account;
mod after;
mod ask;
mod asking;
mod choice;
mod committed;
mod explain;
mod fields;
mod heard;
mod idle;
mod learning;
mod listened;
mod opened;
mod outgoing;
mod patience;
mod progress;
mod refusal;
mod rendering;
mod seen;
mod traced;
mod unreached;
mod waiting;
mod walk;
mod wants;
mod way;
mod who;
mod wording;

pub use account::{Account, Keyring};
pub use committed::Committed;
pub use explain::Explanation;
pub use opened::{Answer, Opened, PlainAnswer, StreamAnswer};
pub use refusal::{Refusal, Tried};
pub use rendering::Rendering;
pub use walk::Walker;
pub use who::Who;
pub use wording::Wording;

#[cfg(test)]
mod tests;
