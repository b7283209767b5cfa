//! Requests: how each field and item is handled.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::surface::{Invalid, Translated};

mod faults;
mod history;
mod items;
mod tools;

fn translate(body: &Value) -> Result<Translated, Invalid> {
    read(&Bytes::from(body.to_string()), 128)
}

/// The chat completion request, as JSON.
fn chat(body: &Value) -> Value {
    let translated = translate(body).unwrap_or_else(|e| panic!("{e}: {body}"));
    serde_json::from_slice(&translated.chat).unwrap()
}

/// The fields of the chat request except `messages`, for a body with these fields.
fn fields(mut body: Value) -> Value {
    body["input"] = json!("x");
    let mut chat = chat(&body);
    chat.as_object_mut().unwrap().remove("messages");
    chat
}

#[test]
fn fields_become_those_of_a_chat_completion() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    #[rustfmt::skip]
    let rows = [
        (json!({"model": "gpt-5"}),                     json!({"model": "gpt-5"})),
        (json!({"temperature": 0.5, "top_p": null}),    json!({"temperature": 0.5})),
        (json!({"max_output_tokens": 9}),               json!({"max_tokens": 9})),
        (json!({"stream": true}),                       json!({"stream": true, "stream_options": {"include_usage": true}})),
        (json!({"stream": false}),                      json!({})),
        (json!({"reasoning": {"effort": "high"}}),      json!({"reasoning": {"effort": "high"}})),
        (json!({"reasoning": {"effort": "low", "summary": "auto"}}), json!({"reasoning": {"effort": "low", "summary": "auto"}})),
        (json!({"reasoning": {"summary": "auto"}}),     json!({})),
        (json!({"reasoning": {"effort": null}}),        json!({})),
        (json!({"text": {"verbosity": "low"}}),         json!({"verbosity": "low"})),
        (json!({"text": {"format": {"type": "text"}}}), json!({})),
        (json!({"text": {"format": {"type": "json_object"}}}), json!({"response_format": {"type": "json_object"}})),
        (json!({"text": {"format": {"type": "json_schema", "name": "n", "strict": true, "schema": schema}}}),
         json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}}})),
        (json!({"top_logprobs": 3}),                    json!({"logprobs": true, "top_logprobs": 3})),
        (json!({"include": ["message.output_text.logprobs", "file_search_call.results"]}), json!({"logprobs": true})),
        (json!({"user": "u", "metadata": {"a": "b"}, "service_tier": "auto", "prompt_cache_key": "k", "safety_identifier": "s"}),
         json!({"user": "u", "metadata": {"a": "b"}, "service_tier": "auto", "prompt_cache_key": "k", "safety_identifier": "s"})),
        (json!({"seed": 1, "stop": ["x"], "provider": {"sort": "price"}}), json!({"seed": 1, "stop": ["x"], "provider": {"sort": "price"}})),
        (json!({"store": false, "background": false, "truncation": "auto", "client_metadata": {"a": "b"}, "include": [],
                "previous_response_id": null, "conversation": null, "prompt": null, "stream_options": {"include_obfuscation": false}}),
         json!({})),
    ];
    for (body, expected) in rows {
        assert_eq!(fields(body.clone()), expected, "{body}");
    }
}

#[test]
fn unknown_fields_are_left_out_and_reported() {
    let body = json!({"input": "x", "moderation": {}, "context_management": [], "new_field": 1, "nothing": null});
    let translated = translate(&body).unwrap();
    let mut names: Vec<&str> = translated.dropped.names().collect();
    names.sort_unstable();
    assert_eq!(names, ["context_management", "moderation", "new_field"]);
    assert!(
        translate(&json!({"input": "x"}))
            .unwrap()
            .dropped
            .is_empty()
    );
}
