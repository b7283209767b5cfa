//! Streams played in tests: chunks in, complete events out, and what must hold for every one of
//! them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;

use super::{Ids, Reply, StreamError};

pub(super) const FAILURE: StreamError<'_> = StreamError {
    code: "upstream_error",
    kind: "upstream_error",
    message: "the model's answer broke off before its end",
    behind_a_block: false,
};

pub(super) fn ids() -> Ids {
    Ids {
        id: "1a2b".to_owned(),
        created: 1_790_000_000,
    }
}

/// The id that a client gets for call number `at`, whose id upstream is `own`.
pub(super) fn id(at: usize, own: &str) -> String {
    super::chat::call_id(&ids().id, at, own)
}

/// A chunk with this delta.
pub(super) fn delta(delta: &str) -> String {
    format!(
        r#"{{"id":"gen-1","object":"chat.completion.chunk","created":1790000000,"model":"a/b:free","provider":"X","choices":[{{"index":0,"delta":{{"role":"assistant","content":"",{delta}}},"finish_reason":null,"native_finish_reason":null,"logprobs":null}}]}}"#
    )
}

pub(super) fn text(text: &str) -> String {
    format!(
        r#"{{"id":"gen-1","model":"a/b:free","choices":[{{"index":0,"delta":{{"role":"assistant","content":{}}},"finish_reason":null}}]}}"#,
        Value::from(text)
    )
}

/// A second choice, which was not asked for, with everything that its `delta` or `message` may
/// contain.
fn second(key: &str) -> String {
    format!(
        r#"{{"index":1,"{key}":{{"role":"assistant","content":"2nd","reasoning":"2nd","refusal":"2nd","tool_calls":[{{"index":0,"id":"2nd","type":"function","function":{{"name":"2nd","arguments":"{{}}"}}}}]}},"finish_reason":"length","stop_reason":"2nd","native_finish_reason":"stop_sequence"}}"#
    )
}

/// A fragment of a call; a `name` starts it.
pub(super) fn call(index: usize, name: &str, arguments: &str) -> String {
    let head = if name.is_empty() {
        String::new()
    } else {
        format!(r#""id":"call_{index}","type":"function","#)
    };
    let name = Some(name).filter(|name| !name.is_empty());
    let name = name.map_or(String::new(), |name| format!(r#""name":"{name}","#));
    delta(&format!(
        r#""tool_calls":[{{"index":{index},{head}"function":{{{name}"arguments":{}}}}}]"#,
        Value::from(arguments)
    ))
}

/// A model thinks, says something, and calls two functions.
pub(super) fn thought_text_and_calls() -> Vec<String> {
    let thought = |text: &str| {
        delta(&format!(
            r#""reasoning":"{text}","reasoning_details":[{{"type":"reasoning.text","text":"{text}","index":0}}]"#
        ))
    };
    let chunks = vec![
        thought("The "),
        thought("user."),
        text("Let me see."),
        call(0, "ls", ""),
        call(0, "", "{\"a\":"),
        call(0, "", "1}"),
        call(1, "cat", "{}"),
    ];
    [chunks, end("tool_calls")].concat()
}

/// A client's body with these fields too.
pub(super) fn with(mut body: Value, more: &Value) -> Bytes {
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    Bytes::from(body.to_string())
}

/// The end as recorded: the finish reason twice, the second time with the usage.
pub(super) fn end(reason: &str) -> Vec<String> {
    let usage = r#","usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":5}}"#;
    let chunk = |more: &str| {
        format!(
            r#"{{"id":"gen-1","model":"a/b:free","choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":"{reason}"}}]{more}}}"#
        )
    };
    vec![chunk(""), chunk(usage)]
}

/// How a stream ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Done,
    Failed,
}

/// Plays the chunks and returns the events.
pub(super) fn play<S: AsRef<str>>(reply: Reply, chunks: &[S], end: End) -> Vec<Value> {
    let mut stream = reply.stream(ids());
    let mut out = Vec::new();
    for chunk in chunks {
        stream.event(chunk.as_ref().as_bytes(), &mut out).unwrap();
        let whole = out.is_empty() || out.ends_with(b"\n\n");
        assert!(whole, "only complete events are written");
    }
    match end {
        End::Done => stream.done(&mut out),
        End::Failed => stream.fail(&FAILURE, &mut out),
    }
    events(&out)
}

pub(super) fn events(out: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(out).unwrap();
    let text = text.strip_suffix("\n\n").unwrap_or(text);
    let event = |frame: &str| {
        let (name, data) = frame.split_once('\n').expect(frame);
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).expect(data);
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        data
    };
    text.split("\n\n").map(event).collect()
}

fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap()
}

