//! How other providers' answers differ from OpenRouter's: a good answer is laid out in OpenRouter's
//! shape and reshaped here, chunk by chunk. Stream faults are not here.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::refusal::{nine, signature};

/// A deviation from OpenAI's format; a provider has some, a script may add more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Odd {
    /// Reasoning is in `reasoning_content`.
    ReasoningContent,
    /// Reasoning precedes the text, in `<think>` tags.
    ThinkTags,
    /// `content` is a list of parts, including the reasoning (Mistral).
    ContentParts,
    /// A stream has each tool call complete, in one event.
    WholeCalls,
    /// Tool calls carry `extra_content.google.thought_signature`.
    Signature,
    /// Call ids have nine letters and digits.
    NineIds,
    /// Tool calls have no `index`.
    NoCallIndex,
    /// Tool calls have no `id`.
    NoCallId,
    /// Tool calls have no `type`.
    NoCallType,
    /// Arguments are an object instead of a string.
    ObjectArguments,
    /// Choices have no `index`.
    NoIndex,
    /// No `id`, `object` and `created` around the choices.
    NoId,
    /// No finish reason.
    NoFinish,
    /// The finish reason is an empty string.
    EmptyFinish,
    /// A stream ends without `[DONE]`.
    NoDone,
    /// The usage comes in `x_groq` of the last chunk.
    XGroq,
    /// The usage comes only where `stream_options.include_usage` asks for it.
    UsageWhenAsked,
}

/// Reshapes an answer or one chunk of it.
pub(crate) fn reshape(whole: &mut Map<String, Value>, foreign: bool, odds: &[Odd]) {
    if foreign {
        strip(whole);
    }
    if odds.contains(&Odd::XGroq) {
        x_groq(whole);
    }
    if odds.contains(&Odd::NoId) {
        for name in ["id", "object", "created"] {
            whole.shift_remove(name);
        }
    }
    for choice in choices(whole) {
        reshape_choice(choice, odds);
    }
}

fn choices(whole: &mut Map<String, Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    let choices = whole.get_mut("choices").and_then(Value::as_array_mut);
    choices
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

/// Removes what only OpenRouter sends.
fn strip(whole: &mut Map<String, Value>) {
    whole.shift_remove("provider");
    whole.shift_remove("service_tier");
    if let Some(id) = whole.get_mut("id") {
        let ours = id.as_str().unwrap_or_default();
        *id = json!(format!("chatcmpl-{}", ours.trim_start_matches("gen-")));
    }
    if let Some(usage) = whole.get_mut("usage").and_then(Value::as_object_mut) {
        usage.retain(|name, _| name.ends_with("_tokens"));
    }
    for choice in choices(whole) {
        choice.shift_remove("native_finish_reason");
        for said in ["message", "delta"] {
            if let Some(said) = choice.get_mut(said).and_then(Value::as_object_mut) {
                said.shift_remove("reasoning_details");
                said.shift_remove("refusal");
            }
        }
    }
}

/// Groq has its own usage, and the id of its request, in a member of its own.
fn x_groq(whole: &mut Map<String, Value>) {
    let id = whole.get("id").cloned().unwrap_or_default();
    let is_chunk = whole.get("object") == Some(&json!("chat.completion.chunk"));
    let usage = if is_chunk {
        whole.get("usage").cloned()
    } else {
        None
    };
    let mut own = json!({"id": format!("req_{}", id.as_str().unwrap_or_default().trim_start_matches("chatcmpl-"))});
    if let (Some(own), Some(usage)) = (own.as_object_mut(), usage) {
        own.insert("usage".into(), usage);
        whole.shift_remove("usage");
    }
    whole.insert("x_groq".into(), own);
}

fn reshape_choice(choice: &mut Map<String, Value>, odds: &[Odd]) {
    let has = |odd: Odd| odds.contains(&odd);
    if has(Odd::NoIndex) {
        choice.shift_remove("index");
    }
    if has(Odd::NoFinish) {
        choice.shift_remove("finish_reason");
    } else if has(Odd::EmptyFinish) {
        choice.insert("finish_reason".into(), json!(""));
    }
    for said in ["message", "delta"] {
        let is_chunk = said == "delta";
        let Some(said) = choice.get_mut(said).and_then(Value::as_object_mut) else {
            continue;
        };
        if has(Odd::ContentParts) {
            content_parts(said);
        } else if has(Odd::ReasoningContent)
            && let Some(thought) = said.shift_remove("reasoning")
        {
            said.insert("reasoning_content".into(), thought);
        }
        let calls = said.get_mut("tool_calls").and_then(Value::as_array_mut);
        for call in calls.into_iter().flatten().filter_map(Value::as_object_mut) {
            reshape_call(call, is_chunk, odds);
        }
    }
}

fn reshape_call(call: &mut Map<String, Value>, is_chunk: bool, odds: &[Odd]) {
    let has = |odd: Odd| odds.contains(&odd);
    let id = call.get("id").and_then(Value::as_str).map(str::to_owned);
    if let Some(id) = id {
        if has(Odd::Signature) {
            let google = json!({"google": {"thought_signature": signature(&id)}});
            call.insert("extra_content".into(), google);
        }
        if has(Odd::NineIds) {
            call.insert("id".into(), json!(nine(&id)));
        }
    }
    if has(Odd::NoCallId) {
        call.shift_remove("id");
    }
    if has(Odd::NoCallType) {
        call.shift_remove("type");
    }
    // OpenAI's plain answers have none either.
    if has(Odd::NoCallIndex) || !is_chunk {
        call.shift_remove("index");
    }
    if has(Odd::ObjectArguments)
        && let Some(arguments) = call
            .get_mut("function")
            .and_then(|function| function.get_mut("arguments"))
        && let Some(object) = arguments
            .as_str()
            .and_then(|s| serde_json::from_str(s).ok())
    {
        *arguments = object;
    }
}

/// Text and reasoning as parts of one list.
fn content_parts(said: &mut Map<String, Value>) {
    let mut parts = Vec::new();
    if let Some(thought) = said.shift_remove("reasoning") {
        let thinking = json!([{"type": "text", "text": thought}]);
        parts.push(json!({"type": "thinking", "thinking": thinking}));
    }
    let text = said.get("content").and_then(Value::as_str);
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        parts.push(json!({"type": "text", "text": text}));
    }
    if !parts.is_empty() {
        said.insert("content".into(), Value::Array(parts));
    }
}
