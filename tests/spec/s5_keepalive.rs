//! §5: a stream that has begun shows in each period of silence that it is alive, and no limit on
//! the upstream changes because of that.

use std::collections::BTreeSet;

use http_body_util::BodyExt as _;
use serde_json::json;
use simulator::{Answer, Step, Stream, StreamFault};
use tokio::time::Instant;

use crate::rig::{Rig, abc};
use crate::scripts::STALL;

/// What each API sends to keep a connection alive.
const APIS: [(&str, &str); 4] = [
    ("/v1/chat/completions", ": keep-alive\n\n"),
    ("/v1/completions", ": keep-alive\n\n"),
    ("/v1/responses", ": keep-alive\n\n"),
    ("/v1/messages", "event: ping\ndata: {\"type\":\"ping\"}\n\n"),
];

/// Silence may last a minute.
const PATIENT: (&str, &str) = ("UPSTREAM_TIMEOUT_SEC", "60");

#[tokio::test(start_paused = true)]
async fn s5_silence_between_events_is_broken_each_period() {
    let spoken = |delay_s: u64| Answer {
        chunks: 2,
        delay_ms: delay_s * 1_000,
        ..Answer::text("one two")
    };
    let settings = |period| [PATIENT, ("STREAM_KEEPALIVE_SEC", period)];
    #[rustfmt::skip]
    let rows = [
        // the pause between events   STREAM_KEEPALIVE_SEC   told at, s after the first event
        (spoken(40),                  "15",                  vec![15, 30]),
        (spoken(14),                  "15",                  vec![]),
        (spoken(40),                  "7.5",                 vec![7, 15, 22, 30, 37]),
        (spoken(40),                  "0",                   vec![]),
        (spoken(40),                  "41",                  vec![]),
    ];
    let mut emitted = BTreeSet::new();
    for (answer, period, expected) in rows {
        for (path, word) in APIS {
            let pause = answer.delay_ms / 1_000;
            let script = abc().model("a:free", Step::from(answer.clone()));
            let rig = Rig::paused(script, &settings(period)).await;
            let said = said(&rig, path).await;
            let (first, second) = (when(&said, "one"), when(&said, "two"));
            assert_eq!(second - first, pause, "{path}: {said:?}");
            let told = all(&said, word).filter(|at| (first..second).contains(at));
            let told: Vec<u64> = told.map(|at| at - first).collect();
            assert_eq!(told, expected, "{path} {period}: {said:?}");
            emitted.insert((path, rig.done()["chunks_emitted"].to_string()));
        }
    }
    assert_eq!(
        emitted.len(),
        APIS.len(),
        "none of it is an event: {emitted:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn s4_6_keepalives_are_not_progress_of_the_upstream() {
    let stall = || Step::from(Stream::new(StreamFault::Stall, 1));
    let settings = [
        ("STREAM_IDLE_TIMEOUT_SEC", "40"),
        ("STREAM_KEEPALIVE_SEC", "15"),
    ];
    for (path, word) in APIS {
        let rig = Rig::paused(abc().model("a:free", stall()), &settings).await;
        let said = said(&rig, path).await;
        let told: Vec<u64> = all(&said, word).collect();
        assert_eq!(told, [15, 30], "{path}: {said:?}");
        assert_eq!(said.last().unwrap().0, 40, "{path}: {said:?}");
        assert_eq!(rig.done()["mid_stream_error"], "upstream_error", "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn s5_keepalives_continue_after_waiting_aloud() {
    let spoken = Answer {
        chunks: 2,
        delay_ms: 40_000,
        ..Answer::text("one two")
    };
    for (path, word) in APIS {
        let script = abc()
            .model("a:free", STALL)
            .model("b:free", Step::from(spoken.clone()));
        let rig = Rig::paused(
            script,
            &[
                ("STREAM_KEEPALIVE_SEC", "25"),
                ("STREAM_IDLE_TIMEOUT_SEC", "60"),
            ],
        )
        .await;
        let said = said(&rig, path).await;
        let first = when(&said, "one");
        let told = all(&said, word).find(|at| *at > first);
        assert_eq!(told, Some(first + 25), "{path}: {said:?}");
    }
}

/// When, in whole seconds after the request, which bytes arrived.
async fn said(rig: &Rig, path: &str) -> Vec<(u64, String)> {
    let body = match path {
        "/v1/completions" => json!({"stream": true, "prompt": "Hello!"}),
        "/v1/responses" => json!({"stream": true, "input": "Hello!"}),
        _ => {
            json!({"stream": true, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello!"}]})
        }
    };
    let start = Instant::now();
    let response = rig.open("POST", path, &[], body.to_string()).await;
    assert_eq!(response.status(), 200, "{path}");
    let mut body = response.into_body();
    let mut said = Vec::new();
    while let Some(frame) = body.frame().await {
        let bytes = frame.unwrap().into_data().unwrap().to_vec();
        said.push((start.elapsed().as_secs(), String::from_utf8(bytes).unwrap()));
    }
    said
}

fn when(said: &[(u64, String)], word: &str) -> u64 {
    let found = said.iter().find(|(_, what)| what.contains(word));
    found.map(|(at, _)| *at).expect("it is said")
}

/// Each time that exactly this arrived.
fn all(said: &[(u64, String)], word: &str) -> impl Iterator<Item = u64> {
    said.iter()
        .filter(move |(_, what)| what == word)
        .map(|(at, _)| *at)
}
