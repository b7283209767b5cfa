//! §3: `/v1/models`, and `/admin/refresh`.

use std::time::Duration;

use crate::rig::{MODELS, Rig, ranking};
use crate::s2_list::{WISHES, days, ids, pass, reads};
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{Failure, Plan, PlanEnd, Point, Script, Status, Step, list_of};
use tokio::time::Instant;

#[tokio::test]
async fn s3_models_are_listed_by_rank_in_openais_shape() {
    let rig = Rig::start(Script::new()).await;
    for path in ["/v1/models", "/api/v1/models"] {
        let answer = rig.get(path).await;
        assert_eq!(answer.header("content-type"), "application/json");
        let list = answer.json();
        assert_eq!(list["object"], "list");
        let ids: Vec<_> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| &m["id"])
            .collect();
        assert_eq!(ids[..4], WISHES);
        assert_eq!(ids[4..], MODELS);
        let fetched = rig.get("/ready").await.json()["fetched_at"].clone();
        for model in list["data"].as_array().unwrap() {
            assert_eq!(
                (&model["object"], &model["owned_by"]),
                (&json!("model"), &json!("openrouter"))
            );
            let second =
                time::OffsetDateTime::from_unix_timestamp(model["created"].as_i64().unwrap());
            let second = second.unwrap().to_string();
            let (date, time) = (second.split(' ').next(), second.split(' ').nth(1));
            let told = fetched.as_str().unwrap();
            assert_eq!(told.split('T').next(), date, "{told}");
            let clock = |text: &str| {
                text.split(['.', 'Z'])
                    .next()
                    .unwrap()
                    .trim_start_matches('0')
                    .to_owned()
            };
            assert_eq!(told.split('T').nth(1).map(clock), time.map(clock), "{told}");
        }
        let first = &list["data"][4];
        assert_eq!(first["name"], "inclusionAI: Ling-2.6-flash (free)");
        assert_eq!(first["context_length"], 262_144);
        let able = first["supported_parameters"].as_array().unwrap();
        assert!(
            able.contains(&json!("tools")) && !able.contains(&json!("reasoning")),
            "{able:?}"
        );
    }
}

#[tokio::test]
async fn s3_one_model_is_found_however_its_id_is_spelt() {
    let rig = Rig::start(Script::new()).await;
    let first = MODELS[0];
    #[rustfmt::skip]
    let rows = [
        ("inclusionai/ling-2.6-flash:free",           Some(first)),
        ("inclusionai%2Fling-2.6-flash%3Afree",       Some(first)),
        ("inclusionai%2fling-2.6-flash%3afree",       Some(first)),
        ("inclusionai/ling-2.6-flash%3Afree",         Some(first)),
        ("inclusionai/ling-2.6-flash:free/",          Some(first)),
        ("inclusionai/ling-2.6-flash:free?x=1",       Some(first)),
        ("%69nclusionai/ling-2.6-flash:free",         Some(first)),
        ("auto",                                      Some("auto")),
        ("INCLUSIONAI/ling-2.6-flash:free",           None),
        ("inclusionai/ling-2.6-flash",                None),
        ("inclusionai",                               None),
        ("openrouter/free",                           None),
        ("%ff%fe",                                    None),
        ("%00",                                       None),
        ("a%0d%0ab",                                  None),
        ("%",                                         None),
    ];
    let list = rig.get("/v1/models").await.json();
    for prefix in ["/v1/models/", "/api/v1/models/"] {
        for (spelt, expected) in rows {
            let answer = rig.get(&format!("{prefix}{spelt}")).await;
            match expected {
                None => answer.is_error(404, "model_not_found"),
                Some(id) => {
                    assert_eq!(
                        (answer.status, &answer.json()["id"]),
                        (200, &json!(id)),
                        "{spelt}"
                    );
                    assert_eq!(answer.json()["object"], "model");
                    assert_eq!(answer.json()["owned_by"], "openrouter");
                    assert_eq!(answer.json()["created"], list["data"][0]["created"]);
                }
            }
        }
    }
    let listed = &list["data"][4];
    assert_eq!(
        rig.get(&format!("/v1/models/{first}")).await.json(),
        *listed
    );
}

#[tokio::test]
async fn s3_auto_has_the_window_that_three_of_its_models_hold() {
    let rig = Rig::start(Script::new()).await;
    let auto = rig.get("/v1/models/auto").await.json();
    assert_eq!(auto["context_length"], 262_144);
}

#[tokio::test(start_paused = true)]
async fn s3_refreshing_reads_the_list_and_forgets_every_cooldown() {
    let limited = Step::status(429, &[("Retry-After", "5000")], "");
    let script = Script::new()
        .list(days(&[&["a", "b"], &["a", "b", "c"]]))
        .model("a:free", Plan::from(limited).then(PlanEnd::Ok));
    let rig = Rig::paused(script, &[]).await;
    assert_eq!(served_by(&rig).await, "b:free");
    assert_eq!(served_by(&rig).await, "b:free", "a rests");
    let answer = rig.send("POST", "/admin/refresh", &[], "").await;
    assert_eq!(answer.status, 200);
    let told = answer.json();
    let keys: Vec<_> = told.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["models", "fetched_at", "still_out"]);
    assert_eq!(told["still_out"], json!([]));
    assert_eq!(told["models"], 3);
    assert_eq!(
        told["fetched_at"],
        rig.get("/ready").await.json()["fetched_at"]
    );
    assert_eq!(served_by(&rig).await, "a:free", "its rest is forgotten");
    assert_eq!(ids(&rig).await, ["a:free", "b:free", "c:free"]);
}

