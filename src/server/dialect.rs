//! Paths that OpenAI's and Anthropic's APIs share: which of the two a client speaks, and how models
//! are presented in it.
//!
//! Pure.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use serde_json::{Value, json};

use crate::clock::rfc3339;

/// The API a client speaks where both have the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    OpenAi,
    Anthropic,
}

impl Dialect {
    /// Anthropic's clients send a version with every request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key("anthropic-version") {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }

    /// One model.
    pub(super) fn entry(self, model: Value) -> Value {
        match self {
            Self::OpenAi => model,
            Self::Anthropic => {
                let seconds = model["created"].as_u64().unwrap_or_default();
                let created = UNIX_EPOCH + Duration::from_secs(seconds);
                json!({
                    "type": "model",
                    "id": model["id"],
                    "display_name": model["name"],
                    "created_at": rfc3339(created),
                })
            }
        }
    }

    /// All of them.
    pub(super) fn list(self, data: Vec<Value>) -> Value {
        let id = |entry: Option<&Value>| entry.map(|entry| entry["id"].clone());
        let (first, last) = (id(data.first()), id(data.last()));
        match self {
            Self::OpenAi => json!({"object": "list", "data": data}),
            Self::Anthropic => {
                json!({"data": data, "has_more": false, "first_id": first, "last_id": last})
            }
        }
    }
}
