//! §7, promises 16 and 17: what is printed while serving, and what never is.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Answer, Plan, Script, Step, Stream, StreamFault};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::program::{PROXY_KEY, Serving, UPSTREAM_KEY};
use crate::upstream::Outside;

const PROMPT: &str = "WORDS-OF-THE-PROMPT";
const ANSWER: &str = "WORDS-OF-THE-ANSWER";
const WRONG_KEY: &str = "sk-somebody-elses-key";

#[tokio::test]
async fn s7_keys_prompts_and_answers_are_in_no_line_at_any_level_and_the_key_in_no_answer() {
    let outside = Outside::with(Script::new()).await;
    let program = outside.program("").env("LOG_LEVEL", "debug");
    let mut serving = program.ready().await;
    let mut answers = String::new();
    for step in echoes() {
        for stream in [false, true] {
            outside
                .simulator
                .set_script(Script::new().others(Plan::from(step.clone())));
            let request = json!({"stream": stream, "messages": [{"role": "user", "content": PROMPT}], "user": PROMPT});
            let answer = serving.chat(&request).await;
            answers += &format!("{:?}\n", answer.headers());
            answers += &answer.text().await.unwrap_or_default();
            // What rests now is to be asked again.
            outside.simulator.set_script(Script::new());
            refresh(&serving).await;
        }
    }
    let echoing = Step::status(
        500,
        &[("X-Echo", UPSTREAM_KEY)],
        format!("{UPSTREAM_KEY} {PROMPT}"),
    );
    outside.simulator.set_list(echoing);
    answers += &refresh(&serving).await;
    answers += &mischief(&serving).await;
    assert!(!answers.contains(UPSTREAM_KEY), "{answers}");
    assert!(!answers.contains(PROXY_KEY), "{answers}");

    serving.signal("TERM");
    assert_eq!(serving.ended().await.code(), Some(0));
    assert_eq!(serving.stderr.all(), [""; 0]);
    let lines = serving.stdout.all();
    assert!(lines.len() > 50, "{lines:#?}");
    for line in lines {
        let parsed: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for name in ["ts", "level", "event"] {
            assert!(parsed[name].is_string(), "{name} in {line}");
        }
        for never in [UPSTREAM_KEY, PROXY_KEY, WRONG_KEY, PROMPT, ANSWER] {
            assert!(!line.contains(never), "{never} in {line}");
        }
    }
}

#[tokio::test]
async fn s7_lines_come_as_they_happen_and_each_level_has_its_own() {
    let outside = Outside::with(Script::new()).await;
    #[rustfmt::skip]
    let rows: [(&str, &[&str]); 3] = [
        // LOG_LEVEL   levels seen
        ("INFO",       &["INFO", "WARNING"]),
        ("warning",    &["WARNING"]),
        ("ERROR",      &[]),
    ];
    for (level, expected) in rows {
        outside.simulator.set_script(Script::new());
        let program = || outside.program("").env("LOG_LEVEL", level);
        let mut serving = Serving::quiet(program).await;
        assert_eq!(serving.chat(&json!({"messages": []})).await.status(), 200);
        outside
            .simulator
            .set_script(Script::new().others(Step::status(500, &[], "")));
        assert_eq!(serving.chat(&json!({"messages": []})).await.status(), 503);
        serving.signal("TERM");
        serving.ended().await;
        let mut seen: Vec<_> = serving
            .stdout
            .all()
            .iter()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["level"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, expected, "{level}");
    }
}

#[tokio::test]
async fn s7_a_reader_of_the_log_that_went_away_does_not_take_the_proxy_along() {
    let outside = Outside::with(Script::new()).await;
    let mut serving = outside.program("").ready().await;
    serving.stop_reading().await;
    for _ in 0..50 {
        assert_eq!(serving.chat(&json!({"messages": []})).await.status(), 200);
    }
    assert!(serving.runs());
    serving.signal("TERM");
    assert_eq!(serving.ended().await.code(), Some(0));
}

