//! A good stream (§3): its head and comments, its chunks, its end.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::act::{Act, Reply};
use crate::answers::Usage;
use crate::providers::Odd;
use crate::said::{Said, cut, reasoning_details};

/// The line OpenRouter sends while a stream waits.
pub(super) const COMMENT: &str = ": OPENROUTER PROCESSING\n\n";
pub(super) const DONE: &str = "data: [DONE]\n\n";

/// The head and comments of a stream, before any content.
pub(super) fn opened(said: &Said<'_>) -> Reply {
    let answer = said.answer;
    let mut reply = Reply::new(200, "text/event-stream", "").set("Cache-Control", "no-cache");
    reply = said.with_id(reply);
    reply = answer
        .headers
        .iter()
        .fold(reply, |reply, (name, value)| reply.set(name, value));
    reply.before = Duration::from_millis(answer.headers_delay_ms);
    let beat = [write(COMMENT), pause(answer.comment_delay_ms, 0)];
    reply.body = std::iter::repeat_n(beat, answer.comments)
        .flatten()
        .collect();
    reply.body.push(pause(answer.first_delay_ms, 0));
    reply
}

/// The chunks that say something, the one that finishes, and the one with the usage.
pub(super) struct Chunks {
    pub(super) content: Vec<Value>,
    pub(super) finish: Value,
    pub(super) usage: Option<Value>,
}

pub(super) fn choice(delta: Value, finish: Option<&str>) -> Value {
    json!({"index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish, "logprobs": null})
}

impl Chunks {
    pub(super) fn of(said: &Said<'_>) -> Self {
        let mut content = Vec::new();
        let mut push = |delta: Value| content.push(said.chunk(&[choice(delta, None)], None));
        let answer = said.answer;
        for piece in cut(said.reasoning.as_deref().unwrap_or_default(), answer.chunks) {
            let details = reasoning_details(&piece);
            push(
                json!({"role": "assistant", "content": "", "reasoning": piece, "reasoning_details": details}),
            );
        }
        for piece in cut(said.text.as_deref().unwrap_or_default(), answer.chunks) {
            push(json!({"role": "assistant", "content": piece}));
        }
        for (index, call) in said.tool_calls.iter().enumerate() {
            if said.odds.contains(&Odd::WholeCalls) {
                let whole = json!({"index": index, "id": said.call_id(index), "type": "function",
                                   "function": {"name": call.name, "arguments": call.arguments()}});
                push(json!({"role": "assistant", "content": null, "tool_calls": [whole]}));
                continue;
            }
            let first = json!({"index": index, "id": said.call_id(index), "type": "function",
                               "function": {"name": call.name, "arguments": ""}});
            push(json!({"role": "assistant", "content": null, "tool_calls": [first]}));
            for piece in cut(&call.arguments(), call.fragments) {
                let next = json!({"index": index, "function": {"arguments": piece}});
                push(json!({"role": "assistant", "content": null, "tool_calls": [next]}));
            }
        }
        let last = choice(
            json!({"role": "assistant", "content": ""}),
            Some(said.finish()),
        );
        let (finish, usage) = match said.usage_form() {
            Usage::Repeat => (
                said.chunk(std::slice::from_ref(&last), None),
                Some(said.chunk(&[last], Some(said.usage()))),
            ),
            Usage::EmptyChoices => (
                said.chunk(&[last], None),
                Some(said.chunk(&[], Some(said.usage()))),
            ),
            Usage::Finish => (said.chunk(&[last], Some(said.usage())), None),
            Usage::None => (said.chunk(&[last], None), None),
        };
        Self {
            content,
            finish,
            usage,
        }
    }

    /// The end of a good stream.
    pub(super) fn end(&self, done: bool) -> Vec<Act> {
        let mut acts = vec![event(&self.finish)];
        acts.extend(self.usage.as_ref().map(event));
        acts.extend(done.then(|| write(DONE)));
        acts
    }
}

impl Said<'_> {
    pub(super) fn chunk(&self, choices: &[Value], usage: Option<Value>) -> Value {
        let mut rest = json!({"choices": choices});
        if let (Some(rest), Some(usage)) = (rest.as_object_mut(), usage) {
            rest.insert("usage".into(), usage);
        }
        self.envelope("chat.completion.chunk", rest)
    }

    /// A good stream.
    pub(super) fn stream(&self) -> Reply {
        let mut reply = opened(self);
        let chunks = Chunks::of(self);
        reply.body.extend(self.paced(&chunks.content));
        let done = self.answer.done && !self.odds.contains(&Odd::NoDone);
        reply.body.extend(chunks.end(done));
        reply
    }

    pub(super) fn paced(&self, chunks: &[Value]) -> Vec<Act> {
        let delay = pause(self.answer.delay_ms, 0);
        chunks
            .iter()
            .flat_map(|chunk| [event(chunk), delay.clone()])
            .collect()
    }
}

pub(super) fn write(text: &str) -> Act {
    write_bytes(text.as_bytes())
}

pub(super) fn write_bytes(bytes: &[u8]) -> Act {
    Act::Write(Bytes::copy_from_slice(bytes))
}

pub(super) fn pause(ms: u64, at_least: u64) -> Act {
    Act::Sleep(Duration::from_millis(ms.max(at_least)))
}

pub(super) fn forever(text: &str, ms: u64, otherwise: u64) -> Act {
    let every = Duration::from_millis(if ms == 0 { otherwise } else { ms });
    Act::Forever {
        bytes: Bytes::copy_from_slice(text.as_bytes()),
        every,
    }
}

pub(super) fn sse(data: &Value) -> String {
    format!("data: {data}\n\n")
}

pub(super) fn event(data: &Value) -> Act {
    write(&sse(data))
}
