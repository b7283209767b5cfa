//! Cuts a stream of chunks into whole events.

use bytes::{Bytes, BytesMut};

use super::Event;

/// An event grew past the limit (`MAX_EVENT_BYTES`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is larger than {limit} bytes")]
pub struct EventTooLarge {
    /// The limit, in bytes.
    pub limit: usize,
}

/// Holds what has arrived and is not yet a whole event.
///
/// A chunk that consists of whole events is never copied; only an event that is split between two
/// chunks is reassembled.
#[derive(Debug)]
pub struct Framer {
    /// Arrived and not yet handed out.
    ready: Bytes,
    /// The beginning of an event whose end has not arrived. `ready` is then empty.
    partial: BytesMut,
    scan: Scan,
    limit: usize,
}

/// How far the search for the blank line has got. It is kept from chunk to chunk, so that no byte
/// is searched twice.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    at: usize,
    /// The bytes before `at` end inside a line.
    in_line: bool,
    /// The last byte before `at` is a CR, whose LF may follow.
    after_cr: bool,
}

impl Scan {
    /// The offset after the first blank line, if there is one.
    fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(rest) = bytes.get(self.at..).filter(|rest| !rest.is_empty()) {
            let Some(skip) = memchr::memchr2(b'\n', b'\r', rest) else {
                *self = Self {
                    at: bytes.len(),
                    in_line: true,
                    after_cr: false,
                };
                return None;
            };
            let cr = rest.get(skip) == Some(&b'\r');
            let second_half = skip == 0 && self.after_cr && !cr;
            let blank = skip == 0 && !self.in_line && !second_half;
            *self = Self {
                at: self.at + skip + 1,
                in_line: false,
                after_cr: cr,
            };
            if blank {
                if cr && bytes.get(self.at) == Some(&b'\n') {
                    self.at += 1;
                    self.after_cr = false;
                }
                return Some(self.at);
            }
        }
        None
    }
}

impl Framer {
    /// A framer at the start of a stream; an event may be up to `limit` bytes long.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            ready: Bytes::new(),
            partial: BytesMut::new(),
            scan: Scan::default(),
            limit,
        }
    }

    /// Takes the next chunk. All earlier events must have been taken out.
    pub fn push(&mut self, chunk: Bytes) {
        if self.partial.is_empty() && self.ready.is_empty() {
            self.ready = chunk;
        } else {
            self.partial.extend_from_slice(&self.ready);
            self.ready = Bytes::new();
            self.partial.extend_from_slice(&chunk);
        }
    }

    /// The next whole event, `None` until more bytes arrive.
    ///
    /// # Errors
    /// When the event, whole or not, is larger than the limit.
    #[expect(
        clippy::should_implement_trait,
        reason = "it fails, and a later chunk may bring more"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, EventTooLarge> {
        let bytes: &[u8] = if self.partial.is_empty() {
            &self.ready
        } else {
            &self.partial
        };
        let len = bytes.len();
        match self.scan.event_end(bytes) {
            Some(end) => {
                if !self.partial.is_empty() {
                    self.ready = std::mem::take(&mut self.partial).freeze();
                }
                self.scan = Scan {
                    at: 0,
                    in_line: false,
                    after_cr: self.scan.after_cr,
                };
                if end > self.limit {
                    return Err(EventTooLarge { limit: self.limit });
                }
                Ok(Some(Event {
                    raw: self.ready.split_to(end),
                }))
            }
            None => {
                if len > self.limit {
                    return Err(EventTooLarge { limit: self.limit });
                }
                if !self.ready.is_empty() {
                    self.partial.extend_from_slice(&self.ready);
                    self.ready = Bytes::new();
                }
                Ok(None)
            }
        }
    }

    /// At the end of the stream: an event whose blank line never came, with one appended. Some
    /// upstreams close right after `data: [DONE]`.
    #[must_use]
    pub fn finish(&mut self) -> Option<Event> {
        let mut rest = std::mem::take(&mut self.partial);
        if rest.trim_ascii().is_empty() {
            return None;
        }
        rest.extend_from_slice(b"\n\n");
        Some(Event { raw: rest.freeze() })
    }
}
