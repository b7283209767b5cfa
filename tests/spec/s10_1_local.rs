//! §10.1: the user's own server comes, goes and gets other models while the proxy runs.

use serde_json::{Value, json};
use simulator::{Plan, PlanEnd, Point, ProviderScript, Script, Step};

use crate::rig::{Rig, abc};
use crate::s2_list::pass;

const WITH_OPENROUTER: &[(&str, usize)] = &[("openrouter", 1), ("local", 1)];
const ALONE: &[(&str, usize)] = &[("local", 1)];

fn off() -> Step {
    Step::Close(Point::BeforeHeaders)
}

fn broken() -> Step {
    Step::status(500, &[], "")
}

/// The user's own server, whose list does this.
fn own(list: impl Into<Plan<Step>>) -> ProviderScript {
    ProviderScript::new().entries(["m"]).list(list)
}

async fn models(rig: &Rig) -> Vec<String> {
    let models = rig.get("/v1/models").await.json();
    let models = models["data"].as_array().into_iter().flatten();
    let ids = models.map(|model| model["id"].as_str().unwrap().to_owned());
    ids.filter(|id| id.starts_with("local/")).collect()
}

/// How often its list was asked for since the last look.
fn lists_read(rig: &Rig) -> usize {
    let seen = rig.simulator.requests();
    rig.simulator.clear_requests();
    let lists = seen
        .iter()
        .filter(|seen| seen.path.contains("/local/v1/models"));
    lists.count()
}

#[tokio::test(start_paused = true)]
async fn s10_1_a_server_that_was_off_is_found_within_a_minute_and_its_absence_is_said_once() {
    let list =
        Plan::from([broken(), broken(), broken(), Step::fitting(), broken()]).then(PlanEnd::Last);
    let script = abc().provider("local", own(list));
    let rig = Rig::paused_with_providers(script, WITH_OPENROUTER, &[]).await;
    let failed = || rig.log.of("list_refresh_failed").len();
    #[rustfmt::skip]
    let rows: [(u64, &[&str], usize); 6] = [
        // until s   what is there        said so often that it is off
        (59,         &[],                 1),
        (119,        &[],                 1),
        (170,        &[],                 1),
        (185,        &["local/m"],        1),
        // Off again: its last state is kept.
        (245,        &["local/m"],        2),
        (605,        &["local/m"],        2),
    ];
    let mut now = 0;
    for (until, there, said) in rows {
        pass(until - now).await;
        now = until;
        assert_eq!(models(&rig).await, there, "at {until} s");
        assert_eq!(failed(), said, "at {until} s");
    }
    assert_eq!(
        rig.log.of("snapshot_refreshed").len(),
        1,
        "the ranking is not read more often"
    );
}

#[tokio::test(start_paused = true)]
async fn s10_1_its_list_is_left_alone_while_it_answers() {
    let stalls = own(Step::fitting()).model("m", Step::Stall(Point::MidBody));
    let settings = [
        ("LOCAL_TIMEOUT_SEC", "300"),
        ("REQUEST_BUDGET_SEC", "300"),
        ("MODELS_REFRESH_SEC", "100"),
        ("STREAM_IDLE_TIMEOUT_SEC", "300"),
        ("MODEL_ORDER", "local/m,*"),
    ];
    let rig =
        Rig::paused_with_providers(abc().provider("local", stalls), WITH_OPENROUTER, &settings)
            .await;
    pass(65).await;
    assert_eq!(lists_read(&rig), 2, "at start, and after a minute");
    let hello = Rig::hello();
    tokio::select! {
        answer = rig.chat(&hello) => panic!("{answer:?}"),
        () = pass(150) => {}
    }
    assert_eq!(lists_read(&rig), 0, "it answers");
    pass(65).await;
    assert!(lists_read(&rig) > 0, "the client has left");
}

#[tokio::test(start_paused = true)]
async fn s10_1_without_any_model_it_is_looked_for_every_few_seconds_and_what_is_wrong_is_said() {
    let refused = Step::status(401, &[], json!({"error": {"message": "Invalid API Key"}}));
    let nothing = Step::status(200, &[], json!({"object": "list", "data": []}));
    #[rustfmt::skip]
    let rows = [
        (off(),   "Is it running, and is LOCAL_BASE_URL right?"),
        (refused, "Is LOCAL_API_KEY right?"),
        (nothing, "Give it a model: the proxy finds it by itself."),
    ];
    for (step, next_step) in rows {
        let list = Plan::from([step.clone(), step]).then(PlanEnd::Ok);
        let rig =
            Rig::paused_cold_with_providers(Script::new().provider("local", own(list)), ALONE, &[]);
        pass(3).await;
        let ready = rig.get("/ready").await;
        let said = ready.json();
        assert_eq!(
            (ready.status, &said["code"]),
            (503, &json!("no_list")),
            "{said}"
        );
        let reason = said["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("Your own server has given no list of models yet: "),
            "{reason}"
        );
        assert_eq!(said["next_step"], next_step);
        rig.chat(&Rig::hello()).await.is_error(503, "not_ready");
        rig.get("/v1/models").await.is_error(503, "not_ready");
        pass(10).await;
        assert_eq!(models(&rig).await, ["local/m"], "{next_step}");
        assert_eq!(rig.get("/ready").await.status, 200);
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(
            answer.header("x-free-llm-proxy-provider"),
            "local",
            "{answer:?}"
        );
        let condition = rig.get("/admin/state").await.json()["condition"].clone();
        assert_eq!(condition["next_step"], Value::Null, "{condition}");
    }
}
