//! What one candidate means for a request that it is able to serve.

use std::time::Duration;

use super::Wants;
use super::headroom::headroom;
use crate::clock::Now;
use crate::ledger::{BucketId, Headroom};
use crate::model::Candidate;
use crate::registry::{Knowledge, Snapshot, Standing};

/// What a candidate means for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may be asked.
    Awake,
    /// It may be asked after those with headroom: a number that is not certain is used up.
    AwakeBehind,
    /// It may be asked after all others: its provider could not be reached lately.
    AwakeUnreached,
    /// This request has ruled it out.
    Out,
    /// It wakes after this long: its model, its account and its provider are then awake.
    Resting(Duration),
    /// Another request is finding out whether it is well again. One more may do so after this long, if that
    /// is known.
    Probing(Option<Duration>),
    /// A certain quota is used up; there is room for this request after `returns_in`, if time brings any.
    Spent {
        returns_in: Option<Duration>,
        bucket: BucketId,
    },
    /// As many requests are under way there as are allowed at once.
    Busy(BucketId),
    /// This request alone exceeds a quota.
    OverLimit(BucketId),
}

/// What a candidate of this snapshot means for the request now.
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

/// The same by rests alone.
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
                // A probe that hangs must not hold up every request: one more goes, to another candidate.
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
