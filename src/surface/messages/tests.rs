//! Requests: how each field and block is handled.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::surface::{Invalid, Translated};

mod history;

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
    body["messages"] = json!([]);
    let mut chat = chat(&body);
    chat.as_object_mut().unwrap().remove("messages");
    chat
}

fn messages(messages: Value) -> Value {
    chat(&json!({"messages": messages}))["messages"].clone()
}

fn refusal(body: &Value) -> String {
    let invalid = translate(body).expect_err(&body.to_string());
    assert_eq!(invalid.code(), "invalid_request");
    invalid.to_string()
}

#[test]
fn fields_become_those_of_a_chat_completion() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let format = json!({"type": "json_schema", "schema": schema});
    let response_format = json!({"type": "json_schema", "json_schema": {"name": "output", "strict": true, "schema": schema}});
    #[rustfmt::skip]
    let rows = [
        (json!({"model": "claude-x", "max_tokens": 9}), json!({"model": "claude-x", "max_tokens": 9})),
        (json!({"temperature": 1, "top_p": 0.5, "top_k": 3}), json!({"temperature": 1, "top_p": 0.5, "top_k": 3})),
        (json!({"stop_sequences": ["a", "b"]}),         json!({"stop": ["a", "b"]})),
        (json!({"stop_sequences": []}),                 json!({})),
        (json!({"stream": true}),                       json!({"stream": true, "stream_options": {"include_usage": true}})),
        (json!({"stream": false}),                      json!({})),
        (json!({"metadata": {"user_id": "u"}}),         json!({"user": "u"})),
        (json!({"metadata": {}}),                       json!({})),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}), json!({"reasoning": {"max_tokens": 1024}})),
        (json!({"thinking": {"type": "enabled"}}),      json!({"reasoning": {"enabled": true}})),
        (json!({"thinking": {"type": "enabled", "budget_tokens": null}}), json!({"reasoning": {"enabled": true}})),
        (json!({"thinking": {"type": "adaptive"}}),     json!({})),
        (json!({"thinking": {"type": "disabled"}}),     json!({})),
        (json!({"output_config": {"effort": "high"}}),  json!({})),
        (json!({"output_config": {"effort": "high", "format": format}}), json!({"response_format": response_format})),
        (json!({"output_format": format}),              json!({"response_format": response_format})),
        (json!({"context_management": {"edits": []}, "service_tier": "auto", "inference_geo": "eu", "cache_control": {"type": "ephemeral"},
                "mcp_servers": [], "container": null}), json!({})),
    ];
    for (body, expected) in rows {
        assert_eq!(fields(body.clone()), expected, "{body}");
        assert!(
            translate(&json!({"messages": []}))
                .unwrap()
                .dropped
                .is_empty()
        );
    }
    let translated = translate(&json!({"messages": [], "new_field": 1, "nothing": null})).unwrap();
    assert_eq!(
        translated.dropped.names().collect::<Vec<_>>(),
        ["new_field"]
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let block = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    let message = |message: Value| json!({"messages": [message]});
    let with = |more: Value| {
        let mut body = json!({"messages": []});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    #[rustfmt::skip]
    let rows = [
        (json!({}),                                        r#""messages" is required"#),
        (json!({"messages": "x"}),                         r#""messages" must be an array"#),
        (message(json!("x")),                              r#""messages[0]" must be an object"#),
        (message(json!({"content": "x"})),                 r#""messages[0].role" is required"#),
        (message(json!({"role": "tool", "content": "x"})), r#""messages[0].role" must be user, assistant or system"#),
        (message(json!({"role": "user"})),                 r#""messages[0].content" is required"#),
        (message(json!({"role": "user", "content": 7})),   r#""messages[0].content" must be a string or a list of blocks"#),
        (block(json!("x")),                                r#""messages[0].content[0]" must be an object"#),
        (block(json!({"text": "x"})),                      r#""messages[0].content[0].type" is required"#),
        (block(json!({"type": "text", "text": 7})),        r#""messages[0].content[0].text" must be a string"#),
        (block(json!({"type": "search_result"})),          r#""messages[0].content[0].content" is required"#),
        (block(json!({"type": "container_upload", "file_id": "f"})),
            r#""messages[0].content[0].type" is "container_upload", which a free model behind chat completions cannot be given"#),
        (block(json!({"type": "tool_use", "id": "a", "name": "f", "input": {}})),
            r#""messages[0].content[0].type" is "tool_use", which a free model behind chat completions cannot be given"#),
        (block(json!({"type": "image"})),                  r#""messages[0].content[0].source" is required"#),
        (block(json!({"type": "image", "source": {"type": "url", "url": "file:///x"}})),
            r#""messages[0].content[0].source.url" must be an http, https or data URL"#),
        (block(json!({"type": "image", "source": {"type": "file", "file_id": "f"}})),
            r#""messages[0].content[0].source" names a stored file, and nothing is stored here: send the data itself"#),
        (block(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png"}})),
            r#""messages[0].content[0].source.data" is required"#),
        (with(json!({"system": 7})),                       r#""system" must be an array"#),
        (with(json!({"system": [{"type": "image"}]})),
            r#""system[0].type" is "image", which a free model behind chat completions cannot be given"#),
        (with(json!({"stop_sequences": "x"})),             r#""stop_sequences" must be an array"#),
        (with(json!({"stop_sequences": [7]})),             r#""stop_sequences[0]" must be a string"#),
        (with(json!({"thinking": {"type": "enabled", "budget_tokens": "x"}})), r#""thinking.budget_tokens" must be a number"#),
        (with(json!({"thinking": {"type": "often"}})),     r#""thinking.type" must be enabled, adaptive or disabled"#),
        (with(json!({"mcp_servers": [{"url": "https://a"}]})),
            r#""mcp_servers" would have this proxy call MCP servers, which it does not"#),
        (with(json!({"container": "c"})),                  r#""container" asks for a machine to run code on; there is none"#),
        (with(json!({"output_config": {"format": {"type": "json_schema"}}})), r#""output_config.format.schema" is required"#),
        (with(json!({"tools": [{"name": "f"}]})),          r#""tools[0].input_schema" is required"#),
        (with(json!({"tools": [{"input_schema": {}}]})),   r#""tools[0].name" is required"#),
        (with(json!({"tools": [{"type": "telepathy", "name": "f"}]})),
            r#""tools[0].type" is "telepathy", which a free model behind chat completions cannot be given"#),
        (with(json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}], "tool_choice": {"type": "any"}})),
            r#""tool_choice" demands a call, and none of the tools is carried"#),
        (with(json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}], "tool_choice": {"type": "tool", "name": "web_search"}})),
            r#""tool_choice.name" is "web_search", which a free model behind chat completions cannot be given"#),
        (with(json!({"tool_choice": {"type": "required"}})), r#""tool_choice.type" must be auto, any, tool or none"#),
    ];
    for (body, expected) in rows {
        assert_eq!(refusal(&body), expected, "{body}");
    }
}

#[test]
fn blocks_become_messages() {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let cached = json!({"type": "ephemeral"});
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    let image_part =
        json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let document = |source: Value| json!([{"role": "user", "content": [{"type": "document", "title": "T", "context": "C", "source": source}]}]);
    let file = |name: &str, data: &str| json!({"type": "file", "file": {"filename": name, "file_data": data}});
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let used = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]});
    let made = json!({"role": "assistant", "content": null, "tool_calls": [call("1", "f", "{}")]});
    #[rustfmt::skip]
    let rows = [
        (user(json!("Hi")),                              user(json!("Hi"))),
        (user(json!([])),                                user(json!(""))),
        (user(json!([{"type": "text", "text": "Hi", "cache_control": cached}])), user(json!("Hi"))),
        (user(json!([text("a"), text("b")])),            user(json!([text("a"), text("b")]))),
        (user(json!([text("See"), image])),              user(json!([text("See"), image_part]))),
        (user(json!([{"type": "image", "source": {"type": "url", "url": "https://a"}}])),
                                                         user(json!([{"type": "image_url", "image_url": {"url": "https://a"}}]))),
        (document(json!({"type": "base64", "media_type": "application/pdf", "data": "AA"})),
                                                         user(json!([text("C"), file("T", "data:application/pdf;base64,AA")]))),
        (document(json!({"type": "url", "url": "https://a/b.pdf"})), user(json!([text("C"), file("T", "https://a/b.pdf")]))),
        (document(json!({"type": "text", "media_type": "text/plain", "data": "D"})), user(json!([text("T"), text("C"), text("D")]))),
        (document(json!({"type": "content", "content": [text("D"), image]})), user(json!([text("T"), text("C"), text("D"), image_part]))),
        // A turn with reasoning, text and calls; its results, one of them a failure.
        (json!([{"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "sig"}, text("Let me see."),
                    {"type": "tool_use", "id": "1", "name": "f", "input": {"a": "b\n"}}, {"type": "tool_use", "id": "2", "name": "g"}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "x", "cache_control": cached},
                    {"type": "tool_result", "tool_use_id": "2", "content": [text("no")], "is_error": true}, text("Go on.")]}]),
         json!([{"role": "assistant", "content": "Let me see.", "reasoning": "Hm.",
                 "tool_calls": [call("1", "f", "{\"a\":\"b\\n\"}"), call("2", "g", "{}")]},
                {"role": "tool", "tool_call_id": "1", "content": "x"},
                {"role": "tool", "tool_call_id": "2", "content": "Error: no"},
                {"role": "user", "content": "Go on."}])),
        (json!([used, {"role": "user", "content": [text("first"), {"type": "tool_result", "tool_use_id": "1"}]}]),
         json!([made, {"role": "tool", "tool_call_id": "1", "content": ""}, {"role": "user", "content": "first"}])),
        (json!([used, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [image]}]}]),
         json!([made, {"role": "tool", "tool_call_id": "1", "content": "(attached to the next user message)"},
                {"role": "user", "content": [text("What the tools above have returned:"), image_part]}])),
        // Two turns are two messages; an empty one is left out.
        (json!([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": []}, {"role": "assistant", "content": "b"}]),
         json!([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}])),
        // Sealed details, and ones sealed elsewhere.
        (json!([{"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": r#"flp1.[{"type":"reasoning.text","text":0,"index":0}]"#},
                    {"type": "redacted_thinking", "data": r#"flp1.[{"type":"reasoning.encrypted","data":"d"}]"#},
                    {"type": "redacted_thinking", "data": "foreign"}, text("x")]}]),
         json!([{"role": "assistant", "content": "x", "reasoning": "Hm.", "reasoning_details": [
                    {"type": "reasoning.text", "text": "Hm.", "index": 0}, {"type": "reasoning.encrypted", "data": "d"},
                    {"type": "reasoning.encrypted", "data": "foreign", "format": "anthropic-claude-v1"}]}])),
    ];
    for (body, expected) in rows {
        assert_eq!(messages(body.clone()), expected, "{body}");
    }
    let system = chat(
        &json!({"system": [{"type": "text", "text": "a", "cache_control": cached}, text("b")],
        "messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "c"}]}),
    );
    assert_eq!(
        system["messages"],
        json!([{"role": "system", "content": "a\n\nb\n\nc"}, {"role": "user", "content": "Hi"}])
    );
    let cited = json!({"messages": [{"role": "user", "content": [{"type": "document", "citations": {"enabled": true},
        "source": {"type": "text", "media_type": "text/plain", "data": "D"}}]}]});
    let translated = translate(&cited).unwrap();
    assert_eq!(
        translated.dropped.names().collect::<Vec<_>>(),
        ["citations"]
    );
}

#[test]
fn tools_are_carried_as_functions() {
    let f = json!({"name": "f", "description": "F", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}});
    let carried_f = json!({"type": "function", "function": {"name": "f", "description": "F", "parameters": {"type": "object"}}});
    let g = json!({"type": "custom", "name": "g", "input_schema": {}, "strict": true});
    let carried_g =
        json!({"type": "function", "function": {"name": "g", "parameters": {}, "strict": true}});
    let web = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 8});
    let bash = json!({"type": "bash_20250124", "name": "bash"});
    #[rustfmt::skip]
    let rows = [
        (json!([f, g]),      json!(null),                          json!({"tools": [carried_f, carried_g]}), ""),
        (json!([f, web, bash]), json!({"type": "auto"}),           json!({"tools": [carried_f], "tool_choice": "auto"}), "web_search_20250305 bash_20250124"),
        (json!([web]),       json!({"type": "auto"}),              json!({}), "web_search_20250305"),
        (json!([f]),         json!({"type": "any"}),               json!({"tools": [carried_f], "tool_choice": "required"}), ""),
        (json!([f]),         json!({"type": "none"}),              json!({"tools": [carried_f], "tool_choice": "none"}), ""),
        (json!([f]),         json!({"type": "tool", "name": "f"}), json!({"tools": [carried_f], "tool_choice": {"type": "function", "function": {"name": "f"}}}), ""),
        (json!([f]),         json!({"type": "auto", "disable_parallel_tool_use": true}),
            json!({"tools": [carried_f], "tool_choice": "auto", "parallel_tool_calls": false}), ""),
        (json!([]),          json!({"type": "none"}),              json!({}), ""),
    ];
    for (tools, choice, expected, dropped) in rows {
        let body = json!({"messages": [], "tools": tools, "tool_choice": choice});
        let translated = translate(&body).unwrap();
        assert_eq!(fields(body.clone()), expected, "{body}");
        let names: Vec<&str> = translated.dropped.names().collect();
        assert_eq!(names.join(" "), dropped, "{body}");
    }
}
