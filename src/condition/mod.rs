//! Whether requests are answered: one sentence, and the next step if they are not. The page,
//! `status`, `/ready` and `check` all take it from here, so that they never disagree, and none of
//! them is green while requests fail (spec §3, §7).
//!
//! Pure: what is known goes in as values, including `now`. [`Condition::of`] derives the condition;
//! `words` phrases it.

mod shown;
mod tally;
mod words;

use std::time::{Duration, SystemTime};

use crate::live::{How, Streak};
use crate::model::ModelId;
use crate::registry::Outside;
use crate::select::Unavailable;
use crate::upstream::Unreachable;
use crate::verdict::AccountLimit;

pub use shown::{About, Shown};
pub use tally::Tally;
pub use words::Names;

/// How long a failure counts against readiness. After that a request is worth trying, and a load
/// balancer that follows `/ready` sends one.
const FRESH: Duration = Duration::from_secs(60);
/// After this many failures in a row the proxy no longer counts as well.
const IN_A_ROW: u32 = 3;

/// Everything the condition depends on.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// This moment.
    pub now: SystemTime,
    /// The proxy is stopping.
    pub draining: bool,
    /// The list; `None` before the first.
    pub list: Option<Listed>,
    /// The state of the accounts, if there are several.
    pub accounts: Tally,
    /// The one account is OpenRouter's.
    pub openrouter_alone: bool,
    /// What is used up, until when, and how many requests it was, while the one account is out.
    pub account: Option<(AccountLimit, SystemTime, Option<u64>)>,
    /// What the outside services said about themselves.
    pub outside: &'a Outside,
    /// The failures since the last good answer.
    pub streak: Option<Streak>,
    /// Which model gave that, and when.
    pub last_answer: Option<(ModelId, SystemTime)>,
    /// The model that would be asked first.
    pub first_choice: Option<ModelId>,
    /// When the list is read again, if it could not be read yet.
    pub next_read: Option<SystemTime>,
}

/// The models of the list, including the fallback router where stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// How many are listed, without the fallback router.
    pub models: usize,
    /// At least one is awake, including the fallback router.
    pub somebody_is_awake: bool,
    /// Why they rest, if none is awake; only the listed ones are counted.
    pub why: Unavailable,
    /// None is available, and only because of the accounts' quotas or keys; with several accounts
    /// only.
    pub accounts_out: bool,
    /// When the first of them returns.
    pub first_back: Option<SystemTime>,
}

/// The condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is stopping.
    Draining,
    /// The list is being read for the first time.
    Starting,
    /// It could not be read yet.
    NoList {
        /// Why the ranking could not be read.
        ranking: Option<crate::registry::FailedRead>,
        /// Why the catalogue, its substitute, could not be read.
        catalogue: Option<crate::registry::FailedRead>,
        /// Why the list of another provider brought no model.
        list: Option<crate::registry::FailedRead>,
        /// When it is read again.
        next: Option<SystemTime>,
    },
    /// The upstream refuses our key.
    KeyRefused {
        /// The status it says so with.
        status: Option<u16>,
    },
    /// The account's free requests are used up.
    QuotaGone {
        /// Which of its quotas that is.
        quota: Quota,
        /// How many there were.
        limit: Option<u64>,
        /// When they are back.
        until: SystemTime,
    },
    /// Each of several accounts is out of its quota, or has a refused key.
    AccountsOut {
        /// Why no model can be asked.
        list: Listed,
    },
    /// The account is out of credit.
    NoCredit {
        /// When it is asked again; `None` once it may be.
        until: Option<SystemTime>,
    },
    /// None of the ranked models exists at the upstream.
    NoneThere {
        /// How many are ranked.
        of: usize,
    },
    /// No connection to the upstream.
    NotReached {
        /// Why.
        cause: Unreachable,
        /// When that was found out.
        at: SystemTime,
        /// It is recent.
        fresh: bool,
    },
    /// Every model refused the latest requests.
    Refused {
        /// The status they refused it with.
        status: u16,
        /// How many requests there were.
        count: u32,
        /// It is recent.
        fresh: bool,
    },
    /// Every model rests.
    AllRest {
        /// The models.
        list: Listed,
    },
    /// A rest is over, and one request is finding out whether that helped.
    Probing,
    /// The last requests failed, but the next one may succeed.
    Failing {
        /// How many.
        count: u32,
        /// The model that is asked first.
        next: ModelId,
    },
    /// The last requests were answered.
    Answering {
        /// The model that answered the last of them.
        last: ModelId,
        /// When.
        at: SystemTime,
        /// The model that is asked first.
        next: ModelId,
        /// The state of the accounts.
        accounts: Tally,
    },
    /// There has been no request yet.
    Ready {
        /// The model that is asked first.
        next: ModelId,
        /// The state of the accounts.
        accounts: Tally,
    },
}

/// A quota that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// The day's.
    Day,
    /// The minute's.
    Minute,
    /// Another one.
    Other,
}

/// The severity of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Requests are answered.
    Good,
    /// They may be.
    Warn,
    /// They are not.
    Bad,
}

