//! How long OpenRouter asks to be left alone (spec §4.3), and how waits are written in headers.
//!
//! Pure. `wait` has the order in which other providers' waits are read.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::bound::{Bound, stated};
use crate::clock::Now;
use crate::json::{Kind, Raw};
use crate::ledger::{Ends, Per, next_end};
use crate::verdict::Rest;

/// The longest rest: a reset further away is an error in its unit.
pub(super) const LONGEST: Duration = Duration::from_secs(26 * 3600);

/// Clocks closer together than this agree, as far as a `Date` can show.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The rest that headers and error body ask for, in the spec's order; `None` if there is none. Past
/// and negative is no rest, garbage is absent, nothing is longer than [`LONGEST`] or than the quota that is
/// used up can last.
#[must_use]
pub(super) fn asked(
    headers: &HeaderMap,
    error: Option<Raw<'_>>,
    of: Option<Bound>,
    now: Now,
) -> Option<Rest> {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let clock = Clock::of(header("date"), now);
    let seconds = || {
        let metadata = error.and_then(|e| e.get("metadata"));
        metadata
            .and_then(|m| m.get("retry_after_seconds"))
            .and_then(scalar)
    };
    stated(of, clock, |fits| {
        header("retry-after")
            .and_then(|v| retry_after(v, clock))
            .filter(fits)
            .or_else(|| from_seconds(&seconds()?).filter(fits))
            .or_else(|| retry_after(&copied(error, "retry-after")?, clock).filter(fits))
            .or_else(|| reset_of(headers, error, clock, fits))
    })
}

/// What `X-RateLimit-Reset` asks for, whatever else is said: the copy in the error body, else the
/// header.
#[must_use]
pub(super) fn told_reset(
    headers: &HeaderMap,
    error: Option<Raw<'_>>,
    of: Option<Bound>,
    now: Now,
) -> Option<Rest> {
    let date = headers.get("date").and_then(|v| v.to_str().ok());
    let clock = Clock::of(date, now);
    stated(of, clock, |fits| reset_of(headers, error, clock, fits))
}

fn reset_of(
    headers: &HeaderMap,
    error: Option<Raw<'_>>,
    clock: Clock,
    fits: &dyn Fn(&Rest) -> bool,
) -> Option<Rest> {
    const NAME: &str = "x-ratelimit-reset";
    let header = || headers.get(NAME)?.to_str().ok();
    let copied = copied(error, NAME).and_then(|v| reset(&v, clock));
    copied
        .filter(fits)
        .or_else(|| reset(header()?, clock).filter(fits))
}

/// A header that is copied into an error body.
fn copied(error: Option<Raw<'_>>, name: &str) -> Option<String> {
    let headers = error?.get("metadata")?.get("headers")?;
    let mut all = headers.members();
    let (_, value) = all.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    scalar(value)
}

