//! What a step comes down to: bytes, pauses and endings; and the answers they are made from.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;

/// One thing done on a connection. What only needs bytes can be added as data, not code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Sends exactly these.
    Write(Bytes),
    /// Sends nothing for this long.
    Sleep(Duration),
    /// Sends these again and again, until the peer leaves.
    Forever {
        /// What is sent.
        bytes: Bytes,
        /// The pause after each.
        every: Duration,
    },
    /// Ends the connection in order (FIN).
    Close,
    /// Ends it with a reset (RST), if the transport has one; else like a lost peer.
    Reset,
    /// Sends nothing more, until the peer leaves.
    Hang,
}

/// How the end of an answer is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `Transfer-Encoding: chunked`, one chunk for each write.
    Chunked,
    /// `Content-Length`.
    Length,
    /// An HTTP/1.0 answer: it ends when the connection does.
    UntilClose,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As its framing says; the connection stays.
    Whole,
    /// In the middle, in order.
    Close,
    /// In the middle, with a reset.
    Reset,
    /// Never.
    Hang,
}

/// An answer before it is turned into bytes: this is what faults change.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) framing: Framing,
    /// The pause before anything is sent.
    pub(super) before: Duration,
    /// Writes and pauses, not yet framed.
    pub(super) body: Vec<Act>,
    /// Bytes after the body, sent outside the framing.
    pub(super) raw_end: Bytes,
    pub(super) ending: Ending,
}

impl Reply {
    /// A chunked answer with one body.
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let body: Bytes = body.into();
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            framing: Framing::Chunked,
            before: Duration::ZERO,
            body: vec![Act::Write(body)],
            raw_end: Bytes::new(),
            ending: Ending::Whole,
        }
    }

    /// A JSON answer.
    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// An error in OpenRouter's shape.
    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::json(
            status,
            &serde_json::json!({"error": {"message": message, "code": status}}),
        )
    }

    /// Sets a header, replacing any of that name.
    pub(super) fn set(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers
            .retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Whether it has a header of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        let mut names = self.headers.iter().map(|(name, _)| name);
        names.any(|present| present.eq_ignore_ascii_case(name))
    }

    /// Only the head, as it would precede the whole answer.
    pub(super) fn without_body(mut self) -> Self {
        self.body.clear();
        self.framing = Framing::Length;
        self
    }

    /// The status line and headers, with the blank line.
    pub(super) fn head(&self) -> Vec<u8> {
        let reason = StatusCode::from_u16(self.status)
            .ok()
            .and_then(|s| s.canonical_reason());
        let version = if self.framing == Framing::UntilClose {
            "1.0"
        } else {
            "1.1"
        };
        let mut head = format!(
            "HTTP/{version} {} {}\r\n",
            self.status,
            reason.unwrap_or("Unknown")
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.framing {
            Framing::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
            Framing::Length => {
                head.push_str(&format!("Content-Length: {}\r\n", self.length()));
            }
            Framing::UntilClose => {}
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// How many bytes the body has, without framing.
    pub(super) fn length(&self) -> usize {
        let bytes = |act: &Act| match act {
            Act::Write(bytes) => bytes.len(),
            Act::Sleep(_) | Act::Forever { .. } | Act::Close | Act::Reset | Act::Hang => 0,
        };
        self.body.iter().map(bytes).sum()
    }

    /// The acts that send it.
    pub(super) fn compile(self) -> Vec<Act> {
        let mut acts = vec![Act::Sleep(self.before), Act::Write(self.head().into())];
        let frame = |bytes: Bytes| match self.framing {
            Framing::Chunked => chunk(&bytes),
            Framing::Length | Framing::UntilClose => bytes,
        };
        acts.extend(self.body.into_iter().map(|act| match act {
            Act::Write(bytes) => Act::Write(frame(bytes)),
            Act::Forever { bytes, every } => Act::Forever {
                bytes: frame(bytes),
                every,
            },
            other @ (Act::Sleep(_) | Act::Close | Act::Reset | Act::Hang) => other,
        }));
        acts.push(Act::Write(self.raw_end));
        acts.extend(match (self.ending, self.framing) {
            (Ending::Whole, Framing::Chunked) => Some(Act::Write(Bytes::from_static(b"0\r\n\r\n"))),
            (Ending::Whole, Framing::Length) => None,
            (Ending::Whole, Framing::UntilClose) | (Ending::Close, _) => Some(Act::Close),
            (Ending::Reset, _) => Some(Act::Reset),
            (Ending::Hang, _) => Some(Act::Hang),
        });
        joined(acts)
    }
}

/// One chunk of a chunked body; nothing for an empty one, which would end the body.
pub(super) fn chunk(bytes: &[u8]) -> Bytes {
    if bytes.is_empty() {
        return Bytes::new();
    }
    let mut framed = BytesMut::with_capacity(bytes.len() + 20);
    framed.put_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
    framed.put_slice(bytes);
    framed.put_slice(b"\r\n");
    framed.freeze()
}

/// Adjacent writes become one.
fn joined(acts: Vec<Act>) -> Vec<Act> {
    let mut joined = Vec::with_capacity(acts.len());
    let mut pending = BytesMut::new();
    for act in acts {
        match act {
            Act::Sleep(time) if time.is_zero() => {}
            Act::Write(bytes) => pending.extend_from_slice(&bytes),
            other @ (Act::Sleep(_) | Act::Forever { .. } | Act::Close | Act::Reset | Act::Hang) => {
                if !pending.is_empty() {
                    joined.push(Act::Write(pending.split().freeze()));
                }
                joined.push(other);
            }
        }
    }
    if !pending.is_empty() {
        joined.push(Act::Write(pending.freeze()));
    }
    joined
}
