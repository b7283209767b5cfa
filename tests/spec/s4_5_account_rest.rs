//! §4.5: how long an account without credit or quota rests, and how it wakes.

use std::time::{Duration, SystemTime};

use free_llm_proxy::clock::Now;
use serde_json::{Value, json};
use simulator::{Failure, Plan, PlanEnd, Status, Step};
use tokio::time::{Instant, sleep, sleep_until};

use crate::rig::{Rig, abc};
use crate::s4_5_account::*;
use crate::scripts::STALL;

#[tokio::test(start_paused = true)]
async fn s4_5_a_402_is_passed_on_and_repeated_without_a_call() {
    #[rustfmt::skip]
    let rows = [
        // what the account met                         rests, s
        (Step::from(Failure::InsufficientCredits),      300),
        (Failure::CannotAfford.into(),                  300),
        (Failure::KeyLimit.into(),                      300),
        (Failure::InFlightBudget.into(),                1),
        (Step::status(402, &[], r#"{"error": {"code":402,"message":"x","n":1.0e2}}"#), 300),
        (Step::status(402, &[("Retry-After", "40")], r#"{"error":{"message":"x"}}"#),  40),
        (Step::status(402, &[], json!({"error": {"message": "x", "metadata": {"retry_after_seconds": 7}}})), 7),
        (Step::status(402, &[], "pay"),                 300),
        (Step::status(402, &[], ""),                    300),
    ];
    let cases = rows.into_iter().flat_map(|(step, seconds)| {
        ["rank", "balanced"].map(|routing| (routing, step.clone(), seconds))
    });
    for (routing, step, seconds) in cases {
        let rig = Rig::paused(abc(), &[("ROUTING", routing)]).await;
        for body in [Rig::hello(), Rig::hello_stream()] {
            rig.anew(account(step.clone())).await;
            let start = Instant::now();
            let first = rig.chat(&body).await;
            assert_eq!(first.status, 402, "{step:?}");
            assert_eq!(rig.attempts(&first), "a upstream_error 402", "{step:?}");
            assert_eq!(rig.asked(), "a", "{step:?}");
            assert_eq!(first.header("x-free-llm-proxy-attempts"), "1");
            let text = first.text();
            assert!(
                !text.contains("user_x") && !text.contains("user_id"),
                "{text}"
            );
            if let Step::Status(Status {
                body: Value::String(sent),
                ..
            }) = &step
            {
                if sent.starts_with('{') {
                    assert_eq!(&text, sent, "byte for byte");
                } else {
                    let error = &first.json()["error"];
                    assert_eq!(
                        (error["code"].as_str(), error["type"].as_str()),
                        (Some("upstream_402"), Some("upstream_error"))
                    );
                }
            }
            for later in [Rig::hello(), Rig::hello_stream()] {
                let again = rig.chat(&later).await;
                assert_eq!(
                    (again.status, again.text()),
                    (402, text.clone()),
                    "{step:?}"
                );
                assert_eq!(again.header("retry-after"), seconds.to_string(), "{step:?}");
                assert_eq!(again.header("x-free-llm-proxy-attempts"), "", "{step:?}");
            }
            let ready = rig.get("/ready").await;
            assert!(
                ready.status == 503 && ready.text().contains("credit"),
                "{ready:?}"
            );
            assert_eq!(rig.asked(), "", "{step:?}");
            sleep_until(start + Duration::from_millis(seconds * 1000 - 100)).await;
            assert_eq!(rig.chat(&body).await.status, 402, "{step:?}");
            assert_eq!(rig.asked(), "", "{step:?}");
            sleep(Duration::from_millis(200)).await;
            assert_eq!(rig.chat(&body).await.status, 200, "{step:?}");
            assert_eq!(rig.asked(), "a", "{step:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_rate_limit_cooldown_sec_is_how_long_an_account_rests_that_names_no_end() {
    let settings = ["20", "0.5", "0"].into_iter();
    for (setting, routing) in
        settings.flat_map(|s| ["rank", "balanced"].map(|routing| (s, routing)))
    {
        let own = [("RATE_LIMIT_COOLDOWN_SEC", setting), ("ROUTING", routing)];
        let rig = Rig::paused(abc(), &own).await;
        let millis = (setting.parse::<f64>().unwrap() * 1000.0) as u64;
        // With a number the minute would be known to be used up.
        let bare = Step::status(429, &[], json!({"error": {"message": MINUTE, "code": 429}}));
        for (step, status) in [(bare, 503), (Failure::InsufficientCredits.into(), 402)] {
            rig.anew(account(step)).await;
            let start = Instant::now();
            let answer = rig.chat(&Rig::hello()).await;
            assert_eq!(answer.status, status, "{setting}");
            if millis > 0 {
                sleep_until(start + Duration::from_millis(millis - 50)).await;
                assert_eq!(rig.chat(&Rig::hello()).await.status, status, "{setting}");
            }
            sleep_until(start + Duration::from_millis(millis + 50)).await;
            assert_eq!(rig.asked(), "a", "{setting}");
            assert_eq!(rig.chat(&Rig::hello()).await.status, 200, "{setting}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s10_4_without_credit_an_account_rests_twice_as_long_each_time_up_to_6_h() {
    for routing in ["rank", "balanced"] {
        let broke = Plan::from(vec![Step::from(Failure::InsufficientCredits); 8]);
        let rig = Rig::paused(abc().account(broke), &[("ROUTING", routing)]).await;
        for seconds in [300, 600, 1200, 2400, 4800, 9600, 19_200, 21_600] {
            for asked in ["a", ""] {
                let answer = rig.chat(&Rig::hello()).await;
                assert_eq!(answer.status, 402, "{routing} {seconds}");
                assert_eq!(rig.asked(), asked, "{routing} {seconds}");
            }
            let again = rig.chat(&Rig::hello()).await;
            assert_eq!(retry_after(&again), seconds, "{routing}");
            sleep(Duration::from_secs(seconds)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_longer_rest_of_the_account_is_never_cut_by_a_shorter_one() {
    let slow = |mut step: Step, ms| {
        if let Step::Status(status) = &mut step {
            status.delay_ms = ms;
        }
        step
    };
    let limited = |message, seconds: u64, ms| {
        let body = json!({"error": {"message": message, "code": 429}});
        slow(
            Step::status(429, &[("Retry-After", &seconds.to_string())], body),
            ms,
        )
    };
    #[rustfmt::skip]
    let rows = [
        // two at once: the first meets     the second, 1 s later        told thereafter
        (limited(DAY, 500, 0),              limited(MINUTE, 20, 1000),   "day"),
        (limited(MINUTE, 20, 0),            limited(DAY, 500, 1000),     "day"),
        (limited(DAY, 500, 0),              slow(Step::status(200, &[], json!({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]})), 1000), "day"),
    ];
    let rig = Rig::paused(abc(), &[]).await;
    for (first, second, quota) in rows {
        with_hours_left(1).await;
        let why = format!("{first:?} {second:?}");
        rig.anew(abc().account(Plan::from([first, second]).then(PlanEnd::Ok)))
            .await;
        let hello = Rig::hello();
        tokio::join!(rig.chat(&hello), rig.chat(&hello));
        assert_eq!(rig.asked(), "a a", "{why}");
        let answer = rig.chat(&hello).await;
        answer.is_error(503, "account_rate_limited");
        says_which(&answer, quota);
        // The day's end beats its short wait.
        let told = retry_after(&answer);
        assert!(is_about(told, until_midnight()), "{why}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_the_rest_of_an_epoch_reset_holds_until_that_date() {
    with_hours_left(2).await;
    // A new list and a step of the clock change nothing about it.
    let rig = Rig::paused(abc(), &[("MODELS_REFRESH_SEC", "600")]).await;
    let reset = Now::read().unix_seconds() + 5000;
    let error = json!({"error": {"message": DAY, "code": 429, "metadata": {"headers": {"X-RateLimit-Reset": format!("{reset}000")}}}});
    rig.anew(account(Step::status(429, &[], error))).await;
    let answer = rig.chat(&Rig::hello()).await;
    let date = free_llm_proxy::clock::rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(reset));
    let (day, time) = date.split_once('T').unwrap();
    let said = format!("at {} UTC on {day}", time.get(..5).unwrap());
    assert!(answer.text().contains(&said), "{said}: {answer:?}");
    let ready = rig.get("/ready").await.json();
    assert_eq!(ready["account"]["until"], date);
    for later in [1000, 1000, 1000, 1000, 900] {
        sleep(Duration::from_secs(later)).await;
        rig.chat(&Rig::hello())
            .await
            .is_error(503, "account_rate_limited");
    }
    assert_eq!(rig.asked(), "a");
    sleep(Duration::from_secs(101)).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s10_5_an_account_is_out_no_longer_than_the_window_that_its_refusal_names() {
    let resets = ["9999999999999", "2592000", "93600"];
    for (message, of_day) in [(DAY, true), (MINUTE, false)] {
        for reset in resets {
            let error = json!({"error": {"message": message, "code": 429}});
            let step = Step::status(429, &[("X-RateLimit-Reset", reset)], error);
            let rig = Rig::paused(account(step), &[]).await;
            let seconds = if of_day { until_midnight() } else { 60 };
            let answer = rig.chat(&Rig::hello()).await;
            answer.is_error(503, "account_rate_limited");
            assert!(is_about(retry_after(&answer), seconds), "{answer:?}");
            sleep(Duration::from_secs(seconds + 1)).await;
            assert_eq!(rig.chat(&Rig::hello()).await.status, 200, "{reset}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_admin_refresh_forgets_the_accounts_rest() {
    let bare = json!({"error": {"message": DAY, "code": 429}});
    #[rustfmt::skip]
    let rows: [(Step, bool); 3] = [
        // what the account met                       a refresh brings it back
        (Step::status(429, &[], bare),                true),
        (Failure::InsufficientCredits.into(),         true),
        // What is used of a stated limit stays so.
        (Failure::DailyLimit.into(),                  false),
    ];
    for (step, is_back) in rows {
        for read_fails in [false, true] {
            let rig = Rig::paused(account(step.clone()), &[]).await;
            rig.chat(&Rig::hello()).await;
            if read_fails {
                rig.simulator.set_list(Step::status(500, &[], ""));
            }
            rig.post("/admin/refresh", &Value::Null).await;
            let rests = matches!(rig.chat(&Rig::hello()).await.status, 402 | 503);
            assert_eq!(rests, read_fails || !is_back, "{step:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_probe_that_is_refused_again_rests_the_account_again() {
    let limited = |seconds| used_up(MINUTE, "", Told::RetryAfter, seconds, Shape::Status);
    let script = abc().account(Plan::from([limited(10), limited(30)]).then(PlanEnd::Ok));
    let rig = Rig::paused(script, &[]).await;
    #[rustfmt::skip]
    let rows = [
        // at, s    status   Retry-After   asked
        (0,         503,     "10",         "a"),
        (9,         503,     "1",          ""),
        (11,        503,     "30",         "a"),
        (12,        503,     "29",         ""),
        (40,        503,     "1",          ""),
        (42,        200,     "",           "a"),
    ];
    let start = Instant::now();
    for (at, status, after, asked) in rows {
        sleep_until(start + Duration::from_secs(at)).await;
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(
            (
                answer.status,
                answer.header("retry-after"),
                rig.asked().as_str()
            ),
            (status, after, asked),
            "{at}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s4_5_a_probe_that_brings_no_answer_proves_nothing_of_the_account() {
    // The upstream is silent at the moment of the probe: once it is late, one more goes to the next
    // model, and only that one meets the quota, which is still used up. Half a minute later the
    // silent one does.
    let minute = || used_up(MINUTE, "", Told::RetryAfter, 10, Shape::Status);
    let script =
        abc().account(Plan::from([minute(), STALL, minute(), minute()]).then(PlanEnd::Last));
    let rig = Rig::paused(script, &[]).await;
    let hello = Rig::hello();
    rig.chat(&hello).await;
    rig.simulator.clear_requests();
    sleep(Duration::from_secs(11)).await;
    let answers = futures_util::future::join_all((0..50).map(|_| rig.chat(&hello))).await;
    for answer in answers {
        assert_eq!(answer.status, 503);
    }
    let asked = rig.asked();
    assert_eq!(
        asked.split(' ').count(),
        3,
        "one fell silent, one was refused, and the silent one again: {asked}"
    );
}
