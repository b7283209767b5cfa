//! An account as the walk asks it: its provider, its keys, and its upstream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Now;
use crate::model::{AccountId, KeyMark, ModelId, Subject};
use crate::provider::{Asked, Provider};
use crate::redact::{Secret, may_hold_key, without_key};
use crate::registry::{Rests, Standing};
use crate::request::{ChatRequest, Routing};
use crate::select::Out;
use crate::upstream::Upstream;

/// An account with all its keys. They share its quota, and when one is refused, another takes its place
/// (spec §10.1).
#[derive(Clone, Debug)]
pub struct Keyring {
    /// The account with each of its keys in turn; once without a key if it has none.
    accounts: Arc<[Arc<Account>]>,
    /// A subject per key; empty if there is only one, as the account itself then rests in its place.
    keys: Arc<[Subject]>,
}

impl Keyring {
    /// A keyring from one account, given once per key; `None` if there is none.
    #[must_use]
    pub fn new(accounts: impl IntoIterator<Item = Account>) -> Option<Self> {
        let accounts: Arc<[_]> = accounts.into_iter().map(Arc::new).collect();
        let id = &accounts.first()?.id;
        let several = accounts.iter().filter(|_| accounts.len() > 1);
        let keys = several.filter_map(|account| account.key.as_ref());
        let keys = keys
            .map(|key| Subject::key(id, KeyMark::of([key.expose()])))
            .collect();
        Some(Self { accounts, keys })
    }

    /// The account that the keys belong to.
    #[must_use]
    pub fn id(&self) -> &Arc<AccountId> {
        &self.first().id
    }

    /// The account with its first key.
    #[must_use]
    pub fn first(&self) -> &Arc<Account> {
        &self.accounts[0]
    }

    /// The account with each of its keys.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.iter()
    }

    /// The account with this key; with its first, if `key` is `None` or not one of its own.
    pub(super) fn under(&self, key: Option<&Subject>) -> &Arc<Account> {
        let place = key.and_then(|key| self.keys.iter().position(|own| own == key));
        let account = place.and_then(|place| self.accounts.get(place));
        account.unwrap_or(self.first())
    }

    /// The key to use, by what is known; none that this walk has found refused.
    pub(super) fn choose<'a>(
        &'a self,
        known: &Rests,
        out: &'a [Out],
        now: Now,
    ) -> Option<&'a Subject> {
        known.readiest(self.left(out), now)
    }

    /// Whether another key can replace one that was refused.
    pub(super) fn has_another(&self, known: &Rests, out: &[Out], now: Now) -> bool {
        let next = known.readiest(self.left(out), now);
        next.is_some_and(|key| !matches!(known.standing(key, now), Standing::Resting(_)))
    }

    /// How long until the first key returns.
    pub(super) fn returns_in(&self, known: &Rests, now: Now) -> Duration {
        let first = known.readiest(&*self.keys, now);
        let rest = first.and_then(|key| known.rest_of(key, now));
        rest.map_or(Duration::ZERO, |rest| rest.wake.left(now))
    }

    fn left<'a>(&'a self, out: &'a [Out]) -> impl Iterator<Item = &'a Subject> {
        let is_out = |key: &Subject| out.iter().any(|out| out.subject == *key);
        self.keys.iter().filter(move |key| !is_out(key))
    }
}

/// An account as it is asked, with one of its keys.
#[derive(Clone)]
pub struct Account {
    /// Its provider and its label.
    pub id: Arc<AccountId>,
    /// What is known of its provider.
    pub provider: Arc<Provider>,
    /// Its key, where it has one.
    pub key: Option<Secret>,
    /// The account's other keys: its provider knows them too, and may echo them.
    pub others: Arc<[Secret]>,
    /// Where its requests go.
    pub upstream: Upstream,
}

impl Account {
    /// One of its answers with its keys removed, whatever the upstream echoes (spec §3.1, §10.6).
    pub(super) fn without_key(&self, text: Bytes) -> Bytes {
        self.keys().fold(text, without_key)
    }

    /// Whether a text may contain one of its keys.
    pub(super) fn may_hold_key(&self, text: &[u8]) -> bool {
        self.keys().any(|key| may_hold_key(text, key))
    }

    fn keys(&self) -> impl Iterator<Item = &Secret> {
        self.key.iter().chain(&*self.others)
    }

    /// How much the request itself decides what serves it there.
    pub(super) fn routing_of(&self, request: &ChatRequest) -> Routing {
        request.routing_at(|| self.provider.is_router(self.key.as_ref()))
    }

    /// What a verdict on one of its answers depends on.
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

/// The keyrings of all accounts; a clone shares them.
#[derive(Clone)]
pub(super) struct Keyrings(Arc<[Keyring]>);

impl Keyrings {
    pub(super) fn new(keyrings: Vec<Keyring>) -> Self {
        Self(keyrings.into())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Keyring> {
        self.0.iter()
    }

    /// The keys of this account; `None` if it is not known here.
    pub(super) fn of(&self, id: &Arc<AccountId>) -> Option<&Keyring> {
        let is_it = |keys: &&Keyring| Arc::ptr_eq(keys.id(), id) || keys.id() == id;
        self.0.iter().find(is_it)
    }
}
