//! The items of a response that are not calls: a message, a refusal, reasoning.
//!
//! One of them is open at a time, from its first delta until something else begins.

use super::event::{Event, ItemId};
use crate::surface::chat::{Details, seal};

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemKind {
    Text,
    Refusal,
    Reasoning,
}

/// The item that is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) kind: ItemKind,
    pub(super) at: usize,
    /// All its text so far, escaped.
    pub(super) text: Vec<u8>,
    /// The elements of its `logprobs`.
    logprobs: Vec<u8>,
}

/// Where events are written, and what all of them contain.
pub(super) struct Sink<'s> {
    pub(super) out: &'s mut Vec<u8>,
    pub(super) sequence: &'s mut u64,
    pub(super) response: &'s str,
    /// The events are not sent: each is discarded once it is written.
    pub(super) is_mute: bool,
}

impl<'s> Sink<'s> {
    pub(super) fn event(&mut self, kind: &str) -> Event<'_> {
        Event::begin(self.out, kind, self.sequence, self.is_mute)
    }

    pub(super) fn id(&self, kind: &'static str, at: usize) -> ItemId<'s> {
        ItemId {
            kind,
            response: self.response,
            at,
        }
    }
}

impl ItemKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Text | Self::Refusal => "msg",
            Self::Reasoning => "rs",
        }
    }

    /// The names of its deltas, its whole text and its part.
    fn words(self) -> Words {
        match self {
            Self::Text => Words {
                place: r#","content_index":0"#,
                part_added: "response.content_part.added",
                delta: "response.output_text.delta",
                done: "response.output_text.done",
                whole: r#","text":"#,
                part_done: "response.content_part.done",
                part: r#"{"type":"output_text","text":""#,
            },
            Self::Refusal => Words {
                place: r#","content_index":0"#,
                part_added: "response.content_part.added",
                delta: "response.refusal.delta",
                done: "response.refusal.done",
                whole: r#","refusal":"#,
                part_done: "response.content_part.done",
                part: r#"{"type":"refusal","refusal":""#,
            },
            Self::Reasoning => Words {
                place: r#","summary_index":0"#,
                part_added: "response.reasoning_summary_part.added",
                delta: "response.reasoning_summary_text.delta",
                done: "response.reasoning_summary_text.done",
                whole: r#","text":"#,
                part_done: "response.reasoning_summary_part.done",
                part: r#"{"type":"summary_text","text":""#,
            },
        }
    }

    fn write_part(self, text: &[u8], logprobs: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.words().part.as_bytes());
        out.extend_from_slice(text);
        out.push(b'"');
        if self == Self::Text {
            out.extend_from_slice(br#","annotations":[],"logprobs":["#);
            out.extend_from_slice(logprobs);
            out.push(b']');
        }
        out.push(b'}');
    }
}

struct Words {
    place: &'static str,
    part_added: &'static str,
    delta: &'static str,
    done: &'static str,
    whole: &'static str,
    part_done: &'static str,
    part: &'static str,
}

impl Open {
    pub(super) fn begin(kind: ItemKind, at: usize, sink: &mut Sink<'_>) -> Self {
        let id = sink.id(kind.prefix(), at);
        sink.event("response.output_item.added")
            .index(&id)
            .raw(br#","item":"#)
            .with(|out| head(kind, &id, "in_progress", out))
            .raw(b"]}")
            .end();
        let words = kind.words();
        sink.event(words.part_added)
            .item(&id)
            .raw(words.place.as_bytes())
            .raw(br#","part":"#)
            .with(|out| kind.write_part(b"", b"", out))
            .end();
        Self {
            kind,
            at,
            text: Vec::new(),
            logprobs: Vec::new(),
        }
    }

    /// Sends the next piece of its text; `logprobs` is the list that came with it.
    pub(super) fn delta(&mut self, text: &str, logprobs: &str, sink: &mut Sink<'_>) {
        let words = self.kind.words();
        let id = sink.id(self.kind.prefix(), self.at);
        let mut event = sink
            .event(words.delta)
            .item(&id)
            .raw(words.place.as_bytes())
            .text(r#","delta":"#, text.as_bytes());
        if self.kind == ItemKind::Text {
            event = event.raw(br#","logprobs":"#).raw(logprobs.as_bytes());
            let inner = logprobs.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
            if let Some(inner) = inner.map(str::trim).filter(|inner| !inner.is_empty()) {
                if !self.logprobs.is_empty() {
                    self.logprobs.push(b',');
                }
                self.logprobs.extend_from_slice(inner.as_bytes());
            }
        }
        event.end();
        self.text.extend_from_slice(text.as_bytes());
    }

    /// How many bytes it holds.
    pub(super) fn held(&self) -> usize {
        self.text.len() + self.logprobs.len()
    }

    /// Closes it and returns the whole item. Reasoning includes its details.
    pub(super) fn end(
        self,
        status: &str,
        details: Option<&Details>,
        sink: &mut Sink<'_>,
    ) -> Vec<u8> {
        let words = self.kind.words();
        let id = sink.id(self.kind.prefix(), self.at);
        let mut event = sink
            .event(words.done)
            .item(&id)
            .raw(words.place.as_bytes())
            .text(words.whole, &self.text);
        if self.kind == ItemKind::Text {
            event = event.raw(br#","logprobs":["#).raw(&self.logprobs).raw(b"]");
        }
        event.end();
        let part = |out: &mut Vec<u8>| self.kind.write_part(&self.text, &self.logprobs, out);
        sink.event(words.part_done)
            .item(&id)
            .raw(words.place.as_bytes())
            .raw(br#","part":"#)
            .with(part)
            .end();
        let mut item = Vec::new();
        head(self.kind, &id, status, &mut item);
        part(&mut item);
        item.push(b']');
        if let Some(details) = details {
            write_seal(details, &self.text, &mut item);
        }
        item.push(b'}');
        sink.event("response.output_item.done")
            .index(&id)
            .raw(br#","item":"#)
            .raw(&item)
            .end();
        item
    }
}

/// An item without text, for details that came after the reasoning had ended.
pub(super) fn sealed(at: usize, details: &Details, sink: &mut Sink<'_>) -> Vec<u8> {
    let id = sink.id(ItemKind::Reasoning.prefix(), at);
    let mut item = Vec::new();
    head(ItemKind::Reasoning, &id, "completed", &mut item);
    item.push(b']');
    write_seal(details, b"", &mut item);
    item.push(b'}');
    for event in ["response.output_item.added", "response.output_item.done"] {
        sink.event(event)
            .index(&id)
            .raw(br#","item":"#)
            .raw(&item)
            .end();
    }
    item
}

/// The item up to its parts.
fn head(kind: ItemKind, id: &ItemId<'_>, status: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"id":""#);
    id.write(out);
    match kind {
        ItemKind::Text | ItemKind::Refusal => {
            for piece in [
                r#"","type":"message","status":""#,
                status,
                r#"","role":"assistant","content":["#,
            ] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
        ItemKind::Reasoning => out.extend_from_slice(br#"","type":"reasoning","summary":["#),
    }
}

fn write_seal(details: &Details, shown: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(br#","encrypted_content":""#);
    // Text that was cut within a character cannot come from JSON.
    seal(out, details, std::str::from_utf8(shown).unwrap_or_default());
    out.push(b'"');
}
