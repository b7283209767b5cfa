//! The name of a client: who asks (spec §13).

use std::fmt;
use std::sync::Arc;

/// A client's name: 1 to 32 of `a-z0-9_-`; one that was given none is `default`, `default#2`, ...
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientName(Arc<str>);

/// Why a string is not a [`ClientName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client's name is 1 to 32 of a-z, 0-9, _ and -")]
pub struct InvalidClientName;

impl ClientName {
    /// The name of the nth client without one, from 1. No given name has a `#`.
    #[must_use]
    pub fn unnamed(nth: usize) -> Self {
        match nth {
            0 | 1 => Self("default".into()),
            _ => Self(format!("default#{nth}").into()),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for ClientName {
    type Error = InvalidClientName;

    fn try_from(name: &str) -> Result<Self, InvalidClientName> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        let is_name = (1..=32).contains(&name.len()) && name.bytes().all(fits);
        is_name.then(|| Self(name.into())).ok_or(InvalidClientName)
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for ClientName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Also of one that was given none.
impl<'de> serde::Deserialize<'de> for ClientName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let nth = name
            .strip_prefix("default#")
            .and_then(|nth| nth.parse().ok());
        let unnamed = nth
            .map(Self::unnamed)
            .filter(|unnamed| unnamed.0.as_ref() == name);
        unnamed.map_or_else(
            || Self::try_from(name.as_str()).map_err(serde::de::Error::custom),
            Ok,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_a_name_is_short_and_plain() {
        #[rustfmt::skip]
        let rows = [
            ("alice",                            true),
            ("ci_2-b",                           true),
            ("01234567890123456789012345678901", true),
            ("012345678901234567890123456789012", false),
            ("",                                 false),
            ("Alice",                            false),
            ("a b",                              false),
            ("a:b",                              false),
            ("default#2",                        false),
            ("ми",                               false),
        ];
        for (name, is_one) in rows {
            assert_eq!(ClientName::try_from(name).is_ok(), is_one, "{name}");
        }
        let unnamed = [1, 2, 3].map(|nth| ClientName::unnamed(nth).to_string());
        assert_eq!(unnamed, ["default", "default#2", "default#3"]);
        #[rustfmt::skip]
        let rows = [
            ("alice", true), ("default", true), ("default#2", true), ("default#1", false), ("default#02", false),
            ("default#", false), ("a b", false), ("alice#2", false),
        ];
        for (name, is_one) in rows {
            let read = serde_json::from_value::<ClientName>(name.into());
            let read = read.map(|read| read.to_string()).ok();
            assert_eq!(read.as_deref(), is_one.then_some(name), "{name}");
        }
    }
}
