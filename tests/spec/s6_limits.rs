//! §6: how large, how deep and how slow a request may be. Broken HTTP: `s6_framing`; limits on
//! the upstream: `s6_upstream`.

use std::time::Duration;

use crate::rig::{Rig, abc};
use crate::s2_list::pass;
use crate::wire::{answers, chat_head, only, rest, say};
use futures_util::future::join_all;
use simulator::{Answer, Script, Step, Stream, StreamFault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

#[tokio::test]
async fn s6_a_body_may_have_so_many_bytes_and_not_one_more() {
    let rig = Rig::with(Script::new(), &[("MAX_BODY_BYTES", "5000")]).await;
    for size in [1_000, 4_999, 5_000, 5_001, 100_000] {
        let body = body_of(size);
        let fits = size <= 5_000;
        for sent in [declared(&body), chunked(&body, 700), chunked(&body, size)] {
            let answer = only(&say(socket(&rig).await, &sent).await);
            if fits {
                assert_eq!(answer.status, 200, "{size}: {answer:?}");
            } else {
                answer.is_error(413, "request_too_large");
                assert_eq!(answer.header("connection"), "close");
            }
        }
    }
}

#[tokio::test]
async fn s6_a_413_can_be_read_by_a_client_that_keeps_sending() {
    let rig = Rig::with(Script::new(), &[("MAX_BODY_BYTES", "1000")]).await;
    let body = body_of(16 << 20);
    for sent in [declared(&body), chunked(&body, 64 << 10)] {
        only(&say(socket(&rig).await, &sent).await).is_error(413, "request_too_large");
    }
    let library = rig
        .send("POST", "/v1/chat/completions", &[], body.clone())
        .await;
    library.is_error(413, "request_too_large");
    // Nor does a body prevent the other early answers from being read.
    let keyless = rig.send(
        "POST",
        "/v1/chat/completions",
        &[("authorization", "")],
        body.clone(),
    );
    keyless.await.is_error(401, "missing_api_key");
    rig.send("POST", "/no/such/path", &[], body)
        .await
        .is_error(404, "not_found");
}

#[tokio::test(start_paused = true)]
async fn s6_a_length_beyond_the_limit_is_refused_before_a_byte_of_it() {
    let rig = Rig::paused(Script::new(), &[]).await;
    for length in ["33554433", "99999999999", "18446744073709551615"] {
        let begun = Instant::now();
        let head = chat_head(&format!("Content-Length: {length}\r\n"));
        only(&say(rig.pipe(), head.as_bytes()).await).is_error(413, "request_too_large");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[tokio::test]
async fn s6_json_may_be_so_deep_and_no_deeper() {
    let default: &[(&str, &str)] = &[];
    let flat: &[(&str, &str)] = &[("MAX_JSON_DEPTH", "5")];
    #[rustfmt::skip]
    let rows = [
        // settings  levels     status
        (default,    1,         200),
        (default,    128,       200),
        (default,    129,       400),
        (default,    100_000,   400),
        (flat,       5,         200),
        (flat,       6,         400),
    ];
    for (settings, levels, status) in rows {
        let rig = Rig::with(Script::new(), settings).await;
        let (arrays, objects) = (levels.max(2) - 1, levels.max(3) - 2);
        let bodies = [
            format!(
                "{{\"messages\":{}{}}}",
                "[".repeat(arrays),
                "]".repeat(arrays)
            ),
            format!(
                "{{\"messages\":[],\"x\":{}1{}}}",
                "[".repeat(arrays),
                "]".repeat(arrays)
            ),
            format!(
                "{{\"messages\":[{}1{}]}}",
                "{\"a\":".repeat(objects),
                "}".repeat(objects)
            ),
        ];
        for body in bodies {
            let start: String = body.chars().take(40).collect();
            let answer = rig.send("POST", "/v1/chat/completions", &[], body).await;
            assert_eq!(answer.status, status, "{levels} levels: {start}");
        }
        let unclosed = format!("{{\"messages\":{}", "[".repeat(levels));
        let answer = rig
            .send("POST", "/v1/chat/completions", &[], unclosed)
            .await;
        assert_eq!(answer.status, 400);
        let text = format!("{{\"messages\":[],\"x\":\"{}\"}}", "[{".repeat(levels));
        let answer = rig.send("POST", "/v1/chat/completions", &[], text).await;
        assert_eq!(answer.status, 200, "brackets in a text are text");
    }
}

#[tokio::test]
async fn s6_bodies_that_are_no_chat_request_are_400() {
    let rig = Rig::start(Script::new()).await;
    let many = format!("{{{}\"messages\":1}}", "\"a\":1,".repeat(100_000));
    #[rustfmt::skip]
    let rows: [(&[u8], &str); 22] = [
        (b"",                                              "invalid_json"),
        (b" \r\n\t ",                                      "invalid_json"),
        (b"\0",                                            "invalid_json"),
        (b"messages=hello",                                "invalid_json"),
        (b"<messages/>",                                   "invalid_json"),
        (b"{\"messages\":[],}",                            "invalid_json"),
        (b"{\"messages\":[,]}",                            "invalid_json"),
        (b"{'messages':[]}",                               "invalid_json"),
        (b"{\"messages\":[]}{}",                           "invalid_json"),
        (b"{\"messages\":[],\"x\":NaN}",                   "invalid_json"),
        (b"{\"messages\":[],\"x\":01}",                    "invalid_json"),
        (b"{\"messages\":[],\"x\":\"\n\"}",                "invalid_json"),
        (b"{\"messages\":[],\"x\":\"\\q\"}",               "invalid_json"),
        (b"{\"messages\":[],\"x\":\"\xff\"}",              "invalid_json"),
        (b"{\"messages\":[],\"x\":\"\xc3\"}",              "invalid_json"),
        (b"\xef\xbb\xbf{\"messages\":[]}",                 "invalid_json"),
        (b"7",                                             "invalid_request"),
        (b"[{\"messages\":[]}]",                           "invalid_request"),
        (b"{\"messages\":[],\"model\":\"a\",\"model\":\"b\"}",         "invalid_request"),
        (b"{\"messages\":[],\"stream\":false,\"stre\\u0061m\":true}",  "invalid_request"),
        (b"{\"messages\":[],\"x\":1,\"x\":2}",             "invalid_request"),
        (many.as_bytes(),                                  "invalid_request"),
    ];
    for (body, code) in rows {
        let answer = rig
            .send("POST", "/v1/chat/completions", &[], body.to_vec())
            .await;
        let start: Vec<u8> = body.iter().take(60).copied().collect();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, code),
            "{:?}",
            start.escape_ascii().to_string()
        );
        answer.is_error(400, code);
    }
    assert_eq!(rig.simulator.models_asked(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn s6_slow_senders_and_idle_connections_are_cut() {
    let settings = [
        ("HEADER_TIMEOUT_SEC", "7"),
        ("BODY_IDLE_TIMEOUT_SEC", "11"),
        ("IDLE_TIMEOUT_SEC", "40"),
    ];
    let rig = Rig::paused(Script::new(), &settings).await;
    let half_body = chat_head("Content-Length: 100\r\n") + "{\"mess";
    let half_chunk = chat_head("Transfer-Encoding: chunked\r\n") + "20\r\n{\"mess";
    let no_chunk = chat_head("Transfer-Encoding: chunked\r\n");
    let health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    #[rustfmt::skip]
    let rows: [(&str, &str, u64, u64, &[u16]); 8] = [
        // sent                    and then a piece        every s  closed after s   answers
        ("",                       "",                     0,       40,              &[]),
        ("G",                      "",                     0,       7,               &[408]),
        ("GET /health HTTP/1.1\r", "",                     0,       7,               &[408]),
        ("GET /health HTTP/1.1\r\n", "X-Drop: 1\r\n",      1,       7,               &[408]),
        (health,                   "",                     0,       40,              &[200]),
        (&half_body,               "",                     0,       11,              &[408]),
        (&half_chunk,              "",                     0,       11,              &[408]),
        (&no_chunk,                "",                     0,       11,              &[408]),
    ];
    for (sent, piece, every, after, expected) in rows {
        let begun = Instant::now();
        let (mut read, mut write) = tokio::io::split(rig.pipe());
        write.write_all(sent.as_bytes()).await.unwrap();
        let drip = async {
            while every > 0 && write.write_all(piece.as_bytes()).await.is_ok() {
                pass(every).await;
            }
            std::future::pending::<()>().await;
        };
        let said = tokio::select! {
            said = rest(&mut read) => said,
            () = drip => unreachable!(),
        };
        assert_eq!(begun.elapsed().as_secs(), after, "{sent:?}");
        let answers = answers(&said);
        let told: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(told, expected, "{sent:?}");
        for late in answers.iter().filter(|answer| answer.status == 408) {
            late.is_error(408, "request_timeout");
            assert_eq!(late.header("connection"), "close");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s6_a_body_that_keeps_coming_may_take_its_time() {
    let settings = [
        ("BODY_IDLE_TIMEOUT_SEC", "11"),
        ("HEADER_TIMEOUT_SEC", "7"),
        ("IDLE_TIMEOUT_SEC", "5"),
    ];
    let rig = Rig::paused(Script::new(), &settings).await;
    let body = Rig::hello().to_string();
    let begun = Instant::now();
    let mut pipe = rig.pipe();
    let head = chat_head(&format!(
        "Connection: close\r\nContent-Length: {}\r\n",
        body.len()
    ));
    pipe.write_all(head.as_bytes()).await.unwrap();
    for byte in body.as_bytes() {
        pass(10).await;
        pipe.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(only(&rest(&mut pipe).await).status, 200);
    assert!(begun.elapsed() > Duration::from_secs(450));
}

#[tokio::test(start_paused = true)]
async fn s6_a_body_that_drips_for_ever_is_cut() {
    let rig = Rig::paused(Script::new(), &[]).await;
    let begun = Instant::now();
    let (mut read, mut write) = tokio::io::split(rig.pipe());
    let head = chat_head("Content-Length: 100000\r\n");
    write.write_all(head.as_bytes()).await.unwrap();
    let drip = async {
        loop {
            pass(20).await;
            // Once it is refused, the client's further bytes are not read.
            if write.write_all(b"{").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let said = tokio::select! {
        said = rest(&mut read) => said,
        () = drip => unreachable!(),
    };
    only(&said).is_error(408, "request_timeout");
    assert!((600..700).contains(&begun.elapsed().as_secs()));
}

#[tokio::test]
async fn s6_a_body_of_countless_fields_is_refused_and_delays_no_other() {
    let rig = Rig::start(Script::new()).await;
    let fields = |count: usize| -> String {
        let more: String = (1..count).map(|n| format!(",\"f{n}\":1")).collect();
        format!("{{\"messages\":[]{more}}}")
    };
    for (count, status) in [(1, 200), (1_024, 200), (1_025, 400), (2_000_000, 400)] {
        let answer = rig
            .send("POST", "/v1/chat/completions", &[], fields(count))
            .await;
        assert_eq!(answer.status, status, "{count} fields");
        if status == 400 {
            answer.is_error(400, "invalid_request");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s6_each_request_of_a_connection_has_its_limits_anew() {
    let settings = [("HEADER_TIMEOUT_SEC", "7"), ("IDLE_TIMEOUT_SEC", "40")];
    let rig = Rig::paused(Script::new(), &settings).await;
    let mut pipe = rig.pipe();
    let begun = Instant::now();
    for _ in 0..5 {
        pass(39).await;
        pipe.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
        pass(6).await;
        pipe.write_all(b"Host: x\r\n\r\n").await.unwrap();
        let mut some = [0; 1024];
        let count = pipe.read(&mut some).await.unwrap();
        assert_eq!(only(&some[..count]).status, 200);
    }
    pass(39).await;
    pipe.write_all(b"GET /hea").await.unwrap();
    only(&rest(&mut pipe).await).is_error(408, "request_timeout");
    assert_eq!(begun.elapsed().as_secs(), 5 * 45 + 39 + 7);
}

#[tokio::test(start_paused = true)]
async fn s6_a_head_begun_in_the_same_write_as_the_request_before_it_has_its_limit_too() {
    let settings = [("HEADER_TIMEOUT_SEC", "7"), ("IDLE_TIMEOUT_SEC", "40")];
    let rig = Rig::paused(Script::new(), &settings).await;
    let begun = Instant::now();
    let said = say(
        rig.pipe(),
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /hea",
    )
    .await;
    assert_eq!(begun.elapsed().as_secs(), 7);
    let told: Vec<_> = answers(&said).iter().map(|answer| answer.status).collect();
    assert_eq!(told, [200, 408]);
}

#[tokio::test(start_paused = true)]
async fn s6_a_long_answer_is_not_an_idle_connection() {
    let settings = [
        ("HEADER_TIMEOUT_SEC", "1"),
        ("BODY_IDLE_TIMEOUT_SEC", "1"),
        ("IDLE_TIMEOUT_SEC", "1"),
    ];
    let slow = Answer {
        chunks: 4,
        delay_ms: 20_000,
        headers_delay_ms: 20_000,
        ..Answer::text("a b c d")
    };
    let rig = Rig::paused(abc().others(Step::from(slow)), &settings).await;
    assert_eq!(rig.chat(&Rig::hello_stream()).await.content(), "a b c d");
}

#[tokio::test(start_paused = true)]
async fn s6_a_client_that_reads_nothing_is_cut_and_its_upstream_with_it() {
    let mut flood = Stream::new(StreamFault::ContentForever, 0);
    flood.answer.delay_ms = 1;
    flood.answer.text = Some("x".repeat(100_000));
    let rig = Rig::paused(
        abc().model("a:free", Step::from(flood)),
        &[("IDLE_TIMEOUT_SEC", "40")],
    )
    .await;
    let mut pipe = rig.pipe();
    pipe.write_all(&declared(Rig::hello_stream().to_string().as_bytes()))
        .await
        .unwrap();
    let begun = Instant::now();
    rig.simulator
        .until(|s| s.requests().iter().any(|seen| seen.closed_early))
        .await;
    assert_eq!(begun.elapsed().as_secs(), 40);
    assert_eq!(rig.logged("request_done").await["status"], 499);
}

#[tokio::test(start_paused = true)]
async fn s6_a_crowd_of_stalled_and_idle_connections_does_not_slow_health_and_is_cut() {
    let rig = Rig::paused(Script::new(), &[]).await;
    let begun = Instant::now();
    let stalled = [
        "GET /health HTT".to_owned(),
        chat_head("Content-Length: 100\r\n") + "{",
        chat_head("Transfer-Encoding: chunked\r\n") + "5\r\n{",
    ];
    let mut crowd = Vec::new();
    for n in 0..800 {
        let mut pipe = rig.pipe();
        if let Some(sent) = stalled.get(n % 8) {
            pipe.write_all(sent.as_bytes()).await.unwrap();
        }
        crowd.push(pipe);
    }
    let health = rig.get("/health").await;
    assert_eq!((health.status, begun.elapsed()), (200, Duration::ZERO));
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    let said = join_all(crowd.iter_mut().map(rest)).await;
    let late = said.iter().filter(|said| !said.is_empty());
    assert_eq!(late.count(), 300, "those who had begun are told");
    assert_eq!(begun.elapsed().as_secs(), 75, "and the others are closed");
}

#[tokio::test]
async fn s6_a_crowd_of_sockets_does_not_keep_others_out() {
    let rig = Rig::start(Script::new()).await;
    let mut crowd = Vec::new();
    for n in 0..100 {
        let mut socket = socket(&rig).await;
        if n % 2 == 0 {
            let begun = chat_head("Content-Length: 100\r\n");
            socket.write_all(begun.as_bytes()).await.unwrap();
        }
        crowd.push(socket);
    }
    for _ in 0..20 {
        assert_eq!(rig.get("/health").await.status, 200);
    }
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

/// A valid chat request of exactly this size.
fn body_of(size: usize) -> Vec<u8> {
    let (front, back) = (r#"{"messages":[{"role":"user","content":""#, r#""}]}"#);
    let text = "x".repeat(size - front.len() - back.len());
    [front, &text, back].concat().into_bytes()
}

/// The whole request, with its length given in advance.
fn declared(body: &[u8]) -> Vec<u8> {
    let head = chat_head(&format!(
        "Connection: close\r\nContent-Length: {}\r\n",
        body.len()
    ));
    [head.as_bytes(), body].concat()
}

/// The whole request in chunks of this size.
fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut sent = chat_head("Connection: close\r\nTransfer-Encoding: chunked\r\n").into_bytes();
    for chunk in body.chunks(size) {
        sent.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        sent.extend_from_slice(chunk);
        sent.extend_from_slice(b"\r\n");
    }
    sent.extend_from_slice(b"0\r\n\r\n");
    sent
}

async fn socket(rig: &Rig) -> TcpStream {
    TcpStream::connect(rig.address()).await.unwrap()
}
