//! What can be wrong with a stream, as scripts name it; `broken.rs` plays it.

use serde::Deserialize;
use serde_json::Value;

use crate::answers::Answer;

/// A stream with something wrong in it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// What is wrong.
    pub fault: StreamFault,
    /// After how many content events.
    #[serde(default)]
    pub after: usize,
    /// The size, for faults that are about size.
    #[serde(default = "Stream::default_bytes")]
    pub bytes: usize,
    /// The `error` object of an error event, if not the recorded one.
    #[serde(default)]
    pub error: Option<Value>,
    /// What the stream says before and after the fault.
    #[serde(default)]
    pub answer: Answer,
}

impl Stream {
    /// This fault after `after` content events, in a stream of five chunks of text.
    #[must_use]
    pub fn new(fault: StreamFault, after: usize) -> Self {
        let text = "one two three four five six seven eight";
        let answer = Answer {
            text: Some(text.to_owned()),
            ..Answer::default()
        };
        Self {
            fault,
            after,
            bytes: Self::default_bytes(),
            error: None,
            answer,
        }
    }

    fn default_bytes() -> usize {
        1024 * 1024
    }
}

/// What can be wrong with a stream. `n` is `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamFault {
    /// An error event after `n` content events (0: as the first), then the end.
    Error,
    /// The same, and `[DONE]` after it.
    ErrorDone,
    /// Comments only, then the end.
    CommentsThenEnd,
    /// Comments only, every `comment_delay_ms` (1 s if 0), without end.
    CommentsForever,
    /// Chunks with empty deltas only, every `delay_ms` (1 s if 0), without end.
    EmptyDeltasForever,
    /// Content every `delay_ms` (1 s if 0), without end.
    ContentForever,
    /// Silence after `n` content events.
    Stall,
    /// An orderly end of the body after `n`, without a finish reason and `[DONE]`.
    Cut,
    /// The connection closed after `n`, inside the chunked body.
    Close,
    /// The connection reset after `n`.
    Reset,
    /// The connection closed in the middle of the event after `n`.
    HalfEvent,
    /// An orderly end in the middle of the event after `n`: no blank line.
    HalfEventEnd,
    /// Everything but `[DONE]`.
    NoDone,
    /// Content and `[DONE]`, but no finish reason.
    NoFinish,
    /// `[DONE]` alone.
    DoneOnly,
    /// A finish reason with no content before it.
    FinishOnly,
    /// The finish reason is `error`, with no top-level `error`.
    FinishError,
    /// Another content event after `[DONE]`.
    ContentAfterDone,
    /// After `n`: an event whose data is not JSON.
    Garbage,
    /// After `n`: an event with bytes that are not UTF-8.
    InvalidUtf8,
    /// Lines end in CR LF.
    Crlf,
    /// `data:` without a space.
    NoSpace,
    /// Events with `event:`, `id:` and `retry:` lines beside their data.
    Fields,
    /// A character split over two writes, in each event that has one of several bytes.
    SplitCharacter,
    /// Each byte in a write of its own.
    SplitBytes,
    /// A content event of `bytes` bytes after `n`.
    BigEvent,
    /// An event that never ends: `bytes` bytes at a time, every `delay_ms` (without pause if 0).
    EndlessEvent,
    /// A 200 with the stream's headers and no byte of a body.
    Empty,
    /// A plain JSON document, though a stream was asked for.
    Plain,
    /// A page, though a stream was asked for.
    Html,
    /// A chunk size that is not a number, after `n`.
    BadChunk,
    /// A chunk that is shorter than its size says, then the connection's end, after `n`.
    ShortChunk,
    /// HTTP/1.0: the end of the connection is the end of the stream.
    Http10,
    /// A response header of `bytes` bytes.
    HugeHeader,
}

impl StreamFault {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Error,
        Self::ErrorDone,
        Self::CommentsThenEnd,
        Self::CommentsForever,
        Self::EmptyDeltasForever,
        Self::ContentForever,
        Self::Stall,
        Self::Cut,
        Self::Close,
        Self::Reset,
        Self::HalfEvent,
        Self::HalfEventEnd,
        Self::NoDone,
        Self::NoFinish,
        Self::DoneOnly,
        Self::FinishOnly,
        Self::FinishError,
        Self::ContentAfterDone,
        Self::Garbage,
        Self::InvalidUtf8,
        Self::Crlf,
        Self::NoSpace,
        Self::Fields,
        Self::SplitCharacter,
        Self::SplitBytes,
        Self::BigEvent,
        Self::EndlessEvent,
        Self::Empty,
        Self::Plain,
        Self::Html,
        Self::BadChunk,
        Self::ShortChunk,
        Self::Http10,
        Self::HugeHeader,
    ];
}
