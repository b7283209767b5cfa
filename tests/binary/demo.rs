//! §8: `demo`, on a fresh machine with no key and no network.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::program::{LONG, Program, Serving};

#[tokio::test]
async fn s8_the_demo_prints_what_to_try_and_that_works() {
    let mut demo = Program::new("demo").env("PORT", "0").ready().await;
    let told = demo.stdout.all().join("\n");
    let address = demo.address.to_string();
    assert!(
        address.starts_with("127.0.0.1:"),
        "on this machine only: {address}"
    );
    assert!(told.contains(&format!("http://{address}/v1")), "{told}");
    assert!(told.contains(&format!("http://{address}/ui")), "{told}");
    assert!(told.contains("Key") && told.contains("demo-key"), "{told}");
    let answer = Curl::of(&told).run().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("\"content\"") && answer.contains("data: [DONE]"),
        "{answer}"
    );
    assert!(answer.contains("x-free-llm-proxy-model: "), "{answer}");
    demo.signal("INT");
    assert_eq!(demo.ended().await.code(), Some(0), "until Ctrl-C");
    assert_eq!(demo.stderr.all(), [""; 0]);
}

#[tokio::test]
async fn s8_the_demos_best_model_is_limited_at_times_and_the_log_shows_what_steps_in() {
    let demo = Program::new("demo").env("PORT", "0").ready().await;
    let told = demo.stdout.all().join("\n");
    let answers = (0..4).map(|_| async { Curl::of(&told).run().await });
    for answer in futures_util::future::join_all(answers).await {
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let outcomes = demo
        .stdout
        .find(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let attempts = line["attempts"]
                .as_array()
                .filter(|tried| tried.len() > 1)?;
            let outcomes = attempts.iter().map(|tried| tried["outcome"].clone());
            Some(outcomes.collect::<Vec<_>>())
        })
        .await;
    assert_eq!(outcomes.first(), Some(&Value::from("rate_limited")));
    assert_eq!(outcomes.last(), Some(&Value::from("success")));
}

#[tokio::test]
async fn s10_8_the_demos_accounts_run_out_and_the_next_takes_over() {
    let demo = Program::new("demo").env("PORT", "0").ready().await;
    let told = demo.stdout.all().join("\n");
    let mut served = Vec::new();
    for _ in 0..14 {
        let answer = Curl::of(&told).run().await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let mut headers = answer.lines();
        let model = headers.find_map(|line| line.strip_prefix("x-free-llm-proxy-model: "));
        let model = model.unwrap().trim_end();
        let provider = match model.split_once('/') {
            Some((provider @ ("groq" | "gemini"), _)) => provider,
            _ => "openrouter",
        };
        if served.last() != Some(&provider.to_owned()) {
            served.push(provider.to_owned());
        }
    }
    assert_eq!(served, ["openrouter", "groq", "gemini"]);
}

#[tokio::test]
async fn s10_8_the_demo_does_as_a_flag_says_about_its_providers() {
    let demo = Program::new("demo --providers openrouter").env("PORT", "0");
    let demo = demo.ready().await;
    demo.logged("snapshot_refreshed").await;
    let all = demo.stdout.all().join("\n");
    let accounts = all.matches("\"event\":\"account_found\"").count();
    assert_eq!(accounts, 1, "{all}");
    let ran = Program::new("demo --providers mistral").run().await;
    assert_eq!(ran.code, Some(2), "it is not simulated: {ran:?}");
}

