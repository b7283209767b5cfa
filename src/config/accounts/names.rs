//! How the variables of keys are spelt: `GROQ_API_KEY`, `GROQ_API_KEY_2`, `GROQ_API_KEYS`, and each
//! with the suffix `_FILE` (spec §10.1). Pure; it does not know which providers exist.

use crate::provider::file::is_key_name;

/// The name of a variable that may contain keys, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) struct KeyName<'n> {
    /// The provider's own name for it.
    pub base: &'n str,
    /// Which of several it is: none, the plural, or a number.
    pub which: Which,
    /// It names a file that contains the keys.
    pub is_file: bool,
}

/// Which of a provider's variables, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) enum Which {
    /// The name alone.
    Only,
    /// `..._API_KEYS`.
    Plural,
    /// `..._1` to `..._99`.
    Number(u8),
}

const FILE: &str = "_FILE";

/// Takes a name apart; if it is not a key's name, all of it is the base.
pub(in crate::config) fn key_name(name: &str) -> KeyName<'_> {
    let (name, is_file) = match name.strip_suffix(FILE) {
        Some(name) => (name, true),
        None => (name, false),
    };
    let (base, which) = numbered(name)
        .or_else(|| plural(name))
        .unwrap_or((name, Which::Only));
    KeyName {
        base,
        which,
        is_file,
    }
}

/// The name of the variable that names a file.
pub(in crate::config) fn file_twin(name: &str) -> String {
    format!("{name}{FILE}")
}

/// Without `_FILE`.
pub(in crate::config) fn without_file(name: &str) -> &str {
    name.strip_suffix(FILE).unwrap_or(name)
}

/// Whether a variable may contain keys of any provider, or name a file that does: whatever
/// `CONFIG_FILE` may refer to is among them.
pub(in crate::config) fn is_keys(name: &str) -> bool {
    is_key_name(key_name(name).base)
}

/// The variable of another value that goes with this one: `CLOUDFLARE_API_TOKEN_2` and
/// `CLOUDFLARE_ACCOUNT_ID` make `CLOUDFLARE_ACCOUNT_ID_2`.
pub(in crate::config) fn partner(which: Which, other: &str) -> String {
    match which {
        Which::Only | Which::Plural => other.to_owned(),
        Which::Number(number) => format!("{other}_{number}"),
    }
}

/// The name of the next free variable: number 1 is the bare name.
pub fn next_name(base: &str, is_taken: impl Fn(&str) -> bool) -> Option<String> {
    let numbered = (2..=99).map(|number| format!("{base}_{number}"));
    std::iter::once(base.to_owned())
        .chain(numbered)
        .find(|name| !is_taken(name))
}

fn numbered(name: &str) -> Option<(&str, Which)> {
    let (base, digits) = name.rsplit_once('_')?;
    let is_number = matches!(
        digits.as_bytes(),
        [b'1'..=b'9'] | [b'1'..=b'9', b'0'..=b'9']
    );
    let number = digits.parse().ok().filter(|_| is_number)?;
    Some((base, Which::Number(number)))
}

fn plural(name: &str) -> Option<(&str, Which)> {
    let base = name.strip_suffix('S')?;
    let is_plural = base.ends_with("_KEY") || base.ends_with("_TOKEN");
    is_plural.then_some((base, Which::Plural))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_1_every_spelling_of_a_key_variable() {
        use Which::{Number, Only, Plural};
        #[rustfmt::skip]
        let rows = [
            ("GROQ_API_KEY",             "GROQ_API_KEY",          Only,        false),
            ("GROQ_API_KEYS",            "GROQ_API_KEY",          Plural,      false),
            ("GROQ_API_KEY_1",           "GROQ_API_KEY",          Number(1),   false),
            ("GROQ_API_KEY_99",          "GROQ_API_KEY",          Number(99),  false),
            ("GROQ_API_KEY_FILE",        "GROQ_API_KEY",          Only,        true),
            ("GROQ_API_KEYS_FILE",       "GROQ_API_KEY",          Plural,      true),
            ("GROQ_API_KEY_2_FILE",      "GROQ_API_KEY",          Number(2),   true),
            ("HF_TOKEN_3",               "HF_TOKEN",              Number(3),   false),
            ("HF_TOKENS",                "HF_TOKEN",              Plural,      false),
            ("CLOUDFLARE_ACCOUNT_ID_2",  "CLOUDFLARE_ACCOUNT_ID", Number(2),   false),
            // None of these is a number of another.
            ("GROQ_API_KEY_0",           "GROQ_API_KEY_0",        Only,        false),
            ("GROQ_API_KEY_01",          "GROQ_API_KEY_01",       Only,        false),
            ("GROQ_API_KEY_100",         "GROQ_API_KEY_100",      Only,        false),
            ("GROQ_API_KEY_+1",          "GROQ_API_KEY_+1",       Only,        false),
            ("LIMITS",                   "LIMITS",                Only,        false),
            ("",                         "",                      Only,        false),
        ];
        for (name, base, which, is_file) in rows {
            let expected = KeyName {
                base,
                which,
                is_file,
            };
            assert_eq!(key_name(name), expected, "{name}");
        }
        assert!(Only < Plural && Plural < Number(1) && Number(2) < Number(10));
    }

    #[test]
    fn s10_1_a_further_key_gets_the_next_free_name() {
        #[rustfmt::skip]
        let rows: &[(&[&str], &str)] = &[
            (&[],                                       "A_KEY"),
            (&["A_KEY"],                                "A_KEY_2"),
            (&["A_KEY", "A_KEY_2", "A_KEY_4"],          "A_KEY_3"),
        ];
        for (taken, expected) in rows {
            let next = next_name("A_KEY", |name| taken.contains(&name));
            assert_eq!(next.as_deref(), Some(*expected));
        }
        assert_eq!(next_name("A_KEY", |_| true), None);
    }
}
