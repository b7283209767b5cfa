//! The simulator's clock: the only place that reads one.

use std::time::{Duration, Instant, SystemTime};

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The steady clock: for lengths of time.
    pub steady: Instant,
    /// The wall clock: for dates and epochs.
    pub wall: SystemTime,
}

impl Now {
    /// This moment. The steady clock is tokio's, so a paused test clock is honoured; the wall
    /// clock then follows it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reader of the wall clock"
    )]
    pub(crate) fn read() -> Self {
        let steady = tokio::time::Instant::now().into_std();
        let real = SystemTime::now();
        let ahead = steady.saturating_duration_since(Instant::now());
        Self {
            steady,
            wall: real.checked_add(ahead).unwrap_or(real),
        }
    }
}

impl Now {
    /// The same, with the wall clock this many milliseconds ahead, or behind.
    pub(crate) fn ahead(self, millis: i64) -> Self {
        let by = Duration::from_millis(millis.unsigned_abs());
        let moved = match millis < 0 {
            true => self.wall.checked_sub(by),
            false => self.wall.checked_add(by),
        };
        Self {
            wall: moved.unwrap_or(self.wall),
            ..self
        }
    }
}

/// Whole seconds since 1970, 0 for a clock set before that.
pub(crate) fn unix_seconds(wall: SystemTime) -> u64 {
    wall.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// As RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(wall: SystemTime) -> String {
    jiff::Timestamp::try_from(wall).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}
