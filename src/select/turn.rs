//! What is worth waiting for, and when the turn of a request in a queue comes (spec §11.5).

use std::sync::Arc;
use std::time::Duration;

use super::fate::{Fate, fate};
use super::headroom::{headroom, is_beyond_share};
use super::{Wants, largest};
use crate::clock::Now;
use crate::ledger::{BucketId, Headroom};
use crate::model::{Candidate, Subject, Whom};
use crate::registry::{Awaited, Knowledge, RestView, Return, Snapshot};
use crate::verdict::AccountLimit;

/// How long a model may take to begin if nothing is known of it (spec §4.7): until then a probe after a rest
/// holds back the requests behind it.
pub const USUAL: Duration = Duration::from_secs(2);

/// The first return that a request may wait for with this many others `ahead` of it, all of its size: the end of
/// a rest or a probe, or headroom. Never that of a key, of a provider, of an account without credit, or of a
/// model that is gone. If several buckets give headroom, those ahead are shared out among them.
#[must_use]
pub fn first_return(
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    ahead: usize,
    now: Now,
) -> Option<Return> {
    let fates = || {
        let all = large_enough(snapshot, wants, known);
        all.map(|candidate| (candidate, fate(candidate, snapshot, wants, known, now)))
    };
    let mut nth = 1 + ahead;
    if ahead > 0 {
        let mut buckets: Vec<BucketId> = Vec::new();
        for (_, fate) in fates() {
            if let Fate::Spent { bucket, .. } = fate
                && !buckets.contains(&bucket)
            {
                buckets.push(bucket);
            }
        }
        nth = 1 + ahead / buckets.len().max(1);
    }
    let mut first: Option<Return> = None;
    let mut look_in: Option<Duration> = None;
    for (candidate, fate) in fates() {
        let room_in = || {
            let slot = snapshot.slot(candidate);
            slot.map_or(Some(Duration::ZERO), |slot| {
                known.ledger.turn(slot, wants.ask(), nth, now)
            })
        };
        // When to look again, even for one that is not worth waiting for.
        let look = match fate {
            Fate::Resting(left) => Some(left),
            Fate::Spent { returns_in, .. } => returns_in,
            Fate::Probing(late_in) => late_in,
            Fate::Busy(_)
            | Fate::Awake
            | Fate::AwakeBehind
            | Fate::AwakeUnreached
            | Fate::Out
            | Fate::OverLimit(_) => None,
        };
        look_in = [look_in, look].into_iter().flatten().min();
        // What is awaited, how much of it, and how long until it is there at the earliest.
        let (awaited, draws, earliest) = match fate {
            Fate::Resting(left) => {
                let (Some(whose), Some(room_in)) = (rests(candidate, known, now), room_in()) else {
                    continue;
                };
                let probed = if ahead > 0 { left + USUAL } else { left };
                (Awaited::Subject(whose.clone()), 0, probed.max(room_in))
            }
            Fate::Spent { returns_in, bucket } => {
                let (Some(left), Some(room_in)) = (returns_in, room_in()) else {
                    continue;
                };
                // Who waits for its share of a day keeps nothing of that from the others: it is theirs.
                let slot = snapshot.slot(candidate);
                let slot =
                    slot.filter(|_| !is_beyond_share(candidate, snapshot, wants, known, now));
                let draws = slot.map_or(0, |slot| known.ledger.draws(slot, wants.ask(), bucket));
                (Awaited::Bucket(bucket), draws, room_in.max(left))
            }
            // Probes may end at any moment.
            Fate::Probing(_) => {
                let whose = Awaited::Subject(candidate.itself().clone());
                (whose, 0, Duration::ZERO)
            }
            Fate::Busy(bucket) => (Awaited::Bucket(bucket), 0, Duration::ZERO),
            Fate::Awake
            | Fate::AwakeBehind
            | Fate::AwakeUnreached
            | Fate::Out
            | Fate::OverLimit(_) => continue,
        };
        if first.as_ref().is_none_or(|first| earliest < first.earliest) {
            first = Some(Return {
                awaited,
                draws,
                earliest,
                look_in: None,
            });
        }
    }
    first.map(|first| Return { look_in, ..first })
}

/// The candidates that can serve a request of these wants and of its size, now or later: requests for which they
/// are the same wait for the same.
pub fn within_reach<'a>(
    snapshot: &'a Snapshot,
    wants: Wants<'a>,
    known: &'a Knowledge,
    now: Now,
) -> impl Iterator<Item = &'a Candidate> {
    let all = large_enough(snapshot, wants, known).map(|candidate| &**candidate);
    all.filter(move |candidate| {
        let is_over_limit = || {
            let headroom = headroom(candidate, snapshot, wants, known, now);
            matches!(headroom, Headroom::TooLarge { .. })
        };
        !wants.rules_out(candidate) && !is_over_limit()
    })
}

/// The able candidates that the prompt fits into; if it fits into none, the largest.
fn large_enough<'a>(
    snapshot: &'a Snapshot,
    wants: Wants<'a>,
    known: &'a Knowledge,
) -> impl Iterator<Item = &'a Arc<Candidate>> {
    let able = move || {
        let listed = wants.candidates(snapshot);
        listed.filter(move |candidate| wants.are_met(candidate, known))
    };
    let largest = match able().any(|candidate| wants.fit(candidate, known)) {
        true => None,
        false => largest(snapshot, wants, known),
    };
    able().filter(move |candidate| match largest {
        None => wants.fit(candidate, known),
        Some(largest) => candidate.offer.is(largest),
    })
}

/// The subject whose rest keeps a candidate longest; `None` if any of its rests is not worth waiting for.
fn rests<'c>(candidate: &'c Candidate, known: &Knowledge, now: Now) -> Option<&'c Subject> {
    let mut longest: Option<(Duration, &Subject)> = None;
    for subject in candidate.subjects() {
        if let Some(rest) = known.rest_of(subject, now) {
            if !is_worth_waiting(subject, rest) {
                return None;
            }
            let left = rest.wake.left(now);
            if longest.is_none_or(|(longest, _)| left > longest) {
                longest = Some((left, subject));
            }
        }
    }
    longest.map(|(_, subject)| subject)
}

fn is_worth_waiting(subject: &Subject, rest: RestView<'_>) -> bool {
    let is_provider = matches!(subject.whom(), Whom::Provider(_));
    let returns = match rest.because.limit() {
        Some(AccountLimit::Key | AccountLimit::Credit) => false,
        Some(AccountLimit::Minute | AccountLimit::Day | AccountLimit::Quota) | None => true,
    };
    returns && !is_provider && !rest.until_next_list
}
