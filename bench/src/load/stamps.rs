//! Finds the upstream's timestamps in a stream, wherever the bytes are split: how long ago each
//! event was sent.

use crate::clock::Nanos;
use crate::upstream::STAMP;

/// The search within one answer.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    /// The beginning of a timestamp whose end has not arrived.
    cut: Vec<u8>,
    /// The last bytes of the answer, as many as its end may take.
    tail: Vec<u8>,
}

/// What every complete stream has at its end: for chat completions, for Messages, and for
/// Responses, whose last event repeats the settings.
const ENDS: [&[u8]; 3] = [b"[DONE]", b"message_stop", b"\"truncation\":"];
/// The end, what closes it, and the blank line, which may be written in several ways.
const TAIL: usize = 40;

impl Stamps {
    /// Looks at the next bytes of the body.
    pub(super) fn see(&mut self, bytes: &[u8], mut found: impl FnMut(Nanos)) {
        self.keep_tail(bytes);
        let mut bytes = bytes;
        if !self.cut.is_empty() {
            let missing = STAMP.len() - self.cut.len();
            let (more, rest) = bytes.split_at(missing.min(bytes.len()));
            self.cut.extend_from_slice(more);
            if self.cut.len() < STAMP.len() {
                return;
            }
            found_in(&self.cut, &mut found);
            self.cut.clear();
            bytes = rest;
        }
        while let Some(start) = memchr::memchr(b'@', bytes) {
            let rest = bytes.get(start..).unwrap_or_default();
            if rest.len() < STAMP.len() {
                self.cut.extend_from_slice(rest);
                return;
            }
            let (stamp, rest) = rest.split_at(STAMP.len());
            found_in(stamp, &mut found);
            bytes = rest;
        }
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let from = bytes.len().saturating_sub(TAIL);
        self.tail
            .extend_from_slice(bytes.get(from..).unwrap_or_default());
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..excess);
    }

    /// Whether the stream that ended here was complete. Resets the search.
    pub(super) fn end(&mut self) -> bool {
        let complete = ENDS
            .iter()
            .any(|end| memchr::memmem::find(&self.tail, end).is_some());
        self.cut.clear();
        self.tail.clear();
        complete
    }
}

fn found_in(stamp: &[u8], found: &mut impl FnMut(Nanos)) {
    let digits = stamp.get(1..).unwrap_or_default();
    if let Some(at) = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
    {
        found(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_wherever_the_bytes_are_cut() {
        let text = "data: \"@00000000000000000007 a\"\n\ndata: \"@00000000000000000123\"\n\n\
                    data: me@example.org, not a stamp\n\ndata: [DONE]\n\n";
        for size in 1..text.len() {
            let mut stamps = Stamps::default();
            let mut all = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                stamps.see(piece, |at| all.push(at));
            }
            assert_eq!(all, [7, 123], "{size}");
            assert!(stamps.end());
            assert!(!stamps.end());
        }
    }
}
