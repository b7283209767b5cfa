//! §4.6: how long a plain answer may take.

use serde_json::json;
use simulator::{Answer, Point, Raw, RawPart, Step, Then};
use tokio::time::Instant;

use crate::rig::{Rig, abc};
use crate::scripts::{JSON, STALL};

const BODY: &str = r#"{"choices":[{"message":{"content":"drip"},"finish_reason":"stop"}]}"#;

/// Settings.
type Set = &'static [(&'static str, &'static str)];

/// The answer, byte by byte.
fn drip(every_ms: u64) -> Step {
    let length = BODY.len();
    let head = format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: {length}\r\n\r\n");
    let mut send = vec![RawPart::Text(head)];
    for byte in BODY.chars() {
        send.extend([RawPart::SleepMs(every_ms), RawPart::Text(byte.into())]);
    }
    let then = Then::Keep;
    Step::Raw(Raw { send, then })
}

/// Comments, one a second, and the answer this long after the last.
fn beats(comments: usize, first_delay_ms: u64) -> Step {
    Step::from(Answer {
        comments,
        comment_delay_ms: 1_000,
        first_delay_ms,
        ..Answer::text("late")
    })
}

/// The head at once, and the answer this long after it.
fn late(first_delay_ms: u64) -> Step {
    slow(0, first_delay_ms)
}

/// The head after this long, and the answer this long after that.
fn slow(headers_delay_ms: u64, first_delay_ms: u64) -> Step {
    Step::from(Answer {
        headers_delay_ms,
        // Without one the head comes with the answer.
        comments: 1,
        first_delay_ms,
        ..Answer::text("late")
    })
}

#[tokio::test(start_paused = true)]
async fn s4_6_a_plain_answer_may_take_long_as_long_as_it_lives() {
    const PLAIN: &str = "PLAIN_TIMEOUT_SEC";
    const IDLE: &str = "STREAM_IDLE_TIMEOUT_SEC";
    const HEAD: &str = "UPSTREAM_TIMEOUT_SEC";
    const BUDGET: &str = "REQUEST_BUDGET_SEC";
    let middle = || Step::Stall(Point::MidBody);
    #[rustfmt::skip]
    let rows: [(Set, Step, &str, u64); 27] = [
        // settings                       what `a` does       came to              s
        (&[],                             STALL,              "timeout rests",     30),
        (&[(HEAD, "9")],                  STALL,              "timeout rests",     9),
        (&[],                             Step::Stall(Point::MidHeaders), "timeout rests", 30),
        (&[],                             slow(29_000, 29_000), "answer",          58),
        (&[],                             middle(),           "idle rests",        30),
        (&[(HEAD, "9")],                  middle(),           "idle rests",        9),
        (&[(IDLE, "7")],                  middle(),           "idle rests",        7),
        (&[],                             late(29_000),       "answer",            29),
        (&[],                             late(31_000),       "idle rests",        30),
        (&[(IDLE, "40")],                 late(31_000),       "answer",            31),
        (&[],                             beats(100, 0),      "answer",            100),
        (&[],                             beats(20, 28_000),  "answer",            48),
        (&[],                             beats(20, 31_000),  "idle rests",        49),
        (&[],                             drip(1_000),        "answer",            67),
        (&[(IDLE, "0.5")],                drip(1_000),        "idle rests",        0),
        // The total is limited by the budget, and a model that is still sending then is fine.
        (&[],                             beats(200, 0),      "overrun",           120),
        (&[(BUDGET, "40")],               drip(1_000),        "overrun",           40),
        (&[(BUDGET, "70")],               drip(1_000),        "answer",            67),
        // PLAIN_TIMEOUT_SEC, if set, is the only limit.
        (&[(PLAIN, "90")],                STALL,              "timeout rests",     90),
        (&[(PLAIN, "90")],                slow(50_000, 0),    "answer",            50),
        (&[(PLAIN, "90")],                middle(),           "timeout rests",     90),
        (&[(PLAIN, "90")],                beats(60, 20_000),  "answer",            80),
        (&[(PLAIN, "90"), (BUDGET, "40")], drip(1_000),       "answer",            67),
        (&[(PLAIN, "9")],                 STALL,              "timeout rests",     9),
        (&[(PLAIN, "9")],                 beats(100, 0),      "overrun",           9),
        (&[(PLAIN, "9")],                 drip(1_000),        "overrun",           9),
        (&[(PLAIN, "600")],               beats(500, 0),      "answer",            500),
    ];
    for (settings, step, came_to, seconds) in rows {
        let rig = Rig::paused(abc().model("a:free", step), settings).await;
        let start = Instant::now();
        let answer = rig.chat(&Rig::hello()).await;
        let why = format!("{settings:?}: {came_to} at {seconds}");
        assert_eq!(start.elapsed().as_secs(), seconds, "{why}");
        let line = rig.line(&answer);
        let first = &line["attempts"][0];
        let mut ended = first["cause"].as_str().unwrap_or("answer").to_owned();
        if first["cooldown_until"].is_string() {
            ended += " rests";
        }
        assert_eq!(ended, came_to, "{why}: {line}");
        let awake = rig.get("/ready").await.json()["available"].clone();
        let resting = u64::from(ended.ends_with("rests"));
        assert_eq!(awake, json!(3 - resting), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_6_a_long_answer_ends_no_other_request() {
    // All of them take longer than the proxy waits.
    let rig = Rig::paused(abc().others(beats(1_000, 0)), &[]).await;
    let answer = rig.chat(&Rig::hello()).await;
    answer.is_error(503, "all_models_unavailable");
    assert_eq!(rig.attempts(&answer), "a upstream_error 200");
    assert_eq!(answer.header("retry-after"), "1", "nobody rests");
    assert!(
        rig.simulator.requests().last().unwrap().closed_early,
        "nothing runs on for nobody"
    );
    // With its own limit the next ones are asked, within the budget.
    let settings = [("PLAIN_TIMEOUT_SEC", "50")];
    let rig = Rig::paused(abc().others(beats(1_000, 0)), &settings).await;
    let answer = rig.chat(&Rig::hello()).await;
    answer.is_error(503, "all_models_unavailable");
    assert_eq!(rig.asked(), "a b c");
    assert_eq!(answer.header("retry-after"), "1");
}
