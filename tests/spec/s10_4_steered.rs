//! §10.4: a request's own routing explains a failure only where the provider reads it.

use serde_json::{Value, json};
use simulator::{ProviderScript, Script, Step};

use crate::rig::{Rig, abc};

const FILE: &str = "[providers.gemini]\nmodels = ['gemini-3.5-flash']\n\
                    [providers.groq]\nmodels = ['a']\n[providers.kilo]\nmodels = ['k:free']\n\
                    [providers.mistral]\nmodels = ['second']\nlimits = []\n";

fn script(provider: &str, id: &str, step: Step) -> Script {
    let own = |ids: &str| ProviderScript::new().entries([ids]);
    let id = match provider {
        "gemini" => format!("models/{id}"),
        _ => id.to_owned(),
    };
    let first = own(&id).others(step);
    abc()
        .provider(provider, first)
        .provider("mistral", own("second"))
}

fn steering() -> [Value; 3] {
    [
        json!({"provider": {"sort": "throughput"}}),
        json!({"plugins": [{"id": "web"}]}),
        json!({"web_search_options": {"search_context_size": "low"}}),
    ]
}

#[tokio::test]
async fn s10_4_a_failure_is_owed_to_routing_fields_only_where_they_are_read() {
    let day = Step::status(
        429,
        &[],
        json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED",
        "message": "You exceeded your current quota. Please retry in 22.8s.",
        "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "20"}]}]}}]),
    );
    let busy = || Step::status(503, &[], json!({"error": {"message": "over capacity"}}));
    #[rustfmt::skip]
    let rows = [
        // provider   its model            refuses  rests for everybody
        ("gemini",    "gemini-3.5-flash",  day,     true),
        ("groq",      "a",                 busy(),  true),
        // A router reads them, and what it says may be their doing.
        ("kilo",      "k:free",            busy(),  false),
    ];
    for (provider, model, step, rests) in rows {
        for fields in steering() {
            let why = format!("{provider} {fields}");
            let rig = Rig::with_providers(
                script(provider, model, step.clone()),
                &[(provider, 1), ("mistral", 1)],
                &[("CONFIG_FILE", FILE)],
            )
            .await;
            until_both_are_listed(&rig).await;
            let mut body = Rig::hello();
            body.as_object_mut()
                .unwrap()
                .extend(fields.as_object().unwrap().clone());
            assert_eq!(rig.chat(&body).await.status, 200, "{why}");
            assert_eq!(
                rig.asked().replace("models/", ""),
                format!("{model} second").replace(":free", ""),
                "{why}"
            );
            rig.chat(&Rig::hello()).await;
            let first = rig.asked().starts_with("second");
            assert_eq!(first, rests, "{why}");
        }
    }
}

/// The first list publishes, the other follows.
async fn until_both_are_listed(rig: &Rig) {
    let listed = async || {
        let models = rig.get("/v1/models").await.json();
        models["data"].as_array().map_or(0, Vec::len)
    };
    while listed().await < 2 {
        tokio::task::yield_now().await;
    }
}
