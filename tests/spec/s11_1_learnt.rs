//! §11.1: the order that traffic teaches. The clock is paused, so each time is exact.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use free_llm_proxy::clock::Now;
use futures_util::future::join;
use serde_json::Value;
use simulator::{Answer as Said, Plan, PlanEnd, Point, Script, Step};
use tokio::time::{sleep, timeout};

use crate::rig::{Rig, abc};
use crate::s4_4_as_stream::silent;

const BALANCED: (&str, &str) = ("ROUTING", "balanced");

/// Its first token takes so many milliseconds.
fn slow(millis: u64) -> Step {
    Step::from(Said {
        first_delay_ms: millis,
        ..Said::text("hello")
    })
}

/// A stream of a session of its own.
fn stream() -> Value {
    static SESSIONS: AtomicU64 = AtomicU64::new(0);
    let mut body = Rig::hello_stream();
    body["session_id"] = SESSIONS.fetch_add(1, Relaxed).to_string().into();
    body
}

/// `a` does this, and is well afterwards.
fn a_does(steps: impl IntoIterator<Item = Step>) -> Script {
    let steps: Vec<_> = steps.into_iter().collect();
    abc().model("a:free", Plan::from(steps).then(PlanEnd::Ok))
}

/// Whom so many streams ask, one after the other.
async fn streams(rig: &Rig, many: usize) -> String {
    for _ in 0..many {
        let answer = rig.chat(&stream()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    rig.asked()
}

#[tokio::test(start_paused = true)]
async fn s11_1_a_slow_favourite_is_left_until_that_is_forgotten() {
    #[rustfmt::skip]
    let rows = [
        // routing, its first token takes, ms   at first   then   an hour later
        ("balanced", 6_000,                     "a",       "b b",  "a"),
        ("balanced", 2_000,                     "a",       "a a",  "a"),
        ("rank",     6_000,                     "a",       "a a",  "a"),
    ];
    for (routing, millis, first, then, later) in rows {
        let rig = Rig::paused(a_does([slow(millis)]), &[("ROUTING", routing)]).await;
        let case = format!("{routing} {millis}");
        assert_eq!(streams(&rig, 1).await, first, "{case}");
        assert_eq!(streams(&rig, 2).await, then, "{case}");
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(streams(&rig, 1).await, later, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_1_a_failure_counts_beyond_its_rest() {
    let fails = || Step::status(429, &[("Retry-After", "1")], "");
    for (routing, then) in [("balanced", "b"), ("rank", "a")] {
        let rig = Rig::paused(a_does([fails()]), &[("ROUTING", routing)]).await;
        assert_eq!(streams(&rig, 1).await, "a b", "{routing}");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(streams(&rig, 1).await, then, "{routing}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_1_an_answer_with_nothing_in_it_teaches_nothing() {
    let rig = Rig::paused(a_does([silent(true, "x")]), &[BALANCED]).await;
    assert_eq!(streams(&rig, 2).await, "a b a");
}

#[tokio::test(start_paused = true)]
async fn s11_1_what_is_silent_now_is_passed_over_now() {
    #[rustfmt::skip]
    let rows = [
        // routing, silent for, ms   whom both ask
        ("balanced", 3_000,          "a b"),
        ("balanced", 1_000,          "a a"),
        ("rank",     3_000,          "a a"),
    ];
    for (routing, millis, expected) in rows {
        let rig = Rig::paused(a_does([slow(6_500)]), &[("ROUTING", routing)]).await;
        let second = async {
            sleep(Duration::from_millis(millis)).await;
            rig.chat(&stream()).await
        };
        let (first, second) = join(rig.chat(&stream()), second).await;
        assert_eq!((first.status, second.status), (200, 200));
        assert_eq!(rig.asked(), expected, "{routing} {millis}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_1_a_client_that_leaves_has_taught_nothing() {
    let rig = Rig::paused(a_does([slow(60_000)]), &[BALANCED]).await;
    let body = stream();
    let left = timeout(Duration::from_secs(5), rig.chat(&body)).await;
    assert!(left.is_err());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(streams(&rig, 2).await, "a a a");
}

#[tokio::test(start_paused = true)]
async fn s11_1_answers_that_break_off_count_for_half_an_hour() {
    let rig = Rig::paused(a_does([Step::Close(Point::MidBody)]), &[BALANCED]).await;
    let broken = rig.chat(&stream()).await;
    assert!(broken.text().contains("upstream_error"), "{broken:?}");
    assert_eq!(streams(&rig, 1).await, "a b");
    sleep(Duration::from_secs(600)).await;
    assert_eq!(streams(&rig, 1).await, "b");
    sleep(Duration::from_secs(6 * 3600)).await;
    assert_eq!(streams(&rig, 1).await, "a");
}

/// Until so many hours of a day by UTC are over.
async fn until_hour(hour: u64) {
    let now = Now::read().unix_seconds();
    let day = 24 * 3600;
    let ahead = (hour * 3600 + day - now % day) % day;
    sleep(Duration::from_secs(ahead)).await;
}

#[tokio::test(start_paused = true)]
async fn s11_1_an_account_whose_day_runs_out_early_is_asked_less() {
    let file = "[providers.groq]\nlimits = [{ requests = 50, per = 'day', ends = 'utc' }]\n";
    let providers = [("openrouter", 1), ("groq", 1), ("nvidia", 1)];
    #[rustfmt::skip]
    let rows = [
        // routing   hour   drawn of Groq's 50   who is asked for a model of both, half an hour apart
        ("balanced", 1,     40,                  ["nvidia", "nvidia"]),
        ("balanced", 1,     0,                   ["groq", "groq"]),
        ("balanced", 12,    20,                  ["groq", "groq"]),
        ("balanced", 22,    40,                  ["groq", "groq"]),
        ("rank",     1,     40,                  ["groq", "groq"]),
    ];
    for (routing, hour, drawn, expected) in rows {
        let settings = [
            ("ROUTING", routing),
            ("MODEL_FIELD", "prefer"),
            ("CONFIG_FILE", file),
        ];
        let rig = Rig::paused_with_providers(abc(), &providers, &settings).await;
        until_hour(hour).await;
        let asks = async |model: &str| {
            let mut body = stream();
            body["model"] = model.into();
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.header("x-free-llm-proxy-provider").to_owned()
        };
        for _ in 0..drawn {
            assert_eq!(asks("groq/openai/gpt-oss-120b").await, "groq");
        }
        for expected in expected {
            // What these requests taught of its speed is forgotten by then.
            sleep(Duration::from_secs(1800)).await;
            let case = format!("{routing}, {drawn} by {hour}:00");
            assert_eq!(asks("gpt-oss-120b").await, expected, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_7_explain_shows_what_each_would_cost() {
    let rig = Rig::paused(a_does([slow(6_000)]), &[BALANCED]).await;
    streams(&rig, 1).await;
    let explained = rig.post("/admin/explain", &stream()).await;
    let explained = explained.json();
    let told = explained["through"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .map(|one| {
            (
                one["model"].as_str().unwrap(),
                &one["cost"],
                &one["cost_sec"],
            )
        })
        .collect();
    let text = |words: &str| Value::from(words);
    #[rustfmt::skip]
    let expected = [
        ("b:free", text("2.0 s for its place, 1.5 s to the first token, 0.1 s for failures"), Value::from(3.56)),
        ("a:free", text("3.8 s to the first token"),                                          Value::from(3.78)),
        ("c:free", text("4.0 s for its place, 1.5 s to the first token, 0.1 s for failures"), Value::from(5.56)),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(id, words, sec)| (*id, words, sec))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(streams(&rig, 1).await, "b", "as explained");
}
