//! Repairs answers that break OpenAI's shape (spec §10.6): content in parts, a missing `index`,
//! `id`, `type`, `object` or finish reason. Everything else stays byte for byte the same, and an
//! answer that breaks nothing keeps its memory. Only for providers whose row says so, never for
//! OpenRouter; a stream's missing `[DONE]` is handled by the stream.
//!
//! Pure. Errors are not touched, and what is not JSON is left for the reader to discover.

mod members;
mod parts;

use std::hash::{DefaultHasher, Hasher as _};

use bytes::Bytes;

use super::carries;
use crate::json::{self, Kind, Patch, Raw, write};
use crate::sse::{Data, Event};
use members::{Slot, walk};
use parts::{Parts, parts};

/// State is kept for this many choices; others are mended as far as one event allows.
const MOST_CHOICES: usize = 128;

/// How much of the request's own id is used in generated ids: with what surrounds it, this keeps to
/// OpenAI's limit of 40 characters.
const SEED: usize = 24;

/// Mends one answer, plain or streamed, from beginning to end.
#[derive(Debug)]
pub struct Mender {
    /// What ids are made from.
    seed: String,
    /// The members that each chunk repeats.
    head: Option<String>,
    choices: Vec<Choice>,
}

/// How far a choice has got.
#[derive(Clone, Copy, Debug, Default)]
struct Choice {
    index: u64,
    /// It has said something.
    spoke: bool,
    finished: bool,
    calls_tools: bool,
    /// The index of its next call.
    calls: u64,
    /// Identifies the id of its last call; 0 if it has none.
    last_call: u64,
}

/// Where a mended text is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Chunk,
}

impl Mender {
    /// For an answer whose missing ids are made from `seed`, of which letters and digits are used;
    /// it must differ from request to request.
    #[must_use]
    pub fn new(seed: &str) -> Self {
        let plain = seed.chars().filter(char::is_ascii_alphanumeric);
        Self {
            seed: plain.take(SEED).collect(),
            head: None,
            choices: Vec::new(),
        }
    }

    /// A whole plain answer.
    #[must_use]
    pub fn plain(&mut self, body: Bytes) -> Bytes {
        self.mended(&body, &body, Form::Plain).unwrap_or(body)
    }

    /// The next event of a stream, as it came.
    #[must_use]
    pub fn event(&mut self, event: Event) -> Event {
        let mended = match event.data() {
            Data::None | Data::Done => None,
            Data::Payload(payload) if is_within(&event.raw, &payload) => {
                self.mended(&event.raw, &payload, Form::Chunk)
            }
            // It came in several lines: what is mended is written in one.
            Data::Payload(payload) => {
                let joined = Bytes::copy_from_slice(&payload);
                let mended = self.mended(&joined, &joined, Form::Chunk);
                mended.map(|mended| in_one_line(&mended))
            }
        };
        mended.map_or(event, |raw| Event { raw })
    }

    /// What has to precede the `[DONE]` of a stream: a chunk with the missing finish reasons.
    #[must_use]
    pub fn done(&mut self) -> Option<Event> {
        let mut left = Vec::new();
        for choice in self
            .choices
            .iter_mut()
            .filter(|choice| choice.spoke && !choice.finished)
        {
            choice.finished = true;
            if !left.is_empty() {
                left.push(b',');
            }
            left.extend_from_slice(b"{\"index\":");
            write::number(&mut left, choice.index);
            left.extend_from_slice(b",\"delta\":{},\"finish_reason\":\"");
            left.extend_from_slice(choice.reason().as_bytes());
            left.extend_from_slice(b"\"}");
        }
        if left.is_empty() {
            return None;
        }
        let head = self.head.as_deref().unwrap_or_default();
        let object = "data: {\"object\":\"chat.completion.chunk\",";
        let pieces = [
            object.as_bytes(),
            head.as_bytes(),
            b"\"choices\":[",
            &left,
            b"]}\n\n",
        ];
        Some(Event {
            raw: pieces.concat().into(),
        })
    }

