//! What one candidate comes to for a request that it is able to serve.

use std::time::Duration;

use super::Wants;
use super::headroom::headroom;
use crate::clock::Now;
use crate::ledger::{BucketId, Headroom};
use crate::model::Candidate;
use crate::registry::{Knowledge, Snapshot, Standing};

/// What a candidate comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may be asked.
    Awake,
    /// It may be asked behind those with headroom: a number that is not certain is used up.
    AwakeBehind,
    /// It may be asked behind all others: the way to its provider failed lately.
    AwakeUnreached,
    /// This request has ruled it out.
    Out,
    /// It wakes in so long: then its model, its account and its provider are awake.
    Resting(Duration),
    /// Another request finds out whether it is well again. One more may do so in so long, where that is
    /// known.
    Probing(Option<Duration>),
    /// A certain quota is used up; there is room for this request in so long, where time brings that.
    Spent {
        returns_in: Option<Duration>,
        bucket: BucketId,
    },
    /// As many requests as may be are under way there.
    Busy(BucketId),
    /// This request by itself is more than a quota lets through.
    OverLimit(BucketId),
}

/// What a candidate of this snapshot comes to now.
pub(super) fn fate(
    candidate: &Candidate,
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> Fate {
    if wants.rules_out(candidate) {
        return Fate::Out;
    }
    let fate = by_rests(candidate, known, now);
    if !matches!(fate, Fate::Awake | Fate::AwakeUnreached) {
        return fate;
    }
    match headroom(candidate, snapshot, wants, known, now) {
        Headroom::Free => fate,
        Headroom::Behind { .. } if fate == Fate::Awake => Fate::AwakeBehind,
        Headroom::Behind { .. } => fate,
        Headroom::Busy { bucket } => Fate::Busy(bucket),
        Headroom::Out { returns_in, bucket } => Fate::Spent { returns_in, bucket },
        Headroom::TooLarge { bucket } => Fate::OverLimit(bucket),
    }
}

/// What rests alone make of it.
fn by_rests(candidate: &Candidate, known: &Knowledge, now: Now) -> Fate {
    if known.is_empty() {
        return Fate::Awake;
    }
    let mut rests: Option<Duration> = None;
    let mut probed: Option<Option<Duration>> = None;
    for subject in candidate.subjects() {
        match known.standing(subject, now) {
            Standing::Awake => {}
            Standing::Resting(wake) => rests = rests.max(Some(wake.left(now))),
            Standing::Probing => match known.next_probe_in(subject, now) {
                // A probe that hangs must not hold everybody: one more goes, to another candidate.
                Some(late_in) if late_in.is_zero() => {
                    if known.is_probed_by(subject, candidate) {
                        probed.get_or_insert(None);
                    }
                }
                Some(late_in) => probed = Some(probed.flatten().max(Some(late_in))),
                None => {
                    probed.get_or_insert(None);
                }
            },
        }
    }
    match (rests, probed) {
        (Some(left), _) => Fate::Resting(left),
        (None, Some(late_in)) => Fate::Probing(late_in),
        (None, None) if known.is_unreached(candidate.provider(), now) => Fate::AwakeUnreached,
        (None, None) => Fate::Awake,
    }
}
