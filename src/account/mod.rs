//! What the upstream's key endpoint tells of our account: whether the key is taken, and how many free
//! requests of the day are left (spec §10.5).
//!
//! It is for people: no request waits for it, and nothing is decided by it.

mod said;
mod task;

pub use said::{KeySaid, Today, day, next_day, read};
pub(crate) use task::KeyTask;
