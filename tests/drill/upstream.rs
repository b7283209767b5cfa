//! What an upstream can do wrong, what the client sees of it, and how long the model rests.
//!
//! One table. Each row is played twice, plain and streamed, to a proxy that knows the models `a`,
//! `b` and `c`, in this order; `a` meets the fault once, the others are well. Hangs run over
//! pipes and a paused clock, everything else over real sockets.

use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime};

use free_llm_proxy::clock::Now;
use free_llm_proxy::model::ModelId;
use free_llm_proxy::registry::Standing;
use free_llm_proxy::simulator::{
    Answer as Says, Failure, Greeting, Plan, PlanEnd, Point, Raw, RawPart, Script, Step, Stream,
    StreamFault, Then,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::rig::{Answer, Rig, abc, ranking};
use crate::scripts::{JSON, STREAM, pieces, said};

/// What `b` says.
const B: &str = "Hello! This is b:free, played by the simulator.";

/// What the client sees.
const NEXT: &str = "next model";
/// The same, after the proxy has begun to wait aloud (§5).
const ALOUD: &str = "next model, waiting aloud";
/// What `a` says, whole.
const SERVED: &str = "200";
/// What `a` said so far, one error frame, one `[DONE]`.
const FRAME: &str = "error frame";
/// The fault is of one kind of answer only.
const NONE: &str = "–";

/// What `a` does.
enum Fault {
    /// These, to a plain and to a streamed request, over sockets.
    Steps(Option<Step>, Option<Step>),
    /// The same over pipes, with the clock paused.
    Pipes(Option<Step>, Option<Step>),
    /// Its next connection is met like this, over sockets.
    Greeting(Greeting),
    /// Every connection is met like this, over pipes.
    Stalled,
    /// Nobody listens.
    Refused,
}

/// Fault, plain, stream, rest in seconds.
struct Row(&'static str, Fault, &'static str, &'static str, u64);

fn both(step: impl Into<Step>) -> Fault {
    let step = step.into();
    Fault::Steps(Some(step.clone()), Some(step))
}

fn each(plain: impl Into<Step>, stream: impl Into<Step>) -> Fault {
    Fault::Steps(Some(plain.into()), Some(stream.into()))
}

fn plain(step: impl Into<Step>) -> Fault {
    Fault::Steps(Some(step.into()), None)
}

fn streamed(step: impl Into<Step>) -> Fault {
    Fault::Steps(None, Some(step.into()))
}

fn hang(point: Point) -> Fault {
    Fault::Pipes(Some(Step::Stall(point)), Some(Step::Stall(point)))
}

/// A stream with this fault after so many events, which have time to arrive.
fn broken(fault: StreamFault, after: usize) -> Step {
    let mut stream = Stream::new(fault, after);
    stream.answer.delay_ms = if after > 0 { 20 } else { 0 };
    let big = fault == StreamFault::BigEvent;
    stream.bytes = if big { 10 << 20 } else { 2 << 20 };
    stream.into()
}

/// Exact bytes, and the connection's end.
fn raw(head: &str, body: &[u8]) -> Step {
    let send = vec![
        RawPart::Text(head.to_owned()),
        RawPart::Hex(body.to_vec().into()),
    ];
    let then = Then::Close;
    Step::Raw(Raw { send, then })
}

fn document(text: &str) -> String {
    json!({"id": "gen-1", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": text}}], "usage": {"completion_tokens": 3}})
    .to_string()
}

fn events(text: &str) -> String {
    let event = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "gen-1", "choices": [choice]}))
    };
    event(json!({"content": text}), Value::Null)
        + &event(json!({}), json!("stop"))
        + "data: [DONE]\n\n"
}

