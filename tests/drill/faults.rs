//! The rows of the drill: what an upstream can do wrong, and what the contract requires (§4.2,
//! §4.4-§4.7, §5). `upstream` plays them.

use std::time::{Duration, SystemTime};

use free_llm_proxy::clock::Now;
use serde_json::{Value, json};
use simulator::{
    Answer as Says, Failure, Greeting, Point, Raw, RawPart, Step, Stream, StreamFault, Then,
};

use crate::scripts::{JSON, STREAM, pieces};

/// What `b` says.
pub const B: &str = "Hello! This is b:free, played by the simulator.";

/// What the client sees.
pub const NEXT: &str = "next model";
/// The same, after the proxy has begun to wait aloud (§5).
pub const ALOUD: &str = "next model, waiting aloud";
/// What `a` says, in full.
pub const SERVED: &str = "200";
/// What `a` said so far, one error frame, one `[DONE]`.
pub const FRAME: &str = "error frame";
/// The fault only exists for one kind of answer.
pub const NONE: &str = "–";

/// What `a` does.
pub enum Fault {
    /// These steps, for a plain and a streamed request, over sockets.
    Steps(Option<Step>, Option<Step>),
    /// The same over pipes, with the clock paused.
    Pipes(Option<Step>, Option<Step>),
    /// Its next connection is met like this, over sockets.
    Greeting(Greeting),
    /// Every connection is met like this, over pipes.
    Stalled,
    /// There is no listener.
    Refused,
}

/// Fault, plain, stream, rest in seconds.
pub struct Row(
    pub &'static str,
    pub Fault,
    pub &'static str,
    pub &'static str,
    pub u64,
);

pub fn both(step: impl Into<Step>) -> Fault {
    let step = step.into();
    Fault::Steps(Some(step.clone()), Some(step))
}

pub fn each(plain: impl Into<Step>, stream: impl Into<Step>) -> Fault {
    Fault::Steps(Some(plain.into()), Some(stream.into()))
}

pub fn plain(step: impl Into<Step>) -> Fault {
    Fault::Steps(Some(step.into()), None)
}

pub fn streamed(step: impl Into<Step>) -> Fault {
    Fault::Steps(None, Some(step.into()))
}

pub fn hang(point: Point) -> Fault {
    Fault::Pipes(Some(Step::Stall(point)), Some(Step::Stall(point)))
}

/// A stream with this fault after this many events, which have time to arrive.
pub fn broken(fault: StreamFault, after: usize) -> Step {
    let mut stream = Stream::new(fault, after);
    stream.answer.delay_ms = if after > 0 { 20 } else { 0 };
    let big = fault == StreamFault::BigEvent;
    stream.bytes = if big { 10 << 20 } else { 2 << 20 };
    stream.into()
}

/// Exact bytes, and the connection's end.
pub fn raw(head: &str, body: &[u8]) -> Step {
    let send = vec![
        RawPart::Text(head.to_owned()),
        RawPart::Hex(body.to_vec().into()),
    ];
    let then = Then::Close;
    Step::Raw(Raw { send, then })
}

pub fn document(text: &str) -> String {
    json!({"id": "gen-1", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": text}}], "usage": {"completion_tokens": 3}})
    .to_string()
}

pub fn events(text: &str) -> String {
    let event = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "gen-1", "choices": [choice]}))
    };
    event(json!({"content": text}), Value::Null)
        + &event(json!({}), json!("stop"))
        + "data: [DONE]\n\n"
}

