//! What a value must look like: text in, a typed value or the violated rule out.
//!
//! Pure. A violated rule is phrased as the end of a sentence that begins with the variable's name.
//! URLs and addresses are in `address`.

use std::time::Duration;

use http::HeaderValue;

use super::{LogLevel, ModelField, State};
use crate::learnt::Order;

/// The rule that a value violates.
pub(super) type Refusal = &'static str;

/// Ten years: far above any sane setting, far below what clocks can add up.
const MAX_SECONDS: f64 = 315_360_000.0;

/// A tebibyte: above any sane setting, and safe in arithmetic.
const MAX_COUNT: u64 = 1 << 40;

/// A duration above 0.
pub(super) fn seconds(text: &str) -> Result<Duration, Refusal> {
    decimal(text)
        .filter(|duration| !duration.is_zero())
        .ok_or("must be a number of seconds above 0 and at most 315360000, such as 30 or 2.5")
}

/// A duration that may be 0.
pub(super) fn seconds_or_zero(text: &str) -> Result<Duration, Refusal> {
    decimal(text).ok_or("must be a number of seconds from 0 to 315360000, such as 30 or 2.5")
}

/// A period; 0 means never.
pub(super) fn period(text: &str) -> Result<Option<Duration>, Refusal> {
    seconds_or_zero(text).map(|duration| Some(duration).filter(|d| !d.is_zero()))
}

/// Digits and at most one point. `f64` alone would also accept `nan`, `inf` and `1e9`.
fn decimal(text: &str) -> Option<Duration> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let seconds: f64 = text.parse().ok().filter(|_| plain)?;
    (seconds <= MAX_SECONDS).then(|| Duration::try_from_secs_f64(seconds).ok())?
}

/// A number of things, at least 1.
pub(super) fn count(text: &str) -> Result<usize, Refusal> {
    digits(text)
        .filter(|number| (1..=MAX_COUNT).contains(number))
        .and_then(|number| usize::try_from(number).ok())
        .ok_or("must be a whole number from 1 to 1099511627776")
}

/// A nesting depth, at most what the JSON reader supports.
pub(super) fn depth(text: &str) -> Result<usize, Refusal> {
    count(text)
        .ok()
        .filter(|depth| *depth <= crate::json::MAX_DEPTH)
        .ok_or("must be a whole number from 1 to 1024")
}

/// A port; 0 takes a free one.
pub(super) fn port(text: &str) -> Result<u16, Refusal> {
    digits(text)
        .and_then(|number| u16::try_from(number).ok())
        .ok_or("must be a whole number from 0 to 65535")
}

fn digits(text: &str) -> Option<u64> {
    text.parse()
        .ok()
        .filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// Yes or no.
pub(super) fn boolean(text: &str) -> Result<bool, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err("must be true, false, on, off, 1 or 0"),
    }
}

pub(super) fn log_level(text: &str) -> Result<LogLevel, Refusal> {
    match text.to_ascii_uppercase().as_str() {
        "DEBUG" => Ok(LogLevel::Debug),
        "INFO" => Ok(LogLevel::Info),
        "WARNING" | "WARN" => Ok(LogLevel::Warning),
        "ERROR" => Ok(LogLevel::Error),
        _ => Err("must be DEBUG, INFO, WARNING or ERROR"),
    }
}

pub(super) fn state(text: &str) -> Result<State, Refusal> {
    if text.eq_ignore_ascii_case("memory") {
        return Ok(State::Memory);
    }
    match text.split_once(':') {
        Some(("file", "")) => Err("names no file: file:/var/lib/free-llm-proxy/state"),
        Some(("file", path)) => Ok(State::File(path.into())),
        Some(("redis" | "rediss", _)) => Err("a shared store is not supported yet, only a file"),
        _ => Err("must be memory, or file: and a path"),
    }
}

pub(super) fn model_field(text: &str) -> Result<ModelField, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "ignore" => Ok(ModelField::Ignore),
        "prefer" => Ok(ModelField::Prefer),
        "pin" => Ok(ModelField::Pin),
        _ => Err("must be ignore, prefer or pin"),
    }
}

pub(super) fn routing(text: &str) -> Result<Order, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "balanced" => Ok(Order::Balanced),
        "rank" => Ok(Order::Rank),
        _ => Err("must be balanced or rank"),
    }
}

/// What is allowed in a header.
pub(super) fn header(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text)
        .ok()
        .filter(|_| !text.is_empty() && text.is_ascii())
        .ok_or("must be plain ASCII text, and not empty")
}

/// `TRAINING`: whether providers that may train on prompts are left out.
pub(super) fn refuses_training(text: &str) -> Result<bool, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "allow" => Ok(false),
        "refuse" => Ok(true),
        _ => Err("must be allow or refuse"),
    }
}

