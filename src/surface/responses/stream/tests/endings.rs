//! How a response ends: normally, cut short, with an error; and as a plain answer.

use serde_json::{Value, json};

use super::{line, reply};
use crate::surface::responses;
use crate::surface::transcript::{
    End, call, check_one_choice_alone, check_response, delta, end, ids, play, text,
};

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
fn an_unrequested_choice_is_left_out() {
    check_one_choice_alone(&reply(&json!({"include": ["reasoning.encrypted_content"]})));
}

#[test]
fn a_failure_has_a_code_that_clients_know() {
    let failure = |code, kind, message| crate::surface::StreamError {
        code,
        kind,
        message,
        behind_a_block: false,
    };
    #[rustfmt::skip]
    let rows = [
        (failure("upstream_error", "upstream_error", "It broke off."),                   "server_error"),
        (failure("rate_limited", "upstream_error", "Slow down."),                        "rate_limit_exceeded"),
        (failure("account_rate_limited", "rate_limit_error", "The quota is gone."),      "rate_limit_exceeded"),
        (failure("client_rate_limited", "rate_limit_error", "Your share is gone."),      "rate_limit_exceeded"),
        (failure("all_models_unavailable", "server_error", "All rest."),                 "server_error"),
        (failure("no_capable_model", "invalid_request_error", "None can."),              "invalid_prompt"),
        (failure("upstream_error", "upstream_error", "This endpoint's maximum context length is 9 tokens"), "context_length_exceeded"),
        (failure("context_length_exceeded", "invalid_request_error", "Too much."),       "context_length_exceeded"),
        // What the request said is quoted.
        (failure("400", "invalid_request_error", "Invalid role: 'context window'"),      "invalid_prompt"),
        (failure("upstream_error", "upstream_error", "Tool \"too many tokens\" failed."), "server_error"),
    ];
    for (failure, code) in rows {
        assert_eq!(responses::code_of(&failure), code);
    }
}

/// A search for tools that the client performs: the arguments are an object, and there are no
/// deltas.
#[test]
fn a_search_for_tools_comes_back_as_one() {
    let tools = json!({"tools": [{"type": "tool_search", "execution": "client"}]});
    #[rustfmt::skip]
    let rows = [
        (&["{\"query\":", "\"files\"}"][..], json!({"query": "files"})),
        (&[""],                              json!({})),
        (&["{\"query\":"],                   json!({"INVALID_JSON": "{\"query\":"})),
    ];
    for (pieces, arguments) in rows {
        let first = call(0, "tool_search", pieces[0]);
        let others = pieces[1..].iter().map(|piece| call(0, "", piece));
        let chunks: Vec<String> = std::iter::once(first)
            .chain(others)
            .chain(end("tool_calls"))
            .collect();
        let events = play(reply(&tools), &chunks, End::Done);
        check_response(&events, End::Done);
        let kinds: Vec<String> = events.iter().map(line).collect();
        let expected = [
            "created",
            "in_progress",
            "output_item.added 0 tool_search_call",
            "output_item.done 0 tool_search_call",
            "completed",
        ];
        assert_eq!(kinds, expected);
        let item = |n: usize| &events[n]["item"];
        assert_eq!(item(2)["arguments"], json!({}));
        let (id, call_id) = (&item(3)["id"], &item(3)["call_id"]);
        assert!(id.is_string() && call_id.is_string());
        let expected = json!({"id": id, "type": "tool_search_call", "status": "completed", "call_id": call_id,
                              "execution": "client", "arguments": arguments});
        assert_eq!(*item(3), expected);
    }
}

#[test]
fn settings_that_were_given_in_part_are_echoed_in_full() {
    let text = json!({"format": {"type": "text"}});
    let schema = json!({"type": "json_schema", "name": "n", "schema": {}});
    let reasoning = json!({"effort": null, "summary": null});
    #[rustfmt::skip]
    let rows = [
        ("text",      json!(null),                 text.clone()),
        ("text",      json!({}),                   text.clone()),
        ("text",      json!({"format": null}),     json!({"format": {"type": "text"}})),
        ("text",      json!({"verbosity": "low"}), json!({"format": {"type": "text"}, "verbosity": "low"})),
        ("text",      json!({"format": schema, "verbosity": "low"}), json!({"format": schema, "verbosity": "low"})),
        ("text",      json!({"format": {"type": "json_schema", "name": "n".repeat(2_000), "schema": {}}}), text),
        ("reasoning", json!(null),                 reasoning.clone()),
        ("reasoning", json!({}),                   reasoning),
        ("reasoning", json!({"effort": "low"}),    json!({"effort": "low", "summary": null})),
        ("reasoning", json!({"summary": "auto"}),  json!({"effort": null, "summary": "auto"})),
        ("reasoning", json!({"effort": "low", "context": "x"}), json!({"effort": "low", "summary": null, "context": "x"})),
        // What has no members is as it was given, or has its default.
        ("tool_choice", json!("none"),             json!("none")),
        ("tool_choice", json!(null),               json!("auto")),
        ("parallel_tool_calls", json!(false),      json!(false)),
        ("metadata",  json!({}),                   json!({})),
        ("metadata",  json!(null),                 json!({})),
        ("service_tier", json!(null),              json!("default")),
        ("truncation", json!("auto"),              json!("disabled")),
        ("top_p",     json!(null),                 json!(null)),
    ];
    for (name, given, expected) in rows {
        let none: [&str; 0] = [];
        let mut more = json!({});
        more[name] = given.clone();
        let events = play(reply(&more), &none, End::Done);
        for event in &events {
            assert_eq!(event["response"][name], expected, "{name}: {given}");
        }
    }
}
