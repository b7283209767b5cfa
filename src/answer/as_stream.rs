//! A plain answer as the equivalent stream: some upstreams send one although a stream was asked for
//! (spec §4.4).
//!
//! Pure. Members are moved, never rebuilt: what no SDK knows survives.

use bytes::Bytes;

use crate::json::{self, Kind, Members, Raw};

/// What every chunk repeats of the answer; the rest is in the first one.
const REPEATED: [&str; 6] = [
    "id",
    "created",
    "model",
    "provider",
    "system_fingerprint",
    "service_tier",
];

/// The events of a stream equivalent to `answer`, which is a completion: everything that was said
/// in one chunk, how it ended in the next, and the usage in one of its own if it was asked for.
#[must_use]
pub fn as_stream(answer: &[u8], wants_usage: bool) -> Bytes {
    let (mut repeated, mut once) = (Vec::new(), Vec::new());
    let (mut choices, mut usage) = (None, None);
    let mut kind = "chat.completion.chunk";
    each(answer, |name, value, whole| match name {
        "choices" => choices = Some(value),
        "usage" => usage = Some(whole).filter(|_| wants_usage && !value.is_null()),
        // The legacy endpoint has one name for both.
        "object" if value.as_str().as_deref() == Some("text_completion") => {
            kind = "text_completion"
        }
        "object" => {}
        name if REPEATED.contains(&name) => repeated.push(whole),
        _ => once.push(whole),
    });
    let object = format!("\"object\":\"{kind}\"");
    repeated.insert(0, &object);
    let mut parts = Parts::default();
    for (place, choice) in choices.into_iter().flat_map(Raw::elements).enumerate() {
        parts.take(choice, place);
    }
    let mut out = Vec::with_capacity(answer.len() + 512);
    event(&mut out, repeated.iter().chain(&once), &parts.said, None);
    if !parts.ended.is_empty() {
        event(&mut out, repeated.iter(), &parts.ended, None);
    }
    if let Some(usage) = usage {
        event(&mut out, repeated.iter(), &[], Some(usage));
    }
    out.extend_from_slice(b"data: [DONE]\n\n");
    out.into()
}

/// The choices, in two halves.
#[derive(Default)]
struct Parts {
    said: Vec<String>,
    ended: Vec<String>,
}

impl Parts {
    fn take(&mut self, choice: Raw<'_>, place: usize) {
        let mut index = format!("\"index\":{place}");
        let (mut said, mut ended) = (Vec::new(), Vec::new());
        let (mut has_ended, mut is_chat) = (false, false);
        each(choice.text().as_bytes(), |name, value, whole| match name {
            "index" => whole.clone_into(&mut index),
            "message" | "delta" => {
                is_chat = true;
                said.push(format!("\"delta\":{}", delta(value)));
            }
            "finish_reason" => {
                has_ended = !value.is_null();
                ended.push(whole.to_owned());
            }
            "native_finish_reason" | "stop_reason" => ended.push(whole.to_owned()),
            _ => said.push(whole.to_owned()),
        });
        said.insert(0, index.clone());
        said.push("\"finish_reason\":null".to_owned());
        self.said.push(format!("{{{}}}", said.join(",")));
        if has_ended {
            let nothing = if is_chat {
                "\"delta\":{}"
            } else {
                "\"text\":\"\""
            };
            ended.splice(0..0, [index, nothing.to_owned()]);
            self.ended.push(format!("{{{}}}", ended.join(",")));
        }
    }
}

/// A message as a delta, where calls are identified by `index`.
fn delta(message: Raw<'_>) -> String {
    let mut members = Vec::new();
    each(message.text().as_bytes(), |name, value, whole| {
        if name != "tool_calls" || value.kind() != Kind::Array {
            return members.push(whole.to_owned());
        }
        let calls = value.elements().enumerate();
        let calls: Vec<_> = calls.map(|(place, call)| numbered(call, place)).collect();
        members.push(format!("\"tool_calls\":[{}]", calls.join(",")));
    });
    format!("{{{}}}", members.join(","))
}

fn numbered(call: Raw<'_>, place: usize) -> String {
    let has_index = call.get("index").is_some();
    match call.text().strip_prefix('{') {
        Some(members) if !has_index && !call.is_empty() => format!("{{\"index\":{place},{members}"),
        Some(_) | None => call.text().to_owned(),
    }
}

