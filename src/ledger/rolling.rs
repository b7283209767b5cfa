//! What was used within a window that rolls, in a fixed amount of memory.

use std::time::Duration;

use super::time::Moment;

/// A window is counted in so many pieces and the one that is under way. What was used comes back when
/// its piece has left the window whole: never early, and late by a 60th of the window at the most
/// (a second of a minute, 24 minutes of a day).
const PIECES: u64 = 60;
const COUNTERS: usize = 61;

/// Counters of the window's pieces.
#[derive(Clone, Debug)]
pub(super) struct Rolling {
    length: Duration,
    piece: Duration,
    /// By the piece's number, modulo their count; empty until something is used.
    counters: Box<[u64]>,
    /// The number of the newest piece that was counted in.
    newest: u64,
    /// Of all counters.
    sum: u64,
}

impl Rolling {
    pub(super) fn new(length: Duration) -> Self {
        Self {
            length,
            // Rounded up: all pieces together are no shorter than the window.
            piece: (length.saturating_add(Duration::from_nanos(59)) / 60)
                .max(Duration::from_millis(1)),
            counters: Box::default(),
            newest: 0,
            sum: 0,
        }
    }

    pub(super) fn length(&self) -> Duration {
        self.length
    }

    fn number(&self, running: Duration) -> u64 {
        let number = running.as_nanos() / self.piece.as_nanos().max(1);
        u64::try_from(number).unwrap_or(u64::MAX)
    }

    fn place(number: u64) -> usize {
        usize::try_from(number % (PIECES + 1)).unwrap_or(0)
    }

    /// The pieces that count at `at`, oldest first, with what was used in each.
    fn pieces(&self, at: Moment) -> impl Iterator<Item = (u64, u64)> {
        let now = self.number(at.running).max(self.newest);
        let oldest = now.saturating_sub(PIECES);
        (oldest..=self.newest).filter_map(|number| {
            let used = self.counters.get(Self::place(number)).copied()?;
            (used > 0).then_some((number, used))
        })
    }

    /// No less than what is used at any later moment, without looking at each piece.
    pub(super) fn at_most(&self) -> u64 {
        self.sum
    }

    /// What was used within the window that ends at `at`.
    pub(super) fn used(&self, at: Moment) -> u64 {
        self.pieces(at)
            .fold(0, |sum, (_, used)| sum.saturating_add(used))
    }

    /// How long until no more than `most` of what is used now is in the window.
    pub(super) fn until(&self, most: u64, at: Moment) -> Duration {
        let mut used = self.used(at);
        for (number, here) in self.pieces(at) {
            if used <= most {
                break;
            }
            used = used.saturating_sub(here);
            if used <= most {
                return self.leaves(number).saturating_sub(at.running);
            }
        }
        Duration::ZERO
    }

    /// How long until nothing of it is in the window; `None` if nothing is.
    pub(super) fn until_empty(&self, at: Moment) -> Option<Duration> {
        let (last, _) = self.pieces(at).last()?;
        Some(self.leaves(last).saturating_sub(at.running))
    }

    /// When a piece has left the window.
    fn leaves(&self, number: u64) -> Duration {
        let after = u128::from(number.saturating_add(PIECES + 1));
        let nanos = self.piece.as_nanos().saturating_mul(after);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Uses so much more.
    pub(super) fn add(&mut self, amount: u64, at: Moment) {
        self.roll(at);
        let newest = self.newest;
        self.add_to(newest, amount);
    }

    /// Corrects what was used at `then`, which counts only while that is within the window.
    pub(super) fn correct(&mut self, from: u64, to: u64, then: Duration, at: Moment) {
        self.roll(at);
        let number = self.number(then);
        if self.newest.saturating_sub(number) > PIECES || self.counters.is_empty() {
            return;
        }
        match to.checked_sub(from) {
            Some(more) => self.add_to(number.min(self.newest), more),
            None => {
                // Some of it may have been taken back as old meanwhile.
                let less = from - to;
                if let Some(used) = self.counters.get_mut(Self::place(number)) {
                    let less = less.min(*used);
                    *used -= less;
                    self.sum = self.sum.saturating_sub(less);
                }
            }
        }
    }

    /// Takes so much back, the oldest first.
    pub(super) fn give_back(&mut self, mut amount: u64, at: Moment) {
        self.roll(at);
        let oldest = self.newest.saturating_sub(PIECES);
        for number in oldest..=self.newest {
            let Some(used) = self.counters.get_mut(Self::place(number)) else {
                return;
            };
            let less = amount.min(*used);
            *used -= less;
            amount -= less;
            self.sum = self.sum.saturating_sub(less);
        }
    }

    fn add_to(&mut self, number: u64, amount: u64) {
        if self.counters.is_empty() {
            self.counters = vec![0; COUNTERS].into();
        }
        if let Some(used) = self.counters.get_mut(Self::place(number)) {
            *used = used.saturating_add(amount);
            self.sum = self.sum.saturating_add(amount);
        }
    }

    /// Forgets the pieces that have left the window.
    fn roll(&mut self, at: Moment) {
        let now = self.number(at.running).max(self.newest);
        let passed = (now - self.newest).min(PIECES + 1);
        for number in now - passed.min(now)..now {
            if let Some(used) = self.counters.get_mut(Self::place(number + 1)) {
                self.sum = self.sum.saturating_sub(std::mem::take(used));
            }
        }
        self.newest = now;
    }
}
