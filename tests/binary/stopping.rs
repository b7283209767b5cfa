//! §8: SIGTERM, SIGINT and SIGHUP, and signals that stop nothing. What is open finishes, within a bound; nothing else is waited for.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;
use simulator::{Point, Script, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::{LONG, PROXY_KEY, Serving};
use crate::upstream::{Gate, Outside};

#[tokio::test]
async fn s8_after_a_signal_the_listener_closes_open_answers_finish_and_the_rest_is_closed() {
    for signal in ["TERM", "INT", "HUP"] {
        let (gate, mut serving) = at_a_gate(&[]).await;
        let mut fresh = connect(&serving).await;
        let mut used = connect(&serving).await;
        used.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        until(&mut used, "\"ok\"}").await;
        let mut half_a_head = connect(&serving).await;
        half_a_head.write_all(b"GET /health HTT").await.unwrap();
        let mut streaming = stream(&serving).await;
        let late = format!(
            "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {PROXY_KEY}\r\n\r\n"
        );
        streaming.write_all(late.as_bytes()).await.unwrap();

        serving.signal(signal);
        refused(&serving).await;
        for idle in [&mut fresh, &mut used] {
            assert_eq!(rest(idle).await, "", "closed without a word");
        }
        rest(&mut half_a_head).await;
        assert!(serving.runs(), "a stream is open");
        gate.open();
        let said = rest(&mut streaming).await;
        let (first, second) = said.split_once("0\r\n\r\n").expect("the stream ends well");
        assert!(
            first.contains(" last") && first.ends_with("data: [DONE]\n\n\r\n"),
            "{first}"
        );
        assert!(second.starts_with("HTTP/1.1 503"), "{second}");
        assert!(
            second.to_lowercase().contains("\r\nconnection: close\r\n"),
            "{second}"
        );
        let (_, body) = second.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "shutting_down");
        assert_eq!(body["error"]["type"], "server_error");
        assert_eq!(serving.ended().await.code(), Some(0));
        assert_eq!(serving.logged("request_done").await["status"], 200);
        assert_eq!(serving.stderr.all(), [""; 0]);
    }
}

