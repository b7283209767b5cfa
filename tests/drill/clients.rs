//! What a client can do wrong, over real sockets, while all others are served as before.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http_body_util::BodyExt as _;
use simulator::{Answer, Recording, Script, Step, Stream, StreamFault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::load::{Client, LONG, Program, room};
use crate::rig::{Rig, abc};
use crate::scripts::in_bytes;
use crate::wire::{answers, chat_head, only, rest};

/// A proxy that does not wait long.
const HASTY: &[(&str, &str)] = &[
    ("HEADER_TIMEOUT_SEC", "1"),
    ("BODY_IDLE_TIMEOUT_SEC", "1"),
    ("IDLE_TIMEOUT_SEC", "2"),
];

/// A stream that continues until the client leaves.
fn endless() -> Script {
    let mut stream = Stream::new(StreamFault::ContentForever, 0);
    stream.answer.delay_ms = 20;
    abc().model("a:free", Step::from(stream))
}

async fn socket(rig: &Rig) -> TcpStream {
    TcpStream::connect(rig.address()).await.unwrap()
}

/// Reads until these bytes have arrived.
async fn until_said(socket: &mut TcpStream, wanted: &str) -> String {
    let mut said = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&said).contains(wanted) {
            assert!(socket.read_buf(&mut said).await.unwrap() > 0, "closed");
        }
    };
    timeout(LONG, reading).await.expect("it is said");
    String::from_utf8_lossy(&said).into_owned()
}

