//! What is known of an offer, and the source of each fact (spec §10.7).
//!
//! Pure. The closest source counts: what the user wrote, the provider's own list, its row, then the
//! OpenRouter catalogue's entry for the same model.

use super::facts::Facts;
use crate::model::Capability;

/// The source of a fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ToldBy {
    /// `CONFIG_FILE`.
    File,
    /// The provider's own list; at OpenRouter the ranking.
    List,
    /// The provider's row.
    Row,
    /// OpenRouter's catalogue.
    Catalogue,
    /// None; if there is a value anyway, it is assumed.
    #[default]
    Unknown,
}

impl ToldBy {
    /// As `explain` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::List => "list",
            Self::Row => "row",
            Self::Catalogue => "catalogue",
            Self::Unknown => "unknown",
        }
    }
}

/// The source of each fact about an offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its window.
    pub context_length: ToldBy,
    /// Its longest answer.
    pub max_output: ToldBy,
    capabilities: [ToldBy; Capability::ALL.len()],
}

impl Known {
    /// The source of whether it is capable of this.
    #[must_use]
    pub fn capability(&self, capability: Capability) -> ToldBy {
        let told = self.capabilities.get(capability as usize);
        told.copied().unwrap_or_default()
    }
}

/// Facts being gathered, the closest source first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gathered {
    pub(super) facts: Facts,
    pub(super) known: Known,
}

impl Gathered {
    /// Adds what a more distant source says, where nothing is known yet.
    pub(super) fn add(mut self, told: Facts, by: ToldBy) -> Self {
        let number = |known: &mut Option<u64>, who: &mut ToldBy, told: Option<u64>| {
            if known.is_none() && told.is_some() {
                (*known, *who) = (told, by);
            }
        };
        let (facts, known) = (&mut self.facts, &mut self.known);
        number(
            &mut facts.context_length,
            &mut known.context_length,
            told.context_length,
        );
        number(
            &mut facts.max_output,
            &mut known.max_output,
            told.max_output,
        );
        for (capability, who) in Capability::ALL.into_iter().zip(&mut known.capabilities) {
            let told = told.capabilities.get(capability);
            if facts.capabilities.get(capability).is_none() && told.is_some() {
                facts.capabilities.set(capability, told);
                *who = by;
            }
        }
        self
    }

    /// What is unknown about an offer counts as present, and a refusal is remembered: at a provider
    /// that the user has put there, and anywhere while the catalogue, which would know, has not been
    /// read yet (spec §10.7).
    pub(super) fn assume_able(self) -> Self {
        let assumed = Facts {
            capabilities: Capability::ALL.into_iter().collect(),
            ..Facts::default()
        };
        self.add(assumed, ToldBy::Unknown)
    }

    /// What is unknown about the user's own server counts as present, and at Ollama the window as
    /// its usual one (spec §10.1).
    pub(super) fn assume_local(self, is_ollama: bool) -> Self {
        let assumed = Facts {
            context_length: is_ollama.then_some(OLLAMA_WINDOW),
            ..Facts::default()
        };
        self.assume_able().add(assumed, ToldBy::Unknown)
    }
}

/// Unless told otherwise, Ollama cuts prompts to this many tokens.
const OLLAMA_WINDOW: u64 = 4096;
