use serde_json::{Value, json};

use crate::surface::transcript::{
    End, call, check_response, delta, end, id, play, text, thought_text_and_calls, with,
};
use crate::surface::{Reply, responses};

mod endings;

fn reply(more: &Value) -> Reply {
    let body = json!({"model": "auto", "input": "x", "stream": true});
    responses::read(&with(body, more), 128).unwrap().reply
}

/// An event on one line: its kind, its place, and what it adds.
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
fn reasoning_then_text_then_calls() {
    let chunks = thought_text_and_calls();
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
        "function_call_arguments.done 2 {\"a\":1}",
        "output_item.done 2 function_call",
        "function_call_arguments.delta 3 {}",
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
        "it was not asked for"
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
fn a_freeform_tools_input_is_unwrapped_as_it_arrives() {
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
        "custom_tool_call_input.done 0 *** Begin\n+é",
        "output_item.done 0 custom_tool_call",
        "function_call_arguments.delta 1 {}",
        "function_call_arguments.done 1 {}",
        "output_item.done 1 function_call",
        "completed",
    ];
    assert_eq!(lines(&tools, &chunks)[2..], expected);
    let events = play(reply(&tools), &chunks, End::Done);
    let output = &events.last().unwrap()["response"]["output"];
    let expected = json!([
        {"id": "ctc_1a2b_0", "type": "custom_tool_call", "status": "completed", "call_id": id(0, "call_0"), "name": "apply_patch", "input": "*** Begin\n+é"},
        {"id": "fc_1a2b_1", "type": "function_call", "status": "completed", "call_id": id(1, "call_1"), "namespace": "agents", "name": "close", "arguments": "{}"},
    ]);
    assert_eq!(*output, expected);
    // Without an input, the arguments are all there is.
    let chunks = [call(0, "apply_patch", "{\"patch\":\"x\"}")];
    let got = lines(&tools, &chunks);
    assert!(got.contains(&"custom_tool_call_input.done 0 {\"patch\":\"x\"}".to_owned()));
    assert!(got.contains(&"custom_tool_call_input.delta 0 {\"patch\":\"x\"}".to_owned()));
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
        "they were not asked for"
    );
    // Details with text are shown if there is no other text.
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
