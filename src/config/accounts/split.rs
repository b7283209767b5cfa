//! The keys in the text of a variable or a file: one, or several with commas, blanks or line ends
//! between them (spec §10.1). Pure. An error never contains any text of a key.

use super::super::value::is_placeholder;
use crate::redact::Secret;

/// No key is longer: tokens of the largest kind take two kilobytes.
const LONGEST: usize = 8 << 10;

/// More keys than this are not a list of keys.
const MOST: usize = 99;

/// If there are several, shorter ones would be words of a sentence.
const SHORTEST_OF_SEVERAL: usize = 8;

/// Why a text contains no usable keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Unusable {
    /// It is a sample's placeholder.
    Placeholder,
    /// The end of a sentence that begins with the variable's name.
    Rule(&'static str),
}

/// The keys in this text of the variable `name`; none if it is empty. `prefix` is how the
/// provider's keys usually start.
pub(in crate::config) fn keys(
    text: &str,
    name: &str,
    prefix: Option<&str>,
) -> Result<Vec<Secret>, Unusable> {
    let parts = parts(text, name, prefix)?;
    parts.into_iter().map(key).collect()
}

/// The same as texts, of which each may be more than a key.
pub(in crate::config) fn parts<'t>(
    text: &'t str,
    name: &str,
    prefix: Option<&str>,
) -> Result<Vec<&'t str>, Unusable> {
    let text = bare(text, name);
    let parts: Vec<_> = words(text).collect();
    if parts.len() > MOST {
        return Err(Unusable::Rule("holds more than 99 keys"));
    }
    if parts.iter().any(|key| is_sample(key, prefix)) || is_placeholder(text) {
        return Err(Unusable::Placeholder);
    }
    if text.split([',', '\n', '\r']).any(is_sentence) {
        return Err(Unusable::Rule(
            "has blanks or commas in it, and a part too short for a key: a key has none, and two \
             keys are separated by one",
        ));
    }
    Ok(parts)
}

/// Whether these are words of a sentence rather than keys with blanks between them.
fn is_sentence(piece: &str) -> bool {
    let mut words = piece.split_whitespace();
    let is_short = |word: &str| word.len() < SHORTEST_OF_SEVERAL;
    words.clone().count() > 1 && words.any(is_short)
}

/// A single value, an account id: it becomes part of an address.
pub(in crate::config) fn account_ids(text: &str, name: &str) -> Result<Vec<Secret>, Unusable> {
    let fits = |id: &str| {
        id.len() <= 128
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    words(bare(text, name))
        .map(|id| match id {
            id if is_placeholder(id) => Err(Unusable::Placeholder),
            id if fits(id) => Ok(Secret::new(id)),
            _ => Err(Unusable::Rule("must be letters, digits, - and _ alone")),
        })
        .collect()
}

/// What a person pasted for this variable: exactly one key.
///
/// # Errors
///
/// The end of a sentence that begins with "that".
pub fn pasted(text: &str, name: &str, prefix: Option<&str>) -> Result<Secret, &'static str> {
    let mut keys = keys(text, name, prefix).map_err(|why| match why {
        Unusable::Placeholder => "is a placeholder, not a key",
        Unusable::Rule(rule) => rule,
    })?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        (Some(_), false) => Err("is more than one key: add them one by one"),
        (None, _) => Err("is nothing: no key was given"),
    }
}

/// Whether a key starts differently from the provider's usual keys.
#[must_use]
pub fn is_odd(key: &Secret, prefix: Option<&str>) -> bool {
    prefix.is_some_and(|prefix| !key.expose().starts_with(prefix))
}

/// A key that can be sent.
pub(in crate::config) fn key(text: &str) -> Result<Secret, Unusable> {
    if text.len() > LONGEST {
        return Err(Unusable::Rule("is longer than any key"));
    }
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(Secret::new(text))
    } else {
        Err(Unusable::Rule(
            "must be visible ASCII characters, or it cannot be sent",
        ))
    }
}

/// The text of a variable or a file without what people copy along with it: `export NAME=`.
fn bare<'t>(text: &'t str, name: &str) -> &'t str {
    let text = text.trim_start_matches('\u{feff}').trim();
    let exported = text.strip_prefix("export");
    let text = exported
        .filter(|rest| rest.starts_with(char::is_whitespace))
        .map_or(text, str::trim_start);
    let assigned = text
        .strip_prefix(name)
        .and_then(|rest| rest.trim_start().strip_prefix('='));
    assigned.unwrap_or(text).trim()
}

/// What stands between commas, blanks and line ends, without quotes.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let between = |c: char| c == ',' || c.is_whitespace();
    text.split(between)
        .map(unquoted)
        .filter(|word| !word.is_empty())
}

/// Without the quotes around it.
pub(in crate::config) fn unquoted(word: &str) -> &str {
    word.trim_matches(|c: char| matches!(c, '"' | '\'' | '`'))
}

