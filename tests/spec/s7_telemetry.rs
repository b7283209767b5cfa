//! §7: the one line that each completion leaves.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Failure, Plan, PlanEnd, Step, StreamFault};
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::rig::{Answer, Rig, abc};
use crate::scripts::{STALL, STREAM, in_bytes, is_utc, pieces, same_members};

#[tokio::test(start_paused = true)]
async fn s7_request_done_has_these_fields() {
    let limited = || Step::status(429, &[("Retry-After", "10")], "");
    let broken = || Step::status(500, &[], "");
    let refused = || Step::status(422, &[], "no");
    let (a, b) = (json!("a:free"), json!("b:free"));
    let no = Value::Null;
    let limited_a =
        json!({"model": "a:free", "outcome": "rate_limited", "status": 429, "rests": true});
    let broken_of = |model: &str| json!({"model": model, "outcome": "upstream_error", "status": 500, "rests": true});
    let well = |model: &str| json!({"model": model, "outcome": "success"});
    let (plain, stream) = (Rig::hello, Rig::hello_stream);
    let all_fail = || abc().model("a:free", limited()).others(broken());
    let breaks = |fault| abc().model("a:free", Step::stream(fault, 2));
    let broke =
        json!([{"model": "a:free", "outcome": "upstream_error", "status": 502, "rests": true}]);
    let cut = json!([{"model": "a:free", "outcome": "upstream_error", "rests": true}]);
    #[rustfmt::skip]
    let rows = [
        // upstream                            request    level      status  chosen_model  chunks  mid_stream_error  attempts
        (abc(),                                plain(),   "INFO",    200,    &a,           0,      &no,              json!([well("a:free")])),
        (abc(),                                stream(),  "INFO",    200,    &a,           7,      &no,              json!([well("a:free")])),
        (abc().model("a:free", limited()),     plain(),   "INFO",    200,    &b,           0,      &no,              json!([limited_a, well("b:free")])),
        (abc().model("a:free", limited()),     stream(),  "INFO",    200,    &b,           7,      &no,              json!([limited_a, well("b:free")])),
        (all_fail(),                           plain(),   "WARNING", 503,    &no,          0,      &no,              json!([limited_a, broken_of("b:free"), broken_of("c:free")])),
        (all_fail(),                           stream(),  "WARNING", 503,    &no,          0,      &no,              json!([limited_a, broken_of("b:free"), broken_of("c:free")])),
        (breaks(StreamFault::Error),           stream(),  "WARNING", 200,    &a,           2,      &json!("upstream_error"), broke),
        (breaks(StreamFault::Cut),             stream(),  "WARNING", 200,    &a,           2,      &json!("upstream_error"), cut),
        (abc().model("a:free", refused()),     plain(),   "INFO",    422,    &no,          0,      &no,              json!([{"model": "a:free", "outcome": "client_error", "status": 422}])),
        (abc().model("a:free", Step::from(Failure::UserNotFound)), plain(), "ERROR", 502, &no, 0, &no,             json!([{"model": "a:free", "outcome": "upstream_auth_error", "status": 401, "rests": true}])),
        (abc().model("a:free", Step::from(Failure::Forbidden)), stream(), "ERROR", 502, &no, 0,   &no,              json!([{"model": "a:free", "outcome": "upstream_auth_error", "status": 403, "rests": true}])),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (script, body, level, status, chosen, chunks, mid, attempts) in rows {
        rig.anew(script).await;
        let answer = rig.chat(&body).await;
        let mut line = rig.line(&answer);
        assert_eq!(answer.status, status);
        let key = (level == "ERROR").then_some(("upstream_auth_error", "...WXYZ"));
        assert_eq!(
            (line["reason"].as_str(), line["key_tail"].as_str()),
            (key.map(|k| k.0), key.map(|k| k.1)),
            "{line}"
        );
        let expected = json!({
            "level": level, "event": "request_done", "request_id": answer.header("x-request-id"),
            "status": status, "chosen_model": chosen, "stream": body["stream"] == true, "chunks_emitted": chunks,
            "mid_stream_error": mid, "attempts": attempts, "had_tools": false, "had_response_format": false,
        });
        // The spec's own fields, after checking and removing what differs from run to run.
        assert!(
            is_utc(&line["ts"]) && line["duration_ms"].is_u64(),
            "{line}"
        );
        tidy_attempts(&mut line);
        assert_eq!(same_members(&line, &expected), expected, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn s7_durations_are_in_milliseconds() {
    let slow = |ms| {
        Step::from(simulator::Answer {
            first_delay_ms: ms,
            ..simulator::Answer::text("x")
        })
    };
    let rig = Rig::paused(
        abc().model("a:free", STALL).model("b:free", slow(1500)),
        &[],
    )
    .await;
    let line = rig.line(&rig.chat(&Rig::hello()).await);
    let times = [
        &line["duration_ms"],
        &line["attempts"][0]["duration_ms"],
        &line["attempts"][1]["duration_ms"],
    ];
    assert_eq!(times, [&json!(31_500), &json!(30_000), &json!(1_500)]);
    // A stream lasts until its end.
    let long = simulator::Answer {
        delay_ms: 2_000,
        ..simulator::Answer::text("five pieces of text")
    };
    rig.anew(abc().model("a:free", Step::from(long))).await;
    let line = rig.line(&rig.chat(&Rig::hello_stream()).await);
    assert_eq!(
        (&line["duration_ms"], &line["attempts"][0]["duration_ms"]),
        (&json!(10_000), &json!(10_000))
    );
}

#[tokio::test(start_paused = true)]
async fn s7_cooldown_until_is_when_the_model_wakes() {
    let limited = Step::status(429, &[("Retry-After", "86400")], "");
    let rig = Rig::paused(abc().model("a:free", limited), &[]).await;
    let line = rig.line(&rig.chat(&Rig::hello()).await);
    let (ts, until) = (
        line["ts"].as_str().unwrap(),
        line["attempts"][0]["cooldown_until"].as_str().unwrap(),
    );
    assert_ne!(ts.get(..10), until.get(..10), "the next day");
    assert_eq!(ts.get(11..16), until.get(11..16), "the same time");
}

#[tokio::test(start_paused = true)]
async fn s7_chunks_emitted_counts_chunks_and_no_comments() {
    let comments = simulator::Answer {
        comments: 4,
        ..Default::default()
    };
    let empty = "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n";
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
    let done = "data: [DONE]\n\n";
    let raw = |events: &[&str]| pieces(STREAM, events);
    #[rustfmt::skip]
    let rows = [
        (Step::fitting(),                                        7),
        (Step::from(comments),                                   7),
        (raw(&[text, done]),                                     1),
        (raw(&[empty, empty, text, done]),                       3),
        (raw(&[": c\n\n", text, ": c\n\n", text, done]),         2),
        (raw(&[text, ": c\n\n", ": c\n\n", done]),               1),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (step, chunks) in rows {
        rig.simulator.set_model("a:free", step.clone());
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(rig.line(&answer)["chunks_emitted"], chunks, "{step:?}");
    }
}

#[tokio::test]
async fn s7_what_a_request_had() {
    let rig = Rig::start(abc()).await;
    #[rustfmt::skip]
    let rows = [
        // fields                                            had_tools  had_response_format  model_ignored
        (r#""n":1"#,                                         false,     false,               false),
        (r#""tools":[{"type":"function","function":{"name":"f"}}]"#, true, false,            false),
        (r#""tools":[]"#,                                    false,     false,               false),
        (r#""response_format":{"type":"json_object"}"#,      false,     true,                false),
        (r#""response_format":null"#,                        false,     false,               false),
        (r#""model":"auto""#,                                false,     false,               false),
        (r#""model":null"#,                                  false,     false,               false),
        (r#""model":"gpt-4o-SECRET""#,                       false,     false,               true),
        (r#""model":"a:free""#,                              false,     false,               true),
    ];
    for (fields, tools, format, ignored) in rows {
        let body = format!(r#"{{"messages":[],{fields}}}"#);
        let answer = rig.send("POST", "/v1/chat/completions", &[], body).await;
        let line = rig.line(&answer);
        assert_eq!(
            (&line["had_tools"], &line["had_response_format"]),
            (&json!(tools), &json!(format)),
            "{fields}"
        );
        assert_eq!(
            line.get("model_ignored"),
            ignored.then_some(&json!(true)),
            "{fields}"
        );
    }
    assert!(
        !rig.log.all().join("").contains("SECRET"),
        "never by its value"
    );
}

#[tokio::test]
async fn s7_a_name_that_counts_is_not_noted_as_ignored() {
    for setting in ["prefer", "pin"] {
        let rig = Rig::with(abc(), &[("MODEL_FIELD", setting)]).await;
        let mut body = Rig::hello();
        body["model"] = "a:free".into();
        let line = rig.line(&rig.chat(&body).await);
        assert_eq!(line.get("model_ignored"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn s7_a_client_that_left_is_a_499_and_not_a_models_failure() {
    #[rustfmt::skip]
    let rows = [
        // upstream                                                    attempts before it left
        (abc().model("a:free", STALL),                                 json!([{"model": "a:free", "outcome": "client_disconnected"}])),
        (abc().model("a:free", Step::stream(StreamFault::Stall, 2)),   json!([{"model": "a:free", "outcome": "client_disconnected"}])),
        (abc().model("a:free", Step::status(429, &[], "")).model("b:free", STALL),
         json!([{"model": "a:free", "outcome": "rate_limited", "status": 429, "rests": true}, {"model": "b:free", "outcome": "client_disconnected"}])),
    ];
    for (script, attempts) in rows {
        let rig = Rig::paused(script, &[]).await;
        let mut socket = rig.pipe();
        socket
            .write_all(in_bytes(&Rig::hello_stream()).as_bytes())
            .await
            .unwrap();
        // The clock moves only once everything sent has arrived.
        sleep(Duration::from_secs(5)).await;
        drop(socket);
        sleep(Duration::from_secs(1)).await;
        assert!(rig.simulator.requests().last().unwrap().closed_early);
        let mut line = rig.done();
        tidy_attempts(&mut line);
        let said = [
            &line["level"],
            &line["event"],
            &line["status"],
            &line["stream"],
            &line["mid_stream_error"],
            &line["attempts"],
        ];
        assert_eq!(
            said,
            [
                &json!("INFO"),
                &json!("request_done"),
                &json!(499),
                &json!(true),
                &Value::Null,
                &attempts
            ],
            "{line}"
        );
        assert_eq!(line["duration_ms"], 5_000);
        assert_eq!(
            rig.metric("freellm_requests_total{status=\"499\"}").await,
            Some(1.0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s7_every_request_leaves_exactly_one_line() {
    // 60 requests at once, of every kind there is.
    let steps: Vec<Step> = vec![
        Step::fitting(),
        Step::status(429, &[("Retry-After", "0")], ""),
        Step::status(500, &[], ""),
        Step::stream(StreamFault::Error, 2),
        Step::stream(StreamFault::Cut, 1),
        STALL,
        Step::from(Failure::OkZeroTokens),
        Step::status(422, &[], ""),
    ];
    let script = abc().others(Plan::from(steps).then(PlanEnd::Cycle));
    let rig = Rig::paused(script, &[("GENERIC_ERROR_COOLDOWN_SEC", "0")]).await;
    let bodies = [
        Rig::hello().to_string(),
        Rig::hello_stream().to_string(),
        "{".to_owned(),
    ];
    let ask = |at: usize| rig.send("POST", "/v1/chat/completions", &[], bodies[at % 3].clone());
    let answers: Vec<Answer> = futures_util::future::join_all((0..60).map(ask)).await;
    for answer in &answers {
        rig.line(answer);
    }
    let lines = rig.log.of("request_done").len() + rig.log.of("request_rejected").len();
    assert_eq!(lines, 60);
}

#[tokio::test]
async fn s7_every_line_is_one_json_object_with_its_three_fields() {
    let nasty = "{\"error\":{\"message\":\"a\\nb\\u001b[31m\",\"code\":\"x\\ny\"}}";
    let script = abc()
        .model("a:free", Step::status(500, &[], nasty))
        .model("b:free", Step::status(422, &[], nasty));
    let rig = Rig::start(script).await;
    rig.chat(&Rig::hello()).await;
    for line in rig.log.all() {
        assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line:?}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert!(is_utc(&line["ts"]) && line["event"].is_string(), "{line}");
        assert!(
            ["DEBUG", "INFO", "WARNING", "ERROR"].contains(&line["level"].as_str().unwrap()),
            "{line}"
        );
    }
}

/// Removes from the attempts what differs from run to run: `cooldown_until` becomes `rests`.
fn tidy_attempts(line: &mut Value) {
    for attempt in line["attempts"].as_array_mut().unwrap() {
        let attempt = attempt.as_object_mut().unwrap();
        assert!(attempt.remove("duration_ms").is_some_and(|ms| ms.is_u64()));
        for of in ["provider", "account"] {
            assert_eq!(attempt.remove(of).unwrap(), "openrouter");
        }
        attempt.remove("cause");
        // Each has one here: it stood in the list (spec §11.7).
        assert!(attempt.remove("place").is_some_and(|place| place.is_u64()));
        if let Some(until) = attempt.remove("cooldown_until") {
            assert!(is_utc(&until), "{until}");
            attempt.insert("rests".to_owned(), true.into());
        }
        // A 200 that is not an answer may or may not be reported as such.
        if attempt.get("status") == Some(&json!(200)) {
            attempt.remove("status");
        }
    }
}
