use bytes::Bytes;
use serde_json::{Value, json};

use crate::surface::transcript::{End, call, check_response, delta, end, ids, play, text};
use crate::surface::{Reply, responses};

fn reply(more: &Value) -> Reply {
    let mut body = json!({"model": "auto", "input": "x", "stream": true});
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    responses::read(&Bytes::from(body.to_string()), 128)
        .unwrap()
        .reply
}

/// An event in a line: its kind, its place, and what it brings.
fn line(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap();
    let kind = kind.strip_prefix("response.").unwrap();
    let mut line = kind.to_owned();
    if let Some(at) = event["output_index"].as_u64() {
        line.push_str(&format!(" {at}"));
    }
    for key in ["delta", "text", "refusal", "arguments", "input"] {
        if let Some(text) = event[key].as_str() {
            line.push_str(&format!(" {text}"));
        }
    }
    for key in ["item", "part"] {
        if let Some(kind) = event[key]["type"].as_str() {
            line.push_str(&format!(" {kind}"));
        }
    }
    line
}

fn lines(more: &Value, chunks: &[String]) -> Vec<String> {
    let events = play(reply(more), chunks, End::Done);
    check_response(&events, End::Done);
    events.iter().map(line).collect()
}

#[test]
fn a_text_comes_out_in_order() {
    let chunks = [vec![text("Hel"), text("lo\n\"é\"")], end("stop")].concat();
    let expected = [
        "created",
        "in_progress",
        "output_item.added 0 message",
        "content_part.added 0 output_text",
        "output_text.delta 0 Hel",
        "output_text.delta 0 lo\n\"é\"",
        "output_text.done 0 Hello\n\"é\"",
        "content_part.done 0 output_text",
        "output_item.done 0 message",
        "completed",
    ];
    assert_eq!(lines(&json!({}), &chunks), expected);
}

