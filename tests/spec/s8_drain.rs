//! §8: what is open when the proxy is told to stop (the rest is in `tests/binary/stopping.rs`).

use std::time::Duration;

use serde_json::Value;
use simulator::{Point, Raw, RawPart, Step, StreamFault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::rig::{PROXY_KEY, Rig, abc, ranking};
use crate::scripts::{STREAM, parts};

const CONTENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

#[tokio::test]
async fn s8_an_answer_that_is_made_but_not_yet_taken_is_finished() {
    let text = "x".repeat(10 << 20);
    let rig = Rig::start(abc().others(Step::ok(text.as_str()))).await;
    let mut socket = TcpStream::connect(rig.address()).await.unwrap();
    let body = Rig::hello().to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {PROXY_KEY}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    // The first bytes are here, so the whole answer is in the proxy and waits for its reader.
    let mut said = vec![0; 1024];
    socket.read_exact(&mut said).await.unwrap();
    rig.stop();
    while TcpStream::connect(rig.address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    socket.read_to_end(&mut said).await.unwrap();
    let whole = said.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let answer: serde_json::Value = serde_json::from_slice(&said[whole..]).unwrap();
    assert_eq!(
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .len(),
        text.len()
    );
}

#[tokio::test]
async fn s8_what_the_end_of_the_drain_cuts_still_ends_properly() {
    let told = r#"{"error":{"message":"The proxy is shutting down.","type":"server_error","param":null,"code":"shutting_down"}}"#;
    let stall = Step::Stall(Point::BeforeHeaders);
    #[rustfmt::skip]
    let rows = [
        // the upstream                           streamed  status  waits aloud  line of the log
        (Step::stream(StreamFault::Stall, 2),     true,     200,    "25",        (200, "shutting_down")),
        (stall.clone(),                           true,     200,    "0.01",      (200, "shutting_down")),
        (stall.clone(),                           true,     503,    "25",        (503, "")),
        (stall,                                   false,    503,    "25",        (503, "")),
    ];
    for (step, streamed, status, keepalive, line) in rows {
        let settings = [
            ("DRAIN_TIMEOUT_SEC", "0.05"),
            ("STREAM_KEEPALIVE_SEC", keepalive),
        ];
        let why = format!("{step:?} {streamed} {keepalive}");
        let rig = Rig::with(abc().model("a:free", step), &settings).await;
        let stopping = async {
            rig.simulator.until(|s| !s.models_asked().is_empty()).await;
            if status == 200 {
                // Its head is on its way, or will be at once.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            rig.stop();
        };
        let request = if streamed {
            Rig::hello_stream()
        } else {
            Rig::hello()
        };
        let (answer, ()) = tokio::join!(rig.chat(&request), stopping);
        assert_eq!(answer.status, status, "{why}: {answer:?}");
        if status == 200 {
            let events = answer.events();
            assert_eq!(events[events.len() - 2..], [told, "[DONE]"], "{why}");
        } else {
            answer.is_error(503, "shutting_down");
            assert_eq!(answer.header("connection"), "close", "{why}");
        }
        let done = rig.done();
        let mid_stream_error = done["mid_stream_error"].as_str().unwrap_or_default();
        let logged = (done["status"].as_u64().unwrap(), mid_stream_error);
        assert_eq!(logged, line, "{why}: {done}");
        assert_eq!(done["level"], "WARNING", "{why}");
        assert_eq!(Rig::trail(&done), ["a:free upstream_error"], "{why}");
        assert!(done["attempts"][0]["cooldown_until"].is_null(), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn s6_a_client_that_keeps_sending_after_its_refusal_is_soon_cut() {
    let rig = Rig::paused(abc(), &[]).await;
    let begun = tokio::time::Instant::now();
    let (mut read, mut write) = tokio::io::split(rig.pipe());
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    write.write_all(head.as_bytes()).await.unwrap();
    let drip = async {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    };
    let mut said = String::new();
    let (_, ()) = tokio::join!(read.read_to_string(&mut said), drip);
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
    assert!(begun.elapsed().as_secs() <= 3, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn s8_a_finished_stream_is_not_an_error_at_the_end_of_the_drain() {
    let mut raw: Raw = parts(STREAM, [CONTENT, FINISH]);
    raw.send.pop();
    raw.send.push(RawPart::SleepMs(60_000));
    let rig = Rig::with(
        abc().model("a:free", Step::Raw(raw)),
        &[("DRAIN_TIMEOUT_SEC", "0.1")],
    )
    .await;
    let stopping = async {
        rig.simulator.until(|s| !s.models_asked().is_empty()).await;
        sleep(Duration::from_millis(100)).await;
        rig.stop();
    };
    let request = Rig::hello_stream();
    let (answer, ()) = tokio::join!(rig.chat(&request), stopping);
    assert_eq!(
        answer.text(),
        [CONTENT, FINISH, "data: [DONE]\n\n"].concat()
    );
    assert_eq!(rig.attempts(&answer), "a success");
}

#[tokio::test]
async fn s8_a_refresh_cut_off_by_the_end_of_the_drain_gets_an_error() {
    let script = abc().list(vec![
        ranking(&["a:free"]),
        Step::Stall(Point::BeforeHeaders),
    ]);
    let rig = Rig::with(script, &[("DRAIN_TIMEOUT_SEC", "0.1")]).await;
    let stopping = async {
        sleep(Duration::from_millis(50)).await;
        rig.stop();
    };
    let (answer, ()) = tokio::join!(rig.post("/admin/refresh", &Value::Null), stopping);
    answer.is_error(503, "shutting_down");
}
