//! §11.8: the trace, a line for each attempt. The clock is paused, so each time is exact.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Answer as Said, Failure, Plan, PlanEnd, Point, Script, Step, StreamFault};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::rig::{PROXY_KEY, Rig, UPSTREAM_KEY, abc, ranking};
use crate::s11_5_waiting::{WAIT, limited, then_well};

/// A proxy that writes a trace, and the file.
struct Traced {
    rig: Rig,
    file: PathBuf,
    _folder: TempDir,
}

impl Traced {
    async fn new(script: Script, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace.jsonl");
        let mut settings = settings.to_vec();
        settings.push(("TRACE_FILE", file.to_str().unwrap()));
        let rig = Rig::paused(script, &settings).await;
        Self {
            rig,
            file,
            _folder: folder,
        }
    }

    /// All that was written until now, and the last of it.
    fn text(&self) -> String {
        self.rig.finish_trace();
        std::fs::read_to_string(&self.file).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Its first token takes so many milliseconds.
fn slow(millis: u64) -> Step {
    Step::from(Said {
        first_delay_ms: millis,
        ..Said::text("hello")
    })
}

/// `a` does this once, and is well afterwards.
fn a_does(step: Step) -> Script {
    abc().model("a:free", Plan::from([step]).then(PlanEnd::Ok))
}

/// A line without what is the same or another in each run, and of the attempt only what is looked at.
fn shown(line: &Value, of_attempt: &[&str]) -> Value {
    let asked = &line["asked"];
    let mut shown = json!({"ended": line["ended"]});
    for name in of_attempt {
        shown[*name] = asked[*name].clone();
    }
    shown
}

#[tokio::test(start_paused = true)]
async fn s11_8_each_attempt_has_a_line_that_says_how_it_went() {
    let limited = Step::status(429, &[("Retry-After", "7")], "");
    #[rustfmt::skip]
    let rows = [
        // what `a` does                     and what its line says
        (slow(1_500),                        json!({"ended": "whole",   "first_ms": 1500, "rests": "no",        "wait_ms": null,   "status": null, "cause": null,            "scope": null,      "teaches": false})),
        (limited,                            json!({"ended": "failed",  "first_ms": null, "rests": "told",      "wait_ms": 7000,   "status": 429,  "cause": "status",        "scope": "model",   "teaches": true})),
        (Step::status(503, &[], ""),         json!({"ended": "failed",  "first_ms": null, "rests": "unadvised", "wait_ms": 60_000, "status": 503,  "cause": "status",        "scope": "model",   "teaches": true})),
        (Failure::NoEndpoints.into(),        json!({"ended": "failed",  "first_ms": null, "rests": "gone",      "wait_ms": null,   "status": 404,  "cause": "status",        "scope": "model",   "teaches": false})),
        (Step::stream(StreamFault::Cut, 2),  json!({"ended": "broken",  "first_ms": 0,    "rests": "no",        "wait_ms": null,   "status": 200,  "cause": "cut_short",     "scope": "model",   "teaches": true})),
        (Failure::OkErrorRequest.into(),     json!({"ended": "refused", "first_ms": null, "rests": "no",        "wait_ms": null,   "status": 400,  "cause": "error_inside",  "scope": "request", "teaches": false})),
        (slow(60_000),                       json!({"ended": "failed",  "first_ms": null, "rests": "no",        "wait_ms": null,   "status": null, "cause": "late",          "scope": "model",   "teaches": true})),
    ];
    let mut told = Vec::new();
    for (step, expected) in rows.clone() {
        let traced = Traced::new(a_does(step), &[("ROUTING", "balanced")]).await;
        traced.rig.chat(&Rig::hello_stream()).await;
        let lines = traced.lines();
        let names = expected.as_object().unwrap().keys();
        let names: Vec<_> = names.skip(1).map(String::as_str).collect();
        told.push(shown(&lines[0], &names));
        let by_limit = lines[0]["asked"]["cause"] == "late";
        assert_eq!(lines[0]["asked"]["by_limit"], by_limit);
        let failed = expected["ended"] == "failed";
        assert_eq!(lines.len(), if failed { 2 } else { 1 }, "{expected}");
    }
    let expected: Vec<_> = rows.into_iter().map(|(_, expected)| expected).collect();
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn s11_8_a_line_says_what_was_asked_whom_and_when() {
    let traced = Traced::new(a_does(Step::status(503, &[], "")), &[]).await;
    let mut body = Rig::hello();
    body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    traced.rig.chat(&body).await;
    let lines = traced.lines();
    let [first, second] = &lines[..] else {
        panic!("{lines:#?}")
    };
    for line in [first, second] {
        assert_eq!(line["trace"], 1);
        assert_eq!(line["request"], 1);
        assert_eq!(
            (&line["stream"], &line["named"]),
            (&json!(false), &json!(false))
        );
        assert_eq!(line["needs"], json!(["tools"]));
        assert_eq!(
            (&line["run"], &line["at_ms"]),
            (&first["run"], &first["at_ms"])
        );
        assert_eq!(line["asked"]["provider"], "openrouter");
        assert_eq!(line["asked"]["account"], "openrouter");
    }
    let whom = |line: &Value| {
        let asked = &line["asked"];
        [&asked["number"], &asked["offer"], &asked["place"]].map(Value::clone)
    };
    assert_eq!(whom(first), [json!(1), json!("a:free"), json!(0)]);
    assert_eq!(whom(second), [json!(2), json!("b:free"), json!(1)]);
    assert!(
        second["asked"]["output_tokens"].as_u64() > Some(0),
        "{second}"
    );
    assert_eq!(
        second["asked"]["first_ms"],
        Value::Null,
        "a plain answer has no first event"
    );
}

#[tokio::test(start_paused = true)]
async fn s11_8_who_left_and_who_could_not_be_asked_have_lines_too() {
    let traced = Traced::new(a_does(slow(60_000)), &[]).await;
    let body = Rig::hello_stream();
    let left = timeout(Duration::from_secs(3), traced.rig.chat(&body)).await;
    assert!(left.is_err());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let lines = traced.lines();
    assert_eq!(
        shown(&lines[0], &["first_ms", "total_ms"]),
        json!({"ended": "left", "first_ms": null, "total_ms": 3000})
    );

    let limited = Step::status(429, &[("Retry-After", "600")], "");
    let traced = Traced::new(abc().others(limited), &[]).await;
    traced.rig.chat(&Rig::hello()).await;
    traced.rig.chat(&Rig::hello()).await;
    let lines = traced.lines();
    let ended: Vec<_> = lines.iter().map(|line| &line["ended"]).collect();
    assert_eq!(ended, ["failed", "failed", "failed", "unasked"]);
    assert_eq!(
        (&lines[3]["request"], &lines[3]["asked"]),
        (&json!(2), &Value::Null)
    );
}

#[tokio::test(start_paused = true)]
async fn s11_8_nothing_of_what_was_said_and_no_key_is_in_it() {
    let script = a_does(Step::Close(Point::MidBody)).account(Plan::from([Failure::OkError.into()]));
    let traced = Traced::new(script, &[]).await;
    let words = [
        "secret words",
        "secret-session",
        "secret-model",
        PROXY_KEY,
        UPSTREAM_KEY,
        "hello",
    ];
    let body = json!({"stream": true, "model": words[2], "messages": [{"role": "user", "content": words[0]}]});
    for _ in 0..2 {
        let session = [("x-session-id", words[1])];
        traced
            .rig
            .send("POST", "/v1/chat/completions", &session, body.to_string())
            .await;
    }
    let text = traced.text();
    assert!(text.lines().count() >= 2, "{text}");
    for word in words {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_8_sessions_are_told_apart_within_a_run_and_not_known_again_in_another() {
    let mut of_runs = Vec::new();
    for routing in ["balanced", "rank"] {
        let traced = Traced::new(abc(), &[("ROUTING", routing)]).await;
        for session in ["1", "1", "2"] {
            let headers = [("x-session-id", session)];
            let body = Rig::hello().to_string();
            traced
                .rig
                .send("POST", "/v1/chat/completions", &headers, body)
                .await;
        }
        let lines = traced.lines();
        let sessions: Vec<_> = lines
            .iter()
            .map(|line| line["session"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(sessions[0], sessions[1], "{routing}");
        assert_ne!(sessions[0], sessions[2], "{routing}");
        of_runs.push((lines[0]["run"].clone(), sessions));
    }
    assert_ne!(of_runs[0].0, of_runs[1].0);
    assert_ne!(of_runs[0].1, of_runs[1].1);
}

/// Which request each line is of, how it ended, and the number of the attempt, if it is of one.
fn told(lines: &[Value]) -> Vec<String> {
    let told = lines.iter().map(|line| {
        let (ended, number) = (line["ended"].as_str().unwrap(), &line["asked"]["number"]);
        format!("{} {ended} {number}", line["request"])
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn s11_8_who_leaves_while_it_waits_has_a_line() {
    let script = Script::new().list(ranking(&["a:free"]));
    let script = script.model("a:free", then_well([limited("15")]));
    let traced = Traced::new(script, &[WAIT]).await;
    for seconds in [3, 4] {
        let body = Rig::hello_stream();
        let left = timeout(Duration::from_secs(seconds), traced.rig.chat(&body)).await;
        assert!(left.is_err());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // The first had asked before it waited, the second had not.
    let expected = ["1 failed 1", "1 left null", "2 left null"];
    assert_eq!(told(&traced.lines()), expected);
}

#[tokio::test(start_paused = true)]
async fn s11_8_who_is_refused_after_a_wait_has_a_line() {
    let script = Script::new().list(ranking(&["a:free", "b:free"]));
    let script = script
        .model("a:free", then_well([Step::status(503, &[], "")]))
        .model("b:free", then_well([limited("5"), limited("600")]));
    let traced = Traced::new(script, &[WAIT, ("MODEL_FIELD", "pin")]).await;
    let mut named = Rig::hello();
    named["model"] = json!("b:free");
    // It waits for `b`, and is the one to find out that `b` is not well.
    let first = traced.rig.chat(&named);
    let behind = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // Asks `a`, and waits behind the other for `b`.
        traced.rig.chat(&Rig::hello()).await
    };
    let (first, behind) = tokio::join!(first, behind);
    assert_eq!((first.status, behind.status), (503, 503));
    let mut told = told(&traced.lines());
    told.sort();
    assert_eq!(
        told,
        ["1 failed 1", "1 failed 2", "2 failed 1", "2 unasked null"]
    );
}

#[tokio::test(start_paused = true)]
async fn s11_8_a_line_says_which_order_the_request_wished_for() {
    let traced = Traced::new(abc(), &[("MODEL_FIELD", "prefer")]).await;
    #[rustfmt::skip]
    let rows = [
        // model              wish                named
        (json!(null),         json!(null),        false),
        (json!("auto"),       json!(null),        false),
        (json!("Auto:Fast"),  json!("auto:fast"), false),
        (json!("auto:best"),  json!("auto:best"), false),
        (json!("auto:rank"),  json!("auto:rank"), false),
        (json!("b:free"),     json!(null),        true),
    ];
    for (model, ..) in &rows {
        let mut body = Rig::hello();
        body["model"] = model.clone();
        assert_eq!(traced.rig.chat(&body).await.status, 200);
    }
    let lines = traced.lines();
    let told = lines.iter().map(|line| (&line["wish"], &line["named"]));
    let expected = rows
        .iter()
        .map(|(_, wish, named)| (wish.clone(), json!(named)));
    let expected: Vec<_> = expected.collect();
    assert!(
        told.eq(expected.iter().map(|(wish, named)| (wish, named))),
        "{lines:#?}"
    );
}
