//! Which models exist: reads the public ranking and keeps the snapshot fresh (spec §2).
//!
//! `ranking` is pure. Nothing here chooses a model, and no request waits for a read.

mod ranking;
mod refresh;

pub use ranking::{Ranking, RankingError, Skipped};
pub use refresh::{RefreshError, RefreshTask, Refreshed, Refresher};
