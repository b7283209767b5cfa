//! §10.5 at OpenRouter: its stated numbers rule out, and its key endpoint is what brings the account back.

use std::time::Duration;

use free_llm_proxy::clock::{Now, rfc3339};
use free_llm_proxy::ledger::{Ends, Per, next_end};
use serde_json::{Value, json};
use simulator::{Failure, Plan, PlanEnd, Point, Step};
use tokio::time::Instant;

use crate::rig::{Rig, abc, ranking};
use crate::s4_5_account::{
    DAY, DAY_SOURCE, Shape, Told, is_about, retry_after, until_midnight, used_up, with_hours_left,
};
use crate::scripts::free_day;

/// The key endpoint's requests that were seen.
fn key_reads(rig: &Rig) -> usize {
    let seen = rig.simulator.requests();
    let reads = seen.iter().filter(|seen| seen.path.ends_with("/key"));
    reads.count()
}

/// The key endpoint has been read once more, and its answer taken.
async fn until_read(rig: &Rig) {
    let before = key_reads(rig);
    rig.post("/admin/refresh", &Value::Null).await;
    rig.simulator.until(|_| key_reads(rig) > before).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
}

#[tokio::test(start_paused = true)]
async fn s10_5_what_the_key_endpoint_says_is_used_up_is_not_sent() {
    let rig = Rig::paused(abc().key(free_day(48, 50)), &[]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    }
    rig.asked();
    let midnight = until_midnight();
    let answer = rig.chat(&Rig::hello()).await;
    answer.is_error(503, "account_rate_limited");
    assert!(is_about(retry_after(&answer), midnight), "{answer:?}");
    assert_eq!(rig.asked(), "", "what would be a 429 is not sent");
    let ready = rig.get("/ready").await;
    let body = ready.json();
    assert_eq!(
        (
            ready.status,
            &body["code"],
            &body["available"],
            &body["account"]["limit"]
        ),
        (503, &json!("quota_day"), &json!(0), &json!("day"))
    );
    assert!(
        body["reason"].as_str().unwrap().contains("(50 of 50)"),
        "{body}"
    );
    tokio::time::sleep(Duration::from_secs(midnight + 1)).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s10_5_the_key_endpoint_is_read_while_the_account_is_out_and_brings_it_back() {
    let rig = Rig::paused(abc().key(free_day(50, 50)), &[]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let refused = || async {
        rig.chat(&Rig::hello())
            .await
            .is_error(503, "account_rate_limited")
    };
    refused().await;
    tokio::time::sleep(Duration::from_secs(900)).await;
    assert_eq!(key_reads(&rig), 2, "one request has ended since");
    // Credit is bought.
    rig.simulator.set_key(free_day(50, 1000));
    refused().await;
    tokio::time::sleep(Duration::from_secs(301)).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s10_5_a_rest_for_the_day_ends_once_the_key_endpoint_tells_of_more() {
    #[rustfmt::skip]
    let rows = [
        // what the key endpoint says after the refusal   it said 12 before   the next request
        (free_day(12, 50),                                503),
        (free_day(49, 50),                                503),
        (free_day(11, 50),                                200),
        (free_day(50, 1000),                              200),
        (free_day(1000, 1000),                            503),
    ];
    for (says, status) in rows {
        let why = format!("{says:?}");
        with_hours_left(1).await;
        // The refusal rests the account, and says nothing of a reset: the day's end is known.
        let refusal = used_up(DAY, DAY_SOURCE, Told::RetryAfter, 20_000, Shape::Status);
        let script = abc().key(free_day(12, 50));
        let script = script.account(Plan::from([refusal]).then(PlanEnd::Ok));
        let rig = Rig::paused(script, &[("MODELS_REFRESH_SEC", "3600")]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.chat(&Rig::hello())
            .await
            .is_error(503, "account_rate_limited");
        rig.simulator.set_key(says);
        tokio::time::sleep(Duration::from_secs(301)).await;
        assert_eq!(rig.chat(&Rig::hello()).await.status, status, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_5_only_free_requests_draw_from_the_days_free_ones() {
    let list = ranking(&["a:free", "maker/paid"]);
    let script = abc().list(list).key(free_day(50, 50));
    let rig = Rig::paused(script, &[("ALLOW_PAID", "true")]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!((answer.status, rig.asked().as_str()), (200, "maker/paid"));
    let ready = rig.get("/ready").await;
    assert_eq!((ready.status, &ready.json()["available"]), (200, &json!(1)));
    assert_eq!(
        rig.get("/admin/state").await.json()["accounts"][0]["state"],
        "awake"
    );
}

#[tokio::test(start_paused = true)]
async fn s10_5_a_refresh_says_what_holds_once_the_key_endpoint_has_answered() {
    let out = |told: &Value| {
        let all = told["still_out"].as_array().unwrap().iter();
        let reasons = all.map(|one| one["reason"].as_str().unwrap().to_owned());
        reasons.collect::<Vec<_>>().join(", ")
    };
    #[rustfmt::skip]
    let rows = [
        // what the key endpoint says now                   what is still out
        (free_day(50, 50),                                  "50 requests per day, all used (stated)"),
        (free_day(12, 50),                                  ""),
        (Step::status(401, &[], ""),                        "its key is refused"),
        // Whoever waits for it waits no longer than it may take.
        (Step::Stall(Point::BeforeHeaders),                 ""),
    ];
    for (says, expected) in rows {
        let why = format!("{says:?}");
        let rig = Rig::paused(abc().key(free_day(12, 50)), &[]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.simulator.set_key(says);
        let began = Instant::now();
        let told = rig.post("/admin/refresh", &Value::Null).await.json();
        assert!(began.elapsed() < Duration::from_secs(20), "{why}");
        assert_eq!(out(&told), expected, "{why}");
        let state = rig.get("/admin/state").await.json();
        let is = if expected.is_empty() { "awake" } else { "out" };
        let is = if expected.contains("key") {
            "key_refused"
        } else {
            is
        };
        assert_eq!(state["accounts"][0]["state"], is, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_5_what_the_account_has_used_today_is_what_its_bucket_shows() {
    let limited = |limit, remaining| {
        let headers = [
            ("X-RateLimit-Limit", limit),
            ("X-RateLimit-Remaining", remaining),
        ];
        Step::status(
            429,
            &headers,
            json!({"error": {"message": DAY, "code": 429}}),
        )
    };
    let mixed =
        json!({"data": {"free_model_daily_requests": {"used": 1, "limit": 50, "remaining": 0}}});
    #[rustfmt::skip]
    let rows = [
        // the key endpoint                what a request meets     used and limit, told by
        (free_day(12, 50),                 Step::ok("hello"),       Some((13, 50, "key"))),
        (free_day(12, 50),                 limited("50", "0"),      Some((50, 50, "refusal"))),
        (free_day(12, 50),                 limited("20", "0"),      Some((20, 20, "refusal"))),
        // No number at all, or one that is none.
        (free_day(12, 50),                 limited("many", "0"),    Some((13, 50, "key"))),
        (free_day(12, 50),                 limited("0", "0"),       Some((13, 50, "key"))),
        (Step::status(404, &[], ""),       limited("0", "0"),       None),
        (Step::status(200, &[], mixed),    Step::ok("hello"),       None),
    ];
    for (says, meets, expected) in rows {
        let why = format!("{says:?} {meets:?}");
        let rig = Rig::paused(abc().key(says).account(meets), &[]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.chat(&Rig::hello()).await;
        let state = rig.get("/admin/state").await.json();
        let account = &state["accounts"][0];
        let is_day = |bucket: &&Value| bucket["per"] == "day" && bucket["source"] == "stated";
        let day = account["buckets"].as_array().unwrap().iter().find(is_day);
        let today = &account["today"];
        let number = |value: &Value| value.as_u64().unwrap();
        let shown = (!today.is_null()).then(|| {
            let by = today["told_by"].as_str().unwrap();
            (number(&today["used"]), number(&today["limit"]), by)
        });
        assert_eq!(shown, expected, "{why}");
        assert_eq!(account["asked_today"], today["used"], "{why}");
        let of_bucket = day.map(|day| (number(&day["used"]), number(&day["limit"])));
        assert_eq!(
            of_bucket,
            expected.map(|(used, limit, _)| (used, limit)),
            "{why}"
        );
        let free = &account["free_requests"];
        assert_ne!(free["limit"], 0, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_5_what_a_refresh_leaves_ruled_out_is_named() {
    let script = abc()
        .key(free_day(2, 50))
        .account(Step::failure(Failure::DailyLimit));
    let rig = Rig::paused(script, &[]).await;
    let none = rig.post("/admin/refresh", &Value::Null).await.json();
    assert_eq!(none["still_out"], json!([]));
    until_read(&rig).await;
    rig.chat(&Rig::hello())
        .await
        .is_error(503, "account_rate_limited");
    rig.simulator.set_account(Step::ok("hello"));
    let now = Now::read().wall;
    let out = json!({
        "account": "openrouter", "limit": "day", "until": rfc3339(next_end(Per::Day, Ends::Utc, now)),
        "reason": "50 requests per day, all used (stated)",
    });
    let rest = |told: &Value| told["still_out"][0]["reason"].clone();
    // Clearing a model ends no rest of its account.
    let told = rig
        .post("/admin/clear", &json!({"model": "a:free"}))
        .await
        .json();
    assert_eq!(rest(&told), "rate limited (HTTP 429)");
    assert_eq!(told["still_out"][1], out);
    assert_eq!(told["model"]["id"], "a:free");
    for body in [
        json!({"account": "openrouter"}),
        json!({"account": true}),
        json!({"all": true}),
    ] {
        let told = rig.post("/admin/clear", &body).await.json();
        assert_eq!(told["still_out"], json!([out]), "{body}");
        assert_eq!(told["accounts"][0]["state"], "out", "{body}");
    }
    let told = rig.post("/admin/refresh", &Value::Null).await.json();
    assert_eq!(
        (&told["models"], &told["still_out"]),
        (&json!(3), &json!([out]))
    );
    rig.chat(&Rig::hello())
        .await
        .is_error(503, "account_rate_limited");
}
