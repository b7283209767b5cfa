//! What a request is told that gets no answer of a model's.
//!
//! Pure.

use std::time::{Duration, SystemTime};

use crate::answer::PassedAnswer;
use crate::clock::Now;
use crate::model::{Capability, ModelId};
use crate::registry::Cooldowns;
use crate::select::Unavailable;
use crate::units::whole_seconds;
use crate::upstream::Unreachable;
use crate::verdict::{AccountLimit, Outcome};

/// Why a request gets no answer of a model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No list has been read yet.
    NotReady,
    /// `MODEL_FIELD=pin`, and the named model is not in the snapshot.
    ModelNotFound,
    /// No model of the snapshot can do what the request needs.
    NoCapableModel {
        /// Of which needs that is so.
        missing: Vec<Capability>,
    },
    /// Every able model failed or rests.
    AllUnavailable {
        /// Whole seconds until the first of them wakes, at least 1.
        retry_after: u64,
        /// Why, counted.
        why: Unavailable,
        /// The first of them wakes then, and until it does no model is left to ask.
        returns: bool,
        /// What was tried.
        tried: Vec<Tried>,
    },
    /// The way to the upstream is broken, which is no model's failure.
    Unreachable {
        /// What keeps a connection from coming about.
        why: Unreachable,
        /// What was tried before.
        tried: Vec<Tried>,
    },
    /// The free quota of the account is used up.
    AccountLimited {
        /// Which quota.
        limit: AccountLimit,
        /// How many requests it has, if the upstream said so.
        requests: Option<u64>,
        /// Whole seconds until it returns, at least 1.
        retry_after: u64,
        /// The same as a date.
        available_at: SystemTime,
    },
    /// The upstream's own answer: the request is at fault, or the account is out of credit.
    Passed(PassedAnswer),
    /// The upstream does not take our key.
    UpstreamAuth {
        /// The status it said so with.
        status: u16,
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

/// What is told while the account rests; `None` if it does not.
pub(super) fn account_refusal(known: &Cooldowns, now: Now) -> Option<Refusal> {
    let (why, wake) = known.account_rest(now)?;
    let retry_after = seconds(wake.left(now));
    Some(match (&why.answer, why.limit) {
        (Some(answer), _) => Refusal::Passed(PassedAnswer {
            retry_after: Some(retry_after.into()),
            ..answer.clone()
        }),
        (None, AccountLimit::Key) => {
            let status = known.account_view(now).and_then(|rest| rest.because.status);
            Refusal::UpstreamAuth {
                status: status.unwrap_or(401),
            }
        }
        (None, limit) => Refusal::AccountLimited {
            limit,
            requests: why.free_requests.map(|free| free.limit),
            retry_after,
            available_at: wake.date(now),
        },
    })
}

/// For `Retry-After`: rounded up, at least 1.
pub(super) fn seconds(wait: Duration) -> u64 {
    whole_seconds(wait).max(1)
}
