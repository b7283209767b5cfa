//! `health`: a probe for containers without a shell. It needs no keys.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Exit, say};
use crate::config::{Sources, listen_address, reachable};

const LIMIT: Duration = Duration::from_secs(3);

/// Asks the proxy that these settings describe, and prints what it answered.
pub async fn run(sources: &Sources) -> Exit {
    let peer = match listen_address(|name| sources.get(name)) {
        Ok(listener) => reachable(listener),
        Err(error) => {
            say::problem(error);
            return Exit::Settings;
        }
    };
    if peer.port() == 0 {
        return unhealthy(peer, "PORT is 0, so the port that was chosen is unknown");
    }
    match tokio::time::timeout(LIMIT, ask(peer)).await {
        Ok(Ok(200)) => {
            say::line(format_args!("healthy: http://{peer}/health answers 200"));
            Exit::Fine
        }
        Ok(Ok(status)) => unhealthy(peer, format_args!("answers {status}")),
        Ok(Err(error)) => unhealthy(peer, error),
        Err(_) => unhealthy(peer, format_args!("no answer in {} s", LIMIT.as_secs())),
    }
}

fn unhealthy(peer: SocketAddr, why: impl std::fmt::Display) -> Exit {
    say::problem(format_args!("not healthy: http://{peer}/health: {why}"));
    Exit::Fault
}

/// The status that `/health` answers with. A complete HTTP client would be overkill.
async fn ask(peer: SocketAddr) -> io::Result<u16> {
    let mut stream = TcpStream::connect(peer).await?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {peer}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut head).await?;
    let status = std::str::from_utf8(&head)
        .ok()
        .and_then(|head| head.strip_prefix("HTTP/1.1 "));
    status
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "what answers is not an HTTP server",
            )
        })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn s8_health_distinguishes_alive_from_unhealthy_foreign_and_gone() {
        #[rustfmt::skip]
        let rows: [(&str, Option<u16>); 5] = [
            ("HTTP/1.1 200 OK\r\n\r\n",                  Some(200)),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some(503)),
            ("SSH-2.0-OpenSSH_9.9\r\n",                  None),
            ("HTTP",                                     None),
            ("",                                         None),
        ];
        for (answer, expected) in rows {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let peer = listener.local_addr().unwrap();
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 256];
                let count = stream.read(&mut request).await.unwrap();
                assert!(request[..count].starts_with(b"GET /health HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            };
            let (status, ()) = tokio::join!(ask(peer), serve);
            assert_eq!(status.ok(), expected, "{answer:?}");
            drop(listener);
            assert!(ask(peer).await.is_err());
        }
    }
}
