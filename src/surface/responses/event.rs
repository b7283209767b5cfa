//! One event of a response's stream, written piece by piece.

use crate::json::write;

/// An event being written.
pub(super) struct Event<'o> {
    out: &'o mut Vec<u8>,
    /// Where it begins, if it is to be discarded.
    forget: Option<usize>,
}

impl<'o> Event<'o> {
    pub(super) fn begin(
        out: &'o mut Vec<u8>,
        kind: &str,
        sequence: &mut u64,
        is_mute: bool,
    ) -> Self {
        let forget = is_mute.then_some(out.len());
        for piece in [
            "event: ",
            kind,
            "\ndata: {\"type\":\"",
            kind,
            "\",\"sequence_number\":",
        ] {
            out.extend_from_slice(piece.as_bytes());
        }
        write::number(out, *sequence);
        *sequence += 1;
        Self { out, forget }
    }

    /// The item that it is about, and that item's place.
    pub(super) fn item(mut self, id: &ItemId<'_>) -> Self {
        self.out.extend_from_slice(br#","item_id":""#);
        id.write(self.out);
        self.out.push(b'"');
        self = self.index(id);
        self
    }

    pub(super) fn index(self, id: &ItemId<'_>) -> Self {
        self.number(r#","output_index":"#, id.at as u64)
    }

    pub(super) fn number(self, name: &str, value: u64) -> Self {
        self.out.extend_from_slice(name.as_bytes());
        write::number(self.out, value);
        self
    }

    /// A member whose value is a string, still escaped.
    pub(super) fn text(self, name: &str, escaped: &[u8]) -> Self {
        self.raw(name.as_bytes()).raw(b"\"").raw(escaped).raw(b"\"")
    }

    /// Text as it is.
    pub(super) fn raw(self, text: &[u8]) -> Self {
        self.with(|out| out.extend_from_slice(text))
    }

    /// A value that another writer writes.
    pub(super) fn with(self, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        // What is discarded may be as large as the answer.
        if self.forget.is_none() {
            write(self.out);
        }
        self
    }

    pub(super) fn end(self) {
        match self.forget {
            Some(start) => self.out.truncate(start),
            None => self.out.extend_from_slice(b"}\n\n"),
        }
    }
}

/// The id of an output item: its kind, the response's id, and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct ItemId<'a> {
    pub(super) kind: &'static str,
    pub(super) response: &'a str,
    pub(super) at: usize,
}

impl ItemId<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for piece in [self.kind, "_", self.response, "_"] {
            out.extend_from_slice(piece.as_bytes());
        }
        write::number(out, self.at as u64);
    }
}
