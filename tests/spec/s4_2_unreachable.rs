//! §4.2, §10.4: a missing connection is not a model's fault.

use std::io::ErrorKind;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Answer as Said, Greeting, Plan, PlanEnd, Script, Step, Then};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::rig::{Answer, Rig, abc};
use crate::scripts::late;

/// No kept connection is this old.
const LONG: Duration = Duration::from_secs(100);

/// `a`, `b` and `c` at an upstream that keeps no connection open: each request needs a new one.
fn short_of_breath() -> Script {
    abc().connections(Greeting::CloseAfter(1))
}

#[tokio::test(start_paused = true)]
async fn s4_2_a_brief_loss_of_connection_costs_nothing() {
    const FOREVER: usize = usize::MAX;
    #[rustfmt::skip]
    let rows = [
        // connections that fail  status  after, ms
        (0,                       200,    0),
        (1,                       200,    100),
        (2,                       200,    300),
        (3,                       200,    700),
        (4,                       200,    1_500),
        (5,                       200,    3_000),
        (6,                       503,    3_000),
        (FOREVER,                 503,    3_000),
    ];
    let rig = Rig::paused(short_of_breath(), &[]).await;
    for (failing, status, ms) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let answer = asked_while(&rig, failing, ErrorKind::ConnectionRefused, &body, ms).await;
            assert_eq!(answer.status, status, "{failing}: {answer:?}");
            let attempts = if status == 200 { "a success" } else { "" };
            assert_eq!(rig.attempts(&answer), attempts, "{failing}");
            let counted = if status == 200 { "1" } else { "" };
            assert_eq!(answer.header("x-free-llm-proxy-attempts"), counted);
            if status == 503 {
                is_unreachable(&answer, "it refuses the connection");
            }
            let failures = failing.min(6);
            let told = &rig.line(&answer)["connect_failures"];
            if failures == 0 {
                assert!(told.is_null(), "{told}");
            } else {
                assert_eq!(*told, json!({"count": failures, "cause": "refused"}));
            }
            // Nothing rests, and the next request finds the first model awake.
            *rig.outage.lock().unwrap() = (0, ErrorKind::Other);
            rig.simulator.clear_requests();
            assert_eq!(rig.chat(&body).await.status, 200);
            assert_eq!(rig.asked(), "a", "{failing}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s10_4_causes_are_distinguished_and_retried_where_that_may_help() {
    #[rustfmt::skip]
    let rows = [
        // what fails                   cause        tries  the client reads
        (ErrorKind::ConnectionRefused,  "refused",   6,     "it refuses the connection"),
        (ErrorKind::ConnectionReset,    "reset",     6,     "the connection is reset while it opens"),
        (ErrorKind::NetworkUnreachable, "no_route",  6,     "there is no route to it"),
        (ErrorKind::AddrNotAvailable,   "no_socket", 6,     "the proxy's machine has no socket left"),
        (ErrorKind::PermissionDenied,   "other",     6,     "the connection cannot be opened"),
        (ErrorKind::TimedOut,           "timeout",   1,     "it does not connect in time"),
    ];
    let rig = Rig::paused(short_of_breath(), &[]).await;
    for (kind, cause, tries, words) in rows {
        let ms = if tries == 1 { 0 } else { 3_000 };
        let answer = asked_while(&rig, usize::MAX, kind, &Rig::hello(), ms).await;
        is_unreachable(&answer, words);
        let line = rig.line(&answer);
        assert_eq!(
            line["connect_failures"],
            json!({"count": tries, "cause": cause})
        );
        assert_eq!(
            (&line["event"], &line["level"]),
            (&json!("request_done"), &json!("WARNING"))
        );
        let told = rig.log.of("connect_failed");
        let last = told.last().unwrap();
        assert_eq!(
            (&last["level"], &last["cause"]),
            (&json!("DEBUG"), &json!(cause))
        );
        let series = format!("freellm_connect_failures_total{{cause=\"{cause}\"}}");
        assert_eq!(rig.metric(&series).await, Some(f64::from(tries)), "{cause}");
    }
    assert!(
        !rig.get("/metrics").await.text().contains("attempts_total{"),
        "none was one"
    );
}

#[tokio::test(start_paused = true)]
async fn s4_2_what_was_tried_before_the_connection_failed_is_reported() {
    let parting = "HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let steps = [
        Step::from(Said::text("well")),
        Step::raw(parting, Then::Close),
    ];
    let plan = Plan::from(steps).then(PlanEnd::Last);
    let rig = Rig::paused(abc().model("a:free", plan), &[]).await;
    // The one connection that there is goes to `a`.
    sleep(LONG).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    *rig.outage.lock().unwrap() = (usize::MAX, ErrorKind::ConnectionRefused);
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(rig.attempts(&answer), "a upstream_error 500");
    assert_eq!(answer.header("x-free-llm-proxy-attempts"), "1");
    let tried = answer.json()["error"]["attempts"].as_array().unwrap().len();
    assert_eq!(tried, 1);
    assert_eq!(rig.line(&answer)["connect_failures"]["count"], 6);
    let ready = rig.get("/ready").await.json();
    assert_eq!(ready["available"], 2, "b was never asked");
}