#[test]
fn a_thought_then_a_text_then_calls() {
    let chunks = [
        vec![
            delta(r#""reasoning":"The ","reasoning_details":[{"type":"reasoning.text","text":"The ","index":0}]"#),
            delta(r#""reasoning":"user.","reasoning_details":[{"type":"reasoning.text","text":"user.","index":0}]"#),
            text("Let me see."),
            call(0, "ls", ""),
            call(0, "", "{\"a\":"),
            call(0, "", "1}"),
            call(1, "cat", "{}"),
        ],
        end("tool_calls"),
    ]
    .concat();
    let expected = [
        "created",
        "in_progress",
        "output_item.added 0 reasoning",
        "reasoning_summary_part.added 0 summary_text",
        "reasoning_summary_text.delta 0 The ",
        "reasoning_summary_text.delta 0 user.",
        "reasoning_summary_text.done 0 The user.",
        "reasoning_summary_part.done 0 summary_text",
        "output_item.done 0 reasoning",
        "output_item.added 1 message",
        "content_part.added 1 output_text",
        "output_text.delta 1 Let me see.",
        "output_text.done 1 Let me see.",
        "content_part.done 1 output_text",
        "output_item.done 1 message",
        "output_item.added 2 function_call",
        "function_call_arguments.delta 2 {\"a\":",
        "function_call_arguments.delta 2 1}",
        "output_item.added 3 function_call",
        "function_call_arguments.delta 3 {}",
        "function_call_arguments.done 2 {\"a\":1}",
        "output_item.done 2 function_call",
        "function_call_arguments.done 3 {}",
        "output_item.done 3 function_call",
        "completed",
    ];
    assert_eq!(lines(&json!({}), &chunks), expected);
    let events = play(reply(&json!({})), &chunks, End::Done);
    let item = &events[8]["item"];
    assert_eq!(
        item["encrypted_content"],
        Value::Null,
        "nobody asked for it"
    );
    let sealed = json!({"include": ["reasoning.encrypted_content"]});
    let events = play(reply(&sealed), &chunks, End::Done);
    let expected = json!({"id": "rs_1a2b_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "The user."}],
        "encrypted_content": r#"flp1.[{"type":"reasoning.text","text":0,"index":0}]"#});
    assert_eq!(events[8]["item"], expected);
}

#[test]
fn calls_side_by_side_keep_apart() {
    let chunks = [
        vec![
            call(0, "a", "{\"x"),
            call(1, "b", "{\"y"),
            call(0, "", "\":1}"),
            text("meanwhile"),
            call(1, "", "\":2}"),
        ],
        end("tool_calls"),
    ]
    .concat();
    let expected = [
        "output_item.added 0 function_call",
        "function_call_arguments.delta 0 {\"x",
        "output_item.added 1 function_call",
        "function_call_arguments.delta 1 {\"y",
        "function_call_arguments.delta 0 \":1}",
        "output_item.added 2 message",
        "content_part.added 2 output_text",
        "output_text.delta 2 meanwhile",
        "output_text.done 2 meanwhile",
        "content_part.done 2 output_text",
        "output_item.done 2 message",
        "function_call_arguments.delta 1 \":2}",
        "function_call_arguments.done 0 {\"x\":1}",
        "output_item.done 0 function_call",
        "function_call_arguments.done 1 {\"y\":2}",
        "output_item.done 1 function_call",
        "completed",
    ];
    assert_eq!(lines(&json!({}), &chunks)[2..], expected);
}

#[test]
fn a_freeform_tools_input_is_unwrapped_as_it_comes() {
    let tools = json!({"tools": [{"type": "custom", "name": "apply_patch"},
        {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "close"}]}]});
    let chunks = [
        vec![
            call(0, "apply_patch", "{\"inp"),
            call(0, "", "ut\": \"*** Begin\\"),
            call(0, "", "n+\\u00e9\"}"),
            call(1, "agents__close", "{}"),
        ],
        end("tool_calls"),
    ]
    .concat();
    let expected = [
        "output_item.added 0 custom_tool_call",
        "custom_tool_call_input.delta 0 *** Begin",
        "custom_tool_call_input.delta 0 \n+é",
        "output_item.added 1 function_call",
        "function_call_arguments.delta 1 {}",
        "custom_tool_call_input.done 0 *** Begin\n+é",
        "output_item.done 0 custom_tool_call",
        "function_call_arguments.done 1 {}",
        "output_item.done 1 function_call",
        "completed",
    ];
    assert_eq!(lines(&tools, &chunks)[2..], expected);
    let events = play(reply(&tools), &chunks, End::Done);
    let output = &events.last().unwrap()["response"]["output"];
    let expected = json!([
        {"id": "ctc_1a2b_0", "type": "custom_tool_call", "status": "completed", "call_id": "call_0", "name": "apply_patch", "input": "*** Begin\n+é"},
        {"id": "fc_1a2b_1", "type": "function_call", "status": "completed", "call_id": "call_1", "namespace": "agents", "name": "close", "arguments": "{}"},
    ]);
    assert_eq!(*output, expected);
    // Without an input the arguments are all there is.
    let chunks = [call(0, "apply_patch", "{\"patch\":\"x\"}")];
    let got = lines(&tools, &chunks);
    assert!(got.contains(&"custom_tool_call_input.done 0 {\"patch\":\"x\"}".to_owned()));
    assert!(got.contains(&"custom_tool_call_input.delta 0 {\"patch\":\"x\"}".to_owned()));
}

#[test]
fn the_end_says_how_it_ended() {
    #[rustfmt::skip]
    let rows = [
        ("stop",           "response.completed",  "completed",  json!(null)),
        ("tool_calls",     "response.completed",  "completed",  json!(null)),
        ("length",         "response.incomplete", "incomplete", json!({"reason": "max_output_tokens"})),
        ("content_filter", "response.incomplete", "incomplete", json!({"reason": "content_filter"})),
    ];
    for (reason, kind, status, details) in rows {
        let chunks = [vec![text("x")], end(reason)].concat();
        let events = play(reply(&json!({"temperature": 0.5})), &chunks, End::Done);
        check_response(&events, End::Done);
        let last = events.last().unwrap();
        assert_eq!(last["type"], kind);
        let response = &last["response"];
        assert_eq!(
            (&response["status"], &response["incomplete_details"]),
            (&json!(status), &details)
        );
        assert_eq!(response["output"][0]["status"], status);
        let usage = json!({"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 12,
            "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 21});
        assert_eq!(response["usage"], usage);
        assert_eq!(
            (
                &response["id"],
                &response["model"],
                &response["temperature"]
            ),
            (&json!("resp_1a2b"), &json!("a/b:free"), &json!(0.5))
        );
    }
    // The usage in a chunk of its own, without a choice.
    let chunks = [
        text("x"),
        r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#.into(),
    ];
    let events = play(reply(&json!({})), &chunks, End::Done);
    assert_eq!(
        events.last().unwrap()["response"]["usage"]["total_tokens"],
        3
    );
    let none: [&str; 0] = [];
    let events = play(reply(&json!({})), &none, End::Done);
    assert_eq!(events.last().unwrap()["response"]["usage"], Value::Null);
}

#[test]
fn a_failure_leaves_open_what_is_open() {
    let chunks = [text("Let me."), call(0, "rm", "{\"path\":\"/tmp")];
    let events = play(reply(&json!({})), &chunks, End::Failed);
    check_response(&events, End::Failed);
    let last = events.last().unwrap();
    assert_eq!(last["response"]["status"], "failed");
    assert_eq!(
        last["response"]["output"].as_array().unwrap().len(),
        1,
        "the text, not the call"
    );
    assert_eq!(last["response"]["error"]["code"], "server_error");
    let done = |e: &&Value| e["type"] == "response.output_item.done";
    assert_eq!(events.iter().filter(done).count(), 1);
    let none: [&str; 0] = [];
    let events = play(reply(&json!({})), &none, End::Failed);
    let kinds: Vec<String> = events.iter().map(line).collect();
    assert_eq!(kinds, ["created", "in_progress", "failed"]);
}

#[test]
fn details_without_a_text_go_before_what_they_led_to() {
    let sealed = json!({"include": ["reasoning.encrypted_content"]});
    let details = r#""reasoning_details":[{"type":"reasoning.encrypted","data":"d"}]"#;
    let item = "output_item.added 0 reasoning";
    #[rustfmt::skip]
    let rows = [
        (vec![delta(details), text("x")],             item, "output_item.added 1 message"),
        (vec![delta(details), call(0, "f", "{}")],    item, "output_item.added 1 function_call"),
        (vec![text("x"), delta(details)],             "output_item.added 0 message", "output_item.added 1 reasoning"),
    ];
    for (chunks, first, second) in rows {
        let got = lines(&sealed, &chunks);
        let added: Vec<&String> = got
            .iter()
            .filter(|l| l.starts_with("output_item.added"))
            .collect();
        assert_eq!(added, [first, second]);
    }
    let got = lines(&json!({}), &[delta(details), text("x")]);
    assert_eq!(
        got[2], "output_item.added 0 message",
        "nobody asked for them"
    );
    // Details that have a text are shown where there is no other.
    let chunk = delta(r#""reasoning_details":[{"type":"reasoning.summary","summary":"Hm."}]"#);
    assert!(lines(&sealed, &[chunk]).contains(&"reasoning_summary_text.done 0 Hm.".to_owned()));
}

#[test]
fn logprobs_are_carried() {
    let chunk = r#"{"choices":[{"delta":{"content":"Hi"},"logprobs":{"content":[{"token":"Hi","logprob":-0.1,"top_logprobs":[]}]}}]}"#;
    let events = play(
        reply(&json!({"top_logprobs": 0})),
        &[chunk, chunk],
        End::Done,
    );
    let token = json!({"token": "Hi", "logprob": -0.1, "top_logprobs": []});
    assert_eq!(events[4]["logprobs"], json!([token]));
    let content = &events.last().unwrap()["response"]["output"][0]["content"][0];
    assert_eq!(content["logprobs"], json!([token, token]));
}

#[test]
fn a_plain_answer_is_what_the_stream_ends_with() {
    let answer = json!({"id": "gen-1", "model": "a/b:free", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "Let me see.", "reasoning": "Hm.", "refusal": null,
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "index": 0}],
        "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": "ls", "arguments": "{}"}},
                       {"id": "call_1", "type": "function", "function": {"name": "cat", "arguments": "{\"a\":1}"}}]}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21, "prompt_tokens_details": {"cached_tokens": 4},
                  "completion_tokens_details": {"reasoning_tokens": 5}}});
    let chunks = [
        vec![
            delta(r#""reasoning":"Hm.","reasoning_details":[{"type":"reasoning.text","text":"Hm.","index":0}]"#),
            text("Let me see."),
            call(0, "ls", "{}"),
            call(1, "cat", "{\"a\":1}"),
        ],
        end("tool_calls"),
    ]
    .concat();
    let reply = reply(&json!({"include": ["reasoning.encrypted_content"]}));
    let plain = reply.plain(answer.to_string().as_bytes(), &ids()).unwrap();
    let plain: Value = serde_json::from_slice(&plain).unwrap();
    let events = play(reply.clone(), &chunks, End::Done);
    assert_eq!(plain, events.last().unwrap()["response"]);
    assert_eq!(plain["status"], "completed");
    let text = |bad: &[u8]| reply.plain(bad, &ids()).unwrap_err().to_string();
    assert_eq!(text(b"<html>"), "the answer is not valid JSON at byte 0");
    assert_eq!(text(b"{\"choices\":[]}"), "the answer has no choices");
}

#[test]
fn a_failure_has_a_code_that_clients_know() {
    let failure = |code, kind, message| crate::surface::Failure {
        code,
        kind,
        message,
    };
    #[rustfmt::skip]
    let rows = [
        (failure("upstream_error", "upstream_error", "It broke off."),                   "server_error"),
        (failure("rate_limited", "upstream_error", "Slow down."),                        "rate_limit_exceeded"),
        (failure("account_rate_limited", "rate_limit_error", "The quota is gone."),      "rate_limit_exceeded"),
        (failure("all_models_unavailable", "server_error", "All rest."),                 "server_error"),
        (failure("no_capable_model", "invalid_request_error", "None can."),              "invalid_prompt"),
        (failure("upstream_error", "upstream_error", "This endpoint's maximum context length is 9 tokens"), "context_length_exceeded"),
    ];
    for (failure, code) in rows {
        assert_eq!(responses::code_of(&failure), code);
    }
}
