//! Reads the dates in JSON answers.

use std::time::{Duration, SystemTime};

use time::{Date, Month, PrimitiveDateTime, Time, UtcOffset};

/// An RFC 3339 date and time, such as `2026-04-25T03:17:45.681Z` or with `+02:00`.
pub(super) fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let (clock, offset) = rest.split_at_checked(rest.find(['Z', 'z', '+', '-'])?)?;
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, "0"));

    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(seconds, ':')?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let day = u8::try_from(day).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, day).ok()?;
    // A leap second is read as the one before it.
    let [hour, minute, second] = [hour, minute, second.min(59)].map(u8::try_from);
    let time = Time::from_hms(hour.ok()?, minute.ok()?, second.ok()?).ok()?;

    let at = PrimitiveDateTime::new(date, time).assume_offset(read_offset(offset)?);
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    SystemTime::from(at).checked_add(Duration::try_from_secs_f64(fraction).ok()?)
}

fn read_offset(text: &str) -> Option<UtcOffset> {
    if text.eq_ignore_ascii_case("z") {
        return Some(UtcOffset::UTC);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let [hours, minutes] = numbers(text.get(1..)?, ':')?;
    let [hours, minutes] = [hours, minutes].map(i8::try_from);
    UtcOffset::from_hms(sign * hours.ok()?, sign * minutes.ok()?, 0).ok()
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[u16; N]> {
    let parts = text.split(separator).map(|part| part.parse().ok());
    parts.collect::<Option<Vec<u16>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_dates_are_read_as_rfc_3339() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<f64>)] = &[
            ("1970-01-01T00:00:00Z",           Some(0.0)),
            ("1970-01-01T00:00:01.5Z",         Some(1.5)),
            ("2026-04-25T03:17:45.681Z",       Some(1_777_087_065.681)),
            ("2026-04-25T05:17:45.681+02:00",  Some(1_777_087_065.681)),
            ("2026-04-24t22:47:45-04:30",      Some(1_777_087_065.0)),
            ("2016-12-31T23:59:60Z",           Some(1_483_228_799.0)),
            ("2026-04-25",                     None),
            ("2026-04-25T03:17:45",            None),
            ("2026-13-25T03:17:45Z",           None),
            ("2026-02-30T03:17:45Z",           None),
            ("2026-04-25T25:17:45Z",           None),
            ("2026-04-25T03:17:45+99:99",      None),
            ("2026-04-25T03:17:45.-1Z",        None),
            ("2026-04-25T03:17Z",              None),
            ("tomorrow",                       None),
            ("TZ",                             None),
            ("",                               None),
        ];
        for (text, expected) in rows {
            let at = parse_rfc3339(text);
            let at = at.map(|at| {
                at.duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap()
                    .as_millis()
            });
            assert_eq!(
                at,
                expected.map(|seconds| (seconds * 1000.0).round() as u128),
                "{text:?}"
            );
        }
    }
}
