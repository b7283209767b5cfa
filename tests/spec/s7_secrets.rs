//! §7: prompts, answers and keys never appear in any log, at any level, nor in the metrics.

use serde_json::{Value, json};
use simulator::{Failure, Point, Script, Step, Stream, StreamFault};

use crate::rig::{PROXY_KEY, Rig, UPSTREAM_KEY, abc};

/// In every prompt.
const PROMPT: &str = "SECRET-PROMPT";
/// In every answer and error of the upstream.
const ANSWER: &str = "SECRET-ANSWER";
/// In what a client sends besides its prompt.
const CLIENT: &str = "SECRET-CLIENT";
const ACCOUNT: &str = "user_";

#[tokio::test(start_paused = true)]
async fn s7_no_failure_of_the_upstream_brings_a_secret_into_the_log_or_the_metrics() {
    let settings = [("STREAM_KEEPALIVE_SEC", "0"), ("MAX_EVENT_BYTES", "50000")];
    let rig = Rig::paused(abc(), &settings).await;
    let recorded = Failure::ALL.iter().map(|failure| Step::failure(*failure));
    let mut asked = 0;
    for step in recorded
        .chain(echoes())
        .chain(broken_streams())
        .chain(cuts())
    {
        for body in [prompt(false), prompt(true)] {
            let script = abc().model("a:free", step.clone());
            rig.anew(script.others(Step::ok(ANSWER))).await;
            rig.chat(&body).await;
            asked += 1;
        }
    }
    let left = rig.log.of("request_done").len() + rig.log.of("request_rejected").len();
    assert_eq!(left, asked, "a line each");
    assert!(
        rig.log.all().iter().any(|line| line.contains("DEBUG")),
        "every level is on"
    );
    assert_clean(&rig).await;
}

#[tokio::test]
async fn s10_6_no_configured_key_appears_in_an_error() {
    let said = format!("no {UPSTREAM_KEY}, no {PROXY_KEY}");
    let error = Step::status(400, &[], json!({"error": {"message": said, "code": 400}}));
    let rig = Rig::with(abc().others(error), &[]).await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(answer.json()["error"]["message"], "no ***, no ***");
}

