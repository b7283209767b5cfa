//! §10.4: the legacy endpoint where not every provider has it.

use serde_json::{Value, json};
use simulator::{ProviderScript, Script, Step};

use crate::rig::{Answer, Rig, abc};

const PROVIDERS: &[(&str, usize)] = &[("groq", 1), ("llm7", 1)];
const FILE: &str =
    "[providers.groq]\nmodels = ['a', 'b']\n[providers.llm7]\nmodels = ['c']\nlimits = []\n";

fn script(groq: Step, llm7: Step) -> Script {
    let own = |ids: &[&str], step| ProviderScript::new().entries(ids.to_vec()).others(step);
    abc()
        .provider("groq", own(&["a", "b"], groq))
        .provider("llm7", own(&["c"], llm7))
}

fn nowhere(status: u16) -> Step {
    let message = "Unknown request URL: POST /openai/v1/completions.";
    Step::status(
        status,
        &[],
        json!({"error": {"message": message, "code": "unknown_url"}}),
    )
}

async fn complete(rig: &Rig) -> Answer {
    rig.post("/v1/completions", &json!({"prompt": "Hello!"}))
        .await
}

#[tokio::test]
async fn s10_4_a_provider_without_the_legacy_endpoint_leaves_it_to_those_who_have_it() {
    let broken = || Step::status(500, &[], "");
    let own = || {
        Step::status(
            400,
            &[],
            json!({"error": {"message": "Invalid prompt", "code": "odd"}}),
        )
    };
    #[rustfmt::skip]
    let rows = [
        // groq         llm7            status  code                       asked
        (nowhere(404),  Step::fitting(), 200,   "",                        "a c"),
        (nowhere(501),  Step::fitting(), 200,   "",                        "a c"),
        (nowhere(404),  nowhere(404),    404,   "not_available",           "a c"),
        (nowhere(404),  broken(),        503,   "all_models_unavailable",  "a c"),
        // The answer of a provider that has it counts more, whichever is asked last.
        (nowhere(404),  own(),           400,   "odd",                     "a c"),
        (own(),         nowhere(404),    400,   "odd",                     "a b c"),
    ];
    for (groq, llm7, status, code, asked) in rows {
        let script = script(groq, llm7);
        let rig = Rig::with_providers(script, PROVIDERS, &[("CONFIG_FILE", FILE)]).await;
        let answer = complete(&rig).await;
        assert_eq!(answer.status, status, "{asked} {code}: {answer:?}");
        if status != 200 {
            assert_eq!(answer.code(), code, "{answer:?}");
        }
        assert_eq!(rig.asked(), asked, "{code}");
        assert_eq!(
            rig.get("/ready").await.status,
            200,
            "{asked}: chat is served"
        );
    }
}

#[tokio::test]
async fn s10_4_who_has_no_legacy_endpoint_is_not_asked_again_until_the_next_list() {
    let script = script(nowhere(404), Step::fitting());
    let rig = Rig::with_providers(script, PROVIDERS, &[("CONFIG_FILE", FILE)]).await;
    for asked in ["a c", "c"] {
        assert_eq!(complete(&rig).await.status, 200);
        assert_eq!(rig.asked(), asked);
    }
    // Chat is not concerned.
    rig.simulator.set_offer("groq", "a", Step::fitting());
    rig.chat(&Rig::hello()).await;
    assert_eq!(rig.asked(), "a");
    rig.post("/admin/refresh", &Value::Null).await;
    rig.asked();
    complete(&rig).await;
    assert_eq!(rig.asked(), "a c");
}

#[tokio::test]
async fn s10_4_where_nobody_has_the_legacy_endpoint_it_is_said_without_asking_again() {
    let script = script(nowhere(404), nowhere(404));
    let rig = Rig::with_providers(script, PROVIDERS, &[("CONFIG_FILE", FILE)]).await;
    for asked in ["a c", ""] {
        let answer = complete(&rig).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "not_available")
        );
        assert_eq!(rig.asked(), asked);
    }
}

#[tokio::test]
async fn s10_4_groq_and_gemini_have_no_legacy_endpoint_and_it_costs_no_quota_there() {
    const PROVIDERS: &[(&str, usize)] = &[("groq", 1), ("gemini", 1), ("llm7", 1)];
    const FILE: &str = "[providers.groq]\nmodels = ['a']\n[providers.gemini]\nmodels = ['b']\n\
                        [providers.llm7]\nmodels = ['c']\nlimits = []\n";
    let own = |id: &str| {
        ProviderScript::new()
            .entries(vec![id])
            .others(Step::fitting())
    };
    let script = abc()
        .provider("groq", own("a"))
        .provider("gemini", own("b"))
        .provider("llm7", own("c"));
    let rig = Rig::with_providers(script, PROVIDERS, &[("CONFIG_FILE", FILE)]).await;
    for asked in ["a b c", "c", "c"] {
        assert_eq!(complete(&rig).await.status, 200);
        assert_eq!(rig.asked(), asked);
    }
    let state = rig.get("/admin/state").await.json();
    for account in state["accounts"].as_array().unwrap() {
        let buckets = account["buckets"].as_array().unwrap().iter();
        let used = buckets.filter_map(|bucket| bucket["used"].as_u64());
        if account["label"] != "llm7" {
            assert_eq!(used.max().unwrap_or_default(), 0, "{account}");
        }
    }
}
