//! §4.5: what concerns the account: the free quota of the day or the minute, and no credit.

use std::time::Duration;

use free_llm_proxy::clock::Now;
use free_llm_proxy::ledger::{Ends, Per, next_end};
use serde_json::{Value, json};
use simulator::{Failure, Plan, PlanEnd, Step};
use tokio::time::{Instant, sleep_until};

use crate::rig::{Answer, Rig, abc};
use crate::scripts::{JSON, STREAM, pieces};

pub const DAY: &str = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day";
pub const DAY_SOURCE: &str = "openrouter_free_tier_daily";
pub const MINUTE: &str = "Rate limit exceeded: free-models-per-min. ";
pub const MINUTE_SOURCE: &str = "openrouter_free_tier_per_minute";

/// How an upstream says that the quota is used up, and until when.
#[derive(Clone, Copy, Debug)]
pub enum Told {
    Header,
    HeaderSeconds,
    Metadata,
    RetryAfter,
    RetryAfterInMetadata,
    Not,
}

/// The form in which it arrives.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Status,
    Inside,
    Event,
}

/// The refusal because of a quota, with a reset in this many seconds.
pub fn used_up(message: &str, source: &str, told: Told, seconds: u64, shape: Shape) -> Step {
    let at = Now::read().unix_seconds() + seconds;
    let (millis, epoch, length) = (format!("{at}000"), at.to_string(), seconds.to_string());
    let mut metadata = json!({"provider_name": null});
    if !source.is_empty() {
        metadata["limit_source"] = source.into();
    }
    let mut headers = vec![("X-RateLimit-Limit", "50"), ("X-RateLimit-Remaining", "0")];
    match told {
        Told::Header => headers.push(("X-RateLimit-Reset", &millis)),
        Told::HeaderSeconds => headers.push(("X-RateLimit-Reset", &epoch)),
        Told::Metadata => metadata["headers"] = json!({"x-ratelimit-RESET": millis}),
        Told::RetryAfter => headers.push(("Retry-After", &length)),
        Told::RetryAfterInMetadata => metadata["retry_after_seconds"] = seconds.into(),
        Told::Not => {}
    }
    let body = json!({"error": {"message": message, "code": 429, "metadata": metadata}, "user_id": "user_x"});
    let lines = |head: &str| {
        headers.iter().fold(head.to_owned(), |head, (name, value)| {
            head + &format!("{name}: {value}\r\n")
        })
    };
    match shape {
        Shape::Status => Step::status(429, &headers, body),
        Shape::Inside => pieces(&lines(JSON), [body.to_string()]),
        Shape::Event => pieces(
            &lines(STREAM),
            [format!(": OPENROUTER PROCESSING\n\ndata: {body}\n\n")],
        ),
    }
}

/// Meets this once; then all is well again.
pub fn once(step: Step) -> Plan<Step> {
    Plan::from(step).then(PlanEnd::Ok)
}

/// A script whose account meets this once.
pub fn account(step: Step) -> simulator::Script {
    abc().account(once(step))
}

pub fn retry_after(answer: &Answer) -> u64 {
    answer.header("retry-after").parse().unwrap()
}

/// Goes on to the next day if less than this is left of this one: no quota of a day is used up for longer.
pub async fn with_hours_left(hours: u64) {
    let left = until_midnight();
    if left < hours * 3600 {
        tokio::time::sleep(Duration::from_secs(left + 1)).await;
    }
}

/// Seconds until 00:00 UTC.
pub fn until_midnight() -> u64 {
    let now = Now::read().wall;
    let left = next_end(Per::Day, Ends::Utc, now).duration_since(now);
    left.unwrap().as_secs_f64().ceil() as u64
}

