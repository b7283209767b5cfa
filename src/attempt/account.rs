//! An account as the walk asks it: what is known of its provider, its key, and the way there.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{AccountId, ModelId};
use crate::provider::{Asked, Provider};
use crate::redact::{Secret, may_hold_key, without_key};
use crate::request::Routing;
use crate::upstream::Upstream;

/// An account that is asked.
#[derive(Clone)]
pub struct Account {
    /// Whose it is, and its label.
    pub id: Arc<AccountId>,
    /// What is known of its provider.
    pub provider: Arc<Provider>,
    /// Its key, where it has one.
    pub key: Option<Secret>,
    /// The way there.
    pub upstream: Upstream,
}

impl Account {
    /// An answer of its own less its own key, whatever the upstream echoes (spec §3.1, §10.6).
    pub(super) fn without_key(&self, text: Bytes) -> Bytes {
        match &self.key {
            Some(key) => without_key(text, key),
            None => text,
        }
    }

    /// Whether its key may be in a text.
    pub(super) fn may_hold_key(&self, text: &[u8]) -> bool {
        self.key.as_ref().is_some_and(|key| may_hold_key(text, key))
    }

    /// What a verdict on an answer of its own depends on.
    pub(super) fn asked<'a>(&'a self, model: &'a ModelId, routing: Routing) -> Asked<'a> {
        Asked {
            provider: &self.provider,
            key: self.key.as_ref(),
            model,
            routing,
        }
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
