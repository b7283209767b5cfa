//! §6: how large a request's head may be, and how many connections.

use futures_util::future::join_all;
use simulator::Script;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::rig::{Rig, abc};
use crate::scripts::STALL;
use crate::wire::{chat_head, only, rest, say};

const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn s6_a_head_may_have_64_kilobytes_in_all() {
    const MAX: usize = 64 * 1024;
    let rig = Rig::start(Script::new()).await;
    let one_line = |size: usize| {
        let (front, back) = (
            "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ",
            "\r\n\r\n",
        );
        [front, &"x".repeat(size - front.len() - back.len()), back].concat()
    };
    let many_lines = |size: usize| {
        let mut head = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".to_owned();
        for n in 0..50 {
            head.push_str(&format!("X-{n}: {}\r\n", "y".repeat(1_000)));
        }
        let left = size - head.len() - 7;
        head + "X: " + &"z".repeat(left) + "\r\n\r\n"
    };
    let long_path = |size: usize| {
        let back = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        ["GET /health?", &"q".repeat(size - 12 - back.len()), back].concat()
    };
    let shapes: [(&str, &dyn Fn(usize) -> String); 3] = [
        ("one line", &one_line),
        ("many lines", &many_lines),
        ("a long path", &long_path),
    ];
    for (what, head) in shapes {
        for (size, status) in [(60_000, 200), (MAX, 200), (MAX + 1, 431), (390_000, 431)] {
            let answer = only(&say(socket(&rig).await, head(size).as_bytes()).await);
            assert_eq!(answer.status, status, "{what} of {size} bytes");
            if status == 431 {
                answer.is_error(431, "invalid_request");
                assert_eq!(answer.header("connection"), "close");
            }
        }
        // Nor is an unfinished one kept longer than that.
        let whole = head(390_000).into_bytes();
        only(&say(socket(&rig).await, &whole[..200_000]).await).is_error(431, "invalid_request");
    }
}

#[tokio::test]
async fn s6_beyond_the_limit_the_longest_idle_connection_is_closed() {
    let rig = Rig::with(Script::new(), &[("MAX_CONNECTIONS", "3")]).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(used(&rig).await);
    }
    // The first is used again, so the second is the longest idle.
    health(&mut open[0]).await;
    for longest in [1, 2, 0] {
        let fresh = used(&rig).await;
        let mut gone = std::mem::replace(&mut open[longest], fresh);
        assert_eq!(rest(&mut gone).await, b"", "closed without a word");
    }
    for socket in &mut open {
        health(socket).await;
    }
    assert_eq!(rig.log.of("connections_refused").len(), 0);
}

#[tokio::test]
async fn s6_if_none_is_idle_the_new_connection_gets_an_error_and_is_closed() {
    let body = Rig::hello().to_string();
    let busy = chat_head(&format!(
        "Connection: close\r\nContent-Length: {}\r\n",
        body.len()
    )) + &body;
    let half_a_body = chat_head("Content-Length: 100\r\n") + "{";
    #[rustfmt::skip]
    let rows = [
        ("answers under way", busy.as_str()),
        ("half a head",       "GET /health HTT"),
        ("half a body",       &half_a_body),
    ];
    for (what, sent) in rows {
        let rig = Rig::with(abc().others(STALL), &[("MAX_CONNECTIONS", "3")]).await;
        let mut full = Vec::new();
        for _ in 0..3 {
            // In the same write as a request that is answered: so it is there, and never idle.
            let mut socket = socket(&rig).await;
            let both = [HEALTH, sent.as_bytes()].concat();
            socket.write_all(&both).await.unwrap();
            is_ok(&mut socket).await;
            full.push(socket);
        }
        let crowd =
            join_all((0..5).map(|_| async { only(&say(socket(&rig).await, HEALTH).await) }));
        for refused in crowd.await {
            refused.is_error(503, "too_many_connections");
            assert_eq!(
                (refused.header("connection"), refused.header("retry-after")),
                ("close", "1"),
                "{what}"
            );
            assert_eq!(refused.header("access-control-allow-origin"), "*", "{what}");
        }
        assert_eq!(
            rig.log.of("connections_refused").len(),
            1,
            "{what}: told once a minute"
        );
        drop(full);
        let answer = loop {
            let said = say(
                socket(&rig).await,
                b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            )
            .await;
            let answer = only(&said);
            if answer.status == 200 {
                break answer;
            }
        };
        let refused = answer.text().lines().find_map(|line| {
            line.strip_prefix("freellm_connections_refused_total ")?
                .parse::<f64>()
                .ok()
        });
        assert!(refused.unwrap() >= 5.0, "{what}: {refused:?}");
    }
}

/// A connection on which a request has been answered.
async fn used(rig: &Rig) -> TcpStream {
    let mut socket = socket(rig).await;
    health(&mut socket).await;
    socket
}

async fn health(socket: &mut TcpStream) {
    socket.write_all(HEALTH).await.unwrap();
    is_ok(socket).await;
}

async fn is_ok(socket: &mut TcpStream) {
    let mut said = Vec::new();
    while !said.ends_with(b"\"ok\"}") {
        let byte = socket.read_u8().await.expect("it is open");
        said.push(byte);
    }
}

async fn socket(rig: &Rig) -> TcpStream {
    TcpStream::connect(rig.address()).await.unwrap()
}
