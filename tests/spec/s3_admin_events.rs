//! `GET /admin/events`.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use simulator::{Failure, Step};

use crate::rig::{Rig, abc};
use crate::scripts::plenty;

/// A listener's connection.
struct Listening {
    body: Incoming,
    text: String,
}

impl Listening {
    async fn to(rig: &Rig) -> Self {
        let response = rig.open("GET", "/admin/events", &[], "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (_, body) = response.into_parts();
        let text = String::new();
        Self { body, text }
    }

    /// The next event or comment, as received; `None` at the end.
    async fn raw(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.to_owned();
                self.text = rest.to_owned();
                return Some(event);
            }
            let data: Bytes = self.body.frame().await?.unwrap().into_data().unwrap();
            self.text += std::str::from_utf8(&data).unwrap();
        }
    }

    /// The next event: its name and its data.
    async fn next(&mut self) -> (String, Value) {
        let raw = self.raw().await.unwrap();
        let (name, data) = raw.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap().to_owned();
        let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        (name, data)
    }

    /// The next event with that name.
    async fn find(&mut self, name: &str) -> Value {
        loop {
            let (found, data) = self.next().await;
            if found == name {
                return data;
            }
        }
    }
}

#[tokio::test]
async fn s3_attempts_and_requests_are_reported_as_they_happen() {
    let script = abc().model("a:free", Step::status(429, &[("Retry-After", "60")], "no"));
    let rig = Rig::start(script).await;
    let mut listening = Listening::to(&rig).await;
    let (name, hello) = listening.next().await;
    assert_eq!(
        (name.as_str(), &hello["version"]),
        ("hello", &json!(env!("CARGO_PKG_VERSION")))
    );
    let answer = rig.chat(&Rig::hello_stream()).await;
    let id = answer.header("x-request-id");
    let first = listening.find("attempt").await;
    let told = (
        &first["model"],
        &first["outcome"],
        &first["status"],
        &first["number"],
    );
    assert_eq!(
        told,
        (
            &json!("a:free"),
            &json!("rate_limited"),
            &json!(429),
            &json!(1)
        )
    );
    assert_eq!(first["request_id"], id);
    assert!(first["cooldown_until"].is_string());
    let second = listening.find("attempt").await;
    let told = (&second["model"], &second["outcome"], &second["number"]);
    assert_eq!(told, (&json!("b:free"), &json!("success"), &json!(2)));
    let request = listening.find("request").await;
    assert_eq!(
        (&request["request_id"], &request["outcome"]),
        (&json!(id), &json!("answered"))
    );
    assert_eq!(request, rig.get("/admin/state").await.json()["requests"][0]);
    rig.post("/admin/clear", &json!({"all": true})).await;
    listening.find("changed").await;
}

/// The page shows the rest of either before it has read the state again.
#[tokio::test]
async fn s3_an_attempt_says_whose_rest_it_led_to() {
    #[rustfmt::skip]
    let rows = [
        // what the upstream answers                            of the account
        (Step::status(429, &[("Retry-After", "60")], "no"),     false),
        (Failure::DailyLimit.into(),                            true),
        (Failure::UserNotFound.into(),                          true),
    ];
    for (step, of_account) in rows {
        let rig = Rig::start(abc().model("a:free", step)).await;
        let mut listening = Listening::to(&rig).await;
        rig.chat(&Rig::hello()).await;
        let attempt = listening.find("attempt").await;
        assert!(attempt["cooldown_until"].is_string(), "{attempt}");
        assert_eq!(attempt["of_account"] == true, of_account, "{attempt}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_a_comment_comes_while_nothing_happens() {
    let rig = Rig::paused(abc(), &[]).await;
    let mut listening = Listening::to(&rig).await;
    listening.next().await;
    let start = tokio::time::Instant::now();
    for beat in 1..=10 {
        let comment = listening.raw().await.unwrap();
        assert!(comment.starts_with(':'), "{comment}");
        assert_eq!(start.elapsed().as_secs(), 15 * beat);
    }
}

#[tokio::test(start_paused = true)]
async fn s3_a_slow_reader_slows_down_nothing_and_learns_what_it_lost() {
    let rig = Rig::paused(abc().key(plenty()), &[]).await;
    let mut listening = Listening::to(&rig).await;
    listening.next().await;
    let many = 2_000;
    for _ in 0..many {
        assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    }
    let (mut heard, mut lost) = (0, 0);
    while heard + lost < 2 * many {
        match listening.next().await {
            (name, data) if name == "lost" => lost += data["count"].as_u64().unwrap(),
            _ => heard += 1,
        }
    }
    assert!(lost > 0 && heard > 256, "{heard} {lost}");
    assert_eq!(heard + lost, 2 * many);
}

#[tokio::test]
async fn s3_the_stream_ends_when_the_proxy_drains() {
    let rig = Rig::start(abc()).await;
    let mut listening = Listening::to(&rig).await;
    listening.next().await;
    rig.stop();
    // Long before DRAIN_TIMEOUT_SEC.
    let end = tokio::time::timeout(Duration::from_secs(5), listening.raw());
    assert_eq!(end.await.unwrap(), None);
}

#[tokio::test]
async fn s3_sixteen_may_listen_and_one_that_leaves_makes_room() {
    let rig = Rig::start(abc()).await;
    let mut all = Vec::new();
    for _ in 0..16 {
        let mut listening = Listening::to(&rig).await;
        listening.next().await;
        all.push(listening);
    }
    let answer = rig.get("/admin/events").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "too_many_listeners")
    );
    all.clear();
    loop {
        let answer = rig.open("GET", "/admin/events", &[], "").await;
        if answer.status() == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
