//! Which models exist: reads the public ranking and the upstream's catalogue, and keeps the
//! snapshot fresh (spec §2, §9.4).
//!
//! `ranking` and `catalogue` are pure. Nothing here chooses a model, and no request waits for a
//! read.

mod catalogue;
mod ranking;
mod read;
mod refresh;

pub use catalogue::{Catalogue, CatalogueError};
pub use ranking::{Ranking, RankingError, Skipped};
pub use read::RefreshError;
pub use refresh::{RefreshTask, Refreshed, Refresher};
