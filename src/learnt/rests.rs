//! How long somebody rests when nothing said how long (spec §11.2).

use std::time::{Duration, Instant};

/// No rest that nothing advised is longer, unless the first one is set so.
const MOST: Duration = Duration::from_secs(120);

/// Rests that grow: 5, 10, 20 ... 120 seconds. It is kept with the rest of which it is the length, and
/// forgotten with the next success: that starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growing {
    /// How many rests there have been in a row, at least 1.
    step: u32,
    /// When the last of them ends.
    ends: Instant,
}

impl Growing {
    /// The rest after a failure of an attempt that began then, and how long it is: never above `ceiling`.
    /// `before` are the rests of before, where no success has come since.
    ///
    /// An attempt that began before the last rest ended says no more than the failure that led to it.
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
}
