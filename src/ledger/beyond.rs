//! What others have used of a bucket beyond our own count, as an answer reported it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::saved::{SavedUntil, whole_millis};
use super::time::{Moment, Until};

/// An amount that is gone until it comes back: all at once, or little by little.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beyond {
    amount: u64,
    until: Until,
    /// If it comes back steadily: how long all of it takes.
    refills_in: Option<Duration>,
}

impl Beyond {
    pub(super) fn new(amount: u64, until: Until) -> Option<Self> {
        (amount > 0).then_some(Self {
            amount,
            until,
            refills_in: None,
        })
    }

    /// The same, coming back steadily from now on.
    pub(super) fn refilling(self, at: Moment) -> Self {
        let refills_in = Some(self.until.left(at)).filter(|left| !left.is_zero());
        Self { refills_in, ..self }
    }

    /// An upper bound, now and later.
    pub(super) fn at_most(self) -> u64 {
        self.amount
    }

    pub(super) fn is_over(self, at: Moment) -> bool {
        self.until.is_past(at)
    }

    /// How much of it is not back yet.
    pub(super) fn now(self, at: Moment) -> u64 {
        let left = self.until.left(at);
        match self.refills_in {
            _ if left.is_zero() => 0,
            None => self.amount,
            Some(all) => {
                let part = u128::from(self.amount).saturating_mul(left.as_nanos());
                let rest = part.div_ceil(all.as_nanos().max(1));
                u64::try_from(rest).unwrap_or(u64::MAX).min(self.amount)
            }
        }
    }

    /// How long until no more than `most` of it is left.
    pub(super) fn until(self, most: u64, at: Moment) -> Duration {
        let left = self.until.left(at);
        match self.refills_in {
            _ if self.now(at) <= most => Duration::ZERO,
            None => left,
            Some(all) => {
                let part = all.as_nanos().saturating_mul(most.into());
                let kept = part / u128::from(self.amount.max(1));
                left.saturating_sub(Duration::from_nanos(
                    u64::try_from(kept).unwrap_or(u64::MAX),
                ))
            }
        }
    }

    pub(super) fn left(self, at: Moment) -> Duration {
        self.until.left(at)
    }

    pub(super) fn save(self) -> SavedBeyond {
        SavedBeyond {
            amount: self.amount,
            until: SavedUntil::of(self.until),
            refills_in_ms: self.refills_in.map(whole_millis),
        }
    }
}

/// The same as it outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedBeyond {
    amount: u64,
    until: SavedUntil,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refills_in_ms: Option<u64>,
}

impl SavedBeyond {
    pub(super) fn back(self, longest: Duration, at: Moment) -> Option<Beyond> {
        let refills_in = self.refills_in_ms.map(Duration::from_millis);
        Some(Beyond {
            refills_in: refills_in.filter(|all| !all.is_zero()),
            ..Beyond::new(self.amount, self.until.back(longest, at)?)?
        })
    }
}
