//! Everything that is wrong with the settings, reported at once.

use std::fmt;

use crate::redact::looks_like_key;

/// What is wrong, one sentence per line. It contains no key.
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

    /// The sentences, to be kept.
    #[must_use]
    pub fn into_problems(self) -> Vec<String> {
        self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// A value as it may be shown: escaped, short, without a user's password, and nothing at all of
/// what looks like a key in the wrong place.
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

#[cfg(test)]
mod tests {
    use super::*;

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