#[tokio::test]
async fn s8_the_demo_uses_a_free_port_if_8080_is_taken_and_none_was_requested() {
    // If it cannot be had, something else has it, which is just as good.
    let _held = TcpListener::bind("127.0.0.1:8080").await;
    let demo = Program::new("demo").ready().await;
    assert_ne!(demo.address.port(), 8080);
    let told = demo.stdout.all().join("\n");
    assert!(
        told.contains(&format!("http://{}/v1", demo.address)),
        "{told}"
    );
    assert!(Curl::of(&told).run().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn s8_the_demo_obeys_its_address_settings() {
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let ran = Program::new("demo").env("PORT", &port).run().await;
    assert_eq!(ran.code, Some(1), "this port was asked for: {ran:?}");
    assert!(
        ran.stderr.contains(&port) && ran.stderr.contains("PORT"),
        "{ran:?}"
    );
    let everywhere = Program::new("demo --host 0.0.0.0 --port 0").ready().await;
    assert!(everywhere.address.ip().is_unspecified());
    let told = everywhere.stdout.all().join("\n");
    let port = everywhere.address.port();
    assert!(
        told.contains(&format!("http://127.0.0.1:{port}/v1")),
        "one that works: {told}"
    );
    assert!(Curl::of(&told).run().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn s8_the_demo_needs_nothing_and_uses_no_key_of_the_user() {
    let demo = Program::new("demo")
        .env("PORT", "0")
        .env("OPENROUTER_API_KEY", "sk-or-v1-the-users-own-key")
        .env("PROXY_API_KEY", "the-users-own-proxy-key")
        .env("MODELS_LIST_URL", "http://127.0.0.1:9/")
        .env("UPSTREAM_BASE_URL", "http://127.0.0.1:9/")
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("GROQ_API_KEY", "gsk_the-users-own-key")
        .env("GROQ_API_KEY_2", "gsk_the-users-own-key-2")
        .env("MISTRAL_API_KEY", "the-users-own-mistral-key")
        .env("PROVIDERS", "mistral")
        .env("TRAINING", "refuse")
        .env("LOCAL_BASE_URL", "http://127.0.0.1:9/v1")
        .env("CONFIG_FILE", "/the-users-own.toml")
        .env("LOG_LEVEL", "debug")
        .ready()
        .await;
    let told = demo.stdout.all().join("\n");
    assert!(Curl::of(&told).run().await.starts_with("HTTP/1.1 200"));
    let done = demo.logged("request_done").await;
    assert_eq!(done["status"], 200);
    let all = demo.stdout.all().join("\n");
    assert!(!all.contains("the-users-own"), "{all}");
    let accounts = all.matches("\"event\":\"account_found\"").count();
    assert_eq!(accounts, 3, "{all}");
    let ran = Program::new("demo").env("LOG_LEVEL", "loud").run().await;
    assert_eq!(ran.code, Some(2), "a wrong setting is still one: {ran:?}");
}

#[tokio::test]
async fn s8_the_demo_starts_at_once() {
    let begun = std::time::Instant::now();
    let demo = Program::new("demo").env("PORT", "0").ready().await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(Serving::get(&demo, "/ready").await.status(), 200);
}

/// The `curl` line that is printed.
struct Curl {
    host: String,
    path: String,
    headers: Vec<String>,
    body: String,
}

impl Curl {
    /// Parses it like a shell.
    fn of(told: &str) -> Self {
        let line = told.split("curl ").nth(1).expect("a curl line");
        let line = line.replace("\\\n", " ");
        let line = line.lines().next().unwrap();
        let quoted = |flag: &str, quote: char| -> Vec<String> {
            let start = format!("{flag} {quote}");
            let parts = line.split(&start).skip(1);
            parts
                .map(|part| part.split(quote).next().unwrap().to_owned())
                .collect()
        };
        let url = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("http://"));
        let (host, path) = url.unwrap().split_once('/').unwrap();
        Self {
            host: host.to_owned(),
            path: format!("/{path}"),
            headers: quoted("-H", '"'),
            body: quoted("-d", '\'').concat(),
        }
    }

    /// Does what it would do.
    async fn run(&self) -> String {
        let mut socket = TcpStream::connect(&self.host).await.unwrap();
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}\r\nContent-Length: {}\r\n\r\n{}",
            self.path,
            self.host,
            self.headers.join("\r\n"),
            self.body.len(),
            self.body,
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = tokio::time::timeout(LONG, socket.read_to_string(&mut answer)).await;
        read.expect("it ends").unwrap();
        answer
    }
}
