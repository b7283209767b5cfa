//! §5: a good stream, byte for byte and event by event.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use simulator::{RawPart, Step, Stream, StreamFault, Then};
use tokio::time::{Instant, sleep};

use crate::rig::{Answer, Rig, abc};
use crate::scripts::{STREAM, parts, pieces};

const CONTENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

#[tokio::test]
async fn s4_s5_a_stream_has_its_headers_and_ends_in_one_done() {
    let rig = Rig::start(abc()).await;
    let answer = rig.chat(&Rig::hello_stream()).await;
    assert_eq!(answer.status, 200);
    #[rustfmt::skip]
    let headers = [
        ("content-type",              "text/event-stream"),
        ("cache-control",             "no-cache, no-store"),
        ("x-accel-buffering",         "no"),
        ("x-free-llm-proxy-model",    "a:free"),
        ("x-free-llm-proxy-attempts", "1"),
        ("content-length",            ""),
    ];
    for (name, value) in headers {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.text().ends_with("\n\ndata: [DONE]\n\n"));
    assert_eq!(answer.text().matches("[DONE]").count(), 1);
    assert_eq!(
        answer.content(),
        "Hello! This is a:free, played by the simulator."
    );
}

#[tokio::test]
async fn s5_events_arrive_as_they_come() {
    // The upstream sends two events and falls silent; the client has read them by then.
    let rig = Rig::start(abc().model("a:free", Step::stream(StreamFault::Stall, 2))).await;
    let (head, mut body) = open(&rig).await.into_parts();
    assert_eq!(head.headers["x-free-llm-proxy-model"], "a:free");
    let mut read = String::new();
    while read.matches("\n\n").count() < 2 {
        read.push_str(&next(&mut body).await.unwrap());
    }
    assert!(read.contains("one two") && read.ends_with("\n\n"), "{read}");
    assert!(
        !rig.simulator.requests().last().unwrap().finished,
        "the rest is still to come"
    );
}

#[tokio::test(start_paused = true)]
async fn s5_no_event_is_held_back_after_the_commit() {
    // An event a second: each is there in the millisecond in which it was sent.
    let slow = simulator::Answer {
        delay_ms: 1_000,
        ..simulator::Answer::text("five pieces of text")
    };
    let rig = Rig::paused(abc().model("a:free", Step::from(slow)), &[]).await;
    let mut body = open(&rig).await.into_body();
    let start = Instant::now();
    for second in 0..5 {
        next(&mut body).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(second));
    }
}