/// A duration given as a date is up to a second shorter.
pub fn is_about(told: u64, seconds: u64) -> bool {
    (seconds - 1..=seconds).contains(&told)
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_used_up_quota_stops_the_walk_and_is_answered_without_a_call_until_it_returns() {
    #[rustfmt::skip]
    let kinds = [
        // the message, the limit's source              which quota
        (DAY, DAY_SOURCE,                               "day"),
        ("Rate limit exceeded: free-models-per-day-high-balance. ", "", "day"),
        ("No more today.", DAY_SOURCE,                  "day"),
        (MINUTE, MINUTE_SOURCE,                         "minute"),
        (MINUTE, "",                                    "minute"),
        ("Slow down.", MINUTE_SOURCE,                   "minute"),
    ];
    #[rustfmt::skip]
    let tolds = [
        // the reset                  seconds of a day, of a minute
        (Told::Header,                3000,             50),
        (Told::HeaderSeconds,         3000,             50),
        (Told::Metadata,              3000,             50),
        (Told::RetryAfter,            90,               40),
        (Told::RetryAfterInMetadata,  90,               40),
        (Told::Not,                   300,              300),
    ];
    #[rustfmt::skip]
    let shapes = [
        (Shape::Status, Rig::hello()), (Shape::Status, Rig::hello_stream()),
        (Shape::Inside, Rig::hello()), (Shape::Event, Rig::hello_stream()),
    ];
    for (message, source, quota) in kinds {
        for (told, of_day, of_minute) in tolds {
            let seconds = if quota == "day" { of_day } else { of_minute };
            for (shape, body) in &shapes {
                with_hours_left(1).await;
                let why = format!("{message} {source} {told:?} {shape:?} {body}");
                // What is used up of a day stays so, whatever an operator does.
                let step = used_up(message, source, told, seconds, *shape);
                let rig = Rig::paused(account(step), &[]).await;
                let start = Instant::now();
                let seconds = match (quota, told) {
                    // A reset ends the window; a wait is beaten by the day's end.
                    ("day", Told::RetryAfter | Told::RetryAfterInMetadata | Told::Not) => {
                        until_midnight()
                    }
                    _ => seconds,
                };

                let answer = rig.chat(body).await;
                answer.is_error(503, "account_rate_limited");
                assert!(is_about(retry_after(&answer), seconds), "{why}: {answer:?}");
                assert_eq!(answer.header("x-free-llm-proxy-attempts"), "1", "{why}");
                assert_eq!(rig.attempts(&answer), "a rate_limited 429", "{why}");
                assert_eq!(rig.asked(), "a", "the others stay unasked: {why}");
                says_which(&answer, quota);

                for later in [Rig::hello(), Rig::hello_stream()] {
                    let answer = rig.chat(&later).await;
                    answer.is_error(503, "account_rate_limited");
                    assert!(is_about(retry_after(&answer), seconds), "{why}: {answer:?}");
                    assert_eq!(answer.header("x-free-llm-proxy-attempts"), "", "{why}");
                    says_which(&answer, quota);
                }
                rests(&rig, quota, seconds, &why).await;

                sleep_until(start + Duration::from_secs(seconds - 2)).await;
                rig.chat(body).await.is_error(503, "account_rate_limited");
                assert_eq!(rig.asked(), "", "{why}");

                sleep_until(start + Duration::from_millis(seconds * 1000 + 100)).await;
                assert_eq!(rig.get("/ready").await.status, 200, "{why}");
                assert_eq!(rig.chat(body).await.status, 200, "{why}");
                assert_eq!(rig.asked(), "a", "no model rests for it: {why}");
                assert_eq!(
                    rig.metric("freellm_account_cooldown_seconds{account=\"openrouter\"}")
                        .await,
                    Some(0.0)
                );
            }
        }
    }
}

/// A sentence with the quota, and when it returns, in words and by the clock.
#[track_caller]
pub fn says_which(answer: &Answer, quota: &str) {
    let error = &answer.json()["error"];
    let sentence = error["message"].as_str().unwrap();
    let words = if quota == "day" {
        ["day", "quota"]
    } else {
        ["minute", "quota"]
    };
    assert!(
        words.iter().all(|word| sentence.contains(word)),
        "{sentence}"
    );
    let wait = free_llm_proxy::units::wait(retry_after(answer));
    assert!(
        sentence.contains(&format!("It returns in {wait}, at ")),
        "{sentence}"
    );
    assert!(sentence.contains(" UTC on "), "a date: {sentence}");
    assert!(!answer.text().contains("user_x"), "{answer:?}");
}

/// `/ready` and `/metrics` while the account rests.
pub async fn rests(rig: &Rig, quota: &str, seconds: u64, why: &str) {
    let ready = rig.get("/ready").await;
    let body = ready.json();
    assert_eq!(
        (ready.status, &body["status"]),
        (503, &json!("not_ready")),
        "{why}"
    );
    let reason = body["reason"].as_str().unwrap();
    assert!(
        reason.contains(quota) || reason.contains("today"),
        "{reason}: {why}"
    );
    assert_eq!(body["available"], 0, "no model can be asked: {why}");
    let left = rig
        .metric("freellm_account_cooldown_seconds{account=\"openrouter\"}")
        .await
        .unwrap();
    assert!(
        left > seconds as f64 - 2.0 && left <= seconds as f64,
        "{left}: {why}"
    );
    assert_eq!(rig.metric("freellm_cooldown_models").await, Some(0.0));
    assert_eq!(
        rig.metric("freellm_free_requests_used{account=\"openrouter\"}")
            .await,
        Some(50.0),
        "{why}"
    );
    assert_eq!(
        rig.metric("freellm_free_requests_limit{account=\"openrouter\"}")
            .await,
        Some(50.0),
        "{why}"
    );
    assert_eq!(rig.get("/health").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s4_5_the_free_requests_are_reported_as_far_as_they_are_known() {
    let metadata = json!({"headers": {"x-ratelimit-limit": "1000", "X-RateLimit-Remaining": "-1"}, "limit_source": DAY_SOURCE});
    let body =
        |metadata: Value| json!({"error": {"message": "x", "code": 429, "metadata": metadata}});
    let bare = body(json!({"limit_source": DAY_SOURCE}));
    #[rustfmt::skip]
    let rows = [
        // what the account met                                                                 used           limit
        (Step::status(429, &[], bare.clone()),                                                  None,          None),
        (Step::status(429, &[("X-RateLimit-Limit", "50"), ("X-RateLimit-Remaining", "0")], bare.clone()), Some(50.0), Some(50.0)),
        (Step::status(429, &[("X-RateLimit-Limit", "1000"), ("X-RateLimit-Remaining", "1")], bare.clone()), Some(999.0), Some(1000.0)),
        (Step::status(429, &[("X-RateLimit-Limit", "many")], bare),                             None,          None),
        (Step::status(429, &[], body(metadata)),                                                Some(1000.0),  Some(1000.0)),
        (Failure::DailyLimitMetadata.into(),                                                    Some(50.0),    Some(50.0)),
        (Failure::InsufficientCredits.into(),                                                   None,          None),
    ];
    for (step, used, limit) in rows {
        let rig = Rig::paused(account(step.clone()), &[]).await;
        assert_eq!(
            rig.metric("freellm_account_cooldown_seconds{account=\"openrouter\"}")
                .await,
            Some(0.0)
        );
        rig.chat(&Rig::hello()).await;
        let told = (
            rig.metric("freellm_free_requests_used{account=\"openrouter\"}")
                .await,
            rig.metric("freellm_free_requests_limit{account=\"openrouter\"}")
                .await,
        );
        assert_eq!(told, (used, limit), "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_429_whose_body_names_no_quota_of_the_accounts_is_the_models() {
    let limits = [
        ("X-RateLimit-Limit", "50"),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", "40"),
    ];
    let body = |error: Value| json!({ "error": error });
    #[rustfmt::skip]
    let rows = [
        Failure::RateLimitedHeaders.into(),
        Failure::RateLimited.into(),
        Failure::RateLimitedEmpty.into(),
        Failure::CloudflareLimit.into(),
        Failure::ProviderLimit.into(),
        Failure::ProviderLimitRetryAfter.into(),
        Failure::Capacity.into(),
        Step::status(429, &limits, ""),
        Step::status(429, &limits, body(json!({"message": "Rate limit exceeded", "code": 429}))),
        Step::status(429, &limits, body(json!({"message": "x", "metadata": {"limit_source": "upstream_provider_shared_pool"}}))),
        Step::status(429, &limits, body(json!({"message": "x", "metadata": {"raw": "free-models-per-day"}}))),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for step in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            rig.anew(abc().model("a:free", step.clone())).await;
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 200, "{step:?}");
            assert_eq!(
                rig.attempts(&answer),
                "a rate_limited 429, b success",
                "{step:?}"
            );
            assert_eq!(rig.get("/ready").await.status, 200, "{step:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_quota_that_is_back_already_ends_this_request_and_no_other() {
    // The date is past when it arrives, or the wait is zero.
    let past = Step::status(
        429,
        &[("X-RateLimit-Reset", "1500000000000")],
        json!({"error": {"message": MINUTE, "code": 429}}),
    );
    let none = Step::status(
        429,
        &[("Retry-After", "0")],
        json!({"error": {"message": MINUTE, "code": 429}}),
    );
    let rig = Rig::paused(abc(), &[]).await;
    for step in [past, none] {
        for body in [Rig::hello(), Rig::hello_stream()] {
            rig.anew(account(step.clone())).await;
            let answer = rig.chat(&body).await;
            answer.is_error(503, "account_rate_limited");
            assert_eq!(
                (answer.header("retry-after"), rig.asked().as_str()),
                ("1", "a")
            );
            assert_eq!(rig.chat(&body).await.status, 200);
            assert_eq!(rig.asked(), "a");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_walk_that_met_the_models_first_stops_at_the_account_all_the_same() {
    with_hours_left(1).await;
    let daily = used_up(DAY, DAY_SOURCE, Told::Header, 3000, Shape::Status);
    let script = abc()
        .model("a:free", Step::status(500, &[], ""))
        .model("b:free", daily);
    let rig = Rig::paused(script, &[]).await;
    let answer = rig.chat(&Rig::hello()).await;
    answer.is_error(503, "account_rate_limited");
    assert_eq!(
        rig.attempts(&answer),
        "a upstream_error 500, b rate_limited 429"
    );
    assert_eq!(answer.header("x-free-llm-proxy-attempts"), "2");
    assert_eq!(rig.asked(), "a b");
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_quota_that_ends_in_the_middle_of_a_stream_rests_the_account() {
    with_hours_left(1).await;
    let error = json!({"error": {"message": DAY, "code": 429, "metadata": {"limit_source": DAY_SOURCE, "retry_after_seconds": 50}}});
    let spoken =
        json!({"choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": null}]});
    let step = pieces(
        STREAM,
        [format!("data: {spoken}\n\n"), format!("data: {error}\n\n")],
    );
    let rig = Rig::paused(abc().model("a:free", once(step)), &[]).await;
    let broken = rig.chat(&Rig::hello_stream()).await;
    assert_eq!((broken.status, broken.content().as_str()), (200, "half"));
    let frame: Value = serde_json::from_str(&broken.events()[1]).unwrap();
    assert_eq!(frame["error"]["code"], "rate_limited");
    let answer = rig.chat(&Rig::hello()).await;
    answer.is_error(503, "account_rate_limited");
    // The day's end beats the short wait.
    assert!(
        is_about(retry_after(&answer), until_midnight()),
        "{answer:?}"
    );
    assert_eq!(rig.asked(), "a");
}

#[tokio::test(start_paused = true)]
async fn s4_5_what_no_model_can_do_is_a_400_while_the_account_rests_too() {
    let rig = Rig::paused(account(Failure::DailyLimit.into()), &[]).await;
    rig.chat(&Rig::hello())
        .await
        .is_error(503, "account_rate_limited");
    let list = crate::scripts::ranking_with(&["a:free"], |list| {
        list["models"][0]["supportsTools"] = false.into();
    });
    rig.anew(account(Failure::DailyLimit.into()).list(list))
        .await;
    let mut tools = Rig::hello();
    tools["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    rig.chat(&Rig::hello())
        .await
        .is_error(503, "account_rate_limited");
    rig.chat(&tools).await.is_error(400, "no_capable_model");
}
