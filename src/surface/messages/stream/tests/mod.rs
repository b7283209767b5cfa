use bytes::Bytes;
use serde_json::{Value, json};

use crate::surface::transcript::{
    End, call, check_message, delta, end, id, play, text, thought_text_and_calls, with,
};
use crate::surface::{Reply, messages};

mod endings;

fn reply(more: &Value) -> Reply {
    let body = json!({"model": "claude-x", "messages": [], "stream": true});
    messages::read(&with(body, more), 128).unwrap().reply
}

fn thinking() -> Value {
    json!({"thinking": {"type": "adaptive"}})
}

/// An event on one line: its kind, its index, and what it adds.
fn line(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap();
    let index = &event["index"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match kind {
        "content_block_start" => {
            let block = &event["content_block"];
            let name = text(&block["name"]).map(|name| format!(" {name}"));
            format!(
                "start {index} {}{}",
                block["type"].as_str().unwrap(),
                name.unwrap_or_default()
            )
        }
        "content_block_delta" => {
            let delta = &event["delta"];
            let keys = ["text", "thinking", "signature", "partial_json"];
            let brought = keys.iter().find_map(|key| text(&delta[*key])).unwrap();
            format!("{} {index} {brought}", delta["type"].as_str().unwrap())
        }
        "content_block_stop" => format!("stop {index}"),
        "message_delta" => format!(
            "message_delta {}",
            event["delta"]["stop_reason"].as_str().unwrap()
        ),
        other => other.to_owned(),
    }
}

fn lines(more: &Value, chunks: &[String]) -> Vec<String> {
    let events = play(reply(more), chunks, End::Done);
    check_message(&events, End::Done);
    events.iter().map(line).collect()
}

#[test]
fn a_text_comes_out_in_order() {
    let chunks = [vec![text("Hel"), text("lo\n\"é\"")], end("stop")].concat();
    let expected = [
        "message_start",
        "start 0 text",
        "text_delta 0 Hel",
        "text_delta 0 lo\n\"é\"",
        "stop 0",
        "message_delta end_turn",
        "message_stop",
    ];
    assert_eq!(lines(&json!({}), &chunks), expected);
    let events = play(reply(&json!({})), &chunks, End::Done);
    let usage = json!({"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0});
    let message = json!({"id": "msg_1a2b", "type": "message", "role": "assistant", "model": "a/b:free", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage});
    assert_eq!(events[0]["message"], message);
    let usage = json!({"input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4, "output_tokens": 12});
    assert_eq!(
        events[5],
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": usage})
    );
}

#[test]
fn reasoning_then_text_then_calls() {
    let chunks = thought_text_and_calls();
    let expected = [
        "message_start",
        "start 0 thinking",
        "thinking_delta 0 The ",
        "thinking_delta 0 user.",
        r#"signature_delta 0 flp1.[{"type":"reasoning.text","text":0,"index":0}]"#,
        "stop 0",
        "start 1 text",
        "text_delta 1 Let me see.",
        "stop 1",
        "start 2 tool_use ls",
        "input_json_delta 2 {\"a\":",
        "input_json_delta 2 1}",
        "stop 2",
        "start 3 tool_use cat",
        "input_json_delta 3 {}",
        "stop 3",
        "message_delta tool_use",
        "message_stop",
    ];
    assert_eq!(lines(&thinking(), &chunks), expected);
    let start = &play(reply(&thinking()), &chunks, End::Done)[9];
    assert_eq!(
        start["content_block"],
        json!({"type": "tool_use", "id": id(0, "call_0"), "name": "ls", "input": {}})
    );
    // A client that did not ask for reasoning gets a sign of life for each piece.
    let unasked = lines(&json!({}), &chunks);
    assert_eq!(
        unasked[..4],
        ["message_start", "ping", "ping", "start 0 text"]
    );
}

#[test]
fn fragments_that_alternate_are_put_in_order() {
    let alternating = [
        call(0, "a", "{\"x"),
        call(1, "b", "{\"y"),
        call(0, "", "\":1"),
        call(1, "", "\":2}"),
        call(2, "c", ""),
        call(0, "", "}"),
        call(2, "", "{"),
        text("Now."),
        call(2, "", "}"),
        text(" Then."),
    ];
    let expected = [
        "message_start",
        "start 0 tool_use a",
        "input_json_delta 0 {\"x",
        "ping",
        "input_json_delta 0 \":1",
        "ping",
        "ping",
        "input_json_delta 0 }",
        "stop 0",
        "start 1 tool_use b",
        "input_json_delta 1 {\"y\":2}",
        "stop 1",
        "start 2 tool_use c",
        "input_json_delta 2 {",
        "ping",
        "input_json_delta 2 }",
        "stop 2",
        "start 3 text",
        "text_delta 3 Now.",
        "text_delta 3  Then.",
        "stop 3",
        "message_delta tool_use",
        "message_stop",
    ];
    assert_eq!(lines(&json!({}), &alternating), expected);
    // Calls without arguments, and one that is never complete.
    let chunks = [
        call(0, "a", ""),
        call(1, "b", "{"),
        text("x"),
        call(1, "", "}"),
    ];
    let expected = [
        "message_start",
        "start 0 tool_use a",
        "ping",
        "ping",
        "ping",
        "input_json_delta 0 {}",
        "stop 0",
        "start 1 tool_use b",
        "input_json_delta 1 {}",
        "stop 1",
        "start 2 text",
        "text_delta 2 x",
        "stop 2",
        "message_delta tool_use",
        "message_stop",
    ];
    assert_eq!(lines(&json!({}), &chunks), expected);
    // The name arrives late, or never; something follows the last brace.
    let late = delta(r#""tool_calls":[{"index":0,"function":{"arguments":"{"}}]"#);
    let chunks = [late.clone(), call(0, "a", "}"), text("x"), call(0, "", " ")];
    let got = lines(&json!({}), &chunks);
    assert_eq!(
        got[2..5],
        ["start 0 tool_use a", "input_json_delta 0 {}", "stop 0"]
    );
    let got = lines(&json!({}), &[late]);
    assert_eq!(
        got[2..5],
        ["start 0 tool_use ", "input_json_delta 0 {", "stop 0"]
    );
}

#[test]
fn details_without_a_text_go_before_what_they_led_to() {
    let details = || delta(r#""reasoning_details":[{"type":"reasoning.encrypted","data":"d"}]"#);
    #[rustfmt::skip]
    let rows = [
        (vec![details(), text("x")],          "start 0 redacted_thinking", "start 1 text"),
        (vec![details(), call(0, "f", "{}")], "start 0 redacted_thinking", "start 1 tool_use f"),
        (vec![text("x"), details()],          "start 0 text",              "start 1 redacted_thinking"),
    ];
    for (chunks, first, second) in rows {
        let got = lines(&thinking(), &chunks);
        let started: Vec<&String> = got.iter().filter(|l| l.starts_with("start")).collect();
        assert_eq!(started, [first, second]);
    }
    assert!(
        !lines(&json!({}), &[details(), text("x")])
            .concat()
            .contains("redacted")
    );
}

#[test]
fn a_client_that_asked_for_reasoning_gets_the_model_name_it_asked_for() {
    let model =
        |more: &Value| play(reply(more), &[text("x")], End::Done)[0]["message"]["model"].clone();
    assert_eq!(model(&json!({})), "a/b:free");
    assert_eq!(model(&thinking()), "claude-x");
    assert_eq!(
        model(&json!({"thinking": {"type": "disabled"}})),
        "a/b:free"
    );
}

/// Clients show it until the end says how many there were.
#[test]
fn the_start_estimates_the_input_tokens() {
    let body = json!({"system": "s".repeat(40), "messages": [{"role": "user", "content": "x".repeat(400)}], "stream": true,
                      "tools": [{"name": "f", "description": "d".repeat(40), "input_schema": {}}]});
    let body = Bytes::from(body.to_string());
    let counted = messages::count_tokens(&body, 9).unwrap();
    let counted: Value = serde_json::from_slice(&counted).unwrap();
    let reply = messages::read(&body, 9).unwrap().reply;
    let events = play(reply, &[vec![text("x")], end("stop")].concat(), End::Done);
    let told = &events[0]["message"]["usage"];
    assert_eq!(told["input_tokens"], counted["input_tokens"]);
    assert!(told["input_tokens"].as_u64() > Some(100));
    let last = &events[events.len() - 2]["usage"];
    assert_eq!(last["input_tokens"], 5, "nine, four of them out of a cache");
}
