//! Durations as providers write them: Go's `2m59.56s`, and `try again in 5 hours` in prose.
//!
//! Pure.

/// The maximum length of a duration, in characters.
const LONGEST: usize = 40;

/// The units, longer spellings before their prefixes, and their seconds.
const UNITS: [(&str, f64); 19] = [
    ("milliseconds", 1e-3),
    ("millisecond", 1e-3),
    ("minutes", 60.0),
    ("minute", 60.0),
    ("seconds", 1.0),
    ("second", 1.0),
    ("hours", 3600.0),
    ("hour", 3600.0),
    ("days", 86_400.0),
    ("day", 86_400.0),
    ("ms", 1e-3),
    ("\u{b5}s", 1e-6),
    ("\u{3bc}s", 1e-6),
    ("us", 1e-6),
    ("ns", 1e-9),
    ("h", 3600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("d", 86_400.0),
];

/// The seconds of a text that is exactly one duration: `22s`, `1h2m3s`, `-1s`; every number with
/// its unit.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let (sign, length) = match text.strip_prefix('-') {
        Some(length) => (-1.0, length),
        None => (1.0, text),
    };
    match leading(length) {
        Some((seconds, "")) => Some(sign * seconds),
        Some(_) | None => None,
    }
}

/// The wait that a message in lower case states in prose, in seconds. The beginning of the message
/// must show that it is about a limit: another may quote the request.
pub(crate) fn in_prose(message: &str) -> Option<f64> {
    const WORDS: [&str; 2] = ["try again in ", "retry in "];
    let stated = |words: &str| {
        let behind = message.split(words).nth(1)?;
        leading(behind).map(|(seconds, _)| seconds)
    };
    WORDS.into_iter().find_map(stated)
}

/// The duration at the beginning of a text, in seconds, and what follows.
fn leading(text: &str) -> Option<(f64, &str)> {
    let mut rest = text;
    let mut total = None;
    while text.len() - rest.len() < LONGEST {
        // Also `5 hours 3 minutes`.
        let number = if total.is_some() {
            rest.trim_start_matches(' ')
        } else {
            rest
        };
        let digits = number
            .bytes()
            .take_while(|b| b.is_ascii_digit() || *b == b'.')
            .count();
        let Some((digits, behind)) = number.split_at_checked(digits) else {
            break;
        };
        let Ok(amount) = digits.parse::<f64>() else {
            break;
        };
        let behind = behind.strip_prefix(' ').unwrap_or(behind);
        let unit = UNITS.iter().find_map(|(unit, seconds)| {
            let behind = behind.strip_prefix(unit)?;
            // `5 megabytes` is not a duration.
            let is_whole = !behind.starts_with(|c: char| c.is_alphabetic());
            is_whole.then_some((behind, *seconds))
        });
        let Some((behind, unit)) = unit else { break };
        total = Some(total.unwrap_or(0.0) + amount * unit);
        rest = behind;
    }
    total.map(|total| (total, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn s10_4_lengths_as_providers_write_them() {
        #[rustfmt::skip]
        let rows = [
            ("22s",          Some(22.0)),
            ("2m59.5s",      Some(179.5)),
            ("1h2m3s",       Some(3723.0)),
            ("120ms",        Some(0.12)),
            ("500µs",        Some(0.0005)),
            (" 7.5s ",       Some(7.5)),
            ("-3s",          Some(-3.0)),
            ("5 hours",      Some(18_000.0)),
            ("1 hour 5 minutes", Some(3900.0)),
            ("1.2.3s",       None),
            ("22",           None),
            ("s",            None),
            ("",             None),
            ("22s ago",      None),
            ("5 megabytes",  None),
            ("--3s",         None),
        ];
        for (text, expected) in rows {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn s10_4_a_wait_in_prose() {
        #[rustfmt::skip]
        let rows = [
            ("please try again in 9m38.016s. need more?",  Some(578.016)),
            ("please try again in 1.2s.",                  Some(1.2)),
            ("please try again in 120ms. need",            Some(0.12)),
            ("please retry in 22.8s.",                     Some(22.8)),
            ("try again in 5 hours",                       Some(18_000.0)),
            ("try again in a moment",                      None),
            ("try again in ",                              None),
            ("try again",                                  None),
            ("",                                           None),
        ];
        for (message, expected) in rows {
            assert_eq!(in_prose(message), expected, "{message}");
        }
    }

    proptest! {
        #[test]
        fn s10_4_no_text_is_too_odd(text in "\\PC{0,60}", number in any::<f64>()) {
            let _ = seconds(&text);
            let _ = in_prose(&text);
            let _ = in_prose(&format!("try again in {text}"));
            let _ = seconds(&format!("{number}s"));
        }
    }
}
