//! §4.2: the order of the models, how many are tried and for how long, and how it ends.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Answer, Point, Script, Step};
use tokio::time::Instant;

use crate::rig::{Rig, abc, ranking};
use crate::scripts::{STALL, is_utc, ranking_with};

#[tokio::test]
async fn s4_2_the_order_is_the_rank_and_equal_ranks_keep_the_lists_order() {
    let ids = ["x:free", "a:free", "z:free", "b:free", "m:free"];
    let list = ranking_with(&ids, |list| {
        for (at, rank) in [7, 3, 100, 3, 1].into_iter().enumerate() {
            let model = &mut list["models"][at];
            model["rank"] = rank.into();
            // What never influences the choice.
            model["score"] = (at * 1000).into();
            model["latencyMs"] = (900 - at * 100).into();
            model["healthStatus"] = "failed".into();
        }
    });
    let script = Script::new().list(list).others(Step::status(500, &[], ""));
    let rig = Rig::start(script).await;
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.asked(), "m a b x z");
}

#[tokio::test]
async fn s4_2_max_fallback_attempts_caps_the_walk() {
    #[rustfmt::skip]
    let rows = [
        // setting  asked        of the seven models, the untried are awake
        ("1",       "a"),
        ("2",       "a b"),
        ("5",       "a b c d e"),
        ("",        "a b c d e"),
        ("7",       "a b c d e f g"),
        ("99",      "a b c d e f g"),
    ];
    for (setting, asked) in rows {
        let ids = [
            "a:free", "b:free", "c:free", "d:free", "e:free", "f:free", "g:free",
        ];
        let script = Script::new()
            .list(ranking(&ids))
            .others(Step::status(500, &[], ""));
        let settings = [("MAX_FALLBACK_ATTEMPTS", setting)];
        let rig = Rig::with(script, if setting.is_empty() { &[] } else { &settings }).await;
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(
            (answer.status, rig.asked().as_str()),
            (503, asked),
            "{setting}"
        );
        let untried = asked.len() < 13;
        assert_eq!(
            answer.header("retry-after"),
            if untried { "1" } else { "60" },
            "{setting}"
        );
        let tried = asked.split(' ').count();
        assert_eq!(
            answer.header("x-free-llm-proxy-attempts"),
            tried.to_string()
        );
        assert_eq!(
            answer.json()["error"]["attempts"].as_array().unwrap().len(),
            tried
        );
        if untried {
            rig.chat(&Rig::hello()).await;
            assert_ne!(rig.asked(), "", "those that were not tried are awake");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_2_a_resting_model_costs_no_attempt() {
    let bad = || Step::status(500, &[], "");
    let script = abc().model("a:free", bad()).model("b:free", bad());
    let rig = Rig::paused(script, &[("MAX_FALLBACK_ATTEMPTS", "2")]).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 503);
    assert_eq!(rig.asked(), "a b");
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(rig.asked(), "c");
}

#[tokio::test(start_paused = true)]
async fn s4_2_no_attempt_starts_after_the_budget() {
    #[rustfmt::skip]
    let rows = [
        // REQUEST_BUDGET_SEC  UPSTREAM_TIMEOUT_SEC  asked            the answer, s
        ("120",                "30",                 "a b c d",       120),
        ("121",                "30",                 "a b c d e",     150),
        ("31",                 "30",                 "a b",           60),
        ("30",                 "30",                 "a",             30),
        ("0.5",                "30",                 "a",             30),
        ("",                   "40",                 "a b c",         120),
    ];
    for (budget, limit, asked, seconds) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let ids = ["a:free", "b:free", "c:free", "d:free", "e:free", "f:free"];
            let script = Script::new().list(ranking(&ids)).others(STALL);
            let mut settings = vec![
                ("UPSTREAM_TIMEOUT_SEC", limit),
                ("STREAM_KEEPALIVE_SEC", "0"),
            ];
            if !budget.is_empty() {
                settings.push(("REQUEST_BUDGET_SEC", budget));
            }
            let rig = Rig::paused(script, &settings).await;
            let start = Instant::now();
            let answer = rig.chat(&body).await;
            assert_eq!(
                (answer.status, rig.asked().as_str()),
                (503, asked),
                "{budget} {limit}"
            );
            assert_eq!(start.elapsed().as_secs(), seconds, "{budget} {limit}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_2_an_attempt_that_began_within_the_budget_may_end_after_it() {
    let slow = Answer {
        first_delay_ms: 25_000,
        ..Answer::text("late")
    };
    let script = abc()
        .model("a:free", STALL)
        .model("b:free", Step::from(slow));
    let rig = Rig::paused(script, &[("REQUEST_BUDGET_SEC", "40")]).await;
    let start = Instant::now();
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(
        (answer.status, start.elapsed()),
        (200, Duration::from_secs(55))
    );
}

#[tokio::test(start_paused = true)]
async fn s4_2_when_every_attempt_failed_the_503_tells_of_each() {
    let limited = |seconds| Step::status(429, &[("Retry-After", seconds)], "");
    let broken = || Step::status(500, &[], "");
    let reset = || Step::Reset(Point::BeforeHeaders);
    let settings = [
        ("GENERIC_ERROR_COOLDOWN_SEC", "45"),
        ("STREAM_KEEPALIVE_SEC", "0"),
    ];
    let rig = Rig::paused(abc(), &settings).await;
    #[rustfmt::skip]
    let rows = [
        // a, b, c                               outcome, status or null, * where it rests                            Retry-After
        ([limited("10"), broken(), limited("99")], ["rate_limited 429 *", "upstream_error 500 *", "rate_limited 429 *"], "10"),
        ([limited("60"), STALL, reset()],        ["rate_limited 429 *", "upstream_error null *", "upstream_error null *"], "30"),
        ([broken(), broken(), limited("0")],     ["upstream_error 500 *", "upstream_error 500 *", "rate_limited 429"], "1"),
        ([limited("0"), limited("-1"), limited("0.0")], ["rate_limited 429", "rate_limited 429", "rate_limited 429"], "1"),
    ];
    for (steps, outcomes, retry_after) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let models = ["a:free", "b:free", "c:free"];
            let script = models
                .iter()
                .zip(&steps)
                .fold(abc(), |s, (id, step)| s.model(*id, step.clone()));
            rig.anew(script).await;
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 503, "{answer:?}");
            assert_eq!(answer.header("retry-after"), retry_after, "{steps:?}");
            assert_eq!(answer.header("x-free-llm-proxy-attempts"), "3");
            assert_eq!(answer.header("content-type"), "application/json");
            let error = &answer.json()["error"];
            assert_eq!(
                (&error["code"], &error["type"], &error["param"]),
                (
                    &json!("all_models_unavailable"),
                    &json!("server_error"),
                    &Value::Null
                )
            );
            assert!(!error["message"].as_str().unwrap().is_empty());
            let attempts = error["attempts"].as_array().unwrap();
            assert_eq!(attempts.len(), 3);
            for ((attempt, expected), model) in attempts.iter().zip(outcomes).zip(models) {
                let fields = attempt.as_object().unwrap().keys();
                assert_eq!(
                    fields.collect::<Vec<_>>(),
                    ["model", "outcome", "status", "available_at"]
                );
                assert_eq!(attempt["model"], model);
                let at = &attempt["available_at"];
                assert!(at.is_null() || is_utc(at), "{attempt}");
                let rests = if at.is_null() { "" } else { " *" };
                let outcome = attempt["outcome"].as_str().unwrap();
                assert_eq!(format!("{outcome} {}{rests}", attempt["status"]), expected);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_2_available_at_is_the_moment_the_model_wakes() {
    let limited = Step::status(429, &[("X-RateLimit-Reset", "9999999999")], "");
    // Further away than 26 h, so it is clamped to that.
    let rig = Rig::paused(abc().others(limited), &[]).await;
    let answer = rig.chat(&Rig::hello()).await;
    let at = answer.json()["error"]["attempts"][0]["available_at"].clone();
    let line = rig.line(&answer);
    assert_eq!(at, line["attempts"][0]["cooldown_until"]);
    assert!(at.as_str().unwrap() > line["ts"].as_str().unwrap());
    assert_eq!(answer.header("retry-after"), (26 * 3600).to_string());
}
