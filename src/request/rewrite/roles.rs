//! Who speaks when, as Mistral demands it (reference §8): system messages in front, user and assistant
//! in turn, no user right behind a tool, and an answer to be continued marked as such.

use super::texts::{is_all_text, join_texts, text_of};
use crate::json::{Kind, Raw};

/// What is put between a tool's result and the user's next words.
const BETWEEN: &str = r#"{"role":"assistant","content":"Done."},"#;

/// What becomes of a message.
#[derive(Debug)]
pub(super) enum Step {
    /// Its content goes into the next one.
    Joins,
    /// It stays.
    Stays {
        /// What is put before it.
        before: Option<&'static str>,
        /// What it is.
        turn: Turn,
    },
}

/// What a message is beyond its own bytes.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Its role, where it needs another.
    pub(super) role: Option<&'static str>,
    /// Its content, together with that of the messages before it, as JSON.
    pub(super) content: Option<Vec<u8>>,
    /// A member put behind the others.
    pub(super) more: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    System,
    User,
    Assistant,
    /// An assistant's turn that calls tools, whose results must follow it.
    Calls,
    Tool,
    Other,
}

/// A message, and who speaks.
struct Said<'a> {
    message: Raw<'a>,
    role: Role,
    /// The role's name, where it needs another.
    named: Option<&'static str>,
}

/// Each message, and what becomes of it.
pub(super) fn steps(messages: Raw<'_>, text_only: bool) -> Vec<(Raw<'_>, Step)> {
    let said = read(messages);
    let mut steps = Vec::with_capacity(said.len());
    // Where the messages begin that go into one.
    let mut begin = 0;
    for (n, this) in said.iter().enumerate() {
        let next = said.get(n + 1).map(|next| next.role);
        let joins = match this.role {
            Role::User => next == Some(Role::User),
            Role::Assistant => matches!(next, Some(Role::Assistant | Role::Calls)),
            Role::System | Role::Calls | Role::Tool | Role::Other => false,
        };
        if joins {
            steps.push((this.message, Step::Joins));
            continue;
        }
        let run = said.get(begin..=n).unwrap_or_default();
        let before = begin.checked_sub(1).and_then(|n| said.get(n));
        let is_after_tool = before.is_some_and(|before| before.role == Role::Tool);
        let ends = next.is_none() && this.role == Role::Assistant;
        steps.push((
            this.message,
            Step::Stays {
                before: (is_after_tool && this.role == Role::User).then_some(BETWEEN),
                turn: Turn {
                    role: this.named,
                    content: (run.len() > 1).then(|| joined(run, text_only)),
                    more: (ends && this.message.get("prefix").is_none())
                        .then_some("\"prefix\":true"),
                },
            },
        ));
        begin = n + 1;
    }
    steps
}

fn read(messages: Raw<'_>) -> Vec<Said<'_>> {
    let mut leads = true;
    let read = |message| {
        let [role, calls] = Raw::pick(message, ["role", "tool_calls"]);
        let role = role.and_then(Raw::as_str);
        let calls = calls.is_some_and(|calls| !calls.is_empty());
        let (role, named) = match role.as_deref() {
            Some("system") if leads => (Role::System, None),
            Some("developer") if leads => (Role::System, Some("system")),
            Some("system" | "developer") => (Role::User, Some("user")),
            Some("user") => (Role::User, None),
            Some("assistant") if calls => (Role::Calls, None),
            Some("assistant") => (Role::Assistant, None),
            Some("tool") => (Role::Tool, None),
            _ => (Role::Other, None),
        };
        leads &= role == Role::System;
        Said {
            message,
            role,
            named,
        }
    };
    messages.elements().map(read).collect()
}

/// The contents of several messages as one, as JSON: a string where all is text, else parts.
fn joined(run: &[Said<'_>], text_only: bool) -> Vec<u8> {
    let contents = || run.iter().filter_map(|said| said.message.get("content"));
    let is_string = |content: Raw<'_>| content.kind() == Kind::String;
    let as_string = |content: Raw<'_>| is_string(content) || (text_only && is_all_text(content));
    let mut out = Vec::new();
    if contents().all(as_string) {
        let texts = contents().flat_map(|content| {
            let whole = content.escaped();
            whole
                .into_iter()
                .chain(content.elements().filter_map(text_of))
        });
        out.push(b'"');
        join_texts(&mut out, texts.filter(|text| !text.is_empty()));
        out.push(b'"');
        return out;
    }
    out.push(b'[');
    let mut part = |pieces: [&str; 3]| {
        if out.len() > 1 {
            out.push(b',');
        }
        pieces
            .iter()
            .for_each(|piece| out.extend_from_slice(piece.as_bytes()));
    };
    for content in contents() {
        match content.escaped() {
            Some("") => {}
            Some(text) => part([r#"{"type":"text","text":""#, text, r#""}"#]),
            None => content
                .elements()
                .for_each(|whole| part(["", whole.text(), ""])),
        }
    }
    out.push(b']');
    out
}
