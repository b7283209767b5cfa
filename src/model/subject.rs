//! What a verdict applies to: a provider, an account, an offer, or an offer through an account.
//!
//! Subjects are looked up for every candidate that a request walks past, so each is hashed once,
//! when it is created.

use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use super::{AccountId, KeyMark, ModelId, ProviderId};

/// What a verdict applies to (spec §10.4).
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Whom {
    /// A provider with all its accounts.
    Provider(ProviderId),
    /// An account with all its offers.
    Account(AccountId),
    /// One of an account's keys, if it has several (spec §10.1).
    Key(AccountId, KeyMark),
    /// An offer through every account of its provider: the provider, and the id there.
    Model(ProviderId, ModelId),
    /// An offer through one account.
    Candidate(AccountId, ModelId),
}

/// What a verdict applies to, as a key in tables.
#[derive(Clone, Eq)]
pub struct Subject {
    hash: u64,
    whom: Whom,
}

/// A table of subjects.
pub type SubjectMap<T> = std::collections::HashMap<Subject, T, BuildHasherDefault<AsItIs>>;

/// One for the whole process: ids come from outside, and nobody outside may be able to cause
/// collisions.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Subject {
    /// The subject.
    #[must_use]
    pub fn new(whom: Whom) -> Self {
        Self {
            hash: KEYS.hash_one(&whom),
            whom,
        }
    }

    /// An account.
    #[must_use]
    pub fn account(account: &AccountId) -> Self {
        Self::new(Whom::Account(account.clone()))
    }

    /// One of the keys of an account that has several.
    #[must_use]
    pub fn key(account: &AccountId, key: KeyMark) -> Self {
        Self::new(Whom::Key(account.clone(), key))
    }

    /// A provider.
    #[must_use]
    pub fn provider(provider: &ProviderId) -> Self {
        Self::new(Whom::Provider(provider.clone()))
    }

    /// Whom it is.
    #[must_use]
    pub fn whom(&self) -> &Whom {
        &self.whom
    }

    /// The provider that it belongs to, or is.
    #[must_use]
    pub fn of_provider(&self) -> &ProviderId {
        match &self.whom {
            Whom::Provider(provider) | Whom::Model(provider, _) => provider,
            Whom::Account(account) | Whom::Key(account, _) | Whom::Candidate(account, _) => {
                &account.provider
            }
        }
    }

    /// The account that it belongs to, or is; `None` if it concerns all accounts of its provider.
    #[must_use]
    pub fn of_account(&self) -> Option<&AccountId> {
        match &self.whom {
            Whom::Account(account) | Whom::Key(account, _) | Whom::Candidate(account, _) => {
                Some(account)
            }
            Whom::Provider(_) | Whom::Model(..) => None,
        }
    }

    /// Whether many offers depend on it: an account, one of its keys, a provider.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self.whom {
            Whom::Provider(_) | Whom::Account(_) | Whom::Key(..) => true,
            Whom::Model(..) | Whom::Candidate(..) => false,
        }
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.whom == other.whom
    }
}

impl Hash for Subject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.whom {
            Whom::Provider(provider) => write!(f, "provider {provider}"),
            Whom::Account(account) => write!(f, "account {account}"),
            Whom::Key(account, _) => write!(f, "a key of {account}"),
            Whom::Model(provider, id) => write!(f, "model {id} at {provider}"),
            Whom::Candidate(account, id) => write!(f, "model {id} through {account}"),
        }
    }
}

/// Takes a hash that was computed before.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        // Not used by a subject; correct for anything else that is hashed.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_subjects_are_distinct() {
        let provider = |name| ProviderId::try_from(name).unwrap();
        let account = |name, label: &str| AccountId::new(provider(name), label);
        let id = |id| ModelId::try_from(id).unwrap();
        let key = |key| KeyMark::of([key]);
        let all = [
            Whom::Provider(provider("groq")),
            Whom::Provider(provider("ovh")),
            Whom::Account(account("groq", "groq")),
            Whom::Account(account("groq", "groq#2")),
            Whom::Account(account("ovh", "groq")),
            Whom::Account(account("groq", "groq").with(key("a"))),
            Whom::Key(account("groq", "groq"), key("a")),
            Whom::Key(account("groq", "groq"), key("b")),
            Whom::Model(provider("groq"), id("a")),
            Whom::Model(provider("ovh"), id("a")),
            Whom::Candidate(account("groq", "groq"), id("a")),
            Whom::Candidate(account("groq", "groq#2"), id("a")),
        ];
        let mut table = SubjectMap::default();
        for (n, whom) in all.iter().enumerate() {
            assert_eq!(table.insert(Subject::new(whom.clone()), n), None);
        }
        for (n, whom) in all.into_iter().enumerate() {
            assert_eq!(table.get(&Subject::new(whom)), Some(&n));
        }
    }
}
