//! How long a provider other than OpenRouter asks to be left alone (reference §6.1).
//!
//! Pure. Whatever it says is bounded here (spec §4.3).

use std::time::Duration;

use http::HeaderMap;

use super::bound::{self, Bound};
use super::quota::is_about_a_limit;
use super::retry_after::{Clock, from_number, number, reset, retry_after, scalar};
use super::said::ErrorSaid;
use crate::clock::Now;
use crate::duration::{in_prose, seconds};
use crate::json::Raw;
use crate::ledger::Unit;
use crate::verdict::Rest;

/// The wait that an error states, in the reference's order; `None` if it states none. `unit` and `of` are the
/// unit and the window of the quota that it names.
pub(super) fn stated(
    headers: &HeaderMap,
    said: &ErrorSaid<'_>,
    unit: Option<Unit>,
    of: Option<Bound>,
    now: Now,
) -> Option<Rest> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let clock = Clock::of(header("date"), now);
    bound::stated(of, clock, |fits| {
        header("retry-after")
            .and_then(|value| retry_after(value, clock).or_else(|| seconds(value).map(from_number)))
            .filter(fits)
            .or_else(|| milliseconds(header("retry-after-ms")?).filter(fits))
            .or_else(|| retry_delay(said).filter(fits))
            .or_else(|| in_body(said, clock).filter(fits))
            .or_else(|| by_header(headers, unit, clock, now).filter(fits))
            .or_else(|| {
                let wait = in_prose(&said.message).filter(|_| is_about_a_limit(&said.message));
                wait.map(from_number).filter(fits)
            })
    })
}

fn milliseconds(value: &str) -> Option<Rest> {
    number(value).map(|millis| from_number(millis / 1000.0))
}

/// Google's `RetryInfo`.
fn retry_delay(said: &ErrorSaid<'_>) -> Option<Rest> {
    let delay = said.details().find_map(|detail| detail.get("retryDelay"));
    let delay = delay.or_else(|| said.error?.get("retryDelay"))?;
    let text = scalar(delay)?;
    seconds(&text).or_else(|| number(&text)).map(from_number)
}

/// A member whose name begins with `retry_after`, in `error`, its `metadata`, or beside it.
fn in_body(said: &ErrorSaid<'_>, clock: Clock) -> Option<Rest> {
    let metadata = said.error.and_then(|error| error.get("metadata"));
    let places = [said.error, metadata, said.root];
    places.into_iter().flatten().find_map(|place| {
        let mut members = place.members();
        members.find_map(|(name, value)| {
            let name = name.to_ascii_lowercase().replace(['_', '-'], "");
            let unit = name.strip_prefix("retryafter")?;
            wait(value, unit, clock)
        })
    })
}

fn wait(value: Raw<'_>, unit: &str, clock: Clock) -> Option<Rest> {
    let text = scalar(value)?;
    match unit {
        "ms" | "milliseconds" | "millis" => milliseconds(&text),
        _ => retry_after(&text, clock).or_else(|| seconds(&text).map(from_number)),
    }
}

/// `x-ratelimit-reset`, or one of its variants for requests and tokens: of those the one with the
/// unit that the error names, else the last of those that are used up, else the first.
fn by_header(headers: &HeaderMap, unit: Option<Unit>, clock: Clock, now: Now) -> Option<Rest> {
    const NAME: &str = "x-ratelimit-reset";
    let read = |value: &http::HeaderValue| {
        let text = value.to_str().ok()?;
        reset(text, clock).or_else(|| seconds(text).map(from_number))
    };
    if let Some(rest) = headers.get(NAME).and_then(read) {
        return Some(rest);
    }
    let kin = || {
        headers.iter().filter_map(|(name, value)| {
            let kind = name.as_str().strip_prefix(NAME)?.strip_prefix('-')?;
            Some((kind, read(value)?))
        })
    };
    let counted = unit.and_then(|unit| kin().find(|(kind, _)| kind.contains(spelling(unit))));
    let is_used_up = |kind: &str| {
        let remaining = headers.get(format!("x-ratelimit-remaining-{kind}"));
        remaining.is_some_and(|value| value.to_str().is_ok_and(|text| text.trim() == "0"))
    };
    let later = |kin: &(&str, Rest)| left(kin.1, now);
    counted
        .or_else(|| kin().filter(|(kind, _)| is_used_up(kind)).max_by_key(later))
        .or_else(|| kin().min_by_key(later))
        .map(|(_, rest)| rest)
}

/// How much of a stated wait is left; nothing of a rest without a stated wait.
pub(super) fn left(rest: Rest, now: Now) -> Duration {
    match rest {
        Rest::For(length) => length,
        Rest::Until(date) => date.duration_since(now.wall).unwrap_or_default(),
        Rest::None
        | Rest::Unadvised(_)
        | Rest::Growing { .. }
        | Rest::UntilNextList
        | Rest::Doubling { .. } => Duration::ZERO,
    }
}