/// All others are served, nothing panicked.
async fn alive(rig: &Rig) {
    assert_eq!(rig.get("/health").await.status, 200);
    let panics = rig.log.of("handler_panicked");
    assert!(panics.is_empty(), "{panics:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_drip_a_head_or_stall_a_body_are_cut() {
    let rig = Rig::with(abc(), HASTY).await;
    let begun = Instant::now();
    let drip = |n: usize| {
        let rig = &rig;
        async move {
            let mut socket = socket(rig).await;
            let (mut reader, mut writer) = socket.split();
            let dripping = async {
                // One byte of a header after another, for ever.
                let begun = "GET /health HTTP/1.1\r\nHost: x\r\n".to_owned();
                if writer.write_all(begun.as_bytes()).await.is_err() {
                    return;
                }
                for byte in b"X-Drip: 1\r\n".iter().cycle() {
                    sleep(Duration::from_millis(50 + n as u64 % 10)).await;
                    if writer.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                }
            };
            let mut said = Vec::new();
            tokio::select! {
                () = dripping => { drop(reader.read_to_end(&mut said).await) }
                _ = reader.read_to_end(&mut said) => {}
            }
            said
        }
    };
    let stall = |begun: &'static str| {
        let rig = &rig;
        async move {
            let mut socket = socket(rig).await;
            let head = format!("{begun}\r\n");
            let body = if begun.starts_with('T') {
                "5\r\n{"
            } else {
                "{"
            };
            let sent = chat_head(&head) + body;
            socket.write_all(sent.as_bytes()).await.unwrap();
            rest(&mut socket).await
        }
    };
    let crowd = async {
        tokio::join!(
            join_all((0..100).map(drip)),
            join_all((0..50).map(|_| stall("Content-Length: 100"))),
            join_all((0..50).map(|_| stall("Transfer-Encoding: chunked"))),
        )
    };
    let watched = async {
        loop {
            alive(&rig).await;
            sleep(Duration::from_millis(50)).await;
        }
    };
    let (heads, sized, chunked) = tokio::select! {
        said = timeout(LONG, crowd) => said.expect("all of them are cut"),
        () = watched => unreachable!("it has no end"),
    };
    // A reset that overtakes the answer is a cut too; a client that got the answer got this one.
    let mut told = 0;
    for said in heads.iter().chain(&sized).chain(&chunked) {
        if !said.is_empty() {
            only(said).is_error(408, "request_timeout");
            told += 1;
        }
    }
    assert!(told >= 100, "{told}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(rig.asked(), "", "nothing went upstream");
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

#[tokio::test]
async fn clients_that_close_their_sending_half_are_no_harm() {
    let rig = Rig::with(abc(), HASTY).await;
    // In the middle of a request: nothing happens, or a 400.
    for begun in [
        "POST /v1/chat".to_owned(),
        chat_head(""),
        chat_head("Content-Length: 100\r\n") + "{\"mess",
        chat_head("Transfer-Encoding: chunked\r\n") + "5\r\n{\"me",
    ] {
        let mut socket = socket(&rig).await;
        socket.write_all(begun.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        let said = timeout(LONG, rest(&mut socket))
            .await
            .expect("it is closed");
        for answer in answers(&said) {
            assert_eq!(answer.status / 100, 4, "{answer:?}");
        }
    }
    assert_eq!(rig.asked(), "");
    // After a whole one: an answer, or what a client that left gets; nothing rests for it.
    for body in [Rig::hello(), Rig::hello_stream()] {
        let mut socket = socket(&rig).await;
        socket.write_all(in_bytes(&body).as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        let said = timeout(LONG, rest(&mut socket))
            .await
            .expect("it is closed");
        if let Some(answer) = answers(&said).first() {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    rig.simulator.clear_requests();
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(rig.asked(), "a");
    alive(&rig).await;
}

#[tokio::test]
async fn clients_that_reset_in_the_middle_of_a_body_cost_nothing_upstream() {
    let rig = Rig::with(abc(), HASTY).await;
    for lines in [
        "Content-Length: 100000\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        for _ in 0..50 {
            let mut socket = socket(&rig).await;
            let begun = chat_head(lines) + "5\r\n{\"mess";
            socket.write_all(begun.as_bytes()).await.unwrap();
            socket.set_zero_linger().unwrap();
        }
    }
    alive(&rig).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(rig.asked(), "a", "theirs never went upstream");
}

#[tokio::test]
async fn clients_that_reset_in_the_middle_of_a_stream_end_it_upstream() {
    let rig = Rig::with(endless(), &[]).await;
    for _ in 0..50 {
        let mut socket = socket(&rig).await;
        let sent = in_bytes(&Rig::hello_stream());
        socket.write_all(sent.as_bytes()).await.unwrap();
        until_said(&mut socket, "data: ").await;
        socket.set_zero_linger().unwrap();
    }
    let ended = rig.simulator.until(|simulator| {
        let seen = simulator.requests();
        let chats = seen.iter().filter(|seen| seen.model.is_some());
        chats.filter(|seen| seen.closed_early).count() == 50
    });
    timeout(Duration::from_secs(5), ended)
        .await
        .expect("the upstream is told at once");
    let told = async {
        while rig.log.of("request_done").len() < 50 {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LONG, told).await.expect("a line each");
    for line in rig.log.of("request_done") {
        assert_eq!(line["status"], 499, "{line}");
        let attempt = &line["attempts"][0];
        assert_eq!(attempt["outcome"], "client_disconnected", "{line}");
        assert!(attempt["cooldown_until"].is_null(), "{line}");
    }
    assert_eq!(rig.asked(), ["a"; 50].join(" "), "nobody rested for it");
    alive(&rig).await;
}

#[tokio::test]
async fn clients_that_pipeline_are_answered_in_order() {
    let rig = Rig::with(abc(), HASTY).await;
    let plain = in_bytes(&Rig::hello());
    let stream = in_bytes(&Rig::hello_stream());
    let health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let missing = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";
    let last = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let sent = [&plain, health, &stream, missing].concat().repeat(25) + last;
    let mut socket = socket(&rig).await;
    let (mut reader, mut writer) = socket.split();
    let talked = async { tokio::join!(writer.write_all(sent.as_bytes()), rest(&mut reader)).1 };
    let said = answers(&timeout(LONG, talked).await.expect("all are answered"));
    let told: Vec<_> = said.iter().map(|answer| answer.status).collect();
    assert_eq!(told, [[200, 200, 200, 401].repeat(25), vec![200]].concat());
    for round in said.chunks_exact(4) {
        assert_eq!(round[0].header("content-type"), "application/json");
        assert_eq!(round[1].json()["status"], "ok");
        assert!(round[2].text().ends_with("data: [DONE]\n\n"));
    }
    assert_eq!(rig.asked(), ["a"; 50].join(" "));
}

#[tokio::test]
async fn clients_that_smuggle_get_one_answer_and_a_closed_connection() {
    let rig = Rig::with(abc(), HASTY).await;
    let hidden = in_bytes(&Rig::hello());
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: x\r\n chunked\r\n",
        "Content-Length: 5\nTransfer-Encoding: chunked\r\n",
    ] {
        let mut socket = socket(&rig).await;
        let sent = chat_head(lines) + "0\r\n\r\n" + &hidden;
        socket.write_all(sent.as_bytes()).await.unwrap();
        let said = timeout(LONG, rest(&mut socket))
            .await
            .expect("it is closed");
        only(&said).is_error(400, "invalid_request");
        assert_eq!(rig.asked(), "", "{lines:?}");
    }
    alive(&rig).await;
}

/// How long `/health` takes on a connection that is open: the median of many.
async fn health(client: &mut Client) -> Duration {
    let mut took = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        let (status, _) = client.whole("GET", "/health", "").await;
        assert_eq!(status, 200);
        took.push(begun.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
    took.sort();
    took[took.len() / 2]
}

/// 1,000 idle connections and 500 streams, or as many as this process may open: the streams have
/// two ends in it. The program's own limit is raised before it starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_in_crowds_do_not_slow_health() {
    let say = Answer {
        chunks: 3_000,
        delay_ms: 100,
        ..Answer::text("on and on ".repeat(3_000))
    };
    let script = Script::new().others(Step::from(say)).record(Recording::Off);
    let program = Program::start(script, &[]).await;
    let share = room().min(2_000);
    let (idle, streams) = (share / 2, share / 4);
    let mut watcher = program.client().await;
    let before = health(&mut watcher).await;

    let mut crowd = Vec::new();
    for _ in 0..idle {
        crowd.push(TcpStream::connect(program.address).await.unwrap());
    }
    let with_idle = health(&mut watcher).await;
    let open = |_| async {
        let mut client = program.client().await;
        let body = r#"{"stream":true,"messages":[{"role":"user","content":"Go on."}]}"#;
        let answer = client.send("POST", "/v1/chat/completions", body).await;
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        assert!(body.frame().await.unwrap().unwrap().is_data());
        (client, body)
    };
    let mut talking = join_all((0..streams).map(open)).await;
    let with_both = health(&mut watcher).await;
    let mut newcomer = program.client().await;
    let fresh = health(&mut newcomer).await;
    // They all still flow.
    for (_, body) in &mut talking {
        let next = timeout(LONG, body.frame()).await.expect("it flows");
        assert!(next.unwrap().unwrap().is_data());
    }
    println!(
        "\n/health: {before:.1?} alone, {with_idle:.1?} beside {idle} idle connections, {with_both:.1?} beside \
         {streams} streams too ({fresh:.1?} for a newcomer); {:?}\n",
        program.costs()
    );
    for slow in [with_idle, with_both, fresh] {
        assert!(slow < before * 20 + Duration::from_millis(250), "{slow:?}");
    }
    // They leave, and everything they held is released.
    drop(crowd);
    for (client, _) in talking {
        client.leave();
    }
    program
        .settles("descriptors", |p| {
            p.costs().descriptors < 60 && p.simulator.open() < 20
        })
        .await;
    program
        .settles("a line each", |p| p.told.done() == streams)
        .await;
    let bad = program.told.bad.lock().unwrap();
    assert!(bad.is_empty(), "{bad:#?}");
}
