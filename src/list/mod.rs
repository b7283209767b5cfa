//! Which models exist, and in which order they are asked: reads the public ranking, the upstream's
//! catalogue and the providers' own lists, merges them, and keeps the snapshot fresh (spec §2,
//! §2.3, §10.3, §10.7).
//!
//! Everything but `read` and `refresh` is pure. Nothing here chooses a model, and no request waits
//! for a read.

mod catalogue;
mod chat_models;
mod each;
mod facts;
mod known;
mod local;
mod merge;
mod offered;
mod place;
mod provider_list;
mod quality;
mod ranking;
mod read;
mod refresh;
mod when;

pub use catalogue::{Catalogue, CatalogueError};
pub use each::{EachList, Kept, ListAt, Way};
pub use facts::Facts;
pub use known::{Known, ToldBy};
pub use local::{of_llama_props, of_ollama_show};
pub use merge::{Lists, Merged, merge};
pub use offered::{NotOffered, Offered, Source, WhyNot};
pub use place::Placed;
pub use provider_list::{Entry, ListError, Price, ProviderList};
pub use quality::{BUILT_IN, Qualities, Quality, extract};
pub use ranking::{Ranking, RankingError, Skipped};
pub use read::RefreshError;
pub use refresh::{Outlets, Providers, RefreshTask, Refreshed, Refresher, Settings};