#[tokio::test(start_paused = true)]
async fn s5_bytes_are_unharmed_wherever_the_upstream_cuts_them() {
    let event =
        |n: u8| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{n} é€😀\"}}}}]}}\n\n");
    let finish = "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n";
    let lf = [
        ": hello\n\n",
        &event(1),
        ": between\n\n",
        &event(2),
        "event: x\nid: 1\n",
        &event(3),
        finish,
        "data: [DONE]\n\n",
    ]
    .concat();
    #[rustfmt::skip]
    let rows = [
        ("LF",          lf.clone()),
        ("CR LF",       lf.replace('\n', "\r\n")),
        ("CR",          lf.replace('\n', "\r")),
        ("no space",    lf.replace("data: ", "data:")),
        ("blank lines", lf.replace("\n\n", "\n\n\n\n")),
        ("comment in an event", lf.replace("data: {", ": c\ndata: {")),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (framing, text) in rows {
        for size in [1, 2, 3, 7, 64, 100_000] {
            rig.simulator
                .set_model("a:free", pieces(STREAM, text.as_bytes().chunks(size)));
            let answer = rig.chat(&Rig::hello_stream()).await;
            let (came, sent) = (answer.text(), text.as_str());
            // After `[DONE]` nothing is forwarded, not even a blank line.
            let said = sent.trim_end_matches(['\r', '\n']);
            assert!(came.starts_with(said), "{framing}, {size}: {came:?}");
            assert!(sent.starts_with(&came), "{framing}, {size}: {came:?}");
            assert!(
                came.len() >= said.len() + 2,
                "the last event is whole: {framing}, {size}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s5_a_character_split_over_two_packets_is_intact_in_the_answer() {
    for fault in [
        StreamFault::SplitCharacter,
        StreamFault::SplitBytes,
        StreamFault::Crlf,
    ] {
        let mut stream = Stream::new(fault, 0);
        stream.answer = simulator::Answer::text("Größe 10€, 😀 — трансфорррмер");
        let rig = Rig::paused(abc().model("a:free", Step::from(stream)), &[]).await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(
            answer.content(),
            "Größe 10€, 😀 — трансфорррмер",
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn s5_tool_calls_and_reasoning_arrive_in_pieces_as_they_were_sent() {
    let call = simulator::ToolCall::new("look", json!({"path": "/tmp/é", "n": 1}));
    let answer = simulator::Answer {
        reasoning: Some("I shall look.".into()),
        tool_calls: vec![call],
        ..Default::default()
    };
    let rig = Rig::start(abc().model("a:free", Step::from(answer))).await;
    let answer = rig.chat(&Rig::hello_stream()).await;
    let deltas = || {
        answer
            .events()
            .into_iter()
            .filter_map(|e| serde_json::from_str::<Value>(&e).ok())
    };
    let join = |pick: fn(&Value) -> &Value| {
        deltas()
            .filter_map(|e| pick(&e).as_str().map(ToOwned::to_owned))
            .collect::<String>()
    };
    assert_eq!(
        join(|e| &e["choices"][0]["delta"]["reasoning"]),
        "I shall look."
    );
    let arguments = join(|e| &e["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]);
    assert_eq!(arguments, r#"{"path":"/tmp/é","n":1}"#);
    let pieces = deltas()
        .filter(|e| e["choices"][0]["delta"]["tool_calls"].is_array())
        .count();
    assert_eq!(pieces, 5, "one that opens and four of arguments");
}

#[tokio::test(start_paused = true)]
async fn s5_the_upstreams_connection_serves_again_after_done() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let mut slow_end = parts(STREAM, [body]);
    let last = slow_end.send.len() - 1;
    slow_end.send.insert(last, RawPart::SleepMs(500));
    #[rustfmt::skip]
    let rows = [
        ("as OpenRouter ends it",            Step::fitting()),
        ("its end comes after the [DONE]",   Step::Raw(slow_end)),
        ("more comes after the [DONE]",      Step::stream(StreamFault::ContentAfterDone, 0)),
    ];
    for (why, step) in rows {
        let rig = Rig::paused(abc().model("a:free", step), &[]).await;
        let mut accepted = Vec::new();
        for _ in 0..5 {
            let answer = rig.chat(&Rig::hello_stream()).await;
            assert_eq!(answer.events().last().unwrap(), "[DONE]", "{why}");
            // The paused clock moves only when every task is idle.
            sleep(Duration::from_millis(600)).await;
            accepted.push(rig.simulator.accepted());
        }
        assert_eq!(
            accepted.first(),
            accepted.last(),
            "no further connection: {why}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s5_the_client_has_its_end_before_the_upstreams_connection_has() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n";
    let mut raw = parts(STREAM, [body]);
    raw.send.pop();
    raw.then = Then::Hang;
    let rig = Rig::paused(abc().model("a:free", Step::Raw(raw)), &[]).await;
    let start = Instant::now();
    let answer = rig.chat(&Rig::hello_stream()).await;
    assert_eq!(outline(&answer), "text DONE");
    assert!(start.elapsed() < Duration::from_millis(100));
    assert_eq!(rig.attempts(&answer), "a success");
    // Nor is an upstream that never ends waited for endlessly.
    let simulator = rig.simulator.clone();
    simulator
        .until(|s| s.requests().iter().any(|seen| seen.closed_early))
        .await;
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn s5_events_that_come_together_go_on_together() {
    let event = |json: &str| format!("{:x}\r\ndata: {json}\n\n\r\n", json.len() + 8);
    let content = |n| {
        event(&format!(
            r#"{{"choices":[{{"delta":{{"content":"{n} "}}}}]}}"#
        ))
    };
    let contents = (0..100).map(content).collect::<String>();
    let finish = event(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#);
    let head = format!("HTTP/1.1 200 OK\r\n{STREAM}Transfer-Encoding: chunked\r\n\r\n");
    let burst = [&contents, &finish, &event("[DONE]"), "0\r\n\r\n"].concat();
    // Each in a chunk of its own, all of them in one write.
    let step = Step::raw([head, burst].concat(), Then::Keep);
    let rig = Rig::paused(abc().model("a:free", step), &[]).await;
    let mut body = open(&rig).await.into_body();
    let mut pieces = Vec::new();
    while let Some(piece) = next(&mut body).await {
        pieces.push(piece);
    }
    assert_eq!(pieces.concat().matches("data: {").count(), 101);
    assert_eq!(pieces.len(), 1, "{pieces:#?}");
}

/// A stream of which nothing has been read yet.
async fn open(rig: &Rig) -> http::Response<Incoming> {
    let body = Rig::hello_stream().to_string();
    rig.open("POST", "/v1/chat/completions", &[], body).await
}

/// The next bytes; `None` at the end.
async fn next(body: &mut Incoming) -> Option<String> {
    let frame = body.frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

/// The events of a stream in words.
pub fn outline(answer: &Answer) -> String {
    let word = |event: &String| {
        let Ok(event) = serde_json::from_str::<Value>(event) else {
            return event.trim_matches(['[', ']']).to_owned();
        };
        let choice = &event["choices"][0];
        if let Some(code) = event["error"]["code"].as_str() {
            format!("error:{code}")
        } else if choice["finish_reason"].is_string() {
            "finish".to_owned()
        } else if choice["delta"]["content"].is_string() {
            "text".to_owned()
        } else {
            "other".to_owned()
        }
    };
    let words: Vec<_> = answer.events().iter().map(word).collect();
    words.join(" ")
}

#[tokio::test(start_paused = true)]
async fn s5_events_without_data_are_dropped_and_comments_pass() {
    #[rustfmt::skip]
    let rows = [
        // behind a comment and an event      passes
        (": c\n\n",                           true),
        (": c\n: d\n\n",                      true),
        ("data:\n\n",                         false),
        ("data:   \n\n",                      false),
        ("data: \ndata:\n\n",                 false),
        ("event: ping\n\n",                   false),
        ("event: ping\ndata:\n\n",            false),
        ("id: 7\n\n",                         false),
        ("retry: 100\n\n",                    false),
        (": c\nid: 7\n\n",                    false),
    ];
    for (piece, passes) in rows {
        let sent = [piece, CONTENT, piece, FINISH, "data: [DONE]\n\n"];
        let rig = Rig::paused(abc().model("a:free", pieces(STREAM, sent)), &[]).await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        let kept = if passes { piece } else { "" };
        let expected = [kept, CONTENT, kept, FINISH, "data: [DONE]\n\n"].concat();
        assert_eq!(answer.text(), expected, "{piece:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s5_half_an_event_after_a_finish_reason_does_not_spoil_the_answer() {
    let half = "data: {\"usage\":{\"prompt_to";
    let rig = Rig::paused(
        abc().model("a:free", pieces(STREAM, [CONTENT, FINISH, half])),
        &[],
    )
    .await;
    let answer = rig.chat(&Rig::hello_stream()).await;
    assert_eq!(
        answer.text(),
        [CONTENT, FINISH, "data: [DONE]\n\n"].concat()
    );
    assert_eq!(rig.attempts(&answer), "a success");
}
