//! Event framing of `text/event-stream` (WHATWG HTML, "Server-sent events"), wherever the bytes are
//! split.
//!
//! Pure. Bytes go in as they arrive, whole events come out as slices of them; what an event means
//! is decided in `upstream`.

mod framer;

use std::borrow::Cow;

use bytes::Bytes;
pub use framer::{EventTooLarge, Framer};

/// One whole event, its blank line included, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The bytes to forward.
    pub raw: Bytes,
}

/// What an event carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// Nothing: comments, other fields, blank lines.
    None,
    /// `[DONE]`: OpenAI's end of a stream.
    Done,
    /// Its `data` lines, joined.
    Payload(Cow<'a, [u8]>),
}

impl Event {
    /// What it carries.
    #[must_use]
    pub fn data(&self) -> Data<'_> {
        data(&self.raw)
    }

    /// Whether it consists only of comments and blank lines. SDKs choke on other events without
    /// data.
    #[must_use]
    pub fn is_comment(&self) -> bool {
        let mut lines = self.raw.split(|b| *b == b'\n' || *b == b'\r');
        lines.all(|line| line.first().is_none_or(|b| *b == b':'))
    }
}

/// The `data` of one event: LF, CR and CRLF end a line, one space after the colon is skipped,
/// several `data` lines are joined by LF.
fn data(raw: &[u8]) -> Data<'_> {
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let mut joined: Option<Cow<'_, [u8]>> = None;
    for line in raw.split(|b| *b == b'\n' || *b == b'\r') {
        let value = match line.strip_prefix(b"data") {
            Some([b':', b' ', value @ ..]) => value,
            Some([b':', value @ ..]) => value,
            Some([]) => b"",
            Some(_) | None => continue,
        };
        joined = Some(match joined {
            None => Cow::Borrowed(value),
            Some(before) => {
                let mut before = before.into_owned();
                before.push(b'\n');
                before.extend_from_slice(value);
                Cow::Owned(before)
            }
        });
    }
    match joined {
        None => Data::None,
        // An event without data is never dispatched.
        Some(data) if data.trim_ascii().is_empty() => Data::None,
        Some(data) if data.trim_ascii() == b"[DONE]" => Data::Done,
        Some(data) => Data::Payload(data),
    }
}

#[cfg(test)]
mod tests;
