//! Properties that hold for any input.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::transcript::{End, call, check_message, check_response, delta, end, ids, play, text};
use super::{EXTRA_DEPTH, Reply, Surface, messages, responses};
use crate::request::ChatRequest;

/// Names and values that the readers look for, arranged in any way.
fn any_body() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 40] = [
        "input",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "tools",
        "tool_choice",
        "name",
        "namespace",
        "call_id",
        "arguments",
        "output",
        "summary",
        "encrypted_content",
        "system",
        "source",
        "data",
        "url",
        "media_type",
        "tool_use_id",
        "tool_calls",
        "choices",
        "delta",
        "message",
        "function",
        "index",
        "id",
        "reasoning",
        "reasoning_details",
        "usage",
        "finish_reason",
        "thinking",
        "signature",
        "input_schema",
        "parameters",
        "error",
        "stream",
        "format",
        "image_url",
    ];
    const WORDS: [&str; 32] = [
        "user",
        "assistant",
        "system",
        "developer",
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "reasoning",
        "input_text",
        "output_text",
        "input_image",
        "input_file",
        "text",
        "image",
        "document",
        "tool_use",
        "tool_result",
        "thinking",
        "redacted_thinking",
        "base64",
        "url",
        "https://a",
        "function",
        "custom",
        "namespace",
        "auto",
        "allowed_tools",
        "enabled",
        "json_schema",
        "flp1.[{\"text\":0}]",
        "",
    ];
    let leaf = prop_oneof![
        3 => prop::sample::select(&WORDS[..]).prop_map(Value::from),
        1 => ".{0,9}".prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(6, 120, 6, |inner| {
        let name = prop::sample::select(&NAMES[..]);
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            3 => prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|m| Value::Object(m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

/// What an upstream sends in one chunk.
#[derive(Clone, Debug)]
enum Say {
    Text(String),
    Refusal(String),
    Thought(String),
    Details(String),
    /// The next piece of a call; the first piece names it.
    Call(usize),
    Nothing,
    UsageAlone,
    End,
}

/// The arguments of the calls, in pieces.
const PIECES: [&[&str]; 3] = [
    &["{\"path\":", " \"}{\\\"", "é\"", "}"],
    &["{", "}"],
    &["{\"input\":\"*** Beg", "in\\", "n\\u00e", "9\"}"],
];
const NAMES: [&str; 3] = ["ls", "cat", "apply_patch"];

fn any_speech() -> impl Strategy<Value = Vec<Say>> {
    let say = prop_oneof![
        3 => "[a-zé\"\\\\\n]{1,6}".prop_map(Say::Text),
        1 => "[a-z]{1,4}".prop_map(Say::Refusal),
        2 => "[a-zé\"]{1,6}".prop_map(Say::Thought),
        1 => "[a-z]{1,4}".prop_map(Say::Details),
        6 => (0..3_usize).prop_map(Say::Call),
        1 => Just(Say::Nothing),
        1 => Just(Say::UsageAlone),
        1 => Just(Say::End),
    ];
    prop::collection::vec(say, 0..24)
}

/// The chunks, and what they add up to: text, reasoning, and each call's arguments so far.
struct Speech {
    chunks: Vec<String>,
    text: String,
    thoughts: String,
    arguments: [String; 3],
    begun: [usize; 3],
}

fn speech(says: &[Say]) -> Speech {
    let mut speech = Speech {
        chunks: Vec::new(),
        text: String::new(),
        thoughts: String::new(),
        arguments: Default::default(),
        begun: [0; 3],
    };
    for say in says {
        speech.chunks.push(match say {
            Say::Text(said) => {
                speech.text.push_str(said);
                text(said)
            }
            Say::Refusal(said) => {
                speech.text.push_str(said);
                delta(&format!(r#""refusal":{}"#, json!(said)))
            }
            Say::Thought(said) => {
                speech.thoughts.push_str(said);
                let said = json!(said);
                delta(&format!(r#""reasoning":{said},"reasoning_details":[{{"type":"reasoning.text","text":{said}}}]"#))
            }
            Say::Details(data) => {
                delta(&format!(r#""reasoning_details":[{{"type":"reasoning.encrypted","data":"{data}"}}]"#))
            }
            Say::Call(at) => {
                let done = speech.begun[*at];
                speech.begun[*at] += 1;
                let piece = PIECES[*at].get(done).copied().unwrap_or_default();
                speech.arguments[*at].push_str(piece);
                let name = if done == 0 { NAMES[*at] } else { "" };
                call(*at, name, piece)
            }
            Say::Nothing => r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#.to_owned(),
            Say::UsageAlone => r#"{"choices":[],"usage":{"prompt_tokens":3}}"#.to_owned(),
            Say::End => end("stop").swap_remove(1),
        });
    }
    speech
}

fn as_response(sealed: bool) -> Reply {
    let include = if sealed {
        json!(["reasoning.encrypted_content"])
    } else {
        json!([])
    };
    let body = json!({"input": "x", "include": include, "tools": [{"type": "custom", "name": "apply_patch"}]});
    responses::read(&Bytes::from(body.to_string()), 9)
        .unwrap()
        .reply
}

fn as_message(thinking: bool) -> Reply {
    let kind = if thinking { "adaptive" } else { "disabled" };
    let body = json!({"messages": [], "thinking": {"type": kind}});
    messages::read(&Bytes::from(body.to_string()), 9)
        .unwrap()
        .reply
}

/// The strings of these events' deltas, joined.
fn brought(events: &[Value], is: impl Fn(&Value) -> bool, key: &str) -> String {
    let of = |e: &Value| {
        e[key]
            .as_str()
            .or(e["delta"][key].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    events.iter().filter(|e| is(e)).map(of).collect()
}

proptest! {
    #[test]
    fn any_order_of_deltas_makes_a_well_formed_response(says in any_speech(), cut in any::<prop::sample::Index>(), failed in any::<bool>(), sealed in any::<bool>()) {
        let says = &says[..cut.index(says.len() + 1)];
        let end = if failed { End::Failed } else { End::Done };
        let speech = speech(says);
        let events = play(as_response(sealed), &speech.chunks, end);
        check_response(&events, end);
        let of = |kinds: &'static [&str]| move |e: &Value| kinds.contains(&e["type"].as_str().unwrap());
        prop_assert_eq!(brought(&events, of(&["response.output_text.delta", "response.refusal.delta"]), "delta"), speech.text);
        prop_assert_eq!(brought(&events, of(&["response.reasoning_summary_text.delta"]), "delta"), speech.thoughts);
        if let End::Done = end {
            let output = events.last().unwrap()["response"]["output"].as_array().unwrap();
            for (name, arguments) in [("ls", &speech.arguments[0]), ("cat", &speech.arguments[1])] {
                let item = output.iter().find(|item| item["name"] == name);
                prop_assert_eq!(item.map_or("", |item| item["arguments"].as_str().unwrap()), arguments);
            }
        }
    }

    #[test]
    fn any_order_of_deltas_makes_a_well_formed_message(says in any_speech(), cut in any::<prop::sample::Index>(), failed in any::<bool>(), thinking in any::<bool>()) {
        let says = &says[..cut.index(says.len() + 1)];
        let end = if failed { End::Failed } else { End::Done };
        let speech = speech(says);
        let events = play(as_message(thinking), &speech.chunks, end);
        check_message(&events, end);
        if let End::Done = end {
            let delta = |e: &Value| e["type"] == "content_block_delta";
            prop_assert_eq!(brought(&events, delta, "text"), speech.text);
            prop_assert_eq!(brought(&events, delta, "thinking"), if thinking { speech.thoughts.as_str() } else { "" });
            for (name, arguments) in NAMES.iter().zip(&speech.arguments) {
                let start = events.iter().find(|e| e["content_block"]["name"] == *name);
                let index = start.map(|e| &e["index"]);
                let got = brought(&events, |e| delta(e) && Some(&e["index"]) == index, "partial_json");
                prop_assert_eq!(&got, arguments);
            }
        }
    }

    /// Nothing panics, and every body that is accepted becomes a request that chat completions
    /// accept too.
    #[test]
    fn an_accepted_body_becomes_a_valid_chat_completion_request(body in any_body(), wrap in 0..3_usize) {
        let body = match wrap {
            0 => body,
            1 => json!({"input": [body.clone(), body.clone()], "tools": [body]}),
            _ => json!({"messages": [{"role": "user", "content": [body.clone()]}, {"role": "assistant", "content": [body.clone()]}], "tools": [body]}),
        };
        let bytes = Bytes::from(body.to_string());
        for read in [responses::read(&bytes, 32), messages::read(&bytes, 32)] {
            match read {
                Ok(translated) => {
                    let depth = 32 + EXTRA_DEPTH;
                    let chat = ChatRequest::read(translated.chat.clone(), depth);
                    prop_assert!(chat.is_ok(), "{:?} {:?}", chat.err(), translated.chat);
                    prop_assert!(serde_json::from_slice::<Value>(&translated.chat).is_ok());
                }
                Err(invalid) => prop_assert!(!invalid.to_string().is_empty()),
            }
        }
        drop(messages::count_tokens(&bytes, 32));
    }

    #[test]
    fn no_answer_causes_a_panic_and_all_output_is_json(body in any_body(), text in ".{0,20}", cut in any::<prop::sample::Index>()) {
        let body = json!({"choices": [{"delta": body.clone(), "message": body.clone(), "finish_reason": body}, body], "usage": body, "model": body}).to_string();
        let damaged = &body.as_bytes()[..cut.index(body.len() + 1)];
        for reply in [as_response(true), as_message(true)] {
            let plain = reply.plain(body.as_bytes(), &ids()).unwrap();
            prop_assert!(serde_json::from_slice::<Value>(&plain).is_ok(), "{plain:?}");
            drop(reply.plain(damaged, &ids()));
            let events = play(reply.clone(), &[&body, &body], End::Done);
            prop_assert!(!events.is_empty());
            for payload in [body.as_bytes(), damaged] {
                let mut out = Vec::new();
                let said = reply.clone().stream(ids()).event(payload, &mut out);
                let same = crate::answer::read_counted(payload, crate::request::Endpoint::Chat);
                let some = |tokens: Option<u64>| tokens.filter(|tokens| *tokens > 0);
                let same = same.map(|(said, used)| {
                    let (prompt, completion) = (some(used.prompt), some(used.completion));
                    (said, crate::answer::Usage { prompt, completion })
                });
                prop_assert_eq!(&said, &same);
                if matches!(said, Err(_) | Ok((crate::answer::Said::Error(_), _))) {
                    prop_assert!(out.is_empty());
                }
            }
        }
        for body in [text, body.clone(), json!({"error": body}).to_string()] {
            let error = Surface::Messages.error(500, &Bytes::from(body), "id");
            prop_assert!(serde_json::from_slice::<Value>(&error).is_ok());
        }
    }
}
