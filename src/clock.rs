//! The only place that reads a clock; everywhere else `now` is a value that is passed in.

use std::time::{Duration, Instant, SystemTime};

/// The wall clock has leapt ahead of the steady one by more than this: the machine slept.
const SLEPT: Duration = Duration::from_secs(2);

/// A moment on both clocks.
///
/// On Linux an [`Instant`] stops while a laptop sleeps and the wall clock does not, so durations
/// are kept on the first and dates on the second.
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
        let steady = Self::steady();
        Self {
            steady,
            wall: wall::at(steady),
        }
    }

    /// The steady clock only, for measuring: a third of the cost.
    #[must_use]
    pub fn steady() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    /// The moment `later` after this one, clamped to what the clocks can hold.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self {
            steady: self.steady.checked_add(later).unwrap_or(self.steady),
            wall: self.wall.checked_add(later).unwrap_or(self.wall),
        }
    }

    /// How long ago another moment was; zero for one that is still to come.
    ///
    /// By the steady clock, but where the wall clock has leapt ahead of it: then the machine slept. A wall
    /// clock that is put back takes nothing away.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let steady = self.steady.saturating_duration_since(earlier.steady);
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        if wall > steady.saturating_add(SLEPT) {
            wall
        } else {
            steady
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

/// Whole milliseconds since 1970, 0 for a date before that.
#[must_use]
pub fn unix_millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// The date of such a number; `None` if there is none.
#[must_use]
pub fn from_unix_millis(millis: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

/// The latest date that is spelt: the last millisecond of the year 9999.
const LATEST: Duration = Duration::from_millis(253_402_300_799_999);

/// `at` as RFC 3339 in UTC with milliseconds, as log lines and JSON answers write it. It has four digits for the year,
/// so a date before 1970 or after 9999, which only a clock that is set wrong can give, is the nearest that it can spell.
#[must_use]
pub fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    let at = time::OffsetDateTime::UNIX_EPOCH + since.unwrap_or_default().min(LATEST);
    let digits = |number: u32, count: u32| {
        (0..count)
            .rev()
            .filter_map(move |place| char::from_digit(number / 10_u32.pow(place) % 10, 10))
    };
    // By hand: every log line has one, and a format description costs five times as much.
    let mut text = String::with_capacity(24);
    for (number, count, behind) in [
        (at.year().unsigned_abs(), 4, '-'),
        (u8::from(at.month()).into(), 2, '-'),
        (at.day().into(), 2, 'T'),
        (at.hour().into(), 2, ':'),
        (at.minute().into(), 2, ':'),
        (at.second().into(), 2, '.'),
        (at.millisecond().into(), 3, 'Z'),
    ] {
        text.extend(digits(number, count));
        text.push(behind);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_moments_are_spelt_as_rfc_3339_has_them() {
        #[rustfmt::skip]
        let rows = [
            (0,                     "1970-01-01T00:00:00.000Z"),
            (951_782_399_999,       "2000-02-28T23:59:59.999Z"),
            (951_782_400_000,       "2000-02-29T00:00:00.000Z"),
            (1_795_622_400_042,     "2026-11-25T16:00:00.042Z"),
            (253_402_300_799_999,   "9999-12-31T23:59:59.999Z"),
        ];
        for (millis, expected) in rows {
            let at = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(rfc3339(at), expected);
        }
        // A clock may be set to anything.
        let year = Duration::from_secs(366 * 86_400);
        let latest = "9999-12-31T23:59:59.999Z";
        #[rustfmt::skip]
        let rows = [
            (SystemTime::UNIX_EPOCH - year,                                "1970-01-01T00:00:00.000Z"),
            (SystemTime::UNIX_EPOCH + LATEST + Duration::from_millis(1),   latest),
            (from_unix_millis(i64::MAX as u64).unwrap(),                   latest),
            (from_unix_millis(u64::MAX).unwrap(),                          latest),
        ];
        for (at, expected) in rows {
            assert_eq!(rfc3339(at), expected, "{at:?}");
        }
    }
}
