//! §3: tool calls in both translated APIs, on the wire: their ids, names, schemas and arguments,
//! and excessive ones.

use std::collections::HashSet;

use serde_json::{Value, json};
use simulator::Step;

use crate::rig::{Answer, Rig, abc};
use crate::scripts::{JSON, STREAM, pieces};

const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";
const BOTH: [&str; 2] = [RESPONSES, MESSAGES];

/// A request with the user's text and these tools.
fn request(path: &str, stream: bool, tools: &Value) -> Value {
    match path {
        RESPONSES => {
            json!({"input": [{"role": "user", "content": "Go."}], "stream": stream, "tools": tools})
        }
        _ => json!({"max_tokens": 99, "stream": stream, "tools": tools,
                    "messages": [{"role": "user", "content": "Go."}]}),
    }
}

fn tool(path: &str, name: &str, schema: &Value) -> Value {
    match path {
        RESPONSES => json!({"type": "function", "name": name, "parameters": schema}),
        _ => json!({"name": name, "input_schema": schema}),
    }
}

/// An answer with these calls, as a stream or plain.
fn calls(fragments: &[Value], stream: bool) -> Step {
    if !stream {
        let message = json!({"role": "assistant", "content": null, "tool_calls": fragments});
        let answer = json!({"choices": [{"message": message, "finish_reason": "tool_calls"}]});
        return pieces(JSON, [answer.to_string()]);
    }
    let event = |choice: Value| format!("data: {}\n\n", json!({"choices": [choice]}));
    let fragments = fragments.iter();
    let mut events: Vec<String> = fragments
        .map(|fragment| event(json!({"delta": {"tool_calls": [fragment]}})))
        .collect();
    events.push(event(json!({"delta": {}, "finish_reason": "tool_calls"})));
    events.push("data: [DONE]\n\n".to_owned());
    pieces(STREAM, events)
}

/// The calls that a client sees: ids, names and arguments.
fn told(path: &str, answer: &Answer) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let events: Vec<Value> = answer
        .events()
        .iter()
        .filter_map(|event| serde_json::from_str(event).ok())
        .collect();
    if path == RESPONSES {
        let whole = match events.last() {
            Some(last) => last["response"].clone(),
            None => answer.json(),
        };
        let items = whole["output"].as_array().unwrap().iter();
        return items
            .map(|item| {
                (
                    text(&item["call_id"]),
                    text(&item["name"]),
                    text(&item["arguments"]),
                )
            })
            .collect();
    }
    if events.is_empty() {
        let body = answer.json();
        let blocks = body["content"].as_array().unwrap().iter();
        return blocks
            .map(|block| {
                (
                    text(&block["id"]),
                    text(&block["name"]),
                    block["input"].to_string(),
                )
            })
            .collect();
    }
    let mut calls = Vec::new();
    for event in events {
        let block = &event["content_block"];
        if block["type"] == "tool_use" {
            calls.push((text(&block["id"]), text(&block["name"]), String::new()));
        } else if let (Some(piece), Some((_, _, input))) =
            (event["delta"]["partial_json"].as_str(), calls.last_mut())
        {
            input.push_str(piece);
        }
    }
    calls
}

/// Adds a turn to the request: these calls, and a result of each.
fn go_on(path: &str, request: &mut Value, calls: &[(String, String, String)]) {
    if path == RESPONSES {
        let items = request["input"].as_array_mut().unwrap();
        for (id, name, arguments) in calls {
            items.push(json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}));
        }
        for (id, ..) in calls {
            items.push(json!({"type": "function_call_output", "call_id": id, "output": id}));
        }
        return;
    }
    let used = |(id, name, input): &(String, String, String)| {
        let input: Value = serde_json::from_str(input).unwrap();
        json!({"type": "tool_use", "id": id, "name": name, "input": input})
    };
    let used: Vec<Value> = calls.iter().map(used).collect();
    let results = calls
        .iter()
        .map(|(id, ..)| json!({"type": "tool_result", "tool_use_id": id, "content": id}));
    let results: Vec<Value> = results.collect();
    let messages = request["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": used}));
    messages.push(json!({"role": "user", "content": results}));
}

/// The body of the last completion requested from the upstream.
fn last_up(rig: &Rig) -> Value {
    let asked = rig.simulator.requests();
    let last = asked
        .iter()
        .rev()
        .find(|seen| seen.method == "POST")
        .unwrap();
    serde_json::from_slice(&last.body).unwrap()
}

