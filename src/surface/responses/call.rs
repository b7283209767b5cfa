//! The calls of a response: items that may be open side by side, as their fragments arrive.

use super::freeform::Freeform;
use super::item::Sink;
use super::reply::{Form, Reply, Special};
use crate::json::write;
use crate::surface::chat::{Fragment, call_id, write_object};

/// A call in progress. All strings are escaped.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// Its place, once it has a name: only then is it known what kind of item it is.
    at: Option<usize>,
    /// Which call of the answer it is.
    number: usize,
    /// The upstream's id until it has its place, then the one the client gets.
    id: String,
    name: String,
    special: Option<Special>,
    arguments: Vec<u8>,
    freeform: Freeform,
    input: Vec<u8>,
}

impl Call {
    /// Takes a fragment; `next` is the place for an item that starts.
    pub(super) fn take(
        &mut self,
        fragment: &Fragment<'_>,
        reply: &Reply,
        next: &mut usize,
        sink: &mut Sink<'_>,
    ) {
        self.number = fragment.call;
        if let (Some(id), true) = (fragment.id, self.id.is_empty() && self.at.is_none()) {
            id.clone_into(&mut self.id);
        }
        if let (Some(name), None) = (fragment.name, self.at) {
            name.clone_into(&mut self.name);
        }
        let arguments = fragment.arguments.as_deref().unwrap_or_default();
        if self.at.is_some() {
            self.delta(arguments, sink);
            return;
        }
        // Held until there is a name.
        self.arguments.extend_from_slice(arguments.as_bytes());
        if !self.name.is_empty() {
            self.begin(reply, next, sink);
        }
    }

    fn begin(&mut self, reply: &Reply, next: &mut usize, sink: &mut Sink<'_>) {
        let at = *next;
        *next += 1;
        self.at = Some(at);
        self.special = reply.special(&self.name).cloned();
        self.id = call_id(sink.response, self.number, &self.id);
        let mut item = Vec::new();
        self.write_item(at, "in_progress", sink, &mut item);
        let id = sink.id(self.prefix(), at);
        sink.event("response.output_item.added")
            .index(&id)
            .raw(br#","item":"#)
            .raw(&item)
            .end();
        let held = std::mem::take(&mut self.arguments);
        self.delta(std::str::from_utf8(&held).unwrap_or_default(), sink);
    }

    fn delta(&mut self, arguments: &str, sink: &mut Sink<'_>) {
        self.arguments.extend_from_slice(arguments.as_bytes());
        match (self.form(), self.at) {
            (Form::Freeform, _) => {
                let before = self.input.len();
                self.freeform.feed(arguments, &mut self.input);
                self.input_delta(before, sink);
            }
            (Form::Function, Some(at)) if !arguments.is_empty() => {
                let id = sink.id(self.prefix(), at);
                sink.event("response.function_call_arguments.delta")
                    .item(&id)
                    .text(r#","delta":"#, arguments.as_bytes())
                    .end();
            }
            // OpenAI's API has no deltas for a search.
            (Form::Function | Form::Search, _) => {}
        }
    }

    /// Sends what has been added to the input.
    fn input_delta(&self, before: usize, sink: &mut Sink<'_>) {
        let grown = self.input.get(before..).unwrap_or_default();
        if let (Some(at), false) = (self.at, grown.is_empty()) {
            let id = sink.id(self.prefix(), at);
            sink.event("response.custom_tool_call_input.delta")
                .item(&id)
                .text(r#","delta":"#, grown)
                .end();
        }
    }

    /// Closes it and returns its place and the whole item.
    pub(super) fn end(
        mut self,
        status: &str,
        reply: &Reply,
        next: &mut usize,
        sink: &mut Sink<'_>,
    ) -> (usize, Vec<u8>) {
        if self.at.is_none() {
            // No name ever came. The client can tell the model better than we could.
            self.begin(reply, next, sink);
        }
        // Missing arguments are an empty object.
        if self.arguments.is_empty() && self.form() != Form::Freeform {
            self.delta("{}", sink);
        }
        let at = self.at.unwrap_or_default();
        let id = sink.id(self.prefix(), at);
        match self.form() {
            Form::Freeform => {
                if !self.freeform.found() {
                    let before = self.input.len();
                    self.input.extend_from_slice(&self.arguments);
                    self.input_delta(before, sink);
                }
                sink.event("response.custom_tool_call_input.done")
                    .item(&id)
                    .text(r#","input":"#, &self.input)
                    .end();
            }
            Form::Function => sink
                .event("response.function_call_arguments.done")
                .item(&id)
                .text(r#","name":"#, self.shown_name().as_bytes())
                .text(r#","arguments":"#, &self.arguments)
                .end(),
            Form::Search => {}
        }
        let mut item = Vec::new();
        self.write_item(at, status, sink, &mut item);
        sink.event("response.output_item.done")
            .index(&id)
            .raw(br#","item":"#)
            .raw(&item)
            .end();
        (at, item)
    }

    pub(super) fn held(&self) -> usize {
        self.id.len() + self.name.len() + self.arguments.len() + self.input.len()
    }

    fn form(&self) -> Form {
        self.special
            .as_ref()
            .map_or(Form::Function, |tool| tool.form)
    }

    fn prefix(&self) -> &'static str {
        match self.form() {
            Form::Function => "fc",
            Form::Freeform => "ctc",
            Form::Search => "tsc",
        }
    }

    /// The tool's name as the client knows it.
    fn shown_name(&self) -> &str {
        self.special.as_ref().map_or(&self.name, |tool| &tool.name)
    }

    /// The item, without its arguments while it is in progress, since those are sent as deltas.
    fn write_item(&self, at: usize, status: &str, sink: &Sink<'_>, out: &mut Vec<u8>) {
        let kind = match self.form() {
            Form::Function => "function_call",
            Form::Freeform => "custom_tool_call",
            Form::Search => "tool_search_call",
        };
        out.extend_from_slice(br#"{"id":""#);
        sink.id(self.prefix(), at).write(out);
        let mut member = |name: &str, value: &str| {
            for piece in ["\",\"", name, "\":\"", value] {
                out.extend_from_slice(piece.as_bytes());
            }
        };
        member("type", kind);
        member("status", status);
        member("call_id", &self.id);
        if let Some(namespace) = self.special.as_ref().and_then(|t| t.namespace.as_ref()) {
            member("namespace", namespace);
        }
        let (value, text) = match self.form() {
            Form::Function => ("arguments", &self.arguments),
            Form::Freeform => ("input", &self.input),
            Form::Search => {
                member("execution", "client");
                out.extend_from_slice(br#"","arguments":"#);
                let known = match status {
                    "in_progress" => "",
                    _ => std::str::from_utf8(&self.arguments).unwrap_or_default(),
                };
                write_object(known, out);
                out.push(b'}');
                return;
            }
        };
        member("name", self.shown_name());
        out.extend_from_slice(b"\",");
        write::string(out, value);
        out.extend_from_slice(b":\"");
        if status != "in_progress" {
            out.extend_from_slice(text);
        }
        out.extend_from_slice(b"\"}");
    }
}