#[tokio::test]
async fn s7_s8_a_reader_of_the_log_that_is_stuck_holds_up_neither_answers_nor_the_end() {
    let outside = Outside::with(Script::new()).await;
    let stuck = std::sync::Mutex::new(Vec::new());
    let program = || {
        let (reader, writer) = std::io::pipe().unwrap();
        stuck.lock().unwrap().push(reader);
        outside.program("").stdout(writer)
    };
    let mut serving = Serving::quiet(program).await;
    let client = Serving::client();
    // More lines than a pipe holds.
    for _ in 0..500 {
        let url = format!("http://{}/v1/chat/completions", serving.address);
        let request = client.post(url).bearer_auth(PROXY_KEY);
        let answer = request.body(r#"{"messages":[]}"#).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let begun = std::time::Instant::now();
    serving.signal("TERM");
    assert_eq!(serving.ended().await.code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(8));
}

/// What an upstream may do with the key that it was sent, and with a prompt.
fn echoes() -> Vec<Step> {
    let text = format!(
        "no: Bearer {UPSTREAM_KEY} said {PROMPT}\n\"quoted\" \u{1b}[31m {{\"event\":\"forged\"}}"
    );
    let error = |code: u16| json!({"error": {"message": text, "code": code, "metadata": {"raw": text}}, "user_id": UPSTREAM_KEY});
    let mut steps: Vec<_> = [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503]
        .into_iter()
        .flat_map(|status| {
            let headers = [("X-Echo", UPSTREAM_KEY), ("Retry-After", "7")];
            [
                Step::status(status, &headers, error(status)),
                Step::status(status, &headers, text.clone()),
            ]
        })
        .collect();
    let mut broken = Stream::new(StreamFault::Error, 2);
    broken.error = Some(error(502)["error"].clone());
    broken.answer = Answer::text(ANSWER.repeat(5));
    let chatty = Answer {
        headers: vec![("X-Echo".to_owned(), UPSTREAM_KEY.to_owned())],
        ..Answer::text(format!("{ANSWER} {UPSTREAM_KEY} {ANSWER}"))
    };
    let chatty_at_once = Answer {
        chunks: 1,
        ..chatty.clone()
    };
    steps.extend([
        Step::status(200, &[], error(400)),
        Step::status(200, &[], error(429)),
        Step::status(200, &[], text.clone()),
        Step::from(broken),
        Step::from(chatty),
        Step::from(chatty_at_once),
        Step::stream(StreamFault::Garbage, 1),
    ]);
    steps
}

/// Reads the list now; returns the answers.
async fn refresh(serving: &Serving) -> String {
    let url = format!("http://{}/admin/refresh", serving.address);
    let request = Serving::client().post(url).bearer_auth(PROXY_KEY);
    request.send().await.unwrap().text().await.unwrap()
}

/// Requests that should never have been sent; returns the answers.
async fn mischief(serving: &Serving) -> String {
    let url = format!(
        "http://{}/v1/chat/completions?key={WRONG_KEY}&prompt={PROMPT}",
        serving.address
    );
    let post = |body: String| Serving::client().post(&url).body(body);
    let mut answers = String::new();
    let wrong = post(PROMPT.to_owned()).bearer_auth(WRONG_KEY);
    let garbage = post(format!("{{\"messages\":[\"{PROMPT}")).bearer_auth(PROXY_KEY);
    let named = json!({"messages": [], "model": PROMPT, "seed": 1, "x": UPSTREAM_KEY}).to_string();
    for request in [wrong, garbage, post(named).bearer_auth(PROXY_KEY)] {
        answers += &request.send().await.unwrap().text().await.unwrap();
    }
    let mut socket = TcpStream::connect(serving.address).await.unwrap();
    let nonsense = format!("{PROMPT} {WRONG_KEY}\r\nAuthorization: Bearer {PROXY_KEY}\r\n\r\n");
    socket.write_all(nonsense.as_bytes()).await.unwrap();
    let gives_up = post(json!({"messages": [PROMPT], "stream": true}).to_string());
    let gives_up = gives_up
        .bearer_auth(PROXY_KEY)
        .timeout(Duration::from_micros(300));
    drop(gives_up.send().await);
    answers
}

#[tokio::test]
async fn s13_a_short_key_that_others_can_try_is_reported_at_start() {
    #[rustfmt::skip]
    let rows = [
        // HOST        PROXY_API_KEY       told
        ("0.0.0.0",    "7",                true),
        ("0.0.0.0",    "0123456789abcdef", false),
        ("127.0.0.1",  "7",                false),
    ];
    for (host, key, expected) in rows {
        let outside = Outside::with(Script::new()).await;
        let program = outside
            .program("")
            .env("HOST", host)
            .env("PROXY_API_KEY", key);
        let serving = program.ready().await;
        let lines = serving.stdout.all();
        let told = lines.iter().find(|line| line.contains("\"short_key\""));
        assert_eq!(told.is_some(), expected, "{host} {key}: {lines:#?}");
        if let Some(told) = told {
            assert!(
                told.contains("\"WARNING\"") && told.contains("\"characters\":1"),
                "{told}"
            );
        }
    }
}
