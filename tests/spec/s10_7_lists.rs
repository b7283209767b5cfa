//! §10.7: the lists of several providers: one that is slow, broken, huge or hostile does not affect
//! the others, and keeps its last state.

use serde_json::{Value, json};
use simulator::{Plan, PlanEnd, Point, ProviderScript, Script, Step, Then};

use crate::rig::providers::key_of;
use crate::rig::{Rig, abc, ranking};
use crate::s2_list::pass;
use crate::scripts::{STALL, late};

const GROQ: [&str; 2] = ["openai/gpt-oss-20b", "qwen/qwen3.8-27b"];
/// Groq's row, in the order of the canonical keys' quality.
const ROW: [&str; 3] = [
    "groq/openai/gpt-oss-120b",
    "groq/openai/gpt-oss-20b",
    "groq/qwen/qwen3.8-27b",
];
const PROVIDERS: &[(&str, usize)] = &[("openrouter", 1), ("groq", 1), ("mistral", 1)];

/// Groq lists two of the three models of its row, and afterwards its list follows this plan.
fn then(step: impl Into<Step>) -> Script {
    let plan = Plan::from([Step::fitting(), step.into()]).then(PlanEnd::Last);
    script(plan, &GROQ)
}

fn script(plan: impl Into<Plan<Step>>, listed: &[&str]) -> Script {
    let groq = ProviderScript::new().entries(listed.to_vec()).list(plan);
    let mistral = ProviderScript::new().entries(["mistral-small-2603"]);
    abc().provider("groq", groq).provider("mistral", mistral)
}

/// The public ids with this prefix, in order; all for an empty prefix.
async fn ids(rig: &Rig, beginning: &str) -> Vec<String> {
    let models = rig.get("/v1/models").await.json();
    let models = models["data"].as_array().unwrap().iter();
    let ids = models.map(|model| model["id"].as_str().unwrap().to_owned());
    let is_model = |id: &String| id.starts_with(beginning) && !id.starts_with("auto");
    ids.filter(is_model).collect()
}

async fn sorted(rig: &Rig, beginning: &str) -> Vec<String> {
    let mut ids = ids(rig, beginning).await;
    ids.sort();
    ids
}

/// A request for this model only.
fn pinned(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
}

const PIN: (&str, &str) = ("MODEL_FIELD", "pin");

