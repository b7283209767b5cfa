//! Tool calls that upstreams make carelessly, on both surfaces, streamed and plain: which ids a
//! client gets, what goes upstream again in the next turn, and with which arguments.

use bytes::Bytes;
use serde_json::{Value, json};

use super::transcript::{End, delta, id, ids, play};
use super::{messages, responses};

/// What a client sees of a call: its id, its name and its arguments.
type CallSeen = (String, String, String);

fn told(id: &Value, name: &Value, arguments: &str) -> CallSeen {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(id), text(name), arguments.to_owned())
}

fn of_response(response: &Value) -> Vec<CallSeen> {
    let output = response["output"].as_array().unwrap().iter();
    let calls = output.filter(|item| item["type"] == "function_call");
    calls
        .map(|call| {
            let arguments = call["arguments"].as_str().unwrap();
            told(&call["call_id"], &call["name"], arguments)
        })
        .collect()
}

/// The messages that go upstream when a client sends these calls back, each with a result.
fn next_turn(calls: &[CallSeen]) -> [Value; 2] {
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

/// What each surface makes of these calls, from a stream of the fragments and from a plain answer.
fn answered(fragments: &[Value]) -> [Vec<CallSeen>; 4] {
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
    let mut blocks: Vec<CallSeen> = Vec::new();
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
fn every_call_has_a_unique_id_and_the_upstream_gets_its_own_id_back() {
    let long = format!("tool_0_{}", "x".repeat(60));
    // In a plain answer; a stream may also carry an index, or none.
    #[rustfmt::skip]
    let rows = [
        // ids the upstream gives                     the upstream's ids, recovered from the client's
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
            let expected: Vec<CallSeen> = (0..2)
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
fn arguments_are_sent_once_and_are_an_object() {
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
fn reasoning_and_the_call_it_led_to_stay_together() {
    let long = format!("tool_0_{}", "x".repeat(60));
    // Before or after the call, as upstreams send them.
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

#[test]
fn arguments_in_a_history_are_sent_upstream_as_an_object() {
    #[rustfmt::skip]
    let rows = [
        // arguments                  what is sent upstream
        (json!("{\"a\": 1}"),         r#"{"a": 1}"#),
        (json!(""),                   "{}"),
        (json!("  "),                 "{}"),
        (json!("null"),               "{}"),
        (json!(null),                 "{}"),
        (json!({}),                   "{}"),
        (json!("{\"a\": "),           r#"{"INVALID_JSON":"{\"a\": "}"#),
        (json!("[1]"),                r#"{"INVALID_JSON":"[1]"}"#),
        (json!("ls\n\"x\""),          r#"{"INVALID_JSON":"ls\n\"x\""}"#),
    ];
    for (arguments, expected) in rows {
        let call =
            json!({"type": "function_call", "call_id": "a", "name": "f", "arguments": arguments});
        let used = json!({"type": "tool_use", "id": "a", "name": "f", "input": arguments});
        let items = json!({"input": [call]});
        let blocks = json!({"messages": [{"role": "assistant", "content": [used]}]});
        for chat in [chat_of(&items), chat_of(&blocks)] {
            let function = &chat["messages"][0]["tool_calls"][0]["function"];
            assert_eq!(function["arguments"], expected, "{arguments}");
        }
    }
}

/// The chat completion request for a body of either surface.
fn chat_of(body: &Value) -> Value {
    serde_json::from_slice(&translated(body).chat).unwrap()
}

fn translated(body: &Value) -> super::Translated {
    let bytes = Bytes::from(body.to_string());
    if body.get("input").is_some() {
        responses::read(&bytes, 32).unwrap()
    } else {
        messages::read(&bytes, 32).unwrap()
    }
}

#[test]
fn a_long_name_is_shortened_upstream_wherever_it_occurs_and_comes_back_in_full() {
    let long = |server: &str| format!("mcp__{server}__{}", "read_the_file_".repeat(6));
    let [first, second] = [long("one"), long("two")];
    let dotted = "fs.read".to_owned();
    for name in [&first, &second, &dotted] {
        let tools = |schema: &str| -> Value {
            [&first, &second, &dotted]
                .map(|name| json!({"type": if schema == "parameters" { "function" } else { "custom" }, "name": name, schema: {}}))
                .into_iter()
                .collect()
        };
        let call =
            json!({"type": "function_call", "call_id": "a", "name": name, "arguments": "{}"});
        let used = json!({"type": "tool_use", "id": "a", "name": name, "input": {}});
        let as_response = json!({"input": [call], "tools": tools("parameters"), "tool_choice": {"type": "function", "name": name}});
        let as_message = json!({"messages": [{"role": "assistant", "content": [used]}],
            "tools": tools("input_schema"), "tool_choice": {"type": "tool", "name": name}});
        for body in [as_response, as_message] {
            let translated = translated(&body);
            let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
            let up = chat["tool_choice"]["function"]["name"].as_str().unwrap();
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            assert!(
                up.len() <= 64 && up.chars().all(plain) && up != name,
                "{up}"
            );
            assert_eq!(chat["messages"][0]["tool_calls"][0]["function"]["name"], up);
            let tools = chat["tools"].as_array().unwrap().iter();
            let known: Vec<&Value> = tools.map(|tool| &tool["function"]["name"]).collect();
            assert_eq!(
                known.iter().filter(|known| **known == up).count(),
                1,
                "{known:?}"
            );

            let call = json!({"id": "a", "function": {"name": up, "arguments": "{}"}});
            let plain = json!({"choices": [{"message": {"tool_calls": [call]}}]}).to_string();
            let whole = translated.reply.plain(plain.as_bytes(), &ids()).unwrap();
            let whole: Value = serde_json::from_slice(&whole).unwrap();
            let told = [&whole["output"][0]["name"], &whole["content"][0]["name"]];
            assert!(told.contains(&&json!(name)), "{whole}");
            let chunk = delta(&format!("\"tool_calls\":[{call}]"));
            let events = Value::from(play(translated.reply, &[chunk], End::Done)).to_string();
            assert!(events.contains(&format!("\"name\":\"{name}\"")), "{events}");
        }
    }
}

#[test]
fn two_tools_whose_joined_names_are_equal_stay_distinct() {
    let tool = |name: &str| json!({"type": "function", "name": name});
    let space =
        |name: &str, tools: Value| json!({"type": "namespace", "name": name, "tools": tools});
    let long = "n".repeat(70);
    let tools = json!([
        space("a", json!([tool("b__c"), tool("_d")])),
        space("a__b", json!([tool("c")])),
        space("a_", json!([tool("d")])),
        space(&format!("{long}1"), json!([tool("f")])),
        space(&format!("{long}2"), json!([tool("f")])),
    ]);
    let chat = chat_of(&json!({"input": "x", "tools": tools}));
    let names = chat["tools"].as_array().unwrap().iter();
    let names: std::collections::HashSet<&str> = names
        .map(|tool| tool["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(names.contains("a__b__c") && names.iter().all(|name| name.len() <= 64));
}

#[test]
fn a_pattern_that_strict_hosts_reject_is_left_out_and_reported() {
    let strict = json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string", "pattern": "^(?!x)"}},
        "pattern": {"type": "string", "pattern": "\\p{L}"}, "b": {"pattern": "^[a-z]+$"}}});
    let loose = json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}},
        "pattern": {"type": "string"}, "b": {"pattern": "^[a-z]+$"}}});
    let format = json!({"type": "json_schema", "schema": strict});
    #[rustfmt::skip]
    let rows = [
        (json!({"input": "x", "tools": [{"type": "function", "name": "f", "parameters": strict}]}), "/tools/0/function/parameters"),
        (json!({"messages": [], "tools": [{"name": "f", "input_schema": strict}]}),                 "/tools/0/function/parameters"),
        (json!({"input": "x", "text": {"format": {"type": "json_schema", "name": "n", "schema": strict}}}),
                                                                                                    "/response_format/json_schema/schema"),
        (json!({"messages": [], "output_config": {"format": format}}),                             "/response_format/json_schema/schema"),
    ];
    for (body, place) in rows {
        let translated = translated(&body);
        let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
        assert_eq!(chat.pointer(place), Some(&loose), "{body}");
        assert!(translated.dropped.names().eq(["pattern"]), "{body}");
    }
}
