//! §4.7: many at once, when a rest has just ended and when a model has just failed.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use simulator::{Answer as Said, Failure, Plan, PlanEnd, Script, Step};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, timeout};

use crate::rig::{Answer, Rig, abc, ranking};
use crate::scripts::{STALL, in_bytes, late, plenty};

/// How many arrive at once.
const MANY: usize = 200;

/// Rests 10 s, then this.
fn rested(then: impl IntoIterator<Item = Step>) -> Plan<Step> {
    let rest = Step::status(429, &[("Retry-After", "10")], "");
    let steps: Vec<_> = std::iter::once(rest).chain(then).collect();
    Plan::from(steps).then(PlanEnd::Ok)
}

/// Answers after this many seconds.
fn slow(seconds: u64) -> Step {
    Step::from(Said {
        first_delay_ms: seconds * 1000,
        ..Said::text("back")
    })
}

/// A proxy whose `a` has rested 10 s and wakes now; the requests until then are forgotten.
async fn waking(script: Script, settings: &[(&str, &str)]) -> Rig {
    let rig = Rig::paused(script.key(plenty()), settings).await;
    rig.chat(&Rig::hello()).await;
    sleep(Duration::from_millis(10_100)).await;
    rig.simulator.clear_requests();
    rig
}

/// This many requests at once, alternately plain and streamed, and their answers with how long each
/// took.
async fn at_once(rig: &Rig, many: usize) -> Vec<(Answer, u64)> {
    let start = Instant::now();
    let (plain, stream) = (Rig::hello(), Rig::hello_stream());
    let requests = (0..many).map(async |at| {
        let body = if at % 2 == 0 { &plain } else { &stream };
        let answer = rig.chat(body).await;
        (answer, start.elapsed().as_secs())
    });
    join_all(requests).await
}

/// How often each of these models was asked since the last call.
fn counts<const N: usize>(rig: &Rig, models: [&str; N]) -> [usize; N] {
    let asked = rig.asked();
    let asked: Vec<_> = asked.split(' ').collect();
    models.map(|model| asked.iter().filter(|a| **a == model).count())
}

fn statuses(answers: &[(Answer, u64)], status: u16) -> usize {
    answers.iter().filter(|(a, _)| a.status == status).count()
}

fn one(id: &str) -> Script {
    Script::new().list(ranking(&[id]))
}

