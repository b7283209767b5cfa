//! The APIs that agents speak, as translations at the door: OpenAI's Responses and Anthropic's
//! Messages become chat completion requests, and the answers become theirs.
//!
//! Pure. Values go in, values come out: no clock, no socket, no log, and nothing of the walk over
//! the models. Behind the door everything is a chat completion.
//!
//! 1. [`responses::read`] or [`messages::read`] makes of a body a [`Translated`]: the chat
//!    completion request, and the [`Reply`] that knows how its answer has to look.
//! 2. A plain answer goes through [`Reply::plain`], a stream's events through the [`Stream`] of
//!    [`Reply::stream`]: each event's payload as it comes, then either the end or a failure. What
//!    it writes are whole events. Comments of the upstream's pass beside it.
//! 3. An error before the first byte goes through [`Surface::error`].
//!
//! What is built of a body is at most four times the body, and 256 bytes for each of the tools,
//! parts and messages that are counted ([`crate::request::MAX_PARTS`] and the like); of an answer,
//! or of an event and what was held until then, four times that and 1 MiB. What a client or an
//! upstream sends is the only measure of what it costs: nothing of it is repeated as often as they
//! please. The multiples are tested in `growth`.
//!
//! An event is read in one pass and never built: its strings go out escaped as they came. What is
//! carried, what is left out and what is refused is in `docs/surfaces.md`.

mod chat;
mod fields;
pub mod messages;
mod place;
pub mod responses;
mod unfit;

use bytes::Bytes;

pub use crate::request::Dropped;
pub use place::{Fault, Invalid};

use crate::answer::{Said, Usage};
use crate::json::{self, Raw};
use crate::request::{InvalidRequest, MAX_PARTS};
use chat::Chunk;
use fields::Fields;
use place::Place;

/// How much deeper than the client's body the translated one may nest: tools are wrapped once
/// more, and what a client sends back sealed is opened.
pub const EXTRA_DEPTH: usize = 16;

/// A body of this many bytes is read on a thread of its own: at a few hundred MB/s a large one
/// would keep the others of its thread waiting.
pub const LARGE: usize = 1 << 20;

/// An API that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// `/v1/chat/completions`: nothing to translate.
    Chat,
    /// `/v1/responses`.
    Responses,
    /// `/v1/messages`.
    Messages,
    /// `/v1/completions`: nothing to translate either.
    Completions,
}

impl Surface {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Chat,
        Self::Responses,
        Self::Messages,
        Self::Completions,
    ];

    /// Its name in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Completions => "completions",
        }
    }

    /// The body of an error in its own shape, made of one in OpenAI's.
    #[must_use]
    pub fn error(self, status: u16, body: &Bytes, request_id: &str) -> Bytes {
        match self {
            Self::Chat | Self::Responses | Self::Completions => body.clone(),
            Self::Messages => messages::error(status, body, request_id),
        }
    }

    /// What keeps a waiting client's connection alive.
    #[must_use]
    pub fn keepalive(self) -> &'static [u8] {
        match self {
            Self::Chat | Self::Responses | Self::Completions => b": keep-alive\n\n",
            Self::Messages => messages::PING,
        }
    }
}

/// What an answer is called, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Unique; of ASCII letters and digits only.
    pub id: String,
    /// In seconds since 1970.
    pub created: u64,
}

/// A request that can be walked.
#[derive(Clone, Debug)]
pub struct Translated {
    /// The body of the chat completion request. It may nest [`EXTRA_DEPTH`] levels deeper.
    pub chat: Bytes,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// How to answer.
    pub reply: Reply,
    /// What was asked for and left out.
    pub dropped: Dropped,
}

/// How a translated request is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// As a response.
    Responses(responses::Reply),
    /// As a message.
    Messages(messages::Reply),
}

impl Reply {
    /// Translates a whole chat completion.
    ///
    /// # Errors
    /// When it is none.
    pub fn plain(&self, answer: &[u8], ids: &Ids) -> Result<Bytes, BadAnswer> {
        match self {
            Self::Responses(reply) => reply.plain(answer, ids),
            Self::Messages(reply) => reply.plain(answer, ids),
        }
    }

    /// The field that the request's conversation was in.
    fn conversation(&self) -> &'static str {
        match self {
            Self::Responses(_) => "input",
            Self::Messages(_) => "messages",
        }
    }

    /// Begins the translation of a stream.
    #[must_use]
    pub fn stream(self, ids: Ids) -> Stream {
        match self {
            Self::Responses(reply) => {
                Stream::Responses(Box::new(responses::Stream::new(reply, ids)))
            }
            Self::Messages(reply) => Stream::Messages(Box::new(messages::Stream::new(reply, ids))),
        }
    }
}