#[tokio::test]
async fn s7_no_mistake_of_the_client_brings_a_secret_into_the_log_or_the_metrics() {
    let settings = [
        ("MODEL_FIELD", "pin"),
        ("MAX_BODY_BYTES", "4000"),
        ("MAX_JSON_DEPTH", "8"),
    ];
    let rig = Rig::with(abc(), &settings).await;
    let named = json!({"model": CLIENT, "messages": []}).to_string();
    let cut: String = prompt(false).to_string().chars().take(60).collect();
    let deep = format!(
        r#"{{"messages":{}"{PROMPT}"{}}}"#,
        "[".repeat(20),
        "]".repeat(20)
    );
    let big = json!({"messages": [PROMPT.repeat(500)]}).to_string();
    let twice = format!(r#"{{"messages":[],"{CLIENT}":"{PROMPT}","{CLIENT}":1}}"#);
    let typed = format!(r#"{{"messages":"{PROMPT}"}}"#);
    let (bearer, wrong, basic) = (
        format!("Bearer {PROXY_KEY}"),
        format!("Bearer {CLIENT}"),
        format!("Basic {CLIENT}"),
    );
    #[rustfmt::skip]
    let rows = [
        // body                        path                               key
        (PROMPT,                       "/v1/chat/completions",            &bearer),
        (&cut,                         "/v1/chat/completions",            &bearer),
        (&deep,                        "/v1/chat/completions",            &bearer),
        (&big,                         "/v1/chat/completions",            &bearer),
        (&twice,                       "/v1/chat/completions",            &bearer),
        (&typed,                       "/v1/chat/completions",            &bearer),
        (&named,                       "/v1/chat/completions",            &bearer),
        (&named,                       "/v1/chat/completions",            &wrong),
        (&named,                       "/v1/chat/completions",            &basic),
        (&named,                       "/v1/chat/completions?k=SECRET-CLIENT", &bearer),
        (&named,                       "/v1/SECRET-CLIENT",               &bearer),
        (&named,                       "/v1/models/SECRET-CLIENT",        &bearer),
    ];
    for (body, path, key) in rows {
        let headers = [
            ("authorization", key.as_str()),
            ("user-agent", CLIENT),
            ("cookie", CLIENT),
            ("x-request-id", CLIENT),
        ];
        rig.send("POST", path, &headers, body.to_owned()).await;
        rig.send("GET", path, &headers, "").await;
    }
    assert_clean(&rig).await;
}

#[tokio::test]
async fn s7_a_good_request_leaves_no_secret_either() {
    let call = simulator::ToolCall::new(ANSWER, json!({ "x": ANSWER }));
    let steps = [
        Step::from(simulator::Answer {
            chunks: 1,
            reasoning: Some(ANSWER.into()),
            ..simulator::Answer::text(ANSWER)
        }),
        Step::ToolCall(vec![call]),
    ];
    let rig = Rig::start(abc()).await;
    for step in steps {
        rig.simulator.set_model("a:free", step);
        for body in [prompt(false), prompt(true)] {
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 200);
            assert!(answer.text().contains("SECRET"));
        }
    }
    assert_clean(&rig).await;
}

#[tokio::test]
async fn s7_the_list_brings_no_secret_into_the_log() {
    // What a list may contain, and what a failed read of it returns.
    let odd = json!({"models": [
        {"id": "a:free", "rank": 1},
        {"id": format!("{UPSTREAM_KEY}\n:free"), "rank": 2},
        {"id": UPSTREAM_KEY, "rank": 3},
        {"id": "b:free", "rank": UPSTREAM_KEY},
    ]});
    let rig = Rig::start(Script::new().list(Step::status(200, &[], odd))).await;
    for step in [
        Step::status(401, &[], UPSTREAM_KEY),
        Step::status(200, &[], UPSTREAM_KEY),
    ] {
        rig.simulator.set_list(step);
        assert_eq!(rig.post("/admin/refresh", &Value::Null).await.status, 502);
    }
    rig.chat(&prompt(false)).await;
    assert_clean(&rig).await;
}

/// Answers that echo everything: the key, the prompt, the account.
fn echoes() -> impl Iterator<Item = Step> {
    let text = format!("{ANSWER} {PROMPT} {UPSTREAM_KEY} {ACCOUNT}2abc");
    let error = |status: u16| json!({"error": {"message": text, "code": status, "metadata": {"raw": text, "flagged_input": text, "provider_name": text}}, "user_id": "user_2abc"});
    let header = text.clone();
    let statuses = [400, 401, 403, 413, 422, 429, 500, 502, 503, 529, 302];
    let plain = statuses.map(|status| {
        Step::status(
            status,
            &[("X-Echo", &header), ("Location", "/SECRET-ANSWER")],
            error(status),
        )
    });
    let pages = statuses
        .map(|status| Step::status(status, &[("Content-Type", "text/html")], header.as_str()));
    let inside = statuses.map(|status| Step::status(200, &[], error(status)));
    let events = statuses.map(|status| {
        let event = format!("data: {}\n\n", error(status));
        Step::status(
            200,
            &[("Content-Type", "text/event-stream")],
            event.as_str(),
        )
    });
    let words = [
        json!(text),
        json!({"code": text, "message": text}),
        json!({"code": 429, "message": {"x": text}}),
    ]
    .map(|error| Step::status(200, &[], json!({"error": error})));
    let garbage = Step::raw(format!("HTTP/1.1 {text}\r\n\r\n"), simulator::Then::Close);
    plain
        .into_iter()
        .chain(pages)
        .chain(inside)
        .chain(events)
        .chain(words)
        .chain([garbage])
}

/// Streams that break before and after their first event, with an error that echoes.
fn broken_streams() -> impl Iterator<Item = Step> {
    let endless = [StreamFault::ContentForever];
    let faults = StreamFault::ALL
        .iter()
        .filter(move |fault| !endless.contains(fault));
    faults.flat_map(|fault| {
        [0, 2].map(|after| {
            let mut stream = Stream::new(*fault, after);
            stream.answer = simulator::Answer::text(format!("{ANSWER} {ANSWER} {ANSWER}"));
            stream.error =
                Some(json!({"code": 502, "message": format!("{ANSWER} {UPSTREAM_KEY}")}));
            Step::from(stream)
        })
    })
}

/// Connections that break or fall silent.
fn cuts() -> impl Iterator<Item = Step> {
    let points = [
        Point::BeforeHeaders,
        Point::MidHeaders,
        Point::AfterHeaders,
        Point::FirstEvent,
        Point::MidBody,
    ];
    points
        .into_iter()
        .flat_map(|point| [Step::Stall(point), Step::Close(point), Step::Reset(point)])
}

fn prompt(stream: bool) -> Value {
    json!({
        "stream": stream, "model": CLIENT, "user": CLIENT, "messages": [{"role": "user", "content": PROMPT}],
        "tools": [{"type": "function", "function": {"name": PROMPT, "description": PROMPT}}],
    })
}

async fn assert_clean(rig: &Rig) {
    let lines = rig.log.all();
    assert!(!lines.is_empty());
    let metrics = rig.get("/metrics").await.text();
    for secret in ["SECRET", PROXY_KEY, UPSTREAM_KEY, ACCOUNT, "how do I"] {
        for text in lines.iter().chain([&metrics]) {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