/// A sample's key, including one with the provider's prefix followed only by x.
pub(in crate::config) fn is_sample(key: &str, prefix: Option<&str>) -> bool {
    let own = prefix.and_then(|prefix| key.strip_prefix(prefix));
    let blank = |own: &str| own.bytes().all(|b| matches!(b, b'x' | b'X' | b'*'));
    is_placeholder(key)
        || own.is_some_and(|own| blank(own) || is_placeholder(own))
        || (blank(key) && key.len() >= SHORTEST_OF_SEVERAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_1_several_keys_in_one_variable() {
        const A: &str = "gsk_0123456789abcdef";
        const B: &str = "gsk_fedcba9876543210";
        #[rustfmt::skip]
        let rows: Vec<(String, &[&str])> = vec![
            (String::new(),                             &[]),
            (" \r\n".into(),                            &[]),
            (A.into(),                                  &[A]),
            (format!(" {A}\r\n"),                       &[A]),
            (format!("\u{feff}{A}\n"),                  &[A]),
            (format!("\"{A}\""),                        &[A]),
            (format!("'{A}'\r"),                        &[A]),
            (format!("export {A}"),                     &[A]),
            (format!("export GROQ_API_KEY={A}\r\n"),    &[A]),
            (format!("GROQ_API_KEY = '{A}'"),           &[A]),
            (format!("{A},{B}"),                        &[A, B]),
            (format!("{A}, {B},"),                      &[A, B]),
            (format!("{A} {B}"),                        &[A, B]),
            (format!("{A}\n{B}\n"),                     &[A, B]),
            (format!("{A}\r\n\r\n{B}\r\n"),             &[A, B]),
            (format!("'{A}' , \"{B}\""),                &[A, B]),
            (format!("'{A},{B}'"),                      &[A, B]),
            ("any".into(),                              &["any"]),
            // Duplicates are for the caller to notice.
            (format!("{A},{A}"),                        &[A, A]),
        ];
        for (text, expected) in rows {
            let read = keys(&text, "GROQ_API_KEY", Some("gsk_")).unwrap();
            let read: Vec<_> = read.iter().map(Secret::expose).collect();
            assert_eq!(read, expected, "{text:?}");
        }
    }

    #[test]
    fn s10_1_what_is_not_a_key() {
        let long = "a".repeat(9000);
        let many = "gsk_0123456789abcdef,".repeat(100);
        #[rustfmt::skip]
        let rows = [
            ("changeme",                      "placeholder"),
            ("gsk_...",                       "placeholder"),
            ("gsk_xxxxxxxxxxxxxxxx",          "placeholder"),
            ("xxxxxxxxxxxxxxxx",              "placeholder"),
            ("gsk_your-key-here",             "placeholder"),
            ("your_groq_api_key",             "placeholder"),
            ("<your groq key>",               "placeholder"),
            ("gsk_0123456789abcdef,changeme", "placeholder"),
            ("put my key here",               "blanks or commas"),
            ("Bearer gsk_0123456789abcdef",   "blanks or commas"),
            ("gsk_0123456789\u{7f}abcdef",    "visible ASCII"),
            ("ключ-0123456789",               "visible ASCII"),
            (long.as_str(),                   "longer than any key"),
            (many.as_str(),                   "more than 99"),
        ];
        for (text, expected) in rows {
            let told = match keys(text, "GROQ_API_KEY", Some("gsk_")).unwrap_err() {
                Unusable::Placeholder => "placeholder",
                Unusable::Rule(rule) => rule,
            };
            assert!(told.contains(expected), "{text:.40?}: {told}");
        }
    }

    #[test]
    fn s10_1_an_account_id_must_fit_into_an_address() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<&[&str]>)] = &[
            ("0123456789abcdef0123456789abcdef", Some(&["0123456789abcdef0123456789abcdef"])),
            (" 'me_1',b-2\r\n",                  Some(&["me_1", "b-2"])),
            ("",                                 Some(&[])),
            ("../../x",                          None),
            ("a?b",                              None),
            ("a%2fb",                            None),
            ("<account id>",                     None),
        ];
        for (text, expected) in rows {
            let read = account_ids(text, "CLOUDFLARE_ACCOUNT_ID").ok();
            let read = read.as_ref();
            let read = read.map(|ids| ids.iter().map(Secret::expose).collect::<Vec<_>>());
            assert_eq!(read.as_deref(), *expected, "{text:?}");
        }
    }

    #[test]
    fn s10_8_a_keys_shape_is_a_hint() {
        #[rustfmt::skip]
        let rows = [
            ("gsk_0123456789", Some("gsk_"), false),
            ("sk-0123456789",  Some("gsk_"), true),
            ("sk-0123456789",  None,         false),
        ];
        for (key, prefix, odd) in rows {
            assert_eq!(is_odd(&Secret::new(key), prefix), odd, "{key}");
        }
    }
}
