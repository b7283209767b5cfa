//! One step of a script: what happens to one attempt.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};

use crate::answers::{Answer, ToolCall};
use crate::failed::Failed;
use crate::failures::Failure;
use crate::providers::Case;
use crate::raw::{Raw, RawPart, Then};
use crate::stream_faults::{Stream, StreamFault};
use crate::words::one_or_many;

/// What happens to one attempt.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum Step {
    /// A good answer: a model's text, the sample list, and so on.
    Ok(Box<Answer>),
    /// A good answer that calls tools.
    #[serde(deserialize_with = "one_or_many")]
    ToolCall(Vec<ToolCall>),
    /// Any status, headers and body.
    Status(Status),
    /// A recorded failure of OpenRouter.
    Failure(Failed),
    /// A recorded error of any provider.
    Case(Case),
    /// A stream with something wrong in it, whether a stream was asked for or not.
    Stream(Box<Stream>),
    /// Silence from this point on.
    Stall(Point),
    /// The connection closed at this point.
    Close(Point),
    /// The connection reset at this point.
    Reset(Point),
    /// Exact bytes.
    Raw(Raw),
    /// A 302 to this address.
    Redirect(String),
    /// The list only: the second sample, one day later.
    NextList,
    /// An agent's task: the step for each turn of its conversation, whatever other or repeated
    /// requests there are. The first while no tool was called, the second after the first turn of
    /// calls, and so on; the last from then on. A tool that the request does not offer is not
    /// called: the request gets a fitting answer.
    Task(Vec<Step>),
}

/// A plain answer with any status.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The status.
    pub status: u16,
    /// The headers. Without a `Content-Type` it is JSON, or text if the body is a string.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body: a string as it is, anything else as JSON, null for none.
    #[serde(default)]
    pub body: Value,
    /// The pause before it.
    #[serde(default)]
    pub delay_ms: u64,
}

/// Where in an answer something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// After the request was read, before a byte of the answer.
    #[serde(alias = "headers", alias = "connect")]
    BeforeHeaders,
    /// In the middle of the answer's head.
    MidHeaders,
    /// After the answer's head.
    #[serde(alias = "body")]
    AfterHeaders,
    /// After a comment (of a stream) or a blank line (of a plain answer).
    FirstEvent,
    /// In the middle of the body.
    MidBody,
}

impl Step {
    /// A good answer that fits the request.
    #[must_use]
    pub fn fitting() -> Self {
        Self::from(Answer::default())
    }

    /// A good answer with this text.
    #[must_use]
    pub fn ok(text: impl Into<String>) -> Self {
        Self::from(Answer::text(text))
    }

    /// A call of this tool.
    #[must_use]
    pub fn tool_call(name: impl Into<String>, arguments: Value) -> Self {
        Self::ToolCall(vec![ToolCall::new(name, arguments)])
    }

    /// The tools that it calls.
    pub(super) fn calls(&self) -> &[ToolCall] {
        match self {
            Self::ToolCall(calls) => calls,
            Self::Ok(answer) => &answer.tool_calls,
            Self::Stream(stream) => &stream.answer.tool_calls,
            Self::Status(_)
            | Self::Failure(_)
            | Self::Case(_)
            | Self::Stall(_)
            | Self::Close(_)
            | Self::Reset(_)
            | Self::Raw(_)
            | Self::Redirect(_)
            | Self::NextList
            | Self::Task(_) => &[],
        }
    }

    /// A recorded failure.
    #[must_use]
    pub fn failure(failure: impl Into<Failed>) -> Self {
        Self::Failure(failure.into())
    }

    /// A recorded error of any provider, by its name.
    #[must_use]
    pub fn case(name: impl Into<String>) -> Self {
        Self::Case(Case::new(name))
    }

    /// Whether it is an answer whose tokens count towards a quota.
    pub(super) fn is_an_answer(&self) -> bool {
        match self {
            Self::Ok(_) | Self::ToolCall(_) | Self::Stream(_) | Self::Task(_) => true,
            Self::Status(_)
            | Self::Failure(_)
            | Self::Case(_)
            | Self::Stall(_)
            | Self::Close(_)
            | Self::Reset(_)
            | Self::Raw(_)
            | Self::Redirect(_)
            | Self::NextList => false,
        }
    }

    /// What the record says about a request that met it, if it did not get a good answer.
    pub(super) fn in_words(&self) -> Option<String> {
        Some(match self {
            Self::Ok(_) | Self::ToolCall(_) | Self::Stream(_) | Self::Task(_) => return None,
            Self::Case(case) => format!("case {}", case.name),
            Self::Failure(failed) => format!("failure {:?}", failed.name),
            Self::Status(status) => format!("status {}", status.status),
            Self::Stall(_)
            | Self::Close(_)
            | Self::Reset(_)
            | Self::Raw(_)
            | Self::Redirect(_)
            | Self::NextList => "fault".to_owned(),
        })
    }

    /// Any status, headers and body.
    #[must_use]
    pub fn status(status: u16, headers: &[(&str, &str)], body: impl Into<Value>) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(own).collect();
        Self::Status(Status {
            status,
            headers,
            body: body.into(),
            delay_ms: 0,
        })
    }

    /// A stream with this fault after `after` content events.
    #[must_use]
    pub fn stream(fault: StreamFault, after: usize) -> Self {
        Self::Stream(Box::new(Stream::new(fault, after)))
    }

    /// Exactly these bytes, then this.
    #[must_use]
    pub fn raw(bytes: impl Into<String>, then: Then) -> Self {
        Self::Raw(Raw {
            send: vec![RawPart::Text(bytes.into())],
            then,
        })
    }
}

impl From<Answer> for Step {
    fn from(answer: Answer) -> Self {
        Self::Ok(Box::new(answer))
    }
}

impl From<Stream> for Step {
    fn from(stream: Stream) -> Self {
        Self::Stream(Box::new(stream))
    }
}

impl From<Failure> for Step {
    fn from(failure: Failure) -> Self {
        Self::failure(failure)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Value::deserialize(deserializer)?;
        Self::deserialize(spelt_out(written)).map_err(D::Error::custom)
    }
}

/// Expands the shorter spellings of a step.
fn spelt_out(written: Value) -> Value {
    if let Some(word) = written.as_str() {
        let is_failure = Failure::deserialize(json!(word)).is_ok();
        return match word {
            "ok" => json!({"ok": {}}),
            _ if is_failure => json!({"failure": {"name": word}}),
            _ => written,
        };
    }
    let short = |name: &str| {
        written
            .get(name)
            .filter(|value| !value.is_object())
            .cloned()
    };
    if let Some(name) = short("case") {
        json!({"case": {"name": name}})
    } else if let Some(text) = short("ok") {
        json!({"ok": {"text": text}})
    } else if let Some(name) = short("failure") {
        json!({"failure": {"name": name}})
    } else if let Some(fault) = short("stream") {
        json!({"stream": {"fault": fault}})
    } else if let Some(status) = short("status") {
        json!({"status": {"status": status}})
    } else if let Some(text) = short("raw").filter(Value::is_string) {
        json!({"raw": {"send": [text]}})
    } else if let Some(send) = short("raw") {
        json!({"raw": {"send": send}})
    } else {
        written
    }
}
