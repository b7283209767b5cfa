//! §5, waiting aloud: a stream that has to wait says so, and keeps trying behind it.

use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use simulator::{Failure, Script, Step, StreamFault};
use tokio::time::{Instant, sleep};

use crate::rig::{Rig, UPSTREAM_KEY, abc, ranking};
use crate::scripts::{STALL, late};

/// Silence may last a minute, so that a second comment is due.
const PATIENT: &[(&str, &str)] = &[
    ("UPSTREAM_TIMEOUT_SEC", "60"),
    ("STREAM_KEEPALIVE_SEC", "25"),
];

#[tokio::test(start_paused = true)]
async fn s5_a_stream_that_waits_says_so_each_period_and_then_gets_its_answer() {
    let rig = Rig::paused(abc().model("a:free", STALL), PATIENT).await;
    let (head, said) = timeline(&rig, &Rig::hello_stream()).await;
    assert_eq!(head.status, 200);
    #[rustfmt::skip]
    let headers = [
        ("content-type",           "text/event-stream"),
        ("cache-control",          "no-cache, no-store"),
        ("x-accel-buffering",      "no"),
        ("x-free-llm-proxy-model", ""),
    ];
    for (name, value) in headers {
        assert_eq!(
            head.headers.get(name).map_or("", |v| v.to_str().unwrap()),
            value,
            "{name}"
        );
    }
    #[rustfmt::skip]
    let expected = [
        (25, ":"),
        (50, ":"),
        (60, ": x-free-llm-proxy-model: b:free"),
        (60, "Hello! This is b:free, played by the simulator."),
        (60, "[DONE]"),
    ];
    assert_eq!(
        in_words(&said),
        expected.map(|(at, what)| (at, what.to_owned()))
    );
    let line = rig.done();
    assert_eq!(
        (&line["status"], &line["level"], &line["mid_stream_error"]),
        (&json!(200), &json!("INFO"), &Value::Null)
    );
    assert_eq!(
        Rig::trail(&line),
        ["a:free upstream_error", "b:free success"]
    );
    assert_eq!(
        rig.metric("freellm_requests_total{status=\"200\"}").await,
        Some(1.0)
    );
}

