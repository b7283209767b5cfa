//! The messages of a conversation, each in the provider's form.

use super::Rewrite;
use super::roles::{self, Step, Turn};
use super::texts::{is_all_text, join_texts, text_of};
use crate::json::{Cuts, Kind, Raw};

/// Models' reasoning, under the names that clients send back (reference, clients.md 12).
const REASONING: [&str; 4] = [
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking",
];

impl Rewrite<'_> {
    /// Each message.
    pub(super) fn messages(&mut self, messages: Raw<'_>) {
        if !self.fields.strict_roles {
            for message in messages.elements() {
                self.message(message, Turn::default());
            }
            return;
        }
        let mut cuts = Cuts::default();
        for (message, step) in roles::steps(messages, self.fields.text_only) {
            let place = self.patch.place(message);
            match step {
                Step::Joins => cuts.cut(&mut self.patch, place.start, place.end),
                Step::Stays { before, turn } => {
                    cuts.keep(&mut self.patch, place.start);
                    if let Some(before) = before {
                        self.patch.insert(place.start, before.as_bytes());
                    }
                    self.message(message, turn);
                    cuts.kept(place.end);
                }
            }
        }
        cuts.end(&mut self.patch, 0, []);
    }

    fn message(&mut self, message: Raw<'_>, turn: Turn) {
        let base = self.patch.place(message).start;
        let Some(mut members) = message.object() else {
            return;
        };
        let mut cuts = Cuts::default();
        let Turn {
            role,
            mut content,
            more,
        } = turn;
        while let Ok(Some(member)) = members.next() {
            let (start, end) = (base + member.start, base + member.end);
            let (name, value) = (member.key.as_ref(), member.value);
            let is_content = name == "content";
            if self.goes(name, value) && !is_content {
                cuts.cut(&mut self.patch, start, end);
                continue;
            }
            cuts.keep(&mut self.patch, start);
            let place = base + member.value_start..end;
            match name {
                "content" => match content.take() {
                    Some(joined) => self.patch.replace(place, &joined),
                    None => self.content(value),
                },
                "role" => {
                    if let Some(role) = role {
                        self.patch.replace(place, format!("\"{role}\"").as_bytes());
                    }
                }
                "tool_calls" => self.calls(value),
                "tool_call_id" => self.call_id(value),
                _ => {}
            }
            cuts.kept(end);
        }
        let content = content.map(|joined| [br#""content":"#, joined.as_slice()].concat());
        let more = content
            .as_deref()
            .into_iter()
            .chain(more.map(str::as_bytes));
        cuts.end(&mut self.patch, base + 1, more);
    }

    /// Whether a member of a message must not be sent there.
    fn goes(&mut self, name: &str, value: Raw<'_>) -> bool {
        let fields = self.fields;
        let is_refused = (fields.refuses_in_messages(name) && !matches!(name, "role" | "content"))
            || (REASONING.contains(&name) && !fields.takes_reasoning)
            || (name == "extra_content" && !fields.thought_signatures);
        if is_refused && !value.is_null() {
            self.dropped.note(&format!("messages[].{name}"));
        }
        is_refused || (value.is_null() && fields.no_nulls)
    }

    fn content(&mut self, content: Raw<'_>) {
        let place = self.patch.place(content);
        match content.kind() {
            // Beside calls it is usual, but refused by some; a message without any content is no
            // better.
            Kind::Null if self.fields.no_nulls => self.patch.replace(place, b"\"\""),
            Kind::Array if self.fields.text_only && is_all_text(content) => {
                self.patch.write(place, |out| {
                    out.push(b'"');
                    join_texts(out, content.elements().filter_map(text_of));
                    out.push(b'"');
                });
            }
            Kind::Object | Kind::Array | Kind::String | Kind::Number | Kind::Bool | Kind::Null => {}
        }
    }
}
