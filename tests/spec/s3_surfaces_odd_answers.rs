//! §3: the other APIs besides chat completions, with answers that no well-behaved upstream gives.

use serde_json::{Value, json};
use simulator::Step;

use crate::rig::{Answer, Rig, UPSTREAM_KEY, abc};
use crate::scripts::{JSON, STREAM, pieces};

const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

/// A minimal request that shows reasoning, and accepts it sealed.
fn hello(path: &str, stream: bool) -> Value {
    match path {
        RESPONSES => json!({"input": "Hello!", "stream": stream,
                            "include": ["reasoning.encrypted_content"]}),
        _ => json!({"max_tokens": 99, "stream": stream, "thinking": {"type": "adaptive"},
                    "messages": [{"role": "user", "content": "Hello!"}]}),
    }
}

/// A stream of these deltas, ending with a finish reason.
fn stream(deltas: &[Value]) -> Step {
    let event = |choice: Value| format!("data: {}\n\n", json!({"choices": [choice]}));
    let mut events: Vec<String> = deltas
        .iter()
        .map(|delta| event(json!({"delta": delta})))
        .collect();
    events.push(event(json!({"delta": {}, "finish_reason": "stop"})));
    events.push("data: [DONE]\n\n".to_owned());
    pieces(STREAM, events)
}

/// A plain answer with this message.
fn plain(message: &Value) -> Step {
    let answer = json!({"choices": [{"message": message, "finish_reason": "stop"}]});
    pieces(JSON, [answer.to_string()])
}