#[tokio::test]
async fn s8_a_chat_request_on_a_connection_still_open_gets_that_error_too() {
    let (gate, mut serving) = at_a_gate(&[]).await;
    let mut streaming = stream(&serving).await;
    streaming
        .write_all(&chat_request(r#"{"messages":[]}"#))
        .await
        .unwrap();
    serving.signal("TERM");
    refused(&serving).await;
    gate.open();
    let said = rest(&mut streaming).await;
    let (_, second) = said.split_once("0\r\n\r\n").expect("the stream ends well");
    assert!(
        second.starts_with("HTTP/1.1 503") && second.contains("shutting_down"),
        "{second}"
    );
    drop(streaming);
    assert_eq!(serving.ended().await.code(), Some(0));
}

#[tokio::test]
async fn s8_a_request_that_came_before_the_signal_was_seen_is_answered() {
    let outside = Outside::with(Script::new()).await;
    let mut serving = outside.program("").ready().await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        let mut socket = connect(&serving).await;
        socket
            .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        until(&mut socket, "\"ok\"}").await;
        idle.push(socket);
    }
    // It finds the requests and the signal at once.
    serving.signal("STOP");
    for socket in &mut idle {
        let request = format!(
            "GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {PROXY_KEY}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
    }
    serving.signal("TERM");
    serving.signal("CONT");
    for socket in &mut idle {
        let said = rest(socket).await;
        let answered = said.starts_with("HTTP/1.1 200") || said.starts_with("HTTP/1.1 503");
        assert!(answered, "nobody was told: {said:?}");
    }
    assert_eq!(serving.ended().await.code(), Some(0));
}

#[tokio::test]
async fn s8_a_half_sent_request_is_not_waited_for() {
    let head = String::from_utf8(chat_request("")).unwrap();
    let declared = head.replace("Content-Length: 0", "Content-Length: 100");
    let chunked = head.replace("Content-Length: 0", "Transfer-Encoding: chunked");
    #[rustfmt::skip]
    let rows = [
        ("half a line",        "GET /hea".to_owned()),
        ("half a head",        "GET /health HTTP/1.1\r\nHost: x\r\n".to_owned()),
        ("a head alone",       declared.clone()),
        ("half a body",        declared + "{\"mess"),
        ("half a chunk",       chunked + "20\r\n{\"mess"),
    ];
    let stop = async |(what, sent): (&str, String)| {
        let outside = Outside::with(Script::new()).await;
        let mut serving = outside.program("").ready().await;
        let mut socket = connect(&serving).await;
        socket.write_all(sent.as_bytes()).await.unwrap();
        // One that is answered after it, so that what was sent has been read.
        assert_eq!(serving.get("/health").await.status(), 200);
        let begun = Instant::now();
        serving.signal("TERM");
        assert_eq!(serving.ended().await.code(), Some(0), "{what}");
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(10), "{what}: {took:?}");
    };
    join_all(rows.into_iter().map(stop)).await;
}

#[tokio::test]
async fn s8_the_drain_has_a_bound_and_what_it_cuts_has_its_log_line() {
    const OPEN: usize = 20;
    let (_gate, mut serving) = at_a_gate(&[("DRAIN_TIMEOUT_SEC", "0.3")]).await;
    let mut streaming = Vec::new();
    for _ in 0..OPEN {
        streaming.push(stream(&serving).await);
    }
    let begun = Instant::now();
    serving.signal("TERM");
    assert_eq!(serving.ended().await.code(), Some(0));
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    let lines = serving.stdout.all();
    let done = lines
        .iter()
        .filter(|line| line.contains("\"request_done\""));
    assert_eq!(done.count(), OPEN, "{lines:#?}");
}

#[tokio::test]
async fn s8_a_second_signal_ends_at_once() {
    for second in ["TERM", "INT"] {
        let (_gate, mut serving) = at_a_gate(&[]).await;
        let _streaming = stream(&serving).await;
        serving.signal("TERM");
        refused(&serving).await;
        assert!(serving.runs());
        let begun = Instant::now();
        serving.signal(second);
        serving.ended().await;
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn s8_a_terminal_that_closes_twice_does_not_cut_the_drain_short() {
    let (gate, mut serving) = at_a_gate(&[]).await;
    let mut streaming = stream(&serving).await;
    serving.signal("HUP");
    refused(&serving).await;
    serving.signal("HUP");
    gate.open();
    let said = rest(&mut streaming).await;
    assert!(said.contains("data: [DONE]"), "{said}");
    assert_eq!(serving.ended().await.code(), Some(0));
}

#[tokio::test]
async fn s8_what_was_started_with_nohup_outlives_its_terminal() {
    let outside = Outside::with(Script::new()).await;
    let mut serving = outside.program("").ignoring_hangups().ready().await;
    serving.signal("HUP");
    assert_eq!(serving.get("/health").await.status(), 200);
    serving.signal("TERM");
    assert_eq!(serving.ended().await.code(), Some(0));
}

#[tokio::test]
async fn s8_other_signals_change_nothing() {
    let (gate, mut serving) = at_a_gate(&[]).await;
    let mut streaming = stream(&serving).await;
    for signal in [
        "USR1", "USR2", "ALRM", "PIPE", "IO", "XFSZ", "VTALRM", "PROF",
    ] {
        serving.signal(signal);
        let health = serving.get("/health").await;
        assert_eq!(health.status(), 200, "after SIG{signal}");
    }
    gate.open();
    until(&mut streaming, "data: [DONE]").await;
    serving.signal("TERM");
    assert_eq!(serving.ended().await.code(), Some(0));
}

#[tokio::test]
async fn s8_with_nothing_open_it_ends_at_once_whatever_the_list_does() {
    #[rustfmt::skip]
    let rows = [
        ("is read",     Step::fitting()),
        ("hangs",       Step::Stall(Point::AfterHeaders)),
        ("is down",     Step::status(500, &[], "")),
    ];
    for (what, list) in rows {
        let outside = Outside::with(Script::new().list(list)).await;
        let mut serving = outside.program("").serve().await;
        outside
            .simulator
            .until(|simulator| !simulator.requests().is_empty())
            .await;
        let begun = Instant::now();
        serving.signal("TERM");
        assert_eq!(serving.ended().await.code(), Some(0), "the list {what}");
        assert!(begun.elapsed() < Duration::from_secs(5), "the list {what}");
    }
}

/// A proxy whose upstream keeps each stream open until it is released.
async fn at_a_gate(settings: &[(&str, &str)]) -> (Gate, Serving) {
    let (outside, gate) = (Outside::with(Script::new()).await, Gate::start().await);
    let program = outside.program("").env("UPSTREAM_BASE_URL", &gate.base_url);
    let program = settings
        .iter()
        .fold(program, |program, (name, value)| program.env(name, value));
    (gate, program.at_a_terminal().ready().await)
}

fn chat_request(body: &str) -> Vec<u8> {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {PROXY_KEY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection on which a stream has begun.
async fn stream(serving: &Serving) -> TcpStream {
    let mut socket = connect(serving).await;
    let request = chat_request(r#"{"messages":[],"stream":true}"#);
    socket.write_all(&request).await.unwrap();
    until(&mut socket, "first\"").await;
    socket
}

async fn connect(serving: &Serving) -> TcpStream {
    TcpStream::connect(serving.address).await.unwrap()
}

/// Reads until this has arrived.
async fn until(socket: &mut TcpStream, awaited: &str) {
    let mut said = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&said).contains(awaited) {
            said.push(socket.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(LONG, read).await.expect(awaited);
}

/// Reads until the proxy closes; a reset is an end, too.
async fn rest(socket: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let read = tokio::time::timeout(LONG, socket.read_to_end(&mut said)).await;
    drop(read.expect("it is closed"));
    String::from_utf8(said).unwrap()
}

/// Waits until there is no listener any more.
async fn refused(serving: &Serving) {
    serving.logged("stopping").await;
    let refused = async {
        while TcpStream::connect(serving.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LONG, refused)
        .await
        .expect("the listener closes");
}
