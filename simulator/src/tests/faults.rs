//! Faults that a script asks for.

use std::collections::HashSet;

use super::*;

#[tokio::test(start_paused = true)]
async fn every_recorded_failure_has_its_status_and_body() {
    let mut bodies = HashSet::new();
    for failure in Failure::ALL {
        let simulator = Simulator::new(Script::new().model(MODEL, Step::failure(*failure)));
        let (status, head, body) = ask(&simulator, &chat(false)).await;
        let row = failure.row();
        assert_eq!(status, row.status, "{failure:?}");
        assert!(
            !body.contains('%') && !head.contains('%'),
            "{failure:?}: {head}{body}"
        );
        assert!(head.contains("chunked"), "{failure:?}");
        assert!(
            bodies.insert((head, body.clone())),
            "{failure:?} is there twice"
        );
        let broken = matches!(
            failure,
            Failure::OkEmpty | Failure::OkBlank | Failure::OkInvalidJson
        );
        if row.kind == failures::Kind::Json && !broken {
            let body: Value =
                serde_json::from_str(&body).unwrap_or_else(|e| panic!("{failure:?} {e}: {body}"));
            if let Some(code) = body["error"]["code"].as_u64().filter(|_| status != 200) {
                assert_eq!(code, u64::from(status), "{failure:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_gives_the_scripted_reset_or_else_the_next_one() {
    let told = Failed::from(Failure::DailyLimit).reset("1790985600000");
    let script = Script::new().model(
        MODEL,
        [Step::failure(told), Step::from(Failure::DailyLimit)],
    );
    let simulator = Simulator::new(script);
    let (_, head, body) = ask(&simulator, &chat(false)).await;
    assert!(
        head.contains("X-RateLimit-Reset: 1790985600000\r\n"),
        "{head}"
    );
    assert!(
        body.contains(r#""X-RateLimit-Reset":"1790985600000""#),
        "{body}"
    );
    let (_, _, body) = ask(&simulator, &chat(false)).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    let reset = body["error"]["metadata"]["headers"]["X-RateLimit-Reset"]
        .as_str()
        .unwrap();
    let reset: u64 = reset.parse().unwrap();
    let now = crate::clock::unix_seconds(crate::clock::Now::read().wall) * 1000;
    assert!(reset.is_multiple_of(86_400_000) && reset > now && reset <= now + 86_401_000);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_early_is_noticed_while_the_answer_waits_or_flows() {
    let steps = [
        Step::Stall(Point::BeforeHeaders),
        Step::Stall(Point::FirstEvent),
        Step::stream(StreamFault::Stall, 2),
        Step::stream(StreamFault::ContentForever, 0),
        Step::stream(StreamFault::EndlessEvent, 0),
    ];
    for step in steps {
        let simulator = Simulator::new(Script::new().model(MODEL, step.clone()));
        let mut tasks = JoinSet::new();
        let mut io = dial(&simulator, &mut tasks);
        io.write_all(chat(true).as_bytes()).await.unwrap();
        simulator
            .until(|simulator| !simulator.requests().is_empty())
            .await;
        assert!(!simulator.requests()[0].closed_early, "{step:?}");
        drop(io);
        simulator
            .until(|simulator| simulator.requests()[0].closed_early)
            .await;
        simulator.until(|simulator| simulator.open() == 0).await;
    }
}

#[tokio::test]
async fn over_tcp_a_reset_is_a_reset_and_a_close_is_a_close() {
    let script = Script::new().model(
        MODEL,
        [
            Step::Reset(Point::BeforeHeaders),
            Step::Close(Point::BeforeHeaders),
            Step::Reset(Point::AfterHeaders),
            Step::stream(StreamFault::Reset, 1),
        ],
    );
    let simulator = Simulator::new(script);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    let served = simulator.clone();
    tasks.spawn(async move { served.serve(listener).await });
    let mut endings = Vec::new();
    for _ in 0..4 {
        let mut io = TcpStream::connect(address).await.unwrap();
        io.write_all(chat(true).as_bytes()).await.unwrap();
        let mut all = Vec::new();
        endings.push(match io.read_to_end(&mut all).await {
            Ok(_) => "close",
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => "reset",
            Err(_) => "other",
        });
    }
    assert_eq!(endings, ["reset", "close", "reset", "reset"]);
    tasks.shutdown().await;
    assert_eq!(simulator.open(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_sends_its_content_and_then_nothing() {
    let simulator = Simulator::new(Script::new().model(MODEL, Step::stream(StreamFault::Stall, 2)));
    let mut tasks = JoinSet::new();
    let mut io = dial(&simulator, &mut tasks);
    io.write_all(chat(true).as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let waited = tokio::time::timeout(Duration::from_secs(3600), io.read_to_end(&mut all)).await;
    assert!(waited.is_err());
    assert_eq!(String::from_utf8(all).unwrap().matches("data: ").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_character_is_split_over_two_writes() {
    let mut stream = Stream::new(StreamFault::SplitCharacter, 0);
    stream.answer = Answer {
        chunks: 1,
        ..Answer::text("я")
    };
    let simulator = Simulator::new(Script::new().model(MODEL, Step::from(stream)));
    let mut tasks = JoinSet::new();
    let mut io = dial(&simulator, &mut tasks);
    io.write_all(chat(true).as_bytes()).await.unwrap();
    let mut first = vec![0; 4096];
    let mut whole = Vec::new();
    let mut ends_inside = false;
    while !whole.ends_with(b"0\r\n\r\n") {
        let read = io.read(&mut first).await.unwrap();
        whole.extend_from_slice(&first[..read]);
        ends_inside |= whole.ends_with(b"\xd1\r\n");
    }
    assert!(ends_inside);
}

#[tokio::test(start_paused = true)]
async fn a_connection_can_die_on_its_second_request() {
    let simulator = Simulator::new(Script::new().connections(Greeting::DieAfter(1)));
    let mut tasks = JoinSet::new();
    let mut io = dial(&simulator, &mut tasks);
    io.write_all(chat(false).as_bytes()).await.unwrap();
    assert_eq!(answer(&mut io).await.0, 200);
    io.write_all(chat(false).as_bytes()).await.unwrap();
    assert_eq!(io.read(&mut [0; 10]).await.unwrap(), 0);
    assert_eq!(simulator.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_stream_fault_looks_as_it_should() {
    #[rustfmt::skip]
    let rows = [
        (StreamFault::Error,            "whole 3"),
        (StreamFault::ErrorDone,        "whole 4 done"),
        (StreamFault::CommentsThenEnd,  "whole 0"),
        (StreamFault::CommentsForever,  "endless"),
        (StreamFault::EmptyDeltasForever, "endless"),
        (StreamFault::ContentForever,   "endless"),
        (StreamFault::Stall,            "silent 2"),
        (StreamFault::Cut,              "whole 2"),
        (StreamFault::Close,            "closed 2"),
        (StreamFault::Reset,            "closed 2"),
        (StreamFault::HalfEvent,        "closed 3"),
        (StreamFault::HalfEventEnd,     "whole 3"),
        (StreamFault::NoDone,           "whole 7 stop"),
        (StreamFault::NoFinish,         "whole 6 done"),
        (StreamFault::DoneOnly,         "whole 1 done"),
        (StreamFault::FinishOnly,       "whole 3 stop done"),
        (StreamFault::FinishError,      "whole 4 done"),
        (StreamFault::ContentAfterDone, "whole 9 stop done"),
        (StreamFault::Garbage,          "whole 9 stop done"),
        (StreamFault::InvalidUtf8,      "whole 9 stop done"),
        (StreamFault::Crlf,             "whole 8 stop done"),
        (StreamFault::NoSpace,          "whole 8 stop done"),
        (StreamFault::Fields,           "whole 8 stop done"),
        (StreamFault::SplitCharacter,   "whole 8 stop done"),
        (StreamFault::SplitBytes,       "whole"),
        (StreamFault::BigEvent,         "whole 9 stop done"),
        (StreamFault::EndlessEvent,     "endless"),
        (StreamFault::Empty,            "whole 0"),
        (StreamFault::Plain,            "whole 0 stop"),
        (StreamFault::Html,             "whole 0"),
        (StreamFault::BadChunk,         "closed 3"),
        (StreamFault::ShortChunk,       "closed 3"),
        (StreamFault::Http10,           "closed 8 stop done"),
        (StreamFault::HugeHeader,       "whole 8 stop done"),
    ];
    assert_eq!(rows.map(|(fault, _)| fault).as_slice(), StreamFault::ALL);
    for (fault, expected) in rows {
        let stream = Stream {
            bytes: 100_000,
            ..Stream::new(fault, 2)
        };
        let simulator = Simulator::new(Script::new().model(MODEL, Step::from(stream)));
        let outline = outline(&simulator).await;
        assert!(outline.starts_with(expected), "{fault:?}: {outline}");
    }
}
/// An outline of an answer: how it ended, how many events it had, and whether `[DONE]` and a finish
/// reason were among them.
async fn outline(simulator: &Simulator) -> String {
    let mut tasks = JoinSet::new();
    let mut io = dial(simulator, &mut tasks);
    io.write_all(chat(true).as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let ended = loop {
        let mut room = vec![0; 64 * 1024];
        let read = io.read(&mut room);
        match tokio::time::timeout(Duration::from_secs(10), read).await {
            Ok(Ok(0)) => break "closed",
            Ok(Ok(_)) if all.len() > 256 * 1024 => break "endless",
            Ok(Ok(read)) => all.extend_from_slice(&room[..read]),
            Ok(Err(_)) => break "failed",
            Err(_) if all.ends_with(b"\r\n0\r\n\r\n") => break "whole",
            Err(_) => break "silent",
        }
    };
    let text = String::from_utf8_lossy(&all).replace(['\r', '\n'], "");
    let done = if text.contains("[DONE]") { " done" } else { "" };
    let finish = if text.contains(r#""finish_reason":"stop""#) {
        " stop"
    } else {
        ""
    };
    format!("{ended} {}{finish}{done}", text.matches("data:").count())
}