    /// The text with the JSON in it mended; `None` if nothing was wrong.
    fn mended(&mut self, text: &Bytes, payload: &[u8], form: Form) -> Option<Bytes> {
        let answer = Raw::parse(payload, json::MAX_DEPTH).ok()?;
        let [choices, error] = answer.pick(["choices", "error"]);
        choices.filter(|choices| choices.kind() == Kind::Array && error.is_none())?;
        let mut patch = Patch::new(text);
        let (mut id, mut object) = (Slot::Absent, Slot::Absent);
        let made = format!("\"chatcmpl-{}\"", self.seed);
        let kind = match form {
            Form::Plain => "\"chat.completion\"",
            Form::Chunk => "\"chat.completion.chunk\"",
        };
        let tail = walk(&mut patch, answer, |patch, name, value| match name {
            "id" => id.fill(patch, value, &made),
            "object" => object.fill(patch, value, kind),
            "choices" => {
                for (place, choice) in value.elements().enumerate() {
                    self.choice(patch, choice, place, form);
                }
            }
            _ => {}
        });
        tail.put(
            &mut patch,
            [id.entry("id", &made), object.entry("object", kind)],
        );
        if form == Form::Chunk && self.head.is_none() {
            self.head = Some(head(answer, &made));
        }
        patch.is_changed().then(|| patch.whole())
    }

    fn choice(&mut self, patch: &mut Patch<'_>, choice: Raw<'_>, place: usize, form: Form) {
        let place = place as u64;
        let index = choice.get("index").and_then(Raw::as_u64).unwrap_or(place);
        let mut state = self.state(index);
        let (mut numbered, mut reason) = (Slot::Absent, Slot::Absent);
        let number = place.to_string();
        if let Some(said) = choice.get(form.content()) {
            state.hear(said);
        }
        let missing = match form {
            Form::Plain => format!("\"{}\"", state.reason()),
            // Another chunk may have it.
            Form::Chunk => "null".to_owned(),
        };
        let tail = walk(patch, choice, |patch, name, value| match name {
            "index" => numbered.fill(patch, value, &number),
            "finish_reason" if value.kind() == Kind::String && !value.is_empty() => {
                state.finished = true;
                reason = Slot::There;
            }
            // Empty is the same as null; and a choice that said nothing has no end to report.
            "finish_reason" if value.text() == "\"\"" || (form == Form::Plain && state.spoke) => {
                reason.put(patch, value, &missing);
            }
            "finish_reason" => reason = Slot::There,
            name if name == form.content() => self.content(patch, value, &mut state, form),
            _ => {}
        });
        let ends = form == Form::Plain && state.spoke;
        let reason = reason.entry("finish_reason", &missing).filter(|_| ends);
        tail.put(patch, [numbered.entry("index", &number), reason]);
        self.remember(state);
    }

    /// A message, or what a chunk adds to it.
    fn content(&self, patch: &mut Patch<'_>, message: Raw<'_>, state: &mut Choice, form: Form) {
        let content = message.get("content");
        let Parts { text, thinking } = content.and_then(parts).unwrap_or_default();
        let mut thought = Slot::Absent;
        let tail = walk(patch, message, |patch, name, value| match name {
            "content" => {
                if let Some(text) = &text {
                    let place = patch.place(value);
                    patch.replace(place, text.as_bytes());
                }
            }
            "reasoning_content" => match &thinking {
                Some(thinking) if value.escaped().is_none_or(str::is_empty) => {
                    thought.put(patch, value, thinking);
                }
                _ => thought = Slot::There,
            },
            "tool_calls" => {
                for call in value.elements() {
                    self.call(patch, call, state, form);
                }
            }
            _ => {}
        });
        let thinking = thinking.and_then(|thinking| thought.entry("reasoning_content", &thinking));
        tail.put(patch, [thinking]);
    }

