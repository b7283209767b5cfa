//! OpenAI's Responses API (`POST /v1/responses`), without the state that OpenAI keeps for it.
//!
//! Codex speaks only this API. How each field is handled: `docs/surfaces.md`.

mod call;
mod event;
mod foreign;
mod freeform;
mod item;
mod items;
mod parts;
mod reply;
mod request;
mod stream;
mod tools;

use bytes::Bytes;

pub use reply::Reply;
pub use request::read;
pub use stream::Stream;

use super::chat::Chunk;
use super::{BadAnswer, Ids, StreamError};
use crate::provider::says_too_long;

impl Reply {
    /// Translates a whole answer. It is read as a stream of one chunk, so that the two agree.
    pub(super) fn plain(&self, answer: &[u8], ids: &Ids) -> Result<Bytes, BadAnswer> {
        let chunk = Chunk::read(answer, &mut None).map_err(BadAnswer::Json)?;
        if !chunk.has_choice() {
            return Err(BadAnswer::NoChoice);
        }
        let mut stream = Stream::plain(self.clone(), ids.clone());
        let mut events = Vec::new();
        stream.take(&chunk, &mut events);
        if stream.is_too_much() {
            return Err(BadAnswer::TooMuch);
        }
        stream.end_items(&mut events);
        let mut out = Vec::new();
        stream
            .response(stream.ended())
            .write(stream.reply(), &mut out);
        Ok(out.into())
    }
}

/// The code of a failed response; what a client does next depends on it.
fn code_of(failure: &StreamError<'_>) -> &'static str {
    match failure.code {
        code if says_too_long(code, failure.message) => "context_length_exceeded",
        "rate_limited" | "account_rate_limited" | "client_rate_limited" => "rate_limit_exceeded",
        _ if failure.kind == "invalid_request_error" => "invalid_prompt",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests;