/// What holds for every message stream, whatever the upstream sent.
pub(super) fn check_message(events: &[Value], end: End) {
    let events: Vec<&Value> = events.iter().filter(|e| kind(e) != "ping").collect();
    let (mut open, mut next) = (None, 0);
    for (n, event) in events.iter().enumerate() {
        let last = n + 1 == events.len();
        match kind(event) {
            "message_start" => assert_eq!(n, 0),
            "content_block_start" => {
                assert_eq!((open, event["index"].as_u64()), (None, Some(next)));
                open = event["index"].as_u64();
            }
            "content_block_delta" => assert_eq!(event["index"].as_u64(), open),
            "content_block_stop" => {
                assert_eq!(event["index"].as_u64(), open.take());
                next += 1;
            }
            "message_delta" => {
                assert!(open.is_none() && n + 2 == events.len());
            }
            "message_stop" => assert!(last && matches!(end, End::Done)),
            "error" => assert!(last && matches!(end, End::Failed)),
            other => panic!("unknown event {other}"),
        }
    }
    let last = kind(events.last().unwrap());
    match end {
        End::Done => assert_eq!(last, "message_stop"),
        End::Failed => assert_eq!(last, "error"),
    }
}

/// What holds for every response stream.
pub(super) fn check_response(events: &[Value], end: End) {
    let mut open: BTreeMap<u64, String> = BTreeMap::new();
    let mut done: BTreeMap<u64, &Value> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for (n, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"].as_u64(), Some(n as u64));
        let at = event["output_index"].as_u64();
        match kind(event) {
            "response.created" => assert_eq!(n, 0),
            "response.in_progress" => assert_eq!(n, 1),
            "response.output_item.added" => {
                let at = at.unwrap();
                assert_eq!(at, ids.len() as u64, "places follow each other");
                let id = event["item"]["id"].as_str().unwrap().to_owned();
                assert!(ids.insert(id.clone()), "ids are unique");
                open.insert(at, id);
            }
            "response.output_item.done" => {
                let at = at.unwrap();
                assert_eq!(event["item"]["id"].as_str(), open.remove(&at).as_deref());
                done.insert(at, &event["item"]);
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                assert_eq!(n + 1, events.len());
                let output = event["response"]["output"].as_array().unwrap();
                assert!(
                    output.iter().eq(done.values().copied()),
                    "the end repeats the items"
                );
            }
            other => {
                let id = event["item_id"].as_str();
                assert_eq!(
                    id,
                    open.get(&at.expect(other)).map(String::as_str),
                    "{other}"
                );
            }
        }
    }
    let last = kind(events.last().unwrap());
    match end {
        End::Done => assert!(
            open.is_empty() && last != "response.failed",
            "{last} {open:?}"
        ),
        End::Failed => assert_eq!(last, "response.failed"),
    }
}

/// A second choice changes nothing, in a stream or in a plain answer, wherever it appears after the
/// first one has said something, and whatever its index is.
pub(super) fn check_one_choice_alone(reply: &Reply) {
    let wanted = [
        vec![
            delta(r#""reasoning":"Hm.""#),
            text("Hel"),
            text("lo"),
            call(0, "ls", "{}"),
        ],
        end("tool_calls"),
    ]
    .concat();
    let played = |chunks: &[String]| play(reply.clone(), chunks, End::Done);
    let expected = played(&wanted);
    let other = format!(r#"{{"model":"a/b:free","choices":[{}]}}"#, second("delta"));
    let behind = |chunks: &[String], other: &String| -> Vec<String> {
        let pairs = chunks.iter().map(|chunk| [chunk.clone(), other.clone()]);
        pairs.flatten().collect()
    };
    assert_eq!(played(&behind(&wanted, &other)), expected);
    let at = |index: &str, chunk: &String| {
        chunk.replace(
            r#""choices":[{"index":0"#,
            &format!(r#""choices":[{{{index}"#),
        )
    };
    for index in [r#""index":1"#, r#""index":null"#] {
        let moved: Vec<String> = wanted.iter().map(|chunk| at(index, chunk)).collect();
        assert_eq!(played(&moved), expected, "{index}");
    }
    // The other choice had its chance to start, and said nothing.
    let empty =
        r#"{"model":"a/b:free","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
    let moved = wanted.iter().map(|chunk| at(r#""index":1"#, chunk));
    let moved: Vec<String> = std::iter::once(empty.to_owned()).chain(moved).collect();
    let other = other.replace(r#""index":1"#, r#""index":0"#);
    let mut mixed = behind(&moved, &other);
    mixed.remove(1);
    assert_eq!(played(&mixed), expected);

    let plain = |choices: &[&str]| {
        let choices = choices.join(",");
        let answer = format!(r#"{{"model":"a/b:free","choices":[{choices}]}}"#);
        let plain = reply.plain(answer.as_bytes(), &ids());
        plain
            .map(|body| String::from_utf8(body.to_vec()).unwrap())
            .map_err(|e| e.to_string())
    };
    let (first, second) = (
        r#"{"message":{"content":"x"},"finish_reason":"stop"}"#,
        second("message"),
    );
    let (alone, other) = (plain(&[first]), plain(&[&second]));
    assert!(alone.is_ok() && other.as_ref().unwrap().contains("2nd"));
    assert_eq!(plain(&[first, &second]), alone);
    assert_eq!(plain(&[&second, first]), other);
    assert_eq!(
        plain(&["7", r#"{"message":{"content":""}}"#, &second]),
        other
    );
    assert_eq!(plain(&["7"]).unwrap_err(), "the answer has no choices");
}