#[tokio::test]
async fn s3_calls_numbered_anew_each_turn_never_look_like_one_another() {
    // What providers send as ids, the same in every turn.
    let rows = [
        json!(["call_0", "call_1"]),
        json!(["functions.Bash:0", "functions.Bash:0"]),
        json!([7, 7]),
        json!(["", null]),
    ];
    for path in BOTH {
        for stream in [false, true] {
            for given in &rows {
                let fragment = |at: usize| {
                    json!({"index": at, "id": given[at], "type": "function",
                    "function": {"name": "Bash", "arguments": format!("{{\"n\":{at}}}")}})
                };
                let step = calls(&[fragment(0), fragment(1)], stream);
                let rig = Rig::start(abc().model("a:free", step)).await;
                let tools = json!([tool(path, "Bash", &json!({"type": "object"}))]);
                let mut request = request(path, stream, &tools);
                let mut seen = HashSet::new();
                for _ in 0..3 {
                    let answer = rig.post(path, &request).await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let told = told(path, &answer);
                    assert_eq!(told.len(), 2, "{path} {stream} {given}: {answer:?}");
                    for (id, name, _) in &told {
                        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                        assert!(id.len() <= 64 && id.chars().all(plain), "{id}");
                        assert!(
                            seen.insert(id.clone()),
                            "{path} {stream} {given}: {id} again"
                        );
                        assert_eq!(name, "Bash");
                    }
                    go_on(path, &mut request, &told);
                }
                rig.post(path, &request).await;
                // Each result follows its call, with the same id: the upstream's own if it
                // identifies one call.
                let up = last_up(&rig);
                let turn: Vec<&Value> = up["messages"].as_array().unwrap().iter().skip(1).collect();
                for turn in turn.chunks(3) {
                    for at in 0..2 {
                        let id = &turn[0]["tool_calls"][at]["id"];
                        assert_eq!(turn[1 + at]["tool_call_id"], *id, "{up}");
                        let first = given[at].is_string()
                            && given[at] != ""
                            && (at == 0 || given[0] != given[1]);
                        assert_eq!(*id == given[at], first, "{path} {given}: {id}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn s3_whole_arguments_in_the_last_fragment_are_sent_once() {
    let fragment = |arguments: &str| json!({"index": 0, "function": {"arguments": arguments}});
    let begin = json!({"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}});
    let rows: [(&[&str], &str); 4] = [
        (&["{\"a\":", "\"xx\"}", "{\"a\":\"xx\"}"], "{\"a\":\"xx\"}"),
        (&["{\"a\":\"", "x", "x", "\"}"], "{\"a\":\"xx\"}"),
        (&["{}"], "{}"),
        (&[], "{}"),
    ];
    for path in BOTH {
        for (pieces, expected) in rows {
            let mut fragments = vec![begin.clone()];
            fragments.extend(pieces.iter().map(|piece| fragment(piece)));
            let rig = Rig::start(abc().model("a:free", calls(&fragments, true))).await;
            let answer = rig.post(path, &request(path, true, &json!([]))).await;
            let told = told(path, &answer);
            assert_eq!(told.len(), 1, "{answer:?}");
            assert_eq!(told[0].2, expected, "{path} {pieces:?}");
        }
    }
}

#[tokio::test]
async fn s3_names_and_patterns_that_strict_hosts_refuse_do_not_go_up() {
    let name = format!("mcp__{}read_file", "a_server__".repeat(8));
    let schema = json!({"type": "object", "properties": {"path": {"type": "string", "pattern": "^(?!/).+$"}}});
    for path in BOTH {
        for stream in [false, true] {
            let rig = Rig::start(abc()).await;
            let request = request(path, stream, &json!([tool(path, &name, &schema)]));
            let answer = rig.post(path, &request).await;
            assert_eq!(answer.header("x-free-llm-proxy-dropped"), "pattern");
            let function = last_up(&rig)["tools"][0]["function"].clone();
            let up = function["name"].as_str().unwrap().to_owned();
            assert!(up.len() <= 64, "{up}");
            let kept = json!({"type": "object", "properties": {"path": {"type": "string"}}});
            assert_eq!(function["parameters"], kept);
            let call = json!({"index": 0, "id": "a", "function": {"name": up, "arguments": "{}"}});
            let rig = Rig::start(abc().model("a:free", calls(&[call], stream))).await;
            let told = told(path, &rig.post(path, &request).await);
            assert_eq!((told.len(), &told[0].1), (1, &name), "{path} {stream}");
        }
    }
}

#[tokio::test]
async fn s6_a_seal_does_not_multiply_the_text_beside_it() {
    let text = "t".repeat(100_000);
    let seal = format!("flp1.[{}]", vec!["{\"text\":0}"; 3_000].join(","));
    for path in BOTH {
        let body = match path {
            RESPONSES => {
                json!({"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": text}],
                "encrypted_content": seal}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]})
            }
            _ => {
                json!({"max_tokens": 9, "messages": [{"role": "assistant", "content": [{"type": "thinking",
                "thinking": text, "signature": seal}, {"type": "text", "text": "a"}]}, {"role": "user", "content": "b"}]})
            }
        };
        let rig = Rig::start(abc()).await;
        assert_eq!(rig.post(path, &body).await.status, 200);
        let up = last_up(&rig).to_string().len();
        assert!(up < 4 * body.to_string().len(), "{path}: {up}");
    }
}

#[tokio::test]
async fn s6_a_plain_answer_of_calls_without_end_is_the_models_failure() {
    let many: Vec<Value> = vec![json!(0); 500_000];
    for path in BOTH {
        let rig = Rig::start(abc().model("a:free", calls(&many, false))).await;
        let answer = rig.post(path, &request(path, false, &json!([]))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("x-free-llm-proxy-model"), "b:free");
        let trail = Rig::trail(&rig.done());
        assert_eq!(trail, ["a:free upstream_error", "b:free success"]);
    }
}
