//! Promise 7 over TLS and HTTP/2, and when either side stops reading: what happens to a connection
//! to the upstream is not a model's failure (spec §4.2, §4.6).

use std::time::Duration;

use serde_json::{Value, json};
use simulator::Script;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use crate::program::Serving;
use crate::secured::{Act, Secured};
use crate::upstream::{Bare, Outside};

/// The requests opened this many connections; the key endpoint may be asked at the same moment, on one
/// more.
#[track_caller]
fn are_opened(upstream: &Secured, expected: usize, what: &str) {
    let opened = upstream.connections();
    let range = expected..=expected + 1;
    assert!(range.contains(&opened), "{what}: {opened} connections");
}

#[tokio::test]
async fn s4_2_what_happens_to_an_http2_connection_is_not_a_models_failure() {
    use Act::{Die, Leave, Refuse, Serve};
    #[rustfmt::skip]
    let rows: [(&str, &[Act], usize); 5] = [
        // the server                        with the requests                connections
        ("serves",                           &[Serve, Serve],                 1),
        ("refuses a stream",                 &[Serve, Refuse, Serve],         1),
        ("refuses one stream after another", &[Serve, Refuse, Refuse, Refuse], 2),
        ("leaves (GOAWAY)",                  &[Serve, Leave, Serve],          2),
        ("dies: a stale connection",         &[Serve, Die, Serve],            2),
    ];
    for (what, acts, connections) in rows {
        let upstream = Secured::http2(acts, 100).await;
        let serving = upstream.trusted().ready().await;
        for _ in 0..2 {
            let answer = serving.chat(&json!({"messages": []})).await;
            assert_eq!(answer.status(), 200, "{what}");
            assert_eq!(answer.headers()["x-free-llm-proxy-attempts"], "1", "{what}");
        }
        are_opened(&upstream, connections, what);
        nobody_rests(&serving, what).await;
    }
}

#[tokio::test]
async fn s4_2_a_full_http2_connection_is_joined_by_a_second_one() {
    // Both are answered only if both arrive, and the server takes one per connection.
    let upstream = Secured::http2(&[Act::Meet, Act::Meet], 1).await;
    let serving = upstream.trusted().ready().await;
    let body = json!({"messages": []});
    let (one, other) = tokio::join!(serving.chat(&body), serving.chat(&body));
    assert_eq!((one.status().as_u16(), other.status().as_u16()), (200, 200));
    are_opened(&upstream, 2, "a full connection");
    nobody_rests(&serving, "a full connection").await;
}

#[tokio::test]
async fn s4_6_a_request_that_was_taken_along_is_not_sent_again() {
    let upstream = Secured::http2(&[Act::Serve, Act::TakeAlong, Act::Serve], 100).await;
    let serving = upstream.trusted().ready().await;
    for attempts in ["1", "2"] {
        let answer = serving.chat(&json!({"messages": []})).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-free-llm-proxy-attempts"], attempts);
    }
    let ready: Value = serving.get("/ready").await.json().await.unwrap();
    assert_eq!(ready["available"], ready["models"].as_u64().unwrap() - 1);
}

#[tokio::test]
async fn s4_6_a_client_that_does_not_read_holds_no_other_stream_back() {
    let upstream = Secured::http2(&[Act::Flood, Act::Flood], 100).await;
    let serving = upstream.trusted().ready().await;
    let stream = json!({"stream": true, "messages": []});
    let (_unread, _either) = (serving.chat(&stream).await, serving.chat(&stream).await);
    upstream.stalled().await;
    upstream.stalled().await;
    for _ in 0..20 {
        let answer = serving.chat(&json!({"messages": []})).await;
        assert_eq!(answer.status(), 200);
    }
    are_opened(&upstream, 1, "all of it over one");
    nobody_rests(&serving, "a client that does not read").await;
}

