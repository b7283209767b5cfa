//! A long day in a few seconds: many requests and many clients that leave, after which nothing has
//! grown.
//!
//! By default 4,000 requests and 400 disconnects, so that the suite stays quick: a leak of one
//! descriptor or task in some hundred requests, or of 2 KB in each, shows there too. The full size,
//! 20,000 and 2,000 (20 s in debug on two cores), is run by `DRILL_SOAK=full cargo test --test
//! drill -- --nocapture soak`.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use simulator::{Answer, Recording, Script, Step};
use tokio::task::JoinSet;

use crate::load::{Client, Costs, Program};

const PLAIN: &str = r#"{"messages":[{"role":"user","content":"Hello!"}]}"#;
const STREAMED: &str = r#"{"stream":true,"messages":[{"role":"user","content":"Hello!"}]}"#;
/// The model of the built-in list that streams slowly, for the clients that leave.
const SLOW: &str = r#"{"stream":true,"seed":1,"messages":[{"role":"user","content":"Go on."}]}"#;
const CHAT: &str = "/v1/chat/completions";

/// How many clients there are at once.
const CLIENTS: usize = 16;

fn size() -> (usize, usize) {
    match std::env::var_os("DRILL_SOAK") {
        Some(size) if size == "full" => (20_000, 2_000),
        _ => (4_000, 400),
    }
}

/// Every second request is a stream; all of them get complete answers.
async fn requests(program: &Program, count: usize) {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let address = program.address;
        clients.spawn(async move {
            let mut client = Client::to(address).await;
            for n in 0..count / CLIENTS {
                // From time to time a client reconnects.
                if n % 100 == 99 {
                    client = Client::to(address).await;
                }
                let body = if n % 2 == 0 { PLAIN } else { STREAMED };
                let (status, answer) = client.whole("POST", CHAT, body).await;
                assert_eq!(status, 200);
                let text = std::str::from_utf8(&answer).unwrap();
                let whole = n % 2 == 0 || text.ends_with("data: [DONE]\n\n");
                assert!(whole && !text.contains(r#""error""#), "{text}");
            }
        });
    }
    clients.join_all().await;
}

/// Clients that leave in the middle of a stream that would go on for minutes.
async fn disconnects(program: &Program, count: usize) {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let address = program.address;
        clients.spawn(async move {
            for _ in 0..count / CLIENTS {
                let mut client = Client::to(address).await;
                let answer = client.send("POST", CHAT, SLOW).await;
                assert_eq!(answer.status(), 200);
                let mut body = answer.into_body();
                let first = body.frame().await.expect("an event").unwrap();
                assert!(first.is_data());
                client.leave();
            }
        });
    }
    clients.join_all().await;
}

/// Both, and then until everything is idle.
async fn round(program: &Program, (count, leaving): (usize, usize)) -> Costs {
    let (count, leaving) = (count / CLIENTS * CLIENTS, leaving / CLIENTS * CLIENTS);
    let (done, left) = (
        program.told.done(),
        program.told.left.load(Ordering::SeqCst),
    );
    requests(program, count).await;
    disconnects(program, leaving).await;
    program
        .settles("one line each", |p| p.told.done() == done + count + leaving)
        .await;
    let now_left = program.told.left.load(Ordering::SeqCst);
    assert_eq!(now_left, left + leaving, "who left is told as such");
    // What clients and disconnects held has been released.
    program
        .settles("descriptors", |p| {
            let costs = p.costs();
            costs.descriptors <= costs.upstream + 32 && costs.upstream <= 2 * CLIENTS
        })
        .await;
    program.costs()
}

fn script() -> Script {
    // Only one model has a `seed`: it streams for minutes.
    let mut list = simulator::list_of(&["quick:free", "slow:free"]);
    list["models"][0]["supportsSeed"] = false.into();
    let slow = Answer {
        chunks: 1000,
        delay_ms: 200,
        ..Answer::text("on and on ".repeat(1000))
    };
    Script::new()
        .list(Step::status(200, &[], list))
        .model("quick:free", Step::ok("Hello to you."))
        .model("slow:free", Step::from(slow))
        .record(Recording::Off)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_nothing_grows() {
    let program = Program::start(script(), &[]).await;
    let (count, leaving) = size();
    let begun = Instant::now();
    // Allocator, pools and threads reach their size in a smaller round of the same shape.
    round(&program, (count / 4, leaving / 4)).await;
    let before = round(&program, (count / 4, leaving / 4)).await;
    let after = round(&program, (count, leaving)).await;
    println!(
        "\n{count} requests, {leaving} disconnects, {:.1?}\nbefore {before:?}\nafter  {after:?}\n",
        begun.elapsed()
    );
    assert!(
        after.memory <= before.memory + 8 * 1024,
        "{before:?} {after:?}"
    );
    assert!(
        after.descriptors <= before.descriptors + 5,
        "{before:?} {after:?}"
    );
    // One thread more reads the files of the settings, and is gone at times.
    assert!(after.threads <= before.threads + 1, "{before:?} {after:?}");
    assert!(
        after.upstream <= before.upstream + 5,
        "{before:?} {after:?}"
    );
    // A connection serves one request after another; only an abandoned stream costs its own.
    let dialled = usize::try_from(after.dialled - before.dialled).unwrap();
    assert!(dialled <= leaving + CLIENTS, "{before:?} {after:?}");
    let bad = program.told.bad.lock().unwrap();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_a_refresh_under_load_loses_nothing() {
    let program = Program::start(script(), &[]).await;
    let (count, _) = size();
    let count = count / 4 / CLIENTS * CLIENTS;
    let before = program.told.refreshed.load(Ordering::SeqCst);
    let mut refreshes = 0;
    let load = requests(&program, count);
    let mut client = program.client().await;
    let refreshing = async {
        loop {
            let (status, body) = client.whole("POST", "/admin/refresh", "").await;
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((status, &body["models"]), (200, &2.into()));
            refreshes += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        () = load => {}
        () = refreshing => {}
    }
    println!("\n{count} requests during {refreshes} refreshes\n");
    assert!(refreshes > 3, "{refreshes}");
    program
        .settles("a line each", |p| {
            p.told.done() == count && p.told.refreshed.load(Ordering::SeqCst) >= before + refreshes
        })
        .await;
    let bad = program.told.bad.lock().unwrap();
    assert!(bad.is_empty(), "{bad:#?}");
}
