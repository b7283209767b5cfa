//! A provider's error answer as its file writes it, and what is filled in when it is sent.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::case::{content_type, provider_case};
use crate::act::Reply;
use crate::words::quoted;

/// Status, headers and body; `%WORDS%` in headers and body are filled in.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Told {
    /// The status.
    pub status: u16,
    /// The headers.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body: a string as it is, anything else as JSON.
    pub body: Value,
}

impl<'de> Deserialize<'de> for Told {
    /// Its members, or `{"case": "..."}` for a recorded one.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let written = Value::deserialize(deserializer)?;
        let Some(name) = written["case"].as_str() else {
            return Self::deserialize(written).map_err(D::Error::custom);
        };
        match provider_case(name) {
            Some(case) => Ok(Self {
                status: case.status,
                headers: case.headers.clone(),
                body: Value::from(case.body.as_str()),
            }),
            None => Err(D::Error::custom(format!("there is no case `{name}`"))),
        }
    }
}

impl Told {
    /// A status and a body.
    #[must_use]
    pub fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// The answer.
    pub(crate) fn reply(&self, fill: &Fill) -> Reply {
        let body = match self.body.as_str() {
            Some(text) => fill.text(text, false),
            None => fill.text(&self.body.to_string(), true),
        };
        let mut reply = Reply::new(self.status, content_type(&body), body);
        for (name, value) in &self.headers {
            reply = reply.set(name, fill.text(value, false));
        }
        reply
    }
}

/// What is filled in for `%WORDS%`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fill {
    words: BTreeMap<&'static str, String>,
}

impl Fill {
    /// With this as `%name%`.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.words.insert(name, value.into());
        self
    }

    /// About a field: its path, and its value.
    pub(super) fn of_field(way: &str, value: &Value) -> Self {
        let name = way.rsplit('.').next().unwrap_or(way);
        let text = match value.as_str() {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        };
        Self::default()
            .with("FIELD", name)
            .with("AT", way)
            .with("VALUE", text)
    }

    /// The field in question.
    pub(super) fn field(&self) -> &str {
        self.words.get("AT").map_or("", String::as_str)
    }

    fn text(&self, text: &str, inside_json: bool) -> String {
        let mut filled = text.to_owned();
        for (name, value) in &self.words {
            let value = match inside_json {
                true => {
                    let quoted = quoted(value);
                    let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
                    inner.unwrap_or_default().to_owned()
                }
                false => value.clone(),
            };
            // A number alone in its quotes becomes a number.
            if inside_json && value.parse::<i64>().is_ok() {
                filled = filled.replace(&format!("\"#{name}#\""), &value);
            }
            filled = filled.replace(&format!("%{name}%"), &value);
        }
        filled
    }
}
