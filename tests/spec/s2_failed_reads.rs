//! §2: what happens after a failed read of the list, and to a proxy without any list.

use std::io::Write as _;
use std::time::Duration;

use crate::rig::{MODELS, Rig};
use crate::s2_list::{days, ids, listed, pass, reads};
use serde_json::json;
use simulator::{Greeting, Plan, PlanEnd, Point, Raw, RawPart, Script, Step, Then};
use tokio::net::TcpListener;

/// What no log line may quote.
const TEXT: &str = "WORDS-OF-THE-LIST";

#[tokio::test(start_paused = true)]
async fn s2_a_failed_read_is_logged_and_keeps_the_snapshot() {
    let text = |status, body: String| Step::status(status, &[("X-Words", TEXT)], body);
    let large = format!("{{\"models\":[{}]}}", format!("\"{TEXT}\",").repeat(2_000));
    #[rustfmt::skip]
    let rows = [
        // the read                                                                        type              after
        ("is closed",           Step::Close(Point::BeforeHeaders),                         "network",        0),
        ("is reset",            Step::Reset(Point::BeforeHeaders),                         "network",        0),
        ("breaks in the head",  Step::Close(Point::MidHeaders),                            "network",        0),
        ("breaks in the body",  Step::Close(Point::MidBody),                               "network",        0),
        ("is no HTTP",          Step::raw(format!("{TEXT}\r\n\r\n"), Then::Close),         "network",        0),
        ("is damaged gzip",     packed(TEXT.as_bytes()),                                   "network",        0),
        ("unpacks to too much", packed(&gzip(&vec![b' '; 10_000_000])),                    "network",        0),
        ("is too large",        text(200, large),                                          "network",        0),
        ("is a 500",            text(500, TEXT.to_owned()),                                "status",         0),
        ("is a 404",            text(404, TEXT.to_owned()),                                "status",         0),
        ("is a 304",            text(304, String::new()),                                  "status",         0),
        ("is a redirect",       Step::Redirect(format!("/elsewhere?{TEXT}")),              "status",         0),
        ("is a page",           text(200, format!("<html>{TEXT}</html>")),                 "invalid_json",   0),
        ("is half a document",  text(200, format!("{{\"models\":[\"{TEXT}\"")),            "invalid_json",   0),
        ("is empty",            text(200, String::new()),                                  "invalid_json",   0),
        ("is no object",        text(200, format!("[\"{TEXT}\"]")),                        "wrong_shape",    0),
        ("has no models",       text(200, format!("{{\"model\":\"{TEXT}\"}}")),            "wrong_shape",    0),
        ("has models of a sort", text(200, format!("{{\"models\":\"{TEXT}\"}}")),          "wrong_shape",    0),
        ("lists nothing",       text(200, "{\"models\":[]}".to_owned()),                   "no_usable_model", 0),
        ("lists nothing free",  text(200, format!("{{\"models\":[{{\"id\":\"{TEXT}\",\"rank\":1}}]}}")), "no_usable_model", 0),
        ("is never answered",   Step::Stall(Point::BeforeHeaders),                         "timeout",        15),
        ("stalls in the head",  Step::Stall(Point::MidHeaders),                            "timeout",        15),
        ("stalls in the body",  Step::Stall(Point::MidBody),                               "timeout",        15),
        ("comes in drops",      drops(),                                                   "timeout",        15),
    ];
    for (what, step, kind, after) in rows {
        let plan = Plan::from([Step::fitting(), step]).then(PlanEnd::Last);
        let settings = [("MODELS_REFRESH_SEC", "100"), ("MAX_LIST_BYTES", "20000")];
        let rig = Rig::paused(Script::new().list(plan), &settings).await;
        let before = rig.get("/ready").await.json();
        pass(99 + after).await;
        assert_eq!(
            rig.log.of("snapshot_refresh_failed").len(),
            0,
            "{what}: not yet"
        );
        pass(2).await;
        let lines = rig.log.of("snapshot_refresh_failed");
        assert_eq!(lines.len(), 1, "{what}");
        assert_eq!(
            (&lines[0]["level"], &lines[0]["type"]),
            (&json!("WARNING"), &json!(kind)),
            "{what}"
        );
        assert!(!lines[0]["error"].as_str().unwrap().is_empty(), "{what}");
        assert!(
            !rig.log.all().join("").contains(TEXT),
            "{what}: {:#?}",
            rig.log.all()
        );
        assert_eq!(rig.get("/ready").await.json(), before, "{what}");
        assert_eq!(ids(&rig).await, MODELS, "{what}");
        let paths = rig.simulator.requests();
        assert!(
            paths.iter().all(|seen| seen.path != "/elsewhere"),
            "{what}: it was followed"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s2_with_a_snapshot_a_failed_read_is_tried_again_after_a_minute_and_then_twice_that() {
    let plan = Plan::from([Step::fitting(), Step::status(500, &[], "")]).then(PlanEnd::Last);
    #[rustfmt::skip]
    let rows: [(&str, &[u64]); 3] = [
        // period    read at, seconds after the first
        ("3600",     &[0, 3600, 3660, 3780, 4020, 4500, 5460, 7380, 10980, 14580]),
        ("300",      &[0, 300, 360, 480, 720, 1020, 1320]),
        ("20",       &[0, 20, 40, 60, 80]),
    ];
    for (period, expected) in rows {
        let script = Script::new().list(plan.clone());
        let rig = Rig::paused(script, &[("MODELS_REFRESH_SEC", period)]).await;
        pass(expected.last().unwrap() + 1).await;
        assert_eq!(reads(&rig), expected, "every {period} s");
    }
}

#[tokio::test(start_paused = true)]
async fn s2_a_good_read_ends_the_retries() {
    let bad = || Step::status(500, &[], "");
    let plan = Plan::from([Step::fitting(), bad(), bad(), Step::fitting(), bad()]);
    let script = Script::new().list(plan.then(PlanEnd::Last));
    let rig = Rig::paused(script, &[("MODELS_REFRESH_SEC", "300")]).await;
    pass(841).await;
    assert_eq!(reads(&rig), [0, 300, 360, 480, 780, 840]);
}

#[tokio::test(start_paused = true)]
async fn s2_without_a_snapshot_the_process_is_up_and_the_read_is_retried_soon() {
    #[rustfmt::skip]
    let rows: [(&str, Step, &[u64]); 3] = [
        // each read         it meets                              read at
        ("fails at once",    Step::status(500, &[], ""),           &[0, 1, 3, 7, 15, 30, 45, 60]),
        ("breaks",           Step::Close(Point::MidBody),          &[0, 1, 3, 7, 15, 30, 45, 60]),
        ("takes its 15 s",   Step::Stall(Point::AfterHeaders),     &[0, 16, 33, 52, 75, 105]),
    ];
    for (what, step, expected) in rows {
        let rig = Rig::paused_cold(down(step), &[]);
        pass(expected.last().unwrap() + 1).await;
        assert_eq!(reads(&rig), expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn s2_without_a_snapshot_the_answer_is_not_ready() {
    let rig = Rig::paused_cold(down(Step::status(500, &[], "")), &[]);
    rig.logged("snapshot_refresh_failed").await;
    assert_eq!(rig.get("/health").await.status, 200);
    let ready = rig.get("/ready").await;
    assert_eq!(
        (ready.status, &ready.json()["status"]),
        (503, &json!("not_ready"))
    );
    assert!(ready.text().len() > 30, "it says why: {ready:?}");
    for body in [Rig::hello(), Rig::hello_stream()] {
        rig.chat(&body).await.is_error(503, "not_ready");
    }
    rig.get("/v1/models").await.is_error(503, "not_ready");
    rig.get("/api/v1/models").await.is_error(503, "not_ready");
    let metrics = rig.get("/metrics").await.text();
    assert!(
        !metrics.contains("freellm_snapshot_age_seconds "),
        "{metrics}"
    );
    assert_eq!(rig.simulator.models_asked(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn s2_a_list_that_was_down_at_start_is_found_again_in_seconds() {
    let rig = Rig::paused_cold(down(Step::Reset(Point::BeforeHeaders)), &[]);
    pass(600).await;
    assert_eq!(rig.get("/ready").await.status, 503);
    rig.simulator.set_list(Step::fitting());
    pass(15).await;
    assert_eq!(rig.get("/ready").await.status, 200);
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(ids(&rig).await, MODELS);
}

#[tokio::test(start_paused = true)]
async fn s2_never_is_a_good_snapshot_replaced_by_a_bad_one() {
    let plan = days(&[&["a", "b"]]);
    let bad = [
        listed(r#"{"models":[{"rank":1,"id":"not/free"}]}"#),
        listed("{}"),
        listed("null"),
        Step::Close(Point::MidBody),
    ];
    let plan = Plan::from([plan.steps, bad.into()].concat()).then(PlanEnd::Last);
    let rig = Rig::paused(Script::new().list(plan), &[("MODELS_REFRESH_SEC", "60")]).await;
    for _ in 0..6 {
        pass(60).await;
        assert_eq!(ids(&rig).await, ["a:free", "b:free"]);
        assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    }
    assert!(rig.log.of("snapshot_refresh_failed").len() >= 5);
}

#[tokio::test]
async fn s2_a_list_that_refuses_connections_is_one_more_failed_read() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/list", gone.local_addr().unwrap());
    drop(gone);
    let settings = [
        ("MODELS_LIST_URL", url.as_str()),
        ("CONNECT_TIMEOUT_SEC", "1"),
    ];
    let script = Script::new().catalogue(Step::status(500, &[], ""));
    let rig = Rig::cold(script, &settings).await;
    let line = rig.logged("snapshot_refresh_failed").await;
    assert_eq!(
        (&line["level"], &line["type"]),
        (&json!("WARNING"), &json!("network"))
    );
    rig.chat(&Rig::hello()).await.is_error(503, "not_ready");
}

#[tokio::test]
async fn s2_a_list_that_resets_connections_is_found_again() {
    let plan = Plan::from(Greeting::Reset).then(PlanEnd::Ok);
    let script = Script::new()
        .connections(plan)
        .catalogue(Step::status(500, &[], ""));
    let rig = Rig::with(script, &[]).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

/// Neither the list nor the catalogue is available.
fn down(step: Step) -> Script {
    Script::new().list(step.clone()).catalogue(step)
}

/// A 200 with this body, which claims to be compressed.
fn packed(body: &[u8]) -> Step {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let body = RawPart::Hex(body.to_vec().into());
    Step::Raw(Raw {
        send: vec![RawPart::Text(head), body],
        then: Then::Keep,
    })
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(plain).unwrap();
    packer.finish().unwrap()
}

/// A valid beginning, and then a blank a second.
fn drops() -> Step {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    let second = Duration::from_secs(1).as_millis() as u64;
    let drop = [RawPart::Text(" ".to_owned()), RawPart::SleepMs(second)];
    let drops = std::iter::repeat_n(drop, 60).flatten();
    Step::Raw(Raw {
        send: std::iter::once(RawPart::Text(head.to_owned()))
            .chain(drops)
            .collect(),
        then: Then::Close,
    })
}
