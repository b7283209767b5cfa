//! From a step to the acts that play it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::act::{Act, Framing, Reply};
use crate::answers::Answer;
use crate::asked::Asked;
use crate::clock::Now;
use crate::list::TOP_MODELS_NEXT;
use crate::providers::{Case, Within};
use crate::raw::{Raw, RawPart, Then};
use crate::said::plain;
use crate::step::{Point, Status, Step};
use crate::stream_faults::Stream;
use crate::streams::COMMENT;

/// What a request is about, as far as steps care.
pub(super) enum Subject<'a> {
    /// A chat completion.
    Chat {
        asked: &'a Asked<'a>,
        /// Makes the answer's id unique.
        number: u64,
        prompt_bytes: usize,
    },
    /// A document.
    Document {
        body: Bytes,
        headers: &'a [(&'a str, &'a str)],
    },
}

impl Subject<'_> {
    fn model(&self) -> &str {
        match self {
            Self::Chat { asked, .. } => &asked.model,
            Self::Document { .. } => "",
        }
    }

    fn streamed(&self) -> bool {
        match self {
            Self::Chat { asked, .. } => asked.streamed(),
            Self::Document { .. } => false,
        }
    }

    /// The good answer.
    pub(super) fn good(&self, answer: &Answer, now: Now) -> Reply {
        match self {
            Self::Chat {
                asked,
                number,
                prompt_bytes,
            } => {
                let said = asked.settle(answer, *number, *prompt_bytes, now);
                if asked.streamed() {
                    said.stream()
                } else {
                    said.plain()
                }
            }
            Self::Document { body, headers } => {
                let mut reply = plain(answer, "application/json", body.clone());
                reply.framing = Framing::Length;
                for (name, value) in *headers {
                    reply = reply.set(name, *value);
                }
                reply
            }
        }
    }

    fn broken(&self, stream: &Stream, now: Now) -> Reply {
        match self {
            Self::Chat {
                asked,
                number,
                prompt_bytes,
            } => asked
                .settle(&stream.answer, *number, *prompt_bytes, now)
                .broken(stream),
            Self::Document { .. } => Reply::error(500, "only a model can stream"),
        }
    }

    /// A stream that a provider's error ends after this many content events.
    fn broken_by(&self, case: &Case, after: usize, now: Now) -> Reply {
        match self {
            Self::Chat {
                asked,
                number,
                prompt_bytes,
            } => {
                let body = case.body(self.model(), now.wall);
                let answer = Answer::text("one two three four five six seven eight");
                let said = asked.settle(&answer, *number, *prompt_bytes, now);
                said.broken_by(&body, after)
            }
            Self::Document { .. } => Reply::error(500, "only a model can stream"),
        }
    }

    /// The tokens of the prompt and of the answer for this step.
    pub(super) fn cost(&self, step: &Step, now: Now) -> (u64, u64) {
        let Self::Chat {
            asked,
            number,
            prompt_bytes,
        } = self
        else {
            return (0, 0);
        };
        let called;
        let answer = match step {
            Step::Ok(answer) => answer,
            Step::Stream(stream) => &stream.answer,
            Step::ToolCall(calls) => {
                called = Answer {
                    tool_calls: calls.clone(),
                    ..Answer::default()
                };
                &called
            }
            Step::Task(task) => {
                return match asked.turn_of(task) {
                    Some(step) => self.cost(step, now),
                    None => self.cost(&Step::fitting(), now),
                };
            }
            Step::Status(_)
            | Step::Failure(_)
            | Step::Case(_)
            | Step::Stall(_)
            | Step::Close(_)
            | Step::Reset(_)
            | Step::Raw(_)
            | Step::Redirect(_)
            | Step::NextList => return (0, 0),
        };
        let usage = asked.settle(answer, *number, *prompt_bytes, now).usage();
        let tokens = |name: &str| usage[name].as_u64().unwrap_or(0);
        (tokens("prompt_tokens"), tokens("completion_tokens"))
    }

    /// What this step does with this request.
    pub(super) fn meets(&self, step: &Step, now: Now) -> Played {
        let cut =
            |point, act| Played::Acts(broken_off(self.good(&Answer::default(), now), point, act));
        Played::Reply(match step {
            Step::Ok(answer) => self.good(answer, now),
            Step::ToolCall(calls) => self.good(
                &Answer {
                    tool_calls: calls.clone(),
                    ..Answer::default()
                },
                now,
            ),
            Step::Status(status) => status.reply(),
            Step::Case(case) => match (case.within, self) {
                (Within::Status, _) => case.reply(self.model(), now.wall),
                (Within::After(after), Self::Chat { asked, .. }) if asked.streamed() => {
                    self.broken_by(case, after, now)
                }
                (Within::Answer | Within::After(_), _) if self.streamed() => {
                    self.broken_by(case, 0, now)
                }
                (Within::Answer | Within::After(_), _) => {
                    Reply::new(200, "application/json", case.body(self.model(), now.wall))
                }
            },
            Step::Failure(failed) => failed.reply(self.model(), self.streamed(), now),
            Step::Stream(stream) => self.broken(stream, now),
            Step::Stall(point) => return cut(*point, Act::Hang),
            Step::Close(point) => return cut(*point, Act::Close),
            Step::Reset(point) => return cut(*point, Act::Reset),
            Step::Raw(raw) => return Played::Acts(raw.acts()),
            Step::Redirect(to) => Reply::new(302, "text/plain", "").set("Location", to),
            Step::NextList => Reply::new(200, "application/json", TOP_MODELS_NEXT),
            Step::Task(task) => {
                return match self {
                    Self::Chat { asked, .. } => match asked.turn_of(task) {
                        Some(step) => self.meets(step, now),
                        None => Played::Reply(self.good(&Answer::default(), now)),
                    },
                    Self::Document { .. } => {
                        Played::Reply(Reply::error(500, "only a model has tasks"))
                    }
                };
            }
        })
    }
}

