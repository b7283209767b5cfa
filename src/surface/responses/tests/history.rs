//! Histories made elsewhere, with OpenAI's own tools, or truncated or broken: none is refused.

use serde_json::{Value, json};

use super::translate;
use crate::surface::chat::fitting;

/// The messages that these items become with a user's `Go on.` after them, without that one, and
/// what was left out.
fn history(items: &[Value]) -> (Value, String) {
    let mut input = items.to_vec();
    input.push(json!({"role": "user", "content": "Go on."}));
    let translated = translate(&json!({"input": input})).unwrap_or_else(|e| panic!("{e}"));
    let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
    let mut messages = chat["messages"].as_array().unwrap().clone();
    let last = messages.pop().unwrap();
    let text = |content: &Value| match content.as_array() {
        Some(parts) => parts.last().unwrap()["text"].clone(),
        None => content.clone(),
    };
    assert_eq!(text(&last["content"]), "Go on.");
    if last["content"].is_array() {
        messages.push(last);
    }
    let names: Vec<&str> = translated.dropped.names().collect();
    (json!(messages), names.join(" "))
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]})
}

fn result(id: &str, content: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

const UNKNOWN: &str = "No result of this call is known.";

#[test]
fn what_foreign_tools_did_is_a_call_and_its_result() {
    let picture = json!({"role": "user", "content": [
        {"type": "text", "text": "What the tools above have returned:"},
        {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AAAA"}},
        {"type": "text", "text": "Go on."}]});
    let screen = json!({"role": "user", "content": [
        {"type": "text", "text": "What the tools above have returned:"},
        {"type": "image_url", "image_url": {"url": "https://a/s.png"}},
        {"type": "text", "text": "Go on."}]});
    let long = "n".repeat(90);
    let attached = "(attached to the next user message)";
    #[rustfmt::skip]
    let rows: Vec<(Vec<Value>, Vec<Value>)> = vec![
        // The result is in the call, or none is kept.
        (vec![json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}})],
         vec![call("ws_1", "web_search", r#"{"action":{"type":"search","query":"q"}}"#), result("ws_1", UNKNOWN)]),
        (vec![json!({"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["q"],
                     "results": [{"file_id": "f", "text": "found"}, {"file_id": "g", "score": 1}]})],
         vec![call("fs_1", "file_search", r#"{"queries":["q"]}"#), result("fs_1", "found\n{\"file_id\":\"g\",\"score\":1}")]),
        (vec![json!({"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["q"], "results": null})],
         vec![call("fs_1", "file_search", r#"{"queries":["q"]}"#), result("fs_1", UNKNOWN)]),
        (vec![json!({"type": "code_interpreter_call", "id": "ci_1", "code": "1+1", "container_id": "c", "status": "completed",
                     "outputs": [{"type": "logs", "logs": "2"}]})],
         vec![call("ci_1", "code_interpreter", r#"{"code":"1+1","container_id":"c"}"#), result("ci_1", r#"{"type":"logs","logs":"2"}"#)]),
        (vec![json!({"type": "mcp_call", "id": "mcp_1", "server_label": "docs", "name": "find", "arguments": "{\"q\":1}", "output": "here"})],
         vec![call("mcp_1", "docs__find", r#"{"q":1}"#), result("mcp_1", "here")]),
        (vec![json!({"type": "mcp_call", "id": "mcp_1", "server_label": "docs", "name": "find", "arguments": "{}", "output": null,
                     "error": {"type": "http_error", "code": 500}})],
         vec![call("mcp_1", "docs__find", "{}"), result("mcp_1", r#"Error: {"type":"http_error","code":500}"#)]),
        (vec![json!({"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA", "output_format": "webp",
                     "revised_prompt": "a cat"})],
         vec![call("ig_1", "image_generation", r#"{"output_format":"webp","revised_prompt":"a cat"}"#), result("ig_1", attached), picture]),
        // The result is an item of its own.
        (vec![json!({"type": "local_shell_call", "id": "lsh_1", "call_id": "c", "status": "completed",
                     "action": {"type": "exec", "command": ["ls"], "env": {}}}),
              json!({"type": "local_shell_call_output", "id": "c", "output": "a.txt"})],
         vec![call("c", "local_shell", r#"{"action":{"type":"exec","command":["ls"],"env":{}}}"#), result("c", "a.txt")]),
        (vec![json!({"type": "local_shell_call", "id": "lsh_1", "call_id": "c", "status": "completed", "action": {"type": "exec"}}),
              json!({"type": "local_shell_call_output", "id": "lsh_1", "output": "a.txt"})],
         vec![call("c", "local_shell", r#"{"action":{"type":"exec"}}"#), result("c", "a.txt")]),
        (vec![json!({"type": "local_shell_call", "status": "completed", "action": {"type": "exec"}}),
              json!({"type": "function_call_output", "output": "a.txt"})],
         vec![call("call_without_id_0", "local_shell", r#"{"action":{"type":"exec"}}"#), result("call_without_id_0", "a.txt")]),
        (vec![json!({"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}}),
              json!({"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]})],
         vec![call("c", "shell", r#"{"action":{"commands":["ls"]}}"#),
              result("c", r#"{"stdout":"a","stderr":"","outcome":{"type":"exit","exit_code":0}}"#)]),
        (vec![json!({"type": "apply_patch_call", "call_id": "c", "status": "completed", "operation": {"type": "delete_file", "path": "a"}}),
              json!({"type": "apply_patch_call_output", "call_id": "c", "status": "failed"})],
         vec![call("c", "apply_patch", r#"{"operation":{"type":"delete_file","path":"a"}}"#), result("c", "failed")]),
        (vec![json!({"type": "computer_call", "id": "cu_1", "call_id": "c", "action": {"type": "screenshot"}, "pending_safety_checks": []}),
              json!({"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "image_url": "https://a/s.png"}})],
         vec![call("c", "computer", r#"{"action":{"type":"screenshot"}}"#), result("c", attached), screen]),
        (vec![json!({"type": "computer_call", "id": "cu_1", "call_id": "c", "action": {"type": "screenshot"}}),
              json!({"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "file_id": "f"}})],
         vec![call("c", "computer", r#"{"action":{"type":"screenshot"}}"#), result("c", r#"{"type":"computer_screenshot","file_id":"f"}"#)]),
        (vec![json!({"type": "program", "id": "p", "call_id": "c", "code": "1", "fingerprint": "x"}),
              json!({"type": "program_output", "id": "o", "call_id": "c", "result": "2", "status": "completed"})],
         vec![call("c", "program", r#"{"code":"1"}"#), result("c", "2")]),
        // Searches for tools: OpenAI's have no call ids.
        (vec![json!({"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {"query": "q"}}),
              json!({"type": "tool_search_output", "call_id": "c", "execution": "client", "status": "completed", "tools": [
                  {"type": "function", "name": "f"}, {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "g"}]}]})],
         vec![call("c", "tool_search", r#"{"query":"q"}"#),
              result("c", "This tool can be called now: f\nThis tool can be called now: n__g")]),
        (vec![json!({"type": "tool_search_call", "call_id": null, "execution": "server", "arguments": {"paths": ["n"]}}),
              json!({"type": "tool_search_output", "call_id": null, "execution": "server", "tools": []})],
         vec![call("call_without_id_0", "tool_search", r#"{"paths":["n"]}"#), result("call_without_id_0", "")]),
        // Whatever is invented next.
        (vec![json!({"type": "telepathy_call", "id": "t", "thought": "x", "nothing": null}), json!({"type": "telepathy_call_output", "call_id": "t", "output": 7})],
         vec![call("t", "telepathy", r#"{"thought":"x"}"#), result("t", "7")]),
        // Names that no function can have.
        (vec![json!({"type": "a b\"_call", "id": "t"})], vec![call("t", "ab", "{}"), result("t", UNKNOWN)]),
        (vec![json!({"type": format!("{long}_call"), "id": "t"})], vec![call("t", &fitting(&long), "{}"), result("t", UNKNOWN)]),
    ];
    for (items, expected) in rows {
        assert_eq!(
            history(&items),
            (json!(expected), String::new()),
            "{items:?}"
        );
    }
}

#[test]
fn what_is_not_a_call_is_left_out_and_named() {
    let user = |part: Value| json!({"role": "user", "content": [part]});
    let said = |part: Value| json!({"role": "assistant", "content": [part]});
    #[rustfmt::skip]
    let rows = [
        (json!({"type": "compaction", "encrypted_content": "E"}),                 "compaction"),
        (json!({"type": "compaction_trigger"}),                                   "compaction_trigger"),
        (json!({"type": "configuration_update", "reasoning": {"effort": "low"}}), "configuration_update"),
        (json!({"type": "item_reference", "id": "msg_1"}),                        "item_reference"),
        (json!({"type": "mcp_list_tools", "id": "m", "server_label": "s", "tools": []}), "mcp_list_tools"),
        (json!({"type": "mcp_approval_request", "id": "m", "name": "f", "server_label": "s", "arguments": "{}"}), "mcp_approval_request"),
        (json!({"type": "mcp_approval_response", "approval_request_id": "m", "approve": true}), "mcp_approval_response"),
        (json!({"type": "ghost_snapshot", "ghost_commit": {}}),                   "ghost_snapshot"),
        (json!({"type": "telepathy"}),                                            "telepathy"),
        (json!({"type": "_call", "id": "x"}),                                     "_call"),
        // Known kinds that are malformed.
        (json!(7),                                                                "unnamed"),
        (json!({"type": 7}),                                                      "unnamed"),
        (json!({"content": "x"}),                                                 "unnamed"),
        (json!({"type": "message", "role": "critic", "content": "x"}),            "message"),
        (json!({"type": "message", "role": "user"}),                              "message"),
        (json!({"type": "message", "role": "user", "content": 7}),                "unnamed"),
        (json!({"role": "assistant", "content": null}),                           ""),
        (json!({"role": "system"}),                                               ""),
        (json!({"role": "developer", "content": [{"type": "input_image", "image_url": "https://a"}]}), "input_image"),
        (user(json!({"type": "input_video"})),                                    "input_video"),
        (user(json!({"type": "input_text"})),                                     "input_text"),
        (user(json!({"type": "input_image", "file_id": "f"})),                    "input_image"),
        (user(json!({"type": "input_image", "image_url": "file:///etc/passwd"})), "input_image"),
        (user(json!({"type": "input_file", "file_id": "f"})),                     "input_file"),
        (user(json!("x")),                                                        "unnamed"),
        (said(json!({"type": "output_audio", "data": "A"})),                      "output_audio"),
        (said(json!({"type": "output_text", "text": null})),                      "output_text"),
        (json!({"type": "function_call", "call_id": "c", "arguments": "{}"}),     "function_call"),
        (json!({"type": "reasoning", "summary": [{"type": "summary_text"}, 7], "content": 7}), ""),
        (json!({"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}), ""),
        (json!({"type": "reasoning", "encrypted_content": 7}),                    ""),
    ];
    for (item, expected) in rows {
        let (messages, dropped) = history(std::slice::from_ref(&item));
        assert_eq!(messages, json!([]), "{item}");
        assert_eq!(dropped, expected, "{item}");
    }
}

#[test]
fn what_is_left_of_a_message_is_carried() {
    #[rustfmt::skip]
    let rows = [
        (json!({"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_video"}]}),
         json!({"role": "user", "content": "a"})),
        (json!({"role": "user", "content": ""}), json!(null)),
        (json!({"role": "assistant", "content": [{"type": "output_text", "text": "a"}, {"type": "x"}], "phase": "final", "new": 1}),
         json!({"role": "assistant", "content": "a"})),
        (json!({"type": "function_call_output", "call_id": "c", "output": null}), json!(null)),
    ];
    for (item, expected) in rows {
        let expected = if expected.is_null() {
            json!([])
        } else {
            json!([expected])
        };
        assert_eq!(history(&[item]).0, expected);
    }
    // A call and its result with required members missing.
    #[rustfmt::skip]
    let rows = [
        (json!({"call_id": "c", "name": "f"}),                          json!({"call_id": "c"}),               "c", "{}", ""),
        (json!({"id": "fc_1", "name": "f", "arguments": {"a": 1}}),     json!({"call_id": "fc_1", "output": "x"}), "fc_1", r#"{"a":1}"#, "x"),
        (json!({"name": "f", "arguments": "{}"}),                       json!({"output": "x"}),                "call_without_id_0", "{}", "x"),
        (json!({"call_id": "c", "name": "f", "arguments": "{}"}),       json!({"call_id": "c", "output": {"a": 1}}), "c", "{}", r#"{"a":1}"#),
        (json!({"call_id": "c", "name": "f", "arguments": "{}"}),       json!({"call_id": "c", "output": [{"type": "input_text", "text": "a"}, {"type": "tool_reference", "name": "g"}, "b"]}),
            "c", "{}", "a\n{\"type\":\"tool_reference\",\"name\":\"g\"}\nb"),
    ];
    for (mut made, mut shown, id, arguments, content) in rows {
        made["type"] = json!("function_call");
        shown["type"] = json!("function_call_output");
        let expected = json!([call(id, "f", arguments), result(id, content)]);
        assert_eq!(history(&[made, shown]), (expected, String::new()));
    }
}

#[test]
fn only_what_is_asked_last_is_refused() {
    let bad = json!({"role": "user", "content": [{"type": "input_video"}]});
    let reference = json!({"type": "item_reference", "id": "msg_1"});
    let answer = json!({"role": "assistant", "content": "x"});
    let system = json!({"role": "developer", "content": "x"});
    let result = json!({"type": "function_call_output", "call_id": "c", "output": "x"});
    let user = json!({"role": "user", "content": "Never mind."});
    #[rustfmt::skip]
    let rows = [
        (json!([bad]),                      Some("input[0].content[0].type")),
        (json!([user, bad]),                Some("input[1].content[0].type")),
        (json!([bad, bad, system]),         Some("input[1].content[0].type")),
        (json!([reference]),                Some("input[0].type")),
        (json!([user, {"type": "compaction_trigger"}]), Some("input[1].type")),
        (json!([user, {"type": "mcp_approval_response"}]), Some("input[1].type")),
        (json!([user, 7]),                  Some("input[1]")),
        (json!([user, {"role": "critic"}]), Some("input[1].role")),
        (json!([bad, user]),                None),
        (json!([bad, answer]),              None),
        (json!([bad, result]),              None),
        (json!([reference, user]),          None),
        (json!([user, {"type": "telepathy"}]), None),
    ];
    for (input, param) in rows {
        let read = translate(&json!({"input": input}));
        let refused = read.as_ref().err().and_then(|invalid| invalid.param());
        assert_eq!(refused, param, "{input}");
    }
}

#[test]
fn tools_that_are_found_again_count_once() {
    let found = |from: usize| {
        let tool = |n: usize| json!({"type": "function", "name": format!("f{n}")});
        let tools: Vec<Value> = (from..from + 1_500).map(tool).collect();
        json!({"type": "tool_search_output", "call_id": "c", "tools": tools})
    };
    let counted = |items: Vec<Value>| {
        let translated = translate(&json!({"input": items})).unwrap();
        let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
        let names: Vec<&str> = translated.dropped.names().collect();
        (chat["tools"].as_array().unwrap().len(), names.join(" "))
    };
    assert_eq!(counted(vec![found(0); 9]), (1_500, String::new()));
    let many = [0, 1_500, 3_000, 4_500].map(found).to_vec();
    assert_eq!(counted(many), (4_096, "tools".to_owned()));
}
