//! Converts a chat completion's stream to a message's, event by event.
//!
//! A message has one block open at a time, and a closed block stays closed. A delta is sent at once
//! if it belongs to the open block, or if that can be closed: text and reasoning always, a call
//! once its input is complete. Only while fragments of several calls alternate are those of the
//! later calls held, until the earlier one is complete or the answer ends.

use super::call::Call;
use super::error;
use super::event::{self, Block, Delta, PING};
use super::reply::{Reply, Stopped};
use crate::surface::chat::{Calls, Chunk, Details, Fragment, call_id, seal, text_of};
use crate::surface::{Ids, StreamError};

/// A message in progress.
#[derive(Debug)]
pub struct Stream {
    reply: Reply,
    ids: Ids,
    /// The index of the selected choice.
    pub(in crate::surface) choice: Option<u64>,
    begun: bool,
    /// The index of the open block, or of the next one.
    index: u64,
    open: Option<BlockKind>,
    /// What waits for the open block to be closed.
    held: Vec<(BlockKind, String)>,
    /// How many bytes that is, roughly.
    held_bytes: usize,
    fragments: Calls,
    calls: Vec<Call>,
    details: Details,
    /// The reasoning in the open block so far, escaped.
    thought: String,
    ending: Stopped,
}

/// What a held piece occupies besides its text.
const OVERHEAD: usize = 64;

/// What a block contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    Text,
    Thinking,
    Call(usize),
}

impl Stream {
    pub(in crate::surface) fn new(reply: Reply, ids: Ids) -> Self {
        Self {
            reply,
            ids,
            choice: None,
            begun: false,
            index: 0,
            open: None,
            held: Vec::new(),
            held_bytes: 0,
            fragments: Calls::default(),
            calls: Vec::new(),
            details: Details::default(),
            thought: String::new(),
            ending: Stopped::default(),
        }
    }

    /// Takes what the upstream sends next.
    pub(in crate::surface) fn take(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        self.begin(chunk.model.unwrap_or_default(), out);
        let before = out.len();
        let told;
        let thought = match (chunk.first.reasoning, chunk.first.details) {
            (None, Some(details)) => {
                told = text_of(details);
                told.as_deref()
            }
            (reasoning, _) => reasoning,
        };
        if self.reply.thinking {
            if let Some(text) = thought {
                self.piece(BlockKind::Thinking, text, out);
            }
            if let Some(details) = chunk.first.details {
                self.details.add(details);
            }
        }
        for text in [chunk.first.content.as_deref(), chunk.first.refusal]
            .into_iter()
            .flatten()
        {
            self.piece(BlockKind::Text, text, out);
        }
        if let Some(calls) = chunk.first.calls {
            let mut fragments = std::mem::take(&mut self.fragments);
            fragments.read(calls, |fragment| self.fragment(fragment, out));
            self.fragments = fragments;
        }
        // What is not shown, or not yet, at least shows that the model is at work.
        let carries =
            thought.is_some() || chunk.first.content.is_some() || chunk.first.calls.is_some();
        if carries && out.len() == before {
            out.extend_from_slice(PING);
        }
        self.ending.hear(chunk);
    }

    /// Ends the message: the upstream is done.
    pub(in crate::surface) fn done(&mut self, out: &mut Vec<u8>) {
        self.begin("", out);
        for (kind, text) in std::mem::take(&mut self.held) {
            self.switch(kind, out);
            self.delta(kind, &text, out);
        }
        for at in 0..self.calls.len() {
            // No name ever came. The client can tell the model better than we could.
            let nameless = self.calls.get(at).is_some_and(|call| call.name.is_empty());
            if nameless {
                self.switch(BlockKind::Call(at), out);
                self.early(at, out);
            }
        }
        self.close(out);
        self.redact(out);
        event::message_end(&self.reply, &self.ending, out);
    }

    /// The upstream failed within its answer. Open blocks stay open: a client would execute a call
    /// that is closed, with half of it missing.
    pub(in crate::surface) fn fail(&mut self, failure: &StreamError<'_>, out: &mut Vec<u8>) {
        if failure.behind_a_block && !self.begun {
            self.begin("", out);
            event::block_start(self.index, &Block::Text, out);
            event::block_stop(self.index, out);
        }
        self.begun = true;
        error::event(failure, out);
    }

    /// How many bytes are held.
    pub(in crate::surface) fn held(&self) -> usize {
        if self.fragments.are_too_many() || self.details.are_too_many() {
            return usize::MAX;
        }
        let calls: usize = self.calls.iter().map(Call::held).sum();
        self.held_bytes + calls + self.thought.len() + self.details.held()
    }

