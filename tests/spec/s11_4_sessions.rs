//! §11.4: a session stays where its last answer came from, as long as that is not much dearer.

use std::time::Duration;

use futures_util::future::join;
use serde_json::{Value, json};
use simulator::{Answer as Said, Plan, PlanEnd, Step};
use tokio::time::sleep;

use crate::rig::{Rig, abc};

/// A proxy whose `a` took so many seconds to its first token once: at 6, a request of no session costs
/// less at `b`.
async fn rig(seconds: u64, routing: &str) -> Rig {
    let slow = Step::from(Said {
        first_delay_ms: seconds * 1000,
        ..Said::text("hello")
    });
    let script = abc().model("a:free", Plan::from([slow]).then(PlanEnd::Ok));
    Rig::paused(script, &[("ROUTING", routing)]).await
}

async fn asked(rig: &Rig, headers: &[(&str, &str)], body: &Value) -> String {
    let path = "/v1/chat/completions";
    let answer = rig.send("POST", path, headers, body.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    rig.asked()
}

/// A stream that says this first, with these fields.
fn says(text: &str, fields: Value) -> Value {
    let mut body = json!({"stream": true, "messages": [{"role": "user", "content": text}]});
    let fields = fields.as_object().cloned().unwrap_or_default();
    body.as_object_mut().unwrap().extend(fields);
    body
}

type Headers<'a> = &'a [(&'a str, &'a str)];
/// What is so, the headers and the body of the first request and of the second, and whom that asks.
type Row<'a> = (&'a str, Headers<'a>, Value, Headers<'a>, Value, &'a str);

#[tokio::test(start_paused = true)]
async fn s11_4_a_session_stays_with_who_gave_its_last_answer() {
    let long = "x".repeat(8_000);
    let header = "x-session-id";
    let none = || json!({});
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // what                  the first request                                  the second                                          asks
        ("a header",             &[(header, "1")], says("x", none()),               &[(header, "1")], says("y", none()),                "a"),
        ("another",              &[(header, "1")], says("x", none()),               &[(header, "2")], says("x", none()),                "b"),
        ("a long one",           &[(header, &long)], says("x", none()),             &[(header, &long)], says("y", none()),              "a"),
        ("one that is no text",  &[(header, "\u{ff}é")], says("x", none()),         &[(header, "\u{ff}é")], says("y", none()),          "a"),
        ("another such",         &[(header, "\u{ff}é")], says("x", none()),         &[(header, "\u{ff}è")], says("x", none()),          "b"),
        ("another header",       &[("session_id", "1")], says("x", none()),         &[("session-id", "1")], says("y", none()),          "a"),
        ("the first header",     &[(header, "1"), ("session-id", "2")], says("x", none()), &[("session-id", "2")], says("x", none()),   "b"),
        ("a field",              &[], says("x", json!({"prompt_cache_key": "1"})),  &[], says("y", json!({"prompt_cache_key": "1"})),   "a"),
        ("of it another value",  &[], says("x", json!({"prompt_cache_key": "1"})),  &[], says("x", json!({"prompt_cache_key": "2"})),   "b"),
        ("the opening",          &[], says("x", none()),                            &[], says("x", json!({"temperature": 1})),          "a"),
        ("another opening",      &[], says("x", none()),                            &[], says("y", none()),                             "b"),
    ];
    for (what, first, body, second, then, expected) in rows {
        let rig = rig(6, "balanced").await;
        assert_eq!(asked(&rig, first, body).await, "a", "{what}");
        assert_eq!(asked(&rig, second, then).await, *expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_4_at_each_door_the_session_is_told_by_what_the_client_sent_there() {
    let text = |text: &str| json!([{"role": "user", "content": text}]);
    let chat = |text_: &str| ("/v1/chat/completions", json!({"messages": text(text_)}));
    let responses = |text: &str| ("/v1/responses", json!({"input": text}));
    let messages = |text_: &str| {
        (
            "/v1/messages",
            json!({"max_tokens": 9, "messages": text(text_)}),
        )
    };
    let user = |id: &str| json!({"metadata": {"user_id": id}});
    let key = |id: &str| json!({"prompt_cache_key": id});
    #[rustfmt::skip]
    let rows = [
        // the first request                the second                           asks
        (messages("x"), user("1"),          messages("y"), user("1"),            "a"),
        (messages("x"), user("1"),          messages("x"), user("2"),            "b"),
        (messages("x"), user(" "),          messages("x"), user(""),             "a"),
        (messages("x"), json!({"session_id": "1", "metadata": {"user_id": "2"}}), messages("y"), json!({"session_id": "1"}), "a"),
        (responses("x"), user("1"),         responses("y"), user("1"),           "a"),
        (responses("x"), key("1"),          responses("y"), key("1"),            "a"),
        (responses("x"), key("1"),          responses("x"), key("2"),            "b"),
        (chat("x"), user("1"),              chat("y"), user("1"),                "a"),
        // It is the same session at whichever door.
        (messages("x"), user("1"),          chat("y"), user("1"),                "a"),
    ];
    for ((path, mut first), told, (then, mut second), told_then, expected) in rows {
        let rig = rig(6, "balanced").await;
        for (body, fields) in [(&mut first, &told), (&mut second, &told_then)] {
            let fields = fields.as_object().cloned().unwrap_or_default();
            body.as_object_mut().unwrap().extend(fields);
            body["stream"] = json!(true);
        }
        for (path, body, expected) in [(path, &first, "a"), (then, &second, expected)] {
            let answer = rig.send("POST", path, &[], body.to_string()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(rig.asked(), expected, "{first} {second}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_4_a_pin_is_no_veto_and_ends_after_ten_minutes() {
    let session = [("x-session-id", "1")];
    let body = says("x", json!({}));
    let rig = rig(0, "balanced").await;
    let fails = Step::status(429, &[("Retry-After", "1")], "");
    rig.anew(abc().model("a:free", Plan::from([fails]).then(PlanEnd::Ok)))
        .await;
    assert_eq!(asked(&rig, &session, &body).await, "a b");
    // `b` is where the session's cache is warm; a session without one there finds `a` well again.
    sleep(Duration::from_secs(60)).await;
    assert_eq!(asked(&rig, &session, &body).await, "b");
    assert_eq!(asked(&rig, &[("x-session-id", "2")], &body).await, "a");
    sleep(Duration::from_secs(601)).await;
    assert_eq!(asked(&rig, &session, &body).await, "a");
}

#[tokio::test(start_paused = true)]
async fn s11_4_one_session_for_everything_still_leaves_who_is_silent() {
    for (millis, expected) in [(3_000, "a a"), (4_500, "a b")] {
        let silent = Step::from(Said {
            first_delay_ms: 10_000,
            ..Said::text("hello")
        });
        let plan = Plan::from([Step::ok("hello"), silent]).then(PlanEnd::Ok);
        let rig = Rig::paused(abc().model("a:free", plan), &[("ROUTING", "balanced")]).await;
        let one = [("x-session-id", "1")];
        let plain = json!({"messages": [{"role": "user", "content": "x"}]}).to_string();
        assert_eq!(asked(&rig, &one, &says("x", json!({}))).await, "a");
        let second = async {
            sleep(Duration::from_millis(millis)).await;
            let stream = says("y", json!({})).to_string();
            rig.send("POST", "/v1/chat/completions", &one, stream).await
        };
        let first = rig.send("POST", "/v1/chat/completions", &one, plain);
        let (first, second) = join(first, second).await;
        assert_eq!((first.status, second.status), (200, 200));
        assert_eq!(rig.asked(), expected, "{millis}");
    }
}
