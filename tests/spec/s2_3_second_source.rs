//! §2.3: the catalogue as the second source of models.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Plan, PlanEnd, Point, Script, Step};
use tokio::time::{Instant, sleep};

use crate::rig::{Rig, ranking};
use crate::s2_3_catalogue::*;
use crate::s2_list::{days, ids, reads};

#[tokio::test(start_paused = true)]
async fn s2_3_without_a_ranking_the_catalogue_is_the_second_source() {
    let none = Value::Null;
    let rows = [
        entry(
            "d/no-tools:free",
            &["seed"],
            json!({"context_length": 900_000}),
        ),
        entry(
            "c/large:free",
            &["tools"],
            json!({"context_length": 200_000}),
        ),
        entry("b/two:free", &["tools"], none.clone()),
        entry("a/one:free", &["tools", "stop"], none.clone()),
        entry("x/paid", &["tools"], none),
        entry(
            "x/priced:free",
            &["tools"],
            json!({"pricing": {"prompt": "0", "completion": "0.1"}}),
        ),
        entry(
            "x/expired:free",
            &["tools"],
            json!({"expiration_date": "2020-01-01"}),
        ),
        entry(
            "x/painter:free",
            &["tools"],
            json!({"architecture": {"output_modalities": ["image"]}}),
        ),
        entry(
            "openrouter/free",
            &["tools"],
            json!({"context_length": 999_999}),
        ),
    ];
    let down = [
        broken(),
        Step::Reset(Point::BeforeHeaders),
        Step::status(200, &[], "{}"),
    ];
    for list in down {
        let script = Script::new()
            .list(list)
            .catalogue(catalogue(rows.clone()))
            .others(broken());
        let rig = Rig::paused(script, &[]).await;
        let ready = rig.get("/ready").await;
        let body = ready.json();
        assert_eq!((ready.status, &body["status"]), (200, &json!("ready")));
        assert_eq!(
            (&body["source"], &body["models"]),
            (&json!("catalogue"), &json!(4))
        );
        assert_eq!(
            ids(&rig).await,
            [
                "c/large:free",
                "a/one:free",
                "b/two:free",
                "d/no-tools:free"
            ]
        );
        rig.chat(&Rig::hello()).await;
        assert_eq!(
            rig.asked(),
            "c/large a/one b/two d/no-tools",
            "and no fallback router"
        );
        rig.chat(&stop())
            .await
            .is_error(503, "all_models_unavailable");
        rig.chat(&asking(r#"{"reasoning":{}}"#))
            .await
            .is_error(400, "no_capable_model");
    }
}

#[tokio::test(start_paused = true)]
async fn s2_3_meanwhile_the_ranking_is_asked_for_as_without_a_snapshot_and_the_first_good_one_replaces_it()
 {
    let down = [(); 7].map(|()| broken());
    let list = Plan::from(
        down.into_iter()
            .chain([ranking(&["new:free", "both:free"])])
            .collect::<Vec<_>>(),
    )
    .then(PlanEnd::Last);
    let rows = [
        entry("both:free", &["stop"], Value::Null),
        entry("old:free", &["tools"], Value::Null),
    ];
    let limited = Step::status(429, &[("Retry-After", "5000")], "");
    let script = Script::new()
        .list(list)
        .catalogue(catalogue(rows))
        .model("both:free", limited);
    let rig = Rig::paused(script, &[]).await;
    sleep(Duration::from_secs(50)).await;
    assert_eq!(reads(&rig), [0, 1, 3, 7, 15, 30, 45]);
    assert_eq!(rig.get("/ready").await.json()["source"], "catalogue");
    assert_eq!(ids(&rig).await, ["old:free", "both:free"]);
    rig.simulator.clear_requests();
    let mut body = Rig::hello();
    body["stop"] = "END".into();
    rig.chat(&body).await;
    assert_eq!(rig.asked(), "both");
    sleep(Duration::from_secs(15)).await;
    let ready = rig.get("/ready").await.json();
    assert_eq!(
        (&ready["source"], &ready["models"], &ready["available"]),
        (&json!("ranking"), &json!(2), &json!(1))
    );
    assert_eq!(ids(&rig).await, ["new:free", "both:free"]);
    rig.simulator.clear_requests();
    sleep(Duration::from_secs(3500)).await;
    assert_eq!(reads_now(&rig), 0, "from here on once a period");
    sleep(Duration::from_secs(110)).await;
    assert_eq!(reads_now(&rig), 1);
}

fn reads_now(rig: &Rig) -> usize {
    let requests = rig.simulator.requests();
    requests
        .iter()
        .filter(|seen| seen.path == simulator::Simulator::LIST_PATH)
        .count()
}

#[tokio::test(start_paused = true)]
async fn s2_3_a_catalogue_that_hangs_does_not_hold_up_the_next_read_of_the_ranking() {
    for stalled in [
        Step::Stall(Point::BeforeHeaders),
        Step::Stall(Point::MidBody),
    ] {
        let list = Plan::from([broken(), broken(), ranking(&["a:free"])]).then(PlanEnd::Last);
        let script = Script::new().list(list).catalogue(stalled);
        let start = Instant::now();
        let rig = Rig::paused(script, &[]).await;
        // Reads at 0, 1 and 3 s; the good one may wait a second for the catalogue.
        let took = start.elapsed();
        assert!(took < Duration::from_millis(4_100), "{took:?}");
        assert_eq!(reads(&rig), [0, 1, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn s2_3_a_slow_catalogue_is_the_second_source_when_it_comes() {
    for comes in [500, 5_000, 12_000] {
        let slow = delayed(catalogue([entry("a:free", &["stop"], Value::Null)]), comes);
        let script = Script::new().list(broken()).catalogue(slow);
        let start = Instant::now();
        let rig = Rig::paused(script, &[]).await;
        let took = start.elapsed().as_millis() as u64;
        assert!((comes..comes + 100).contains(&took), "{took} ms: {comes}");
        assert_eq!(rig.get("/ready").await.json()["source"], "catalogue");
    }
}

#[tokio::test(start_paused = true)]
async fn s2_3_with_neither_there_is_no_snapshot_and_a_ranking_in_hand_is_kept() {
    let empty = catalogue([entry("x/paid", &["tools"], Value::Null)]);
    for nothing in [broken(), empty] {
        let rig = Rig::paused_cold(Script::new().list(broken()).catalogue(nothing), &[]);
        sleep(Duration::from_secs(40)).await;
        assert_eq!(rig.get("/ready").await.status, 503);
        rig.chat(&Rig::hello()).await.is_error(503, "not_ready");
        assert_eq!(reads(&rig), [0, 1, 3, 7, 15, 30]);
    }
    let list = Plan::from([ranking(&["a:free"]), broken()]).then(PlanEnd::Last);
    let script =
        Script::new()
            .list(list)
            .catalogue(catalogue([entry("b:free", &["tools"], Value::Null)]));
    let rig = Rig::paused(script, &[("MODELS_REFRESH_SEC", "100")]).await;
    sleep(Duration::from_secs(400)).await;
    assert_eq!(rig.get("/ready").await.json()["source"], "ranking");
    assert_eq!(ids(&rig).await, ["a:free"]);
}

#[tokio::test(start_paused = true)]
async fn s2_3_admin_refresh_on_the_second_source_fails_while_the_ranking_is_down() {
    let script = Script::new().list(broken()).catalogue(catalogue([entry(
        "b:free",
        &["tools"],
        Value::Null,
    )]));
    let rig = Rig::paused(script, &[]).await;
    rig.post("/admin/refresh", &Value::Null)
        .await
        .is_error(502, "refresh_failed");
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    rig.simulator.set_list(days(&[&["a"]]));
    let refreshed = rig.post("/admin/refresh", &Value::Null).await;
    assert_eq!(
        (refreshed.status, &refreshed.json()["models"]),
        (200, &json!(1))
    );
    assert_eq!(rig.get("/ready").await.json()["source"], "ranking");
}
