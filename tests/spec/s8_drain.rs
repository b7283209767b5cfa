//! §8: what is open when the proxy is told to stop (the rest is in `tests/binary/stopping.rs`).

use free_llm_proxy::simulator::Step;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::{PROXY_KEY, Rig, abc};

#[tokio::test]
async fn s8_an_answer_that_is_made_but_not_yet_taken_is_finished() {
    let text = "x".repeat(10 << 20);
    let rig = Rig::start(abc().others(Step::ok(text.as_str()))).await;
    let mut socket = TcpStream::connect(rig.address()).await.unwrap();
    let body = Rig::hello().to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {PROXY_KEY}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    // The first bytes are here, so the whole answer lies in the proxy and waits for its reader.
    let mut said = vec![0; 1024];
    socket.read_exact(&mut said).await.unwrap();
    rig.stop();
    while TcpStream::connect(rig.address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    socket.read_to_end(&mut said).await.unwrap();
    let whole = said.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let answer: serde_json::Value = serde_json::from_slice(&said[whole..]).unwrap();
    assert_eq!(
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .len(),
        text.len()
    );
}
