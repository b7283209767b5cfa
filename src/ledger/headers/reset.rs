//! When a quota is back, as headers spell it: Go durations, decimal seconds, Unix timestamps.

use std::time::{Duration, SystemTime};

use crate::clock::Now;
use crate::duration::seconds;

/// A longer wait is not believed (spec §4.3).
const LONGEST: Duration = Duration::from_secs(26 * 3600);

/// The time from now, in whole seconds, rounded up; `None` for text that is no time, is in the past, or is
/// too far off.
pub(super) fn read(text: &str, now: Now) -> Option<Duration> {
    let text = text.trim();
    let length = match decimal(text) {
        Some(number) if number > 1e12 => from_date(number / 1000.0, now)?,
        Some(number) if number > 1e9 => from_date(number, now)?,
        Some(number) => number,
        None => seconds(text).filter(|_| !text.contains(' '))?,
    };
    let whole = length.ceil();
    let is_sound = whole > 0.0 && whole <= LONGEST.as_secs_f64();
    is_sound.then(|| Duration::from_secs_f64(whole))
}

fn from_date(since_1970: f64, now: Now) -> Option<f64> {
    let since_1970 = Duration::try_from_secs_f64(since_1970).ok()?;
    let date = SystemTime::UNIX_EPOCH.checked_add(since_1970)?;
    Some(date.duration_since(now.wall).ok()?.as_secs_f64())
}

/// Digits with at most one decimal point.
fn decimal(text: &str) -> Option<f64> {
    let is_plain = (1..=20).contains(&text.len())
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    fn now() -> Now {
        Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        }
    }

    #[test]
    fn s10_5_when_a_quota_is_back() {
        #[rustfmt::skip]
        let rows = [
            ("2m59.56s", Some(180)), ("7.66s", Some(8)), ("1h2m3s", Some(3723)), ("58.8s", Some(59)),
            ("120ms", Some(1)), ("6m0s", Some(360)), ("100\u{b5}s", Some(1)), ("26h", Some(93_600)),
            ("4021.7", Some(4022)), ("60", Some(60)), (" 60 ", Some(60)), ("0.1", Some(1)),
            ("1800000060", Some(60)), ("1800000060000", Some(60)), ("1799999999", None),
            ("0", None), ("0s", None), ("-1", None), ("-1s", None), ("1e30", None), ("1e3", None),
            ("26h1s", None), ("93601", None), ("99999999999999999999", None), ("", None), ("s", None),
            ("5x", None), ("5", Some(5)), ("5 s", None), ("1.2.3s", None), (".", None), ("inf", None),
            ("NaN", None), ("h5", None),
        ];
        for (text, expected) in rows {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(read(text, now()), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn s10_5_any_reset_is_bounded(text in "\\PC{0,50}", number in "[0-9.hmsu]{0,24}") {
            for text in [text, number] {
                if let Some(reset) = read(&text, now()) {
                    prop_assert!(!reset.is_zero() && reset <= LONGEST);
                }
            }
        }
    }
}