    fn begin(&mut self, model: &str, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            event::message_start(&self.reply, &self.ids, model, out);
        }
    }

    fn fragment(&mut self, fragment: &Fragment<'_>, out: &mut Vec<u8>) {
        self.ending.called = true;
        let at = fragment.call;
        if self.calls.len() <= at {
            self.calls.resize_with(at + 1, Call::default);
        }
        // Anything after a complete input is meaningless.
        let Some(call) = self.calls.get_mut(at).filter(|call| !call.closed) else {
            return;
        };
        if let (Some(id), true) = (fragment.id, call.id.is_empty()) {
            id.clone_into(&mut call.id);
        }
        call.whole = fragment.whole;
        let arguments = fragment.arguments.as_deref().unwrap_or_default();
        if call.name.is_empty() {
            call.early.push_str(arguments);
            if let Some(name) = fragment.name {
                self.reply.given(name).clone_into(&mut call.name);
                let early = std::mem::take(&mut call.early);
                self.piece(BlockKind::Call(at), &early, out);
            }
        } else {
            self.piece(BlockKind::Call(at), arguments, out);
        }
    }

    /// A piece of a block: sent if possible, held if another block must be closed first and cannot
    /// be.
    fn piece(&mut self, kind: BlockKind, text: &str, out: &mut Vec<u8>) {
        if self.open == Some(kind) {
            self.delta(kind, text, out);
            if !self.held.is_empty() && self.may_close() {
                self.held_bytes = 0;
                for (kind, text) in std::mem::take(&mut self.held) {
                    self.piece(kind, &text, out);
                }
            }
        } else if self.held.is_empty() && self.may_close() {
            self.switch(kind, out);
            self.delta(kind, text, out);
        } else {
            // A call's pieces form one block, whatever came in between; texts stay separate.
            let last = self.held.len().saturating_sub(1);
            let from = match kind {
                BlockKind::Call(_) => 0,
                BlockKind::Text | BlockKind::Thinking => last,
            };
            let mut known = self.held.iter_mut().skip(from);
            self.held_bytes += text.len();
            if let Some((_, held)) = known.find(|(known, _)| *known == kind) {
                held.push_str(text);
            } else {
                self.held_bytes += OVERHEAD;
                self.held.push((kind, text.to_owned()));
            }
        }
    }

    fn may_close(&self) -> bool {
        match self.open {
            Some(BlockKind::Call(at)) => self.calls.get(at).is_some_and(|call| call.whole),
            Some(BlockKind::Text | BlockKind::Thinking) | None => true,
        }
    }

    /// Makes this the open block.
    fn switch(&mut self, kind: BlockKind, out: &mut Vec<u8>) {
        if self.open == Some(kind) {
            return;
        }
        self.close(out);
        match kind {
            BlockKind::Thinking => event::block_start(self.index, &Block::Thinking, out),
            BlockKind::Text => {
                self.redact(out);
                event::block_start(self.index, &Block::Text, out);
            }
            BlockKind::Call(at) => {
                self.redact(out);
                let Some(call) = self.calls.get(at) else {
                    return;
                };
                let id = &call_id(&self.ids.id, at, &call.id);
                let name = &call.name;
                event::block_start(self.index, &Block::Call { id, name }, out);
            }
        }
        self.open = Some(kind);
    }

    /// Sends a piece of the open block.
    fn delta(&mut self, kind: BlockKind, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let delta = match kind {
            BlockKind::Text => Delta::Text,
            BlockKind::Thinking => {
                self.thought.push_str(text);
                Delta::Thinking
            }
            BlockKind::Call(at) => {
                if let Some(call) = self.calls.get_mut(at) {
                    call.sent = true;
                }
                Delta::Input
            }
        };
        event::block_delta(self.index, delta, text.as_bytes(), out);
    }

    fn early(&mut self, at: usize, out: &mut Vec<u8>) {
        let early = self
            .calls
            .get_mut(at)
            .map(|call| std::mem::take(&mut call.early));
        self.delta(BlockKind::Call(at), &early.unwrap_or_default(), out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open.take() {
            None => return,
            Some(BlockKind::Text) => {}
            Some(BlockKind::Thinking) => {
                let mut signature = Vec::new();
                let thought = std::mem::take(&mut self.thought);
                seal(&mut signature, &self.details.taken(), &thought);
                event::block_delta(self.index, Delta::Signature, &signature, out);
            }
            Some(BlockKind::Call(at)) => {
                if let Some(call) = self.calls.get_mut(at) {
                    call.closed = true;
                    // Missing arguments are an empty object, and some clients need it spelt out.
                    if !call.sent {
                        event::block_delta(self.index, Delta::Input, b"{}", out);
                    }
                }
            }
        }
        event::block_stop(self.index, out);
        self.index += 1;
    }

    /// Sends details that came without text: as a block, before what they led to.
    fn redact(&mut self, out: &mut Vec<u8>) {
        if self.details.is_empty() {
            return;
        }
        let mut data = Vec::new();
        seal(&mut data, &self.details.taken(), "");
        event::block_start(self.index, &Block::Redacted(&data), out);
        event::block_stop(self.index, out);
        self.index += 1;
    }
}

#[cfg(test)]
mod tests;
