//! §2.4: the fallback router that the ranking names.

use serde_json::{Value, json};
use simulator::{Answer, Failure, Plan, PlanEnd, Script, Step, list_of};

use crate::rig::Rig;
use crate::s2_3_catalogue::{catalogue, entry};
use crate::s2_list::ids;

type Settings<'a> = &'a [(&'a str, &'a str)];

const ROUTER: &str = "openrouter/free";

/// A ranking of these models with this `fallback`.
fn list(ids: &[&str], fallback: Value) -> Step {
    let mut list = list_of(ids);
    list["fallback"] = fallback;
    Step::status(200, &[], list)
}

fn routed(ids: &[&str]) -> Script {
    Script::new().list(list(
        ids,
        json!({"id": ROUTER, "reason": "OpenRouter-managed free model router"}),
    ))
}

fn failing(script: Script, ids: &[&str]) -> Script {
    ids.iter()
        .fold(script, |s, id| s.model(*id, Step::status(500, &[], "")))
}

fn tools() -> Value {
    let mut body = Rig::hello();
    body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    body
}

#[tokio::test(start_paused = true)]
async fn s2_4_it_comes_last_and_within_the_cap_of_attempts() {
    let five = ["a:free", "b:free", "c:free", "d:free", "e:free"];
    #[rustfmt::skip]
    let rows: [(&[&str], Settings<'_>, &str, u16); 7] = [
        // models        settings                              asked                         status
        (&five[..1],     &[],                                  "a openrouter/free",          200),
        (&five[..2],     &[],                                  "a b openrouter/free",        200),
        (&five[..4],     &[],                                  "a b c d openrouter/free",    200),
        (&five,          &[],                                  "a b c d e",                  503),
        (&five,          &[("MAX_FALLBACK_ATTEMPTS", "6")],    "a b c d e openrouter/free",  200),
        (&five[..2],     &[("MAX_FALLBACK_ATTEMPTS", "2")],    "a b",                        503),
        (&five[..2],     &[("FALLBACK_ROUTER", "off")],        "a b",                        503),
    ];
    for (ids, settings, asked, status) in rows {
        for body in [Rig::hello(), Rig::hello_stream()] {
            let rig = Rig::paused(failing(routed(ids), ids), settings).await;
            let answer = rig.chat(&body).await;
            assert_eq!(
                (answer.status, rig.asked().as_str()),
                (status, asked),
                "{settings:?}"
            );
            if status == 200 {
                assert_eq!(answer.header("x-free-llm-proxy-model"), ROUTER);
                let tried = asked.split(' ').count();
                assert_eq!(
                    answer.header("x-free-llm-proxy-attempts"),
                    tried.to_string()
                );
            }
        }
    }
    let rig = Rig::paused(routed(&five), &[]).await;
    rig.chat(&Rig::hello()).await;
    assert_eq!(
        rig.asked(),
        "a",
        "it is not asked while a ranked one answers"
    );
}

#[tokio::test(start_paused = true)]
async fn s2_4_a_list_that_names_none_has_none() {
    #[rustfmt::skip]
    let rows = [
        // fallback                            asked
        (json!({"id": ROUTER}),                "a openrouter/free"),
        (json!({"id": "vendor/router:free"}),  "a vendor/router"),
        (Value::Null,                          "a"),
        (json!({}),                            "a"),
        (json!(ROUTER),                        "a"),
        (json!({"id": ""}),                    "a"),
        (json!({"id": 7}),                     "a"),
        (json!({"id": "evil\r\nX: y:free"}),   "a"),
        // It could be billed.
        (json!({"id": "openrouter/auto"}),     "a"),
        // It is in the list already.
        (json!({"id": "a:free"}),              "a"),
    ];
    for (fallback, asked) in rows {
        let script = Script::new()
            .list(list(&["a:free"], fallback.clone()))
            .others(Step::status(500, &[], ""));
        let rig = Rig::paused(script, &[]).await;
        rig.chat(&Rig::hello()).await;
        assert_eq!(rig.asked(), asked, "{fallback}");
    }
    let mut none = list_of(&["a:free"]);
    none.as_object_mut().unwrap().remove("fallback");
    let script = Script::new()
        .list(Step::status(200, &[], none))
        .others(Step::status(500, &[], ""));
    let rig = Rig::paused(script, &[]).await;
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.asked(), "a");
}

