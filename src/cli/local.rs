//! Times of day as people read them: in their own time zone.

use std::time::SystemTime;

use time::{OffsetDateTime, UtcOffset};

/// The reader's time zone; UTC if the system does not reveal it.
#[derive(Clone, Copy, Debug)]
pub struct Local(Option<UtcOffset>);

impl Local {
    /// Asks the system. To be called before there are threads: with several it does not answer.
    #[must_use]
    pub fn read() -> Self {
        Self(UtcOffset::current_local_offset().ok())
    }

    /// This many hours ahead of UTC.
    #[cfg(test)]
    pub(super) fn hours(hours: i8) -> Self {
        Self(UtcOffset::from_hms(hours, 0, 0).ok())
    }

    /// Hours and minutes, and the zone: `03:00 (your time)`.
    pub(super) fn time(self, at: SystemTime) -> String {
        format!("{} ({})", self.clock(at, false), self.whose())
    }

    /// The name of the zone.
    pub(super) fn whose(self) -> &'static str {
        match self.0 {
            Some(_) => "your time",
            None => "UTC",
        }
    }

    /// Hours and minutes, optionally with seconds.
    pub(super) fn clock(self, at: SystemTime, seconds: bool) -> String {
        let at = OffsetDateTime::from(at);
        let offset = self.0.unwrap_or(UtcOffset::UTC);
        // Of the last day that has a name, the hours are those of UTC.
        let at = at.checked_to_offset(offset).unwrap_or(at);
        let minutes = format!("{:02}:{:02}", at.hour(), at.minute());
        if seconds {
            format!("{minutes}:{:02}", at.second())
        } else {
            minutes
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn s8_a_moment_is_shown_in_the_readers_time() {
        // 2027-01-16 00:00:00 UTC.
        let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_057_600);
        #[rustfmt::skip]
        let rows = [
            (Local::hours(3),   "03:00 (your time)"),
            (Local::hours(-5),  "19:00 (your time)"),
            (Local::hours(0),   "00:00 (your time)"),
            (Local(None),       "00:00 (UTC)"),
        ];
        for (local, expected) in rows {
            assert_eq!(local.time(midnight), expected);
        }
        assert_eq!(Local::hours(3).clock(midnight, true), "03:00:00");
        let last = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(253_402_300_799);
        assert_eq!(Local::hours(3).clock(last, true), "23:59:59");
    }
}
