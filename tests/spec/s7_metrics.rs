//! §7: counters, the histogram and the gauges of `/metrics`.

use std::time::Duration;

use serde_json::Value;
use simulator::{Failure, Point, Script, Step, StreamFault};
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use crate::rig::{Rig, abc, ranking};
use crate::scripts::{STALL, in_bytes, ranking_with};

#[tokio::test(start_paused = true)]
async fn s7_every_attempt_counts_under_its_model_and_outcome() {
    #[rustfmt::skip]
    let rows: [(Step, &str); 19] = [
        // what `a` does                       what is counted of it
        (Step::fitting(),                      "success"),
        (Step::status(429, &[], ""),           "rate_limited"),
        (Failure::ProviderLimit.into(),        "rate_limited"),
        (Failure::OkError.into(),              "rate_limited"),
        (Step::status(503, &[], ""),           "upstream_error"),
        (Step::status(500, &[], ""),           "upstream_error"),
        (Step::status(301, &[], ""),           "upstream_error"),
        (Step::Reset(Point::BeforeHeaders),    "upstream_error"),
        (STALL,                                "upstream_error"),
        (Failure::OkHtml.into(),               "upstream_error"),
        (Failure::OkZeroTokens.into(),         "upstream_error"),
        (Failure::UserNotFound.into(),         "upstream_auth_error"),
        (Failure::Forbidden.into(),            "upstream_auth_error"),
        (Failure::OkErrorRequest.into(),       "client_error"),
        (Step::status(413, &[], ""),           "client_error"),
        (Step::status(422, &[], ""),           "client_error"),
        (Step::stream(StreamFault::Error, 2),  "upstream_error"),
        (Step::stream(StreamFault::Cut, 0),    "upstream_error"),
        (Step::stream(StreamFault::NoDone, 0), "success"),
    ];
    for (step, outcome) in rows {
        let rig = Rig::paused(abc().model("a:free", step.clone()), &[]).await;
        rig.chat(&Rig::hello_stream()).await;
        let mut counted = series(&rig, "freellm_upstream_attempts_total").await;
        counted.retain(|(labels, _)| labels.contains("a:free"));
        let labels = format!("model_id=\"a:free\",outcome=\"{outcome}\",provider=\"openrouter\"");
        assert_eq!(counted, [(labels, 1.0)], "{step:?}");
    }
}