fn bad_lists() -> Vec<(&'static str, Step, &'static str, u64)> {
    let text = |status, body: &str| Step::status(status, &[], body);
    let huge = format!("{{\"data\":[{}]}}", "{\"id\":\"x/y\"},".repeat(20_000));
    vec![
        // the read                                                        type               seconds
        ("is a 500", text(500, ""), "status", 0),
        ("is a 404", text(404, "{}"), "status", 0),
        ("is a dead key", text(401, "{}"), "status", 0),
        (
            "is a redirect",
            Step::Redirect("http://evil.test/".into()),
            "status",
            0,
        ),
        (
            "is a page",
            text(200, "<html>Sign in</html>"),
            "invalid_json",
            0,
        ),
        (
            "is half",
            text(200, "{\"data\":[{\"id\":\"a"),
            "invalid_json",
            0,
        ),
        ("is empty", text(200, ""), "invalid_json", 0),
        (
            "is another shape",
            text(200, "{\"things\":[]}"),
            "wrong_shape",
            0,
        ),
        (
            "lists nothing",
            text(200, "{\"data\":[]}"),
            "no_usable_model",
            0,
        ),
        ("is huge", text(200, &huge), "network", 0),
        (
            "is no HTTP",
            Step::raw("hello\r\n\r\n", Then::Close),
            "network",
            0,
        ),
        ("is closed", Step::Close(Point::BeforeHeaders), "network", 0),
        (
            "breaks in the body",
            Step::Close(Point::MidBody),
            "network",
            0,
        ),
        ("is never answered", STALL, "timeout", 15),
        (
            "stalls in the body",
            Step::Stall(Point::MidBody),
            "timeout",
            15,
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_list_that_fails_keeps_its_last_state_and_costs_no_other_anything() {
    for (what, step, kind, seconds) in bad_lists() {
        let settings = [
            ("MODELS_REFRESH_SEC", "100"),
            ("MAX_CATALOGUE_BYTES", "200000"),
            PIN,
        ];
        let rig = Rig::paused_with_providers(then(step), PROVIDERS, &settings).await;
        let before = ids(&rig, "").await;
        assert_eq!(sorted(&rig, "groq/").await, ROW[1..], "{what}");
        // It is due after 100 s, and waited for one second more.
        pass(102).await;
        assert_eq!(rig.log.of("snapshot_refreshed").len(), 2, "{what}");
        pass(seconds).await;
        let lines = rig.log.of("list_refresh_failed");
        assert_eq!(lines.len(), 1, "{what}: {lines:?}");
        let line = &lines[0];
        let told = (&line["provider"], &line["type"], &line["level"]);
        assert_eq!(
            told,
            (&json!("groq"), &json!(kind), &json!("WARNING")),
            "{what}"
        );
        assert_eq!(ids(&rig, "").await, before, "{what}");
        for model in [ROW[1], "mistral/mistral-small-2603", "b:free"] {
            let answer = rig.chat(&pinned(model)).await;
            let served = (answer.status, answer.header("x-free-llm-proxy-model"));
            assert_eq!(served, (200, model), "{what}");
        }
        assert_eq!(rig.get("/ready").await.status, 200, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_list_that_fails_at_the_start_falls_back_to_the_row() {
    for (what, step, _, seconds) in bad_lists() {
        let settings = [("MAX_CATALOGUE_BYTES", "200000"), PIN];
        let rig = Rig::paused_with_providers(script(step, &GROQ), PROVIDERS, &settings).await;
        assert_eq!(sorted(&rig, "groq/").await, ROW, "{what}");
        assert_eq!(
            ids(&rig, "mistral/").await,
            ["mistral/mistral-small-2603"],
            "{what}"
        );
        let answer = rig.chat(&pinned(ROW[0])).await;
        // It was in the row, and now it no longer is.
        assert_eq!(answer.status, 503, "{what}: {answer:?}");
        assert_eq!(rig.chat(&pinned(ROW[1])).await.status, 200, "{what}");
        pass(1 + seconds).await;
        assert_eq!(rig.log.of("list_refresh_failed").len(), 1, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_7_what_is_hostile_in_a_list_costs_itself() {
    let key = key_of("mistral", 1);
    let long = "x".repeat(5_000);
    let odd = |id: &str| json!({"id": id, "object": "model", "active": true});
    let entries = [
        odd("openai/gpt-oss-20b"),
        odd("a\nb"),
        odd("\u{202e}evil"),
        odd("with blank"),
        odd(&long),
        odd(&key),
        odd(""),
        json!({"id": 7}),
        json!({"id": "wide/window", "active": true, "context_window": -5, "max_completion_tokens": 1e300}),
        json!(null),
        json!("qwen/qwen3.8-27b"),
        odd("openai/gpt-oss-20b"),
    ];
    let list = Step::status(200, &[], json!({"object": "list", "data": entries}));
    let rig = Rig::paused_with_providers(script(list, &GROQ), PROVIDERS, &[]).await;
    let listed = rig.get("/v1/models").await;
    let groq = sorted(&rig, "groq/").await;
    assert_eq!(
        groq[..2],
        ["groq/openai/gpt-oss-20b", "groq/wide/window"],
        "{groq:?}"
    );
    assert!(groq.len() <= 3, "{groq:?}");
    let models = listed.json();
    let mut models = models["data"].as_array().unwrap().iter();
    let wide = models
        .find(|model| model["id"] == "groq/wide/window")
        .unwrap();
    assert!(
        wide["context_length"].is_null() && wide["context_window"].is_null(),
        "{wide}"
    );
    for path in ["/v1/models", "/admin/state", "/metrics"] {
        let said = rig.get(path).await.text();
        assert!(!said.contains(&key) && !said.contains(&long), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_slow_list_is_not_waited_for_and_counts_when_it_comes() {
    let list = |delay_ms| {
        let Step::Status(mut step) = late(200, &[], delay_ms) else {
            panic!("it is a status")
        };
        step.body = json!({"data": [{"id": "qwen/qwen3.8-27b", "active": true}]});
        Step::Status(step)
    };
    #[rustfmt::skip]
    let rows = [
        // the list comes after ms   Groq's models at first   and then
        (0,                          &ROW[2..],               &ROW[2..]),
        (900,                        &ROW[2..],               &ROW[2..]),
        (5_000,                      &ROW[..],                &ROW[2..]),
        (20_000,                     &ROW[..],                &ROW[..]),
    ];
    for (delay, first, then) in rows {
        let rig = Rig::paused_with_providers(script(list(delay), &GROQ), PROVIDERS, &[]).await;
        assert_eq!(sorted(&rig, "groq/").await, first, "after {delay} ms");
        assert_eq!(
            rig.chat(&Rig::hello()).await.status,
            200,
            "after {delay} ms"
        );
        pass(21).await;
        assert_eq!(sorted(&rig, "groq/").await, then, "after {delay} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_provider_beside_openrouter_answers_without_a_ranking() {
    #[rustfmt::skip]
    let rows = [
        // the ranking                            the catalogue                           OpenRouter's models
        (Step::status(500, &[], ""),              Step::status(500, &[], ""),             &[][..]),
        (STALL,                                   Step::status(500, &[], ""),             &[]),
        (STALL,                                   STALL,                                  &[]),
        (Step::status(200, &[], "<html>"),        free(&["z/later:free"]),                &["z/later:free"]),
        (STALL,                                   free(&["z/later:free"]),                &["z/later:free"]),
    ];
    for (at, (list, catalogue, theirs)) in rows.into_iter().enumerate() {
        let mut script = script(Step::fitting(), &GROQ).list(list);
        script.catalogue = catalogue.into();
        let begun = tokio::time::Instant::now();
        let rig = Rig::paused_with_providers(script, PROVIDERS, &[]).await;
        let took = begun.elapsed().as_secs_f64();
        assert!(took < 1.5, "row {at}: {took} s");
        let ready = rig.get("/ready").await;
        assert_eq!(ready.status, 200, "row {at}: {ready:?}");
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(answer.status, 200, "row {at}");
        let ids = ids(&rig, "").await;
        let (others, rest): (Vec<_>, Vec<_>) = ids
            .iter()
            .partition(|id| id.starts_with("groq/") || id.starts_with("mistral/"));
        assert_eq!(others.len(), 3, "row {at}: {ids:?}");
        assert_eq!(rest, theirs, "row {at}");
    }
}

fn free(ids: &[&str]) -> Step {
    let data: Vec<_> = ids
        .iter()
        .map(|id| crate::s2_3_catalogue::entry(id, &["tools"], json!({})))
        .collect();
    Step::status(200, &[], json!({ "data": data }))
}

#[tokio::test(start_paused = true)]
async fn s10_7_the_ranking_takes_its_place_when_it_arrives() {
    let plan = Plan::from([Step::status(500, &[], "")]).then(PlanEnd::Ok);
    let mut script = script(Step::fitting(), &GROQ);
    script.list = plan;
    script.catalogue = Step::status(500, &[], "").into();
    let rig = Rig::paused_with_providers(script, PROVIDERS, &[]).await;
    assert_eq!(rig.log.of("snapshot_from_providers").len(), 1);
    assert_eq!(ids(&rig, "inclusionai/").await, [""; 0]);
    pass(120).await;
    // Each list that came late, and each retry, published again.
    assert_eq!(rig.log.of("snapshot_from_providers").len(), 1);
    let ids = ids(&rig, "").await;
    assert_eq!(ids[0], "inclusionai/ling-2.6-flash:free", "{ids:?}");
    assert!(ids.contains(&"groq/openai/gpt-oss-20b".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_model_that_is_gone_is_not_asked_until_the_next_list() {
    let nvidia = ["openai/gpt-oss-20b", "z-ai/glm-5.2"];
    #[rustfmt::skip]
    let rows = [
        // the answer                        asked again after 70 s    after the next list
        ("nvidia end of life",               0,                        1),
        ("groq model decommissioned",        0,                        1),
        ("nvidia bare 404",                  1,                        1),
    ];
    for (case, soon, later) in rows {
        let provider = if case.starts_with("groq") {
            "groq"
        } else {
            "nvidia"
        };
        let model = if provider == "groq" {
            GROQ[0]
        } else {
            nvidia[0]
        };
        let own = ProviderScript::new()
            .entries(if provider == "groq" { GROQ } else { nvidia })
            .model(model, Plan::from([Step::case(case)]).then(PlanEnd::Ok));
        let script = Script::new()
            .list(ranking(&["z:free"]))
            .provider(provider, own);
        let settings = [("MODELS_REFRESH_SEC", "300"), PIN];
        let providers = [("openrouter", 1), (provider, 1)];
        let rig = Rig::paused_with_providers(script, &providers, &settings).await;
        let asked = async || {
            rig.simulator.clear_requests();
            rig.chat(&pinned(&format!("{provider}/{model}"))).await;
            rig.simulator.models_asked().len()
        };
        let listed = async || ids(&rig, &format!("{provider}/{model}")).await.len();
        assert_eq!((listed().await, asked().await), (1, 1), "{case}");
        assert_eq!(asked().await, 0, "{case}: it rests");
        // 410 and the like remove it from the list immediately, a bare 404 does not.
        assert_eq!(listed().await, soon, "{case}: it is listed");
        let path = format!("/v1/models/{provider}/{model}");
        let status = if soon == 0 { 404 } else { 200 };
        assert_eq!(rig.get(&path).await.status, status, "{case}");
        pass(70).await;
        assert_eq!(asked().await, soon, "{case}: after a minute");
        pass(240).await;
        assert_eq!(listed().await, 1, "{case}: after the next list");
        assert_eq!(asked().await, later, "{case}: after the next list");
    }
}