#[tokio::test]
async fn s6_a_certificate_counts_if_the_systems_roots_vouch_for_it() {
    for (version, upstream) in [
        ("HTTP/1.1", Secured::http1().await),
        ("HTTP/2", Secured::http2(&[], 100).await),
    ] {
        let serving = upstream.trusted().ready().await;
        let answer = serving.chat(&json!({"messages": []})).await;
        assert_eq!(answer.status(), 200, "{version}");
        are_opened(&upstream, 1, version);

        let serving = upstream.program().ready().await;
        let answer = serving.chat(&json!({"messages": []})).await;
        assert_eq!(answer.status(), 503, "{version}");
        assert!(
            !answer.headers().contains_key("x-free-llm-proxy-attempts"),
            "{version}"
        );
        let told = answer.text().await.unwrap();
        assert!(told.contains("its certificate is not trusted"), "{told}");
        are_opened(&upstream, 1, version);
        nobody_rests(&serving, version).await;
    }
}

#[tokio::test]
async fn s4_2_an_answer_before_the_request_was_read_is_an_answer() {
    let said = r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    let error = r#"{"error":{"message":"too long","code":400}}"#;
    let event = r#"data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":"stop"}]}"#;
    let plain = |status, body: &str| {
        let length = body.len();
        let kind = "Content-Type: application/json";
        format!("HTTP/1.1 {status} Any\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let events = format!("{event}\n\ndata: [DONE]\n\n");
    let stream = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{events}\r\n0\r\n\r\n",
        events.len()
    );
    #[rustfmt::skip]
    let rows = [
        // the upstream       streamed  answered with
        (plain(200, said),    false,    (200, said)),
        (plain(400, error),   false,    (400, error)),
        (plain(400, error),   true,     (400, error)),
        (stream,              true,     (200, events.as_str())),
    ];
    let (outside, bare) = (Outside::with(Script::new()).await, Bare::start().await);
    let program = outside.program("").env("UPSTREAM_BASE_URL", &bare.base_url);
    let serving = program.ready().await;
    for (answer, streamed, (status, body)) in rows {
        // More than fits into the sockets between them.
        let content = "x".repeat(6_000_000);
        let long = json!({"stream": streamed, "messages": [{"role": "user", "content": content}]});
        let upstream = async {
            let mut socket = bare.asked().await;
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket
        };
        let (answered, _unread) = tokio::join!(serving.chat(&long), upstream);
        assert_eq!(answered.status(), status, "{answer}");
        assert_eq!(answered.text().await.unwrap(), body, "{answer}");
        nobody_rests(&serving, &answer).await;
    }
}

#[tokio::test]
async fn s5_a_client_that_does_not_read_holds_its_upstream_back() {
    const MANY: usize = 256 * 1024 * 1024;
    let event = format!(
        r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#,
        "x".repeat(16_000)
    );
    let chunk = format!("{:x}\r\ndata: {event}\n\n\r\n", event.len() + 8);
    let (outside, bare) = (Outside::with(Script::new()).await, Bare::start().await);
    let program = outside.program("").env("UPSTREAM_BASE_URL", &bare.base_url);
    let serving = program.ready().await;
    let upstream = async {
        let mut socket = bare.asked().await;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        // Nothing takes this long but a reader that does not read.
        while sent < MANY
            && let Ok(written) =
                timeout(Duration::from_secs(1), socket.write_all(chunk.as_bytes())).await
        {
            written.unwrap();
            sent += chunk.len();
        }
        sent
    };
    let request = json!({"stream": true, "messages": []});
    let (_unread, sent) = tokio::join!(serving.chat(&request), upstream);
    assert!(sent < MANY, "{sent}");
    assert_eq!(serving.get("/health").await.status(), 200);
}

async fn nobody_rests(serving: &Serving, what: &str) {
    let ready: Value = serving.get("/ready").await.json().await.unwrap();
    assert_eq!(ready["available"], ready["models"], "{what}: {ready}");
}
