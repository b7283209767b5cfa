//! The body of a chat completion request, put together message by message.
//!
//! Four things are done for the models behind it, many of which are stricter than the surfaces:
//! there is one system message, and it comes first (the templates of several families reject any
//! other); everything said in one turn is one assistant message with its calls; each call is
//! answered right after it; and a tool's result is text, with its images following as a user
//! message.

use bytes::Bytes;

use super::part::{self, Part};
use super::results::Results;
use super::turn::{Arguments, Turn};
use crate::json::write;
use crate::request::MAX_PARTS;

/// A request being built.
#[derive(Debug, Default)]
pub(in crate::surface) struct Body {
    /// The system message's text, escaped.
    system: Vec<u8>,
    /// The messages after it except for tools' results, a comma before each.
    messages: Vec<u8>,
    results: Results,
    /// The other fields, a comma before each.
    members: Vec<u8>,
    turn: Turn,
    /// What tools returned that chat results have no room for: parts, a comma before each.
    shown: Vec<u8>,
    /// The model has spoken: what the system says from now on comes later.
    answered: bool,
    last: Last,
    /// How many parts there are, including calls and results.
    pieces: usize,
}

/// What was said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Something,
    Result,
    /// A user turn without any content. Hosts reject such a message, so it is sent only if it is
    /// the last thing asked.
    Nothing,
}

/// One part more than a body may have: no need to read on in a longer list.
pub(in crate::surface) const TOO_MANY: usize = MAX_PARTS + 1;

impl Body {
    /// Adds a field: its value as JSON.
    pub(in crate::surface) fn field(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.members.push(b',');
        write::string(&mut self.members, name);
        self.members.push(b':');
        self.members.extend_from_slice(value.as_ref());
    }

