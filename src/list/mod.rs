//! Which models exist: reads the public ranking and the upstream's catalogue, and keeps the
//! snapshot fresh (spec §2, §9.4).
//!
//! `ranking` and `catalogue` are pure. Nothing here chooses a model, and no request waits for a
//! read.

mod catalogue;
mod chat_models;
mod facts;
mod known;
mod merge;
mod offered;
mod place;
mod provider_list;
mod quality;
mod ranking;
mod read;
mod refresh;

pub use catalogue::{Catalogue, CatalogueError};
pub use facts::Facts;
pub use known::{Known, ToldBy};
pub use merge::{Lists, Merged, merge};
pub use offered::{NotOffered, Offered, Source, WhyNot};
pub use place::{Placed, Tier};
pub use provider_list::{Entry, ListError, Price, ProviderList};
pub use quality::{BUILT_IN, Qualities, Quality, extract};
pub use ranking::{Ranking, RankingError, Skipped};
pub use read::RefreshError;
pub use refresh::{RefreshTask, Refreshed, Refresher};
