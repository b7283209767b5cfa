//! The one gate between an upstream's text and those who read it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::{Secret, may_hold_key, names, without_key};

/// Knows every configured key and account id. What an upstream says in an error, a header or a
/// message reaches a client or a log only through it (spec §10.6).
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// Longer ones before those that they may contain.
    secrets: Arc<[Secret]>,
}

/// A text without anything that must not be seen. Only a [`Redactor`] makes one from outside data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redacted(Bytes);

impl Redactor {
    /// One that knows these keys and account ids. Those too short to be searched for are left out.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut secrets: Vec<_> = secrets
            .into_iter()
            .filter(Secret::is_searched_for)
            .collect();
        secrets.sort_by(|a, b| {
            let longer = b.expose().len().cmp(&a.expose().len());
            longer.then_with(|| a.expose().cmp(b.expose()))
        });
        secrets.dedup();
        Self {
            secrets: secrets.into(),
        }
    }

    /// An error's body, or any other text of an upstream's, without keys and account ids, and
    /// without the account names that upstreams put into their errors.
    #[must_use]
    pub fn error(&self, text: Bytes) -> Redacted {
        Redacted(self.without_secrets(names::without_names(self.without_secrets(text))))
    }

    /// The same for a message.
    #[must_use]
    pub fn message(&self, text: &str) -> Redacted {
        self.error(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// A header's value, unless it contains a key or an account id.
    #[must_use]
    pub fn header(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let holds = |secret: &Secret| may_hold_key(value.as_bytes(), secret);
        // Most values are shorter than any key, and every answer has some.
        let shortest = self
            .secrets
            .last()
            .map_or(usize::MAX, |last| last.expose().len());
        let may_hold_any = value.len() >= shortest && self.secrets.iter().any(holds);
        (!may_hold_any).then(|| value.clone())
    }

    /// What is left when one is removed may spell another, so this is repeated until there is none.
    /// Each round makes the text shorter, since no secret is as short as its replacement.
    fn without_secrets(&self, mut text: Bytes) -> Bytes {
        loop {
            let before = text.len();
            for secret in self.secrets.iter() {
                text = without_key(text, secret);
            }
            if text.len() == before {
                return text;
            }
        }
    }
}

impl Redacted {
    /// A text of our own.
    #[must_use]
    pub const fn ours(text: &'static [u8]) -> Self {
        Self(Bytes::from_static(text))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The same, by value.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// As text; invalid UTF-8 is replaced.
    #[must_use]
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// Its length alone: an error may quote a prompt.
impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redacted({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redactor(keys: &[&str]) -> Redactor {
        Redactor::new(keys.iter().copied().map(Secret::new))
    }

    #[test]
    fn s10_6_every_configured_key_is_cut_and_short_ones_are_not_searched_for() {
        let keys = redactor(&[
            "gsk_0123456789",
            "AIza0123456789",
            "short77",
            "gsk_0123456789-long",
        ]);
        #[rustfmt::skip]
        let rows = [
            ("gsk_0123456789 and AIza0123456789",      "*** and ***"),
            ("gsk_0123456789-long",                    "***"),
            (r"\u0067sk_012345678\u0039",              "***"),
            ("short77 stays",                          "short77 stays"),
            ("nothing",                                "nothing"),
            ("",                                       ""),
            // What remains of one spells the other.
            ("AIzagsk_01234567890123456789",           "AIza***0123456789"),
        ];
        for (text, expected) in rows {
            assert_eq!(keys.message(text).to_text(), expected, "{text}");
        }
    }

    #[test]
    fn s10_6_a_header_with_a_key_does_not_come_back() {
        let keys = redactor(&["gsk_0123456789"]);
        for (value, comes) in [("gen-1", true), ("x gsk_0123456789", false), ("", true)] {
            let value = HeaderValue::from_static(value);
            assert_eq!(keys.header(&value).is_some(), comes, "{value:?}");
        }
    }

    #[test]
    fn s10_6_no_text_of_an_upstreams_is_in_debug_output() {
        let text = redactor(&[]).message("a prompt");
        assert_eq!(format!("{text:?}"), "Redacted(8 bytes)");
    }

    #[test]
    fn s10_6_a_key_encoded_for_an_address_is_cut() {
        let keys = redactor(&["box+secret/key=98==", "ab%2Fcd%efgh", "plain-0123456789"]);
        #[rustfmt::skip]
        let rows = [
            ("https://x/?k=box%2Bsecret%2Fkey%3D98%3D%3D&a=1", "https://x/?k=***&a=1"),
            ("box%2bsecret%2fkey%3d98%3d%3d",                  "***"),
            ("box+secret%2Fkey=98%3D=",                        "***"),
            (r"box%2Bsecret\/key%3D98%3D%3D",                  "***"),
            (r"\u0025" ,                                       r"\u0025"),
            (r"box\u00252Bsecret/key=98==",                    "***"),
            ("ab%2Fcd%efgh",                                   "***"),
            ("ab%252Fcd%25efgh",                               "***"),
            ("%62ox%2Bsecret%2Fkey%3D98%3D%3D",                "***"),
            ("50% of box%2Bsecret%2Fkey%3D",                   "50% of box%2Bsecret%2Fkey%3D"),
            ("100%",                                           "100%"),
            ("%",                                              "%"),
        ];
        for (text, expected) in rows {
            assert_eq!(keys.message(text).to_text(), expected, "{text}");
            let header = HeaderValue::from_str(text).unwrap();
            assert!(
                !expected.contains("***") || keys.header(&header).is_none(),
                "{text}"
            );
        }
    }

    /// The key with each of its characters plain or escaped, as a code point or in short form.
    fn escaped(key: &str, how: &[u8]) -> String {
        let spelt = |(c, how): (char, &u8)| match how % 4 {
            0 => format!("\\u{:04x}", u32::from(c)),
            1 => format!("\\u{:04X}", u32::from(c)),
            2 if c == '/' => "\\/".to_owned(),
            _ => c.to_string(),
        };
        key.chars().zip(how.iter().cycle()).map(spelt).collect()
    }

    proptest! {
        #[test]
        fn s10_6_no_key_survives_any_cut(
            keys in prop::collection::vec("[A-Za-z0-9_./-]{8,24}", 1..4),
            parts in prop::collection::vec("[ -!#-\\[\\]-~é]{0,6}", 4),
            how in prop::collection::vec(any::<u8>(), 1..9),
            overlap in 0_usize..24,
        ) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut text = String::new();
            for (key, part) in keys.iter().zip(parts.iter().cycle()) {
                text += part;
                text += &escaped(key, &how);
                // And one that overlaps with the next.
                text += key;
                text += key.get(overlap..).unwrap_or_default();
            }
            let redactor = redactor(&keys);
            for body in [text.clone(), serde_json::json!({"error": text}).to_string()] {
                let clean = redactor.message(&body).to_text();
                for key in &keys {
                    prop_assert!(!clean.contains(key), "{key} in {clean}");
                }
                let unescaped: Result<serde_json::Value, _> = serde_json::from_str(&clean);
                if let Some(text) = unescaped.ok().and_then(|v| v["error"].as_str().map(str::to_owned)) {
                    for key in &keys {
                        prop_assert!(!text.contains(key), "{key} in {text}");
                    }
                }
            }
        }
    }
}