/// One event; `choices` are whole elements.
fn event<'a>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = &'a &'a str>,
    choices: &[String],
    last: Option<&str>,
) {
    out.extend_from_slice(b"data: {");
    let start = out.len();
    for member in members {
        out.extend_from_slice(member.as_bytes());
        out.push(b',');
    }
    out.extend_from_slice(b"\"choices\":[");
    for (place, choice) in choices.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(choice.as_bytes());
    }
    out.push(b']');
    if let Some(last) = last {
        out.push(b',');
        out.extend_from_slice(last.as_bytes());
    }
    // A line end can only be between JSON tokens, and would end the event's line.
    for byte in out
        .iter_mut()
        .skip(start)
        .filter(|b| matches!(b, b'\n' | b'\r'))
    {
        *byte = b' ';
    }
    out.extend_from_slice(b"}\n\n");
}

/// Each member of an object: its name, its value, and both as written.
fn each<'a>(object: &'a [u8], mut member: impl FnMut(&str, Raw<'a>, &'a str)) {
    let Ok(Some(mut members)) = Members::open(object, json::MAX_DEPTH) else {
        return;
    };
    while let Ok(Some(next)) = members.next() {
        let whole = object.get(next.start..next.end).unwrap_or_default();
        member(
            &next.key,
            next.value,
            std::str::from_utf8(whole).unwrap_or_default(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Said, read};
    use crate::request::Endpoint;
    use crate::sse::{Data, Framer};

    #[test]
    fn s4_4_a_plain_answer_is_turned_into_the_equivalent_stream() {
        #[rustfmt::skip]
        let rows: &[(&str, bool, &[&str])] = &[
            (r#"{"id":"g","object":"chat.completion","created":1,"model":"a","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"completion_tokens":1}}"#, false, &[
                r#"{"object":"chat.completion.chunk","id":"g","created":1,"model":"a","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}"#,
                r#"{"object":"chat.completion.chunk","id":"g","created":1,"model":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            ]),
            (r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}},{"index":7,"id":"y"}]},"finish_reason":"tool_calls","native_finish_reason":"tool"}],"usage":{"n":1e2}}"#, true, &[
                r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":null,"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":"{}"}},{"index":7,"id":"y"}]},"finish_reason":null}]}"#,
                r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","native_finish_reason":"tool"}]}"#,
                r#"{"object":"chat.completion.chunk","choices":[],"usage":{"n":1e2}}"#,
            ]),
            (r#"{"x":{"y":1.0},"choices":[{"index":0,"logprobs":{"content":[]},"message":{"reasoning":"Hm","content":"é\u00e9","new":[12345678901234567890123]},"finish_reason":"length"}],"usage":null}"#, true, &[
                r#"{"object":"chat.completion.chunk","x":{"y":1.0},"choices":[{"index":0,"logprobs":{"content":[]},"delta":{"reasoning":"Hm","content":"é\u00e9","new":[12345678901234567890123]},"finish_reason":null}]}"#,
                r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
            ]),
            ("{\r\n \"choices\": [\n {\"message\": {\"content\":\n \"a\\nb\"}}]\n}", false, &[
                r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":  "a\nb"},"finish_reason":null}]}"#,
            ]),
            (r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"},{"message":{"content":"b"},"finish_reason":"stop"}]}"#, false, &[
                r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null},{"index":1,"delta":{"content":"b"},"finish_reason":null}]}"#,
                r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"stop"}]}"#,
            ]),
            (r#"{"object":"text_completion","choices":[{"text":"Hi","index":0,"finish_reason":"stop"}]}"#, false, &[
                r#"{"object":"text_completion","choices":[{"index":0,"text":"Hi","finish_reason":null}]}"#,
                r#"{"object":"text_completion","choices":[{"index":0,"text":"","finish_reason":"stop"}]}"#,
            ]),
        ];
        for (answer, usage, expected) in rows {
            let mut framer = Framer::new(usize::MAX);
            framer.push(as_stream(answer.as_bytes(), *usage));
            let mut events = Vec::new();
            while let Some(event) = framer.next().unwrap() {
                match event.data() {
                    Data::Payload(payload) => {
                        assert!(read(&payload, Endpoint::Chat).is_ok(), "{payload:?}");
                        events.push(String::from_utf8(payload.into_owned()).unwrap());
                    }
                    Data::Done => events.push("[DONE]".to_owned()),
                    Data::None => panic!("{event:?}"),
                }
            }
            let expected: Vec<_> = expected.iter().chain(&["[DONE]"]).collect();
            assert_eq!(events.iter().collect::<Vec<_>>(), expected, "{answer}");
        }
        let first = as_stream(br#"{"choices":[{"message":{"content":"Hi"}}]}"#, false);
        let first = first.strip_prefix(b"data: ").unwrap();
        let end = memchr::memchr(b'\n', first).unwrap();
        assert_eq!(
            read(&first[..end], Endpoint::Chat),
            Ok(Said::Useful { finished: false })
        );
    }
}
