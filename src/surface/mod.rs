//! The APIs that agents speak, as translations at the door: OpenAI's Responses and Anthropic's
//! Messages become chat completion requests, and the answers become theirs.
//!
//! Pure: no clock, no socket, no log, and no knowledge of the walk over the models. Behind this
//! door everything is a chat completion.
//!
//! 1. [`responses::read`] or [`messages::read`] turns a body into a [`Translated`]: the chat
//!    completion request, and the [`Reply`] that knows what its answer must look like.
//! 2. A plain answer goes through [`Reply::plain`], a stream's events through the [`Stream`] of
//!    [`Reply::stream`]: the payload of each event as it arrives, then either the end or a failure.
//!    It writes complete events only. The upstream's comments bypass it.
//! 3. An error before the first byte goes through [`Surface::error`].
//!
//! What is built from a body is at most four times the body, plus 256 bytes for each of the tools,
//! parts and messages that are counted ([`crate::request::MAX_PARTS`] and the like); from an
//! answer, or from an event and what was held until then, at most four times that plus 1 MiB. A
//! client or an upstream cannot make anything cost more than the bytes it sends: nothing is
//! repeated as often as they please. The multiples are tested in `growth`.
//!
//! An event is read in one pass without building a document: its strings go out escaped as they
//! came. What is carried over, left out or refused is documented in `docs/surfaces.md`.

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

/// How much deeper than the client's body the translated one may nest: tools are wrapped once more,
/// and reasoning that a client sends back sealed is unsealed.
pub const EXTRA_DEPTH: usize = 16;

/// A body of at least this many bytes is read on a thread of its own: at a few hundred MB/s a large
/// one would keep the other tasks of its thread waiting.
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

/// Identifies an answer, and when it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Unique; of ASCII letters and digits only.
    pub id: String,
    /// In seconds since 1970.
    pub created: u64,
}

/// A translated request, ready to be sent to a model.
#[derive(Clone, Debug)]
pub struct Translated {
    /// The body of the chat completion request. It may nest [`EXTRA_DEPTH`] levels deeper.
    pub chat: Bytes,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// How to phrase the answer.
    pub reply: Reply,
    /// What was asked for and left out.
    pub dropped: Dropped,
    /// How the client calls its session, as it is spelt in the body (spec §11.4).
    pub session: Option<Box<str>>,
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

/// An upstream's answer that cannot be translated because it is not a chat completion.
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
    /// No retry helps, and the client is one that retries unless a complete block of the answer has
    /// arrived (Messages; elsewhere the error itself is enough).
    pub behind_a_block: bool,
}

/// A stream being translated. Complete events are appended to `out`; nothing is removed from it.
#[derive(Debug)]
pub enum Stream {
    /// As a response's.
    Responses(Box<responses::Stream>),
    /// As a message's.
    Messages(Box<messages::Stream>),
}

impl Stream {
    /// Takes the payload of the upstream's next event, and returns what it says, as
    /// [`crate::answer::read_counted`] would: an event is parsed only once. For an error nothing is
    /// written; the caller ends the stream with it.
    ///
    /// # Errors
    /// When it is not JSON; nothing has been written then.
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

    /// Ends the stream: the upstream is done. Nothing may follow.
    pub fn done(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Responses(stream) => stream.done(out),
            Self::Messages(stream) => stream.done(out),
        }
    }

    /// Ends the stream with an error. Nothing may follow.
    pub fn fail(&mut self, failure: &StreamError<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Responses(stream) => stream.fail(failure, out),
            Self::Messages(stream) => stream.fail(failure, out),
        }
    }

    /// How many bytes of the answer are held; limiting that is up to the caller.
    #[must_use]
    pub fn held(&self) -> usize {
        match self {
            Self::Responses(stream) => stream.held(),
            Self::Messages(stream) => stream.held(),
        }
    }
}

/// Finishes reading a request: how it is to be answered, and which fields were not taken.
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
        // Both APIs report a stream's usage without being asked.
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
        session: fields.session.map(Box::from),
    })
}

/// The text of an error: its `message`, or the error itself when that is a string.
#[must_use]
pub fn sentence(error: Raw<'_>) -> Option<String> {
    let text = |value: Raw<'_>| value.as_str().map(String::from);
    error.get("message").and_then(text).or_else(|| text(error))
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
