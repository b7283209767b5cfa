//! Since when the attempts wait that have brought nothing yet (spec §11.1).

use std::time::{Duration, Instant};

/// Attempts under way, by when they began; of fixed size, however many there are.
///
/// Where there are more beginnings than places, the two that lie closest together become one: the later
/// attempt then counts as old as the earlier.
#[derive(Clone, Debug, Default)]
pub(super) struct Silent {
    /// When, and how many; oldest first.
    begun: Vec<(Instant, u32)>,
}

/// How many beginnings are told apart.
const PLACES: usize = 16;

impl Silent {
    /// One has begun.
    pub(super) fn add(&mut self, began: Instant) {
        let after = self.begun.partition_point(|(at, _)| *at <= began);
        let same = after.checked_sub(1).and_then(|at| self.begun.get_mut(at));
        match same {
            Some((at, count)) if *at == began => *count = count.saturating_add(1),
            Some(_) | None => self.begun.insert(after, (began, 1)),
        }
        if self.begun.len() > PLACES {
            self.merge_closest();
        }
    }

    /// One has ended, or is silent no longer.
    pub(super) fn remove(&mut self, began: Instant) {
        let after = self.begun.partition_point(|(at, _)| *at <= began);
        let Some(at) = after.checked_sub(1) else {
            return;
        };
        if let Some((_, count)) = self.begun.get_mut(at) {
            *count -= 1;
            if *count == 0 {
                self.begun.remove(at);
            }
        }
    }

    /// How long the oldest has been silent.
    pub(super) fn oldest(&self, now: Instant) -> Option<Duration> {
        let (began, _) = self.begun.first()?;
        Some(now.saturating_duration_since(*began))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty()
    }

    fn merge_closest(&mut self) {
        let gaps = self.begun.windows(2).enumerate().filter_map(|(at, pair)| {
            let [(earlier, _), (later, _)] = pair else {
                return None;
            };
            Some((later.saturating_duration_since(*earlier), at))
        });
        if let Some((_, at)) = gaps.min() {
            let (_, count) = self.begun.remove(at + 1);
            if let Some((_, before)) = self.begun.get_mut(at) {
                *before = before.saturating_add(count);
            }
        }
    }
}
