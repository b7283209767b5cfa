//! How long to rest when the failure did not say how long (spec §11.2).

use std::time::{Duration, Instant};

/// The longest rest of unspecified length, unless the first one is configured to be longer.
const MOST: Duration = Duration::from_secs(120);

/// Rests that double: 5, 10, 20 ... 120 seconds. Kept with the rest whose length it is, and dropped at the
/// next success, after which the series starts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growing {
    /// Number of rests in a row, at least 1.
    step: u32,
    /// When the last one ends.
    ends: Instant,
}

impl Growing {
    /// The rest after the failure of an attempt that began at `began`, and its length: never above `ceiling`.
    /// `before` is the series so far, if there has been no success since.
    ///
    /// An attempt that began before the last rest ended says no more than the failure that caused that rest.
    #[must_use]
    pub fn after(
        before: Option<Self>,
        began: Instant,
        first: Duration,
        ceiling: Duration,
        now: Instant,
    ) -> (Self, Duration) {
        let step = match before {
            Some(before) if began < before.ends => before.step,
            Some(before) => before.step.saturating_add(1),
            None => 1,
        };
        let doubled = 1_u32.checked_shl(step - 1).unwrap_or(u32::MAX);
        let most = MOST.max(first).min(ceiling);
        let length = first.saturating_mul(doubled).min(most);
        let ends = now.checked_add(length).unwrap_or(now);
        let ends = before.map_or(ends, |before| before.ends.max(ends));
        (Self { step, ends }, length)
    }

    /// Number of rests in a row.
    #[must_use]
    pub fn step(self) -> u32 {
        self.step
    }

    /// The series that goes on with this rest, which ends at `ends`.
    #[must_use]
    pub fn resumed(step: u32, ends: Instant) -> Self {
        Self {
            step: step.clamp(1, 32),
            ends,
        }
    }
}