#[tokio::test(start_paused = true)]
async fn s4_7_after_a_rest_one_request_probes_and_the_others_go_to_the_next() {
    #[rustfmt::skip]
    let rows = [
        // what the probe meets                                   a        b              slowest, s
        (slow(5),                                                 1,       MANY - 1,      5),
        (late(429, &[("Retry-After", "60")], 5_000),              1,       MANY,          5),
        (late(500, &[], 5_000),                                   1,       MANY,          5),
        (STALL,                                                   1,       MANY,          30),
    ];
    for (probe, a, b, seconds) in rows {
        let why = format!("{probe:?}");
        let script = abc().model("a:free", rested([probe]));
        let rig = waking(script, &[("STREAM_KEEPALIVE_SEC", "0")]).await;
        let answers = at_once(&rig, MANY).await;
        assert_eq!(statuses(&answers, 200), MANY, "{why}");
        assert_eq!(counts(&rig, ["a", "b", "c"]), [a, b, 0], "{why}");
        let waited = answers.iter().filter(|(_, took)| *took > 0);
        assert_eq!(waited.count(), 1, "only the probe takes its time: {why}");
        assert_eq!(
            answers.iter().map(|(_, took)| *took).max(),
            Some(seconds),
            "{why}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s4_7_after_a_probe_that_went_well_all_go_to_the_model_again() {
    let script = abc().model("a:free", rested([slow(5)]));
    let rig = waking(script, &[]).await;
    at_once(&rig, MANY).await;
    rig.simulator.clear_requests();
    at_once(&rig, MANY).await;
    assert_eq!(counts(&rig, ["a", "b", "c"]), [MANY, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn s4_7_those_with_no_other_candidate_wait_for_the_probe() {
    let fails = || late(500, &[], 5_000);
    #[rustfmt::skip]
    let rows = [
        // what `a`, the only one, meets after its rest  asked   200      503        seconds
        (vec![slow(5)],                                  MANY,   MANY,    0,         5),
        (vec![fails()],                                  1,      0,       MANY,      5),
        // A refusal of one request is an answer: the model is fine.
        (vec![late(400, &[], 5_000)],                    MANY,   MANY - 1, 0,        5),
    ];
    for (steps, asked, well, unwell, seconds) in rows {
        let why = format!("{steps:?}");
        let rig = waking(one("a:free").model("a:free", rested(steps)), &[]).await;
        let answers = at_once(&rig, MANY).await;
        assert_eq!(counts(&rig, ["a"]), [asked], "{why}");
        assert_eq!(
            (statuses(&answers, 200), statuses(&answers, 503)),
            (well, unwell),
            "{why}"
        );
        assert!(answers.iter().all(|(_, took)| *took == seconds), "{why}");
        for (answer, _) in answers.iter().filter(|(a, _)| a.status == 503) {
            answer.is_error(503, "all_models_unavailable");
            assert_eq!(answer.header("retry-after"), "60", "{why}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_7_two_that_wake_together_have_one_probe_each() {
    let script = Script::new()
        .list(ranking(&["a:free", "b:free"]))
        .model("a:free", rested([late(500, &[], 5_000)]))
        .model("b:free", rested([slow(8)]));
    let rig = waking(script, &[]).await;
    let answers = at_once(&rig, MANY).await;
    assert_eq!(statuses(&answers, 200), MANY);
    assert_eq!(counts(&rig, ["a", "b"]), [1, MANY]);
    assert!(
        answers.iter().all(|(_, took)| *took == 8),
        "the rest waited for b's"
    );
}

#[tokio::test(start_paused = true)]
async fn s4_7_the_wait_for_a_probe_is_bounded_by_the_budget() {
    let script = one("a:free").model("a:free", rested([STALL, STALL]));
    let settings = [("REQUEST_BUDGET_SEC", "7"), ("STREAM_KEEPALIVE_SEC", "0")];
    let rig = waking(script, &settings).await;
    let answers = at_once(&rig, MANY).await;
    assert_eq!(statuses(&answers, 503), MANY);
    assert_eq!(counts(&rig, ["a"]), [1]);
    for (answer, took) in &answers {
        answer.is_error(503, "all_models_unavailable");
        assert!(matches!(took, 7 | 30), "{took}");
    }
    assert_eq!(answers.iter().filter(|(_, took)| *took == 30).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn s4_7_a_probe_whose_client_leaves_hands_on_to_the_next() {
    for account in [false, true] {
        let steps = [STALL, slow(5)];
        let script = if account {
            let daily = Step::status(
                429,
                &[("Retry-After", "10")],
                json!({"error": {"message": "free-models-per-min"}}),
            );
            let [first, second] = steps;
            one("a:free").account(Plan::from([daily, first, second]).then(PlanEnd::Ok))
        } else {
            one("a:free").model("a:free", rested(steps))
        };
        let rig = waking(script, &[]).await;
        let mut client = rig.pipe();
        client
            .write_all(in_bytes(&Rig::hello()).as_bytes())
            .await
            .unwrap();
        rig.simulator.until(|s| s.models_asked().len() == 1).await;
        let start = Instant::now();
        let leaves = async {
            sleep(Duration::from_secs(3)).await;
            assert_eq!(
                rig.simulator.models_asked().len(),
                1,
                "all wait for the first"
            );
            drop(client);
        };
        let (answers, ()) = tokio::join!(at_once(&rig, MANY), leaves);
        assert_eq!(statuses(&answers, 200), MANY, "{account}");
        // One more probe of 5 s, begun when the client had left, and then the herd.
        assert_eq!(counts(&rig, ["a"]), [1 + MANY], "{account}");
        assert_eq!(start.elapsed().as_secs(), 8, "{account}");
        let left = rig.log.of("request_done");
        let left = left.iter().filter(|line| line["status"] == 499);
        assert_eq!(left.count(), 1, "{account}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_7_after_the_accounts_rest_one_request_probes_and_all_wait_for_it() {
    let minute = |seconds, delay_ms| {
        let body = json!({"error": {"code": 429, "message": "Rate limit exceeded: free-models-per-min. "}});
        let Step::Status(mut status) = Step::status(429, &[("Retry-After", seconds)], body) else {
            panic!("it is a status")
        };
        status.delay_ms = delay_ms;
        Step::Status(status)
    };
    #[rustfmt::skip]
    let rows = [
        // what the probe meets          asked       200     503
        (slow(1),                        MANY,       MANY,   0),
        (minute("30", 1_000),            1,          0,      MANY),
        // The model fails, and with that the account is known to be fine.
        (late(500, &[], 1_000),          MANY + 1,   MANY,   0),
    ];
    for (probe, asked, well, unwell) in rows {
        let why = format!("{probe:?}");
        let script = abc().account(Plan::from([minute("10", 0), probe]).then(PlanEnd::Ok));
        let rig = waking(script, &[]).await;
        let answers = at_once(&rig, MANY).await;
        assert_eq!(
            (statuses(&answers, 200), statuses(&answers, 503)),
            (well, unwell),
            "{why}"
        );
        assert_eq!(rig.asked().split(' ').count(), asked, "{why}");
        for (answer, took) in &answers {
            assert_eq!(*took, 1, "{why}");
            if answer.status == 503 {
                answer.is_error(503, "account_rate_limited");
                assert_eq!(answer.header("retry-after"), "30", "{why}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_7_after_a_402_one_request_probes_too() {
    for (probe, asked, status) in [
        (Step::from(Failure::InsufficientCredits), 1, 402),
        (slow(5), MANY, 200),
    ] {
        let first = Step::status(
            402,
            &[("Retry-After", "10")],
            json!({"error": {"message": "x"}}),
        );
        let script = abc().account(Plan::from([first, probe]).then(PlanEnd::Ok));
        let rig = waking(script, &[]).await;
        let answers = at_once(&rig, MANY).await;
        assert_eq!(statuses(&answers, status), MANY);
        assert_eq!(rig.asked().split(' ').count(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn s4_7_the_wait_for_the_accounts_probe_is_bounded_by_the_budget() {
    let minute = Step::status(
        429,
        &[("Retry-After", "10")],
        json!({"error": {"message": "free-models-per-min"}}),
    );
    let script = abc().account(Plan::from([minute, STALL]).then(PlanEnd::Last));
    let settings = [("REQUEST_BUDGET_SEC", "7"), ("STREAM_KEEPALIVE_SEC", "0")];
    let rig = waking(script, &settings).await;
    let answers = timeout(Duration::from_secs(35), at_once(&rig, MANY))
        .await
        .unwrap();
    assert_eq!(statuses(&answers, 503), MANY);
    assert_eq!(rig.asked(), "a b c", "one more with each that is late");
}

#[tokio::test(start_paused = true)]
async fn s4_7_a_hanging_probe_of_the_account_delays_no_request_for_long() {
    let minute = || {
        let body = json!({"error": {"message": "free-models-per-min"}});
        Step::status(429, &[("Retry-After", "10")], body)
    };
    #[rustfmt::skip]
    let rows = [
        // what the probes meet                 asked until one answers   the others wait, s
        (vec![STALL],                           "a b",                    2),
        (vec![STALL, STALL],                    "a b c",                  4),
        (vec![slow(20), slow(20)],              "a b c",                  4),
        (vec![slow(1)],                         "a",                      1),
    ];
    for (probes, asked, seconds) in rows {
        let why = format!("{probes:?}");
        let steps: Vec<_> = std::iter::once(minute()).chain(probes).collect();
        let script = abc().account(Plan::from(steps).then(PlanEnd::Ok));
        let rig = waking(script, &[("STREAM_KEEPALIVE_SEC", "0")]).await;
        let answers = at_once(&rig, MANY).await;
        assert_eq!(statuses(&answers, 200), MANY, "{why}");
        let all = rig.asked();
        assert!(all.starts_with(asked), "{why}: {all}");
        let on_time = answers.iter().filter(|(_, took)| *took == seconds).count();
        let probes = asked.split(' ').count();
        assert!(on_time > MANY - probes, "{why}: {on_time}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_7_how_long_a_probe_may_take_follows_from_the_models_own_streams() {
    let first_token = |ms| {
        Step::from(Said {
            first_delay_ms: ms,
            ..Said::text("back")
        })
    };
    let minute = Step::status(
        429,
        &[("Retry-After", "10")],
        json!({"error": {"message": "free-models-per-min"}}),
    );
    #[rustfmt::skip]
    let rows = [
        // `a` begins after, ms   the others wait, s: figures are right to within an eighth
        (600,                     0..=0),
        (5_500,                   4..=6),
    ];
    for (ms, seconds) in rows {
        let usual = [first_token(ms), first_token(ms), first_token(ms)];
        let steps: Vec<_> = usual.into_iter().chain([minute.clone(), STALL]).collect();
        let script = abc().account(Plan::from(steps).then(PlanEnd::Ok));
        let script = script.key(plenty());
        let rig = Rig::paused(script, &[("STREAM_KEEPALIVE_SEC", "0")]).await;
        for _ in 0..3 {
            assert_eq!(rig.chat(&Rig::hello_stream()).await.status, 200);
        }
        rig.chat(&Rig::hello())
            .await
            .is_error(503, "account_rate_limited");
        sleep(Duration::from_millis(10_100)).await;
        rig.simulator.clear_requests();
        let answers = at_once(&rig, MANY).await;
        assert!(rig.asked().starts_with("a b"), "{ms}");
        let on_time = answers.iter().filter(|(_, took)| seconds.contains(took));
        assert_eq!(on_time.count(), MANY - 1, "{ms}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_7_requests_that_begin_after_a_failure_was_learnt_never_run_into_it() {
    #[rustfmt::skip]
    let rows = [
        Step::status(429, &[("Retry-After", "100")], ""),
        Step::status(500, &[], ""),
        Failure::NoEndpoints.into(),
        Failure::Harness.into(),
        Failure::TimedOut.into(),
        Failure::OkZeroTokens.into(),
        Failure::OkHtml.into(),
        Step::Reset(simulator::Point::AfterHeaders),
        STALL,
    ];
    for step in rows {
        let rig = Rig::paused(
            abc().model("a:free", step.clone()).key(plenty()),
            &[("STREAM_KEEPALIVE_SEC", "0")],
        )
        .await;
        rig.chat(&Rig::hello()).await;
        assert_eq!(rig.asked(), "a b", "{step:?}");
        let answers = at_once(&rig, MANY).await;
        assert_eq!(statuses(&answers, 200), MANY, "{step:?}");
        for _ in 0..MANY {
            assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
        }
        assert_eq!(counts(&rig, ["a", "b", "c"]), [0, 2 * MANY, 0], "{step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_7_a_failure_learnt_while_others_are_under_way_spares_those_that_begin_later() {
    // Ten are in progress when the first gets its answer; ten more begin then, and skip it.
    let script = abc().model("a:free", late(500, &[], 5_000));
    let rig = Rig::paused(script, &[]).await;
    let later = async {
        sleep(Duration::from_millis(5_010)).await;
        at_once(&rig, 10).await
    };
    let (first, then) = tokio::join!(at_once(&rig, 10), later);
    assert_eq!(statuses(&first, 200) + statuses(&then, 200), 20);
    assert!(then.iter().all(|(_, took)| *took == 0));
    assert_eq!(counts(&rig, ["a", "b"]), [10, 20]);
}

#[tokio::test(start_paused = true)]
async fn s4_7_a_model_that_wakes_while_another_is_probed_is_asked() {
    let limited = |seconds: &str| Step::status(429, &[("Retry-After", seconds)], "");
    let script = abc()
        .list(ranking(&["a:free", "b:free"]))
        .model("a:free", vec![limited("1"), STALL])
        .model("b:free", vec![limited("3"), Step::fitting()]);
    let rig = Rig::paused(script, &[]).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 503);
    let begun = Instant::now();
    sleep(Duration::from_millis(1_300)).await;
    let second = async {
        sleep(Duration::from_millis(300)).await;
        let answer = rig.chat(&Rig::hello()).await;
        (
            answer.header("x-free-llm-proxy-model").to_owned(),
            begun.elapsed().as_millis(),
        )
    };
    let request = Rig::hello();
    let (_, (model, took)) = tokio::join!(rig.chat(&request), second);
    assert_eq!(model, "b:free");
    assert!((3_000..3_100).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn s4_7_the_503_of_who_waits_for_a_probe_tells_of_no_later_return() {
    let limited = |seconds: &str| Step::status(429, &[("Retry-After", seconds)], "");
    let script = abc()
        .list(ranking(&["a:free", "b:free"]))
        .model("a:free", vec![limited("1"), STALL])
        .model("b:free", limited("100"));
    let rig = Rig::paused(script, &[("REQUEST_BUDGET_SEC", "5")]).await;
    rig.chat(&Rig::hello()).await;
    sleep(Duration::from_millis(1_100)).await;
    let waits = async {
        sleep(Duration::from_millis(100)).await;
        rig.chat(&Rig::hello()).await
    };
    let request = Rig::hello();
    let (_, answer) = tokio::join!(rig.chat(&request), waits);
    answer.is_error(503, "all_models_unavailable");
    // `b` wakes in 94 s, but how the probe ends may be known at any moment.
    assert_eq!(answer.header("retry-after"), "1");
}
