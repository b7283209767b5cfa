//! What one candidate comes to for a request that it is able to serve.

use std::time::Duration;

use super::Wants;
use crate::clock::Now;
use crate::model::Candidate;
use crate::registry::{Rests, Standing};

/// What a candidate comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may be asked.
    Awake,
    /// It may be asked behind all others: the way to its provider failed lately.
    AwakeUnreached,
    /// This request has ruled it out.
    Out,
    /// It wakes in so long: then its model, its account and its provider are awake.
    Resting(Duration),
    /// Another request finds out whether it is well again. One more may do so in so long, where that is
    /// known.
    Probing(Option<Duration>),
}

/// What a candidate comes to now.
pub(super) fn fate(candidate: &Candidate, wants: Wants<'_>, known: &Rests, now: Now) -> Fate {
    if wants.rules_out(candidate) {
        return Fate::Out;
    }
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