#[tokio::test]
async fn s7_every_chat_request_with_a_valid_key_counts_under_its_status() {
    let settings = [("MODEL_FIELD", "pin"), ("MAX_BODY_BYTES", "1000")];
    let big = format!(r#"{{"messages":["{}"]}}"#, "x".repeat(1000));
    let (plain, stream) = (Rig::hello().to_string(), Rig::hello_stream().to_string());
    let (ok, limited) = (Step::fitting, || Step::status(429, &[], ""));
    #[rustfmt::skip]
    let rows: [(Step, &str, &str); 13] = [
        // every model                          request                                     counted as
        (ok(),                                  &plain,                                     "200"),
        (ok(),                                  &stream,                                    "200"),
        (Step::stream(StreamFault::Error, 2),   &stream,                                    "200/mid_error"),
        (Step::stream(StreamFault::Cut, 2),     &stream,                                    "200/mid_error"),
        (Step::stream(StreamFault::NoDone, 2),  &stream,                                    "200"),
        (limited(),                             &plain,                                     "503"),
        (Failure::UserNotFound.into(),          &plain,                                     "502"),
        (Step::status(422, &[], "no"),          &plain,                                     "422"),
        (Failure::OkErrorRequest.into(),        &stream,                                    "400"),
        (ok(),                                  "{",                                        "400"),
        (ok(),                                  "[]",                                       "400"),
        (ok(),                                  &big,                                       "413"),
        (ok(),                                  r#"{"messages":[],"model":"none"}"#,        "404"),
    ];
    for (step, body, status) in rows {
        let rig = Rig::with(abc().others(step), &settings).await;
        for path in ["/v1/chat/completions", "/api/v1/chat/completions"] {
            rig.send("POST", path, &[], body.to_owned()).await;
            // Requests without a valid key are not counted, nor are other routes.
            let wrong = [("authorization", "Bearer wrong")];
            rig.send("POST", path, &wrong, body.to_owned()).await;
            rig.get("/v1/models").await;
        }
        let counted = series(&rig, "freellm_requests_total").await;
        assert_eq!(counted, [(format!("status=\"{status}\""), 2.0)], "{body}");
        assert_eq!(
            rig.metric("freellm_request_duration_seconds_count").await,
            Some(2.0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s7_filtered_out_counts_each_model_of_the_snapshot_that_the_needs_ruled_out() {
    let list = ranking_with(&["a:free", "b:free", "c:free"], |list| {
        for (at, flag) in [
            (0, "supportsSeed"),
            (2, "supportsSeed"),
            (2, "supportsStop"),
        ] {
            list["models"][at][flag] = false.into();
        }
    });
    #[rustfmt::skip]
    let rows: [(&str, &[&str]); 4] = [
        // the request has         filtered out
        (r#""n":1"#,               &[]),
        (r#""seed":1"#,            &["a:free", "c:free"]),
        (r#""stop":"x""#,          &["c:free"]),
        (r#""seed":1,"stop":"x""#, &["a:free", "c:free"]),
    ];
    for (fields, expected) in rows {
        // Once each, although the walk fails and covers two models.
        let script = Script::new()
            .list(list.clone())
            .others(Step::status(500, &[], ""));
        let rig = Rig::paused(script, &[]).await;
        for times in [1.0, 2.0] {
            let body = format!(r#"{{"messages":[],{fields}}}"#);
            let answer = rig.send("POST", "/v1/chat/completions", &[], body).await;
            assert_eq!(answer.status, 503);
            let counted = series(&rig, "freellm_upstream_attempts_total").await;
            let filtered: Vec<(&str, f64)> = counted
                .iter()
                .filter_map(|(labels, n)| {
                    Some((
                        labels
                            .strip_prefix("model_id=\"")?
                            .strip_suffix("\",outcome=\"filtered_out\",provider=\"openrouter\"")?,
                        *n,
                    ))
                })
                .collect();
            let expected: Vec<(&str, f64)> = expected.iter().map(|id| (*id, times)).collect();
            assert_eq!(filtered, expected, "{fields}");
            assert!(
                !rig.line(&answer).to_string().contains("filtered_out"),
                "in no `attempts` list"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s7_the_histogram_has_these_buckets_and_counts_each_request_once() {
    let rig = Rig::paused(abc(), &[("UPSTREAM_TIMEOUT_SEC", "100")]).await;
    for ms in [0, 200, 700, 3_000, 20_000, 70_000] {
        let answer = simulator::Answer {
            first_delay_ms: ms,
            ..simulator::Answer::text("x")
        };
        rig.simulator.set_model("a:free", Step::from(answer));
        assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    }
    let buckets = series(&rig, "freellm_request_duration_seconds_bucket").await;
    #[rustfmt::skip]
    let expected = [
        ("0.05", 1.0), ("0.1", 1.0), ("0.25", 2.0), ("0.5", 2.0), ("1", 3.0), ("2", 3.0),
        ("5", 4.0), ("10", 4.0), ("30", 5.0), ("60", 5.0), ("+Inf", 6.0),
    ];
    assert_eq!(buckets, expected.map(|(le, n)| (format!("le=\"{le}\""), n)));
    assert_eq!(
        rig.metric("freellm_request_duration_seconds_count").await,
        Some(6.0)
    );
    let sum = rig
        .metric("freellm_request_duration_seconds_sum")
        .await
        .unwrap();
    assert!((93.9..94.0).contains(&sum), "{sum}");
}

#[tokio::test(start_paused = true)]
async fn s7_a_stream_lasts_until_its_end() {
    let slow = simulator::Answer {
        delay_ms: 2_000,
        ..simulator::Answer::text("five pieces of text")
    };
    let rig = Rig::paused(abc().model("a:free", Step::from(slow)), &[]).await;
    rig.chat(&Rig::hello_stream()).await;
    let sum = rig
        .metric("freellm_request_duration_seconds_sum")
        .await
        .unwrap();
    assert!((10.0..10.1).contains(&sum), "{sum}");
}

#[tokio::test(start_paused = true)]
async fn s7_the_gauges_show_the_snapshot_and_the_rests() {
    let limited = Step::status(429, &[("Retry-After", "10")], "");
    let rig = Rig::paused(
        abc()
            .model("a:free", limited)
            .model("b:free", Step::status(500, &[], "")),
        &[],
    )
    .await;
    #[rustfmt::skip]
    let rows = [
        // s later  resting
        (0,         0.0),
        (1,         2.0),
        (10,        1.0),
        (60,        0.0),
    ];
    for (later, resting) in rows {
        sleep(Duration::from_secs(later)).await;
        assert_eq!(
            rig.metric("freellm_cooldown_models").await,
            Some(resting),
            "{later}"
        );
        assert_eq!(rig.metric("freellm_active_models").await, Some(3.0));
        if later == 0 {
            rig.chat(&Rig::hello()).await;
        }
    }
    let age = rig.metric("freellm_snapshot_age_seconds").await.unwrap();
    assert!((70.5..72.0).contains(&age), "{age}");
    rig.anew(Script::new().list(ranking(&["a:free", "z:free"])))
        .await;
    assert_eq!(rig.metric("freellm_active_models").await, Some(2.0));
    assert!(rig.metric("freellm_snapshot_age_seconds").await.unwrap() < 1.0);
}

#[tokio::test]
async fn s7_without_a_snapshot_there_is_no_age() {
    let down = || Step::status(500, &[], "");
    let rig = Rig::cold(Script::new().list(down()).catalogue(down()), &[]).await;
    rig.logged("snapshot_refresh_failed").await;
    assert_eq!(rig.metric("freellm_snapshot_age_seconds").await, None);
    assert!(
        !rig.get("/metrics")
            .await
            .text()
            .contains("freellm_snapshot_age_seconds")
    );
    assert_eq!(rig.metric("freellm_active_models").await, Some(0.0));
    assert_eq!(rig.metric("freellm_cooldown_models").await, Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn s7_a_client_that_left_counts_as_499_whatever_it_had_seen() {
    for step in [STALL, Step::stream(StreamFault::Stall, 2)] {
        let rig = Rig::paused(abc().model("a:free", step), &[]).await;
        let mut socket = rig.pipe();
        let request = in_bytes(&Rig::hello_stream());
        socket.write_all(request.as_bytes()).await.unwrap();
        sleep(Duration::from_secs(5)).await;
        drop(socket);
        sleep(Duration::from_secs(1)).await;
        let counted = [
            series(&rig, "freellm_requests_total").await,
            series(&rig, "freellm_upstream_attempts_total").await,
        ];
        let expected = [
            vec![("status=\"499\"".to_owned(), 1.0)],
            vec![(
                "model_id=\"a:free\",outcome=\"client_disconnected\",provider=\"openrouter\""
                    .to_owned(),
                1.0,
            )],
        ];
        assert_eq!(counted, expected);
    }
}

#[tokio::test]
async fn s7_the_format_is_the_classic_one_and_every_name_has_our_prefix() {
    let rig = Rig::start(abc().model("a:free", Step::status(500, &[], ""))).await;
    rig.chat(&Rig::hello()).await;
    for accept in [
        "",
        "text/plain",
        "application/openmetrics-text; version=1.0.0",
        "*/*",
    ] {
        let answer = rig.send("GET", "/metrics", &[("accept", accept)], "").await;
        assert_eq!(
            answer.header("content-type"),
            "text/plain; version=0.0.4; charset=utf-8",
            "{accept}"
        );
        let text = answer.text();
        assert!(!text.contains("# EOF"), "{accept}");
        for line in text.lines() {
            let name = line
                .trim_start_matches("# HELP ")
                .trim_start_matches("# TYPE ");
            assert!(name.starts_with("freellm_"), "{line}");
        }
        #[rustfmt::skip]
        let types = [
            "# TYPE freellm_requests_total counter",
            "# TYPE freellm_request_duration_seconds histogram",
            "# TYPE freellm_upstream_attempts_total counter",
            "# TYPE freellm_active_models gauge",
            "# TYPE freellm_cooldown_models gauge",
            "# TYPE freellm_snapshot_age_seconds gauge",
        ];
        for line in types {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
}

#[tokio::test]
async fn s7_what_a_client_says_makes_no_series() {
    let rig = Rig::with(abc(), &[("MODEL_FIELD", "prefer")]).await;
    let count = || async { rig.get("/metrics").await.text().lines().count() };
    rig.chat(&Rig::hello()).await;
    let before = count().await;
    for name in ["x", "y\"\n", "z:free", "a:free\u{0}"] {
        let mut body = Rig::hello();
        body["model"] = Value::from(name);
        body["user"] = Value::from(name);
        rig.chat(&body).await;
    }
    assert_eq!(count().await, before);
}

/// The series of a metric: labels and value, in the order of the page.
async fn series(rig: &Rig, name: &str) -> Vec<(String, f64)> {
    let text = rig.get("/metrics").await.text();
    let parse = |line: &str| {
        let (labels, value) = line
            .strip_prefix(name)?
            .strip_prefix('{')?
            .split_once("} ")?;
        Some((labels.to_owned(), value.parse().unwrap()))
    };
    text.lines().filter_map(parse).collect()
}
