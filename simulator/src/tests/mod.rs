//! The simulator over real sockets and over pipes with a paused clock.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

mod answers;
mod faults;
mod scripts;

const MODEL: &str = "vendor/model-x:free";

/// A connection to a simulator, as a pipe.
fn dial(simulator: &Simulator, tasks: &mut JoinSet<()>) -> DuplexStream {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let simulator = simulator.clone();
    tasks.spawn(async move { simulator.serve_connection(far).await });
    near
}

fn post(body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn chat(stream: bool) -> String {
    post(
        &json!({"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}),
    )
}

/// The status, the head and the unchunked body of the next answer.
async fn answer(io: &mut (impl tokio::io::AsyncRead + Unpin)) -> (u16, String, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = Vec::new();
    if let Some((_, length)) = head.split_once("Content-Length: ") {
        let length = length.split_once("\r\n").unwrap().0.parse().unwrap();
        body.resize(length, 0);
        io.read_exact(&mut body).await.unwrap();
        return (status, head, body);
    }
    if !head.contains("chunked") {
        io.read_to_end(&mut body).await.unwrap();
        return (status, head, body);
    }
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(io.read_u8().await.unwrap());
        }
        let size = usize::from_str_radix(str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        io.read_exact(&mut chunk).await.unwrap();
        if size == 0 {
            return (status, head, body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

async fn ask(simulator: &Simulator, request: &str) -> (u16, String, String) {
    let mut tasks = JoinSet::new();
    let mut io = dial(simulator, &mut tasks);
    io.write_all(request.as_bytes()).await.unwrap();
    let (status, head, body) = answer(&mut io).await;
    (status, head, String::from_utf8_lossy(&body).into_owned())
}

fn events(body: &str) -> Vec<String> {
    body.split("\n\n")
        .filter(|event| !event.is_empty())
        .map(str::to_owned)
        .collect()
}