#[tokio::test(start_paused = true)]
async fn s5_only_what_is_useful_ends_the_waiting() {
    let answer = |change: fn(&mut simulator::Answer)| {
        let mut answer = simulator::Answer::text("at last");
        change(&mut answer);
        Step::from(answer)
    };
    #[rustfmt::skip]
    let rows = [
        // the upstream                                                  comments at    the answer at, s
        (answer(|a| a.headers_delay_ms = 40_000),                        vec![25],      40),
        (answer(|a| a.first_delay_ms = 40_000),                          vec![25],      40),
        (answer(|a| (a.comments, a.comment_delay_ms) = (40, 1_000)),     vec![25],      40),
        (answer(|a| (a.comments, a.comment_delay_ms) = (52, 1_000)),     vec![25, 50],  52),
        (answer(|a| a.first_delay_ms = 24_900),                          vec![],        24),
    ];
    for (step, comments, at) in rows {
        let rig = Rig::paused(abc().model("a:free", step), PATIENT).await;
        let (head, said) = timeline(&rig, &Rig::hello_stream()).await;
        let words = in_words(&said);
        let ours: Vec<u64> = words
            .iter()
            .filter(|(_, what)| what == ":")
            .map(|(at, _)| *at)
            .filter(|at| [25, 50].contains(at))
            .collect();
        assert_eq!(ours.len(), comments.len(), "{words:?}");
        assert_eq!(
            words.iter().find(|(_, what)| what == "at last").unwrap().0,
            at,
            "{words:?}"
        );
        assert_eq!(
            head.headers.contains_key("x-free-llm-proxy-model"),
            comments.is_empty()
        );
        let named = words
            .iter()
            .any(|(_, what)| what == ": x-free-llm-proxy-model: a:free");
        assert_eq!(named, !comments.is_empty(), "{words:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s5_a_final_failure_aloud_is_a_frame_with_the_code_and_type_of_its_status() {
    let server = json!({"type": "server_error", "code": "all_models_unavailable", "param": null});
    let key =
        json!({"type": "proxy_misconfiguration", "code": "upstream_auth_error", "param": null});
    #[rustfmt::skip]
    let rows = [
        // b, c, after `a` has stalled         the frame's error   log level
        ([STALL, STALL],                       &server,            "WARNING"),
        ([Step::status(500, &[], ""), Step::status(429, &[], "")], &server, "WARNING"),
        ([Failure::UserNotFound.into(), STALL], &key,              "ERROR"),
        ([Failure::Forbidden.into(), STALL],   &key,               "ERROR"),
    ];
    for ([b, c], expected, level) in rows {
        let script = abc()
            .model("a:free", STALL)
            .model("b:free", b)
            .model("c:free", c);
        let rig = Rig::paused(script, &[]).await;
        let frame = last_frame(&rig).await;
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&frame["error"][field], value, "{frame}");
        }
        assert!(!frame["error"]["message"].as_str().unwrap().is_empty());
        let line = rig.done();
        assert_eq!(
            (&line["level"], &line["status"], &line["mid_stream_error"]),
            (&json!(level), &json!(200), &expected["code"])
        );
        if level == "ERROR" {
            assert_eq!(
                (&line["reason"], &line["key_tail"]),
                (&json!("upstream_auth_error"), &json!("...WXYZ"))
            );
            assert!(
                frame["error"]["message"]
                    .as_str()
                    .unwrap()
                    .contains("current key tail is ...WXYZ"),
                "{frame}"
            );
        }
        assert_eq!(
            rig.metric("freellm_requests_total{status=\"200/mid_error\"}")
                .await,
            Some(1.0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s5_an_upstream_4xx_aloud_is_its_error_object_as_it_is() {
    let secret = format!(r#"{{"error":{{"message":"key {UPSTREAM_KEY} is bad"}}}}"#);
    #[rustfmt::skip]
    let rows = [
        // the upstream's body                                       the frame's error
        (r#"{"error":{"message":"m","code":422,"n":1.0e2}}"#,        json!({"message": "m", "code": 422, "n": 100.0})),
        (r#"{"error":{"message":"m"},"user_id":"user_2x"}"#,         json!({"message": "m"})),
        ("{\n  \"error\": {\r\n    \"message\": \"m\"\n  }\n}\n",    json!({"message": "m"})),
        ("a text",                                                   json!({"message": "a text", "type": "upstream_error", "param": null, "code": "upstream_422"})),
        (&secret,                                                    json!({"message": "key *** is bad"})),
    ];
    for (body, expected) in rows {
        let b = Step::status(
            422,
            &[("Content-Type", "application/json"), ("Retry-After", "9")],
            body,
        );
        let rig = Rig::paused(abc().model("a:free", STALL).model("b:free", b), &[]).await;
        let frame = last_frame(&rig).await;
        if !body.contains(UPSTREAM_KEY) {
            assert_eq!(frame["error"], expected, "{body}");
        }
        let told = frame.to_string();
        assert!(
            !told.contains("user_2x") && !told.contains(UPSTREAM_KEY),
            "{told}"
        );
        let line = rig.done();
        assert_eq!(
            Rig::trail(&line),
            ["a:free upstream_error", "b:free client_error"]
        );
        assert_eq!(
            rig.metric("freellm_requests_total{status=\"200/mid_error\"}")
                .await,
            Some(1.0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s5_a_stream_that_breaks_after_it_waited_aloud_ends_as_any_other() {
    let script = abc()
        .model("a:free", STALL)
        .model("b:free", Step::stream(StreamFault::Error, 2));
    let rig = Rig::paused(script, &[]).await;
    let (_, said) = timeline(&rig, &Rig::hello_stream()).await;
    let events = events(&said);
    assert_eq!(events.len(), 4, "{events:?}");
    let frame: Value = serde_json::from_str(&events[2]).unwrap();
    let expected = json!({"error": {"message": "Provider disconnected", "code": "upstream_error", "type": "upstream_error", "param": null}});
    assert_eq!((&frame, events[3].as_str()), (&expected, "[DONE]"));
    assert_eq!(
        rig.metric("freellm_requests_total{status=\"200/mid_error\"}")
            .await,
        Some(1.0)
    );
}

#[tokio::test(start_paused = true)]
async fn s5_a_quick_failure_keeps_its_status() {
    let limited = Step::status(429, &[], "");
    let headers = [("Content-Type", "application/json")];
    let refused = Step::status(422, &headers, r#"{"error":{"message":"m"}}"#);
    #[rustfmt::skip]
    let rows = [
        (abc().others(limited),                                  503),
        (abc().model("a:free", refused),                         422),
        (abc().model("a:free", Step::from(Failure::UserNotFound)), 502),
        (Script::new().others(late(500, &[], 14_000)).list(ranking(&["a:free"])), 503),
    ];
    for (script, status) in rows {
        let rig = Rig::paused(script, &[]).await;
        let answer = rig.chat(&Rig::hello_stream()).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, "application/json")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s5_keepalive_0_waits_in_silence_and_a_plain_request_always_does() {
    let script = || abc().model("a:free", STALL).model("b:free", STALL);
    let zero = [("STREAM_KEEPALIVE_SEC", "0")];
    #[rustfmt::skip]
    let rows = [
        (Rig::hello_stream(), &zero[..]),
        (Rig::hello(),        &[][..]),
    ];
    for (body, settings) in rows {
        let rig = Rig::paused(script(), settings).await;
        let start = Instant::now();
        let response = rig
            .open("POST", "/v1/chat/completions", &[], body.to_string())
            .await;
        assert_eq!(start.elapsed(), Duration::from_secs(60));
        assert_eq!(response.headers()["x-free-llm-proxy-model"], "c:free");
        assert_eq!(response.headers()["x-free-llm-proxy-attempts"], "3");
    }
}

#[tokio::test(start_paused = true)]
async fn s5_the_period_is_a_setting() {
    #[rustfmt::skip]
    let rows = [
        // STREAM_KEEPALIVE_SEC  comments at, s, until the answer after 31
        ("10",                   vec![10, 20, 30]),
        ("7.5",                  vec![7, 15, 22, 30]),
        ("",                     vec![15, 30]),
        ("32",                   vec![]),
    ];
    for (period, expected) in rows {
        let mut settings = vec![("UPSTREAM_TIMEOUT_SEC", "31")];
        if !period.is_empty() {
            settings.push(("STREAM_KEEPALIVE_SEC", period));
        }
        let rig = Rig::paused(abc().model("a:free", STALL), &settings).await;
        let (_, said) = timeline(&rig, &Rig::hello_stream()).await;
        let comments = in_words(&said).into_iter().filter(|(_, what)| what == ":");
        assert_eq!(
            comments.map(|(at, _)| at).collect::<Vec<_>>(),
            expected,
            "{period}"
        );
    }
}

type Said = Vec<(u64, String)>;

/// The head, and when (in whole seconds after the request) which bytes arrived.
async fn timeline(rig: &Rig, body: &Value) -> (http::response::Parts, Said) {
    let start = Instant::now();
    let response = rig
        .open("POST", "/v1/chat/completions", &[], body.to_string())
        .await;
    let (head, mut body) = response.into_parts();
    let mut said = Said::new();
    while let Some(frame) = body.frame().await {
        let text = String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap();
        said.push((start.elapsed().as_secs(), text));
    }
    (head, said)
}

/// The same in words: a comment as `:` (or in full, if it names the model), the concatenated
/// deltas, and anything else.
fn in_words(said: &[(u64, String)]) -> Said {
    let mut words = Said::new();
    for (at, event) in said
        .iter()
        .flat_map(|(at, text)| text.split_terminator("\n\n").map(move |event| (*at, event)))
    {
        let data = event.strip_prefix("data: ");
        let delta = data.and_then(|data| serde_json::from_str::<Value>(data).ok());
        let content = delta
            .as_ref()
            .and_then(|d| d["choices"][0]["delta"]["content"].as_str());
        match (data, content, words.last_mut()) {
            (None, _, _) => {
                let named = event
                    .lines()
                    .find(|line| line.starts_with(": x-free-llm-proxy-model"));
                words.push((at, named.unwrap_or(":").to_owned()));
            }
            (_, Some(content), Some((_, last))) if !last.starts_with([':', '[']) => {
                last.push_str(content)
            }
            (_, Some(content), _) => words.push((at, content.to_owned())),
            (Some(data), None, _) => words.push((at, data.to_owned())),
        }
    }
    words
}

/// What a stream that has waited aloud is told in the end: all there is before `[DONE]`.
async fn last_frame(rig: &Rig) -> Value {
    let (head, said) = timeline(rig, &Rig::hello_stream()).await;
    assert_eq!(head.status, 200);
    let events = events(&said);
    assert_eq!(
        (events.len(), events[1].as_str()),
        (2, "[DONE]"),
        "{events:?}"
    );
    serde_json::from_str(&events[0]).unwrap()
}

/// The payloads of all events.
fn events(said: &[(u64, String)]) -> Vec<String> {
    let all: String = said.iter().map(|(_, text)| text.as_str()).collect();
    for event in all.split_terminator("\n\n") {
        assert!(
            event.starts_with("data: ") || event.starts_with(": "),
            "{event:?} in {all:?}"
        );
        assert!(!event.contains('\r'), "{event:?}");
    }
    all.split_terminator("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn s5_a_wait_aloud_that_fails_without_an_attempt_counts_as_a_mid_error() {
    let limited = Step::status(429, &[("Retry-After", "1")], "");
    let script = abc()
        .list(ranking(&["a:free"]))
        .model("a:free", vec![limited, STALL]);
    let settings = [("STREAM_KEEPALIVE_SEC", "1"), ("REQUEST_BUDGET_SEC", "5")];
    let rig = Rig::paused(script, &settings).await;
    rig.chat(&Rig::hello()).await;
    sleep(Duration::from_millis(1_100)).await;
    let waits = async {
        sleep(Duration::from_millis(100)).await;
        rig.chat(&Rig::hello_stream()).await
    };
    let request = Rig::hello();
    let (_, answer) = tokio::join!(rig.chat(&request), waits);
    assert_eq!(answer.status, 200);
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{answer:?}");
    assert_eq!(
        rig.metric("freellm_requests_total{status=\"200/mid_error\"}")
            .await,
        Some(1.0)
    );
    assert_eq!(rig.line(&answer)["event"], "request_rejected");
}
