//! Durations in words: for messages, `status`, `check` and anything else that people read.
//!
//! Pure.

use std::time::Duration;

/// How long something has lasted, in its two largest units: `42 s`, `3 min 10 s`, `42 min`, `7 h 42
/// min`, `1 d 1 h`. Seconds are dropped from ten minutes on.
#[must_use]
pub fn length(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let two = |large: u64, unit: &str, small: u64, smaller: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {smaller}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, 10..) => format!("{minutes} min"),
        (0, 0, _) => two(minutes, "min", rest, "s"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        (_, _, _) => two(days, "d", hours, "h"),
    }
}

/// How long something still takes: as [`length`], but never too short, so that a person who returns
/// then is not too early.
#[must_use]
pub fn wait(seconds: u64) -> String {
    let step = match seconds {
        0..600 => 1,
        600..86_400 => 60,
        86_400.. => 3600,
    };
    length(seconds.div_ceil(step).saturating_mul(step))
}

/// Whole seconds, rounded up.
#[must_use]
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_durations_and_waits_have_two_units() {
        #[rustfmt::skip]
        let rows = [
            // seconds   has been       still takes
            (0,          "0 s",         "0 s"),
            (59,         "59 s",        "59 s"),
            (60,         "1 min",       "1 min"),
            (190,        "3 min 10 s",  "3 min 10 s"),
            (599,        "9 min 59 s",  "9 min 59 s"),
            (600,        "10 min",      "10 min"),
            (2_521,      "42 min",      "43 min"),
            (3_599,      "59 min",      "1 h"),
            (3_661,      "1 h 1 min",   "1 h 2 min"),
            (27_720,     "7 h 42 min",  "7 h 42 min"),
            (86_399,     "23 h 59 min", "1 d"),
            (90_061,     "1 d 1 h",     "1 d 2 h"),
        ];
        for (seconds, been, takes) in rows {
            assert_eq!(
                (length(seconds).as_str(), wait(seconds).as_str()),
                (been, takes)
            );
        }
        assert!(!wait(u64::MAX).is_empty());
    }

    #[test]
    fn a_part_of_a_second_is_one_more() {
        #[rustfmt::skip]
        let rows = [(0, 0), (1, 1), (1_000, 1), (1_001, 2)];
        for (millis, seconds) in rows {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
