//! Whom it is worth waiting for, and when the turn of a request in a queue comes (spec §11.5).

use std::time::Duration;

use super::fate::{Fate, fate};
use super::{Wants, largest};
use crate::clock::Now;
use crate::ledger::BucketId;
use crate::model::{Candidate, Subject, Whom};
use crate::registry::{Awaited, Knowledge, RestView, Return, Snapshot};
use crate::verdict::AccountLimit;

/// How long a model may take to begin of which nothing is known (spec §4.7): until then a probe after a
/// rest keeps those behind it.
pub const USUAL: Duration = Duration::from_secs(2);

/// The first return that a request may wait for which has so many others before it, all of its size:
/// the end of a rest or a probe, or headroom. Never that of a key, of a provider, of an account without
/// credit, or of a model that is gone. Where several buckets give headroom, the line before it is shared
/// out among them.
#[must_use]
pub fn first_return(
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    ahead: usize,
    now: Now,
) -> Option<Return> {
    let able = || {
        let listed = wants.preference.of(snapshot, wants.needs);
        listed.filter(|candidate| wants.are_met(candidate, known))
    };
    let largest = match able().any(|candidate| wants.fit(candidate, known)) {
        true => None,
        false => largest(snapshot, wants, known),
    };
    let fits = |candidate: &Candidate| match largest {
        None => wants.fit(candidate, known),
        Some(largest) => candidate.offer.is(largest),
    };
    let fates = || {
        let fits = able().filter(|candidate| fits(candidate));
        fits.map(|candidate| (candidate, fate(candidate, snapshot, wants, known, now)))
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
        // What is awaited, how long until that is there at the earliest, and when to look again.
        let (awaited, earliest, look) = match fate {
            Fate::Resting(left) => {
                let (Some(whose), Some(room_in)) = (rests(candidate, known, now), room_in()) else {
                    continue;
                };
                let probed = if ahead > 0 { left + USUAL } else { left };
                let awaited = Awaited::Subject(whose.clone());
                (awaited, probed.max(room_in), Some(left))
            }
            Fate::Spent { returns_in, bucket } => {
                let (Some(left), Some(room_in)) = (returns_in, room_in()) else {
                    continue;
                };
                (Awaited::Bucket(bucket), room_in.max(left), Some(left))
            }
            // They may end at any moment.
            Fate::Probing(late_in) => {
                let whose = Awaited::Subject(candidate.itself().clone());
                (whose, Duration::ZERO, late_in)
            }
            Fate::Busy(bucket) => (Awaited::Bucket(bucket), Duration::ZERO, None),
            Fate::Awake
            | Fate::AwakeBehind
            | Fate::AwakeUnreached
            | Fate::Out
            | Fate::OverLimit(_) => continue,
        };
        look_in = [look_in, look].into_iter().flatten().min();
        if first.as_ref().is_none_or(|first| earliest < first.earliest) {
            first = Some(Return {
                awaited,
                earliest,
                look_in: None,
            });
        }
    }
    first.map(|first| Return { look_in, ..first })
}

/// Whose rest keeps a candidate longest; `None` if waiting for any of them is in vain.
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
