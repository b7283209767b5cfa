//! A translated body or answer is never larger than a fixed multiple of what came in, whatever that
//! contains: the multiple stated in `docs/surfaces.md`.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::transcript::ids;
use super::{BadAnswer, Invalid, Reply, Translated, messages, responses};
use crate::request::{MAX_MESSAGES, MAX_PARTS, MAX_STOPS, MAX_TOOLS};

/// The largest allowed multiple of the input.
const MULTIPLE: usize = 4;

/// The allowance for each part, tool or message; there may be [`MAX_PARTS`] of them.
const AROUND: usize = 256;

/// The allowance for an answer, in which calls are counted.
const BESIDES: usize = 1 << 20;

fn check(made: usize, of: usize, besides: usize) -> Result<(), String> {
    (made <= MULTIPLE * of + besides)
        .then_some(())
        .ok_or_else(|| format!("{made} bytes of {of}"))
}

fn read(body: &str) -> Result<Translated, Invalid> {
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    if body.contains("\"input\":") && !body.contains("\"messages\":") {
        responses::read(&bytes, 64)
    } else {
        messages::read(&bytes, 64)
    }
}

/// A list with the item repeated `count` times.
fn list(item: &str, count: usize) -> String {
    format!("[{}]", vec![item; count].join(","))
}

