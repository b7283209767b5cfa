//! Converts a chat completion's stream to a response's, event by event.
//!
//! An item is opened by its first delta. Text, a refusal or reasoning is closed when something else
//! begins; calls stay open until the end, since their fragments may come side by side, and each
//! carries its place. Only what has no name yet is held back.

use super::call::Call;
use super::item::{self, ItemKind, Open, Sink};
use super::reply::{Reply, Response, Status};
use crate::json;
use crate::surface::chat::{Calls, Chunk, Details, Finish, Usage, text_of};
use crate::surface::{Ids, StreamError};

/// A response in progress.
#[derive(Debug)]
pub struct Stream {
    reply: Reply,
    ids: Ids,
    /// The index of the selected choice.
    pub(in crate::surface) choice: Option<u64>,
    /// No events are sent, only the response at the end.
    is_plain: bool,
    sequence: u64,
    begun: bool,
    /// The model that answers, escaped.
    model: String,
    /// The place of the next item, and the finished items by their places.
    next: usize,
    output: Vec<Vec<u8>>,
    open: Option<Open>,
    fragments: Calls,
    calls: Vec<Call>,
    details: Details,
    /// The size of the finished items in bytes.
    kept: usize,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Stream {
    pub(in crate::surface) fn new(reply: Reply, ids: Ids) -> Self {
        Self {
            reply,
            ids,
            choice: None,
            is_plain: false,
            sequence: 0,
            begun: false,
            model: String::new(),
            next: 0,
            output: Vec::new(),
            open: None,
            fragments: Calls::default(),
            calls: Vec::new(),
            details: Details::default(),
            kept: 0,
            finish: None,
            usage: None,
        }
    }

    /// The same for an answer that comes whole.
    pub(super) fn plain(reply: Reply, ids: Ids) -> Self {
        Self {
            is_plain: true,
            fragments: Calls::whole(),
            ..Self::new(reply, ids)
        }
    }

    /// Takes what the upstream sends next.
    pub(in crate::surface) fn take(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if let (Some(model), true) = (chunk.model, self.model.is_empty()) {
            model.clone_into(&mut self.model);
        }
        self.begin(out);
        let told;
        let reasoning = match (chunk.first.reasoning, chunk.first.details) {
            (None, Some(details)) => {
                told = text_of(details);
                told.as_deref()
            }
            (reasoning, _) => reasoning,
        };
        if let Some(text) = reasoning {
            self.text(ItemKind::Reasoning, text, "[]", out);
        }
        if let Some(details) = chunk.first.details.filter(|_| self.reply.encrypted) {
            self.details.add(details);
        }
        if let Some(text) = &chunk.first.content {
            let logprobs = chunk.first.logprobs.map_or("[]", json::Raw::text);
            self.text(ItemKind::Text, text, logprobs, out);
        }
        if let Some(text) = chunk.first.refusal {
            self.text(ItemKind::Refusal, text, "[]", out);
        }
        if let Some(calls) = chunk.first.calls {
            self.close("completed", out);
            self.seal(out);
            let sink = &mut sink(out, &mut self.sequence, &self.ids, self.is_plain);
            self.fragments.read(calls, |fragment| {
                if self.calls.len() <= fragment.call {
                    self.calls.resize_with(fragment.call + 1, Call::default);
                }
                if let Some(call) = self.calls.get_mut(fragment.call) {
                    call.take(fragment, &self.reply, &mut self.next, sink);
                }
            });
        }
        // The finish reason may be sent twice.
        self.finish = chunk.first.finish.or(self.finish);
        self.usage = chunk.usage.or(self.usage);
    }

    /// Ends the response: the upstream is done.
    pub(in crate::surface) fn done(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.end_items(out);
        let finish = self.finish.unwrap_or(Finish::Done);
        let kind = match finish {
            Finish::Done => "response.completed",
            Finish::Length | Finish::Filtered => "response.incomplete",
        };
        self.with_response(kind, Status::Ended(finish), out);
    }

    /// The upstream failed within its answer. Open items stay open: a client would execute a call
    /// that is closed, with half of it missing.
    pub(in crate::surface) fn fail(&mut self, failure: &StreamError<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        let status = Status::Failed(super::code_of(failure), failure.message);
        self.with_response("response.failed", status, out);
    }

    /// Whether it has more calls or details than any model gives.
    pub(super) fn is_too_much(&self) -> bool {
        self.fragments.are_too_many() || self.details.are_too_many()
    }

    /// How many bytes are held until the end, which repeats them.
    pub(in crate::surface) fn held(&self) -> usize {
        if self.is_too_much() {
            return usize::MAX;
        }
        let open = self.open.as_ref().map_or(0, Open::held);
        let calls: usize = self.calls.iter().map(Call::held).sum();
        open + calls + self.kept + self.details.held()
    }

    /// Closes every item, for a plain answer too.
    pub(super) fn end_items(&mut self, out: &mut Vec<u8>) {
        let status = match self.finish {
            None | Some(Finish::Done) => "completed",
            Some(Finish::Length | Finish::Filtered) => "incomplete",
        };
        self.close(status, out);
        for call in std::mem::take(&mut self.calls) {
            let sink = &mut sink(out, &mut self.sequence, &self.ids, self.is_plain);
            let (at, item) = call.end(status, &self.reply, &mut self.next, sink);
            self.keep(at, item);
        }
        self.seal(out);
    }

    /// The response so far.
    pub(super) fn response<'a>(&'a self, status: Status<'a>) -> Response<'a> {
        Response {
            id: &self.ids.id,
            created: self.ids.created,
            model: &self.model,
            status,
            output: &self.output,
            usage: self.usage,
        }
    }

    /// How the upstream ended it.
    pub(super) fn ended(&self) -> Status<'static> {
        Status::Ended(self.finish.unwrap_or(Finish::Done))
    }

