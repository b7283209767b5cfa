//! The failures since the last good answer: whether requests fail, whatever the models' rests say.

use std::time::SystemTime;

use super::finished::{Finished, RequestOutcome};
use crate::upstream::Unreachable;

/// How the last of them failed, as far as that affects others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The upstream refused the key, with this status if one was seen.
    Key(Option<u16>),
    /// The account is out of credit.
    Credit,
    /// No connection to the upstream.
    NotReached(Unreachable),
    /// Every model refused it in the upstream's own words, though the request was not at fault.
    Refused(u16),
    /// Anything else: models that rest because of it by now, an answer that broke off.
    Otherwise,
}

/// Consecutive failures, with no good answer in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streak {
    /// How the last of them failed.
    pub how: How,
    /// When.
    pub at: SystemTime,
    /// When the first of them did.
    pub since: SystemTime,
    /// How many there are.
    pub count: u32,
    /// How many of the last ones failed in the same way.
    pub alike: u32,
}

/// Adds a request that has ended: a good answer ends the streak, and what says nothing about others
/// (a client that left, a request's own fault) leaves it unchanged.
pub(super) fn add(streak: &mut Option<Streak>, request: &Finished) {
    match request.outcome {
        RequestOutcome::Answered => *streak = None,
        RequestOutcome::ClientError | RequestOutcome::ClientLeft => {}
        RequestOutcome::Broken | RequestOutcome::Failed => {
            let Some(how) = how(request) else { return };
            let one = Streak {
                how,
                at: request.at,
                since: request.at,
                count: 1,
                alike: 1,
            };
            *streak = Some(streak.map_or(one, |before| Streak {
                since: before.since,
                count: before.count.saturating_add(1),
                alike: if same(before.how, how) {
                    before.alike.saturating_add(1)
                } else {
                    1
                },
                // Without a call the status is not seen again.
                how: match (before.how, how) {
                    (How::Key(seen), How::Key(None)) => How::Key(seen),
                    (_, how) => how,
                },
                ..one
            }));
        }
    }
}

/// `None` if the state of list and account says everything.
fn how(request: &Finished) -> Option<How> {
    let last = request.attempts.last();
    let status = last.and_then(|attempt| attempt.status);
    let code = request.code.as_deref().unwrap_or_default();
    match code {
        "account_rate_limited" | "not_ready" | "shutting_down" => None,
        // That is between the operator and one client.
        "client_rate_limited" | "not_allowed" => None,
        // If the key does not rest because of it, it was a page from an edge in front of the
        // upstream.
        "upstream_auth_error" => Some(match (last, status) {
            (Some(attempt), Some(status)) if attempt.cooldown_until.is_none() => {
                How::Refused(status)
            }
            (_, status) => How::Key(status),
        }),
        _ if request.status == 402 => Some(How::Credit),
        _ if (400..500).contains(&request.status) => Some(How::Refused(request.status)),
        _ => Some(request.unreachable.map_or(How::Otherwise, How::NotReached)),
    }
}

fn same(one: How, other: How) -> bool {
    std::mem::discriminant(&one) == std::mem::discriminant(&other)
}
