//! How a message ends: normally, cut short, with an error; and as a plain answer.

use serde_json::{Value, json};

use super::{reply, thinking};
use crate::surface::transcript::{
    End, FAILURE, call, check_message, check_one_choice_alone, delta, id, ids, play, text,
};
use crate::surface::{StreamError, transcript};

#[test]
fn the_end_says_why() {
    let stops = json!({"stop_sequences": ["END", "STOP"]});
    let one = json!({"stop_sequences": ["END"]});
    let finish = |more: &str| format!(r#"{{"choices":[{{"delta":{{"content":"x"}},{more}}}]}}"#);
    #[rustfmt::skip]
    let rows = [
        (json!({}),  vec![finish(r#""finish_reason":"stop""#)],                               "end_turn",      None),
        (json!({}),  vec![finish(r#""finish_reason":"length""#)],                             "max_tokens",    None),
        (json!({}),  vec![finish(r#""finish_reason":"content_filter""#)],                     "refusal",       None),
        (json!({}),  vec![finish(r#""finish_reason":"tool_calls""#)],                         "end_turn",      None),
        (json!({}),  vec![call(0, "f", "{}"), finish(r#""finish_reason":"stop""#)],           "tool_use",      None),
        (json!({}),  vec![call(0, "f", "{"), finish(r#""finish_reason":"length""#)],          "max_tokens",    None),
        (json!({}),  vec![delta(r#""refusal":"No.""#)],                                       "refusal",       None),
        (stops.clone(), vec![finish(r#""finish_reason":"stop","stop_reason":"STOP""#)],       "stop_sequence", Some("STOP")),
        (stops.clone(), vec![finish(r#""finish_reason":"stop","stop_reason":"other""#)],      "end_turn",      None),
        (one,        vec![finish(r#""finish_reason":"stop","native_finish_reason":"stop_sequence""#)], "stop_sequence", Some("END")),
        (stops,      vec![finish(r#""finish_reason":"stop","native_finish_reason":"stop_sequence""#)], "end_turn", None),
        (json!({}),  vec![],                                                                  "end_turn",      None),
    ];
    for (more, chunks, reason, stop) in rows {
        let events = play(reply(&more), &chunks, End::Done);
        check_message(&events, End::Done);
        let delta = &events[events.len() - 2]["delta"];
        assert_eq!(
            *delta,
            json!({"stop_reason": reason, "stop_sequence": stop}),
            "{chunks:?}"
        );
    }
    let usage_alone = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let events = play(
        reply(&json!({})),
        &[text("x"), usage_alone.into()],
        End::Done,
    );
    assert_eq!(events[events.len() - 2]["usage"]["output_tokens"], 2);
}

#[test]
fn a_failure_is_the_last_event() {
    let chunks = [text("Let me."), call(0, "rm", "{\"path\":\"/tmp")];
    let events = play(reply(&json!({})), &chunks, End::Failed);
    check_message(&events, End::Failed);
    let error =
        json!({"type": "error", "error": {"type": "api_error", "message": FAILURE.message}});
    assert_eq!(*events.last().unwrap(), error);
    let none: [&str; 0] = [];
    assert_eq!(play(reply(&json!({})), &none, End::Failed), [error]);
    let failure = StreamError {
        code: "rate_limited",
        ..FAILURE
    };
    let mut out = Vec::new();
    reply(&json!({})).stream(ids()).fail(&failure, &mut out);
    assert_eq!(
        transcript::events(&out)[0]["error"]["type"],
        "rate_limit_error"
    );
}

#[test]
fn s3_a_failure_that_no_retry_helps_follows_a_complete_block() {
    let failure = StreamError {
        code: "not_retryable",
        kind: "invalid_request_error",
        message: "All rest.",
        behind_a_block: true,
    };
    let mut out = Vec::new();
    reply(&json!({})).stream(ids()).fail(&failure, &mut out);
    let events = transcript::events(&out);
    let kinds: Vec<_> = events.iter().map(|event| &event["type"]).collect();
    let expected = [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "error",
    ];
    assert_eq!(kinds, expected);
    let error = json!({"type": "invalid_request_error", "message": "All rest."});
    assert_eq!(events.last().unwrap()["error"], error);
}

#[test]
fn an_unrequested_choice_is_left_out() {
    check_one_choice_alone(&reply(&thinking()));
}

#[test]
fn a_plain_answer_is_a_message() {
    let answer = |message: Value, reason: &str| {
        json!({"id": "gen-1", "model": "a/b:free", "choices": [{"index": 0, "finish_reason": reason, "message": message}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}})
    };
    let content = |more: &Value, message: Value| {
        let plain = reply(more).plain(answer(message, "stop").to_string().as_bytes(), &ids());
        let plain: Value = serde_json::from_slice(&plain.unwrap()).unwrap();
        (
            plain["content"].clone(),
            plain["stop_reason"].as_str().unwrap().to_owned(),
        )
    };
    let calls = |arguments: Value| json!({"content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]});
    let used =
        |input: Value| json!([{"type": "tool_use", "id": id(0, "c"), "name": "f", "input": input}]);
    let thought = json!({"content": "x", "reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]});
    let text = json!({"type": "text", "text": "x"});
    #[rustfmt::skip]
    let rows = [
        (json!({}),  json!({"content": "x"}),                  json!([text]),            "end_turn"),
        (json!({}),  json!({"content": ""}),                   json!([]),                "end_turn"),
        (json!({}),  thought.clone(),                          json!([text]),            "end_turn"),
        (thinking(), thought,
            json!([{"type": "thinking", "thinking": "Hm.", "signature": r#"flp1.[{"type":"reasoning.text","text":0}]"#}, text]), "end_turn"),
        (thinking(), json!({"content": "x", "reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]}),
            json!([{"type": "redacted_thinking", "data": r#"flp1.[{"type":"reasoning.encrypted","data":"d"}]"#}, text]), "end_turn"),
        (json!({}),  json!({"content": null, "refusal": "No."}), json!([{"type": "text", "text": "No."}]), "refusal"),
        (json!({}),  calls(json!("{\"a\": [1, \"é\"]}")),      used(json!({"a": [1, "é"]})), "tool_use"),
        (json!({}),  calls(json!("")),                         used(json!({})),          "tool_use"),
        (json!({}),  calls(json!({"a": 1})),                   used(json!({"a": 1})),    "tool_use"),
        (json!({}),  calls(json!(null)),                       used(json!({})),          "tool_use"),
        (json!({}),  calls(json!("null")),                     used(json!({})),          "tool_use"),
        (json!({}),  calls(json!("{\"a\":1}{\"a\":1}")),       used(json!({"a": 1})),    "tool_use"),
        (json!({}),  calls(json!("{\"a\": ")),                 used(json!({"INVALID_JSON": "{\"a\": "})), "tool_use"),
        (json!({}),  calls(json!("[1]")),                      used(json!({"INVALID_JSON": "[1]"})), "tool_use"),
        (json!({}),  json!({"tool_calls": [{"function": {"name": "f"}}]}),
            json!([{"type": "tool_use", "id": id(0, ""), "name": "f", "input": {}}]), "tool_use"),
    ];
    for (more, message, expected, reason) in rows {
        assert_eq!(
            content(&more, message.clone()),
            (expected, reason.to_owned()),
            "{message}"
        );
    }
    let plain = reply(&json!({})).plain(
        answer(json!({"content": "x"}), "length")
            .to_string()
            .as_bytes(),
        &ids(),
    );
    let expected = json!({"id": "msg_1a2b", "type": "message", "role": "assistant", "model": "a/b:free", "content": [text],
        "stop_reason": "max_tokens", "stop_sequence": null,
        "usage": {"input_tokens": 9, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 12}});
    assert_eq!(
        serde_json::from_slice::<Value>(&plain.unwrap()).unwrap(),
        expected
    );
    assert!(reply(&json!({})).plain(b"{}", &ids()).is_err());
}
