//! A model at a provider, and the way to it through an account.

use std::fmt;
use std::sync::Arc;

use super::{AccountId, Capabilities, ModelId, ProviderId};

/// Whose weights they are, whoever serves them: `gpt-oss-120b` (spec §10.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalKey(Arc<str>);

impl CanonicalKey {
    /// The key of the model that has this id, or this name, at whatever provider.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self(super::canonical::key(id).into())
    }

    /// Takes a key that the rule has made.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(key.into())
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for CanonicalKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CanonicalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for CanonicalKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for CanonicalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CanonicalKey({})", self.0)
    }
}

/// A model at a provider under the provider's own id, as lists and rows describe it (spec §10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Whose it is.
    pub provider: ProviderId,
    /// The id there, sent as it is.
    pub id: ModelId,
    /// The id that is shown: at OpenRouter the same, elsewhere `<provider>/<id there>`.
    pub public_id: ModelId,
    /// The model behind it.
    pub canonical: CanonicalKey,
    /// The ranking's, where it lists the model: the smaller the better.
    pub rank: Option<i64>,
    /// The name a person reads, where a list gives one.
    pub name: Option<String>,
    /// The largest prompt plus answer, in tokens, where known.
    pub context_length: Option<u64>,
    /// The longest answer, in tokens, where known.
    pub max_output: Option<u64>,
    /// What it can do, as far as known.
    pub capabilities: Capabilities,
}

/// An offer through an account: what selection chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The offer.
    pub offer: Arc<Offer>,
    /// The account, of the offer's provider.
    pub account: Arc<AccountId>,
}