#[tokio::test(start_paused = true)]
async fn s2_4_it_counts_for_ready_and_is_in_no_list_and_no_count() {
    let script = failing(routed(&["a:free", "b:free"]), &["a:free", "b:free"]).model(
        ROUTER,
        Plan::from([
            Step::fitting(),
            Step::status(429, &[("Retry-After", "30")], ""),
        ])
        .then(PlanEnd::Ok),
    );
    let rig = Rig::paused(script, &[]).await;
    let counts = async || {
        let ready = rig.get("/ready").await;
        let body = ready.json();
        let gauges = (
            rig.metric("freellm_active_models").await,
            rig.metric("freellm_cooldown_models").await,
        );
        (
            ready.status,
            body["models"].clone(),
            body["available"].clone(),
            gauges,
        )
    };
    assert_eq!(
        counts().await,
        (200, json!(2), json!(2), (Some(2.0), Some(0.0)))
    );
    assert_eq!(rig.log.of("snapshot_refreshed")[0]["count"], 2);
    assert_eq!(ids(&rig).await, ["a:free", "b:free"]);
    rig.get("/v1/models/openrouter/free")
        .await
        .is_error(404, "model_not_found");
    let refreshed = rig.post("/admin/refresh", &Value::Null).await.json();
    assert_eq!(refreshed["models"], 2);

    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(
        counts().await,
        (200, json!(2), json!(0), (Some(2.0), Some(2.0))),
        "it alone is awake"
    );
    let answer = rig.chat(&Rig::hello()).await;
    answer.is_error(503, "all_models_unavailable");
    assert_eq!(
        answer.header("retry-after"),
        "30",
        "it is the first to wake"
    );
    assert_eq!(
        counts().await,
        (503, json!(2), json!(0), (Some(2.0), Some(2.0)))
    );
    assert_eq!(
        rig.attempts(&answer),
        "openrouter/free rate_limited 429".to_owned()
    );
    tokio::time::sleep(std::time::Duration::from_secs(31)).await;
    assert_eq!(counts().await.0, 200);
    rig.simulator.clear_requests();
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(rig.asked(), ROUTER, "and cools down like any other");
}

#[tokio::test(start_paused = true)]
async fn s2_4_its_capabilities_are_the_catalogues() {
    let not = || Step::status(500, &[], "");
    let of_router = |parameters: &[&str]| {
        catalogue([entry(
            ROUTER,
            parameters,
            json!({"pricing": {"prompt": "-1"}}),
        )])
    };
    #[rustfmt::skip]
    let rows = [
        // the catalogue                        with tools             without
        (of_router(&["tools"]),                 "a openrouter/free",   "a openrouter/free"),
        (of_router(&["seed"]),                  "a",                   "a openrouter/free"),
        (of_router(&[]),                        "a",                   "a openrouter/free"),
        (catalogue([]),                         "a",                   "a openrouter/free"),
        (not(),                                 "a",                   "a openrouter/free"),
    ];
    for (catalogue, with, without) in rows {
        for (body, asked) in [(tools(), with), (Rig::hello(), without)] {
            let script = failing(routed(&["a:free"]), &["a:free"]).catalogue(catalogue.clone());
            let rig = Rig::paused(script, &[]).await;
            rig.chat(&body).await;
            assert_eq!(rig.asked(), asked, "{catalogue:?} {body}");
        }
    }
    // It is what remains for a need that no ranked model meets.
    let mut list = list_of(&["a:free"]);
    list["models"][0]["supportsTools"] = false.into();
    let script = Script::new()
        .list(Step::status(200, &[], list))
        .catalogue(of_router(&["tools"]));
    let rig = Rig::paused(script, &[]).await;
    assert_eq!(rig.chat(&tools()).await.status, 200);
    assert_eq!(rig.asked(), ROUTER);
}

#[tokio::test(start_paused = true)]
async fn s2_4_what_it_chose_is_in_the_answers_model() {
    let chosen = Answer {
        model: Some("vendor/chosen:free".into()),
        ..Answer::text("hi")
    };
    let script = failing(routed(&["a:free"]), &["a:free"]).model(ROUTER, Step::from(chosen));
    let rig = Rig::paused(script, &[]).await;
    for body in [Rig::hello(), Rig::hello_stream()] {
        let answer = rig.chat(&body).await;
        assert_eq!(answer.header("x-free-llm-proxy-model"), ROUTER);
        assert!(
            answer.text().contains("\"vendor/chosen:free\""),
            "{answer:?}"
        );
        assert!(!answer.text().contains(ROUTER), "{answer:?}");
        assert_eq!(rig.line(&answer)["chosen_model"], ROUTER);
    }
}

#[tokio::test(start_paused = true)]
async fn s2_4_what_rests_the_account_rests_it_too() {
    let script = routed(&["a:free"]).model("a:free", Step::from(Failure::DailyLimit));
    let rig = Rig::paused(script, &[]).await;
    rig.chat(&Rig::hello())
        .await
        .is_error(503, "account_rate_limited");
    rig.chat(&Rig::hello())
        .await
        .is_error(503, "account_rate_limited");
    assert_eq!(rig.asked(), "a");
    assert_eq!(rig.get("/ready").await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn s2_4_a_new_list_adds_and_removes_it() {
    let lists = [
        list(&["a:free"], json!({"id": ROUTER})),
        list(&["a:free"], Value::Null),
        list(&["a:free"], json!({"id": "other/router:free"})),
    ];
    let script = Script::new()
        .list(Plan::from(lists).then(PlanEnd::Last))
        .others(Step::status(500, &[], ""));
    let rig = Rig::paused(
        script,
        &[
            ("MODELS_REFRESH_SEC", "100"),
            ("GENERIC_ERROR_COOLDOWN_SEC", "0"),
        ],
    )
    .await;
    let mut asked = Vec::new();
    for _ in 0..3 {
        rig.chat(&Rig::hello()).await;
        asked.push(rig.asked());
        tokio::time::sleep(std::time::Duration::from_secs(100)).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(asked, ["a openrouter/free", "a", "a other/router"]);
}
