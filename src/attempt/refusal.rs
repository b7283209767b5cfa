//! What a request is told when no model answers it.
//!
//! Pure.

use std::time::{Duration, SystemTime};

use super::Opened;
use super::progress::LastWord;
use crate::answer::PassedAnswer;
use crate::clock::Now;
use crate::ledger::Unit;
use crate::live::AttemptRecord;
use crate::model::{AccountId, Capability, ModelId};
use crate::registry::{Knowledge, Snapshot};
use crate::select::{
    LeftOut, Next, Ruled, Unavailable, Wants, Why, is_beyond_share, left_out, next, ruled,
};
use crate::units::whole_seconds;
use crate::upstream::Unreachable;
use crate::verdict::{AccountLimit, Outcome, no_legacy_endpoint};

/// Why no model answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No list has been read yet.
    NotReady,
    /// `MODEL_FIELD=pin`, and the named model is not in the snapshot.
    ModelNotFound,
    /// The client may ask none of the models of the snapshot.
    NotAllowed,
    /// Its share of the day is all that keeps the client from every model.
    ShareUsed {
        /// Whole seconds until it may use more, at least 1.
        retry_after: u64,
    },
    /// No model of the snapshot can do what the request needs.
    NoCapableModel {
        /// The capabilities that no model has.
        missing: Vec<Capability>,
    },
    /// Every able model failed or rests.
    AllUnavailable {
        /// Whole seconds until the first of them wakes, at least 1.
        retry_after: u64,
        /// Why, counted.
        why: Unavailable,
        /// Whether the first of them wakes then and none can be asked before. If not, one may be back at any
        /// moment.
        returns: bool,
        /// What was tried.
        tried: Vec<Tried>,
    },
    /// The upstream cannot be reached, which is no model's failure.
    Unreachable {
        /// What prevents a connection.
        why: Unreachable,
        /// What was tried before.
        tried: Vec<Tried>,
    },
    /// The free quota of the account is used up.
    AccountLimited {
        /// Which quota.
        limit: AccountLimit,
        /// How many requests the quota allows, if known.
        requests: Option<u64>,
        /// With several accounts: why none of them can be asked, counted.
        why: Option<Unavailable>,
        /// Whole seconds until it returns, at least 1.
        retry_after: u64,
        /// The same as a date.
        available_at: SystemTime,
    },
    /// The upstream's own answer: the request is at fault, or the account is out of credit.
    Passed(PassedAnswer),
    /// The upstream rejects our key.
    UpstreamAuth {
        /// The status it rejected the key with.
        status: u16,
        /// Whose key it is.
        account: AccountId,
    },
}

/// One attempt, as the caller sees it in `error.attempts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The model that was asked.
    pub model: ModelId,
    /// How it ended.
    pub outcome: Outcome,
    /// The upstream's status, where there was one.
    pub status: Option<u16>,
    /// When the model wakes, if it rests.
    pub available_at: Option<SystemTime>,
}

impl Refusal {
    /// The refusal when no model can do what a request needs.
    pub(super) fn none_capable(missing: Vec<Capability>) -> Self {
        if missing == [Capability::Completions] {
            Self::Passed(no_legacy_endpoint())
        } else {
            Self::NoCapableModel { missing }
        }
    }

    /// The same, but promising nothing sooner than the request's turn in the queue (spec §11.5).
    pub(super) fn no_sooner_than(mut self, turn_in: Option<Duration>, now: Now) -> Self {
        let turn_in = turn_in.unwrap_or_default();
        match &mut self {
            Self::AllUnavailable { retry_after, .. } | Self::ShareUsed { retry_after } => {
                *retry_after = (*retry_after).max(seconds(turn_in));
            }
            Self::AccountLimited {
                retry_after,
                available_at,
                ..
            } => {
                *retry_after = (*retry_after).max(seconds(turn_in));
                *available_at = (*available_at).max(now.plus(turn_in).wall);
            }
            Self::NotReady
            | Self::ModelNotFound
            | Self::NotAllowed
            | Self::NoCapableModel { .. }
            | Self::Unreachable { .. }
            | Self::Passed(_)
            | Self::UpstreamAuth { .. } => {}
        }
        self
    }
}

/// How a walk ended.
pub(super) struct Walked<'a> {
    /// What was wanted, and what the walk has ruled out.
    pub(super) wants: Wants<'a>,
    /// An account's refusal, worded for a proxy that has no other account.
    pub(super) told: Option<&'a Refusal>,
    /// What the last model said, if each one asked found the request at fault or had nothing to say.
    pub(super) last: Option<LastWord>,
    /// What kept a provider from being reached.
    pub(super) unreached: Option<Unreachable>,
    /// The attempts that were made.
    pub(super) attempts: &'a [AttemptRecord],
}

