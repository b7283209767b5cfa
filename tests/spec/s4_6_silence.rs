//! §4.6: silence is what a timeout measures.

use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use simulator::{Answer, Point, Raw, RawPart, Step, Stream, StreamFault, Then};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout_at};

use crate::rig::{Rig, abc};
use crate::scripts::{STALL, STREAM, in_bytes, pieces, rest_of};

const CONTENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n";

#[tokio::test(start_paused = true)]
async fn s4_6_the_first_useful_event_has_a_limit_whatever_comes_before_it() {
    let slow = |headers, comments, first| {
        Step::from(Answer {
            headers_delay_ms: headers,
            comments,
            comment_delay_ms: 500,
            first_delay_ms: first,
            ..Answer::text("late")
        })
    };
    let stream = |fault| Step::from(Stream::new(fault, 0));
    #[rustfmt::skip]
    let rows = [
        // what `a` does                        who answers, and when, s
        (STALL,     "b", 30),
        (Step::Stall(Point::MidHeaders),        "b", 30),
        (Step::Stall(Point::AfterHeaders),      "b", 30),
        (Step::Stall(Point::FirstEvent),        "b", 30),
        (stream(StreamFault::CommentsForever),  "b", 30),
        (stream(StreamFault::EmptyDeltasForever), "b", 30),
        (slow(29_000, 0, 0),                    "a", 29),
        (slow(0, 0, 29_000),                    "a", 29),
        (slow(0, 40, 9_000),                    "a", 29),
        (slow(20_000, 0, 9_000),                "a", 29),
        (slow(20_000, 0, 11_000),               "b", 30),
        (slow(0, 40, 11_000),                   "b", 30),
    ];
    let rig = Rig::paused(
        abc(),
        &[("STREAM_KEEPALIVE_SEC", "0"), ("PLAIN_TIMEOUT_SEC", "5")],
    )
    .await;
    for (step, who, seconds) in rows {
        rig.anew(abc().model("a:free", step.clone())).await;
        let start = Instant::now();
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(
            answer.header("x-free-llm-proxy-model"),
            format!("{who}:free"),
            "{step:?}"
        );
        assert_eq!(start.elapsed().as_secs(), seconds, "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_6_a_stream_that_keeps_talking_may_run_for_as_long_as_it_likes() {
    let mut stream = Stream::new(StreamFault::ContentForever, 0);
    stream.answer.delay_ms = 29_900;
    let rig = Rig::paused(
        abc().model("a:free", Step::from(stream)),
        &[("REQUEST_BUDGET_SEC", "60")],
    )
    .await;
    let start = Instant::now();
    let mut body = rig
        .open(
            "POST",
            "/v1/chat/completions",
            &[],
            Rig::hello_stream().to_string(),
        )
        .await
        .into_body();
    let mut events = 0;
    while events < 1_000 {
        let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(!String::from_utf8_lossy(&data).contains("error"));
        events += usize::from(data.starts_with(b"data:"));
    }
    assert!(start.elapsed() > Duration::from_secs(8 * 3600));
}

#[tokio::test(start_paused = true)]
async fn s4_6_silence_within_a_stream_is_cut() {
    let talk = |every_ms: u64, with: &str| {
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
        let chunk = |bytes: &str| RawPart::Text(format!("{:x}\r\n{bytes}\r\n", bytes.len()));
        let head = RawPart::Text(format!(
            "HTTP/1.1 200 OK\r\n{STREAM}Transfer-Encoding: chunked\r\n\r\n"
        ));
        let mut send = vec![head, chunk(text)];
        for _ in 0..50 {
            send.extend([
                RawPart::SleepMs(every_ms),
                chunk(if with.is_empty() { text } else { with }),
            ]);
        }
        Step::Raw(Raw {
            send,
            then: Then::Hang,
        })
    };
    let stall = || Step::stream(StreamFault::Stall, 2);
    #[rustfmt::skip]
    let rows = [
        // settings                                                           stream              it ends at, s
        (vec![],                                                              stall(),            30),
        (vec![("STREAM_IDLE_TIMEOUT_SEC", "7")],                              stall(),            7),
        (vec![("STREAM_IDLE_TIMEOUT_SEC", "90")],                             stall(),            90),
        (vec![("UPSTREAM_TIMEOUT_SEC", "12")],                                stall(),            12),
        (vec![("STREAM_IDLE_TIMEOUT_SEC", "7")],                              talk(6_900, ""),    345 + 7),
        (vec![("STREAM_IDLE_TIMEOUT_SEC", "7")],                              talk(7_100, ""),    7),
        (vec![("STREAM_IDLE_TIMEOUT_SEC", "7")],                              talk(1_000, ": OPENROUTER PROCESSING\n\n"), 7),
    ];
    for (settings, step, seconds) in rows {
        let rig = Rig::paused(abc().model("a:free", step.clone()), &settings).await;
        let start = Instant::now();
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(start.elapsed().as_secs(), seconds, "{settings:?}");
        let events = answer.events();
        let [.., frame, done] = events.as_slice() else {
            panic!("{answer:?}")
        };
        let frame: Value = serde_json::from_str(frame).unwrap();
        assert_eq!(
            (&frame["error"]["code"], done.as_str()),
            (&json!("upstream_error"), "[DONE]")
        );
        assert!(
            rig.simulator.requests().last().unwrap().closed_early,
            "nothing runs on for nobody"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s4_6_a_client_that_reads_slowly_is_not_the_models_silence() {
    // It pauses for 20 s at a time, and the upstream has to wait with it.
    let mut stream = Stream::new(StreamFault::ContentForever, 0);
    stream.answer.delay_ms = 10;
    let settings = [("STREAM_IDLE_TIMEOUT_SEC", "5")];
    let rig = Rig::paused(abc().model("a:free", Step::from(stream)), &settings).await;
    let mut client = rig.pipe();
    let request = in_bytes(&Rig::hello_stream());
    client.write_all(request.as_bytes()).await.unwrap();
    let mut said = vec![0; 64 * 1024];
    for pause in 0..3 {
        sleep(Duration::from_secs(20)).await;
        let until = Instant::now() + Duration::from_secs(2);
        let mut bytes = 0;
        while let Ok(read) = timeout_at(until, client.read(&mut said)).await {
            let read = read.unwrap();
            assert_ne!(read, 0, "it is still open after pause {pause}");
            assert!(!String::from_utf8_lossy(&said[..read]).contains("error\""));
            bytes += read;
        }
        assert!(
            bytes > 50_000,
            "it flows again: {bytes} after pause {pause}"
        );
    }
    assert!(rig.log.of("request_done").is_empty());
}

#[tokio::test(start_paused = true)]
async fn s4_6_an_error_whose_body_never_arrives_is_judged_by_its_head() {
    let head = |status: &str| {
        Step::raw(
            format!("HTTP/1.1 {status}\r\nRetry-After: 9\r\nContent-Length: 100\r\n\r\n{{"),
            Then::Hang,
        )
    };
    #[rustfmt::skip]
    let rows = [
        ("429 Too Many Requests", "a rate_limited 429, b success",   9),
        ("503 Unavailable",       "a upstream_error 503, b success", 9),
        ("500 Oh",                "a upstream_error 500, b success", 60),
    ];
    for (status, attempts, rest) in rows {
        let rig = Rig::paused(
            abc().model("a:free", head(status)),
            &[("MODEL_FIELD", "pin")],
        )
        .await;
        let start = Instant::now();
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(rig.attempts(&answer), attempts);
        assert!(start.elapsed() <= Duration::from_secs(30), "{status}");
        assert_eq!(rest_of(&rig, "a:free").await, rest.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn s4_6_a_flood_of_comments_is_not_progress() {
    let comments = std::iter::repeat_n(": OPENROUTER PROCESSING\n\n", 30_000);
    let flood = pieces(STREAM, std::iter::once(CONTENT).chain(comments));
    let settings = [("STREAM_IDLE_TIMEOUT_SEC", "5")];
    let rig = Rig::paused(abc().model("a:free", flood), &settings).await;
    let mut client = rig.pipe();
    client
        .write_all(in_bytes(&Rig::hello_stream()).as_bytes())
        .await
        .unwrap();
    let begun = Instant::now();
    let mut said = Vec::new();
    let mut piece = [0; 2000];
    while !said.ends_with(b"0\r\n\r\n") {
        let count = client.read(&mut piece).await.unwrap();
        assert_ne!(count, 0);
        said.extend_from_slice(&piece[..count]);
        assert!(
            begun.elapsed() < Duration::from_secs(6),
            "it goes on and on"
        );
    }
    assert!(String::from_utf8_lossy(&said).contains("fell silent"));
}
