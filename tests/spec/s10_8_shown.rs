//! §10.8: what the operator and the clients see of several accounts.

use serde_json::json;

use crate::rig::{Rig, abc};

/// A request for this model.
fn hello_to(model: &str) -> serde_json::Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
}

#[tokio::test]
async fn s10_8_requests_reach_the_accounts_of_several_providers() {
    let providers = [
        ("openrouter", 1),
        ("groq", 2),
        ("cloudflare", 1),
        ("ovh", 1),
    ];
    let settings = [("MODEL_FIELD", "pin")];
    let rig = Rig::with_providers(abc(), &providers, &settings).await;
    #[rustfmt::skip]
    let rows = [
        ("a:free",                     "a:free"),
        ("groq/openai/gpt-oss-120b",   "groq/openai/gpt-oss-120b"),
        ("ovh/auto",                   "ovh/gpt-oss-120b"),
    ];
    for (asked, expected) in rows {
        let answer = rig.chat(&hello_to(asked)).await;
        assert_eq!(answer.status, 200, "{asked}: {answer:?}");
        assert_eq!(answer.header("x-free-llm-proxy-model"), expected);
    }
}