#[tokio::test(start_paused = true)]
async fn s3_refreshing_forgets_the_accounts_rest_too() {
    let minute = json!({"error": {"message": "free-models-per-min", "code": 429}});
    let refusal = Step::status(429, &[("Retry-After", "5000")], minute);
    let account = Plan::from(refusal).then(PlanEnd::Ok);
    let script = Script::new().list(ranking(&["a:free"])).account(account);
    let rig = Rig::paused(script, &[]).await;
    for _ in 0..2 {
        rig.chat(&Rig::hello())
            .await
            .is_error(503, "account_rate_limited");
    }
    assert_eq!(rig.simulator.models_asked().len(), 1, "the account rests");
    assert_eq!(rig.post("/admin/refresh", &Value::Null).await.status, 200);
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s3_refreshing_forgets_remembered_refusals_too() {
    let no_tools = Plan::from(Step::failure(Failure::NoToolUse)).then(PlanEnd::Ok);
    let script = Script::new()
        .list(ranking(&["a:free", "b:free"]))
        .model("a:free", no_tools);
    let rig = Rig::paused(script, &[]).await;
    let with_tools =
        json!({"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}]});
    let asked = async || {
        assert_eq!(rig.chat(&with_tools).await.status, 200);
        rig.asked()
    };
    assert_eq!(asked().await, "a b");
    assert_eq!(asked().await, "b", "a is known to take no tools");
    assert_eq!(rig.post("/admin/refresh", &Value::Null).await.status, 200);
    assert_eq!(asked().await, "a");
}

#[tokio::test(start_paused = true)]
async fn s3_a_failed_refresh_keeps_the_list_and_its_cooldowns() {
    #[rustfmt::skip]
    let rows = [
        ("fails",       Step::status(500, &[], ""),                 0),
        ("is bad",      Step::status(200, &[], json!({"models": []})), 0),
        ("hangs",       Step::Stall(Point::AfterHeaders),           15),
    ];
    for (what, step, seconds) in rows {
        let limited = Step::status(429, &[("Retry-After", "5000")], "");
        let script = Script::new()
            .list(Plan::from([ranking(&["a:free", "b:free"]), step]).then(PlanEnd::Last))
            .model("a:free", Plan::from(limited).then(PlanEnd::Ok));
        let rig = Rig::paused(script, &[]).await;
        assert_eq!(served_by(&rig).await, "b:free");
        let before = rig.get("/ready").await.json();
        let begun = Instant::now();
        rig.post("/admin/refresh", &Value::Null)
            .await
            .is_error(502, "refresh_failed");
        assert_eq!(begun.elapsed().as_secs(), seconds, "it {what}");
        assert_eq!(rig.get("/ready").await.json(), before, "it {what}");
        assert_eq!(served_by(&rig).await, "b:free", "it {what}: a still rests");
        assert_eq!(rig.log.of("snapshot_refresh_failed").len(), 1, "it {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn s3_simultaneous_refreshes_share_one_read() {
    let slow = |status| {
        Step::Status(Status {
            status,
            headers: Vec::new(),
            body: list_of(&["new:free"]),
            delay_ms: 10_000,
        })
    };
    #[rustfmt::skip]
    let rows = [
        // calls   1 s apart   the read             status
        (2,        false,      slow(200),           200),
        (20,       false,      slow(200),           200),
        (8,        true,       slow(200),           200),
        (8,        true,       slow(500),           502),
        (200,      false,      slow(200),           200),
        (200,      false,      slow(500),           502),
    ];
    for (calls, apart, step, status) in rows {
        let script = Script::new().list(Plan::from([Step::fitting(), step]).then(PlanEnd::Last));
        let rig = Rig::paused(script, &[]).await;
        let (rig, begun) = (&rig, Instant::now());
        let call = |n| async move {
            pass(if apart { n } else { 0 }).await;
            let answer = rig.send("POST", "/admin/refresh", &[], "").await;
            assert_eq!(begun.elapsed().as_secs(), 10);
            (answer.status, answer.json())
        };
        let told = join_all((0..calls).map(call)).await;
        assert!(told.iter().all(|answer| answer.0 == status), "{told:?}");
        assert!(
            told.iter().all(|answer| *answer == told[0]),
            "the same answer for all"
        );
        assert_eq!(
            reads(rig).len(),
            2,
            "{calls} calls, {status}: one read for all"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s3_a_client_that_asks_for_a_refresh_and_leaves_does_no_harm() {
    let script = Script::new().list(
        Plan::from([
            Step::fitting(),
            Step::Stall(Point::BeforeHeaders),
            Step::fitting(),
        ])
        .then(PlanEnd::Last),
    );
    let rig = Rig::paused(script, &[]).await;
    let gave_up = rig.send("POST", "/admin/refresh", &[], "");
    let gave_up = tokio::time::timeout(Duration::from_secs(1), gave_up).await;
    assert!(gave_up.is_err());
    pass(20).await;
    assert_eq!(
        rig.send("POST", "/admin/refresh", &[], "").await.status,
        200
    );
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
}

/// The model that answers now.
async fn served_by(rig: &Rig) -> String {
    let answer = rig.chat(&Rig::hello()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("x-free-llm-proxy-model").to_owned()
}
