//! §11.2: rests that nothing advised grow.

use std::time::Duration;

use serde_json::json;
use simulator::{Plan, PlanEnd, Point, Step};
use tokio::time::sleep;

use crate::rig::{Answer, Rig, abc};

/// A proxy whose `a` does this and is well afterwards; no request waits for it to wake.
async fn a_does(steps: Vec<Step>, routing: &str) -> Rig {
    let script = abc().model("a:free", Plan::from(steps).then(PlanEnd::Ok));
    let settings = [
        ("ROUTING", routing),
        ("MODEL_FIELD", "pin"),
        ("WAIT_SEC", "0"),
    ];
    Rig::paused(script, &settings).await
}

/// `a` alone is asked, for a stream.
async fn ask(rig: &Rig) -> Answer {
    let mut body = Rig::hello_stream();
    body["model"] = json!("a:free");
    rig.chat(&body).await
}

#[tokio::test(start_paused = true)]
async fn s11_2_rests_that_nothing_advised_grow_to_their_ceiling_and_start_anew_with_a_success() {
    let status = |status| Step::status(status, &[], "");
    let well = Step::ok("hello");
    let advised = Step::status(429, &[("Retry-After", "7")], "");
    #[rustfmt::skip]
    let rows: [(&str, Vec<Step>, &[&str]); 5] = [
        ("balanced", vec![status(500); 6],                                      &["5", "10", "20", "40", "60", "60"]),
        ("balanced", vec![status(429); 7],                                      &["5", "10", "20", "40", "80", "120", "120"]),
        ("balanced", vec![status(500), status(500), well, status(500)],         &["5", "10", "", "5"]),
        ("balanced", vec![status(500), advised, status(500)],                   &["5", "7", "10"]),
        ("rank",     vec![status(500), status(500), status(429)],               &["60", "60", "300"]),
    ];
    for (routing, steps, expected) in rows {
        let rig = a_does(steps, routing).await;
        for seconds in expected {
            let answer = ask(&rig).await;
            assert_eq!(
                answer.header("retry-after"),
                *seconds,
                "{routing} {expected:?}"
            );
            let seconds = seconds.parse().unwrap_or_default();
            sleep(Duration::from_secs(seconds)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_2_a_break_in_mid_stream_means_no_rest() {
    for (routing, then) in [("balanced", 200), ("rank", 503)] {
        let rig = a_does(vec![Step::Close(Point::MidBody)], routing).await;
        assert!(ask(&rig).await.text().contains("upstream_error"));
        assert_eq!(ask(&rig).await.status, then, "{routing}");
    }
}
