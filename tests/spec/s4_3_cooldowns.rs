//! §4.3: how long a model rests.

use std::time::{Duration, SystemTime};

use free_llm_proxy::clock::Now;
use serde_json::{Value, json};
use simulator::{Answer, Plan, PlanEnd, Step};
use tokio::time::sleep;

use crate::rig::{Rig, abc};
use crate::scripts::late;

/// 26 h, in seconds.
const LONGEST: u64 = 93_600;

#[tokio::test(start_paused = true)]
async fn s4_3_a_model_rests_exactly_as_long_as_stated() {
    let settings = [
        ("RATE_LIMIT_COOLDOWN_SEC", "200"),
        ("GENERIC_ERROR_COOLDOWN_SEC", "40"),
    ];
    let rig = Rig::paused(abc(), &settings).await;
    #[rustfmt::skip]
    let rows = [
        // status, headers                                          error.metadata                                                   rest, s
        (429, "",                                                   Value::Null,                                                     200),
        (503, "",                                                   Value::Null,                                                     40),
        (500, "Retry-After: 30",                                    Value::Null,                                                     40),
        (429, "Retry-After: 30",                                    Value::Null,                                                     30),
        (503, "Retry-After: 30",                                    Value::Null,                                                     30),
        (429, "Retry-After: 1.2",                                   Value::Null,                                                     2),
        (429, "Retry-After: 0",                                     Value::Null,                                                     0),
        (429, "Retry-After: -5",                                    Value::Null,                                                     0),
        (429, "Retry-After: soon",                                  Value::Null,                                                     200),
        (503, "Retry-After: soon",                                  Value::Null,                                                     40),
        (429, "Retry-After: nan",                                   Value::Null,                                                     200),
        (429, "Retry-After: 99999999999999999999",                  Value::Null,                                                     LONGEST),
        (429, "Retry-After: 93601",                                 Value::Null,                                                     LONGEST),
        (429, "Retry-After: 93599",                                 Value::Null,                                                     93_599),
        (429, "Retry-After: soon\nX-RateLimit-Reset: 50",           Value::Null,                                                     50),
        (429, "",                                                   json!({"retry_after_seconds": 9}),                               9),
        (429, "",                                                   json!({"retry_after_seconds": 8.1}),                             9),
        (429, "",                                                   json!({"retry_after_seconds": "9"}),                             9),
        (503, "",                                                   json!({"retry_after_seconds": 9}),                               9),
        (429, "Retry-After: 30",                                    json!({"retry_after_seconds": 9}),                               30),
        (429, "X-RateLimit-Reset: 50",                              json!({"retry_after_seconds": 9}),                               9),
        (429, "X-RateLimit-Reset: 50",                              json!({"headers": {"X-RateLimit-Reset": "20"}}),                 20),
        (429, "X-RateLimit-Reset: 50",                              json!({"headers": {"x-ratelimit-reset": 20}}),                   20),
        (429, "",                                                   json!({"headers": {"Retry-After": "20"}}),                       20),
        (429, "",                                                   json!({"headers": {"X-RateLimit-Reset": "20"}, "retry_after_seconds": 9}), 9),
        (429, "X-RateLimit-Reset: 50",                              Value::Null,                                                     50),
        (429, "X-RateLimit-Reset: 0.5",                             Value::Null,                                                     1),
        (429, "X-RateLimit-Reset: 1700000000",                      Value::Null,                                                     0),
        (429, "X-RateLimit-Reset: 1700000000000",                   Value::Null,                                                     0),
        (429, "X-RateLimit-Reset: 9999999999",                      Value::Null,                                                     LONGEST),
        (429, "X-RateLimit-Reset: 9999999999999",                   Value::Null,                                                     LONGEST),
        (429, "X-RateLimit-Reset: 1e300",                           Value::Null,                                                     LONGEST),
        (429, "X-RateLimit-Reset: tomorrow",                        Value::Null,                                                     200),
        (429, "Retry-After: Fri, 01 Jan 2021 00:00:00 GMT",         Value::Null,                                                     0),
        (429, "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT",         Value::Null,                                                     LONGEST),
    ];
    for (status, headers, metadata, rest) in rows {
        let headers: Vec<(&str, &str)> =
            headers.lines().filter_map(|l| l.split_once(": ")).collect();
        let body = json!({"error": {"message": "x", "code": status, "metadata": metadata}});
        let why = format!("{headers:?} {body}");
        rests(&rig, Step::status(status, &headers, body), rest, 0, &why).await;
    }
}