    fn call(&self, patch: &mut Patch<'_>, call: Raw<'_>, state: &mut Choice, form: Form) {
        let [id, index, function] = call.pick(["id", "index", "function"]);
        let id = id.and_then(Raw::escaped).unwrap_or_default();
        let is_named = function.and_then(|function| function.get("name"));
        let is_named = is_named.is_some_and(|name| !name.is_empty());
        let (index, is_first) = state.place(index.and_then(Raw::as_u64), id, is_named);
        let number = index.to_string();
        let made = match state.index {
            0 => format!("\"call_{}{index}\"", self.seed),
            choice => format!("\"call_{}{choice}_{index}\"", self.seed),
        };
        let (mut has_id, mut kind, mut numbered) = (Slot::Absent, Slot::Absent, Slot::Absent);
        let is_first = is_first || form == Form::Plain;
        let tail = walk(patch, call, |patch, name, value| match name {
            "id" if is_first && value.text() == "\"\"" => has_id.put(patch, value, &made),
            "id" if is_first => has_id.fill(patch, value, &made),
            "type" if is_first => kind.fill(patch, value, "\"function\""),
            "index" if form == Form::Chunk => numbered.fill(patch, value, &number),
            _ => {}
        });
        let id = has_id.entry("id", &made).filter(|_| is_first);
        let kind = kind.entry("type", "\"function\"").filter(|_| is_first);
        let index = numbered
            .entry("index", &number)
            .filter(|_| form == Form::Chunk);
        tail.put(patch, [index, id, kind]);
    }

    fn state(&self, index: u64) -> Choice {
        let known = self.choices.iter().find(|choice| choice.index == index);
        known.copied().unwrap_or(Choice {
            index,
            ..Choice::default()
        })
    }

    fn remember(&mut self, state: Choice) {
        let mut choices = self.choices.iter_mut();
        if let Some(known) = choices.find(|choice| choice.index == state.index) {
            *known = state;
        } else if self.choices.len() < MOST_CHOICES {
            self.choices.push(state);
        }
    }
}

impl Choice {
    /// The finish reason, if the answer does not give one.
    fn reason(self) -> &'static str {
        if self.calls_tools {
            "tool_calls"
        } else {
            "stop"
        }
    }

    fn hear(&mut self, said: Raw<'_>) {
        let mut members = said.members();
        self.spoke |= members.any(|(name, value)| name != "role" && carries(value));
        let calls = said.get("tool_calls");
        self.calls_tools |= calls.is_some_and(|calls| !calls.is_empty());
    }

    /// Which call a piece belongs to, and whether it is the first of it.
    fn place(&mut self, index: Option<u64>, id: &str, is_named: bool) -> (u64, bool) {
        let id = digest(id);
        let is_first = match index {
            Some(index) => index >= self.calls,
            // Pieces of one call may repeat its name, and calls may have no ids.
            None if id != 0 => id != self.last_call,
            None => is_named || self.calls == 0,
        };
        let index = index.unwrap_or(match is_first {
            true => self.calls,
            false => self.calls.saturating_sub(1),
        });
        if is_first {
            self.calls = index.saturating_add(1);
            self.last_call = id;
        }
        (index, is_first)
    }
}

impl Form {
    /// The member that holds a choice's content.
    fn content(self) -> &'static str {
        match self {
            Self::Plain => "message",
            Self::Chunk => "delta",
        }
    }
}

/// The members that each chunk of an answer repeats, with a comma after each.
fn head(answer: Raw<'_>, made: &str) -> String {
    let [id, created, model] = answer.pick(["id", "created", "model"]);
    let mut head = format!("\"id\":{},", id.map_or(made, Raw::text));
    for (name, value) in [("created", created), ("model", model)] {
        // Nothing long is kept for the duration of a stream.
        if let Some(value) = value.filter(|value| value.text().len() <= 256) {
            head.extend(["\"", name, "\":", value.text(), ","]);
        }
    }
    head
}

fn digest(id: &str) -> u64 {
    if id.is_empty() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(id.as_bytes());
    hasher.finish().max(1)
}

/// Whether these are bytes of the text itself.
fn is_within(text: &Bytes, part: &[u8]) -> bool {
    text.as_ptr_range().contains(&part.as_ptr())
}

/// An event of a JSON text that may have line ends between its tokens.
fn in_one_line(json: &[u8]) -> Bytes {
    let line = json.iter().map(|b| match b {
        b'\n' | b'\r' => b' ',
        other => *other,
    });
    b"data: "
        .iter()
        .copied()
        .chain(line)
        .chain(*b"\n\n")
        .collect()
}

#[cfg(test)]
mod tests;
