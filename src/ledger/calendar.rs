//! When a fixed window ends: a minute, a day, a week or a month by some clock (spec §10.5).
//!
//! Pure date arithmetic. The one zone with daylight saving is compiled in, so the machine's time zone files
//! do not matter.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{self, TimeZone};

use super::{Ends, Per};

static PACIFIC: TimeZone = tz::get!("America/Los_Angeles");

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A fixed window: from its start up to, but not including, its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it starts.
    pub start: SystemTime,
    /// When it ends, and the next one starts.
    pub end: SystemTime,
}

impl Per {
    /// What rounding up and the difference of two clocks may add to a wait.
    pub const LITTLE: Duration = Duration::from_secs(5);

    /// The longest that a quota within it can stay used up, unless its end is known; never less than a minute.
    /// `None` for [`Per::Moment`], which lasts as long as requests do.
    #[must_use]
    pub fn lasts(self) -> Option<Duration> {
        let longest = self.length().max(Self::Minute.length());
        (self != Self::Moment).then(|| longest.saturating_add(Self::LITTLE))
    }

    /// Its length if it rolls; zero for [`Per::Moment`].
    #[must_use]
    pub fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Moment => 0,
            Self::Second => 1,
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
            Self::Hours(hours) => u64::from(hours.max(1)) * HOUR,
        })
    }
}

/// When the window that contains `at` ends: always later than `at`.
#[must_use]
pub fn next_end(per: Per, ends: Ends, at: SystemTime) -> SystemTime {
    window(per, ends, at).end
}

/// The window that contains `at`. Days, weeks (from Monday) and months start at midnight by the clock of
/// `ends`; shorter windows, and those counted in hours, are multiples of their length since 1970 in UTC. A
/// date outside the calendar's range gets a window of the usual length.
#[must_use]
pub fn window(per: Per, ends: Ends, at: SystemTime) -> Window {
    let found = match per {
        Per::Moment | Per::Second | Per::Minute | Per::Hour | Per::Hours(_) => cut(per, at),
        Per::Day | Per::Week | Per::Month => of_dates(per, ends, at),
    };
    found
        .filter(|window| window.start <= at && at < window.end)
        .unwrap_or_else(|| Window {
            start: at,
            end: at.checked_add(per.length()).unwrap_or(at),
        })
}

/// Windows of equal length, counted from 1970.
fn cut(per: Per, at: SystemTime) -> Option<Window> {
    let length = per.length().as_secs().max(1);
    let since = at.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    let start = since - since % length;
    let date = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    Some(Window {
        start: date(start)?,
        end: date(start.checked_add(length)?)?,
    })
}

