//! A final answer, laid out plain (§2), with its pauses and compression.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::act::{Act, Reply};
use crate::answers::{Answer, ToolCall, Usage};
use crate::providers::{Odd, reshape};

/// An answer with all details decided, ready to be laid out.
pub(super) struct Said<'a> {
    pub(super) answer: &'a Answer,
    /// It does not come from OpenRouter.
    pub(super) foreign: bool,
    /// The oddities of its form.
    pub(super) odds: Vec<Odd>,
    /// Whether the usage is reported at all.
    pub(super) tells_usage: bool,
    /// Its reasoning, sent first.
    pub(super) reasoning: Option<String>,
    /// It is cut at its maximum length.
    pub(super) is_cut: bool,
    /// In the form of the legacy endpoint.
    pub(super) legacy: bool,
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: &'a str,
    /// None if there are tool calls.
    pub(super) text: Option<String>,
    pub(super) tool_calls: Vec<ToolCall>,
    pub(super) prompt_tokens: usize,
}

impl Said<'_> {
    pub(super) fn finish(&self) -> &str {
        let usual = if self.is_cut {
            "length"
        } else if self.tool_calls.is_empty() {
            "stop"
        } else {
            "tool_calls"
        };
        self.answer.finish.as_deref().unwrap_or(usual)
    }

    pub(super) fn usage(&self) -> Value {
        let words = |text: Option<&str>| text.map_or(0, |text| text.len().div_ceil(4));
        let reasoning = words(self.reasoning.as_deref());
        let called: usize = self
            .tool_calls
            .iter()
            .map(|call| words(Some(&call.arguments())))
            .sum();
        let completion = (reasoning + called + words(self.text.as_deref())).max(1);
        json!({
            "prompt_tokens": self.prompt_tokens, "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion, "cost": 0, "is_byok": false,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
            "cost_details": {"upstream_inference_cost": 0, "upstream_inference_prompt_cost": 0, "upstream_inference_completions_cost": 0},
            "completion_tokens_details": {"reasoning_tokens": reasoning, "image_tokens": 0, "audio_tokens": 0},
        })
    }

    /// The call's id, as the answer names it.
    pub(super) fn call_id(&self, index: usize) -> String {
        let given = self.tool_calls.get(index).and_then(|call| call.id.clone());
        given.unwrap_or_else(|| format!("call_{}_{index}", self.id.replace('-', "")))
    }

    /// The head fields and the extra ones, on top of `rest`.
    pub(super) fn envelope(&self, object: &str, rest: Value) -> Value {
        let mut whole = json!({
            "id": self.id, "object": object, "created": self.created,
            "model": self.model, "provider": self.answer.provider,
        });
        if let (Some(whole), Value::Object(rest)) = (whole.as_object_mut(), rest) {
            whole.extend(rest);
            whole.extend(self.answer.extra.clone());
        }
        if self.legacy {
            make_legacy(&mut whole);
        }
        if let (Some(whole), true) = (whole.as_object_mut(), self.foreign || !self.odds.is_empty())
        {
            reshape(whole, self.foreign, &self.odds);
        }
        whole
    }

    /// The whole answer as one document (§2).
    pub(super) fn plain(&self) -> Reply {
        let mut message = json!({"role": "assistant", "content": self.text, "refusal": null});
        if let Some(message) = message.as_object_mut() {
            if let Some(thought) = &self.reasoning {
                message.insert("reasoning".into(), json!(thought));
                message.insert("reasoning_details".into(), reasoning_details(thought));
            }
            if !self.tool_calls.is_empty() {
                let call = |(index, call): (usize, &ToolCall)| {
                    json!({"id": self.call_id(index), "type": "function", "index": index,
                           "function": {"name": call.name, "arguments": call.arguments()}})
                };
                message.insert(
                    "tool_calls".into(),
                    self.tool_calls.iter().enumerate().map(call).collect(),
                );
            }
        }
        let mut rest = json!({
            "system_fingerprint": null, "service_tier": null,
            "choices": [{"index": 0, "logprobs": null, "finish_reason": self.finish(),
                         "native_finish_reason": self.finish(), "message": message}],
        });
        if let (Some(rest), true) = (rest.as_object_mut(), self.usage_form() != Usage::None) {
            rest.insert("usage".into(), self.usage());
        }
        let body = self.envelope("chat.completion", rest).to_string();
        let reply = plain(self.answer, "application/json", body.into());
        self.with_id(reply)
    }

    /// With the header in which OpenRouter names an answer.
    pub(super) fn with_id(&self, reply: Reply) -> Reply {
        match self.foreign {
            true => reply,
            false => reply.set("X-Generation-Id", &self.id),
        }
    }

    /// How the usage is reported, if it is.
    pub(super) fn usage_form(&self) -> Usage {
        match (self.tells_usage, self.answer.usage) {
            (false, _) => Usage::None,
            // Only OpenRouter repeats the finish reason.
            (true, Usage::Repeat) if self.odds.contains(&Odd::XGroq) => Usage::Finish,
            (true, Usage::Repeat) if self.foreign => Usage::EmptyChoices,
            (true, form) => form,
        }
    }
}

/// The legacy endpoint has a bare text where chat completions have messages and deltas.
fn make_legacy(whole: &mut Value) {
    if let Some(object) = whole.get_mut("object") {
        *object = json!("text_completion");
    }
    let choices = whole.get_mut("choices").and_then(Value::as_array_mut);
    for choice in choices
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        let said = [choice.remove("message"), choice.remove("delta")];
        let text = said.into_iter().flatten().find_map(|said| {
            let text = said.get("content").and_then(Value::as_str);
            text.map(ToOwned::to_owned)
        });
        choice.insert("text".into(), json!(text.unwrap_or_default()));
    }
}

/// One entry of `reasoning_details`, in its list.
pub(super) fn reasoning_details(text: &str) -> Value {
    json!([{"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}])
}

/// A whole body with the answer's pauses, heartbeat, compression and headers.
pub(super) fn plain(answer: &Answer, content_type: &str, body: Bytes) -> Reply {
    let body = if answer.gzip { packed(&body) } else { body };
    let mut reply = Reply::new(200, content_type, body);
    let pauses = answer
        .headers_delay_ms
        .saturating_add(match answer.comments {
            0 => answer.first_delay_ms,
            _ => 0,
        });
    reply.before = Duration::from_millis(pauses);
    let beat = [
        Act::Write(Bytes::from_static(b"\n")),
        Act::Sleep(Duration::from_millis(answer.comment_delay_ms)),
    ];
    let mut body: Vec<Act> = std::iter::repeat_n(beat, answer.comments)
        .flatten()
        .collect();
    if answer.comments > 0 {
        body.push(Act::Sleep(Duration::from_millis(answer.first_delay_ms)));
    }
    reply.body.splice(0..0, body);
    if answer.gzip {
        reply = reply.set("Content-Encoding", "gzip");
    }
    answer
        .headers
        .iter()
        .fold(reply, |reply, (name, value)| reply.set(name, value))
}

fn packed(body: &[u8]) -> Bytes {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory cannot fail.
    match packer.write_all(body).and_then(|()| packer.finish()) {
        Ok(packed) => packed.into(),
        Err(_) => Bytes::new(),
    }
}

/// `text` in at most `pieces` pieces, never inside a character.
pub(super) fn cut(text: &str, pieces: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    if characters.is_empty() {
        return Vec::new();
    }
    let size = characters.len().div_ceil(pieces.max(1));
    characters
        .chunks(size)
        .map(|piece| piece.iter().collect())
        .collect()
}
