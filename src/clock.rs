//! The one place that reads a clock; everywhere else `now` is a value that is passed in.

use std::time::{Duration, Instant, SystemTime};

/// A moment on both clocks.
///
/// On Linux an [`Instant`] stands still while a laptop sleeps and the wall clock does not, so
/// a length of time is kept on the first and a date on the second.
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
    #[must_use]
    pub fn read() -> Self {
        let steady = tokio::time::Instant::now().into_std();
        Self {
            steady,
            wall: wall::at(steady),
        }
    }

    /// The moment `later` after this one, clamped to what the clocks can hold.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self {
            steady: self.steady.checked_add(later).unwrap_or(self.steady),
            wall: self.wall.checked_add(later).unwrap_or(self.wall),
        }
    }

    /// Whole seconds since 1970, 0 for a clock set before that.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        self.wall
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs())
    }
}

mod wall {
    use std::time::{Instant, SystemTime};

    /// The wall clock, moved by as much as a paused tokio clock has run ahead of the real one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one reader of the wall clock"
    )]
    pub(super) fn at(steady: Instant) -> SystemTime {
        let real = SystemTime::now();
        let ahead = steady.saturating_duration_since(Instant::now());
        real.checked_add(ahead).unwrap_or(real)
    }
}

/// `at` as RFC 3339 in UTC with milliseconds, as log lines and JSON answers write it.
#[must_use]
pub fn rfc3339(at: SystemTime) -> String {
    use time::macros::format_description;
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time::OffsetDateTime::from(at)
        .format(&format)
        .unwrap_or_default()
}
