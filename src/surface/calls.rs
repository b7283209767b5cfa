//! Calls that upstreams make carelessly, by both surfaces, streamed and whole: which ids a client
//! gets, what goes up again in the next turn, and with which arguments.

use bytes::Bytes;
use serde_json::{Value, json};

use super::transcript::{End, delta, id, ids, play};
use super::{messages, responses};

/// What a client is told of a call: its id, its name and its arguments.
type Told = (String, String, String);

fn told(id: &Value, name: &Value, arguments: &str) -> Told {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(id), text(name), arguments.to_owned())
}

fn of_response(response: &Value) -> Vec<Told> {
    let output = response["output"].as_array().unwrap().iter();
    let calls = output.filter(|item| item["type"] == "function_call");
    calls
        .map(|call| {
            let arguments = call["arguments"].as_str().unwrap();
            told(&call["call_id"], &call["name"], arguments)
        })
        .collect()
}

/// The messages of what goes up when a client sends these calls back, each with a result.
fn next_turn(calls: &[Told]) -> [Value; 2] {
    let mut items = Vec::new();
    let (mut said, mut results) = (Vec::new(), Vec::new());
    for (id, name, arguments) in calls {
        items.push(
            json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}),
        );
        let input: Value = serde_json::from_str(arguments).unwrap();
        said.push(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
        results.push(json!({"type": "tool_result", "tool_use_id": id, "content": "x"}));
    }
    for (id, ..) in calls {
        items.push(json!({"type": "function_call_output", "call_id": id, "output": "x"}));
    }
    let chat = |translated: super::Translated| -> Value {
        let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
        chat["messages"].clone()
    };
    let bytes = |body: Value| Bytes::from(body.to_string());
    let messages =
        json!([{"role": "assistant", "content": said}, {"role": "user", "content": results}]);
    [
        chat(responses::read(&bytes(json!({"input": items})), 32).unwrap()),
        chat(messages::read(&bytes(json!({"messages": messages})), 32).unwrap()),
    ]
}

/// What each surface tells of these calls, in a stream of the fragments and in a plain answer.
fn answered(fragments: &[Value]) -> [Vec<Told>; 4] {
    let chunks: Vec<String> = fragments
        .iter()
        .map(|fragment| delta(&format!("\"tool_calls\":[{fragment}]")))
        .collect();
    let plain = json!({"choices": [{"message": {"tool_calls": fragments}}]}).to_string();
    let as_response = responses::read(&Bytes::from_static(b"{\"input\":\"x\"}"), 9).unwrap();
    let as_message = messages::read(&Bytes::from_static(b"{\"messages\":[]}"), 9).unwrap();
    let (as_response, as_message) = (as_response.reply, as_message.reply);
    let whole = |reply: &super::Reply| -> Value {
        serde_json::from_slice(&reply.plain(plain.as_bytes(), &ids()).unwrap()).unwrap()
    };

    let events = play(as_response.clone(), &chunks, End::Done);
    let streamed = of_response(&events.last().unwrap()["response"]);
    let mut blocks: Vec<Told> = Vec::new();
    for event in play(as_message.clone(), &chunks, End::Done) {
        let block = &event["content_block"];
        if block["type"] == "tool_use" {
            blocks.push(told(&block["id"], &block["name"], ""));
        } else if let (Some(piece), Some((_, _, input))) =
            (event["delta"]["partial_json"].as_str(), blocks.last_mut())
        {
            input.push_str(piece);
        }
    }
    let message = whole(&as_message);
    let used = message["content"].as_array().unwrap().iter();
    let used = used.map(|block| told(&block["id"], &block["name"], &block["input"].to_string()));
    [
        streamed,
        of_response(&whole(&as_response)),
        blocks,
        used.collect(),
    ]
}

