//! What upstreams are scripted to do, byte for byte, and what is checked in lines and answers.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use simulator::{Raw, RawPart, Step, Then};

use crate::rig::{Answer, Rig, ranking};
use crate::wire::chat_head;

/// Says nothing at all.
pub const STALL: Step = Step::Stall(simulator::Point::BeforeHeaders);
/// The header line of a plain answer.
pub const JSON: &str = "Content-Type: application/json\r\n";
/// The header line of a stream.
pub const STREAM: &str = "Content-Type: text/event-stream\r\n";

/// A 200 of the upstream with exactly these bytes, each piece in a chunk (and 1 ms) of its own.
pub fn pieces<B: AsRef<[u8]>>(head: &str, body: impl IntoIterator<Item = B>) -> Step {
    let hex = |bytes: &[u8]| RawPart::Hex(Bytes::copy_from_slice(bytes));
    let status = format!("HTTP/1.1 200 OK\r\n{head}Transfer-Encoding: chunked\r\n\r\n");
    let mut send = vec![RawPart::Text(status)];
    for piece in body {
        let piece = piece.as_ref();
        let size = format!("{:x}\r\n", piece.len());
        send.push(hex(&[size.as_bytes(), piece, b"\r\n"].concat()));
        send.push(RawPart::SleepMs(1));
    }
    send.push(RawPart::Text("0\r\n\r\n".to_owned()));
    let then = Then::Keep;
    Step::Raw(Raw { send, then })
}

/// The same as the parts it is made of.
pub fn parts<B: AsRef<[u8]>>(head: &str, body: impl IntoIterator<Item = B>) -> Raw {
    let Step::Raw(raw) = pieces(head, body) else {
        panic!("these are raw bytes")
    };
    raw
}

/// A ranking of these models with something changed.
pub fn ranking_with(ids: &[&str], change: impl FnOnce(&mut Value)) -> Step {
    let Step::Status(mut list) = ranking(ids) else {
        panic!("a ranking is a plain answer")
    };
    change(&mut list.body);
    Step::Status(list)
}

/// A plain answer without a body, and the pause before it.
pub fn late(status: u16, headers: &[(&str, &str)], delay_ms: u64) -> Step {
    let Step::Status(mut late) = Step::status(status, headers, "") else {
        panic!("it is a status")
    };
    late.delay_ms = delay_ms;
    Step::Status(late)
}

/// A chat request in bytes.
pub fn in_bytes(body: &Value) -> String {
    let body = body.to_string();
    let head = chat_head(&format!("Content-Length: {}\r\n", body.len()));
    format!("{head}{body}")
}

/// The hello request, pinned to a model: if that rests, the answer's `Retry-After` shows how long
/// (`MODEL_FIELD=pin`).
pub async fn rest_of(rig: &Rig, model: &str) -> String {
    let mut pinned = Rig::hello();
    pinned["model"] = model.into();
    let answer = rig.chat(&pinned).await;
    answer.header("retry-after").to_owned()
}

/// What an answer says, plain or streamed.
pub fn said(answer: &Answer) -> String {
    if answer
        .header("content-type")
        .starts_with("text/event-stream")
    {
        return answer.content();
    }
    let content = &answer.json()["choices"][0]["message"]["content"];
    content.as_str().unwrap_or_default().to_owned()
}

/// The members of `line` that `wanted` has.
pub fn same_members(line: &Value, wanted: &Value) -> Value {
    let names = wanted.as_object().unwrap().keys();
    let members: Map<String, Value> = names.map(|n| (n.clone(), line[n].clone())).collect();
    members.into()
}

/// Whether it is a moment in RFC 3339, in UTC.
pub fn is_utc(value: &Value) -> bool {
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let text = value.as_str().unwrap_or_default();
    let shape: String = text.chars().map(shape).collect();
    shape.starts_with("0000-00-00T00:00:00") && shape.ends_with('Z')
}

/// OpenRouter's key endpoint says that so many free requests of the day are used, of so many.
pub fn free_day(used: u64, limit: u64) -> Step {
    let remaining = limit.saturating_sub(used);
    let requests = json!({"used": used, "limit": limit, "remaining": remaining});
    Step::status(
        200,
        &[],
        json!({"data": {"free_model_daily_requests": requests}}),
    )
}

/// It says that there are more than any test needs.
pub fn plenty() -> Step {
    free_day(0, 1_000_000)
}
