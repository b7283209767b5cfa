//! Promises 7 and 14: what happens when this machine has no socket left for the upstream.

use futures_util::future::join_all;
use serde_json::Value;
use simulator::{Answer, Script, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::program::PROXY_KEY;
use crate::upstream::Outside;

#[tokio::test]
async fn a_model_that_could_not_be_asked_for_want_of_a_socket_does_not_rest() {
    const CROWD: u64 = 40;
    let slow = Answer {
        headers_delay_ms: 300,
        ..Answer::text("late")
    };
    let outside = Outside::with(Script::new().others(Step::from(slow))).await;
    let serving = outside.program("").ready().await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut socket = TcpStream::connect(serving.address).await.unwrap();
        let health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
        socket.write_all(health.as_bytes()).await.unwrap();
        assert_ne!(socket.read(&mut [0; 4096]).await.unwrap(), 0);
        crowd.push(socket);
    }
    // Each has its connection; few will find one to the upstream.
    serving.allow_descriptors(CROWD + 25);
    let ask = async |mut socket: TcpStream| {
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: Bearer {PROXY_KEY}\r\nContent-Length: 15\r\n\r\n{{\"messages\":[]}}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        socket.read_to_string(&mut said).await.unwrap();
        said
    };
    let answers = join_all(crowd.into_iter().map(ask)).await;
    let ok = answers
        .iter()
        .filter(|a| a.starts_with("HTTP/1.1 200"))
        .count();
    assert!(ok > 0, "those with a socket are served: {answers:?}");
    let metrics = serving.get("/metrics").await.text().await.unwrap();
    let none = metrics
        .lines()
        .find_map(|line| line.strip_prefix("freellm_connect_failures_total{cause=\"no_socket\"} "))
        .unwrap();
    assert_ne!(none, "0", "some found none at first");
    for refused in answers.iter().filter(|a| a.starts_with("HTTP/1.1 5")) {
        let (_, body) = refused.split_once("\r\n\r\n").unwrap();
        let error = &serde_json::from_str::<Value>(body).unwrap()["error"];
        assert_eq!(error["code"], "all_models_unavailable");
        assert_eq!(error["attempts"], Value::Array(Vec::new()), "{error}");
    }
    let ready: Value = serving.get("/ready").await.json().await.unwrap();
    assert_eq!(ready["available"], ready["models"], "nobody rests: {ready}");
}