/// How headers spell a unit.
fn spelling(unit: Unit) -> &'static str {
    match unit {
        Unit::Requests | Unit::AtOnce => "req",
        Unit::Tokens | Unit::TokensIn | Unit::TokensOut => "tokens",
        Unit::Neurons => "neurons",
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use super::*;

    /// 2026-10-02 12:00:00 UTC
    const NOW: u64 = 1_790_942_400;

    fn now() -> Now {
        Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW),
        }
    }

    /// Headers, what the quota counts, body, wait in seconds.
    type Row<'a> = (Vec<(&'a str, &'a str)>, Option<Unit>, &'a str, Option<u64>);

    /// The wait, in seconds.
    fn wait(headers: &[(&str, &str)], unit: Option<Unit>, body: &str) -> Option<u64> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(k, v)| (k.parse::<http::HeaderName>().unwrap(), v.parse().unwrap()))
            .collect();
        let now = now();
        let rest = stated(&headers, &ErrorSaid::read(body.as_bytes()), unit, None, now);
        rest.map(|rest| left(rest, now).as_secs())
    }

    #[test]
    fn s10_4_waits_are_read_in_the_references_order() {
        const CAP: u64 = 26 * 3600;
        const PROSE: &str =
            r#"{"error":{"message":"Rate limit reached. Please try again in 9m38.016s."}}"#;
        const DELAY: &str = r#"[{"error":{"message":"You exceeded your current quota. Please retry in 9s.","details":[{"x":1},{"retryDelay":"22s"}]}}]"#;
        const AFTER: &str =
            r#"{"error":{"message":"Rate limit. Try again in 9s","retry_after":7}}"#;
        #[rustfmt::skip]
        let rows: Vec<Row<'_>> = vec![
            (vec![("retry-after", "2"), ("retry-after-ms", "9000"), ("x-ratelimit-reset", "5")], None, DELAY, Some(2)),
            (vec![("retry-after", "Fri, 02 Oct 2026 12:05:00 GMT")],  None, PROSE, Some(300)),
            (vec![("retry-after", "1m30s")],                          None, PROSE, Some(90)),
            (vec![("retry-after", "soon")],                           None, PROSE, Some(579)),
            (vec![("retry-after-ms", "1500"), ("x-ratelimit-reset", "5")], None, DELAY, Some(2)),
            (vec![("x-ratelimit-reset", "5")],                        None, DELAY, Some(22)),
            (vec![("x-ratelimit-reset", "5")],                        None, AFTER, Some(7)),
            (vec![("x-ratelimit-reset", "5")],                        None, PROSE, Some(5)),
            (vec![("x-ratelimit-reset", "1790942460000")],            None, PROSE, Some(60)),
            (vec![("x-ratelimit-reset", "1790942460")],               None, PROSE, Some(60)),
            (vec![("x-ratelimit-reset", "2m59.56s")],                 None, PROSE, Some(180)),
            (vec![("x-ratelimit-reset-requests", "1h"), ("x-ratelimit-reset-tokens", "7.66s")], None, "{}", Some(8)),
            (vec![("x-ratelimit-reset-requests", "1h"), ("x-ratelimit-reset-tokens", "7.66s")], Some(Unit::Requests), "{}", Some(3600)),
            (vec![("x-ratelimit-reset-requests", "1h"), ("x-ratelimit-reset-tokens", "7.66s"), ("x-ratelimit-remaining-requests", "0")], None, "{}", Some(3600)),
            (vec![("x-ratelimit-reset-requests-day", "4021.7")],      None, "{}", Some(4022)),
            (vec![],                                                  None, PROSE, Some(579)),
            (vec![],                                                  None, DELAY, Some(22)),
            (vec![],                                                  None, AFTER, Some(7)),
            (vec![], None, r#"{"error":{"message":"x"},"retry_after_ms":1500}"#,                         Some(2)),
            (vec![], None, r#"{"error":{"message":"x","metadata":{"retry_after_seconds":5}}}"#,          Some(5)),
            (vec![], None, r#"{"error":{"message":"x"},"retryAfter":"12s"}"#,                            Some(12)),
            (vec![], None, r#"{"message":"Rate limit for your plan: try again in 5 hours"}"#,            Some(18_000)),
            (vec![], None, r#"{"message":"Rate limit: try again in 400000h"}"#,                          Some(CAP)),
            (vec![], None, r#"{"error":{"details":[{"retryDelay":"-5s"}]}}"#,                            Some(0)),
            (vec![], None, r#"{"error":{"details":[{"retryDelay":"1e30s"}]}}"#,                          None),
            (vec![], None, r#"{"retry_after":1e30}"#,                                                    Some(CAP)),
            (vec![], None, r#"{"retry_after":-1}"#,                                                      Some(0)),
            (vec![], None, r#"{"retry_after":null}"#,                                                    None),
            (vec![], None, r#"{"retry_after":{"a":1}}"#,                                                 None),
            // It quotes the request, in spite of how it begins.
            (vec![], None, r#"{"message":"Invalid role: 'try again in 9h'"}"#,                           None),
            (vec![], None, "",                                                                           None),
        ];
        for (headers, unit, body, expected) in rows {
            assert_eq!(wait(&headers, unit, body), expected, "{headers:?} {body}");
        }
    }
}
