//! The queue, as people are shown it (spec §11.7): a copy, so that nothing is worked out under the lock.

use std::time::{Duration, Instant};

use super::{Awaited, Knowledge, Sight, Snapshot, Waiter};
use crate::clock::Now;

/// The requests that wait, as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct InLine(pub(super) Vec<SameInLine>);

/// The waiting requests that want the same.
#[derive(Clone, Debug)]
pub(super) struct SameInLine {
    /// What they want, as a hash.
    pub(super) kind: u64,
    pub(super) requests: usize,
    pub(super) awaited: Option<Awaited>,
    /// What they wait for returns no sooner.
    pub(super) earliest: Instant,
}

impl InLine {
    /// How many requests wait.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.0.iter().map(|same| same.requests).sum()
    }

    /// How long until the first return that one of them waits for, at the earliest; zero if that may be at any
    /// moment, because a candidate is being probed or is busy. `None` while no request waits.
    #[must_use]
    pub fn first_returns_in(&self, now: Now) -> Option<Duration> {
        let earliest = self.0.iter().map(|same| same.earliest).min()?;
        Some(earliest.saturating_duration_since(now.steady))
    }

    /// How long until its turn, if a request joined now.
    ///
    /// # Errors
    /// If it would not wait; if the requests ahead are why, how long it would have to.
    pub fn turn(
        &self,
        waiter: &Waiter,
        known: &Knowledge,
        list: &Snapshot,
        now: Now,
    ) -> Result<Duration, Option<Duration>> {
        let Sight::Wait(back) = (waiter.look)(list, known, 0, now) else {
            return Err(None);
        };
        let ahead = self.before(waiter.kind, &back.awaited);
        waiter.turn(&back, ahead, known, list, now)
    }

    /// How many would be ahead of a request of this kind that waits for this.
    fn before(&self, kind: u64, awaited: &Awaited) -> usize {
        let is_before =
            |same: &&SameInLine| same.kind == kind || same.awaited.as_ref() == Some(awaited);
        let before = self.0.iter().filter(is_before);
        before.map(|same| same.requests).sum()
    }
}
