//! Everything that is wrong with the settings, told at once.

use std::fmt;

/// What is wrong, one sentence a line. No key stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    pub(super) fn new(problems: Vec<String>) -> Self {
        Self { problems }
    }

    /// The sentences.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    pub(super) fn into_problems(self) -> Vec<String> {
        self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// A value as it may be shown: escaped, short, without a user's password, and nothing at all
/// of what looks like a key that stands in the wrong place.
pub(super) fn shown(value: &str) -> String {
    const MAX_CHARS: usize = 100;
    if looks_like_key(value) {
        return "\"***\"".to_owned();
    }
    let value = match value.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = before
                .split_once("://")
                .map(|(scheme, _)| format!("{scheme}://"));
            format!("{}***@{after}", scheme.unwrap_or_default())
        }
        None => value.to_owned(),
    };
    let cut: String = value.chars().take(MAX_CHARS).collect();
    let more = if cut.len() < value.len() { "..." } else { "" };
    format!("{cut:?}{more}")
}

/// Whether a text that should be none is probably a key: it begins as keys do, or it is as long as one
/// and mixes letters and digits as no word does.
#[must_use]
pub fn looks_like_key(text: &str) -> bool {
    #[rustfmt::skip]
    const BEGINNINGS: [&str; 11] = [
        "sk_", "gsk_", "aiza", "nvapi-", "csk-", "hf_", "vck_", "pk_", "xai-", "eyj", "ghp_",
    ];
    const LONG: usize = 20;
    let text = text.trim().trim_start_matches(['"', '\'', '+', '-']);
    let lower = text.to_ascii_lowercase();
    let is_name = text.contains(['/', '.']) || !text.bytes().any(|b| b.is_ascii_digit());
    let begins = |beginning: &&str| lower.starts_with(*beginning) && !is_name;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let mixed = digits >= 4 && text.bytes().any(|b| b.is_ascii_alphabetic());
    lower.starts_with("sk-")
        || BEGINNINGS.iter().any(begins)
        || (text.len() >= LONG && text.bytes().all(plain) && mixed && !text.contains(".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_what_is_probably_a_key() {
        #[rustfmt::skip]
        let rows = [
            ("sk-or-v1-secret",                      true),
            (" gsk_0123456789",                      true),
            ("AIzaSyA0123456789",                    true),
            ("'nvapi-0123",                          true),
            ("0123456789abcdef0123456789abcdef",     true),
            ("+gsk_0123456789",                      true),
            ("groq",                                 false),
            ("99999",                                false),
            ("my-own-provider-at-home-2",            false),
            ("/run/secrets/groq_api_key",            false),
            ("hf_token.txt",                         false),
            ("hf_token",                             false),
            ("secrets/0123456789abcdef0123456789",   false),
            ("http://127.0.0.1:8080/v1",             false),
            ("a sentence of more than 20 characters", false),
        ];
        for (text, expected) in rows {
            assert_eq!(looks_like_key(text), expected, "{text:?}");
        }
    }

    #[test]
    fn s6_a_shown_value_hides_passwords_and_keys() {
        let long = "x".repeat(200);
        #[rustfmt::skip]
        let rows = [
            ("99999",                          "\"99999\"".to_owned()),
            ("a\nb",                           "\"a\\nb\"".to_owned()),
            ("socks4://me:secret@proxy:1080",  "\"socks4://***@proxy:1080\"".to_owned()),
            ("me:secret@proxy",                "\"***@proxy\"".to_owned()),
            ("sk-or-v1-secret",                "\"***\"".to_owned()),
            (&long,                            format!("\"{}\"...", "x".repeat(100))),
        ];
        for (value, expected) in rows {
            assert_eq!(shown(value), expected);
        }
    }
}