    /// Adds what the system says. Before the model's first word it joins the one system message;
    /// after that it stays in place, as a user message in the tags that agents use.
    pub(in crate::surface) fn system<'a>(&mut self, text: impl IntoIterator<Item = &'a str>) {
        let mut text = text.into_iter().filter(|text| !text.is_empty()).peekable();
        if text.peek().is_none() {
            return;
        }
        self.end_turn();
        if self.answered {
            self.end_shown();
            self.messages
                .extend_from_slice(br#",{"role":"user","content":"<system-reminder>"#);
            for text in text {
                self.pieces += 1;
                self.messages.extend_from_slice(br"\n");
                self.messages.extend_from_slice(text.as_bytes());
            }
            self.messages
                .extend_from_slice(br#"\n</system-reminder>"}"#);
            return;
        }
        for text in text {
            self.pieces += 1;
            if !self.system.is_empty() {
                self.system.extend_from_slice(br"\n\n");
            }
            self.system.extend_from_slice(text.as_bytes());
        }
    }

    /// Adds what the user says.
    pub(in crate::surface) fn user(&mut self, parts: &[Part<'_>]) {
        if !self.has_room(parts.len()) {
            return;
        }
        self.end_turn();
        if self.shown.is_empty() && parts.iter().all(|part| part.is_blank()) {
            if self.last == Last::Something {
                self.last = Last::Nothing;
            }
            return;
        }
        self.last = Last::Something;
        self.user_message(parts);
    }

    /// Adds a tool's result. If its call is missing, or is already answered, it is added as user
    /// text: hosts reject it as a result.
    pub(in crate::surface) fn result(&mut self, call: &str, parts: &[Part<'_>], failed: bool) {
        if !self.has_room(parts.len()) {
            return;
        }
        self.end_turn();
        self.answered = true;
        self.last = Last::Result;
        let shown = &mut self.shown;
        let answers = self.results.answer(call, |out| {
            if failed {
                out.extend_from_slice(b"Error: ");
            }
            for (n, part) in parts.iter().enumerate() {
                if n > 0 {
                    out.extend_from_slice(br"\n");
                }
                if !part.say(out) {
                    out.extend_from_slice(b"(attached to the next user message)");
                    if shown.is_empty() {
                        shown.push(b',');
                        part::note(shown, "What the tools above have returned:");
                    }
                    shown.push(b',');
                    part.write(shown);
                }
            }
        });
        if !answers && parts.iter().any(|part| !part.is_blank()) {
            let of = if failed {
                "The error of an earlier tool call:"
            } else {
                "The result of an earlier tool call:"
            };
            self.user_message(&[&[Part::Text(of)], parts].concat());
        }
    }

    /// Whether the current turn has text.
    pub(in crate::surface) fn turn_has_text(&self) -> bool {
        self.turn.has_text()
    }

    /// Whether the current turn has calls.
    pub(in crate::surface) fn turn_has_calls(&self) -> bool {
        self.turn.has_calls()
    }

    /// Adds what the model said.
    pub(in crate::surface) fn text(&mut self, text: &str) {
        self.said().text(text);
    }

    /// Adds a refusal by the model, in its words.
    pub(in crate::surface) fn refusal(&mut self, text: &str) {
        self.said().refusal(text);
    }

    /// Adds the model's reasoning: the text, and the details as elements with commas before.
    pub(in crate::surface) fn reasoning(&mut self, text: &[u8], details: &[u8]) {
        let turn = self.said();
        turn.reasoning(text);
        turn.details(details);
    }

    /// Adds a call by the model. Its id may be empty, and its result may refer to it by `alias`.
    pub(in crate::surface) fn call(
        &mut self,
        id: &str,
        alias: Option<&str>,
        name: &str,
        arguments: Arguments<'_>,
    ) {
        if !self.has_room(1) {
            return;
        }
        self.said();
        let id = self.results.expect(id, alias);
        self.turn.call(id, name, arguments);
    }

    /// Ends the turn; what the model says next is another message.
    pub(in crate::surface) fn end_turn(&mut self) {
        let settled = self.turn.end(&mut self.messages);
        self.results.place(self.messages.len(), settled);
    }

    /// Counts one thing, or a thing with that many parts. Each costs more than its few bytes, so
    /// nothing is kept beyond the limit.
    fn has_room(&mut self, parts: usize) -> bool {
        self.pieces = self.pieces.saturating_add(parts.max(1));
        !self.is_too_much()
    }

    /// Whether it has more parts than a body may have.
    pub(in crate::surface) fn is_too_much(&self) -> bool {
        self.pieces > MAX_PARTS
    }

    /// The whole request.
    pub(in crate::surface) fn finish(mut self) -> Bytes {
        self.end_turn();
        self.end_shown();
        if self.last == Last::Nothing {
            self.user_message(&[]);
        }
        let (messages, results) = (&self.messages, &self.results);
        let mut out = Vec::with_capacity(
            64 + self.system.len() + messages.len() + results.len() + self.members.len(),
        );
        out.extend_from_slice(br#"{"messages":["#);
        let first_comma = usize::from(self.system.is_empty());
        if !self.system.is_empty() {
            out.extend_from_slice(br#"{"role":"system","content":""#);
            out.extend_from_slice(&self.system);
            out.extend_from_slice(br#""}"#);
        }
        results.weave(messages, first_comma, &mut out);
        out.push(b']');
        out.extend_from_slice(&self.members);
        out.push(b'}');
        out.into()
    }

    /// The current turn, after what tools have shown.
    fn said(&mut self) -> &mut Turn {
        self.end_shown();
        self.answered = true;
        self.last = Last::Something;
        &mut self.turn
    }

    /// Writes what tools have shown before anything else is said.
    fn end_shown(&mut self) {
        if !self.shown.is_empty() {
            self.user_message(&[]);
        }
    }

    /// Writes a user message with what tools have shown and these parts.
    fn user_message(&mut self, parts: &[Part<'_>]) {
        let shown = std::mem::take(&mut self.shown);
        let out = &mut self.messages;
        out.extend_from_slice(br#",{"role":"user","content":"#);
        let said = || parts.iter().filter(|part| !part.is_blank());
        let only_text = match said().next() {
            None => Some(""),
            Some(Part::Text(text)) if said().count() == 1 => Some(*text),
            Some(
                Part::Text(_)
                | Part::Image { .. }
                | Part::File { .. }
                | Part::Audio(_)
                | Part::Tool(_)
                | Part::Foreign(_),
            ) => None,
        };
        if let Some(text) = only_text.filter(|_| shown.is_empty()) {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(br#""}"#);
            return;
        }
        out.push(b'[');
        out.extend_from_slice(shown.get(1..).unwrap_or_default());
        for (n, part) in said().enumerate() {
            if n > 0 || !shown.is_empty() {
                out.push(b',');
            }
            part.write(out);
        }
        out.extend_from_slice(b"]}");
    }
}

#[cfg(test)]
mod tests;