#[test]
fn every_call_has_an_id_of_its_own_and_the_upstream_gets_back_its_own() {
    let long = format!("tool_0_{}", "x".repeat(60));
    // As a plain answer has them; a stream may have an index besides, or none.
    #[rustfmt::skip]
    let rows = [
        // ids the upstream gives                     its own, as the client's lead back to it
        (json!(["call_a", "call_b"]),                 ["call_a", "call_b"]),
        (json!(["functions.Bash:0", "functions.Bash:1"]), ["functions.Bash:0", "functions.Bash:1"]),
        (json!(["call_0", "call_0"]),                 ["call_0", ""]),
        (json!(["functions.Bash:0", "functions.Bash:0"]), ["functions.Bash:0", ""]),
        (json!([7, 7]),                               ["", ""]),
        (json!(["", ""]),                             ["", ""]),
        (json!([null, null]),                         ["", ""]),
        (json!(["missing", "missing"]),               ["", ""]),
        (json!([long, "b"]),                          [long.as_str(), "b"]),
    ];
    for (given, own) in rows {
        for (index, both) in [(true, true), (true, false), (false, true)] {
            let fragment = |at: usize| {
                let arguments = format!("{{\"n\":{at}}}");
                let mut fragment = json!({"id": given[at], "type": "function", "function": {"name": "f", "arguments": arguments}});
                if given[at] == "missing" {
                    fragment.as_object_mut().unwrap().remove("id");
                }
                if index {
                    fragment["index"] = json!(if both { at } else { 0 });
                }
                fragment
            };
            let expected: Vec<Told> = (0..2)
                .map(|at| (id(at, own[at]), "f".to_owned(), format!("{{\"n\":{at}}}")))
                .collect();
            for told in answered(&[fragment(0), fragment(1)]) {
                assert_eq!(told, expected, "{given} {index} {both}");
            }
            for messages in next_turn(&expected) {
                let up = |at: usize| {
                    let fits = !own[at].is_empty() && own[at] != long;
                    if fits {
                        own[at].to_owned()
                    } else {
                        id(at, own[at])
                    }
                };
                for at in 0..2 {
                    assert_eq!(messages[0]["tool_calls"][at]["id"], up(at));
                    assert_eq!(messages[1 + at]["tool_call_id"], up(at));
                }
            }
        }
    }
}

#[test]
fn arguments_are_told_once_and_are_an_object() {
    let fragments = |pieces: &[Value]| -> Vec<Value> {
        let call = |(n, piece): (usize, &Value)| {
            let mut call = json!({"index": 0, "function": {"arguments": piece}});
            if n == 0 {
                call["id"] = json!("a");
                call["function"]["name"] = json!("f");
            }
            call
        };
        pieces.iter().enumerate().map(call).collect()
    };
    #[rustfmt::skip]
    let rows = [
        (vec![json!("")],                                                   "{}"),
        (vec![json!(null)],                                                 "{}"),
        (vec![json!("{}")],                                                 "{}"),
        (vec![json!("null")],                                               "{}"),
        (vec![json!("{}"), json!("{\"a\":"), json!("1}")],                  r#"{"a":1}"#),
        (vec![json!("{\"a\""), json!(":1}"), json!("{\"a\":1}")],           r#"{"a":1}"#),
        (vec![json!("{\"a\":\""), json!("xx"), json!("xx"), json!("\"}")],  r#"{"a":"xxxx"}"#),
    ];
    for (pieces, expected) in rows {
        let [response, _, message, _] = answered(&fragments(&pieces));
        for told in [response, message] {
            assert_eq!(
                told,
                [(id(0, "a"), "f".to_owned(), expected.to_owned())],
                "{pieces:?}"
            );
        }
    }
}

#[test]
fn a_thought_and_the_call_it_led_to_stay_together() {
    let long = format!("tool_0_{}", "x".repeat(60));
    // Before the call or behind it, as the upstream may send them.
    let details = json!([{"type": "reasoning.encrypted", "data": "d", "id": long, "format": "google-gemini-v1"}]);
    let seal = format!("flp1.{details}");
    let thought = json!({"type": "redacted_thinking", "data": seal});
    let reasoning = json!({"type": "reasoning", "summary": [], "encrypted_content": seal});
    let ours = id(0, &long);
    let used = json!({"type": "tool_use", "id": ours, "name": "f", "input": {}});
    let call = json!({"type": "function_call", "call_id": ours, "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": ours, "output": "x"});
    let result = json!({"type": "tool_result", "tool_use_id": ours, "content": "x"});
    for [blocks, items] in [
        [json!([thought, used]), json!([reasoning, call, output])],
        [json!([used, thought]), json!([call, reasoning, output])],
    ] {
        let messages = json!({"messages": [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]});
        let bytes = |body: Value| Bytes::from(body.to_string());
        for translated in [
            messages::read(&bytes(messages), 32).unwrap(),
            responses::read(&bytes(json!({"input": items})), 32).unwrap(),
        ] {
            let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
            assert_eq!(chat["messages"][0]["reasoning_details"], details);
            assert_eq!(chat["messages"][0]["tool_calls"][0]["id"], long);
            assert_eq!(chat["messages"][1]["tool_call_id"], long);
        }
    }
}