fn packed(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// A 429 with this header.
fn limited(name: &str, value: &str) -> Fault {
    let body = json!({"error": {"message": "Provider returned error", "code": 429}});
    both(Step::status(429, &[(name, value)], body))
}

/// A 429 whose body has this metadata.
fn told(metadata: Value) -> Fault {
    let body =
        json!({"error": {"message": "Provider returned error", "code": 429, "metadata": metadata}});
    both(Step::status(429, &[], body))
}

/// An error event, as the first or later.
fn error_event(after: usize) -> Step {
    let error =
        json!({"code": 429, "message": "slow down", "metadata": {"retry_after_seconds": 7}});
    let mut stream = Stream::new(StreamFault::Error, after);
    stream.error = Some(error);
    stream.into()
}

fn transport() -> Vec<Row> {
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
        Row("connection refused, by all",            Fault::Refused,                                                          "503 all_models_unavailable", "503 all_models_unavailable", 60),
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
        // The proxy asks for `identity` where it streams; what comes packed all the same is no event.
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

fn content() -> Vec<Row> {
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
        Row("a plain answer to a stream",            streamed(broken(F::Plain, 0)),                                           NONE,    NEXT,    60),
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
        Row("a finish reason without content",       streamed(broken(F::FinishOnly, 0)),                                      NONE,    SERVED,  0),
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

fn waits() -> Vec<Row> {
    const LONGEST: u64 = 26 * 3600;
    let unix = Now::read().unix_seconds();
    let date = |at: u64| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(at));
    let (retry, reset) = ("Retry-After", "X-RateLimit-Reset");
    let rows: Vec<(&'static str, Fault, u64)> = vec![
        // Those that count from now stand first.
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

/// What happened to one request.
struct Seen {
    what: String,
    rest: u64,
    took: Duration,
}

#[tokio::test]
async fn upstream_faults_over_sockets() {
    let rig = Rig::start(abc()).await;
    let mut table = Table::new("Faults of the upstream");
    // The dates last, and made when their turn comes.
    let waits = std::iter::once_with(waits).flatten();
    for row in transport().into_iter().chain(content()).chain(waits) {
        let mut seen = [None, None];
        for (at, body) in [Rig::hello(), Rig::hello_stream()].iter().enumerate() {
            seen[at] = match &row.1 {
                Fault::Steps(plain, stream) => match [plain, stream][at] {
                    Some(step) => Some(played(&rig, step, body).await),
                    None => None,
                },
                Fault::Greeting(greeting) => Some(greeted(*greeting, body).await),
                Fault::Refused => Some(refused(body).await),
                Fault::Pipes(..) | Fault::Stalled => None,
            };
        }
        if seen.iter().any(Option::is_some) {
            table.row(&row, &seen);
        }
    }
    println!("{}", table.text());
    table.is_right();
}

#[tokio::test(start_paused = true)]
async fn upstream_hangs_under_a_paused_clock() {
    let rig = Rig::paused(abc(), &[]).await;
    let mut table = Table::new("Hangs of the upstream (`took` is simulated time)");
    for row in transport() {
        let mut seen = [None, None];
        for (at, body) in [Rig::hello(), Rig::hello_stream()].iter().enumerate() {
            seen[at] = match &row.1 {
                Fault::Pipes(plain, stream) => match [plain, stream][at] {
                    Some(step) => Some(played(&rig, step, body).await),
                    None => None,
                },
                Fault::Stalled => Some(stalled(body).await),
                Fault::Steps(..) | Fault::Greeting(_) | Fault::Refused => None,
            };
        }
        if seen.iter().any(Option::is_some) {
            table.row(&row, &seen);
        }
    }
    println!("{}", table.text());
    table.is_right();
}

async fn played(rig: &Rig, step: &Step, body: &Value) -> Seen {
    rig.anew(abc().model("a:free", Plan::from(step.clone()).then(PlanEnd::Last)))
        .await;
    asked(rig, body).await
}

/// No connection is left from reading the list, unless it is to be a stale one.
async fn greeted(greeting: Greeting, body: &Value) -> Seen {
    if matches!(greeting, Greeting::DieAfter(_)) {
        return asked(&Rig::start(abc().connections(greeting)).await, body).await;
    }
    let rig = Rig::start(abc().connections(Greeting::CloseAfter(1))).await;
    rig.simulator.until(|simulator| simulator.open() == 0).await;
    let greetings = Plan::from([greeting]).then(PlanEnd::Ok);
    rig.simulator.set_script(abc().connections(greetings));
    asked(&rig, body).await
}

async fn refused(body: &Value) -> Seen {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api/v1", free.local_addr().unwrap());
    drop(free);
    asked(
        &Rig::with(abc(), &[("UPSTREAM_BASE_URL", &base)]).await,
        body,
    )
    .await
}

async fn stalled(body: &Value) -> Seen {
    let rig = Rig::paused(abc().connections(Greeting::CloseAfter(1)), &[]).await;
    rig.simulator.until(|simulator| simulator.open() == 0).await;
    rig.simulator.set_script(abc().connections(Greeting::Stall));
    asked(&rig, body).await
}

async fn asked(rig: &Rig, body: &Value) -> Seen {
    let begun = tokio::time::Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(600), rig.chat(body))
        .await
        .expect("every wait has a bound");
    let took = begun.elapsed();
    let rest = rest(rig);
    // One line for it, and no panic. (`Rig::line` reads all lines each time.)
    let id = answer.header("x-request-id");
    let mut lines = rig.log.all();
    let panicked = lines.iter().any(|line| line.contains("handler_panicked"));
    lines.retain(|line| line.contains(id));
    assert!(lines.len() == 1 && !panicked, "{lines:#?}");
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["event"], "request_done", "{line}");
    assert_eq!(line["status"], answer.status, "{line}");
    let what = what(&answer, body["stream"] == true);
    Seen { what, rest, took }
}

/// How long the model that failed rests from now on, in whole seconds (the last one, if all did).
fn rest(rig: &Rig) -> u64 {
    let now = Now::read();
    let left = |id| match rig
        .app
        .registry()
        .with_cooldowns(|cooldowns| cooldowns.standing(&ModelId::try_from(id).unwrap(), now))
    {
        Standing::Resting(wake) => wake.left(now),
        Standing::Awake | Standing::Probing => Duration::ZERO,
    };
    let longest = ["a:free", "b:free", "c:free"].map(left).into_iter().max();
    longest.unwrap_or_default().as_secs_f64().ceil() as u64
}

/// The client's side of it, in the words of the table. Whatever it is, it must be well-formed.
fn what(answer: &Answer, streamed: bool) -> String {
    if answer.status != 200 {
        let code = answer.code();
        let own = if code.is_empty() { "" } else { " " };
        return format!("{}{own}{code}", answer.status);
    }
    let comment = ": x-free-llm-proxy-model: ";
    let named = answer.header("x-free-llm-proxy-model").to_owned();
    let text = answer.text();
    let aloud = text.lines().find_map(|line| line.strip_prefix(comment));
    let model = aloud.unwrap_or(&named);
    if text.len() > 1 << 20 {
        assert!(text.contains(&"x".repeat(10 << 20)), "10 MB come whole");
    }
    if !streamed {
        assert!(!said(answer).is_empty(), "{text}");
        assert_eq!(model == "b:free", said(answer) == B, "{text}");
        return served(model, false);
    }
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let mut events = answer.events();
    assert_eq!(events.pop().as_deref(), Some("[DONE]"), "it ends in [DONE]");
    assert!(!events.contains(&"[DONE]".to_owned()), "and in one");
    // Every event left is JSON; the error frame, if there is one, is the last and the only one.
    let parsed: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    let errors: Vec<_> = parsed
        .iter()
        .filter(|event| event.get("error").is_some())
        .collect();
    assert!(errors.len() <= 1, "{text}");
    if let Some(error) = errors.first() {
        assert!(parsed.last().unwrap().get("error").is_some(), "{text}");
        let code = error["error"]["code"].as_str().unwrap();
        let second = code != "all_models_unavailable" && text.contains("b:free");
        assert!(!second, "never a second model: {text}");
        return match code {
            "upstream_error" => FRAME.to_owned(),
            code => format!("{FRAME} {code}"),
        };
    }
    if model == "b:free" {
        assert_eq!(answer.content(), B, "nothing of a's");
    }
    served(model, aloud.is_some())
}

fn served(model: &str, aloud: bool) -> String {
    match (model, aloud) {
        ("a:free", false) => SERVED.to_owned(),
        ("b:free", false) => NEXT.to_owned(),
        ("b:free", true) => ALOUD.to_owned(),
        (other, _) => format!("200 from {other}"),
    }
}

/// The rows as they came out, and those that came out wrong.
struct Table {
    begun: Instant,
    text: String,
    wrong: Vec<String>,
}

impl Table {
    fn new(title: &str) -> Self {
        let head = "| fault | plain | stream | rest | took |\n| --- | --- | --- | --- | --- |";
        Self {
            begun: Instant::now(),
            text: format!("\n### {title}\n\n{head}\n"),
            wrong: Vec::new(),
        }
    }

    fn row(&mut self, row: &Row, seen: &[Option<Seen>; 2]) {
        let Row(fault, _, plain, stream, rest) = row;
        let word = |seen: &Option<Seen>| {
            seen.as_ref()
                .map_or_else(|| NONE.to_owned(), |seen| seen.what.clone())
        };
        let words = [word(&seen[0]), word(&seen[1])];
        let known: Vec<&Seen> = seen.iter().flatten().collect();
        // What the request took is gone; of a date (90 s) also what it took to come to its row.
        let right = |seen: &&&Seen| {
            let slack = seen.took.as_secs() + if *rest == 90 { 3 } else { 0 };
            (rest.saturating_sub(slack)..=*rest).contains(&seen.rest)
        };
        let rests = if known.iter().all(|seen| right(&seen)) {
            lasting(*rest)
        } else {
            let rests: Vec<_> = known.iter().map(|seen| lasting(seen.rest)).collect();
            rests.join(" / ")
        };
        let took = known.iter().map(|seen| seen.took).max().unwrap_or_default();
        let took = match took.as_secs() {
            0 => "< 1 s".to_owned(),
            seconds => format!("{seconds} s"),
        };
        let (one, two) = (&words[0], &words[1]);
        writeln!(self.text, "| {fault} | {one} | {two} | {rests} | {took} |").unwrap();
        if words != [*plain, *stream] || rests != lasting(*rest) {
            let want = lasting(*rest);
            self.wrong.push(format!(
                "{fault}: {one} | {two} | {rests}, and not {plain} | {stream} | {want}"
            ));
        }
    }

    /// The table, once every row was right or not.
    fn text(&self) -> String {
        format!("{}\n{:.1?} in all\n", self.text, self.begun.elapsed())
    }

    fn is_right(&self) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
    }
}

fn lasting(seconds: u64) -> String {
    match seconds {
        0 => "none".to_owned(),
        _ if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ => format!("{seconds} s"),
    }
}

#[tokio::test]
async fn upstream_a_list_of_1000_models_is_walked_to_its_end_and_its_rests_are_known() {
    let ids: Vec<String> = (0..1000).map(|n| format!("vendor/m{n}:free")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let limited = Step::status(429, &[("Retry-After", "3600")], "");
    let script = Script::new()
        .list(ranking(&ids))
        .others(limited)
        .model("vendor/m999:free", Step::ok("the last one"));
    let rig = Rig::with(script, &[("MAX_FALLBACK_ATTEMPTS", "100")]).await;
    let begun = Instant::now();
    let mut body = Rig::hello();
    body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    body["seed"] = json!(1);
    // A hundred at a time, and none of them twice.
    for _ in 0..9 {
        rig.chat(&body)
            .await
            .is_error(503, "all_models_unavailable");
    }
    let tenth = rig.chat(&body).await;
    assert_eq!(said(&tenth), "the last one");
    assert_eq!(tenth.header("x-free-llm-proxy-attempts"), "100");
    assert_eq!(rig.simulator.models_asked(), ids, "each once, by rank");
    let walked = begun.elapsed();
    let begun = Instant::now();
    for body in [&body, &Rig::hello_stream()].repeat(100) {
        let answer = rig.chat(body).await;
        assert_eq!(answer.header("x-free-llm-proxy-attempts"), "1");
        assert_eq!(said(&answer), "the last one");
    }
    let each = begun.elapsed() / 200;
    println!(
        "\n1,000 models, 999 of them fail: {walked:.1?}; then 200 requests, {each:.1?} each\n"
    );
    assert!(walked < Duration::from_secs(30), "{walked:?}");
    assert!(each < Duration::from_millis(100), "{each:?}");
}
