//! Who waits, as people are shown it (spec §11.7): a copy, so that nobody looks on under the lock.

use std::time::{Duration, Instant};

use super::{Awaited, Knowledge, Sight, Snapshot, Waiter};
use crate::clock::Now;

/// The requests that wait, as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct InLine(pub(super) Vec<SameInLine>);

/// Those of them that want the same.
#[derive(Clone, Debug)]
pub(super) struct SameInLine {
    /// What they want, as a hash.
    pub(super) kind: u64,
    pub(super) requests: usize,
    pub(super) awaited: Option<Awaited>,
    /// What they wait for is not there sooner.
    pub(super) earliest: Instant,
}

impl InLine {
    /// How many requests wait.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.0.iter().map(|same| same.requests).sum()
    }

    /// How long until the first returns that one of them waits for, at the earliest; zero where that may be at any
    /// moment, as somebody is being probed or busy. `None` while nobody waits.
    #[must_use]
    pub fn first_returns_in(&self, now: Now) -> Option<Duration> {
        let earliest = self.0.iter().map(|same| same.earliest).min()?;
        Some(earliest.saturating_duration_since(now.steady))
    }

    /// How long the turn of one that joins now would be away.
    ///
    /// # Errors
    /// If it would not wait: where those before it are why, how long it would have to.
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

    /// How many stand before a request of this kind that would wait for that.
    fn before(&self, kind: u64, awaited: &Awaited) -> usize {
        let is_before =
            |same: &&SameInLine| same.kind == kind || same.awaited.as_ref() == Some(awaited);
        let before = self.0.iter().filter(is_before);
        before.map(|same| same.requests).sum()
    }
}
