//! What was used within a rolling window, in bounded memory.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Moment;

/// A window is counted in this many pieces, plus the current one. What was used comes back when its piece
/// has left the window completely: never early, and late by at most a thousandth of the window (60 ms for a
/// minute, 86 s for a day).
const PIECES: u32 = 1000;

/// The most pieces that outlive the process: where there are more, neighbours are counted with the later of them.
const MOST_SAVED: usize = 100;

/// What was used, by piece. Only pieces with usage are kept, so it takes at most 16 bytes per request and
/// 16 KB in all.
#[derive(Clone, Debug)]
pub(super) struct Rolling {
    length: Duration,
    piece: Duration,
    /// Number and amount; oldest first.
    pieces: VecDeque<(u64, u64)>,
    /// The sum over all pieces.
    sum: u64,
}

impl Rolling {
    pub(super) fn new(length: Duration) -> Self {
        // Rounded up, so that all pieces together are not shorter than the window.
        let rounded = length.saturating_add(Duration::from_nanos(u64::from(PIECES) - 1));
        Self {
            length,
            piece: (rounded / PIECES).max(Duration::from_nanos(1)),
            pieces: VecDeque::new(),
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

    /// The first piece that counts at `at`.
    fn oldest(&self, at: Moment) -> u64 {
        self.number(at.running).saturating_sub(PIECES.into())
    }

    /// The pieces that count at `at`.
    fn within(&self, at: Moment) -> impl Iterator<Item = (u64, u64)> {
        let oldest = self.oldest(at);
        let begin = self.pieces.partition_point(|(number, _)| *number < oldest);
        self.pieces.range(begin..).copied()
    }

    /// An upper bound on usage at any later moment, without looking at each piece.
    pub(super) fn at_most(&self) -> u64 {
        self.sum
    }

    /// What was used within the window that ends at `at`.
    pub(super) fn used(&self, at: Moment) -> u64 {
        let oldest = self.oldest(at);
        let gone = self
            .pieces
            .iter()
            .take_while(|(number, _)| *number < oldest);
        gone.fold(self.sum, |sum, (_, used)| sum.saturating_sub(*used))
    }

    /// How long until no more than `most` of what is used now is in the window.
    pub(super) fn until(&self, most: u64, at: Moment) -> Duration {
        let mut used = self.used(at);
        let mut until = Duration::ZERO;
        for (number, here) in self.within(at) {
            if used <= most {
                break;
            }
            used = used.saturating_sub(here);
            until = self.leaves(number).saturating_sub(at.running);
        }
        until
    }

    /// How long until nothing is left in the window; `None` if it is empty.
    pub(super) fn until_empty(&self, at: Moment) -> Option<Duration> {
        let used = self.within(at).filter(|(_, used)| *used > 0);
        let (last, _) = used.last()?;
        Some(self.leaves(last).saturating_sub(at.running))
    }

    /// When a piece has left the window.
    fn leaves(&self, number: u64) -> Duration {
        let after = u128::from(number) + u128::from(PIECES) + 1;
        let nanos = self.piece.as_nanos().saturating_mul(after);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Counts this much more.
    pub(super) fn add(&mut self, amount: u64, at: Moment) {
        self.roll(at);
        let newest = self.pieces.back().map_or(0, |(number, _)| *number);
        let number = self.number(at.running).max(newest);
        // Keeps the sum from overflowing: once saturated, it does not grow.
        let amount = amount.min(u64::MAX - self.sum);
        match self.pieces.back_mut().filter(|last| last.0 == number) {
            Some((_, used)) => *used += amount,
            None => self.pieces.push_back((number, amount)),
        }
        self.sum += amount;
    }

    /// Corrects what was used at `then`, if that is still within the window.
    pub(super) fn correct(&mut self, from: u64, to: u64, then: Duration, at: Moment) {
        self.roll(at);
        let number = self.number(then);
        if number < self.oldest(at) {
            return;
        }
        // Usage whose clock was read slightly before an already newer piece was counted with that piece.
        let place = self.pieces.partition_point(|(known, _)| *known < number);
        if let Some((_, used)) = self.pieces.get_mut(place) {
            match to.checked_sub(from) {
                Some(more) => {
                    let more = more.min(u64::MAX - self.sum);
                    *used += more;
                    self.sum += more;
                }
                None => {
                    // Some of it may have been given back since, as the oldest.
                    let less = (from - to).min(*used);
                    *used -= less;
                    self.sum -= less;
                }
            }
        }
    }

    /// Gives this much back, the oldest first.
    pub(super) fn give_back(&mut self, mut amount: u64, at: Moment) {
        self.roll(at);
        for (_, used) in &mut self.pieces {
            let less = amount.min(*used);
            *used -= less;
            amount -= less;
            self.sum -= less;
        }
    }

    /// The pieces that count at `at`, for [`Self::restore`]: how much later each is than the one before it, and how
    /// much was used then.
    pub(super) fn save(&self, at: Moment) -> Vec<u64> {
        let within: Vec<_> = self.within(at).filter(|(_, used)| *used > 0).collect();
        let group = within.len().div_ceil(MOST_SAVED).max(1);
        let mut saved = Vec::new();
        let mut before = 0;
        for pieces in within.chunks(group) {
            let number = pieces.last().map_or(before, |(number, _)| *number);
            let used = pieces.iter().map(|(_, used)| used).sum();
            saved.extend([number - before, used]);
            before = number;
        }
        saved
    }

    /// Takes over such pieces; all of them or none.
    pub(super) fn restore(&mut self, saved: &[u64], at: Moment) {
        let newest = self.number(at.running);
        let mut pieces = VecDeque::new();
        let (mut number, mut sum) = (0_u64, 0_u64);
        for pair in saved.chunks(2) {
            let &[later, used] = pair else { return };
            let next = number.checked_add(later).filter(|next| *next <= newest);
            let is_later = later > 0 || pieces.is_empty();
            let (Some(next), Some(all), true) = (next, sum.checked_add(used), is_later) else {
                return;
            };
            (number, sum) = (next, all);
            pieces.push_back((number, used));
        }
        (self.pieces, self.sum) = (pieces, sum);
        self.roll(at);
    }

    /// Forgets the pieces that have left the window.
    fn roll(&mut self, at: Moment) {
        let oldest = self.oldest(at);
        while let Some((number, used)) = self.pieces.front()
            && *number < oldest
        {
            self.sum -= used;
            self.pieces.pop_front();
        }
    }
}