/// An upstream's answer that cannot be translated: it is no chat completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// It is not even JSON.
    #[error("the answer is {0}")]
    Json(json::Error),
    /// It has no choice in it.
    #[error("the answer has no choices")]
    NoChoice,
    /// It has more calls, or more details of its reasoning, than any model's.
    #[error("the answer has more calls or details than any model gives")]
    TooMuch,
}

/// How a stream failed, in the words that a chat client would read (spec §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamError<'a> {
    /// The error's `code`.
    pub code: &'a str,
    /// The error's `type`.
    pub kind: &'a str,
    /// The error's `message`.
    pub message: &'a str,
    /// No retry helps, and the client is one that asks again unless a block of the answer is whole
    /// (Messages; elsewhere the error says it all).
    pub behind_a_block: bool,
}

/// A stream in translation. Whole events are written to `out`, nothing is taken from it.
#[derive(Debug)]
pub enum Stream {
    /// As a response's.
    Responses(Box<responses::Stream>),
    /// As a message's.
    Messages(Box<messages::Stream>),
}

impl Stream {
    /// Takes the payload of the upstream's next event, and answers what it says, as
    /// [`crate::answer::read_counted`] would: an event needs no second reader. Of an error
    /// nothing is written; it is for the caller to end the stream with.
    ///
    /// # Errors
    /// When it is not JSON; then nothing has been written either.
    pub fn event(
        &mut self,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(Said, Usage), json::Error> {
        let choice = match self {
            Self::Responses(stream) => &mut stream.choice,
            Self::Messages(stream) => &mut stream.choice,
        };
        let chunk = Chunk::read(payload, choice)?;
        let said = chunk.said();
        match self {
            _ if matches!(said, Said::Error(_)) => {}
            Self::Responses(stream) => stream.take(&chunk, out),
            Self::Messages(stream) => stream.take(&chunk, out),
        }
        Ok((said, chunk.used()))
    }

    /// Ends it: the upstream is done. Nothing may follow.
    pub fn done(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Responses(stream) => stream.done(out),
            Self::Messages(stream) => stream.done(out),
        }
    }

    /// Ends it with an error. Nothing may follow.
    pub fn fail(&mut self, failure: &StreamError<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Responses(stream) => stream.fail(failure, out),
            Self::Messages(stream) => stream.fail(failure, out),
        }
    }

    /// How many bytes of the answer it holds: a limit is the caller's affair.
    #[must_use]
    pub fn held(&self) -> usize {
        match self {
            Self::Responses(stream) => stream.held(),
            Self::Messages(stream) => stream.held(),
        }
    }
}

/// Ends the reading of a request: how it is to be answered, and what nobody has taken.
fn finish(
    mut fields: Fields<'_>,
    ignored: &[&str],
    mut body: chat::Body,
    mut dropped: Dropped,
    reply: Reply,
) -> Result<Translated, Invalid> {
    let stream = fields.take("stream").map(|s| Place::top("stream").flag(s));
    let stream = stream.transpose()?.unwrap_or(false);
    if stream {
        body.field("stream", "true");
        // Both APIs tell the usage of a stream unasked.
        body.field("stream_options", r#"{"include_usage":true}"#);
    }
    for name in ignored {
        fields.take(name);
    }
    if body.is_too_much() {
        let (field, limit) = (reply.conversation(), MAX_PARTS);
        let what = "parts in all";
        return Err(InvalidRequest::TooMany { field, what, limit }.into());
    }
    fields.left().for_each(|name| dropped.note(name));
    Ok(Translated {
        chat: body.finish(),
        stream,
        reply,
        dropped,
    })
}

/// The sentence of an error: its `message`, or the error itself where that is a string.
#[must_use]
pub fn sentence(error: Raw<'_>) -> Option<String> {
    let text = |value: Raw<'_>| value.as_str().map(String::from);
    error.get("message").and_then(text).or_else(|| text(error))
}

/// Whether an upstream's words say that the prompt is too long: agents then shorten it, if they
/// are told so in the words that they know.
fn is_too_long(message: &str) -> bool {
    const WORDS: [&str; 6] = [
        "context length",
        "context window",
        "context limit",
        "context_length",
        "prompt is too long",
        "too many tokens",
    ];
    let message = message.to_lowercase();
    WORDS.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod agents;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod transcript;
