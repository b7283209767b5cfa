//! An account's state at one moment, for people (spec §10.8).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::{RestState, wants_nothing};
use crate::clock::Now;
use crate::ledger::{BucketView, Counted, Per, Unit};
use crate::model::{AccountId, ModelId, Subject};
use crate::registry::{Knowledge, Rests, Snapshot, Standing};
use crate::select::{By, LeftOut, left_out};
use crate::server::accounts::{Facts, KeyFacts};
use crate::telemetry::{AccountGauges, QuotaGauge};
use crate::verdict::{AccountLimit, FreeRequests};

/// An account.
pub(in crate::server) struct AccountState {
    pub(in crate::server) account: Arc<AccountId>,
    /// What the settings say about it.
    pub(in crate::server) facts: Option<Arc<Facts>>,
    /// The key in use.
    pub(in crate::server) key: Option<KeyFacts>,
    pub(in crate::server) is: AccountIs,
    /// A rest is over, and a request is finding out whether that helped.
    pub(in crate::server) probing: bool,
    /// Its own rest or, if that is longer, its provider's.
    pub(in crate::server) rest: Option<RestState>,
    /// What is used up, or refused.
    pub(in crate::server) limit: Option<AccountLimit>,
    pub(in crate::server) free_requests: Option<FreeRequests>,
    /// When it is asked again, if that is known.
    pub(in crate::server) until: Option<SystemTime>,
    pub(in crate::server) buckets: Vec<BucketView>,
}

/// The state of an account, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum AccountIs {
    /// It may be asked.
    Awake,
    /// It is left alone for a while, but not because of a quota.
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

impl AccountState {
    /// An account with these buckets, of which `full` blocks it; `refused` says that its key was
    /// refused outside of a request.
    pub(in crate::server) fn of(
        account: &Arc<AccountId>,
        facts: Option<Arc<Facts>>,
        known: &Rests,
        buckets: Vec<BucketView>,
        full: Option<&BucketView>,
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
        let is = match limit {
            Some(AccountLimit::Key) => AccountIs::KeyRefused,
            _ if refused => AccountIs::KeyRefused,
            Some(_) => AccountIs::Out,
            None if full.is_some() => AccountIs::Out,
            None if rest.is_some() || probing => AccountIs::Resting,
            None => AccountIs::Awake,
        };
        let until = rest.map(|rest| rest.wake.date(now));
        let in_use = facts.as_ref().and_then(|facts| facts.in_use(known, now));
        Self {
            account: Arc::clone(account),
            key: in_use.cloned(),
            facts,
            is,
            probing,
            until: until.max(full.and_then(|bucket| bucket.resets_at)),
            rest: rest.map(|view| RestState::of(view, now)),
            limit: limit.or(full.map(limit_of)),
            free_requests: out.and_then(|out| out.free_requests),
            buckets,
        }
    }

    /// It is out until its provider's day ends, or for a rolling day.
    pub(super) fn is_for_today(&self) -> bool {
        self.limit == Some(AccountLimit::Day)
    }

    pub(super) fn quotas(&self) -> impl Iterator<Item = QuotaGauge> {
        let public = |id| ModelId::public(&self.account.provider, id).to_string();
        self.buckets.iter().map(move |bucket| QuotaGauge {
            account: (*self.account).clone(),
            model_id: bucket.model.as_ref().map(public).unwrap_or_default(),
            unit: bucket.unit.as_str(),
            per: bucket.per.in_words().into_owned(),
            used: bucket.used,
            limit: bucket.limit,
        })
    }

    pub(super) fn gauges(&self, now: Now) -> AccountGauges {
        let until = self.until.and_then(|at| at.duration_since(now.wall).ok());
        let rest = self.rest.as_ref().map(|rest| rest.left);
        let used = |free: FreeRequests| (free.limit.saturating_sub(free.remaining), free.limit);
        AccountGauges {
            account: (*self.account).clone(),
            cooldown_seconds: rest.or(until).unwrap_or_default().as_secs_f64(),
            free_requests: self.free_requests.map(used),
        }
    }
}

/// What an account with an exhausted bucket is out of.
fn limit_of(full: &BucketView) -> AccountLimit {
    match (full.unit, full.per) {
        (_, Per::Day) => AccountLimit::Day,
        (Unit::Requests, Per::Minute) => AccountLimit::Minute,
        _ => AccountLimit::Quota,
    }
}

/// The exhausted buckets that block whole accounts, by account; those of resting accounts are left
/// out.
pub(super) fn full(
    snapshot: &Snapshot,
    known: &Knowledge,
    now: Now,
) -> HashMap<Arc<AccountId>, BucketView> {
    let mut full = HashMap::new();
    // Who is left out is so in any order.
    for (candidate, why) in left_out(snapshot, wants_nothing(By::Rank), known, now) {
        if let LeftOut::Spent { bucket, .. } = why
            && let Some(bucket) = known.ledger.bucket_view(bucket, now)
            && bucket.of != Counted::Model
        {
            full.insert(Arc::clone(&candidate.account), bucket);
        }
    }
    full
}
