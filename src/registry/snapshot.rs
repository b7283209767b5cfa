//! The models of one read of the list.

use std::sync::Arc;
use std::time::SystemTime;

use crate::model::Model;

/// One read of the list, whole; nobody edits it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// By rank, best first; equal ranks keep the list's order.
    pub models: Vec<Arc<Model>>,
    /// The router that the list names to fall back on (spec §9.9): the last candidate of all,
    /// and no model of the list.
    pub fallback: Option<Arc<Model>>,
    /// When it was read.
    pub fetched_at: SystemTime,
    /// Where it came from.
    pub source: Source,
}

/// Where a snapshot came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The public ranking.
    Ranking,
    /// The upstream's own catalogue (spec §9.4).
    Catalogue,
}

impl Source {
    /// As `/ready` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ranking => "ranking",
            Self::Catalogue => "catalogue",
        }
    }
}

impl Snapshot {
    /// The listed model of that id.
    #[must_use]
    pub fn model(&self, id: &str) -> Option<&Arc<Model>> {
        self.models.iter().find(|model| model.id.as_str() == id)
    }

    /// All that may be asked, in order: the listed models, then the fallback router.
    pub fn candidates(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.iter().chain(&self.fallback)
    }
}
