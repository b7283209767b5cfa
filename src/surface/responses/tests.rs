//! Requests: what becomes of each field and item.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::surface::{Invalid, Translated};

fn translate(body: &Value) -> Result<Translated, Invalid> {
    read(&Bytes::from(body.to_string()), 128)
}

/// The chat completion request, as JSON.
fn chat(body: &Value) -> Value {
    let translated = translate(body).unwrap_or_else(|e| panic!("{e}: {body}"));
    serde_json::from_slice(&translated.chat).unwrap()
}

/// The fields of the chat request but `messages`, for a body of these fields.
fn fields(mut body: Value) -> Value {
    body["input"] = json!("x");
    let mut chat = chat(&body);
    chat.as_object_mut().unwrap().remove("messages");
    chat
}

fn messages(input: Value) -> Value {
    chat(&json!({"input": input}))["messages"].clone()
}

fn refusal(body: &Value) -> (String, String) {
    let invalid = translate(body).expect_err(&body.to_string());
    assert_eq!(invalid.code(), "invalid_request");
    (
        invalid.param().unwrap_or_default().to_owned(),
        invalid.to_string(),
    )
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
fn what_nobody_knows_is_left_out_and_reported() {
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

#[test]
fn what_needs_memory_is_refused() {
    #[rustfmt::skip]
    let rows = [
        (json!({"input": "x", "previous_response_id": "resp_1"}), "previous_response_id", "asks for what is kept"),
        (json!({"input": "x", "conversation": "conv_1"}),         "conversation",         "asks for what is kept"),
        (json!({"input": "x", "store": true}),                    "store",                "must be false or absent"),
        (json!({"input": "x", "background": true}),               "background",           "must be false or absent"),
        (json!({"prompt": {"id": "pmpt_1"}}),                     "prompt",               "template stored at OpenAI"),
        (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), "input[0].type",  "is \"item_reference\""),
        (json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
                                                                  "input[0].content[0].file_id", "send the data itself"),
    ];
    for (body, param, words) in rows {
        let (got, text) = refusal(&body);
        assert_eq!(got, param, "{body}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let part = |part: Value| json!({"input": [{"role": "user", "content": [part]}]});
    let item = |item: Value| json!({"input": [item]});
    #[rustfmt::skip]
    let rows = [
        (json!({}),                                             r#""input" is required"#),
        (json!({"input": 7}),                                   r#""input" must be a string or a list of items"#),
        (item(json!(7)),                                        r#""input[0]" must be an object"#),
        (item(json!({"type": 7})),                              r#""input[0].type" must be a string"#),
        (item(json!({"type": "computer_call"})),
            r#""input[0].type" is "computer_call", which a free model behind chat completions cannot be given"#),
        (item(json!({"content": "x"})),                         r#""input[0].role" is required"#),
        (item(json!({"role": "tool", "content": "x"})),         r#""input[0].role" must be user, assistant, system or developer"#),
        (item(json!({"role": "user"})),                         r#""input[0].content" is required"#),
        (item(json!({"role": "user", "content": 7})),           r#""input[0].content" must be an array"#),
        (part(json!("x")),                                      r#""input[0].content[0]" must be an object"#),
        (part(json!({"type": "input_text"})),                   r#""input[0].content[0].text" is required"#),
        (part(json!({"type": "input_video"})),
            r#""input[0].content[0].type" is "input_video", which a free model behind chat completions cannot be given"#),
        (part(json!({"type": "input_image", "image_url": "file:///etc/passwd"})),
            r#""input[0].content[0].image_url" must be an http, https or data URL"#),
        (part(json!({"type": "input_file", "filename": "a"})),  r#""input[0].content[0].file_data" is required"#),
        (item(json!({"role": "system", "content": [{"type": "input_image", "image_url": "https://a"}]})),
            r#""input[0].content[0]" must be a text in a system or developer message"#),
        (item(json!({"type": "function_call", "name": "f", "arguments": "{}"})), r#""input[0].call_id" is required"#),
        (item(json!({"type": "function_call", "name": "f", "call_id": "c", "arguments": {}})), r#""input[0].arguments" must be a string"#),
        (item(json!({"type": "function_call_output", "call_id": "c"})), r#""input[0].output" is required"#),
        (item(json!({"type": "reasoning", "summary": [{"type": "summary_text"}]})), r#""input[0].summary[0].text" is required"#),
        (json!({"input": "x", "stream": "yes"}),                r#""stream" must be a boolean"#),
        (json!({"input": "x", "store": 1}),                     r#""store" must be a boolean"#),
        (json!({"input": "x", "include": "all"}),               r#""include" must be an array"#),
        (json!({"input": "x", "text": {"format": {"type": "grammar"}}}),
            r#""text.format.type" is "grammar", which a free model behind chat completions cannot be given"#),
        (json!({"input": "x", "tools": {}}),                    r#""tools" must be an array"#),
        (json!({"input": "x", "tools": [{"type": "function"}]}), r#""tools[0].name" is required"#),
        (json!({"input": "x", "tools": [{"type": "functoin", "name": "f"}]}),
            r#""tools[0].type" is "functoin", which a free model behind chat completions cannot be given"#),
        (json!({"input": "x", "tool_choice": "always"}),        r#""tool_choice" must be auto, none or required"#),
        (json!({"input": "x", "tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "web_search"}}),
            r#""tool_choice.type" is "web_search", which a free model behind chat completions cannot be given"#),
        (json!({"input": "x", "tools": [{"type": "web_search"}], "tool_choice": "required"}),
            r#""tool_choice" demands a call, and none of the tools is carried"#),
    ];
    for (body, expected) in rows {
        assert_eq!(refusal(&body).1, expected, "{body}");
    }
    for (body, expected) in [
        ("", "the body is cut short at byte 0"),
        ("[]", "the body must be a JSON object"),
        (
            r#"{"input":"x","input":"y"}"#,
            "a field stands in the body twice",
        ),
        (
            r#"{"input":[[[[[[[]]]]]]]}"#,
            "the body nests deeper than 4 levels",
        ),
    ] {
        let invalid = read(&Bytes::from(body), 4).unwrap_err();
        assert_eq!(invalid.to_string(), expected);
    }
}

#[test]
fn items_become_messages() {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    #[rustfmt::skip]
    let rows = [
        (json!("Hi"), json!([{"role": "user", "content": "Hi"}])),
        (json!([]),   json!([])),
        (json!([{"role": "user", "content": "a"}, {"type": "message", "role": "assistant", "content": "b"}]),
         json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])),
        (json!([{"role": "user", "content": [{"type": "input_text", "text": "See"}, {"type": "input_image", "image_url": "https://a", "detail": "original"}]}]),
         json!([{"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "https://a", "detail": "high"}}]}])),
        (json!([{"role": "user", "content": [{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}]}]),
         json!([{"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}}]}])),
        (json!([{"role": "user", "content": [{"type": "input_file", "file_url": "https://a/b.pdf"}]}]),
         json!([{"role": "user", "content": [{"type": "file", "file": {"file_data": "https://a/b.pdf"}}]}])),
        // A text and the calls after it are one message; so are calls side by side.
        (json!([{"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
                {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
                {"type": "function_call", "call_id": "2", "name": "g", "arguments": "{\"a\":1}"},
                {"type": "function_call_output", "call_id": "1", "output": "x"},
                {"type": "function_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "y"}]}]),
         json!([{"role": "assistant", "content": "Let me see.", "tool_calls": [call("1", "f", "{}"), call("2", "g", "{\"a\":1}")]},
                {"role": "tool", "tool_call_id": "1", "content": "x"}, {"role": "tool", "tool_call_id": "2", "content": "y"}])),
        // A text after calls belongs to them as well: results must follow calls at once.
        (json!([{"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
                {"role": "assistant", "content": "Now wait."},
                {"type": "function_call_output", "call_id": "1", "output": "x"}]),
         json!([{"role": "assistant", "content": "Now wait.", "tool_calls": [call("1", "f", "{}")]},
                {"role": "tool", "tool_call_id": "1", "content": "x"}])),
        // Two texts are two messages.
        (json!([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]),
         json!([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}])),
        (json!([{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]),
         json!([{"role": "assistant", "content": null, "refusal": "No."}])),
        // Freeform calls, and calls of a namespace's tools.
        (json!([{"type": "custom_tool_call", "call_id": "1", "name": "apply_patch", "input": "*** Begin\n\"x\""},
                {"type": "custom_tool_call_output", "call_id": "1", "output": "Done."},
                {"type": "function_call", "call_id": "2", "namespace": "multi_agent_v1", "name": "close_agent", "arguments": "{}"}]),
         json!([{"role": "assistant", "content": null, "tool_calls": [call("1", "apply_patch", "{\"input\":\"*** Begin\\n\\\"x\\\"\"}")]},
                {"role": "tool", "tool_call_id": "1", "content": "Done."},
                {"role": "assistant", "content": null, "tool_calls": [call("2", "multi_agent_v1__close_agent", "{}")]}])),
        // A result without its call is the upstream's to judge.
        (json!([{"type": "function_call_output", "call_id": "1", "output": ""}]),
         json!([{"role": "tool", "tool_call_id": "1", "content": ""}])),
    ];
    for (input, expected) in rows {
        assert_eq!(messages(input.clone()), expected, "{input}");
    }
    let both = chat(&json!({"instructions": "Be good.", "input": [
        {"role": "developer", "content": [{"type": "input_text", "text": "Be quick."}]}, {"role": "user", "content": "Hi"}]}));
    let system = json!({"role": "system", "content": "Be good.\n\nBe quick."});
    assert_eq!(
        both["messages"],
        json!([system, {"role": "user", "content": "Hi"}])
    );
}

#[test]
fn what_was_thought_comes_back_before_what_it_led_to() {
    let reasoning = |fields: Value| {
        let mut item = json!({"type": "reasoning", "id": "rs_1", "summary": []});
        item.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        messages(json!([item, {"role": "assistant", "content": "x"}]))[0].clone()
    };
    let sealed = r#"flp1.[{"type":"reasoning.text","text":0,"format":"f","index":0}]"#;
    let other = r#"flp1.[{"type":"reasoning.encrypted","data":"d"}]"#;
    #[rustfmt::skip]
    let rows = [
        (json!({"summary": [{"type": "summary_text", "text": "Hm."}]}), json!({"reasoning": "Hm."})),
        (json!({"summary": [{"type": "summary_text", "text": "short"}], "content": [{"type": "reasoning_text", "text": "long"}]}),
                                                                        json!({"reasoning": "long"})),
        (json!({"summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": sealed}),
         json!({"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "format": "f", "index": 0}]})),
        (json!({"encrypted_content": other}), json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]})),
        (json!({"encrypted_content": "gAAAA somebody else's", "summary": [{"type": "summary_text", "text": "Hm."}]}), json!({"reasoning": "Hm."})),
        (json!({"encrypted_content": null}), json!({})),
    ];
    for (item, expected) in rows {
        let mut message = json!({"role": "assistant", "content": "x"});
        message
            .as_object_mut()
            .unwrap()
            .extend(expected.as_object().unwrap().clone());
        assert_eq!(reasoning(item.clone()), message, "{item}");
    }
}

#[test]
fn tools_are_carried_as_functions() {
    let f = json!({"type": "function", "name": "f", "description": "F", "parameters": {"type": "object"}, "strict": false});
    let carried_f = json!({"type": "function", "function": {"name": "f", "description": "F", "parameters": {"type": "object"}, "strict": false}});
    let patch = json!({"type": "custom", "name": "apply_patch", "description": "Patch \"it\".",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"x\"\n"}});
    let carried_patch = json!({"type": "function", "function": {"name": "apply_patch",
        "description": "Patch \"it\".\n\nThe input follows this grammar (lark):\nstart: \"x\"\n",
        "parameters": {"type": "object", "properties": {"input": {"type": "string", "description": "The tool's whole input, as plain text."}},
                       "required": ["input"], "additionalProperties": false}}});
    let space =
        json!({"type": "namespace", "name": "mcp__files", "description": "Files.", "tools": [f]});
    let carried_space = json!({"type": "function", "function": {"name": "mcp__files__f", "description": "F", "parameters": {"type": "object"}, "strict": false}});
    let web = json!({"type": "web_search", "external_web_access": true});
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    #[rustfmt::skip]
    let rows = [
        (json!([f]), json!(null), json!({"tools": [carried_f]}), ""),
        (json!([]),  json!("auto"), json!({}), ""),
        (json!([f, web]), json!("auto"), json!({"tools": [carried_f], "tool_choice": "auto"}), "web_search"),
        (json!([web, {"type": "mcp", "server_url": "https://a"}, {"type": "tool_search", "execution": "client"}]), json!("auto"),
            json!({}), "web_search mcp tool_search"),
        (json!([f, patch, space]), json!("required"), json!({"tools": [carried_f, carried_patch, carried_space], "tool_choice": "required"}), ""),
        (json!([f]), json!({"type": "function", "name": "f"}), json!({"tools": [carried_f], "tool_choice": named("f")}), ""),
        (json!([patch]), json!({"type": "custom", "name": "apply_patch"}), json!({"tools": [carried_patch], "tool_choice": named("apply_patch")}), ""),
        (json!([f, space]), json!({"type": "function", "name": "f", "namespace": "mcp__files"}),
            json!({"tools": [carried_f, carried_space], "tool_choice": named("mcp__files__f")}), ""),
        (json!([f, patch, web]), json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "apply_patch"}, {"type": "web_search"}]}),
            json!({"tools": [carried_patch], "tool_choice": "required"}), "web_search"),
        (json!([f]), json!({"type": "allowed_tools", "mode": "auto", "tools": []}), json!({}), ""),
    ];
    for (tools, choice, expected, dropped) in rows {
        let body = json!({"input": "x", "tools": tools, "tool_choice": choice});
        let translated = translate(&body).unwrap();
        assert_eq!(fields(body.clone()), expected, "{body}");
        let names: Vec<&str> = translated.dropped.names().collect();
        assert_eq!(names.join(" "), dropped, "{body}");
    }
    let parallel = fields(json!({"tools": [f], "parallel_tool_calls": true}));
    assert_eq!(parallel["parallel_tool_calls"], json!(true));
    assert_eq!(
        fields(json!({"parallel_tool_calls": true})),
        json!({}),
        "without tools it says nothing"
    );
}

#[test]
fn joined_names_fit() {
    let long = "n".repeat(90);
    #[rustfmt::skip]
    let rows = [
        (None,               "f",    "f".to_owned()),
        (Some("a"),          "f",    "a__f".to_owned()),
        (Some("a.b c"),      "f",    "abc__f".to_owned()),
        (Some(long.as_str()), "f",   format!("{}__f", "n".repeat(61))),
        (Some("a"), long.as_str(),   format!("__{long}")),
    ];
    for (namespace, name, expected) in rows {
        assert_eq!(tools::joined(namespace, name), expected);
    }
}
