//! How scripts are written: readers for the shorter spellings.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A string as JSON, with its quotes.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Accepts both `"12"` and `12`.
pub(super) fn number_or_text<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(match Option::<Value>::deserialize(deserializer)? {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    })
}

/// A single `T`, a list of `T`, or nothing.
pub(super) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let written = Value::deserialize(deserializer)?;
    let items = if let Value::Array(items) = written {
        items
    } else {
        vec![written]
    };
    items
        .into_iter()
        .map(T::deserialize)
        .collect::<Result<_, _>>()
        .map_err(serde::de::Error::custom)
}