/// What is played: an answer that may still be changed, or acts that may not.
pub(super) enum Played {
    Reply(Reply),
    Acts(Vec<Act>),
}

impl Status {
    fn reply(&self) -> Reply {
        let (content_type, body) = match &self.body {
            Value::Null => ("text/plain", String::new()),
            Value::String(text) => ("text/plain", text.clone()),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                ("application/json", other.to_string())
            }
        };
        let mut reply = Reply::new(self.status, content_type, body);
        reply.before = Duration::from_millis(self.delay_ms);
        // A redirect or a 204 without a length confuses no client; the rest is chunked, as
        // recorded.
        if matches!(self.status, 204 | 304) {
            reply = reply.without_body();
        }
        let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
        if self.headers.iter().any(|(name, _)| is_type(name)) {
            reply.headers.clear();
        }
        reply.headers.extend(self.headers.iter().cloned());
        reply
    }
}

impl Raw {
    fn acts(&self) -> Vec<Act> {
        let part = |part: &RawPart| match part {
            RawPart::Text(text) => Act::Write(Bytes::copy_from_slice(text.as_bytes())),
            RawPart::Hex(bytes) => Act::Write(bytes.clone()),
            RawPart::SleepMs(ms) => Act::Sleep(Duration::from_millis(*ms)),
            RawPart::Repeat(text, times) => Act::Write(text.repeat(*times).into()),
        };
        let mut acts: Vec<Act> = self.send.iter().map(part).collect();
        match self.then {
            Then::Close => acts.push(Act::Close),
            Then::Reset => acts.push(Act::Reset),
            Then::Hang => acts.push(Act::Hang),
            Then::Keep => {}
        }
        acts
    }
}

/// The beginning of an answer up to `point`, without its pauses, followed by `last`.
fn broken_off(mut reply: Reply, point: Point, last: Act) -> Vec<Act> {
    let is_stream = reply
        .headers
        .iter()
        .any(|(_, value)| value == "text/event-stream");
    if !is_stream {
        reply.framing = Framing::Length;
    }
    let head = reply.head().len();
    let beat = if is_stream {
        crate::act::chunk(COMMENT.as_bytes())
    } else {
        Bytes::from_static(b"\n")
    };
    let mut all = Vec::new();
    for act in reply.compile() {
        match act {
            Act::Write(bytes) => all.extend_from_slice(&bytes),
            Act::Sleep(_) | Act::Forever { .. } | Act::Close | Act::Reset | Act::Hang => {}
        }
    }
    let (length, beat) = match point {
        Point::BeforeHeaders => (0, Bytes::new()),
        Point::MidHeaders => (head / 2, Bytes::new()),
        Point::AfterHeaders => (head, Bytes::new()),
        Point::FirstEvent => (head, beat),
        Point::MidBody => (head + (all.len() - head) / 2, Bytes::new()),
    };
    all.truncate(length);
    // The pause lets what was said arrive before what breaks it off.
    [
        Act::Write(all.into()),
        Act::Write(beat),
        Act::Sleep(Duration::from_millis(1)),
        last,
    ]
    .into()
}