    pub(super) fn reply(&self) -> &Reply {
        &self.reply
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            self.with_response("response.created", Status::InProgress, out);
            self.with_response("response.in_progress", Status::InProgress, out);
        }
    }

    fn text(&mut self, kind: ItemKind, text: &str, logprobs: &str, out: &mut Vec<u8>) {
        if self.open.as_ref().is_none_or(|open| open.kind != kind) {
            self.close("completed", out);
            if kind != ItemKind::Reasoning {
                self.seal(out);
            }
            let at = self.next;
            self.next += 1;
            let sink = &mut sink(out, &mut self.sequence, &self.ids, self.is_plain);
            self.open = Some(Open::begin(kind, at, sink));
        }
        if let Some(open) = &mut self.open {
            let sink = &mut sink(out, &mut self.sequence, &self.ids, self.is_plain);
            open.delta(text, logprobs, sink);
        }
    }

    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        let Some(open) = self.open.take() else {
            return;
        };
        let sealed = open.kind == ItemKind::Reasoning && self.reply.encrypted;
        let details = sealed.then(|| self.details.taken());
        let sink = &mut sink(out, &mut self.sequence, &self.ids, self.is_plain);
        let (at, item) = (open.at, open.end(status, details.as_ref(), sink));
        self.keep(at, item);
    }

    /// Sends details that came without text: as an item, before what they led to.
    fn seal(&mut self, out: &mut Vec<u8>) {
        if self.details.is_empty() {
            return;
        }
        let at = self.next;
        self.next += 1;
        let sink = &mut sink(out, &mut self.sequence, &self.ids, self.is_plain);
        let item = item::sealed(at, &self.details.taken(), sink);
        self.keep(at, item);
    }

    fn keep(&mut self, at: usize, item: Vec<u8>) {
        if self.output.len() <= at {
            self.output.resize_with(at + 1, Vec::new);
        }
        if let Some(slot) = self.output.get_mut(at) {
            self.kept += item.len();
            *slot = item;
        }
    }

    fn with_response(&mut self, kind: &str, status: Status<'_>, out: &mut Vec<u8>) {
        let mut sequence = self.sequence;
        super::event::Event::begin(out, kind, &mut sequence, self.is_plain)
            .raw(br#","response":"#)
            .with(|out| self.response(status).write(&self.reply, out))
            .end();
        self.sequence = sequence;
    }
}

/// Borrows only the fields that writing needs.
fn sink<'s>(out: &'s mut Vec<u8>, sequence: &'s mut u64, ids: &'s Ids, is_plain: bool) -> Sink<'s> {
    Sink {
        out,
        sequence,
        response: &ids.id,
        is_mute: is_plain,
    }
}

#[cfg(test)]
mod tests;
