//! What others have used of a bucket beyond our own count, as an answer reported it.

use std::time::Duration;

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
}
