//! What an error implies: what it concerns, how long to leave that alone, what it teaches.

use std::time::{Duration, SystemTime};

use crate::clock::Now;
use crate::ledger::{Counted, Per, Stated, Unit};
use crate::model::Capability;
use crate::request::Routing;
use crate::verdict::{AccountLimit, FreeRequests, Lesson, Rest, Scope};

/// How long a refused key is left alone, at first and at most (spec §10.4).
pub(super) const KEY_REST: Rest = Rest::Doubling {
    first: Duration::from_secs(60),
    most: Duration::from_secs(3600),
};

/// The longest rest of an account whose quota has no known end (spec §10.4).
const LONGEST_DOUBLED: Duration = Duration::from_secs(6 * 3600);

/// How long an account rests without credit, or without an end of its quota that is known: that long at
/// first (spec §10.4).
pub(super) fn doubling(first: Duration) -> Rest {
    Rest::Doubling {
        first,
        most: LONGEST_DOUBLED.max(first),
    }
}

/// Scope, rest, lesson and quota: what a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ruling {
    pub(super) scope: Scope,
    pub(super) rest: Rest,
    pub(super) lesson: Option<Lesson>,
    pub(super) quota: Option<Stated>,
}

impl Ruling {
    pub(super) fn of(scope: Scope, rest: Rest) -> Self {
        Self {
            scope,
            rest,
            lesson: None,
            quota: None,
        }
    }

    pub(super) fn model(rest: Rest) -> Self {
        Self::of(Scope::Model, rest)
    }

    pub(super) fn candidate(rest: Rest) -> Self {
        Self::of(Scope::Candidate, rest)
    }

    pub(super) fn request() -> Self {
        Self::of(Scope::Request, Rest::None)
    }

    pub(super) fn lacks(capability: Capability) -> Self {
        Self {
            lesson: Some(Lesson::Lacks(capability)),
            ..Self::model(Rest::None)
        }
    }

    /// The prompt is too long for a window, which the error may name.
    pub(super) fn too_long(window: Option<u64>) -> Self {
        Self {
            lesson: Some(Lesson::TooLong { window }),
            ..Self::model(Rest::None)
        }
    }

    /// The same, with the quota of free requests that it concerns, for the ledger.
    pub(super) fn of_free_requests(self, free: Option<FreeRequests>, now: Now) -> Self {
        let per = match self.scope {
            Scope::Account(AccountLimit::Minute) => Per::Minute,
            Scope::Account(AccountLimit::Day) => Per::Day,
            Scope::Account(AccountLimit::Quota | AccountLimit::Credit | AccountLimit::Key)
            | Scope::Request
            | Scope::Candidate
            | Scope::Model
            | Scope::Key
            | Scope::Provider => return self,
        };
        let amount = free.map(|free| free.limit);
        // A day's end beats a wait; of a minute the wait is all that is known of its end.
        let advised = date(self.rest, now).filter(|_| per == Per::Minute);
        let used = |free: FreeRequests| free.limit.saturating_sub(free.remaining);
        Self {
            quota: self.quota.or(Some(Stated {
                amount,
                unit: Some(Unit::Requests),
                per,
                of: Counted::Account,
                used: free.map(used),
                by_header: amount.is_some(),
                until: date(self.rest, now),
                resets_at: free.and_then(|free| free.resets_at).or(advised),
            })),
            ..self
        }
    }

    /// Whether the request's own routing may have caused an answer with this status. The quota is
    /// the account's whatever a request asks for, and a 401 the key's.
    pub(super) fn may_be_owed(&self, status: u16, routing: Routing) -> bool {
        let of_the_upstream = match self.scope {
            Scope::Model | Scope::Candidate | Scope::Account(AccountLimit::Credit) => true,
            Scope::Key => status == 403,
            Scope::Request | Scope::Account(_) | Scope::Provider => false,
        };
        of_the_upstream
            && match routing {
                Routing::Ours => false,
                Routing::Asks => matches!(status, 503 | 400..=407 | 409..=428 | 430..=499),
                Routing::Steers => true,
            }
    }

    /// What remains of it in that case: this request moves on to the next model, and no other is
    /// affected.
    pub(super) fn owed(self) -> Self {
        let of_the_size =
            |lesson: &Lesson| matches!(lesson, Lesson::TooLong { .. } | Lesson::OverLimit);
        Self {
            lesson: self.lesson.filter(of_the_size),
            ..Self::model(Rest::None)
        }
    }
}

/// When a rest ends, if an answer or a calendar says so: how long one lasts that nothing advised is the
/// rest's own affair (spec §11.2), and no bucket is closed for longer.
pub(super) fn date(rest: Rest, now: Now) -> Option<SystemTime> {
    match rest {
        Rest::For(length) => Some(now.plus(length).wall),
        Rest::Until(date) => Some(date),
        Rest::None
        | Rest::Unadvised(_)
        | Rest::Growing { .. }
        | Rest::UntilNextList
        | Rest::Doubling { .. } => None,
    }
}
