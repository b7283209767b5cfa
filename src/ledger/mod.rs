//! What each account may still be asked: limits as data, and the buckets that count against them
//! (spec §10.5).
//!
//! Pure: `now` is passed in.

mod calendar;
mod limit;

pub use calendar::{Window, next_end, window};
pub use limit::{Counted, Ends, Limit, LimitSource, Per, Unit};