pub fn packed(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// A 429 with this header.
pub fn limited(name: &str, value: &str) -> Fault {
    let body = json!({"error": {"message": "Provider returned error", "code": 429}});
    both(Step::status(429, &[(name, value)], body))
}

/// A 429 whose body has this metadata.
pub fn told(metadata: Value) -> Fault {
    let body =
        json!({"error": {"message": "Provider returned error", "code": 429, "metadata": metadata}});
    both(Step::status(429, &[], body))
}

/// An error event, as the first or later.
pub fn error_event(after: usize) -> Step {
    let error =
        json!({"code": 429, "message": "slow down", "metadata": {"retry_after_seconds": 7}});
    let mut stream = Stream::new(StreamFault::Error, after);
    stream.error = Some(error);
    stream.into()
}

pub fn transport() -> Vec<Row> {
    use StreamFault as F;
    let http10 = format!("HTTP/1.0 200 OK\r\n{JSON}\r\n");
    let chunked = format!("HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n");
    let text = "gr\u{fc}\u{df}e \u{1f980} \u{4e16}\u{754c}";
    let bytes: Vec<[u8; 1]> = document(text).bytes().map(|byte| [byte]).collect();
    let huge = format!(
        "HTTP/1.1 200 OK\r\n{JSON}X-Huge: {}\r\n\r\n",
        "h".repeat(2 << 20)
    );
    let many: String = (0..300).map(|n| format!("X-{n}: 1\r\n")).collect();
    let many = format!("HTTP/1.1 200 OK\r\n{JSON}{many}Content-Length: 2\r\n\r\n");
    let zip = "Content-Encoding: gzip\r\n";
    let halves = |text: &str| {
        let zip = packed(text);
        let (front, back) = zip.split_at(zip.len() / 2);
        [front.to_vec(), back.to_vec()]
    };
    let short =
        |length: usize| format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: {length}\r\n\r\n");
    let broken_zip = [b"\x1f\x8b\x08\x00 this is no gzip at all".to_vec()];
    #[rustfmt::skip]
    let rows = vec![
        //  fault                                    played as                                                                plain    stream   rest, s
        Row("connection refused, by all",            Fault::Refused,                                                          "503 all_models_unavailable", "503 all_models_unavailable", 0),
        Row("reset on accept",                       Fault::Greeting(Greeting::Reset),                                        NEXT,    NEXT,    60),
        Row("closed on accept",                      Fault::Greeting(Greeting::Close),                                        NEXT,    NEXT,    60),
        Row("stale pooled connection",               Fault::Greeting(Greeting::DieAfter(1)),                                  SERVED,  SERVED,  0),
        Row("reset before headers (retried once if pooled)",                  both(Step::Reset(Point::BeforeHeaders)),                                 NEXT,    NEXT,    60),
        Row("reset mid headers",                     both(Step::Reset(Point::MidHeaders)),                                    NEXT,    NEXT,    60),
        Row("reset after headers",                   both(Step::Reset(Point::AfterHeaders)),                                  NEXT,    NEXT,    60),
        Row("reset after a heartbeat",               both(Step::Reset(Point::FirstEvent)),                                    NEXT,    NEXT,    60),
        Row("reset mid body, mid stream",            each(Step::Reset(Point::MidBody), broken(F::Reset, 2)),                  NEXT,    FRAME,   60),
        Row("closed before headers (retried once if pooled)",                 both(Step::Close(Point::BeforeHeaders)),                                 NEXT,    NEXT,    60),
        Row("closed mid headers",                    both(Step::Close(Point::MidHeaders)),                                    NEXT,    NEXT,    60),
        Row("closed after headers",                  both(Step::Close(Point::AfterHeaders)),                                  NEXT,    NEXT,    60),
        Row("closed after a heartbeat",              both(Step::Close(Point::FirstEvent)),                                    NEXT,    NEXT,    60),
        Row("closed mid body, mid stream",           each(Step::Close(Point::MidBody), broken(F::Close, 2)),                  NEXT,    FRAME,   60),
        Row("closed mid event",                      streamed(broken(F::HalfEvent, 2)),                                       NONE,    FRAME,   60),
        Row("connections accepted, never read, all", Fault::Stalled,                                                          "503 all_models_unavailable", "error frame all_models_unavailable", 60),
        Row("hang before headers",                   hang(Point::BeforeHeaders),                                              NEXT,    ALOUD,   60),
        Row("hang mid headers",                      hang(Point::MidHeaders),                                                 NEXT,    ALOUD,   60),
        Row("hang after headers",                    hang(Point::AfterHeaders),                                               NEXT,    ALOUD,   60),
        Row("hang after a heartbeat",                hang(Point::FirstEvent),                                                 NEXT,    ALOUD,   60),
        Row("hang mid body, mid stream",             Fault::Pipes(Some(Step::Stall(Point::MidBody)), Some(broken(F::Stall, 2))), NEXT,  FRAME,   60),
        Row("comments for ever",                     Fault::Pipes(None, Some(broken(F::CommentsForever, 0))),                  NONE,    ALOUD,   60),
        Row("empty deltas for ever",                 Fault::Pipes(None, Some(broken(F::EmptyDeltasForever, 0))),               NONE,    ALOUD,   60),
        Row("more than `Content-Length` says",       plain(raw(&short(document(text).len()), (document(text) + "HTTP/1.1 200 OK\r\n\r\n").as_bytes())), SERVED, NONE, 0),
        Row("cut short by its `Content-Length`", plain(raw(&short(20), document(text).as_bytes())),               NEXT,    NONE,    60),
        Row("truncated chunk",                       each(raw(&format!("{chunked}ffff\r\n"), b"{\"id\""), broken(F::ShortChunk, 0)), NEXT, NEXT, 60),
        Row("truncated chunk, mid stream",           streamed(broken(F::ShortChunk, 2)),                                      NONE,    FRAME,   60),
        Row("invalid chunk size",                    each(raw(&format!("{chunked}zz\r\n"), b"{}\r\n"), broken(F::BadChunk, 0)), NEXT,  NEXT,    60),
        Row("invalid chunk size, mid stream",        streamed(broken(F::BadChunk, 2)),                                        NONE,    FRAME,   60),
        Row("HTTP/1.0",                              each(raw(&http10, document("from 1996").as_bytes()), broken(F::Http10, 0)), SERVED, SERVED, 0),
        Row("gzip",                                  plain(pieces(&format!("{JSON}{zip}"), halves(&document(text)))), SERVED, NONE, 0),
        // The proxy asks for `identity` where it streams; anything that is compressed anyway is not
        // an event.
        Row("gzip, of a stream",                     streamed(pieces(&format!("{STREAM}{zip}"), halves(&events(text)))), NONE, NEXT, 60),
        Row("gzip that is none",                     each(pieces(&format!("{JSON}{zip}"), &broken_zip), pieces(&format!("{STREAM}{zip}"), &broken_zip)), NEXT, NEXT, 60),
        Row("an encoding nobody knows",              plain(pieces(&format!("{JSON}Content-Encoding: zz\r\n"), [document(text)])), NEXT, NONE, 60),
        Row("redirect",                              both(Step::Redirect("http://127.0.0.1:1/elsewhere".into())),             NEXT,    NEXT,    60),
        Row("a header of 2 MB",                      each(raw(&huge, b""), broken(F::HugeHeader, 0)),                         NEXT,    NEXT,    60),
        Row("300 headers",                           both(raw(&many, b"{}")),                                                 NEXT,    NEXT,    60),
        Row("no HTTP at all",                        both(raw("SSH-2.0-OpenSSH_9.9\r\n", b"")),                               NEXT,    NEXT,    60),
        Row("split inside a character",              each(pieces(JSON, &bytes), broken(F::SplitCharacter, 0)),                SERVED,  SERVED,  0),
        Row("every byte by itself",                  Fault::Pipes(Some(pieces(JSON, &bytes)), Some(broken(F::SplitBytes, 0))), SERVED,  SERVED,  0),
    ];
    rows
}

pub fn content() -> Vec<Row> {
    use StreamFault as F;
    let big = Step::from(Says::text("x".repeat(10 << 20)));
    let not_utf8 = [
        &b"{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":\"\xff\xfe\"}}]}"[..],
    ];
    #[rustfmt::skip]
    let rows = vec![
        //  fault                                    played as                                                                plain    stream   rest, s
        Row("502, an HTML page",                     both(Failure::BadGatewayHtml),                                           NEXT,    NEXT,    60),
        Row("200, an HTML page",                     each(Failure::OkHtml, broken(F::Html, 0)),                               NEXT,    NEXT,    60),
        Row("200, nothing",                          each(Failure::OkEmpty, broken(F::Empty, 0)),                             NEXT,    NEXT,    60),
        Row("200, heartbeats only",                  each(Failure::OkBlank, broken(F::CommentsThenEnd, 3)),                   NEXT,    NEXT,    60),
        Row("200, no choices",                       plain(Failure::OkNoChoices),                                             NEXT,    NONE,    60),
        Row("200, no tokens, no finish reason",      plain(Failure::OkZeroTokens),                                            NEXT,    NONE,    60),
        Row("a plain answer to a stream",            streamed(broken(F::Plain, 0)),                                           NONE,    SERVED,  0),
        Row("200, an error in it (429, 7 s)",        each(Step::status(200, &[], json!({"error": {"code": 429, "message": "slow down", "metadata": {"retry_after_seconds": 7}}})), error_event(0)), NEXT, NEXT, 7),
        Row("the same, mid stream",                  streamed(error_event(2)),                                                NONE,    "error frame rate_limited", 7),
        Row("finish reason `error`",                 each(Failure::OkFinishError, broken(F::FinishError, 0)),                 NEXT,    NEXT,    60),
        Row("finish reason `error`, mid stream",     streamed(broken(F::FinishError, 2)),                                     NONE,    FRAME,   60),
        Row("10 MB at once",                         each(big, broken(F::BigEvent, 0)),                                       SERVED,  SERVED,  0),
        Row("CRLF framing",                          streamed(broken(F::Crlf, 0)),                                            NONE,    SERVED,  0),
        Row("`data:` without a blank",               streamed(broken(F::NoSpace, 0)),                                         NONE,    SERVED,  0),
        Row("`event:`, `id:`, `retry:` lines",       streamed(broken(F::Fields, 0)),                                          NONE,    SERVED,  0),
        Row("no `[DONE]`",                           streamed(broken(F::NoDone, 0)),                                          NONE,    SERVED,  0),
        Row("no finish reason, `[DONE]`",            streamed(broken(F::NoFinish, 0)),                                        NONE,    SERVED,  0),
        Row("no finish reason, no `[DONE]`",         streamed(broken(F::Cut, 2)),                                             NONE,    FRAME,   60),
        Row("`[DONE]` without content",              streamed(broken(F::DoneOnly, 0)),                                        NONE,    NEXT,    60),
        Row("a finish reason without content",       streamed(broken(F::FinishOnly, 0)),                                      NONE,    NEXT,    0),
        Row("content after `[DONE]`",                streamed(broken(F::ContentAfterDone, 0)),                                NONE,    SERVED,  0),
        Row("garbage for JSON",                      each(Failure::OkInvalidJson, broken(F::Garbage, 0)),                     NEXT,    NEXT,    60),
        Row("garbage for JSON, mid stream",          streamed(broken(F::Garbage, 2)),                                         NONE,    FRAME,   60),
        Row("invalid UTF-8",                         each(pieces(JSON, not_utf8), broken(F::InvalidUtf8, 0)),                 NEXT,    NEXT,    60),
        Row("invalid UTF-8, mid stream",             streamed(broken(F::InvalidUtf8, 2)),                                     NONE,    FRAME,   60),
        Row("half an event at the end",              streamed(broken(F::HalfEventEnd, 2)),                                    NONE,    FRAME,   60),
        Row("an event without end",                  streamed(broken(F::EndlessEvent, 0)),                                    NONE,    NEXT,    60),
        Row("an event without end, mid stream",      streamed(broken(F::EndlessEvent, 2)),                                    NONE,    FRAME,   60),
        Row("500",                                   both(Failure::Internal),                                                 NEXT,    NEXT,    60),
        Row("503",                                   both(Failure::Unavailable),                                              NEXT,    NEXT,    60),
        Row("529",                                   both(Failure::Overloaded),                                               NEXT,    NEXT,    60),
        Row("400, the request's fault",              both(Failure::NoTokens),                                                 "400",   "400",   0),
        Row("401, the proxy's key",                  both(Failure::UserNotFound),                                             "502 upstream_auth_error", "502 upstream_auth_error", 0),
    ];
    rows
}

pub fn waits() -> Vec<Row> {
    const LONGEST: u64 = 26 * 3600;
    let unix = Now::read().unix_seconds();
    let date = |at: u64| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(at));
    let (retry, reset) = ("Retry-After", "X-RateLimit-Reset");
    let rows: Vec<(&'static str, Fault, u64)> = vec![
        // Those relative to now come first.
        (
            "`Retry-After`: a date in 90 s",
            limited(retry, &date(unix + 90)),
            90,
        ),
        (
            "`X-RateLimit-Reset`: epoch seconds, in 90 s",
            limited(reset, &(unix + 90).to_string()),
            90,
        ),
        (
            "`X-RateLimit-Reset`: epoch ms, in 90 s",
            limited(reset, &((unix + 90) * 1000).to_string()),
            90,
        ),
        ("429", both(Failure::RateLimitedEmpty), 300),
        ("`Retry-After: 30`", limited(retry, "30"), 30),
        (
            "`Retry-After: 30`, of a 503",
            both(Step::status(503, &[(retry, "30")], "")),
            30,
        ),
        ("`Retry-After: 1.2`", limited(retry, "1.2"), 2),
        ("`Retry-After: 0`", limited(retry, "0"), 0),
        ("`Retry-After: -5`", limited(retry, "-5"), 0),
        ("`Retry-After: soon`", limited(retry, "soon"), 300),
        (
            "`Retry-After: soon`, of a 503",
            both(Step::status(503, &[(retry, "soon")], "")),
            60,
        ),
        ("`Retry-After:` (empty)", limited(retry, ""), 300),
        (
            "`Retry-After: 99999999999999999999`",
            limited(retry, "99999999999999999999"),
            LONGEST,
        ),
        (
            "`Retry-After`: a date in the past",
            limited(retry, "Fri, 01 Jan 2021 00:00:00 GMT"),
            0,
        ),
        (
            "`Retry-After`: a date in 2100",
            limited(retry, "Fri, 01 Jan 2100 00:00:00 GMT"),
            LONGEST,
        ),
        ("`X-RateLimit-Reset: 50`", limited(reset, "50"), 50),
        ("`X-RateLimit-Reset: 0.5`", limited(reset, "0.5"), 1),
        ("`X-RateLimit-Reset: -1`", limited(reset, "-1"), 0),
        (
            "`X-RateLimit-Reset: tomorrow`",
            limited(reset, "tomorrow"),
            300,
        ),
        (
            "`X-RateLimit-Reset`: epoch seconds, past",
            limited(reset, "1700000000"),
            0,
        ),
        (
            "`X-RateLimit-Reset`: epoch ms, past",
            limited(reset, "1700000000000"),
            0,
        ),
        (
            "`X-RateLimit-Reset`: epoch seconds, 2286",
            limited(reset, "9999999999"),
            LONGEST,
        ),
        (
            "`X-RateLimit-Reset`: epoch ms, 2286",
            limited(reset, "9999999999999"),
            LONGEST,
        ),
        (
            "`X-RateLimit-Reset: 1e300`",
            limited(reset, "1e300"),
            LONGEST,
        ),
        (
            "`metadata.retry_after_seconds: 9`",
            told(json!({"retry_after_seconds": 9})),
            9,
        ),
        (
            "`metadata.retry_after_seconds: 8.1`",
            told(json!({"retry_after_seconds": 8.1})),
            9,
        ),
        (
            "`metadata.retry_after_seconds: -3`",
            told(json!({"retry_after_seconds": -3})),
            0,
        ),
        (
            "`metadata.retry_after_seconds: null`",
            told(json!({"retry_after_seconds": null})),
            300,
        ),
        (
            "`metadata.headers.X-RateLimit-Reset: \"20\"`",
            told(json!({"headers": {"X-RateLimit-Reset": "20"}})),
            20,
        ),
        (
            "`metadata.headers.Retry-After: \"20\"`",
            told(json!({"headers": {"Retry-After": "20"}})),
            20,
        ),
    ];
    let row = |(name, fault, rest)| Row(name, fault, NEXT, NEXT, rest);
    rows.into_iter().map(row).collect()
}
