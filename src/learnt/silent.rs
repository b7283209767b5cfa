//! How long the attempts that have produced nothing yet have been waiting (spec §11.1).

use std::time::{Duration, Instant};

/// Attempts under way, by start time; bounded in size, however many there are.
///
/// When there are more start times than places, the two closest together are merged: the later attempt then
/// counts as old as the earlier one.
#[derive(Clone, Debug, Default)]
pub(super) struct Silent {
    /// Start time and number of attempts; oldest first.
    begun: Vec<(Instant, u32)>,
}

/// How many distinct start times are kept.
const PLACES: usize = 16;

impl Silent {
    /// An attempt has begun.
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

    /// An attempt has ended, or is no longer silent.
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

    /// How long the oldest attempt has been silent.
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