#[tokio::test(start_paused = true)]
async fn s4_2_nothing_is_tried_again_beyond_the_budget() {
    #[rustfmt::skip]
    let rows = [
        // REQUEST_BUDGET_SEC  tries  the answer, ms
        ("0.05",               1,     0),
        ("0.5",                3,     300),
        ("1",                  4,     700),
        ("120",                6,     3_000),
    ];
    for (budget, tries, ms) in rows {
        let rig = Rig::paused(short_of_breath(), &[("REQUEST_BUDGET_SEC", budget)]).await;
        let refused = ErrorKind::ConnectionRefused;
        let answer = asked_while(&rig, usize::MAX, refused, &Rig::hello(), ms).await;
        assert_eq!(
            rig.line(&answer)["connect_failures"]["count"],
            tries,
            "{budget}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s4_8_a_client_that_leaves_ends_the_tries() {
    let rig = Rig::paused(short_of_breath(), &[]).await;
    settled(&rig).await;
    *rig.outage.lock().unwrap() = (usize::MAX, ErrorKind::ConnectionRefused);
    let body = Rig::hello();
    assert!(
        timeout(Duration::from_millis(500), rig.chat(&body))
            .await
            .is_err()
    );
    let line = rig.logged("request_done").await;
    assert_eq!(
        (&line["status"], &line["attempts"]),
        (&json!(499), &json!([]))
    );
    assert_eq!(line["connect_failures"]["count"], 3);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(rig.log.of("connect_failed").len(), 3, "and nobody goes on");
}

#[tokio::test(start_paused = true)]
async fn s4_7_a_probe_that_does_not_get_there_proves_nothing() {
    let limited = Step::status(429, &[("Retry-After", "100")], "");
    let rig = Rig::paused(short_of_breath().model("a:free", limited), &[]).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    sleep(LONG + Duration::from_secs(1)).await;
    rig.simulator
        .set_model("a:free", late(429, &[("Retry-After", "5")], 1_000));
    *rig.outage.lock().unwrap() = (usize::MAX, ErrorKind::ConnectionRefused);
    assert_eq!(rig.chat(&Rig::hello()).await.status, 503);
    *rig.outage.lock().unwrap() = (0, ErrorKind::Other);
    rig.simulator.clear_requests();
    // One probes `a`, which still has to prove itself; no request waits for the probe that did not
    // happen.
    let (plain, stream) = (Rig::hello(), Rig::hello_stream());
    let (one, other) = tokio::join!(rig.chat(&plain), rig.chat(&stream));
    assert_eq!((one.status, other.status), (200, 200));
    let mut asked: Vec<_> = rig.simulator.models_asked();
    asked.sort();
    assert_eq!(asked, ["a:free", "b:free", "b:free"]);
}

#[tokio::test]
async fn s4_2_a_port_without_a_listener() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api/v1", closed.local_addr().unwrap());
    drop(closed);
    let settings = [
        ("UPSTREAM_BASE_URL", base.as_str()),
        ("REQUEST_BUDGET_SEC", "0.2"),
    ];
    let rig = Rig::with(abc(), &settings).await;
    for body in [Rig::hello(), Rig::hello_stream()] {
        let answer = rig.chat(&body).await;
        is_unreachable(&answer, "it refuses the connection");
        assert!(!answer.text().contains("127.0.0.1"), "no address goes out");
        nobody_rests(&rig).await;
    }
}

#[tokio::test]
async fn s4_2_a_name_that_has_no_address() {
    let settings = [
        ("UPSTREAM_BASE_URL", "http://upstream.test:81/api/v1"),
        ("REQUEST_BUDGET_SEC", "0.2"),
    ];
    let rig = Rig::cold_over(abc(), &settings, |connector| {
        connector.with_names(|name| match name.parse() {
            Ok(address) => vec![address],
            Err(_) => Vec::new(),
        })
    })
    .await;
    rig.logged("snapshot_refreshed").await;
    let answer = rig.chat(&Rig::hello()).await;
    is_unreachable(&answer, "its name has no address (DNS)");
    assert!(!answer.text().contains("upstream.test"), "nor a name");
    assert_eq!(rig.line(&answer)["connect_failures"]["cause"], "dns");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn s6_an_address_that_swallows_everything_costs_a_quarter_of_a_second() {
    let (hole, _queued) = black_hole("127.0.0.1:0").await;
    let listener = TcpListener::bind(("127.0.0.2", hole.port())).await.unwrap();
    let base = format!("http://upstream.test:{}/api/v1", hole.port());
    let settings = [("UPSTREAM_BASE_URL", base.as_str())];
    let rig = Rig::cold_over(abc(), &settings, |connector| {
        connector.with_names(|name| match name {
            "upstream.test" => vec![[127, 0, 0, 1].into(), [127, 0, 0, 2].into()],
            other => vec![other.parse().unwrap()],
        })
    })
    .await;
    let serving = rig.simulator.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { serving.serve(listener).await });
    rig.logged("snapshot_refreshed").await;
    // One of them finds a connection that was kept, at most.
    let (plain, stream) = (Rig::hello(), Rig::hello_stream());
    let start = Instant::now();
    let (one, other) = tokio::join!(rig.chat(&plain), rig.chat(&stream));
    assert_eq!((one.status, other.status), (200, 200));
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(250) && took < Duration::from_secs(5),
        "{took:?}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn s4_6_a_connection_that_never_opens_has_a_limit_of_its_own() {
    let (address, _queued) = black_hole("127.0.0.1:0").await;
    let base = format!("http://{address}/api/v1");
    // If the limit on an answer's head is no longer than that, it is still the connection's fault.
    for limit in ["CONNECT_TIMEOUT_SEC", "UPSTREAM_TIMEOUT_SEC"] {
        let settings = [("UPSTREAM_BASE_URL", base.as_str()), (limit, "0.2")];
        let rig = Rig::with(abc(), &settings).await;
        let start = Instant::now();
        let answer = rig.chat(&Rig::hello()).await;
        is_unreachable(&answer, "it does not connect in time");
        let told = &rig.line(&answer)["connect_failures"];
        assert_eq!(*told, json!({"count": 1, "cause": "timeout"}));
        assert!(start.elapsed() >= Duration::from_millis(200));
        nobody_rests(&rig).await;
    }
}

/// A listener that accepts no connection, its queue full: a further SYN gets no answer.
#[cfg(target_os = "linux")]
async fn black_hole(at: &str) -> (std::net::SocketAddr, impl Sized) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(at.parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    let connect = || tokio::net::TcpStream::connect(address);
    while let Ok(connected) = timeout(Duration::from_millis(200), connect()).await {
        queued.push(connected.unwrap());
        assert!(queued.len() < 1_000, "the queue of this system has no end");
    }
    (address, (listener, queued))
}

/// Waits until what is read beside the requests has been read.
async fn settled(rig: &Rig) {
    sleep(Duration::from_millis(100)).await;
    rig.simulator.until(|simulator| simulator.open() == 0).await;
}

/// Asks while this many new connections fail; the answer must take this long.
async fn asked_while(rig: &Rig, failing: usize, kind: ErrorKind, body: &Value, ms: u128) -> Answer {
    settled(rig).await;
    *rig.outage.lock().unwrap() = (failing, kind);
    let start = Instant::now();
    let answer = rig.chat(body).await;
    assert_eq!(start.elapsed().as_millis(), ms, "{failing} {kind:?}");
    answer
}

async fn nobody_rests(rig: &Rig) {
    let ready = rig.get("/ready").await.json();
    assert_eq!(ready["available"], ready["models"], "{ready}");
}

#[track_caller]
fn is_unreachable(answer: &Answer, words: &str) {
    answer.is_error(503, "all_models_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("x-free-llm-proxy-attempts"), "");
    let error = &answer.json()["error"];
    assert_eq!(error["attempts"], json!([]));
    let message = error["message"].as_str().unwrap();
    let start = format!("The proxy cannot reach its upstream: {words}. ");
    assert!(message.starts_with(&start), "{message}");
}
