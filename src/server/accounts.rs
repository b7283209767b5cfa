//! What people may know of each configured account: its name, where its key was found, and which
//! key that is. Never more of a key than its tail (spec §10.8).

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Account as Configured, Config};
use crate::model::{AccountId, ProviderId};
use crate::provider::Training;

/// An account.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) id: AccountId,
    /// The display name of its provider.
    pub(super) name: String,
    /// Where its key was found; `None` without a key.
    pub(super) variable: Option<String>,
    pub(super) key: Option<KeyFacts>,
    /// Whether its free tier may train on prompts.
    pub(super) training: Training,
}

/// What may be shown of a key.
#[derive(Clone, Debug)]
pub(super) struct KeyFacts {
    /// `...` and its tail; `None` of a short one.
    pub(super) tail: Option<String>,
    /// How many characters it has.
    pub(super) len: usize,
}

/// All accounts, by their ids.
#[derive(Debug)]
pub(super) struct Accounts(HashMap<AccountId, Arc<Facts>>);

impl Accounts {
    pub(super) fn of(config: &Config) -> Self {
        let facts = config.accounts.iter().map(Facts::of);
        Self(facts.map(|one| (one.id.clone(), Arc::new(one))).collect())
    }

    pub(super) fn get(&self, account: &AccountId) -> Option<&Arc<Facts>> {
        self.0.get(account)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Facts {
    fn of(account: &Configured) -> Self {
        let key = account.key.as_ref().map(|key| KeyFacts {
            tail: key.tail(),
            len: key.len(),
        });
        Self {
            id: account.id.clone(),
            name: account.provider.name.clone(),
            variable: account.variable.as_ref().map(|found| found.name.clone()),
            key,
            training: account.provider.training,
        }
    }

    /// What an error message calls it: OpenRouter's is simply the upstream.
    pub(super) fn called(&self) -> &str {
        if self.id.provider == ProviderId::openrouter() {
            "upstream"
        } else {
            &self.name
        }
    }

    /// What to look at when its key is refused.
    pub(super) fn check(&self) -> String {
        let Some(key) = &self.key else {
            return format!("The account {} has no key", self.id.label);
        };
        let tail = match &key.tail {
            Some(tail) => format!("current key tail is {tail}"),
            None => "current key is too short to show".to_owned(),
        };
        let variable = self.variable.as_deref().unwrap_or("its key");
        format!("Check {variable}: {tail} (len={})", key.len)
    }
}
