//! §4.8: when the client leaves, the upstream request is dropped at once, nothing further is tried,
//! and no model is cooled down for it.

use std::time::Duration;

use simulator::{Point, Step, Stream, StreamFault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::rig::{Rig, abc};
use crate::scripts::{STALL, in_bytes};

/// Nothing times out while the client waits.
const PATIENT: &[(&str, &str)] = &[
    ("UPSTREAM_TIMEOUT_SEC", "600"),
    ("STREAM_KEEPALIVE_SEC", "25"),
];

#[tokio::test(start_paused = true)]
async fn s4_8_the_upstream_is_dropped_within_a_second_at_every_stage() {
    let stream = |fault, after, delay_ms| {
        let mut stream = Stream::new(fault, after);
        stream.answer.delay_ms = delay_ms;
        Step::from(stream)
    };
    let slow = Step::from(simulator::Answer {
        first_delay_ms: 500_000,
        ..simulator::Answer::text("late")
    });
    #[rustfmt::skip]
    let rows = [
        // the upstream                                   streamed  the client leaves after, s
        (STALL,                                           false,    1),
        (STALL,                                           true,     1),
        (Step::Stall(Point::MidHeaders),                  false,    1),
        (Step::Stall(Point::AfterHeaders),                false,    1),
        (Step::Stall(Point::AfterHeaders),                true,     1),
        (Step::Stall(Point::FirstEvent),                  false,    1),
        (Step::Stall(Point::FirstEvent),                  true,     1),
        (Step::Stall(Point::MidBody),                     false,    1),
        (slow.clone(),                                    false,    100),
        (slow,                                            true,     10),
        (stream(StreamFault::CommentsForever, 0, 0),      true,     10),
        (stream(StreamFault::Stall, 2, 0),                true,     10),
        (stream(StreamFault::ContentForever, 0, 100),     true,     10),
        // waiting aloud
        (STALL,                                           true,     30),
        (STALL,                                           true,     60),
        (stream(StreamFault::CommentsForever, 0, 0),      true,     40),
    ];
    for (step, streamed, seconds) in rows {
        for reads in [true, false] {
            let why = format!("{step:?} {streamed} {seconds} {reads}");
            let rig = Rig::paused(abc().model("a:free", step.clone()), PATIENT).await;
            let mut client = rig.pipe();
            client
                .write_all(request(streamed).as_bytes())
                .await
                .unwrap();
            let leave = Instant::now() + Duration::from_secs(seconds);
            if reads {
                let mut said = vec![0; 4096];
                while let Ok(Ok(read)) =
                    tokio::time::timeout_at(leave, client.read(&mut said)).await
                {
                    assert_ne!(read, 0, "{why}");
                }
            }
            tokio::time::sleep_until(leave).await;
            assert!(
                !rig.simulator.requests().last().unwrap().closed_early,
                "{why}"
            );
            drop(client);
            is_dropped(&rig, &why).await;
            nothing_else_happens(&rig, &why).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_8_a_client_that_stops_reading_and_leaves_is_noticed_too() {
    // More is sent than fits between upstream and client.
    let mut stream = Stream::new(StreamFault::ContentForever, 0);
    stream.answer.delay_ms = 1;
    let rig = Rig::paused(abc().model("a:free", Step::from(stream)), PATIENT).await;
    let mut client = rig.pipe();
    client.write_all(request(true).as_bytes()).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    drop(client);
    is_dropped(&rig, "full").await;
    nothing_else_happens(&rig, "full").await;
}

#[tokio::test(start_paused = true)]
async fn s4_8_a_client_that_had_sent_more_than_its_request_is_noticed_too() {
    // Some send a line end after the body; others the next request in advance.
    let next = request(false);
    for more in ["\r\n", "GET /health HTTP/1.1\r\n", &next] {
        let rig = Rig::paused(abc().model("a:free", STALL), PATIENT).await;
        let mut client = rig.pipe();
        client
            .write_all([&request(false), more].concat().as_bytes())
            .await
            .unwrap();
        sleep(Duration::from_secs(5)).await;
        drop(client);
        is_dropped(&rig, more).await;
    }
}

#[tokio::test(start_paused = true)]
async fn s4_8_a_client_that_keeps_writing_before_it_leaves_is_noticed_too() {
    let rig = Rig::paused(abc().model("a:free", STALL), PATIENT).await;
    let mut client = rig.pipe();
    client.write_all(request(false).as_bytes()).await.unwrap();
    for more in ["\r\n", "GET /hea", "lth HTTP/1.1\r\n"] {
        sleep(Duration::from_secs(1)).await;
        client.write_all(more.as_bytes()).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    drop(client);
    is_dropped(&rig, "behind three writes").await;
    nothing_else_happens(&rig, "behind three writes").await;
}

#[tokio::test(start_paused = true)]
async fn s4_8_a_client_that_leaves_in_the_middle_of_the_walk_ends_it() {
    let broken = Step::status(500, &[], "");
    let script = abc().model("a:free", broken).model("b:free", STALL);
    let rig = Rig::paused(script, PATIENT).await;
    let mut client = rig.pipe();
    client.write_all(request(false).as_bytes()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    drop(client);
    is_dropped(&rig, "b").await;
    sleep(Duration::from_secs(700)).await;
    assert_eq!(rig.asked(), "a b", "c is not tried for nobody");
    assert_eq!(
        Rig::trail(&rig.done()),
        ["a:free upstream_error", "b:free client_disconnected"]
    );
}

#[tokio::test]
async fn s4_8_over_real_sockets_it_is_so_too() {
    let mut endless = Stream::new(StreamFault::ContentForever, 0);
    endless.answer.delay_ms = 5;
    #[rustfmt::skip]
    let rows = [
        (STALL,                                  false),
        (STALL,                                  true),
        (Step::stream(StreamFault::Stall, 2),    true),
        (Step::from(endless),                    true),
    ];
    for (step, streamed) in rows {
        for is_reset in [false, true] {
            let rig = Rig::start(abc().model("a:free", step.clone())).await;
            let mut client = TcpStream::connect(rig.address()).await.unwrap();
            client
                .write_all(request(streamed).as_bytes())
                .await
                .unwrap();
            rig.simulator.until(|s| !s.models_asked().is_empty()).await;
            if streamed && step != STALL {
                assert_ne!(client.read(&mut [0; 4096]).await.unwrap(), 0);
            }
            if is_reset {
                client.set_zero_linger().unwrap();
            }
            let left = Instant::now();
            drop(client);
            let dropped = rig
                .simulator
                .until(|s| s.requests().last().is_some_and(|seen| seen.closed_early));
            timeout(Duration::from_secs(5), dropped).await.unwrap();
            assert!(left.elapsed() < Duration::from_secs(1), "{step:?}");
            let line = rig.logged("request_done").await;
            assert_eq!(
                (&line["status"], Rig::trail(&line)),
                (&499.into(), vec!["a:free client_disconnected".to_owned()])
            );
            rig.simulator.set_model("a:free", Step::fitting());
            rig.simulator.clear_requests();
            rig.chat(&Rig::hello()).await;
            assert_eq!(rig.asked(), "a", "it does not rest");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_8_a_client_that_leaves_after_its_answer_has_left_nothing_behind() {
    let rig = Rig::paused(abc(), &[]).await;
    for streamed in [false, true] {
        let mut client = rig.pipe();
        client
            .write_all(request(streamed).as_bytes())
            .await
            .unwrap();
        let mut said = Vec::new();
        while !ends_whole(&said, streamed) {
            assert_ne!(client.read_buf(&mut said).await.unwrap(), 0);
        }
        drop(client);
    }
    sleep(Duration::from_secs(5)).await;
    let lines = rig.log.of("request_done");
    assert_eq!(
        lines
            .iter()
            .map(|line| line["status"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [200, 200]
    );
    assert!(
        rig.simulator
            .requests()
            .iter()
            .all(|seen| seen.finished && !seen.closed_early)
    );
}

/// Waits until the upstream call has ended, for a second at most.
async fn is_dropped(rig: &Rig, why: &str) {
    let left = Instant::now();
    let dropped = rig
        .simulator
        .until(|s| s.requests().last().is_some_and(|seen| seen.closed_early));
    assert!(
        timeout(Duration::from_secs(600), dropped).await.is_ok(),
        "never dropped: {why}"
    );
    assert!(
        left.elapsed() <= Duration::from_secs(1),
        "{:?}: {why}",
        left.elapsed()
    );
}

/// Nothing more is tried, the line says who left, and nothing rests.
async fn nothing_else_happens(rig: &Rig, why: &str) {
    sleep(Duration::from_secs(700)).await;
    assert_eq!(rig.asked(), "a", "{why}");
    let line = rig.done();
    assert_eq!(
        (&line["status"], Rig::trail(&line)),
        (&499.into(), vec!["a:free client_disconnected".to_owned()]),
        "{why}"
    );
    assert_eq!(
        rig.metric("freellm_cooldown_models").await,
        Some(0.0),
        "{why}"
    );
    assert_eq!(rig.metric("freellm_open_streams").await, Some(0.0), "{why}");
}

/// A chat request in bytes.
fn request(streamed: bool) -> String {
    in_bytes(&if streamed {
        Rig::hello_stream()
    } else {
        Rig::hello()
    })
}

fn ends_whole(said: &[u8], streamed: bool) -> bool {
    if streamed {
        said.ends_with(b"0\r\n\r\n")
    } else {
        said.ends_with(b"}")
    }
}

#[tokio::test(start_paused = true)]
async fn s4_8_a_client_that_leaves_a_large_next_request_behind_is_noticed_too() {
    let rig = Rig::paused(
        abc().model("a:free", STALL),
        &[("UPSTREAM_TIMEOUT_SEC", "600")],
    )
    .await;
    let mut next = Rig::hello();
    next["user"] = "x".repeat(100_000).into();
    let sent = in_bytes(&Rig::hello()) + &in_bytes(&next);
    let mut client = rig.pipe();
    let write = client.write_all(sent.as_bytes());
    timeout(Duration::from_secs(5), write)
        .await
        .expect("it is read ahead")
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    drop(client);
    let dropped = rig
        .simulator
        .until(|s| s.requests().last().is_some_and(|seen| seen.closed_early));
    timeout(Duration::from_secs(1), dropped)
        .await
        .expect("noticed within a second");
}