async fn answer(path: &str, step: Step, request: &Value) -> Answer {
    let rig = Rig::start(abc().model("a:free", step)).await;
    let answer = rig.post(path, request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// The calls that a client sees in an answer: names and arguments.
fn calls(path: &str, answer: &Answer) -> Vec<(String, String)> {
    let events: Vec<Value> = answer
        .events()
        .iter()
        .filter_map(|event| serde_json::from_str(event).ok())
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if path == RESPONSES {
        let whole = match events.last() {
            Some(last) => last["response"].clone(),
            None => answer.json(),
        };
        let items = whole["output"].as_array().unwrap().iter();
        return items
            .filter(|item| item["type"] == "function_call")
            .map(|item| (text(&item["name"]), text(&item["arguments"])))
            .collect();
    }
    if events.is_empty() {
        let body = answer.json();
        let blocks = body["content"].as_array().unwrap().iter();
        return blocks
            .filter(|block| block["type"] == "tool_use")
            .map(|block| (text(&block["name"]), block["input"].to_string()))
            .collect();
    }
    let mut calls = Vec::new();
    for event in events {
        if event["content_block"]["type"] == "tool_use" {
            calls.push((text(&event["content_block"]["name"]), String::new()));
        } else if let (Some(piece), Some((_, input))) =
            (event["delta"]["partial_json"].as_str(), calls.last_mut())
        {
            input.push_str(piece);
        }
    }
    calls
}

#[tokio::test]
async fn s3_s3_1_a_key_that_comes_in_pieces_is_not_put_together_by_a_translation() {
    let (head, tail) = UPSTREAM_KEY.split_at(UPSTREAM_KEY.len() / 2);
    let detail = |text: &str| json!({"type": "reasoning.text", "text": text, "index": 0});
    let call = |arguments: &str| {
        json!({"tool_calls": [{"index": 0, "id": "c",
                                        "function": {"name": "f", "arguments": arguments}}]})
    };
    let rows = [
        // A text that is closed by what follows it, and one that is closed by the end.
        vec![
            json!({"content": head}),
            json!({"content": tail}),
            call("{}"),
        ],
        vec![json!({"content": head}), json!({"content": tail})],
        vec![
            json!({"reasoning": head}),
            json!({"reasoning": tail}),
            json!({"content": "x"}),
        ],
        vec![
            json!({"reasoning_details": [detail(head)]}),
            json!({"reasoning_details": [detail(tail)]}),
            json!({"content": "x"}),
        ],
        vec![
            json!({"reasoning_details": [detail(head), detail(tail)]}),
            json!({"content": "x"}),
        ],
        vec![
            call(&format!("{{\"a\":\"{head}")),
            call(&format!("{tail}\"}}")),
        ],
    ];
    for path in [RESPONSES, MESSAGES] {
        for deltas in &rows {
            let answer = answer(path, stream(deltas), &hello(path, true)).await;
            assert!(!answer.text().contains(UPSTREAM_KEY), "{path} {deltas:?}");
        }
        let message = json!({"content": "x", "reasoning_details": [detail(head), detail(tail)]});
        let answer = answer(path, plain(&message), &hello(path, false)).await;
        assert!(!answer.text().contains(UPSTREAM_KEY), "{path}");
    }
}

#[tokio::test]
async fn s3_s3_1_a_key_that_is_escaped_within_arguments_is_not_unwrapped() {
    let mut rest = UPSTREAM_KEY.chars();
    let code = u32::from(rest.next().unwrap());
    let spelt = format!("\\u{code:04x}{}", rest.as_str());
    let call = json!({"index": 0, "id": "c",
                      "function": {"name": "sh", "arguments": format!("{{\"input\":\"{spelt}\"}}")}});
    let delta = json!({"tool_calls": [call]});
    let mut request = hello(RESPONSES, true);
    request["tools"] = json!([{"type": "custom", "name": "sh"}]);
    let streamed = answer(RESPONSES, stream(std::slice::from_ref(&delta)), &request).await;
    let events = streamed.events().into_iter();
    let read: Vec<Value> = events
        .filter_map(|e| serde_json::from_str(&e).ok())
        .collect();
    assert!(!json!(read).to_string().contains(UPSTREAM_KEY), "{read:?}");
    let whole = answer(MESSAGES, plain(&delta), &hello(MESSAGES, false)).await;
    assert!(!whole.json().to_string().contains(UPSTREAM_KEY));
}

#[tokio::test]
async fn s3_content_in_parts_is_not_left_out() {
    let parts =
        json!({"content": [{"type": "text", "text": "He\"l"}, {"type": "text", "text": "lo"}]});
    for path in [RESPONSES, MESSAGES] {
        for streamed in [false, true] {
            let step = if streamed {
                stream(std::slice::from_ref(&parts))
            } else {
                plain(&parts)
            };
            let answer = answer(path, step, &hello(path, streamed)).await;
            assert!(answer.text().contains(r#"He\"llo"#), "{path}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn s3_calls_without_index_and_id_are_calls_each() {
    let call =
        |name: &str, arguments: &str| json!({"function": {"name": name, "arguments": arguments}});
    let [first, second] = [call("f", r#"{"a":1}"#), call("f", r#"{"a":2}"#)];
    let expected = [r#"{"a":1}"#, r#"{"a":2}"#].map(|input| ("f".to_owned(), input.to_owned()));
    for path in [RESPONSES, MESSAGES] {
        let deltas = [&first, &second].map(|call| json!({"tool_calls": [call]}));
        let streamed = answer(path, stream(&deltas), &hello(path, true)).await;
        assert_eq!(calls(path, &streamed), expected, "{path}: {streamed:?}");
        let message = json!({"tool_calls": [first, second]});
        let whole = answer(path, plain(&message), &hello(path, false)).await;
        assert_eq!(calls(path, &whole), expected, "{path}: {whole:?}");
    }
}

#[tokio::test]
async fn s3_a_stream_of_calls_without_end_is_ended() {
    let call = |n: usize| json!({"index": n, "id": format!("c{n}"), "function": {"name": "f"}});
    let deltas = |n: usize| [json!({"tool_calls": (0..n).map(call).collect::<Vec<_>>()})];
    for (path, failed) in [(RESPONSES, "response.failed"), (MESSAGES, "error")] {
        let end = format!("event: {failed}\n");
        let enough = answer(path, stream(&deltas(1_000)), &hello(path, true)).await;
        assert!(!enough.text().contains(&end), "{path}");
        assert_eq!(calls(path, &enough).len(), 1_000, "{path}");
        let too_many = answer(path, stream(&deltas(50_000)), &hello(path, true)).await;
        assert!(too_many.text().contains(&end), "{path}");
        assert!(too_many.text().len() < 1 << 20, "{path}");
    }
}

#[tokio::test]
async fn s6_names_and_logprobs_count_as_what_is_held() {
    let long = "n".repeat(50_000);
    let call = |n: usize| {
        json!({"tool_calls": [{"index": n, "id": format!("c{n}"),
                                 "function": {"name": long, "arguments": "{}"}}]})
    };
    let calls: Vec<Value> = (0..30).map(call).collect();
    for path in [RESPONSES, MESSAGES] {
        let limit = [("MAX_ANSWER_BYTES", "1000000")];
        let rig = Rig::with(abc().model("a:free", stream(&calls)), &limit).await;
        let answer = rig.post(path, &hello(path, true)).await;
        assert!(answer.text().contains("too large"), "{path}");
    }
    let token = json!({"token": long, "logprob": -1.0});
    let choice = json!({"delta": {"content": "x"}, "logprobs": {"content": [token]}});
    let event = format!("data: {}\n\n", json!({"choices": [choice]}));
    let script = abc().model("a:free", pieces(STREAM, vec![event; 30]));
    let rig = Rig::with(script, &[("MAX_ANSWER_BYTES", "1000000")]).await;
    let answer = rig.post(RESPONSES, &hello(RESPONSES, true)).await;
    assert!(
        answer.text().contains("too large"),
        "{}",
        answer.text().len()
    );
}

#[tokio::test]
async fn s3_calls_that_are_held_back_do_not_look_dead() {
    let call = |n: usize, arguments: &str| {
        json!({"tool_calls": [{"index": n, "id": format!("c{n}"),
                                 "function": {"name": "f", "arguments": arguments}}]})
    };
    // The first has no arguments yet, so the second cannot begin.
    let deltas = [
        call(0, ""),
        call(1, r#"{"a":"#),
        call(1, "1}"),
        call(0, "{}"),
    ];
    let answer = answer(MESSAGES, stream(&deltas), &hello(MESSAGES, true)).await;
    assert_eq!(
        answer.text().matches("event: ping\n").count(),
        2,
        "{answer:?}"
    );
    let expected = ["{}", r#"{"a":1}"#].map(|input| ("f".to_owned(), input.to_owned()));
    assert_eq!(calls(MESSAGES, &answer), expected);
}

#[tokio::test]
async fn s3_many_allowed_tools_cost_no_more_than_reading_them() {
    let tool = |n: usize| json!({"type": "function", "name": format!("tool_{n}")});
    let named = |from: usize| (from..from + 4_000).map(tool).collect::<Vec<_>>();
    let mut request = hello(RESPONSES, false);
    request["tools"] = named(0).into();
    request["tool_choice"] =
        json!({"type": "allowed_tools", "mode": "auto", "tools": named(3_999)});
    let began = std::time::Instant::now();
    let answer = answer(RESPONSES, plain(&json!({"content": "x"})), &request).await;
    assert!(began.elapsed().as_secs() < 5, "{answer:?}");
}

#[tokio::test]
async fn s3_many_details_cost_no_more_than_reading_them() {
    let detail = |n: usize| json!({"type": "reasoning.text", "text": "a", "index": n});
    let details: Vec<Value> = (0..10_000).map(detail).collect();
    let deltas = [
        json!({"reasoning_details": details}),
        json!({"content": "x"}),
    ];
    for path in [RESPONSES, MESSAGES] {
        let began = std::time::Instant::now();
        let answer = answer(path, stream(&deltas), &hello(path, true)).await;
        assert!(began.elapsed().as_secs() < 5, "{path}");
        assert!(answer.text().contains("flp1."), "{path}");
    }
}
