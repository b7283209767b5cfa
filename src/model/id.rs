//! The id of a model: checked once when a list is read, safe everywhere after that.

use std::fmt;
use std::sync::Arc;

use super::ProviderId;

/// A model's id, such as `vendor/model-x:free`.
///
/// Created by [`TryFrom<&str>`], which accepts 1 to 128 characters that are safe unescaped in a
/// header value, a URL, a JSON string and a metric label alike; and from such an id by
/// [`ModelId::public`], which may be longer by a provider's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(Arc<str>);

/// Why a string is not a [`ModelId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModelId {
    /// Empty, or longer than 128 characters.
    #[error("the id is empty or longer than 128 characters")]
    Length,
    /// A character that is not allowed in a header value or a URL.
    #[error("the id has a character that is not allowed in a header or a URL")]
    Character,
}

impl ModelId {
    const MAX_LEN: usize = 128;
    /// The longest public id: a provider's name of 32, a slash, an id.
    const MAX_PUBLIC_LEN: usize = 32 + 1 + Self::MAX_LEN;

    /// The public id for an id at a provider: at OpenRouter the same, elsewhere prefixed with the
    /// provider's name; a leading `models/` is dropped (spec §10.2).
    #[must_use]
    pub fn public(provider: &ProviderId, id: &Self) -> Self {
        if provider.is_openrouter() {
            return id.clone();
        }
        let id = id.as_str();
        let id = id.strip_prefix("models/").unwrap_or(id);
        Self(format!("{provider}/{id}").into())
    }

    /// A public id written by a person, which may be longer than an id at a provider.
    ///
    /// # Errors
    /// As [`TryFrom<&str>`], from 162 characters on.
    pub fn written(id: &str) -> Result<Self, InvalidModelId> {
        Self::checked(id, Self::MAX_PUBLIC_LEN)
    }

    fn checked(id: &str, longest: usize) -> Result<Self, InvalidModelId> {
        if id.is_empty() || id.len() > longest {
            return Err(InvalidModelId::Length);
        }
        let fits = |b: u8| b.is_ascii_graphic() && !b"\"\\<>^`{|}?#".contains(&b);
        if !id.bytes().all(fits) {
            return Err(InvalidModelId::Character);
        }
        Ok(Self(id.into()))
    }

    /// The id as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether OpenRouter's own naming promises that it costs nothing (spec §4.5).
    #[must_use]
    pub fn is_named_free(&self) -> bool {
        self.0.ends_with(":free")
    }
}

impl TryFrom<&str> for ModelId {
    type Error = InvalidModelId;

    fn try_from(id: &str) -> Result<Self, InvalidModelId> {
        Self::checked(id, Self::MAX_LEN)
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
    fn s3_1_an_id_that_cannot_be_a_header_value_or_a_url_is_refused() {
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

    #[test]
    fn s10_2_the_public_id_of_an_offer() {
        let longest = "x".repeat(128);
        let longest_provider = "p".repeat(32);
        let both = format!("{longest_provider}/{longest}");
        #[rustfmt::skip]
        let rows = [
            ("openrouter",      "openai/gpt-oss-20b:free", "openai/gpt-oss-20b:free"),
            ("groq",            "openai/gpt-oss-120b",     "groq/openai/gpt-oss-120b"),
            ("gemini",          "models/gemini-3.5-flash", "gemini/gemini-3.5-flash"),
            ("gemini",          "gemini-3.5-flash",        "gemini/gemini-3.5-flash"),
            ("cloudflare",      "@cf/openai/gpt-oss-120b", "cloudflare/@cf/openai/gpt-oss-120b"),
            ("local",           "qwen3:8b",                "local/qwen3:8b"),
            (&longest_provider, &longest,                  &both),
        ];
        for (provider, id, expected) in rows {
            let provider = ProviderId::try_from(provider).unwrap();
            let public = ModelId::public(&provider, &ModelId::try_from(id).unwrap());
            assert_eq!(public.as_str(), expected);
            assert_eq!(ModelId::written(expected), Ok(public));
        }
        let too_long = format!("{both}x");
        assert_eq!(ModelId::written(&too_long), Err(InvalidModelId::Length));
    }
}
