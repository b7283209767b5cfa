//! The content of a good answer, as scripts write it; `said.rs` lays it out.

use serde::Deserialize;
use serde_json::Value;

use crate::providers::Odd;
use crate::words::one_or_many;

/// What a model says, and how. Without a text it answers what the request needs: a forced tool
/// call, JSON for a `response_format`, or a sentence.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// The text, whatever was asked.
    pub text: Option<String>,
    /// Its reasoning, sent first, as `reasoning` and `reasoning_details`.
    pub reasoning: Option<String>,
    /// The tools it calls.
    #[serde(deserialize_with = "one_or_many")]
    pub tool_calls: Vec<ToolCall>,
    /// Its finish reason; by default `stop` or `tool_calls`.
    pub finish: Option<String>,
    /// The provider's name.
    pub provider: String,
    /// The model named in the answer, if not the one asked.
    pub model: Option<String>,
    /// Into how many chunks a stream splits the text.
    pub chunks: usize,
    /// The pause between chunks.
    pub delay_ms: u64,
    /// The pause before the first chunk (in a stream after the headers and comments, in a plain
    /// answer before anything).
    pub first_delay_ms: u64,
    /// The pause before the headers.
    pub headers_delay_ms: u64,
    /// How many `: OPENROUTER PROCESSING` lines a stream sends first; for a plain answer, how many
    /// blank lines.
    pub comments: usize,
    /// The pause after each of those.
    pub comment_delay_ms: u64,
    /// How the usage is reported.
    pub usage: Usage,
    /// Whether a stream ends with `[DONE]`.
    pub done: bool,
    /// Oddities of its form, in addition to those that all of its provider's answers have.
    pub odd: Vec<Odd>,
    /// Whether a plain answer is compressed.
    pub gzip: bool,
    /// More headers.
    pub headers: Vec<(String, String)>,
    /// More fields at the top level of the answer, and of each chunk.
    pub extra: serde_json::Map<String, Value>,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            text: None,
            reasoning: None,
            tool_calls: Vec::new(),
            finish: None,
            provider: "SomeHost".to_owned(),
            model: None,
            chunks: 5,
            delay_ms: 0,
            first_delay_ms: 0,
            headers_delay_ms: 0,
            comments: 0,
            comment_delay_ms: 0,
            usage: Usage::Repeat,
            done: true,
            odd: Vec::new(),
            gzip: false,
            headers: Vec::new(),
            extra: serde_json::Map::new(),
        }
    }
}

impl Answer {
    /// An answer with this text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments; a string is sent as it is.
    #[serde(default)]
    pub arguments: Value,
    /// Into how many pieces a stream splits the arguments.
    #[serde(default = "ToolCall::default_fragments")]
    pub fragments: usize,
    /// The call's id; made up if none is given.
    #[serde(default)]
    pub id: Option<String>,
}

impl ToolCall {
    /// A call in four fragments.
    #[must_use]
    pub fn new(name: impl Into<String>, arguments: Value) -> Self {
        let fragments = Self::default_fragments();
        Self {
            name: name.into(),
            arguments,
            fragments,
            id: None,
        }
    }

    fn default_fragments() -> usize {
        4
    }

    /// The arguments as sent.
    pub(super) fn arguments(&self) -> String {
        match &self.arguments {
            Value::String(text) => text.clone(),
            Value::Null => "{}".to_owned(),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                other.to_string()
            }
        }
    }
}

/// How the usage is reported (`true` is `repeat`, `false` is `none`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// As recorded: a further chunk that repeats the finish reason.
    Repeat,
    /// As documented: a further chunk with `choices: []`.
    EmptyChoices,
    /// In the chunk of the finish reason.
    Finish,
    /// Not at all.
    None,
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match (value.as_bool(), value.as_str()) {
            (Some(true), _) | (_, Some("repeat")) => Ok(Self::Repeat),
            (_, Some("empty_choices")) => Ok(Self::EmptyChoices),
            (_, Some("finish")) => Ok(Self::Finish),
            (Some(false), _) | (_, Some("none")) => Ok(Self::None),
            (None, _) => Err(serde::de::Error::custom(
                "usage is true, false, \"repeat\", \"empty_choices\", \"finish\" or \"none\"",
            )),
        }
    }
}