/// Whether this cannot be a real key: what samples and guides have in a key's place.
#[must_use]
pub fn is_placeholder(key: &str) -> bool {
    let key = key.to_lowercase();
    let own = key
        .trim_start_matches("sk-or-v1-")
        .trim_start_matches("sk-");
    key.contains("...")
        || key.contains('…')
        || (key.starts_with('<') && key.ends_with('>'))
        || ["changeme", "change-me", "change_me"]
            .iter()
            .any(|word| key.contains(word))
        || ["your-", "your_"]
            .iter()
            .any(|word| own.starts_with(word) && own.contains("key"))
        || (own.len() != key.len() && own.chars().all(|c| c == 'x'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEARS_10: &str = "315360000";

    #[test]
    fn s6_seconds_are_decimals_above_0() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<u64>, Option<u64>)] = &[
            // text         seconds in ms                 may be 0
            ("30",          Some(30_000),                 Some(30_000)),
            ("2.5",         Some(2_500),                  Some(2_500)),
            (".5",          Some(500),                    Some(500)),
            ("007",         Some(7_000),                  Some(7_000)),
            (YEARS_10,      Some(315_360_000_000),        Some(315_360_000_000)),
            ("0",           None,                         Some(0)),
            ("0.0",         None,                         Some(0)),
            ("0.0000000001", None,                        Some(0)),
            ("315360001",   None,                         None),
            ("99999999999999999999999999", None,          None),
            ("-1",          None,                         None),
            ("+1",          None,                         None),
            ("nan",         None,                         None),
            ("inf",         None,                         None),
            ("1e3",         None,                         None),
            ("1.2.3",       None,                         None),
            (".",           None,                         None),
            ("",            None,                         None),
            ("30s",         None,                         None),
            ("1,5",         None,                         None),
            ("٣",           None,                         None),
        ];
        let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap();
        for (text, above_0, from_0) in rows {
            assert_eq!(seconds(text).ok().map(ms), *above_0, "{text:?}");
            assert_eq!(seconds_or_zero(text).ok().map(ms), *from_0, "{text:?}");
            assert_eq!(period(text).is_ok(), from_0.is_some(), "{text:?}");
        }
        assert_eq!(
            (period("0"), period("2")),
            (Ok(None), Ok(Some(Duration::from_secs(2))))
        );
    }

    #[test]
    fn s6_counts_are_whole_numbers_from_1_and_ports_from_0() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<usize>, Option<u16>)] = &[
            // text                  count                     port
            ("1",                    Some(1),                  Some(1)),
            ("0",                    None,                     Some(0)),
            ("65535",                Some(65_535),             Some(65_535)),
            ("65536",                Some(65_536),             None),
            ("1099511627776",        Some(1_099_511_627_776),  None),
            ("1099511627777",        None,                     None),
            ("18446744073709551616", None,                     None),
            ("-1",                   None,                     None),
            ("+1",                   None,                     None),
            ("1.5",                  None,                     None),
            ("",                     None,                     None),
            ("32 MiB",               None,                     None),
        ];
        for (text, number, number_of_port) in rows {
            assert_eq!(count(text).ok(), *number, "{text:?}");
            assert_eq!(port(text).ok(), *number_of_port, "{text:?}");
        }
    }

    #[test]
    fn s6_words_are_accepted_in_any_case() {
        for (text, expected) in [
            ("true", Some(true)),
            ("ON", Some(true)),
            ("1", Some(true)),
            ("False", Some(false)),
            ("off", Some(false)),
            ("0", Some(false)),
            ("yes", None),
            ("2", None),
            ("", None),
        ] {
            assert_eq!(boolean(text).ok(), expected, "{text:?}");
        }
        for (text, expected) in [
            ("debug", Some(LogLevel::Debug)),
            ("Info", Some(LogLevel::Info)),
            ("WARNING", Some(LogLevel::Warning)),
            ("warn", Some(LogLevel::Warning)),
            ("error", Some(LogLevel::Error)),
            ("verbose", None),
            ("", None),
        ] {
            assert_eq!(log_level(text).ok(), expected, "{text:?}");
        }
        assert_eq!(model_field("Pin"), Ok(ModelField::Pin));
        assert_eq!(model_field("prefer"), Ok(ModelField::Prefer));
        assert!(model_field("best").is_err());
        // What a request wishes for is no setting.
        assert!(model_field("auto:best").is_err() && routing("auto:fast").is_err());
        assert_eq!(routing("Balanced"), Ok(Order::Balanced));
        assert_eq!(routing("rank"), Ok(Order::Rank));
        assert!(routing("fast").is_err());
    }

    #[test]
    fn s6_placeholders_are_distinguished_from_keys() {
        #[rustfmt::skip]
        let rows = [
            ("sk-or-v1-...",                true),
            ("sk-or-v1-…",                  true),
            ("sk-or-v1-",                   true),
            ("sk-or-v1-xxxxxxxx",           true),
            ("sk-or-v1-your-key-here",      true),
            ("your_openrouter_api_key",     true),
            ("<your key>",                  true),
            ("changeme",                    true),
            ("sk-or-CHANGE-ME",             true),
            ("sk-or-v1-0123456789abcdef",   false),
            ("test",                        false),
            ("x",                           false),
            ("sk-proxy-0f",                 false),
            ("yourself",                    false),
        ];
        for (key, expected) in rows {
            assert_eq!(is_placeholder(key), expected, "{key:?}");
        }
        for (text, expected) in [("Refuse", Some(true)), ("allow", Some(false)), ("no", None)] {
            assert_eq!(refuses_training(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn s6_headers_are_plain_text() {
        assert!(header("free-llm-proxy: mine").is_ok());
        for bad in ["", "a\r\nb", "a\0", "прокси"] {
            assert!(header(bad).is_err(), "{bad:?}");
        }
    }
}