/// Whole days by the clock of `ends`: 23 or 25 hours long when daylight saving changes.
fn of_dates(per: Per, ends: Ends, at: SystemTime) -> Option<Window> {
    let zone = match ends {
        Ends::Utc => TimeZone::UTC,
        Ends::Pacific => PACIFIC.clone(),
        // China has had no daylight saving since 1991.
        Ends::Shanghai => TimeZone::fixed(tz::offset(8)),
    };
    let today = Timestamp::try_from(at)
        .ok()?
        .to_zoned_datetime(zone.clone())
        .date();
    let days_after = |from: Date, days: i64| from.checked_add(jiff::Span::new().days(days)).ok();
    let (first, behind) = match per {
        Per::Week => {
            let since_monday = today.weekday().to_monday_zero_offset();
            let monday = days_after(today, -i64::from(since_monday))?;
            (monday, days_after(monday, 7)?)
        }
        Per::Month => {
            let first = today.first_of_month();
            (first, days_after(today.last_of_month(), 1)?)
        }
        Per::Moment | Per::Second | Per::Minute | Per::Hour | Per::Hours(_) | Per::Day => {
            (today, days_after(today, 1)?)
        }
    };
    let midnight = |date: Date| {
        let midnight = date.to_zoned_datetime(zone.clone()).ok()?;
        SystemTime::try_from(midnight.timestamp()).ok()
    };
    Some(Window {
        start: midnight(first)?,
        end: midnight(behind)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::rfc3339;

    fn date(text: &str) -> SystemTime {
        SystemTime::try_from(text.parse::<Timestamp>().unwrap()).unwrap()
    }

    #[test]
    fn s10_5_where_fixed_windows_end() {
        use Ends::{Pacific, Shanghai, Utc};
        #[rustfmt::skip]
        let rows = [
            // In winter Pacific is UTC-8, in summer UTC-7.
            (Per::Day,       Utc,      "2026-11-29T12:00:00Z",     "2026-11-30T00:00:00.000Z"),
            (Per::Day,       Utc,      "2026-11-29T00:00:00Z",     "2026-11-30T00:00:00.000Z"),
            (Per::Day,       Utc,      "2026-11-29T23:59:59.999Z", "2026-11-30T00:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-11-29T12:00:00Z",     "2026-11-30T08:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-11-29T07:59:59Z",     "2026-11-29T08:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-11-29T08:00:00Z",     "2026-11-30T08:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-07-01T06:59:59Z",     "2026-07-01T07:00:00.000Z"),
            (Per::Day,       Shanghai, "2026-11-29T15:59:59Z",     "2026-11-29T16:00:00.000Z"),
            (Per::Day,       Shanghai, "2026-11-29T16:00:00Z",     "2026-11-30T16:00:00.000Z"),
            // 2026-03-08: 02:00 to 03:00 is missing in California, so that day has 23 hours.
            (Per::Day,       Pacific,  "2026-03-08T08:00:00Z",     "2026-03-09T07:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-03-08T09:59:59Z",     "2026-03-09T07:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-03-08T10:00:00Z",     "2026-03-09T07:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-03-08T07:59:59Z",     "2026-03-08T08:00:00.000Z"),
            (Per::Hour,      Pacific,  "2026-03-08T09:30:00Z",     "2026-03-08T10:00:00.000Z"),
            (Per::Hour,      Pacific,  "2026-03-08T10:30:00Z",     "2026-03-08T11:00:00.000Z"),
            // 2026-11-01: 01:00 to 02:00 comes twice, so that day has 25.
            (Per::Day,       Pacific,  "2026-11-01T06:59:59Z",     "2026-11-01T07:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-11-01T07:00:00Z",     "2026-11-02T08:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-11-01T08:30:00Z",     "2026-11-02T08:00:00.000Z"),
            (Per::Day,       Pacific,  "2026-11-01T09:30:00Z",     "2026-11-02T08:00:00.000Z"),
            (Per::Hour,      Pacific,  "2026-11-01T08:30:00Z",     "2026-11-01T09:00:00.000Z"),
            (Per::Hour,      Pacific,  "2026-11-01T09:30:00Z",     "2026-11-01T10:00:00.000Z"),
            // Weeks begin on Monday.
            (Per::Week,      Utc,      "2026-11-29T23:59:59Z",     "2026-11-30T00:00:00.000Z"),
            (Per::Week,      Utc,      "2026-11-30T00:00:00Z",     "2026-12-07T00:00:00.000Z"),
            (Per::Week,      Pacific,  "2026-11-30T07:59:59Z",     "2026-11-30T08:00:00.000Z"),
            (Per::Week,      Pacific,  "2026-03-05T00:00:00Z",     "2026-03-09T07:00:00.000Z"),
            (Per::Week,      Shanghai, "2026-11-29T16:00:00Z",     "2026-12-06T16:00:00.000Z"),
            // Months of every length.
            (Per::Month,     Utc,      "2026-11-30T23:59:59Z",     "2026-12-01T00:00:00.000Z"),
            (Per::Month,     Utc,      "2026-12-31T12:00:00Z",     "2027-01-01T00:00:00.000Z"),
            (Per::Month,     Utc,      "2028-02-29T12:00:00Z",     "2028-03-01T00:00:00.000Z"),
            (Per::Month,     Pacific,  "2026-12-01T07:59:59Z",     "2026-12-01T08:00:00.000Z"),
            (Per::Month,     Pacific,  "2026-10-15T00:00:00Z",     "2026-11-01T07:00:00.000Z"),
            (Per::Month,     Shanghai, "2026-11-30T16:00:00Z",     "2026-12-31T16:00:00.000Z"),
            // Shorter windows are counted from 1970, whatever the clock.
            (Per::Second,    Utc,      "2026-11-29T12:00:00.5Z",   "2026-11-29T12:00:01.000Z"),
            (Per::Minute,    Shanghai, "2026-11-29T12:00:59.999Z", "2026-11-29T12:01:00.000Z"),
            (Per::Hour,      Utc,      "2026-11-29T12:00:00Z",     "2026-11-29T13:00:00.000Z"),
            // Ollama's sessions: multiples of 18,000 seconds since 1970 (reference §5).
            (Per::Hours(5),  Utc,      "2026-11-29T00:00:00Z",     "2026-11-29T01:00:00.000Z"),
            (Per::Hours(24), Utc,      "2026-11-29T12:00:00Z",     "2026-11-30T00:00:00.000Z"),
        ];
        for (per, ends, at, expected) in rows {
            let end = next_end(per, ends, date(at));
            assert_eq!(rfc3339(end), expected, "{per:?} {ends:?} {at}");
            let begun = window(per, ends, date(at)).start;
            assert!(begun <= date(at));
            assert_eq!(next_end(per, ends, begun), end, "{per:?} {ends:?} {at}");
            let next = window(per, ends, end);
            assert_eq!(next.start, end, "no gap and no overlap");
        }
    }

    #[test]
    fn s10_5_days_of_23_and_25_hours() {
        #[rustfmt::skip]
        let rows = [
            ("2026-03-08T12:00:00Z", 23), ("2026-11-01T12:00:00Z", 25), ("2026-11-02T12:00:00Z", 24),
            ("2027-03-14T12:00:00Z", 23), ("2027-11-07T12:00:00Z", 25),
        ];
        for (at, hours) in rows {
            let day = window(Per::Day, Ends::Pacific, date(at));
            let length = day.end.duration_since(day.start).unwrap();
            assert_eq!(length, Duration::from_secs(hours * HOUR), "{at}");
        }
    }

    #[test]
    fn s10_5_absurd_dates_have_windows_too() {
        let far = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        let dates = [
            Some(SystemTime::UNIX_EPOCH - Duration::from_secs(1)),
            Some(SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 40)),
            Some(SystemTime::UNIX_EPOCH),
            far(253_402_300_799),
            far(1 << 45),
            far(i64::MAX as u64),
        ];
        let pers = [
            Per::Moment,
            Per::Second,
            Per::Hour,
            Per::Day,
            Per::Week,
            Per::Month,
            Per::Hours(0),
            Per::Hours(u32::MAX),
        ];
        for at in dates.into_iter().flatten() {
            for per in pers {
                for ends in [Ends::Utc, Ends::Pacific, Ends::Shanghai] {
                    let end = next_end(per, ends, at);
                    assert!(end >= at, "{per:?} {ends:?} {at:?}");
                }
            }
        }
    }
}
