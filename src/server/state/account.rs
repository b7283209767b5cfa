//! An account's state at one moment, for people (spec §10.8).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::RestState;
use crate::clock::Now;
use crate::ledger::{BucketView, Per, Unit};
use crate::model::{AccountId, ModelId, Subject};
use crate::registry::{Knowledge, Rests, Snapshot, Standing};
use crate::select::AGREES;
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
    /// How many requests the quota has that is used up, if known.
    pub(in crate::server) requests: Option<u64>,
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
        let rests_until = rest.map(|rest| rest.wake.date(now));
        let full_until = full.and_then(|bucket| bucket.resets_at);
        // Of a rest and a quota the one that ends later is why.
        let is_later = full_until.and_then(|at| at.checked_sub(AGREES)) > rests_until;
        let full = full.filter(|_| limit.is_none() || is_later);
        let of_bucket = |full: &BucketView| (full.unit == Unit::Requests).then_some(full.limit);
        let free_requests = out.and_then(|out| out.free_requests);
        let in_use = facts.as_ref().and_then(|facts| facts.in_use(known, now));
        Self {
            account: Arc::clone(account),
            key: in_use.cloned(),
            facts,
            is,
            probing,
            until: match full {
                Some(_) => rests_until.max(full_until),
                None => rests_until,
            },
            rest: rest.map(|view| RestState::of(view, now)),
            limit: match is {
                AccountIs::KeyRefused => limit,
                AccountIs::Awake | AccountIs::Resting | AccountIs::Out => {
                    full.map(limit_of).or(limit)
                }
            },
            requests: match full {
                Some(full) => of_bucket(full),
                None => free_requests.map(|free| free.limit),
            },
            free_requests,
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
        let left = self.until.and_then(|at| at.duration_since(now.wall).ok());
        let used = |free: FreeRequests| (free.limit.saturating_sub(free.remaining), free.limit);
        AccountGauges {
            account: (*self.account).clone(),
            cooldown_seconds: left.unwrap_or_default().as_secs_f64(),
            free_requests: self.free_requests.map(used),
        }
    }
}

/// What an account with an exhausted bucket is out of.
pub(in crate::server) fn limit_of(full: &BucketView) -> AccountLimit {
    match (full.unit, full.per) {
        (_, Per::Day) => AccountLimit::Day,
        (Unit::Requests, Per::Minute) => AccountLimit::Minute,
        _ => AccountLimit::Quota,
    }
}

/// The exhausted buckets that block whole accounts, by account.
pub(super) fn full(
    snapshot: &Snapshot,
    known: &Knowledge,
    now: Now,
) -> HashMap<Arc<AccountId>, BucketView> {
    let mut full = HashMap::new();
    let mut seen = HashSet::new();
    for candidate in snapshot.candidates() {
        // What all its models share is the same for each.
        if seen.insert(&candidate.account)
            && let Some(slot) = snapshot.slot(candidate)
            && let Some(bucket) = known.ledger.spent(slot, now)
            && let Some(bucket) = known.ledger.bucket_view(bucket, now)
        {
            full.insert(Arc::clone(&candidate.account), bucket);
        }
    }
    full
}
