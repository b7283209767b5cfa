//! The id of a model: checked once at the list's door, safe everywhere behind it.

use std::fmt;
use std::sync::Arc;

/// A model's id, such as `vendor/model-x:free`.
///
/// Made only by [`TryFrom<&str>`], which lets through 1 to 128 characters that may stand
/// unescaped in a header value, a URL, a JSON string and a metric label alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(Arc<str>);

/// Why a string is no [`ModelId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModelId {
    /// Nothing, or more than 128 characters.
    #[error("the id is empty or longer than 128 characters")]
    Length,
    /// A character that a header value or a URL may not hold.
    #[error("the id has a character that cannot stand in a header or a URL")]
    Character,
}

impl ModelId {
    const MAX_LEN: usize = 128;

    /// The id as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether OpenRouter's own naming promises that it costs nothing (spec §9.2).
    #[must_use]
    pub fn is_named_free(&self) -> bool {
        self.0.ends_with(":free")
    }
}

impl TryFrom<&str> for ModelId {
    type Error = InvalidModelId;

    fn try_from(id: &str) -> Result<Self, InvalidModelId> {
        if id.is_empty() || id.len() > Self::MAX_LEN {
            return Err(InvalidModelId::Length);
        }
        let fits = |b: u8| b.is_ascii_graphic() && !b"\"\\<>^`{|}?#".contains(&b);
        if !id.bytes().all(fits) {
            return Err(InvalidModelId::Character);
        }
        Ok(Self(id.into()))
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelId({})", self.0)
    }
}

impl serde::Serialize for ModelId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ModelId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_7_an_id_that_cannot_be_a_header_value_or_a_url_is_refused() {
        use InvalidModelId::{Character, Length};
        let long = "x".repeat(129);
        let longest = "x".repeat(128);
        #[rustfmt::skip]
        let rows: &[(&str, Result<(), InvalidModelId>)] = &[
            ("vendor/model-x:free",   Ok(())),
            ("openrouter/free",       Ok(())),
            ("a",                     Ok(())),
            (&longest,                Ok(())),
            ("",                      Err(Length)),
            (&long,                   Err(Length)),
            ("a b",                   Err(Character)),
            ("a\r\nX-Evil: 1",        Err(Character)),
            ("a\n",                   Err(Character)),
            ("a\0",                   Err(Character)),
            ("a\"b",                  Err(Character)),
            ("a\\b",                  Err(Character)),
            ("модель",                Err(Character)),
            ("a?key=1",               Err(Character)),
            ("a#b",                   Err(Character)),
        ];
        for (id, expected) in rows {
            assert_eq!(ModelId::try_from(*id).map(|_| ()), *expected, "{id:?}");
        }
    }
}
