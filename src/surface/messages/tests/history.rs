//! Histories made elsewhere, with tools that Anthropic ran, or truncated or broken: none is
//! refused.

use serde_json::{Value, json};

use super::translate;
use crate::surface::chat::fitting;

/// The messages that these become with a user's `Go on.` after them, without that one, and what was
/// left out.
fn history(messages: &[Value]) -> (Value, String) {
    let mut messages = messages.to_vec();
    messages.push(json!({"role": "user", "content": "Go on."}));
    let translated = translate(&json!({"messages": messages})).unwrap_or_else(|e| panic!("{e}"));
    let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
    let mut messages = chat["messages"].as_array().unwrap().clone();
    assert_eq!(messages.pop().unwrap()["content"], "Go on.");
    let names: Vec<&str> = translated.dropped.names().collect();
    (json!(messages), names.join(" "))
}

fn user(block: Value) -> Value {
    json!({"role": "user", "content": [block]})
}

fn said(block: Value) -> Value {
    json!({"role": "assistant", "content": [block]})
}

#[test]
fn what_a_server_did_is_a_call_and_its_result() {
    let used = |kind: &str, name: &str| json!({"type": kind, "id": "1", "name": name, "input": {"q": 1}, "server_name": "s"});
    let of =
        |kind: &str, content: Value| json!({"type": kind, "tool_use_id": "1", "content": content});
    let long = "n".repeat(90);
    let cut = format!("This tool can be called now: {}", fitting(&long));
    let document = json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "D"}});
    #[rustfmt::skip]
    let rows = [
        ("server_tool_use", "web_search", of("web_search_tool_result", json!([
             {"type": "web_search_result", "url": "https://a", "title": "A", "encrypted_content": "E"},
             {"type": "web_search_result", "url": "https://b", "title": "B", "encrypted_content": "E"}])),
         "{\"type\":\"web_search_result\",\"url\":\"https://a\",\"title\":\"A\"}\n{\"type\":\"web_search_result\",\"url\":\"https://b\",\"title\":\"B\"}"),
        ("server_tool_use", "web_search", of("web_search_tool_result", json!({"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"})),
         "Error: {\"type\":\"web_search_tool_result_error\",\"error_code\":\"max_uses_exceeded\"}"),
        ("server_tool_use", "web_fetch", of("web_fetch_tool_result", json!({"type": "web_fetch_result", "url": "https://a", "content": document})),
         "https://a\nD"),
        ("server_tool_use", "code_execution", of("code_execution_tool_result", json!({"type": "code_execution_result", "stdout": "2", "return_code": 0})),
         r#"{"type":"code_execution_result","stdout":"2","return_code":0}"#),
        ("server_tool_use", "code_execution", of("code_execution_tool_result", json!({"type": "encrypted_code_execution_result", "encrypted_stdout": "E", "return_code": 0})),
         r#"{"type":"encrypted_code_execution_result","return_code":0}"#),
        ("server_tool_use", "bash_code_execution", of("bash_code_execution_tool_result", json!({"type": "bash_code_execution_result", "stdout": "a"})),
         r#"{"type":"bash_code_execution_result","stdout":"a"}"#),
        ("server_tool_use", "text_editor_code_execution", of("text_editor_code_execution_tool_result", json!({"type": "text_editor_code_execution_view_result", "content": "x"})),
         r#"{"type":"text_editor_code_execution_view_result","content":"x"}"#),
        ("server_tool_use", "tool_search_tool_regex", of("tool_search_tool_result", json!({"type": "tool_search_tool_search_result", "tool_references": []})),
         r#"{"type":"tool_search_tool_search_result","tool_references":[]}"#),
        ("server_tool_use", "advisor", of("advisor_tool_result", json!({"type": "advisor_result", "text": "Do."})), "Do."),
        ("mcp_tool_use",    "find",    of("mcp_tool_result", json!([{"type": "text", "text": "here"}])), "here"),
        ("mcp_tool_use",    "find",    of("mcp_tool_result", json!("here")),                             "here"),
        ("x_tool_use",      "find",    of("x_tool_result", json!(7)),                                    "7"),
        // The client's own, with parts that only its vendor knows.
        ("tool_use",        "ToolSearch", of("tool_result", json!([{"type": "tool_reference", "tool_name": "mcp__a"}, {"type": "tool_reference", "tool_name": "mcp__b"}])),
         "This tool can be called now: mcp__a\nThis tool can be called now: mcp__b"),
        ("tool_use",        "ToolSearch", of("tool_result", json!([{"type": "tool_reference", "tool_name": long}])), cut.as_str()),
        ("tool_use",        "f",       of("tool_result", json!([{"type": "browser_state", "tabs": []}, "bare", 7])), "{\"type\":\"browser_state\",\"tabs\":[]}\nbare\n7"),
        ("tool_use",        "f",       of("tool_result", json!([{"type": "search_result", "title": "T", "source": "https://a", "content": [{"type": "text", "text": "x"}]}])),
         "T\nhttps://a\nx"),
        ("tool_use",        "f",       of("tool_result", json!([{"type": "image", "source": {"type": "file", "file_id": "f"}}])),
         r#"{"type":"image","source":{"type":"file","file_id":"f"}}"#),
        ("tool_use",        "f",       of("tool_result", json!([{"type": "text"}])), r#"{"type":"text"}"#),
        ("tool_use",        "f",       of("tool_result", json!(null)), ""),
    ];
    for (kind, name, shown, content) in rows {
        let call = json!({"id": "1", "type": "function", "function": {"name": name, "arguments": "{\"q\":1}"}});
        let result = json!({"role": "tool", "tool_call_id": "1", "content": content});
        let turn =
            |content: Value| json!({"role": "assistant", "content": content, "tool_calls": [call]});
        // In the user's turn, as a client's tool, or in the model's, as a server runs it.
        let apart = [said(used(kind, name)), user(shown.clone())];
        let expected = json!([turn(json!(null)), result]);
        assert_eq!(history(&apart), (expected, String::new()), "{shown}");
        let text = |text: &str| json!({"type": "text", "text": text});
        let content = json!([text("a"), used(kind, name), shown, text("b")]);
        let whole = [json!({"role": "assistant", "content": content})];
        let last = json!({"role": "assistant", "content": "b"});
        let expected = json!([turn(json!("a")), result, last]);
        assert_eq!(history(&whole), (expected, String::new()), "{shown}");
    }
}

#[test]
fn what_is_not_a_call_is_left_out_and_named() {
    let nothing = json!([]);
    let text = |role: &str, text: &str| json!([{"role": role, "content": text}]);
    let system = |block: Value| json!({"role": "system", "content": [block]});
    #[rustfmt::skip]
    let rows = [
        (said(json!({"type": "compaction", "content": "Done so far."})),     text("assistant", "Done so far."), ""),
        (said(json!({"type": "compaction", "content": null, "encrypted_content": "E"})), nothing.clone(), "compaction"),
        (said(json!({"type": "container_upload", "file_id": "f"})),          nothing.clone(), "container_upload"),
        (user(json!({"type": "container_upload", "file_id": "f"})),          nothing.clone(), "container_upload"),
        (said(json!({"type": "fallback", "from": {}, "to": {}})),            nothing.clone(), "fallback"),
        (said(json!({"type": "mcp_tool_listing", "tools": []})),             nothing.clone(), "mcp_tool_listing"),
        (said(json!({"type": "telepathy"})),                                 nothing.clone(), "telepathy"),
        (user(json!({"type": "telepathy"})),                                 nothing.clone(), "telepathy"),
        (user(json!({"type": "image", "source": {"type": "file", "file_id": "f"}})), nothing.clone(), "image"),
        (user(json!({"type": "image", "source": {"type": "url", "url": "file:///x"}})), nothing.clone(), "image"),
        (user(json!({"type": "document", "source": {"type": "file", "file_id": "f"}})), nothing.clone(), "document"),
        (system(json!({"type": "tool_removal", "tool": {"type": "tool_reference", "name": "f"}})), nothing.clone(), "tool_removal"),
        (system(json!({"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}})), nothing.clone(), ""),
        // Known kinds that are malformed.
        (json!(7),                                                           nothing.clone(), "unnamed"),
        (json!({"content": "x"}),                                            nothing.clone(), "unnamed"),
        (json!({"role": "critic", "content": "x"}),                          nothing.clone(), "unnamed"),
        (json!({"role": "user"}),                                            nothing.clone(), "unnamed"),
        (json!({"role": "user", "content": {}}),                             nothing.clone(), "unnamed"),
        (json!({"role": "assistant", "content": null}),                      nothing.clone(), ""),
        (json!({"role": "system"}),                                          nothing.clone(), ""),
        (user(json!("x")),                                                   nothing.clone(), "unnamed"),
        (user(json!({"type": "text"})),                                      nothing.clone(), "text"),
        (said(json!("x")),                                                   nothing.clone(), "unnamed"),
        (said(json!({"type": "text", "text": null})),                        nothing.clone(), "text"),
        (said(json!({"type": "tool_use", "id": "1", "input": {}})),          nothing.clone(), "tool_use"),
        (said(json!({"type": "tool_use", "id": "1", "name": "", "input": {}})), nothing.clone(), "tool_use"),
        (said(json!({"type": "thinking"})),                                  nothing.clone(), ""),
        (said(json!({"type": "thinking", "thinking": "", "signature": "EqQB"})), nothing.clone(), ""),
        (said(json!({"type": "redacted_thinking", "data": "EqQB"})),         nothing.clone(), ""),
        (json!({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "telepathy"}]}), text("user", "a"), "telepathy"),
    ];
    for (message, expected, dropped) in rows {
        let got = history(std::slice::from_ref(&message));
        assert_eq!(got, (expected, dropped.to_owned()), "{message}");
    }
}

#[test]
fn an_incomplete_call_is_still_a_call() {
    #[rustfmt::skip]
    let rows = [
        (json!({"id": "1", "name": "f"}),                        json!({"tool_use_id": "1"}), "1", "{}"),
        (json!({"name": "f", "input": {"a": 1}}),                json!({}),                   "call_without_id_0", r#"{"a":1}"#),
        (json!({"id": "1", "name": "f", "input": "{\"a\":1}"}),  json!({"tool_use_id": "1", "is_error": "no"}), "1", r#"{"a":1}"#),
        (json!({"id": "1", "name": "f", "input": 7}),            json!({"tool_use_id": "1"}), "1", "{}"),
    ];
    for (mut used, mut shown, id, arguments) in rows {
        used["type"] = json!("tool_use");
        shown["type"] = json!("tool_result");
        let call = json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
        let expected = json!([{"role": "assistant", "content": null, "tool_calls": [call]},
                              {"role": "tool", "tool_call_id": id, "content": ""}]);
        assert_eq!(
            history(&[said(used), user(shown)]),
            (expected, String::new())
        );
    }
}

#[test]
fn only_what_is_asked_last_is_refused() {
    let bad = user(json!({"type": "telepathy"}));
    let fine = json!({"role": "user", "content": "Never mind."});
    let answer = json!({"role": "assistant", "content": "x"});
    let system = json!({"role": "system", "content": "x"});
    #[rustfmt::skip]
    let rows = [
        (json!([bad]),                       Some("messages[0].content[0].type")),
        (json!([fine, bad, system]),         Some("messages[1].content[0].type")),
        (json!([fine, 7]),                   Some("messages[1]")),
        (json!([fine, {"role": "critic", "content": "x"}]), Some("messages[1].role")),
        (json!([bad, fine]),                 None),
        (json!([bad, answer]),               None),
        (json!([fine, answer, {"role": "assistant"}]), None),
        (json!([user(json!({"type": "tool_result", "content": [{"type": "telepathy"}]}))]), None),
    ];
    for (messages, param) in rows {
        let read = translate(&json!({"messages": messages}));
        let refused = read.as_ref().err().and_then(|invalid| invalid.param());
        assert_eq!(refused, param, "{messages}");
    }
}

#[test]
fn tools_that_are_defined_in_the_conversation_are_tools() {
    let f = json!({"name": "f", "input_schema": {"type": "object"}});
    let g = json!({"name": "g", "input_schema": {}});
    let added = |definition: Value| json!({"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_definition", "definition": definition}}]});
    #[rustfmt::skip]
    let rows = [
        (json!([f]), added(g.clone()),                                  "f g", ""),
        (json!([f]), added(f.clone()),                                  "f",   ""),
        (json!(null), added(g),                                         "g",   ""),
        (json!([f]), added(json!({"type": "web_search_20250305", "name": "web_search"})), "f", "web_search_20250305"),
        (json!([f]), added(json!({"type": "telepathy", "name": "t"})),  "f",   "telepathy"),
        (json!([f]), added(json!({"name": "t"})),                       "f",   "unnamed"),
    ];
    for (tools, message, expected, left_out) in rows {
        let hi = json!({"role": "user", "content": "Hi"});
        let body = json!({"messages": [hi, message], "tools": tools});
        let translated = translate(&body).unwrap();
        let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
        let tools = chat["tools"].as_array().unwrap().iter();
        let names: Vec<&str> = tools
            .map(|t| t["function"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.join(" "), expected);
        let names: Vec<&str> = translated.dropped.names().collect();
        assert_eq!(names.join(" "), left_out);
    }
}

/// It differs with each call, and no host could cache the beginning of such a prompt.
#[test]
fn the_first_line_with_anthropics_billing_is_removed() {
    let billing = "x-anthropic-billing-header: cc_version=2.1; cch=0f3a;";
    let text = |text: &str| json!({"type": "text", "text": text});
    #[rustfmt::skip]
    let rows = [
        (json!([text(billing), text("Be good.")]),                json!("Be good.")),
        (json!(format!("{billing}\nBe good.")),                   json!("Be good.")),
        (json!([text(billing)]),                                  Value::Null),
        (json!(billing),                                          Value::Null),
        // Nowhere else.
        (json!([text("Be good."), text(billing)]),                json!(format!("Be good.\n\n{billing}"))),
        (json!(format!("Be good.\n{billing}")),                   json!(format!("Be good.\n{billing}"))),
    ];
    for (system, expected) in rows {
        let translated = translate(&json!({"system": system, "messages": []})).unwrap();
        let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
        assert_eq!(chat["messages"][0]["content"], expected, "{system}");
    }
}