/// Shapes in which a small item may be repeated thousands of times: the surroundings, and the item.
#[rustfmt::skip]
const HOSTILE: [(&str, &str); 22] = [
    (r#"{"messages":*}"#,                                                  r#"{"role":"user","content":"x"}"#),
    (r#"{"messages":*}"#,                                                  r#"{"role":"system","content":"x"}"#),
    (r#"{"messages":[{"role":"user","content":*}]}"#,                      r#"{"type":"text","text":"x"}"#),
    (r#"{"messages":[{"role":"user","content":*}]}"#,                      r#"{"type":"tool_result","tool_use_id":""}"#),
    (r#"{"messages":[{"role":"user","content":*}]}"#,                      r#"{"type":"document","title":"x","context":"x","source":{"type":"text","data":"x"}}"#),
    (r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"","content":*}]}]}"#, r#"{"type":"image","source":{"type":"url","url":"http:"}}"#),
    (r#"{"messages":[{"role":"assistant","content":*}]}"#,                 r#"{"type":"tool_use","name":"."}"#),
    (r#"{"messages":[{"role":"assistant","content":*}]}"#,                 r#"{"type":"tool_use","name":"f","input":"x"}"#),
    (r#"{"messages":[{"role":"assistant","content":*}]}"#,                 r#"{"type":"redacted_thinking","data":""}"#),
    (r#"{"messages":[{"role":"assistant","content":*}]}"#,                 r#"{"type":"thinking","thinking":"tttttttttttttttttttt","signature":"flp1.[{\"text\":0},{\"text\":0},{\"text\":0},{\"text\":0}]"}"#),
    (r#"{"messages":[],"system":*}"#,                                      r#"{"type":"text","text":"x"}"#),
    (r#"{"messages":[],"tools":*}"#,                                       r#"{"name":".","input_schema":{}}"#),
    (r#"{"messages":[],"stop_sequences":*}"#,                              r#""a""#),
    (r#"{"input":*}"#,                                                     r#"{"role":"user","content":"x"}"#),
    (r#"{"input":[{"role":"user","content":*}]}"#,                         r#"{"type":"input_text","text":"x"}"#),
    (r#"{"input":*}"#,                                                     r#"{"type":"function_call","name":".","arguments":"x"}"#),
    (r#"{"input":*}"#,                                                     r#"{"type":"custom_tool_call","name":"f","input":"x"}"#),
    (r#"{"input":*}"#,                                                     r#"{"type":"reasoning","encrypted_content":"flp1.[{\"text\":0},{\"text\":0}]","summary":[{"text":"tttttttttttt"}]}"#),
    (r#"{"input":"x","tools":*}"#,                                         r#"{"type":"custom","name":"."}"#),
    (r#"{"input":"x","tools":[{"type":"namespace","name":"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn","tools":*}]}"#, r#"{"type":"function","name":"f"}"#),
    (r#"{"input":[{"type":"tool_search_output","tools":*}]}"#,             r#"{"type":"custom","name":"."}"#),
    (r#"{"input":[{"type":"function_call_output","call_id":"","output":*}]}"#, "0"),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_hostile_body_grows_by_no_more(at in 0..HOSTILE.len(), count in 0..1_000_usize, text in "[\\\\\"nt]{0,4}") {
        let (around, thing) = HOSTILE[at];
        // Its text may be one in which every character has to be escaped.
        let escaped = serde_json::to_string(&text.repeat(9)).unwrap();
        let thing = thing.replace("\"x\"", &escaped);
        let body = around.replace('*', &list(&thing, count));
        if let Ok(translated) = read(&body) {
            let grown = check(translated.chat.len(), body.len(), AROUND * (count + 1));
            prop_assert!(grown.is_ok(), "{thing}: {grown:?}");
        }
    }

    #[test]
    fn a_hostile_answer_grows_by_no_more(at in 0..ANSWERS.len(), count in 0..1_000_usize) {
        let (around, thing) = ANSWERS[at];
        let answer = around.replace('*', &list(thing, count));
        for reply in replies() {
            if let Ok(made) = reply.plain(answer.as_bytes(), &ids()) {
                let grown = check(made.len(), answer.len(), BESIDES);
                prop_assert!(grown.is_ok(), "{thing}: {grown:?}");
            }
            let mut out = Vec::new();
            let mut stream = reply.stream(ids());
            stream.event(answer.replace("message", "delta").as_bytes(), &mut out).unwrap();
            let (grown, held) = (check(out.len(), answer.len(), BESIDES), stream.held());
            prop_assert!(grown.is_ok(), "{thing}: {grown:?}");
            prop_assert!(held == usize::MAX || held <= MULTIPLE * answer.len() + BESIDES);
        }
    }
}

#[rustfmt::skip]
const ANSWERS: [(&str, &str); 9] = [
    (r#"{"choices":[{"message":{"tool_calls":*}}]}"#,        "0"),
    (r#"{"choices":[{"message":{"tool_calls":*}}]}"#,        "{}"),
    (r#"{"choices":[{"message":{"tool_calls":*}}]}"#,        r#"{"function":{"name":"f"}}"#),
    (r#"{"choices":[{"message":{"tool_calls":*}}]}"#,        r#"{"index":0,"function":{"arguments":"x"}}"#),
    (r#"{"choices":[{"message":{"reasoning_details":*}}]}"#, "{}"),
    (r#"{"choices":[{"message":{"reasoning_details":*}}]}"#, r#"{"type":"reasoning.text","text":"\"\""}"#),
    (r#"{"choices":[{"message":{"reasoning_details":*}}]}"#, r#"{"type":"reasoning.summary","index":[],"summary":"x"}"#),
    (r#"{"choices":[{"message":{"content":*}}]}"#,           r#"{"text":"x"}"#),
    (r#"{"choices":*}"#,                                     r#"{"message":{"content":"x"}}"#),
];

fn replies() -> [Reply; 2] {
    let include = json!(["reasoning.encrypted_content"]);
    let as_response = json!({"input": "x", "include": include}).to_string();
    let as_message = json!({"messages": [], "thinking": {"type": "adaptive"}}).to_string();
    [as_response, as_message].map(|body| read(&body).unwrap().reply)
}

#[test]
fn s6_every_list_in_a_translated_body_has_a_maximum_length() {
    let text = r#"{"type":"text","text":""}"#;
    let used = r#"{"type":"tool_use","id":"a","name":"f"}"#;
    #[rustfmt::skip]
    let rows = [
        (r#"{"messages":[],"tools":*}"#,                       r#"{"name":"f","input_schema":{}}"#,     MAX_TOOLS,    r#""tools" has more than 4096 entries"#),
        (r#"{"input":"x","tools":*}"#,                         r#"{"type":"custom","name":"f"}"#,       MAX_TOOLS,    r#""tools" has more than 4096 entries"#),
        (r#"{"input":"x","tools":[{"type":"namespace","name":"n","tools":*}]}"#, r#"{"type":"custom","name":"f"}"#, MAX_TOOLS, r#""tools" has more than 4096 entries"#),
        (r#"{"input":"x","tools":[{"type":"custom","name":"f"}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":*}}"#,
            r#"{"name":"f"}"#,                                                                          MAX_TOOLS,    r#""tool_choice.tools" has more than 4096 entries"#),
        (r#"{"messages":[],"stop_sequences":*}"#,              r#""a""#,                                MAX_STOPS,    r#""stop_sequences" has more than 1024 entries"#),
        (r#"{"messages":*}"#,                                  r#"{"role":"user","content":"x"}"#,      MAX_MESSAGES, r#""messages" has more than 16384 entries"#),
        (r#"{"input":*}"#,                                     r#"{"role":"user","content":"x"}"#,      MAX_MESSAGES, r#""input" has more than 16384 entries"#),
        (r#"{"messages":[{"role":"user","content":*}]}"#,      text,                                    MAX_PARTS,    r#""messages" has more than 65536 parts in all"#),
        (r#"{"messages":[{"role":"assistant","content":*}]}"#, used,                                    MAX_PARTS,    r#""messages" has more than 65536 parts in all"#),
        (r#"{"messages":[],"system":*}"#,                      r#"{"type":"text","text":"a"}"#,         MAX_PARTS,    r#""system" has more than 65536 entries"#),
        (r#"{"input":[{"role":"user","content":*}]}"#,         r#"{"type":"input_text","text":""}"#,    MAX_PARTS,    r#""input" has more than 65536 parts in all"#),
        (r#"{"input":[{"type":"function_call_output","call_id":"","output":*}]}"#, "0",                 MAX_PARTS,    r#""input" has more than 65536 parts in all"#),
    ];
    for (around, thing, most, expected) in rows {
        let body = |count| around.replace('*', &list(thing, count));
        assert!(most > MAX_TOOLS || read(&body(most)).is_ok(), "{expected}");
        let refused = read(&body(most + 1)).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
    let long = "n".repeat(513);
    for (body, place) in [
        (
            json!({"messages": [], "tools": [{"name": long, "input_schema": {}}]}),
            "tools[0].name",
        ),
        (
            json!({"messages": [], "tools": [{"name": "", "input_schema": {}}]}),
            "tools[0].name",
        ),
        (
            json!({"input": "x", "tools": [{"type": "custom", "name": long}]}),
            "tools[0].name",
        ),
        (
            json!({"input": "x", "tools": [{"type": "namespace", "name": long, "tools": []}]}),
            "tools[0].name",
        ),
    ] {
        let refused = read(&body.to_string()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("\"{place}\" must be a name of at most 512 bytes")
        );
    }
}

#[test]
fn an_answer_with_more_than_any_model_gives_is_rejected() {
    let answer = |key: &str, item: &str, count| {
        format!(
            r#"{{"choices":[{{"message":{{"{key}":{}}}}}]}}"#,
            list(item, count)
        )
    };
    #[rustfmt::skip]
    let rows = [
        (answer("tool_calls", "0", 200_000),                      Err(BadAnswer::TooMuch)),
        (answer("tool_calls", r#"{"function":{"name":"f"}}"#, 1_025), Err(BadAnswer::TooMuch)),
        (answer("tool_calls", r#"{"function":{"name":"f"}}"#, 1_024), Ok(1_024)),
        (answer("reasoning_details", "{}", 100_000),                Err(BadAnswer::TooMuch)),
        (answer("tool_calls", "0", 2),                              Ok(0)),
    ];
    for (answer, expected) in rows {
        for reply in replies() {
            let count = |plain: Bytes| {
                let plain: Value = serde_json::from_slice(&plain).unwrap();
                let list = plain["output"].as_array().or(plain["content"].as_array());
                list.unwrap().len()
            };
            // Whatever else it contains.
            for content in ["", "\"content\":\"\",", "\"refusal\":null,"] {
                let answer = answer.replace("\"message\":{", &format!("\"message\":{{{content}"));
                let got = reply.plain(answer.as_bytes(), &ids()).map(count);
                assert_eq!(got, expected, "{answer:.60}");
            }
            if expected.is_err() {
                let said = "\"delta\":{\"content\":\"x\",";
                let mut stream = reply.stream(ids());
                let event = answer.replace("\"message\":{", said);
                stream.event(event.as_bytes(), &mut Vec::new()).unwrap();
                assert_eq!(stream.held(), usize::MAX, "{event:.60}");
            }
        }
    }
}