impl Condition {
    /// The condition that follows from what is known.
    #[must_use]
    pub fn of(known: &Known<'_>) -> Self {
        if known.draining {
            return Self::Draining;
        }
        let Some(list) = known.list else {
            let Outside {
                ranking,
                catalogue,
                list,
                ..
            } = known.outside;
            return if ranking.is_none() && list.is_none() {
                Self::Starting
            } else {
                Self::NoList {
                    ranking: ranking.clone(),
                    catalogue: catalogue.clone(),
                    list: list.clone(),
                    next: known.next_read,
                }
            };
        };
        // A failure before an operator's refresh is no longer news.
        let forgotten = known.outside.forgotten_at;
        let streak = known
            .streak
            .filter(|streak| forgotten.is_none_or(|at| streak.at > at));
        let of_one = || {
            refused_key(known, streak)
                .or_else(|| account(known))
                .or_else(|| none_there(known, &list))
        };
        let of_several = || list.accounts_out.then_some(Self::AccountsOut { list });
        let of_accounts = match known.accounts.is_of_several() {
            true => of_several(),
            false => of_one(),
        };
        of_accounts
            .or_else(|| (!list.somebody_is_awake).then_some(Self::AllRest { list }))
            .or_else(|| not_reached(known, streak))
            .or_else(|| refused(known, streak))
            .unwrap_or_else(|| awake(known, streak))
    }

    /// Whether a request could be served now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Draining
            | Self::Starting
            | Self::NoList { .. }
            | Self::KeyRefused { .. }
            | Self::QuotaGone { .. }
            | Self::AccountsOut { .. }
            | Self::NoneThere { .. }
            | Self::AllRest { .. } => false,
            Self::NoCredit { until } => until.is_none(),
            Self::NotReached { fresh, .. } | Self::Refused { fresh, .. } => !fresh,
            Self::Probing | Self::Failing { .. } | Self::Answering { .. } | Self::Ready { .. } => {
                true
            }
        }
    }

    /// Its severity.
    #[must_use]
    pub fn tone(&self) -> Tone {
        match self {
            // Requests are answered; but it takes a person to fix a refused key.
            Self::Answering { accounts, .. } | Self::Ready { accounts, .. }
                if accounts.keys_refused > 0 =>
            {
                Tone::Warn
            }
            Self::Answering { .. } | Self::Ready { .. } => Tone::Good,
            Self::Draining
            | Self::Starting
            | Self::NoList { .. }
            | Self::KeyRefused { .. }
            | Self::QuotaGone { .. }
            | Self::AccountsOut { .. }
            | Self::NoCredit { .. }
            | Self::NoneThere { .. }
            | Self::NotReached { .. }
            | Self::Refused { .. }
            | Self::AllRest { .. }
            | Self::Probing
            | Self::Failing { .. } => {
                if self.is_ready() {
                    Tone::Warn
                } else {
                    Tone::Bad
                }
            }
        }
    }
}

/// The newer of what requests and the key endpoint showed counts.
fn refused_key(known: &Known<'_>, streak: Option<Streak>) -> Option<Condition> {
    let told = known.outside.key;
    let answered = known.last_answer.as_ref().map(|(_, at)| *at);
    if let Some((Some(status), at)) = told
        && answered.is_none_or(|answered| answered < at)
    {
        let status = Some(status);
        return Some(Condition::KeyRefused { status });
    }
    let accepted_at = told.map(|(_, at)| at);
    match streak {
        Some(Streak {
            how: How::Key(status),
            at,
            ..
        }) if accepted_at.is_none_or(|accepted| accepted < at) => {
            Some(Condition::KeyRefused { status })
        }
        _ => None,
    }
}

fn account(known: &Known<'_>) -> Option<Condition> {
    let gone = |quota, limit, until| Condition::QuotaGone {
        quota,
        limit,
        until,
    };
    let (limit, until, requests) = known.account?;
    Some(match limit {
        AccountLimit::Day => gone(Quota::Day, requests, until),
        AccountLimit::Minute => gone(Quota::Minute, requests, until),
        AccountLimit::Quota => gone(Quota::Other, requests, until),
        AccountLimit::Credit => Condition::NoCredit { until: Some(until) },
        AccountLimit::Key => Condition::KeyRefused { status: None },
    })
}

/// This is known from the catalogue before any request, and from the models once they were asked.
fn none_there(known: &Known<'_>, list: &Listed) -> Option<Condition> {
    if !known.openrouter_alone {
        return None;
    }
    let all_gone = !list.somebody_is_awake
        && list.why.rate_limited + list.why.failing == 0
        && list.why.gone > 0;
    let none_listed = known
        .outside
        .there
        .is_some_and(|there| there.of > 0 && there.models == 0 && !there.fallback);
    (all_gone || (none_listed && known.last_answer.is_none()))
        .then_some(Condition::NoneThere { of: list.models })
}

fn not_reached(known: &Known<'_>, streak: Option<Streak>) -> Option<Condition> {
    match streak {
        Some(Streak {
            how: How::NotReached(cause),
            at,
            ..
        }) if known.outside.reached_at.is_none_or(|reached| reached < at) => {
            Some(Condition::NotReached {
                cause,
                at,
                fresh: is_fresh(at, known.now),
            })
        }
        _ => None,
    }
}

fn refused(known: &Known<'_>, streak: Option<Streak>) -> Option<Condition> {
    let streak = streak?;
    match streak.how {
        How::Credit => Some(Condition::NoCredit { until: None }),
        How::Refused(status) if streak.alike >= IN_A_ROW => Some(Condition::Refused {
            status,
            count: streak.alike,
            fresh: is_fresh(streak.at, known.now),
        }),
        How::Refused(_) | How::Key(_) | How::NotReached(_) | How::Otherwise => None,
    }
}

fn is_fresh(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| age < FRESH)
}

fn awake(known: &Known<'_>, streak: Option<Streak>) -> Condition {
    let Some(next) = known.first_choice.clone() else {
        return Condition::Probing;
    };
    match (streak, &known.last_answer) {
        (Some(Streak { count, .. }), _) if count >= IN_A_ROW => Condition::Failing { count, next },
        (_, Some((last, at))) => Condition::Answering {
            last: last.clone(),
            at: *at,
            next,
            accounts: known.accounts,
        },
        (_, None) => Condition::Ready {
            next,
            accounts: known.accounts,
        },
    }
}

#[cfg(test)]
mod tests;
