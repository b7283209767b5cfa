//! When the window of a limit begins and ends: rolling, or by a calendar in some time zone. Times
//! are milliseconds since 1970.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use super::limit::{Ends, Per};

/// When the window that contains `now` begins and ends; a rolling one ends now. What was used
/// exactly at the beginning is outside of it.
pub(super) fn span(per: Per, ends: Option<Ends>, now: u64) -> (u64, u64) {
    const HOUR: u64 = 3_600_000;
    let length = match per {
        Per::Second => 1000,
        Per::Minute => 60_000,
        Per::Hour => HOUR,
        Per::Day => 24 * HOUR,
        Per::Week => 7 * 24 * HOUR,
        Per::Month => 30 * 24 * HOUR,
        Per::Hours(hours) => u64::from(hours.max(1)) * HOUR,
    };
    let rolling = (now.saturating_sub(length), now);
    let Some(ends) = ends else {
        return rolling;
    };
    match calendar(per, ends, now) {
        // A millisecond earlier, so that what is used right at the beginning is in it.
        Some((start, end)) => (start.saturating_sub(1), end),
        None => {
            let start = now - now % length;
            (start.saturating_sub(1), start + length)
        }
    }
}

/// The day, week or month of a calendar.
fn calendar(per: Per, ends: Ends, now: u64) -> Option<(u64, u64)> {
    let zone = match ends {
        Ends::Utc => TimeZone::UTC,
        Ends::Pacific => jiff::tz::get!("America/Los_Angeles"),
        Ends::Shanghai => jiff::tz::get!("Asia/Shanghai"),
    };
    let now = Timestamp::from_millisecond(i64::try_from(now).ok()?).ok()?;
    let today = now.to_zoned_datetime(zone).start_of_day().ok()?;
    let (start, next) = match per {
        Per::Day => (today.clone(), today.checked_add(1.day())),
        Per::Week => {
            let back = today.weekday().to_monday_zero_offset();
            let monday = today.checked_sub(i64::from(back).days()).ok()?;
            (monday.clone(), monday.checked_add(7.days()))
        }
        Per::Month => {
            let first = today.first_of_month().ok()?;
            (first.clone(), first.checked_add(1.month()))
        }
        Per::Second | Per::Minute | Per::Hour | Per::Hours(_) => return None,
    };
    let millis = |at: i64| u64::try_from(at).ok();
    let next = next.ok()?.start_of_day().ok()?;
    Some((
        millis(start.timestamp().as_millisecond())?,
        millis(next.timestamp().as_millisecond())?,
    ))
}
