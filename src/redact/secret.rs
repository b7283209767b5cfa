//! A key that does not print itself.

use std::fmt;
use std::sync::Arc;

use memchr::memmem::Finder;

/// Shorter keys are not searched for, in bytes.
const SHORTEST: usize = 8;

/// A key. `Debug` shows `***`; reading it takes [`Secret::expose`], which can be searched for.
#[derive(Clone)]
pub struct Secret(Arc<Key>);

struct Key {
    text: String,
    finder: Finder<'static>,
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Secret {}

impl Secret {
    /// Takes a key as it will be sent or compared.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        let text = key.into();
        let finder = Finder::new(&text).into_owned();
        Self(Arc::new(Key { text, finder }))
    }

    /// Whether texts are searched for it: one of a few characters may occur anywhere (spec §10.6).
    #[must_use]
    pub fn is_searched_for(&self) -> bool {
        self.0.text.len() >= SHORTEST
    }

    /// Whether it occurs in this text literally, if it is searched for.
    #[must_use]
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.is_searched_for() && self.0.finder.find(text).is_some()
    }

    /// The key itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0.text
    }

    /// What may be shown of it: `...` and its last four characters; nothing of a key of eight
    /// characters or fewer (spec §4.2).
    #[must_use]
    pub fn tail(&self) -> Option<String> {
        let count = self.0.text.chars().count();
        (count > 8).then(|| {
            format!(
                "...{}",
                self.0.text.chars().skip(count - 4).collect::<String>()
            )
        })
    }

    /// Its length in characters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.text.chars().count()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.text.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_2_a_key_of_8_characters_or_fewer_shows_its_length_only() {
        #[rustfmt::skip]
        let rows = [
            ("sk-or-v1-abcdWXYZ", Some("...WXYZ"), 17),
            ("123456789",         Some("...6789"), 9),
            ("12345678",          None,            8),
            ("",                  None,            0),
        ];
        for (key, tail, len) in rows {
            let key = Secret::new(key);
            assert_eq!((key.tail().as_deref(), key.len()), (tail, len));
            assert_eq!(format!("{key:?}"), "***");
        }
    }
}
