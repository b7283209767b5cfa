//! What people may know of each configured account: its name, where its key was found, and which
//! key that is. Never more of a key than its tail (spec §10.8).

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Now;
use crate::config::{Account as Configured, Config};
use crate::model::{AccountId, KeyMark, ProviderId, Subject};
use crate::provider::Training;
use crate::registry::Rests;

/// An account.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) id: AccountId,
    /// The display name of its provider.
    pub(super) name: String,
    /// Its keys, in the order of the settings.
    keys: Vec<KeyFacts>,
    /// Whether its free tier may train on prompts.
    pub(super) training: Training,
}

/// What may be shown of a key.
#[derive(Clone, Debug)]
pub(super) struct KeyFacts {
    /// By which it rests.
    subject: Subject,
    /// Where it was found.
    pub(super) variable: Option<String>,
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
        let keys = account.under_each_key();
        let keys = keys.filter_map(|under| {
            let key = under.key?;
            Some(KeyFacts {
                subject: Subject::key(&account.id, KeyMark::of([key.expose()])),
                variable: under.variable.map(|found| found.name),
                tail: key.tail(),
                len: key.len(),
            })
        });
        Self {
            id: account.id.clone(),
            name: account.provider.name.clone(),
            keys: keys.collect(),
            training: account.provider.training,
        }
    }

    /// The subject of each of its keys' rests.
    pub(super) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.keys.iter().map(|key| &key.subject)
    }

    /// The key that the next request would use: the first one that is not refused.
    pub(super) fn in_use(&self, known: &Rests, now: Now) -> Option<&KeyFacts> {
        let subject = known.readiest(self.subjects(), now)?;
        self.keys.iter().find(|key| key.subject == *subject)
    }

    /// What an error message calls it: OpenRouter's is simply the upstream.
    pub(super) fn called(&self) -> &str {
        if self.id.provider == ProviderId::openrouter() {
            "upstream"
        } else {
            &self.name
        }
    }

    /// What may be shown of its key, of the first where all of several are refused.
    pub(super) fn tail(&self) -> Option<String> {
        self.keys.first()?.tail.clone()
    }

    /// What to look at when its key is refused, or all of them.
    pub(super) fn check(&self) -> String {
        if self.keys.is_empty() {
            return format!("The account {} has no key", self.id.label);
        }
        let each = self.keys.iter().map(|key| {
            let tail = match &key.tail {
                Some(tail) => format!("current key tail is {tail}"),
                None => "current key is too short to show".to_owned(),
            };
            let variable = key.variable.as_deref().unwrap_or("its key");
            format!("{variable}: {tail} (len={})", key.len)
        });
        format!("Check {}", each.collect::<Vec<_>>().join("; "))
    }
}
