//! What the agents really send, abbreviated, and what becomes of it: whole requests, and whole
//! turns there and back.

use bytes::Bytes;
use serde_json::{Value, json};

use super::transcript::{
    End, call, check_message, check_response, delta, end, id, ids, play, text,
};
use super::{EXTRA_DEPTH, Translated, messages, responses};
use crate::model::Capability;
use crate::request::ChatRequest;

const CODEX: &str = include_str!("codex.request.json");
const CLAUDE_CODE: &str = include_str!("claude-code.request.json");

fn codex(body: &str) -> Translated {
    responses::read(&Bytes::copy_from_slice(body.as_bytes()), 128).unwrap()
}

fn claude_code(body: &str) -> Translated {
    messages::read(&Bytes::copy_from_slice(body.as_bytes()), 128).unwrap()
}

fn chat(translated: &Translated) -> Value {
    serde_json::from_slice(&translated.chat).unwrap()
}

fn needs(translated: &Translated) -> Vec<Capability> {
    let chat = ChatRequest::read(translated.chat.clone(), 128 + EXTRA_DEPTH).unwrap();
    chat.needs.capabilities().to_vec()
}

#[test]
fn codex_is_carried() {
    let translated = codex(CODEX);
    let expected: Value = serde_json::from_str(include_str!("codex.chat.json")).unwrap();
    assert_eq!(chat(&translated), expected);
    let dropped: Vec<&str> = translated.dropped.names().collect();
    assert_eq!(dropped, ["web_search"]);
    assert!(translated.stream);
    use Capability::{Images, Reasoning, Tools};
    assert_eq!(needs(&translated), [Tools, Reasoning, Images]);
}

#[test]
fn claude_code_is_carried() {
    let translated = claude_code(CLAUDE_CODE);
    let expected: Value = serde_json::from_str(include_str!("claude-code.chat.json")).unwrap();
    assert_eq!(chat(&translated), expected);
    let dropped: Vec<&str> = translated.dropped.names().collect();
    assert_eq!(dropped, ["web_search_20250305"]);
    use Capability::{Images, Tools};
    assert_eq!(
        needs(&translated),
        [Tools, Images],
        "permission to think is not a requirement"
    );
}

/// What the model thinks and does in a turn comes back in the next turn exactly as the upstream
/// sent it.
#[test]
fn a_turn_comes_back_as_it_was() {
    let details = [
        r#"[{"type":"reasoning.text","text":"Hm, ","format":"x","index":0}]"#,
        r#"[{"type":"reasoning.text","text":"\"yes\".","signature":"s","format":"x","index":0}]"#,
        r#"[{"type":"reasoning.encrypted","data":"d","format":"x","index":1}]"#,
    ];
    let arguments = "{\"input\":\"*** Begin\\n\\\"é\\\"\"}";
    let (first, second) = arguments.split_at(9);
    let chunks = [
        vec![
            delta(&format!(
                r#""reasoning":"Hm, ","reasoning_details":{}"#,
                details[0]
            )),
            delta(&format!(
                r#""reasoning":"\"yes\".","reasoning_details":{}"#,
                details[1]
            )),
            delta(&format!(r#""reasoning_details":{}"#, details[2])),
            text("On it."),
            call(0, "apply_patch", first),
            call(0, "", second),
        ],
        end("tool_calls"),
    ]
    .concat();
    let turn = json!({"role": "assistant", "content": "On it.", "reasoning": "Hm, \"yes\".",
        "reasoning_details": [{"type": "reasoning.text", "text": "Hm, \"yes\".", "format": "x", "index": 0, "signature": "s"},
                              {"type": "reasoning.encrypted", "data": "d", "format": "x", "index": 1}],
        "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": "apply_patch", "arguments": arguments}}]});
    let result = json!({"role": "tool", "tool_call_id": "call_0", "content": "Done."});

    let mut body: Value = serde_json::from_str(CODEX).unwrap();
    body["input"] = json!([{"role": "user", "content": "x"}]);
    let events = play(codex(&body.to_string()).reply, &chunks, End::Done);
    check_response(&events, End::Done);
    let output = events.last().unwrap()["response"]["output"].clone();
    let items = body["input"].as_array_mut().unwrap();
    items.extend(output.as_array().unwrap().clone());
    items.push(
        json!({"type": "custom_tool_call_output", "call_id": id(0, "call_0"), "output": "Done."}),
    );
    let next = chat(&codex(&body.to_string()));
    assert_eq!(
        next["messages"].as_array().unwrap()[1..],
        [turn.clone(), result.clone()]
    );

    let mut body: Value = serde_json::from_str(CLAUDE_CODE).unwrap();
    body["messages"] = json!([{"role": "user", "content": "x"}]);
    let reply = claude_code(&body.to_string()).reply;
    let events = play(reply.clone(), &chunks, End::Done);
    check_message(&events, End::Done);
    let answer = json!({"choices": [{"message": turn}]}).to_string();
    let plain: Value =
        serde_json::from_slice(&reply.plain(answer.as_bytes(), &ids()).unwrap()).unwrap();
    let said = body["messages"].as_array_mut().unwrap();
    said.push(json!({"role": "assistant", "content": plain["content"]}));
    said.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id(0, "call_0"), "content": "Done."}]}));
    let next = chat(&claude_code(&body.to_string()));
    assert_eq!(next["messages"].as_array().unwrap()[2..], [turn, result]);
}
