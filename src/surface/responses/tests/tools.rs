//! How tools are handled.

use serde_json::{Value, json};

use super::super::tools::joined;
use super::{fields, translate};

#[test]
fn tools_are_carried_as_functions() {
    let f = json!({"type": "function", "name": "f", "description": "F", "parameters": {"type": "object"}, "strict": false});
    let carried_f = json!({"type": "function", "function": {"name": "f", "description": "F", "parameters": {"type": "object"}, "strict": false}});
    let patch = json!({"type": "custom", "name": "apply_patch", "description": "Patch \"it\".",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"x\"\n"}});
    let carried_patch = json!({"type": "function", "function": {"name": "apply_patch",
        "description": "Patch \"it\".\n\nThe input follows this grammar (lark):\nstart: \"x\"\n",
        "parameters": {"type": "object", "properties": {"input": {"type": "string", "description": "The tool's whole input, as plain text."}},
                       "required": ["input"], "additionalProperties": false}}});
    let space =
        json!({"type": "namespace", "name": "mcp__files", "description": "Files.", "tools": [f]});
    let carried_space = json!({"type": "function", "function": {"name": "mcp__files__f", "description": "F", "parameters": {"type": "object"}, "strict": false}});
    let web = json!({"type": "web_search", "external_web_access": true});
    let search = json!({"type": "tool_search", "execution": "client", "description": "Finds.", "parameters": {"type": "object"}});
    let carried_search = json!({"type": "function", "function": {"name": "tool_search", "description": "Finds.", "parameters": {"type": "object"}}});
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    #[rustfmt::skip]
    let rows = [
        (json!([f]), json!(null), json!({"tools": [carried_f]}), ""),
        (json!([]),  json!("auto"), json!({}), ""),
        (json!([f, web]), json!("auto"), json!({"tools": [carried_f], "tool_choice": "auto"}), "web_search"),
        (json!([web, {"type": "mcp", "server_url": "https://a"}, {"type": "tool_search", "execution": "server"}]), json!("auto"),
            json!({}), "web_search mcp tool_search"),
        (json!([f, search]), json!("auto"), json!({"tools": [carried_f, carried_search], "tool_choice": "auto"}), ""),
        (json!([f, search]), json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "tool_search"}]}),
            json!({"tools": [carried_search], "tool_choice": "auto"}), ""),
        (json!([f, patch, space]), json!("required"), json!({"tools": [carried_f, carried_patch, carried_space], "tool_choice": "required"}), ""),
        (json!([f]), json!({"type": "function", "name": "f"}), json!({"tools": [carried_f], "tool_choice": named("f")}), ""),
        (json!([patch]), json!({"type": "custom", "name": "apply_patch"}), json!({"tools": [carried_patch], "tool_choice": named("apply_patch")}), ""),
        (json!([f, space]), json!({"type": "function", "name": "f", "namespace": "mcp__files"}),
            json!({"tools": [carried_f, carried_space], "tool_choice": named("mcp__files__f")}), ""),
        (json!([f, patch, web]), json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "custom", "name": "apply_patch"}, {"type": "web_search"}]}),
            json!({"tools": [carried_patch], "tool_choice": "required"}), "web_search"),
        (json!([f]), json!({"type": "allowed_tools", "mode": "auto", "tools": []}), json!({}), ""),
    ];
    for (tools, choice, expected, dropped) in rows {
        let body = json!({"input": "x", "tools": tools, "tool_choice": choice});
        let translated = translate(&body).unwrap();
        assert_eq!(fields(body.clone()), expected, "{body}");
        let names: Vec<&str> = translated.dropped.names().collect();
        assert_eq!(names.join(" "), dropped, "{body}");
    }
    let parallel = fields(json!({"tools": [f], "parallel_tool_calls": true}));
    assert_eq!(parallel["parallel_tool_calls"], json!(true));
    assert_eq!(
        fields(json!({"parallel_tool_calls": true})),
        json!({}),
        "without tools it says nothing"
    );
}

#[test]
fn joined_names_fit() {
    let long = "n".repeat(90);
    #[rustfmt::skip]
    let rows = [
        (None,               "f",    "f".to_owned()),
        (Some("a"),          "f",    "a__f".to_owned()),
        (Some("a.b c"),      "f",    "a_b_c__f_#".to_owned()),
        (Some(long.as_str()), "f",   format!("{}_#_{}__f", "n".repeat(27), "n".repeat(24))),
        (Some("a"), long.as_str(),   format!("a__{}_#_{}", "n".repeat(24), "n".repeat(27))),
        (None,      long.as_str(),   format!("{0}_#_{0}", "n".repeat(27))),
    ];
    for (namespace, name, expected) in rows {
        let got = joined(namespace, name);
        let (head, tail) = expected.split_once('#').unwrap_or((&expected, ""));
        assert!(
            got.len() <= 64 && got.starts_with(head) && got.ends_with(tail),
            "{got}"
        );
    }
    let other = format!("{long}n");
    assert_ne!(
        joined(Some(&long), "f"),
        joined(Some(&other), "f"),
        "cut alike, they stay distinct"
    );
}

#[test]
fn tools_defined_in_the_conversation_are_tools() {
    let f = |kind: &str, about: &str| json!({"type": kind, "name": "f", "description": about});
    let space = json!({"type": "namespace", "name": "n", "tools": [f("function", "N")]});
    let user = json!({"role": "user", "content": "x"});
    let additional =
        |tools: Value| json!({"type": "additional_tools", "role": "developer", "tools": tools});
    let found =
        |tools: Value| json!({"type": "tool_search_output", "call_id": "c", "tools": tools});
    #[rustfmt::skip]
    let rows = [
        // tools                  items                                                              names and descriptions       left out
        (json!(null),             vec![additional(json!([f("function", "A"), space])), user.clone()], "f:A n__f:N",                ""),
        (json!([f("function", "A")]), vec![additional(json!([space])), user.clone()],                 "f:A n__f:N",                ""),
        (json!([f("function", "A"), space]), vec![additional(json!([f("function", "B")])), user.clone()], "f:B n__f:N",            ""),
        (json!([f("function", "A")]), vec![user.clone(), found(json!([space])), user.clone()],        "f:A n__f:N",                ""),
        (json!(null),             vec![additional(json!([{"type": "web_search"}, {"type": "telepathy"}, {"type": "function"}, 7])), user.clone()],
                                                                                                      "",                          "web_search telepathy function unnamed"),
        (json!(null),             vec![additional(json!(7)), additional(json!(null)), user.clone()],  "",                          ""),
    ];
    for (tools, input, expected, left_out) in rows {
        let body = json!({"input": input, "tools": tools});
        let translated = translate(&body).unwrap();
        let chat: Value = serde_json::from_slice(&translated.chat).unwrap();
        let tools = chat["tools"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let names = tools.map(|tool| &tool["function"]);
        let names = names.map(|f| text(&f["name"]) + ":" + &text(&f["description"]));
        assert_eq!(names.collect::<Vec<_>>().join(" "), expected, "{body}");
        let names: Vec<&str> = translated.dropped.names().collect();
        assert_eq!(names.join(" "), left_out, "{body}");
    }
}
