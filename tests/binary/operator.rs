//! `status` and `explain` ask a running proxy.

use serde_json::{Value, json};
use simulator::{Script, Step};
use tokio::net::TcpListener;

use crate::program::{LONG, PROXY_KEY, Program, Ran, Serving};
use crate::upstream::Outside;

const BEST: &str = "inclusionai/ling-2.6-flash:free";
const NEXT: &str = "inclusionai/ling-2.6-1t:free";

/// A proxy whose best model is rate-limited.
async fn serving() -> (Outside, Serving) {
    let limited = Step::status(429, &[("Retry-After", "600")], "no");
    let outside = Outside::with(Script::new().model(BEST, limited)).await;
    let serving = outside.program("").ready().await;
    (outside, serving)
}

/// A command that asks it with the right key.
fn asking(serving: &Serving, arguments: &str) -> Program {
    Program::new(arguments)
        .env("PORT", &serving.address.port().to_string())
        .env("PROXY_API_KEY", &format!(" {PROXY_KEY} ,another"))
}

fn hello() -> Value {
    json!({"messages": [{"role": "user", "content": "Hello!"}]})
}

fn failed(ran: &Ran, code: i32, words: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{ran:?}");
    assert!(ran.stderr.contains(words), "{words} in {ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
}

#[tokio::test]
async fn s8_status_shows_a_table_and_no_escapes_where_there_is_no_terminal() {
    let (_outside, serving) = serving().await;
    assert_eq!(serving.chat(&hello()).await.status(), 200);
    let ran = asking(&serving, "status").run().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:?}");
    let banner = ran.stdout.lines().next().unwrap();
    let expected = format!(
        "Requests are being answered: {NEXT} is asked first; the last answer was by {NEXT} at "
    );
    assert!(banner.starts_with(&expected), "{banner}");
    let best = ran.stdout.lines().find(|line| line.contains(BEST)).unwrap();
    assert!(best.ends_with("more: rate limited (HTTP 429)"), "{best}");
    let ran = asking(&serving, "status --json").run().await;
    let state: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&state["first_choice"], &state["models"][0]["state"]),
        (&json!(NEXT), &json!("resting"))
    );
}

#[tokio::test]
async fn s8_status_watch_shows_what_happens() {
    let (_outside, serving) = serving().await;
    let watching = asking(&serving, "status --watch").start(serving.address);
    watching
        .stdout
        .find(|line| line.contains("none was asked yet").then_some(()))
        .await;
    assert_eq!(serving.chat(&hello()).await.status(), 200);
    let trail = format!("{BEST} rate_limited 429 > {NEXT} success");
    watching
        .stdout
        .find(|line| line.ends_with(&trail).then_some(()))
        .await;
    assert!(
        watching
            .stdout
            .all()
            .iter()
            .all(|line| !line.contains('\u{1b}'))
    );
}

#[tokio::test]
async fn s8_status_watch_says_once_into_a_pipe_that_nothing_answers() {
    // It accepts every connection, and sends nothing.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = mute.local_addr().unwrap();
    let watching = Program::new("status --watch")
        .env("PORT", &address.port().to_string())
        .env("PROXY_API_KEY", PROXY_KEY)
        .start(address);
    let problems = || watching.stderr.all();
    // Each round asks for the state, and for the events.
    for _ in 0..6 {
        let asked = tokio::time::timeout(LONG, mute.accept()).await;
        drop(asked.expect("it asks again"));
    }
    assert_eq!(problems().len(), 1, "{:?}", problems());
    drop(mute);
    watching
        .stderr
        .find(|line| line.contains("refused").then_some(()))
        .await;
    assert_eq!(problems().len(), 2, "{:?}", problems());
    assert!(watching.stdout.all().is_empty());
}

#[tokio::test]
async fn s8_a_command_that_cannot_ask_says_why_in_one_line() {
    let (_outside, serving) = serving().await;
    for command in ["status", "status --watch", "explain -f body.json"] {
        let program = |arguments| asking(&serving, arguments).file("body.json", "{}");
        let ran = program(command).env("PROXY_API_KEY", "wrong").run().await;
        failed(&ran, 1, "does not accept the key");
        assert!(!ran.stderr.contains("wrong"), "{ran:?}");
        failed(
            &program(command).without("PROXY_API_KEY").run().await,
            2,
            "PROXY_API_KEY is not set",
        );
        failed(&program(command).env("PORT", "x").run().await, 2, "PORT");
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    failed(
        &asking(&serving, "status").env("PORT", &port).run().await,
        1,
        "no proxy answers at",
    );
}

#[tokio::test]
async fn s3_explain_says_which_models_would_be_asked_and_which_not() {
    let (outside, serving) = serving().await;
    assert_eq!(serving.chat(&hello()).await.status(), 200);
    outside.simulator.clear_requests();
    let body = r#"{"messages":[],"model":"gpt-5"}"#;
    let explain = |arguments| asking(&serving, arguments).file("body.json", body);
    let ran = explain("explain -f body.json").run().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.contains(&format!("  1  {NEXT}\n")), "{ran:?}");
    assert!(
        ran.stdout.contains("rate limited (HTTP 429), back in"),
        "{ran:?}"
    );
    let ran = explain("explain --json --file body.json").run().await;
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&told["model_asked_for"], &told["left_out"][0]["model"]),
        (&json!("gpt-5"), &json!(BEST))
    );
    failed(
        &explain("explain -f none.json").run().await,
        1,
        "none.json cannot be read",
    );
    // Nothing on stdin is not a request.
    failed(
        &explain("explain").run().await,
        1,
        "answers 400: Invalid request",
    );
    assert!(outside.simulator.models_asked().is_empty());
}
