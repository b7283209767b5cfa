//! §10.7: while the ranking cannot be read, other lists are read when they are due, not with each retry, and
//! `/admin/refresh` does what can be done.

use serde_json::{Value, json};
use simulator::{Plan, PlanEnd, ProviderScript, Script, Step};

use crate::rig::Rig;
use crate::s2_3_catalogue::broken;
use crate::s2_list::{pass, reads};

const GROQ: [&str; 2] = ["openai/gpt-oss-20b", "qwen/qwen3.8-27b"];
const SETTINGS: &[(&str, &str)] = &[("MODELS_REFRESH_SEC", "300"), ("MODEL_FIELD", "pin")];

/// Groq has given up the first of its models; no ranking has any.
async fn unranked() -> Rig {
    let gone = Plan::from([Step::case("groq model decommissioned")]).then(PlanEnd::Ok);
    let groq = ProviderScript::new().entries(GROQ).model(GROQ[0], gone);
    let script = Script::new().list(broken()).provider("groq", groq);
    Rig::paused_with_providers(script, &[("openrouter", 1), ("groq", 1)], SETTINGS).await
}

/// Asks for the model that is gone, and answers how often that reached Groq.
async fn asks(rig: &Rig) -> usize {
    let before = rig.simulator.models_asked().len();
    let pinned = json!({"model": format!("groq/{}", GROQ[0]), "messages": [{"role": "user", "content": "Hello!"}]});
    rig.chat(&pinned).await;
    rig.simulator.models_asked().len() - before
}

/// How often a list or the key endpoint was read: what its path contains and how it ends.
fn read(rig: &Rig, (of, end): (&str, &str)) -> usize {
    let requests = rig.simulator.requests();
    let paths = requests.iter().map(|seen| &seen.path);
    paths
        .filter(|path| path.contains(of) && path.ends_with(end))
        .count()
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_retry_of_the_ranking_reads_nothing_else_and_is_no_next_list() {
    let rig = unranked().await;
    assert_eq!(asks(&rig).await, 1);
    for _ in 0..20 {
        pass(14).await;
        assert_eq!(asks(&rig).await, 0, "it is gone until the next list");
    }
    assert!(reads(&rig).len() > 15, "{:?}", reads(&rig));
    for end in [("/api/v1/", "/models"), ("groq", "/models")] {
        assert_eq!(read(&rig, end), 1, "{end:?}");
    }
    assert!(
        read(&rig, ("/api/v1/", "/key")) <= 2,
        "with the list, and every 5 minutes"
    );
    pass(46).await;
    assert_eq!(read(&rig, ("groq", "/models")), 2, "that one is due");
    assert_eq!(asks(&rig).await, 1);
}

#[tokio::test(start_paused = true)]
async fn s10_7_a_refresh_without_a_ranking_ends_the_rests_where_a_list_was_read() {
    let rig = unranked().await;
    assert_eq!((asks(&rig).await, asks(&rig).await), (1, 0));
    let answer = rig.post("/admin/refresh", &Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let not_read = answer.json()["not_read"].to_string();
    assert!(not_read.starts_with("[\"the ranking: "), "{not_read}");
    assert_eq!(asks(&rig).await, 1);
}
