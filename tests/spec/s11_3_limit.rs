//! §11.3: the limit on a stream's first token.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Answer as Said, Step};
use tokio::time::{Instant, sleep};

use crate::rig::{Rig, abc};

/// Its first token takes so many seconds, each time.
fn slow(seconds: u64) -> Step {
    Step::from(Said {
        first_delay_ms: seconds * 1000,
        ..Said::text("hello")
    })
}

/// What is so, the routing, the seconds of `a` and of `b`, the request; who is asked, how long it takes, and
/// how often the limit is hit.
type Row<'a> = (&'a str, &'a str, u64, u64, Value, &'a str, u64, f64);

#[tokio::test(start_paused = true)]
async fn s11_3_a_stream_whose_first_token_is_late_goes_to_another_once() {
    let stream = Rig::hello_stream;
    let pinned = || {
        let mut body = stream();
        body["model"] = json!("a:free");
        body
    };
    #[rustfmt::skip]
    let rows: [Row<'_>; 8] = [
        // what                     routing     a, s  b, s  request         asked  in, s  hits
        ("the next answers",        "balanced", 20,   0,    stream(),       "a b", 7,     1.0),
        ("it comes in time",        "balanced", 6,    0,    stream(),       "a",   6,     0.0),
        ("one attempt alone",       "balanced", 20,   20,   stream(),       "a b", 27,    1.0),
        ("the last is waited for",  "balanced", 20,   0,    pinned(),       "a",   20,    0.0),
        ("then as long as always",  "balanced", 40,   0,    pinned(),       "a",   30,    0.0),
        ("a plain answer",          "balanced", 20,   0,    Rig::hello(),   "a",   20,    0.0),
        ("the ranking's order",     "rank",     20,   0,    stream(),       "a",   20,    0.0),
        ("and its own limit",       "rank",     40,   0,    stream(),       "a b", 30,    0.0),
    ];
    for (what, routing, a, b, body, asked, took, hits) in rows {
        let script = abc().model("a:free", slow(a)).model("b:free", slow(b));
        let settings = [
            ("ROUTING", routing),
            ("MODEL_FIELD", "pin"),
            ("WAIT_SEC", "0"),
        ];
        let rig = Rig::paused(script, &settings).await;
        let start = Instant::now();
        rig.chat(&body).await;
        assert_eq!(start.elapsed().as_secs(), took, "{what}");
        assert_eq!(rig.asked(), asked, "{what}");
        let hit = rig.metric("freellm_first_token_limit_hits_total").await;
        assert_eq!(hit, Some(hits), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn s11_3_an_attempt_that_the_limit_ended_counts_as_a_failure_and_means_no_rest() {
    let script = abc().model("a:free", slow(20));
    let rig = Rig::paused(script, &[("ROUTING", "balanced")]).await;
    rig.chat(&Rig::hello_stream()).await;
    rig.asked();
    let explained = rig.post("/admin/explain", &Rig::hello_stream()).await;
    assert_eq!(explained.json()["left_out"], json!([]), "nobody rests");
    rig.chat(&Rig::hello_stream()).await;
    assert_eq!(rig.asked(), "b");
    sleep(Duration::from_secs(3600)).await;
    rig.chat(&Rig::hello_stream()).await;
    assert_eq!(
        rig.asked(),
        "a b",
        "it is tried again once that is forgotten"
    );
}
