use proptest::prelude::*;

use super::*;
use crate::answer::{Said, read};
use crate::request::Endpoint;

fn event(text: &str) -> Event {
    Event {
        raw: Bytes::copy_from_slice(text.as_bytes()),
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn s10_6_a_plain_answer_that_breaks_the_shape_is_mended() {
    const HEAD: &str = r#""id":"g","object":"chat.completion""#;
    #[rustfmt::skip]
    let rows = [
        // Content in parts.
        (r#"{"index":0,"message":{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},{"type":"text","text":"b"}]},"finish_reason":"stop"}"#,
         r#"{"index":0,"message":{"role":"assistant","content":"ab","reasoning_content":"hm"},"finish_reason":"stop"}"#),
        (r#"{"index":0,"message":{"reasoning_content":null,"content":[{"type":"thinking","thinking":"hm"}]},"finish_reason":"stop"}"#,
         r#"{"index":0,"message":{"reasoning_content":"hm","content":""},"finish_reason":"stop"}"#),
        (r#"{"index":0,"message":{"reasoning_content":"own","content":[{"type":"thinking","thinking":"hm"}]},"finish_reason":"stop"}"#,
         r#"{"index":0,"message":{"reasoning_content":"own","content":""},"finish_reason":"stop"}"#),
        (r#"{"index":0,"message":{"content":[{"type":"image_url","image_url":{}}]},"finish_reason":"stop"}"#,
         r#"{"index":0,"message":{"content":[{"type":"image_url","image_url":{}}]},"finish_reason":"stop"}"#),
        // Indices and finish reasons.
        (r#"{"message":{"content":"a"},"finish_reason":"length"}"#,                r#"{"message":{"content":"a"},"finish_reason":"length","index":0}"#),
        (r#"{"index":null,"message":{"content":"a"},"finish_reason":""}"#,         r#"{"index":0,"message":{"content":"a"},"finish_reason":"stop"}"#),
        (r#"{"finish_reason":null,"index":0,"message":{"content":"a"}}"#,          r#"{"finish_reason":"stop","index":0,"message":{"content":"a"}}"#),
        (r#"{"index":0,"message":{"content":"a"} }"#,                              r#"{"index":0,"message":{"content":"a"},"finish_reason":"stop" }"#),
        // If nothing was said, there is no end.
        (r#"{"index":0,"message":{"role":"assistant","content":""}}"#,             r#"{"index":0,"message":{"role":"assistant","content":""}}"#),
        // Calls.
        (r#"{"index":0,"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"id":"","type":null,"function":{"name":"g"}},{"id":"own","type":"function","function":{}}]}}"#,
         r#"{"index":0,"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"},"id":"call_abc1230","type":"function"},{"id":"call_abc1231","type":"function","function":{"name":"g"}},{"id":"own","type":"function","function":{}}]},"finish_reason":"tool_calls"}"#),
    ];
    for (choice, expected) in rows {
        let body = |choice: &str| format!(r#"{{{HEAD},"choices":[{choice}],"x":1.0e2}}"#);
        let mended = Mender::new("abc-123").plain(body(choice).into());
        assert_eq!(text(&mended), body(expected));
    }
    #[rustfmt::skip]
    let rows = [
        (r#"{"choices":[]}"#,                       r#"{"choices":[],"id":"chatcmpl-abc123","object":"chat.completion"}"#),
        (r#"{"id":null,"object":null,"choices":[]}"#, r#"{"id":"chatcmpl-abc123","object":"chat.completion","choices":[]}"#),
        (r#"{"choices":[7,null]}"#,                 r#"{"choices":[7,null],"id":"chatcmpl-abc123","object":"chat.completion"}"#),
        // Not a completion, or an error: left alone.
        (r#"{"error":{"code":429},"choices":[{}]}"#, r#"{"error":{"code":429},"choices":[{}]}"#),
        (r#"{"choices":7}"#,                        r#"{"choices":7}"#),
        ("{}", "{}"), ("[]", "[]"), ("<html>", "<html>"), ("", ""), (r#"{"choices":["#, r#"{"choices":["#),
    ];
    for (body, expected) in rows {
        let mended = Mender::new("abc-123").plain(Bytes::copy_from_slice(body.as_bytes()));
        assert_eq!(text(&mended), expected);
    }
}

/// The events of a stream as they are sent, and what is inserted before `[DONE]`.
fn stream(deltas: &[&str]) -> Vec<String> {
    let mut mender = Mender::new("abc123");
    let mut out = Vec::new();
    for choices in deltas {
        let raw = format!(
            "data: {{\"id\":\"g\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{choices}]}}\n\n"
        );
        let mended = mender.event(event(&raw));
        let head = "data: {\"id\":\"g\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[";
        let inner = text(&mended.raw)
            .strip_prefix(head)
            .unwrap()
            .strip_suffix("]}\n\n")
            .unwrap();
        out.push(inner.to_owned());
    }
    if let Some(last) = mender.done() {
        let head = "data: {\"object\":\"chat.completion.chunk\",\"id\":\"g\",\"created\":1,\"model\":\"m\",\"choices\":[";
        let inner = text(&last.raw)
            .strip_prefix(head)
            .unwrap()
            .strip_suffix("]}\n\n")
            .unwrap();
        out.push(format!("end {inner}"));
        assert_eq!(mender.done(), None);
    }
    out
}

#[test]
fn s10_6_a_stream_that_breaks_the_shape_is_mended() {
    #[rustfmt::skip]
    let rows: &[(&[&str], &[&str])] = &[
        // Nothing to mend.
        (&[r#"{"index":0,"delta":{"content":"a"},"finish_reason":null}"#, r#"{"index":0,"delta":{},"finish_reason":"stop"}"#],
         &[r#"{"index":0,"delta":{"content":"a"},"finish_reason":null}"#, r#"{"index":0,"delta":{},"finish_reason":"stop"}"#]),
        // Parts, no index, and no reason at the end.
        (&[r#"{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"h"}]}]}}"#, r#"{"delta":{"content":[{"type":"text","text":"a"}]},"finish_reason":""}"#],
         &[r#"{"delta":{"content":"","reasoning_content":"h"},"index":0}"#, r#"{"delta":{"content":"a"},"finish_reason":null,"index":0}"#,
           r#"end {"index":0,"delta":{},"finish_reason":"stop"}"#]),
        // Whole calls without an index, as Google sends them.
        (&[r#"{"index":0,"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}}"#,
           r#"{"index":0,"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"},"id":"b","type":"function"},{"function":{"name":"g","arguments":"{}"}}]}}"#],
         &[r#"{"index":0,"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"},"index":0}]}}"#,
           r#"{"index":0,"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"},"id":"b","type":"function","index":1},{"function":{"name":"g","arguments":"{}"},"index":2,"id":"call_abc1232","type":"function"}]}}"#,
           r#"end {"index":0,"delta":{},"finish_reason":"tool_calls"}"#]),
        // Calls in pieces: the first has the name, and only it gets an id.
        (&[r#"{"index":0,"delta":{"tool_calls":[{"function":{"name":"f","arguments":""}}]}}"#, r#"{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"{}"}}]}}"#,
           r#"{"index":0,"delta":{"tool_calls":[{"function":{"name":"g"}}]}}"#, r#"{"index":0,"delta":{"tool_calls":[{"id":"","function":{"name":"","arguments":"{}"}}]},"finish_reason":"tool_calls"}"#],
         &[r#"{"index":0,"delta":{"tool_calls":[{"function":{"name":"f","arguments":""},"index":0,"id":"call_abc1230","type":"function"}]}}"#, r#"{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"{}"},"index":0}]}}"#,
           r#"{"index":0,"delta":{"tool_calls":[{"function":{"name":"g"},"index":1,"id":"call_abc1231","type":"function"}]}}"#, r#"{"index":0,"delta":{"tool_calls":[{"id":"","function":{"name":"","arguments":"{}"},"index":1}]},"finish_reason":"tool_calls"}"#]),
        // A piece that repeats its call's id and name is no other call.
        (&[r#"{"index":0,"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{"}}]}}"#, r#"{"index":0,"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"}"}}]},"finish_reason":"stop"}"#],
         &[r#"{"index":0,"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{"},"index":0}]}}"#, r#"{"index":0,"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"}"},"index":0}]},"finish_reason":"stop"}"#]),
        // As OpenAI has it: later pieces have neither id nor type.
        (&[r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f"}}]}}"#, r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":null,"function":{"arguments":"{}"}}]},"finish_reason":"tool_calls"}"#],
         &[r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f"}}]}}"#, r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":null,"function":{"arguments":"{}"}}]},"finish_reason":"tool_calls"}"#]),
        // Two choices, one of which ends.
        (&[r#"{"index":0,"delta":{"content":"a"},"finish_reason":"stop"},{"index":1,"delta":{"content":"b"}}"#],
         &[r#"{"index":0,"delta":{"content":"a"},"finish_reason":"stop"},{"index":1,"delta":{"content":"b"}}"#, r#"end {"index":1,"delta":{},"finish_reason":"stop"}"#]),
        // Nothing was said: nothing to end.
        (&[r#"{"index":0,"delta":{"role":"assistant","content":""}}"#, ""],
         &[r#"{"index":0,"delta":{"role":"assistant","content":""}}"#, ""]),
    ];
    for (deltas, expected) in rows {
        assert_eq!(stream(deltas), *expected);
    }
}

#[test]
fn s10_6_events_keep_their_other_lines_and_what_breaks_nothing_its_memory() {
    #[rustfmt::skip]
    let rows = [
        (": a comment\n\n",                         ": a comment\n\n"),
        ("data: [DONE]\n\n",                        "data: [DONE]\n\n"),
        ("data: {\"error\":{\"code\":429}}\n\n",    "data: {\"error\":{\"code\":429}}\n\n"),
        ("data: no JSON\n\n",                       "data: no JSON\n\n"),
        ("id: 7\r\ndata:{\"choices\":[]}\r\n\r\n",  "id: 7\r\ndata:{\"choices\":[],\"id\":\"chatcmpl-abc\",\"object\":\"chat.completion.chunk\"}\r\n\r\n"),
        ("data: {\"choices\":\ndata: [{\"delta\":{}}]}\n\n", "data: {\"choices\": [{\"delta\":{},\"index\":0}],\"id\":\"chatcmpl-abc\",\"object\":\"chat.completion.chunk\"}\n\n"),
    ];
    for (raw, expected) in rows {
        let before = event(raw);
        let after = Mender::new("a-b_c").event(before.clone());
        assert_eq!(text(&after.raw), expected);
        if raw == expected {
            assert_eq!(after.raw.as_ptr(), before.raw.as_ptr());
        }
    }
}

proptest! {
    /// Whatever arrives, JSON stays JSON and keeps its meaning, and nothing is mended twice.
    #[test]
    fn s10_6_what_is_mended_is_whole(
        members in prop::collection::vec(prop::sample::select(vec![
            r#""index":0"#, r#""index":null"#, r#""index":18446744073709551615"#, r#""finish_reason":"""#, r#""finish_reason":"stop""#, r#""finish_reason":null"#, r#""finish_reason":7"#,
            r#""message":{"content":[{"type":"text","text":"a"}]}"#, r#""delta":{"content":[{"type":"thinking","thinking":"h"}],"reasoning_content":""}"#,
            r#""message":{"tool_calls":[{},7,{"id":null,"function":{"name":"f"}}]}"#, r#""delta":{"tool_calls":[{},7,{"index":3},{"id":"x","type":null},{"function":{"name":"f"}}]}"#,
            r#""delta":null"#, r#""delta":{}"#, r#""x":[{"index":1}]"#,
        ]), 0..5),
        head in prop::sample::select(vec!["", r#""id":"g","#, r#""object":null,"#, r#""error":null,"#]),
        count in 0..3_usize,
    ) {
        let choice = format!("{{{}}}", members.join(" , "));
        let body = format!("{{{head}\"choices\":[{}]}}", vec![choice; count].join(","));
        let plain = Mender::new("s").plain(body.clone().into());
        prop_assert!(Raw::parse(&plain, 99).is_ok(), "{:?}", plain);
        prop_assert_eq!(&Mender::new("s").plain(plain.clone()), &plain);
        let raw = event(&format!("data: {body}\n\n"));
        let mut mender = Mender::new("s");
        let first = mender.event(raw.clone());
        let Data::Payload(payload) = first.data() else { panic!("{first:?}") };
        prop_assert!(Raw::parse(&payload, 99).is_ok(), "{:?}", payload);
        prop_assert_eq!(&Mender::new("s").event(first.clone()), &first);
        let Data::Payload(before) = raw.data() else { panic!("{raw:?}") };
        let useful = |payload: &[u8]| matches!(read(payload, Endpoint::Chat), Ok(Said::Useful { .. }));
        prop_assert_eq!(useful(&before), useful(&payload));
        let last = mender.done();
        prop_assert!(last.is_none_or(|last| matches!(last.data(), Data::Payload(p) if Raw::parse(&p, 99).is_ok())));
    }
}

#[test]
fn s10_6_a_stream_of_endless_choices_costs_no_memory() {
    let mut mender = Mender::new("s");
    for n in 0..10_000 {
        let raw = format!(
            "data: {{\"choices\":[{{\"index\":{n},\"delta\":{{\"content\":\"a\"}}}}]}}\n\n"
        );
        assert!(!mender.event(event(&raw)).raw.is_empty());
    }
    assert_eq!(mender.choices.len(), MOST_CHOICES);
    assert!(mender.done().is_some());
}
