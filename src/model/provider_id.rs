//! The name of a provider, and of an account there.

use std::fmt;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Arc, LazyLock};

/// A provider's name: 1 to 32 of `a-z0-9-`, and not `auto` (spec §10.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId(Arc<str>);

/// Why a string is not a [`ProviderId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a provider's name is 1 to 32 of a-z, 0-9 and -, and not \"auto\"")]
pub struct InvalidProviderId;

impl ProviderId {
    /// The provider whose ids have no provider prefix (spec §10.2).
    pub const OPENROUTER: &str = "openrouter";
    /// The user's own server.
    pub const LOCAL: &str = "local";

    /// OpenRouter.
    #[must_use]
    pub fn openrouter() -> Self {
        Self(Self::OPENROUTER.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is OpenRouter.
    #[must_use]
    pub fn is_openrouter(&self) -> bool {
        self.as_str() == Self::OPENROUTER
    }

    /// Whether it is the user's own server.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.as_str() == Self::LOCAL
    }
}

impl TryFrom<&str> for ProviderId {
    type Error = InvalidProviderId;

    fn try_from(name: &str) -> Result<Self, InvalidProviderId> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_name = (1..=32).contains(&name.len()) && name.bytes().all(fits) && name != "auto";
        is_name.then(|| Self(name.into())).ok_or(InvalidProviderId)
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderId({})", self.0)
    }
}

impl serde::Serialize for ProviderId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ProviderId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A provider with one key, or without any if it needs none (spec §10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId {
    /// Its provider.
    pub provider: ProviderId,
    /// `groq`, `groq#2`, or its name in the file: unique among its provider's accounts.
    pub label: Arc<str>,
    /// Its first key. With another key it is another account (spec §12.2): what was learnt of the old one
    /// concerns nobody any more.
    pub key: KeyMark,
}

/// Tells keys apart without being one: a hash under a secret of this process, which says nothing to anybody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyMark(u64);

static MARKS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl KeyMark {
    /// What stands for these texts: a key, and what goes with it.
    #[must_use]
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = MARKS.build_hasher();
        texts.into_iter().for_each(|text| text.hash(&mut hash));
        Self(hash.finish())
    }
}

impl fmt::Debug for KeyMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMark(***)")
    }
}

impl AccountId {
    /// The one account of OpenRouter.
    #[must_use]
    pub fn openrouter() -> Self {
        Self::only(ProviderId::openrouter())
    }

    /// The account of a provider that has just one.
    #[must_use]
    pub fn only(provider: ProviderId) -> Self {
        let label: Arc<str> = provider.as_str().into();
        Self::new(provider, &label)
    }

    /// An account without a key.
    #[must_use]
    pub fn new(provider: ProviderId, label: &str) -> Self {
        Self {
            provider,
            label: label.into(),
            key: KeyMark::of([]),
        }
    }

    /// The account of this name with this key.
    #[must_use]
    pub fn with(self, key: KeyMark) -> Self {
        Self { key, ..self }
    }
}

impl serde::Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.label)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_1_what_a_provider_may_be_called() {
        let longest = "x".repeat(32);
        let long = "x".repeat(33);
        #[rustfmt::skip]
        let rows = [
            ("groq", true), ("my-box-2", true), (longest.as_str(), true),
            ("", false), ("auto", false), ("Groq", false), ("a.b", false), ("a/b", false), (long.as_str(), false),
        ];
        for (name, fits) in rows {
            assert_eq!(ProviderId::try_from(name).is_ok(), fits, "{name:?}");
        }
    }
}
