//! The limits of a client, over all its requests (spec §13).

use std::time::Duration;

use serde_json::{Value, json};
use simulator::Step;
use tokio::time::sleep;

use crate::rig::{Answer, Rig, abc};

const KEYS: (&str, &str) = (
    "PROXY_API_KEY",
    "alice:key-of-alice-0123,alice:other-of-alice-1,proxy-key-for-tests",
);

/// The doors, and a request for each.
fn doors() -> [(&'static str, Value); 4] {
    let messages = json!([{"role": "user", "content": "Hello!"}]);
    [
        ("/v1/chat/completions", json!({"messages": messages})),
        ("/v1/responses", json!({"input": "Hello!"})),
        (
            "/v1/messages",
            json!({"max_tokens": 9, "messages": messages}),
        ),
        ("/v1/completions", json!({"prompt": "Hello!"})),
    ]
}

/// A proxy at which alice has these limits.
async fn rig(limits: &str) -> Rig {
    Rig::paused(abc(), &[KEYS, ("CONFIG_FILE", &file(limits))]).await
}

fn file(limits: &str) -> String {
    format!(
        "[[clients]]\nname = 'alice'\nlimits = [{limits}]\n\
         [providers.openrouter]\nlimits = [{{ tokens = 900000, per = 'day' }}]\n"
    )
}

async fn alice_with(rig: &Rig, key: &str, path: &str, body: &Value) -> Answer {
    let authorization = format!("Bearer {key}");
    let headers = [("authorization", authorization.as_str())];
    rig.send("POST", path, &headers, body.to_string()).await
}

async fn alice(rig: &Rig, path: &str, body: &Value) -> Answer {
    alice_with(rig, "key-of-alice-0123", path, body).await
}

/// What alice has used of her limits, as the state shows it.
async fn used(rig: &Rig) -> Vec<u64> {
    let state = rig.get("/admin/state").await.json();
    let clients = state["clients"].as_array().unwrap();
    let alice = clients.iter().find(|client| client["name"] == "alice");
    let limits = alice.unwrap()["limits"].as_array().unwrap().iter();
    limits
        .map(|limit| limit["used"].as_u64().unwrap())
        .collect()
}

/// What the account's own count of tokens says: prompt and answer, as the provider reported them.
async fn tokens(rig: &Rig) -> u64 {
    let state = rig.get("/admin/state").await.json();
    let buckets = state["accounts"][0]["buckets"].as_array().unwrap();
    let tokens = buckets.iter().find(|bucket| bucket["unit"] == "tokens");
    tokens.unwrap()["used"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn s13_a_client_over_its_limit_is_told_when_there_is_room_at_every_door() {
    let rig = rig("{ requests = 1, per = 'minute' }").await;
    for (path, body) in doors() {
        let good = alice(&rig, path, &body).await;
        assert_eq!(good.status, 200, "{path}: {good:?}");
        sleep(Duration::from_secs(20)).await;
        rig.asked();
        let mut wait: u64 = 0;
        for (other, body) in doors() {
            let over = alice_with(&rig, "other-of-alice-1", other, &body).await;
            assert_eq!(over.status, 429, "{path} {other}");
            wait = over.header("retry-after").parse().unwrap();
            assert!((40..=42).contains(&wait), "{path} {other}: {wait}");
            let said = over.json();
            match other {
                "/v1/messages" => assert_eq!(
                    (&said["type"], &said["error"]["type"]),
                    (&json!("error"), &json!("rate_limit_error"))
                ),
                _ => over.is_error(429, "client_rate_limited"),
            }
            let message = said["error"]["message"].as_str().unwrap();
            let expected = format!(
                "This key's limit of 1 request per minute is used up. Room again in {wait} s."
            );
            assert_eq!(message, expected);
            let line = rig.line(&over);
            assert_eq!(
                (&line["reason"], &line["client"]),
                (&json!("client_rate_limited"), &json!("alice"))
            );
        }
        assert_eq!(rig.asked(), "", "nothing is asked");
        assert_eq!(
            rig.chat(&Rig::hello()).await.status,
            200,
            "others have limits of their own"
        );
        // It is true: two seconds earlier there is none, and then there is.
        sleep(Duration::from_secs(wait - 2)).await;
        assert_eq!(alice(&rig, path, &body).await.status, 429);
        sleep(Duration::from_secs(2)).await;
    }
    let counted = rig.metric("freellm_requests_total{status=\"429\"}").await;
    assert_eq!(counted, Some(20.0));
}

#[tokio::test(start_paused = true)]
async fn s13_a_limit_of_a_day_ends_with_the_day() {
    let rig = rig("{ requests = 1, per = 'day', ends = 'utc' }").await;
    let (path, body) = &doors()[0];
    assert_eq!(alice(&rig, path, body).await.status, 200);
    let over = alice(&rig, path, body).await;
    over.is_error(429, "client_rate_limited");
    let wait: u64 = over.header("retry-after").parse().unwrap();
    assert!((1..=86_400).contains(&wait), "{wait}");
    sleep(Duration::from_secs(wait)).await;
    assert_eq!(alice(&rig, path, body).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s13_tokens_are_charged_at_the_start_and_settled_by_what_was_used() {
    let limits = "{ tokens = 100000, per = 'day' }, { requests = 100, per = 'day' }";
    for stream in [false, true] {
        for (path, body) in doors() {
            let rig = rig(limits).await;
            let mut body = body;
            body["stream"] = stream.into();
            body["stream_options"] = if stream {
                json!({"include_usage": true})
            } else {
                Value::Null
            };
            if path != "/v1/chat/completions" && path != "/v1/completions" {
                body.as_object_mut().unwrap().remove("stream_options");
            }
            let answer = alice(&rig, path, &body).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
            let told = tokens(&rig).await;
            assert!(told > 2, "{path} {stream}");
            assert_eq!(used(&rig).await, [told, 1], "{path} {stream}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s13_what_brought_no_answer_uses_its_prompt_each_time_and_what_was_not_asked_nothing() {
    let rig =
        rig("{ requests = 9, per = 'day' }, { tokens = 9000, per = 'day' }, { at_once = 2 }").await;
    let (path, body) = &doors()[0];
    assert_eq!(alice(&rig, path, &json!({"messages": 3})).await.status, 400);
    assert_eq!(used(&rig).await, [0, 0, 0], "what is no request");
    rig.anew(abc().others(Step::status(500, &[], ""))).await;
    assert_eq!(alice(&rig, path, body).await.status, 503);
    assert_eq!(rig.asked(), "a b c");
    let prompts = tokens(&rig).await;
    assert!(prompts > 2 && prompts % 3 == 0, "{prompts}");
    assert_eq!(used(&rig).await, [1, prompts, 0], "what failed");
    assert_eq!(alice(&rig, path, body).await.status, 503);
    assert_eq!(rig.asked(), "");
    assert_eq!(used(&rig).await, [1, prompts, 0], "what nobody was asked");
}

#[tokio::test(start_paused = true)]
async fn s13_a_client_that_leaves_before_its_answer_begins_has_used_its_prompt() {
    let slow = Step::from(simulator::Answer {
        first_delay_ms: 5000,
        ..simulator::Answer::text("hello")
    });
    let rig = rig("{ tokens = 9000, per = 'day' }").await;
    rig.anew(abc().others(slow)).await;
    let path = "/v1/chat/completions";
    for body in [Rig::hello(), Rig::hello_stream()] {
        let before = used(&rig).await[0];
        let left = tokio::time::timeout(Duration::from_secs(1), alice(&rig, path, &body)).await;
        assert!(left.is_err());
        sleep(Duration::from_secs(1)).await;
        let [after] = used(&rig).await[..] else {
            panic!("one limit");
        };
        assert!(after > before, "{body}: {after}");
        assert_eq!(after, tokens(&rig).await, "{body}");
    }
}

/// Nobody had more to say, so what there is is passed on, and counts.
#[tokio::test(start_paused = true)]
async fn s13_an_empty_answer_that_is_passed_on_counts_like_any_other() {
    for body in [Rig::hello(), Rig::hello_stream()] {
        let silent = Step::from(simulator::Answer::text(""));
        let file = file("{ tokens = 9000, per = 'day' }");
        let settings = [KEYS, ("CONFIG_FILE", &file), ("MAX_FALLBACK_ATTEMPTS", "1")];
        let rig = Rig::paused(abc().others(silent), &settings).await;
        let answer = alice(&rig, "/v1/chat/completions", &body).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        assert_eq!(rig.asked(), "a");
        let told = tokens(&rig).await;
        assert_eq!(used(&rig).await, [told], "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn s13_requests_at_once_end_with_their_answers_or_when_their_client_leaves() {
    let slow = Step::from(simulator::Answer {
        first_delay_ms: 5000,
        ..simulator::Answer::text("hello")
    });
    let rig = rig("{ at_once = 1 }").await;
    rig.anew(abc().others(slow)).await;
    let (path, body) = &doors()[0];
    let first = alice(&rig, path, body);
    let others = async {
        sleep(Duration::from_secs(1)).await;
        let over = alice(&rig, path, body).await;
        over.is_error(429, "client_rate_limited");
        assert_eq!(over.header("retry-after"), "1");
        used(&rig).await
    };
    let (first, under_way) = futures_util::future::join(first, others).await;
    assert_eq!((first.status, under_way), (200, vec![1]));
    assert_eq!(used(&rig).await, [0]);
    let left = tokio::time::timeout(Duration::from_secs(1), alice(&rig, path, body)).await;
    assert!(left.is_err());
    // The connection's end is noticed.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(used(&rig).await, [0]);
}

#[tokio::test(start_paused = true)]
async fn s13_a_key_in_place_of_another_brings_no_fresh_allowance() {
    let file = |amount: u64| {
        format!(
            "[[clients]]\nname = 'alice'\nlimits = [{{ requests = {amount}, per = 'minute' }}]\n"
        )
    };
    let (path, body) = &doors()[0];
    let rig = Rig::paused(abc(), &[KEYS, ("CONFIG_FILE", &file(1))]).await;
    assert_eq!(alice(&rig, path, body).await.status, 200);
    let keys = ("PROXY_API_KEY", "alice:new-of-alice-01,proxy-key-for-tests");
    rig.settle(&[keys, ("CONFIG_FILE", &file(2))]).await;
    alice(&rig, path, body)
        .await
        .is_error(401, "invalid_api_key");
    for expected in [200, 429] {
        let answer = alice_with(&rig, "new-of-alice-01", path, body).await;
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    assert_eq!(used(&rig).await, [2]);
}