#[tokio::test(start_paused = true)]
async fn s4_3_dates_and_epochs_are_kept_to_the_second() {
    let rig = Rig::paused(abc(), &[]).await;
    let unix = || Now::read().unix_seconds();
    type Header = fn(u64) -> (&'static str, String);
    let rows: [(u64, Header); 5] = [
        (90, |unix| ("Retry-After", date(unix))),
        (90_000, |unix| ("Retry-After", date(unix))),
        (90, |unix| ("X-RateLimit-Reset", unix.to_string())),
        (90, |unix| ("X-RateLimit-Reset", (unix * 1000).to_string())),
        (7200, |unix| {
            ("X-RateLimit-Reset", (unix * 1000).to_string())
        }),
    ];
    for (rest, header) in rows {
        let (name, value) = header(unix() + rest);
        let step = Step::status(429, &[(name, &value)], "");
        // A date has whole seconds, so up to one of them has passed when it is written.
        rests(&rig, step, rest, 1, &format!("{name}: {value}")).await;
    }
    let copied = json!({"error": {"metadata": {"headers": {"X-RateLimit-Reset": ((unix() + 50) * 1000).to_string()}}}});
    rests(&rig, Step::status(429, &[], copied), 50, 1, "copied").await;
}

#[tokio::test(start_paused = true)]
async fn s4_3_an_error_inside_a_200_or_a_stream_names_its_rest_too() {
    let rig = Rig::paused(abc(), &[]).await;
    let error = r#"{"error":{"code":429,"message":"x","metadata":{"retry_after_seconds":9,"headers":{"X-RateLimit-Reset":"70"}}}}"#;
    let plain = Step::status(200, &[("Content-Type", "application/json")], error);
    rests(&rig, plain, 9, 0, "plain").await;
    let event = format!("data: {error}\n\n");
    let step = Step::status(
        200,
        &[("Content-Type", "text/event-stream")],
        event.as_str(),
    );
    rig.anew(abc().model("a:free", step)).await;
    rig.chat(&Rig::hello_stream()).await;
    assert_eq!(rig.asked(), "a b");
    sleep(Duration::from_millis(8_900)).await;
    rig.chat(&Rig::hello_stream()).await;
    assert_eq!(rig.asked(), "b");
    sleep(Duration::from_millis(200)).await;
    rig.chat(&Rig::hello_stream()).await;
    assert_eq!(rig.asked(), "a b");
}

#[tokio::test(start_paused = true)]
async fn s4_3_the_cooldowns_may_be_0() {
    let settings = [
        ("RATE_LIMIT_COOLDOWN_SEC", "0"),
        ("GENERIC_ERROR_COOLDOWN_SEC", "0"),
    ];
    let rig = Rig::paused(abc(), &settings).await;
    for status in [429, 503, 500] {
        rests(&rig, Step::status(status, &[], ""), 0, 0, "0").await;
    }
}

#[tokio::test(start_paused = true)]
async fn s4_3_a_longer_cooldown_is_never_shortened_by_a_shorter_one_or_by_a_success() {
    let limited = |seconds, delay_ms| late(429, &[("Retry-After", seconds)], delay_ms);
    let slow = Answer {
        first_delay_ms: 1_000,
        ..Answer::text("late")
    };
    #[rustfmt::skip]
    let rows = [
        // two requests at once: the first meets     the second                    `a` rests, s
        (limited("100", 0),                          limited("5", 1_000),          100),
        (limited("100", 0),                          Step::from(slow),             100),
        (limited("5", 0),                            limited("100", 1_000),        101),
        (limited("100", 0),                          limited("0", 1_000),          100),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (first, second, rest) in rows {
        let why = format!("{first:?} {second:?}");
        rig.anew(abc().model("a:free", Plan::from([first, second]).then(PlanEnd::Ok)))
            .await;
        let hello = Rig::hello();
        let start = tokio::time::Instant::now();
        tokio::join!(rig.chat(&hello), rig.chat(&hello));
        assert_eq!(rig.asked().matches('a').count(), 2, "{why}");
        for (at, expected) in [(rest * 1000 - 100, "b"), (rest * 1000 + 100, "a")] {
            tokio::time::sleep_until(start + Duration::from_millis(at)).await;
            rig.chat(&hello).await;
            assert_eq!(rig.asked(), expected, "{why}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_3_each_model_has_its_own_rest() {
    let limited =
        |seconds| Plan::from(Step::status(429, &[("Retry-After", seconds)], "")).then(PlanEnd::Ok);
    let script = abc()
        .model("a:free", limited("50"))
        .model("b:free", limited("20"));
    let rig = Rig::paused(script, &[]).await;
    #[rustfmt::skip]
    let rows = [
        // at, s  asked
        (0,       "a b c"),
        (19,      "c"),
        (21,      "b"),
        (49,      "b"),
        (51,      "a"),
    ];
    let start = tokio::time::Instant::now();
    for (at, asked) in rows {
        tokio::time::sleep_until(start + Duration::from_secs(at)).await;
        rig.chat(&Rig::hello()).await;
        assert_eq!(rig.asked(), asked, "at {at} s");
    }
}

/// `a` meets this step once, and is skipped for exactly `rest` seconds, minus at most `slack`.
async fn rests(rig: &Rig, step: Step, rest: u64, slack: u64, why: &str) {
    rig.anew(abc().model("a:free", Plan::from(step).then(PlanEnd::Ok)))
        .await;
    let hello = Rig::hello();
    rig.chat(&hello).await;
    assert_eq!(rig.asked(), "a b", "{why}");
    if rest > 0 {
        let nearly = Duration::from_secs(rest - slack) - Duration::from_millis(100);
        sleep(nearly).await;
        rig.chat(&hello).await;
        assert_eq!(rig.asked(), "b", "{why}: {nearly:?} later");
        sleep(Duration::from_secs(slack) + Duration::from_millis(200)).await;
    }
    rig.chat(&hello).await;
    assert_eq!(rig.asked(), "a", "{why}: after {rest} s");
}

/// An HTTP date.
fn date(unix: u64) -> String {
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(unix))
}