/// A string or a number, as text.
pub(super) fn scalar(value: Raw<'_>) -> Option<String> {
    match value.kind() {
        Kind::String => value.as_str().map(Into::into),
        Kind::Number => Some(value.text().to_owned()),
        Kind::Object | Kind::Array | Kind::Bool | Kind::Null => None,
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, here also with decimals, or an HTTP date.
pub(super) fn retry_after(value: &str, clock: Clock) -> Option<Rest> {
    from_seconds(value).or_else(|| {
        httpdate::parse_http_date(value.trim())
            .ok()
            .map(|date| clock.until(date))
    })
}

/// Seconds from now, decimals rounded up.
fn from_seconds(value: &str) -> Option<Rest> {
    number(value).map(from_number)
}

/// This many seconds from now, rounded up.
pub(super) fn from_number(seconds: f64) -> Rest {
    Rest::For(length(seconds.ceil()))
}

/// `X-RateLimit-Reset`: epoch milliseconds, epoch seconds, or seconds from now, distinguished by
/// size.
pub(super) fn reset(value: &str, clock: Clock) -> Option<Rest> {
    let value = number(value)?;
    let epoch = |seconds: f64| {
        let since = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        // What no clock can represent is far away, and clamped like everything far away.
        SystemTime::UNIX_EPOCH
            .checked_add(since)
            .map_or(Rest::For(LONGEST), |date| clock.until(date))
    };
    Some(if value > 1e12 {
        epoch(value / 1000.0)
    } else if value > 1e9 {
        epoch(value)
    } else {
        Rest::For(length(value.ceil()))
    })
}

/// A decimal number as people write it; not `inf`, `nan` or hexadecimal.
pub(super) fn number(value: &str) -> Option<f64> {
    let value = value.trim();
    let plain = !value.is_empty()
        && value
            .bytes()
            .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    plain
        .then(|| value.parse().ok())
        .flatten()
        .filter(|n: &f64| !n.is_nan())
}

fn length(seconds: f64) -> Duration {
    if seconds <= 0.0 {
        Duration::ZERO
    } else {
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(LONGEST)
            .min(LONGEST)
    }
}

/// The upstream's clock, which its dates refer to: a laptop's may be an hour off.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    now: Now,
    /// What the answer's `Date` says about this moment, if that is better than our own clock.
    theirs: Option<SystemTime>,
}

impl Clock {
    /// A `Date` is accurate to a second, and one that is further off than any wait may be is an
    /// error of an upstream, or of a cache in between.
    pub(super) fn of(date: Option<&str>, now: Now) -> Self {
        let apart = |date: &SystemTime| {
            let behind = now.wall.duration_since(*date);
            behind.unwrap_or_else(|e| e.duration())
        };
        let date = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        let theirs = date.filter(|date| (AT_ONCE..=LONGEST).contains(&apart(date)));
        Self { now, theirs }
    }

    /// The moment by our clock.
    pub(super) fn ours(self) -> Now {
        self.now
    }

    /// Until the window ends in which they are, converted to our clock.
    pub(super) fn end(self, per: Per, ends: Ends) -> Rest {
        let theirs = self.theirs.unwrap_or(self.now.wall);
        self.until(next_end(per, ends, theirs))
    }

    /// Until their `date`, converted to our clock.
    fn until(self, date: SystemTime) -> Rest {
        let longest = self.now.plus(LONGEST).wall;
        let ours = match self.theirs {
            None => Some(date),
            Some(theirs) => match date.duration_since(theirs) {
                Ok(wait) => self.now.wall.checked_add(wait),
                Err(past) => self.now.wall.checked_sub(past.duration()),
            },
        };
        Rest::Until(ours.unwrap_or(date).min(longest))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;

    /// 2026-10-02 12:00:00 UTC
    const NOW: u64 = 1_790_942_400;

    fn now() -> Now {
        Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW),
        }
    }

    fn left(rest: Option<Rest>, now: Now) -> Option<f64> {
        rest.map(|rest| match rest {
            Rest::For(length) => length.as_secs_f64(),
            Rest::Until(date) => date
                .duration_since(now.wall)
                .unwrap_or_default()
                .as_secs_f64(),
            Rest::None
            | Rest::Unadvised(_)
            | Rest::Growing { .. }
            | Rest::UntilNextList
            | Rest::Doubling { .. } => {
                panic!("no wait names this")
            }
        })
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (http::HeaderName::try_from(*k).unwrap(), v.parse().unwrap()))
            .collect()
    }

    #[test]
    fn s4_3_every_form_of_a_wait() {
        const CAP: f64 = 26.0 * 3600.0;
        #[rustfmt::skip]
        let rows: &[(&str, &str, &str, Option<f64>)] = &[
            // Retry-After                     X-RateLimit-Reset   error.metadata                            wait
            ("30",                             "",                 "",                                       Some(30.0)),
            ("0",                              "",                 "",                                       Some(0.0)),
            ("1.2",                            "",                 "",                                       Some(2.0)),
            ("-5",                             "",                 "",                                       Some(0.0)),
            (" 7 ",                            "",                 "",                                       Some(7.0)),
            ("99999999999999999999",           "",                 "",                                       Some(CAP)),
            ("1e400",                          "",                 "",                                       Some(CAP)),
            ("soon",                           "",                 "",                                       None),
            ("inf",                            "",                 "",                                       None),
            ("nan",                            "",                 "",                                       None),
            ("Fri, 02 Oct 2026 12:05:00 GMT",  "",                 "",                                       Some(300.0)),
            ("Fri, 02 Oct 2026 11:00:00 GMT",  "",                 "",                                       Some(0.0)),
            ("Fri, 02 Oct 2099 11:00:00 GMT",  "",                 "",                                       Some(CAP)),
            ("",                               "1790942460000",    "",                                       Some(60.0)),
            ("",                               "1790942460",       "",                                       Some(60.0)),
            ("",                               "60",               "",                                       Some(60.0)),
            ("",                               "0.5",              "",                                       Some(1.0)),
            ("",                               "1790942000000",    "",                                       Some(0.0)),
            ("",                               "999999999999",     "",                                       Some(CAP)),
            ("",                               "1e300",            "",                                       Some(CAP)),
            ("",                               "never",            "",                                       None),
            ("soon",                           "60",               "",                                       Some(60.0)),
            ("5",                              "60",               r#"{"retry_after_seconds":9}"#,           Some(5.0)),
            ("",                               "60",               r#"{"retry_after_seconds":9}"#,           Some(9.0)),
            ("",                               "",                 r#"{"retry_after_seconds":1.5}"#,         Some(2.0)),
            ("",                               "",                 r#"{"retry_after_seconds":"9"}"#,         Some(9.0)),
            ("",                               "",                 r#"{"retry_after_seconds":null}"#,        None),
            ("",                               "60",               r#"{"headers":{"Retry-After":"3"}}"#,     Some(3.0)),
            ("",                               "60",               r#"{"headers":{"X-RateLimit-Reset":"1790942500000"}}"#, Some(100.0)),
            ("",                               "60",               r#"{"headers":{"x-ratelimit-RESET":100}}"#, Some(100.0)),
            ("",                               "60",               r#"{"headers":{"Retry-After":"?"}}"#,     Some(60.0)),
            ("",                               "",                 r#"{"headers":"none"}"#,                  None),
            ("",                               "",                 "",                                       None),
        ];
        for (retry, reset, metadata, expected) in rows {
            let mut pairs = vec![];
            if !retry.is_empty() {
                pairs.push(("Retry-After", *retry));
            }
            if !reset.is_empty() {
                pairs.push(("X-RateLimit-Reset", *reset));
            }
            let body = format!(
                r#"{{"metadata":{}}}"#,
                if metadata.is_empty() {
                    "null"
                } else {
                    metadata
                }
            );
            let error = Raw::parse(body.as_bytes(), 64).unwrap();
            let now = now();
            let rest = asked(&headers(&pairs), Some(error), None, now);
            assert_eq!(left(rest, now), *expected, "{retry:?} {reset:?} {metadata}");
        }
    }

    #[test]
    fn s4_3_a_date_and_an_epoch_are_kept_as_dates() {
        for (name, value) in [
            ("Retry-After", "Fri, 02 Oct 2026 12:05:00 GMT"),
            ("X-RateLimit-Reset", "1790942700000"),
        ] {
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + 300);
            assert_eq!(
                asked(&headers(&[(name, value)]), None, None, now()),
                Some(Rest::Until(date))
            );
        }
    }

    #[test]
    fn s4_3_a_date_refers_to_the_clock_of_its_sender() {
        let http = |seconds: i64| {
            let at = NOW.checked_add_signed(seconds).unwrap();
            httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(at))
        };
        let epoch = |seconds: i64| NOW.checked_add_signed(seconds).unwrap().to_string();
        const HOUR: i64 = 3600;
        #[rustfmt::skip]
        let rows: [(Option<i64>, &str, String, f64); 14] = [
            // their clock    what is sent                            wait, s
            (None,            "retry-after",       http(60),          60.0),
            (Some(0),         "retry-after",       http(60),          60.0),
            (Some(HOUR),      "retry-after",       http(HOUR + 60),   60.0),
            (Some(-HOUR),     "retry-after",       http(60 - HOUR),   60.0),
            (Some(HOUR),      "x-ratelimit-reset", epoch(HOUR + 60),  60.0),
            (Some(-HOUR),     "x-ratelimit-reset", epoch(60 - HOUR),  60.0),
            (Some(HOUR),      "x-ratelimit-reset", epoch(HOUR - 60),  0.0),
            (Some(HOUR),      "retry-after",       "60".into(),       60.0),
            (Some(HOUR),      "x-ratelimit-reset", "60".into(),       60.0),
            // A second's difference is the header's, not the clock's.
            (Some(-1),        "x-ratelimit-reset", epoch(60),         60.0),
            // A clock that is days off is ignored: ours counts, and the longest wait.
            (Some(-30 * HOUR), "x-ratelimit-reset", epoch(60),        60.0),
            (Some(30 * HOUR), "retry-after",       http(60),          60.0),
            (Some(-20 * HOUR), "x-ratelimit-reset", epoch(20 * HOUR), 26.0 * 3600.0),
            (Some(HOUR),      "x-ratelimit-reset", "1e300".into(),    26.0 * 3600.0),
        ];
        let now = now();
        for (clock, name, told, expected) in rows {
            let date = clock.map(http);
            let pairs = date.iter().map(|date| ("date", date.as_str()));
            let pairs: Vec<_> = pairs.chain([(name, told.as_str())]).collect();
            let wait = left(asked(&headers(&pairs), None, None, now), now);
            assert_eq!(wait, Some(expected), "{clock:?} {name} {told}");
        }
        for date in [
            "",
            "yesterday",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            let pairs = [("date", date), ("retry-after", &*http(60))];
            assert_eq!(
                left(asked(&headers(&pairs), None, None, now), now),
                Some(60.0),
                "{date}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_wait_is_bounded(value in "\\PC{0,30}", number in any::<f64>()) {
            let now = now();
            for text in [value, number.to_string(), format!("{number:e}")] {
                let Ok(text) = http::HeaderValue::from_str(&text) else { continue };
                for name in ["retry-after", "x-ratelimit-reset"] {
                    let mut headers = HeaderMap::new();
                    headers.insert(name, text.clone());
                    let wait = left(asked(&headers, None, None, now), now).unwrap_or_default();
                    prop_assert!((0.0..=LONGEST.as_secs_f64()).contains(&wait));
                }
            }
        }
    }
}