/// What is told when no candidate or no attempt is left (spec §10.4). An empty answer is better than none.
pub(super) fn none_left(
    snapshot: Option<&Snapshot>,
    walked: Walked<'_>,
    known: &Knowledge,
    now: Now,
) -> Result<Opened, Refusal> {
    let Some(snapshot) = snapshot else {
        return Err(Refusal::NotReady);
    };
    let Walked {
        wants,
        told,
        last,
        unreached,
        attempts,
    } = walked;
    if let Some(ruled) = ruled(snapshot, wants, known, now) {
        if is_beyond_share(&ruled.candidate, snapshot, wants, known, now) {
            let retry_after = seconds(ruled.left);
            return Err(Refusal::ShareUsed { retry_after });
        }
        let alone = snapshot.accounts().len() == 1;
        let told = told.filter(|_| alone).cloned();
        let why = || (!alone).then(|| Unavailable::count(snapshot, wants, known, now));
        return Err(told.unwrap_or_else(|| of_accounts(&ruled, why(), known, now)));
    }
    match last {
        Some(LastWord::Silent(opened)) => return Ok(*opened),
        Some(LastWord::Refused(answer)) if !another_may_do_better(snapshot, wants, known, now) => {
            return Err(Refusal::Passed(answer));
        }
        Some(LastWord::Refused(_)) | None => {}
    }
    let tried = tried(attempts);
    if let (Some(why), true) = (unreached, tried.is_empty()) {
        return Err(Refusal::Unreachable { why, tried });
    }
    let untried = Wants { out: &[], ..wants };
    let wakes_in = match next(Some(snapshot), untried, known, now) {
        Next::None(Why::Resting { wakes_in }) => Some(wakes_in),
        // A candidate that is being probed or is busy may be back at any moment, before the first rest ends.
        Next::Wait { .. } | Next::Ask(_) | Next::None(_) => None,
    };
    Err(Refusal::AllUnavailable {
        retry_after: seconds(wakes_in.unwrap_or_default()),
        returns: wakes_in.is_some(),
        why: Unavailable::count(snapshot, wants, known, now),
        tried,
    })
}

/// Whether a resting model may answer where all that were asked did not. A model that is gone was
/// never really a candidate.
fn another_may_do_better(
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> bool {
    let Next::None(Why::Resting { .. }) = next(Some(snapshot), wants, known, now) else {
        return false;
    };
    let returns = |(_, why): &(_, LeftOut)| match why {
        LeftOut::Spent { returns_in, .. } => returns_in.is_some(),
        LeftOut::ShareUsed { .. } => true,
        LeftOut::Resting(whose) | LeftOut::Account(whose) => {
            let rest = known.rest_of(whose, now);
            rest.is_some_and(|rest| !rest.until_next_list)
        }
        LeftOut::NotWanted
        | LeftOut::NotAllowed
        | LeftOut::Lacks(_)
        | LeftOut::TooSmall { .. }
        | LeftOut::Tried
        | LeftOut::Probing
        | LeftOut::Busy(_)
        | LeftOut::OverLimit(_) => false,
    };
    left_out(snapshot, wants, known, now).iter().any(returns)
}

/// What is told while the accounts rule out every candidate. With several accounts, `why` counts the
/// reasons; with one, the upstream's own words are repeated, if there are any.
fn of_accounts(ruled: &Ruled, why: Option<Unavailable>, known: &Knowledge, now: Now) -> Refusal {
    // If it is a quota that returns last, the quota is what is reported.
    let rest = known.rest_of(ruled.candidate.of_account(), now);
    let rest = rest.filter(|_| ruled.bucket.is_none());
    let out = rest.and_then(|rest| rest.because.out_of.as_ref());
    let retry_after = seconds(ruled.left);
    match (out.and_then(|out| out.answer.as_ref()), ruled.limit) {
        (Some(answer), _) if why.is_none() => Refusal::Passed(PassedAnswer {
            retry_after: Some(retry_after.into()),
            ..answer.clone()
        }),
        (_, AccountLimit::Key) => Refusal::UpstreamAuth {
            status: rest.and_then(|rest| rest.because.status).unwrap_or(401),
            account: ruled.candidate.account.as_ref().clone(),
        },
        (_, limit) => Refusal::AccountLimited {
            limit,
            requests: out
                .and_then(|out| out.free_requests)
                .map(|free| free.limit)
                .or_else(|| requests(ruled, known, now)),
            why,
            retry_after,
            available_at: now.plus(ruled.left).wall,
        },
    }
}

/// How many requests the used-up quota allows, as far as is known.
fn requests(ruled: &Ruled, known: &Knowledge, now: Now) -> Option<u64> {
    let spent = known.ledger.bucket_view(ruled.bucket?, now)?;
    (spent.unit == Unit::Requests).then_some(spent.limit)
}

/// The attempts as the caller sees them.
pub(super) fn tried(attempts: &[AttemptRecord]) -> Vec<Tried> {
    let tried = attempts.iter().map(|attempt| Tried {
        model: attempt.model.clone(),
        outcome: attempt.outcome,
        status: attempt.status,
        available_at: attempt.cooldown_until,
    });
    tried.collect()
}

/// For `Retry-After`: rounded up, at least 1.
pub(super) fn seconds(wait: Duration) -> u64 {
    whole_seconds(wait).max(1)
}
