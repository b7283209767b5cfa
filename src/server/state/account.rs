//! How an account stands at one moment, for people (spec §10.8).

use std::sync::Arc;
use std::time::SystemTime;

use super::RestState;
use crate::clock::Now;
use crate::ledger::{BucketView, Counted, LimitSource};
use crate::model::{AccountId, Subject};
use crate::registry::{Registry, Rests, Standing};
use crate::server::accounts::Facts;
use crate::telemetry::AccountGauges;
use crate::verdict::{AccountLimit, FreeRequests};

/// An account.
pub(in crate::server) struct AccountState {
    pub(in crate::server) account: Arc<AccountId>,
    /// What the settings say of it.
    pub(in crate::server) facts: Option<Arc<Facts>>,
    pub(in crate::server) is: AccountIs,
    /// A rest is over, and a request finds out whether that helped.
    pub(in crate::server) probing: bool,
    /// Its own rest or, where that is longer, its provider's.
    pub(in crate::server) rest: Option<RestState>,
    /// What is used up, while it rests.
    pub(in crate::server) limit: Option<AccountLimit>,
    pub(in crate::server) free_requests: Option<FreeRequests>,
    /// When it is asked again, as far as that is known.
    pub(in crate::server) until: Option<SystemTime>,
    pub(in crate::server) buckets: Vec<BucketView>,
}

/// How an account is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum AccountIs {
    /// It may be asked.
    Awake,
    /// It is left alone for a while, not for a quota's sake.
    Resting,
    /// A quota or its credit is used up.
    Out,
    /// Its key is refused.
    KeyRefused,
}

impl AccountIs {
    /// As JSON spells it.
    pub(in crate::server) fn as_str(self) -> &'static str {
        match self {
            Self::Awake => "awake",
            Self::Resting => "resting",
            Self::Out => "out",
            Self::KeyRefused => "key_refused",
        }
    }
}

/// What is counted against an account's limits.
pub(in crate::server) fn buckets(
    registry: &Registry,
    account: &AccountId,
    now: Now,
) -> Vec<BucketView> {
    registry.with_known_now(|known, _| known.ledger.buckets_of(account, now))
}

impl AccountState {
    /// An account with these buckets; `refused` says that its key was refused outside of a request.
    pub(in crate::server) fn of(
        account: &Arc<AccountId>,
        facts: Option<Arc<Facts>>,
        known: &Rests,
        buckets: Vec<BucketView>,
        refused: bool,
        now: Now,
    ) -> Self {
        let subjects = [
            Subject::account(account),
            Subject::provider(&account.provider),
        ];
        let own = known.rest_of(&subjects[0], now);
        let rests = subjects.iter().filter_map(|s| known.rest_of(s, now));
        let rest = rests.max_by_key(|rest| rest.wake.left(now));
        let out = own.and_then(|rest| rest.because.out_of.as_ref());
        let limit = out.map(|out| out.limit);
        let is_probed = |s: &Subject| known.standing(s, now) == Standing::Probing;
        let probing = rest.is_none() && subjects.iter().any(is_probed);
        // What OpenRouter tells of its free requests puts it behind: it is asked all the same.
        let full = full(&buckets)
            .filter(|full| full.source == LimitSource::Set || !account.provider.is_openrouter());
        let is = match limit {
            Some(AccountLimit::Key) => AccountIs::KeyRefused,
            _ if refused => AccountIs::KeyRefused,
            Some(_) => AccountIs::Out,
            None if full.is_some() => AccountIs::Out,
            None if rest.is_some() || probing => AccountIs::Resting,
            None => AccountIs::Awake,
        };
        let until = rest.map(|rest| rest.wake.date(now));
        Self {
            account: Arc::clone(account),
            facts,
            is,
            probing,
            until: until.max(full.and_then(|bucket| bucket.resets_at)),
            rest: rest.map(|view| RestState::of(view, now)),
            limit,
            free_requests: out.and_then(|out| out.free_requests),
            buckets,
        }
    }

    pub(super) fn gauges(&self) -> AccountGauges {
        let rest = self.rest.as_ref();
        let used = |free: FreeRequests| (free.limit.saturating_sub(free.remaining), free.limit);
        AccountGauges {
            account: (*self.account).clone(),
            cooldown_seconds: rest.map_or(0.0, |rest| rest.left.as_secs_f64()),
            free_requests: self.free_requests.map(used),
        }
    }
}

/// The bucket of the whole account that keeps it from being asked the longest.
fn full(buckets: &[BucketView]) -> Option<&BucketView> {
    let is_full = |bucket: &&BucketView| {
        bucket.of != Counted::Model && bucket.source.is_certain() && bucket.used >= bucket.limit
    };
    let full = buckets.iter().filter(is_full);
    full.max_by_key(|bucket| bucket.resets_at)
}
