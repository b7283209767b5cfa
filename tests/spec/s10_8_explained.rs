//! §10.8: `explain` with several accounts, and ending the rest of one of them.

use serde_json::{Value, json};
use simulator::{Account, ProviderScript, Step};

use crate::rig::providers::key_of;
use crate::rig::{Rig, abc};

/// Groq with one account whose key is dead and one that works.
async fn rig() -> Rig {
    let groq = ProviderScript::new()
        .account(Account::new("groq", key_of("groq", 1)).meets(Step::case("groq key dead")))
        .account(Account::new("groq#2", key_of("groq", 2)));
    let mut script = abc();
    script.providers.insert("groq".to_owned(), groq);
    let providers = [("groq", 2), ("openrouter", 1)];
    let settings = [("MODEL_FIELD", "pin")];
    let rig = Rig::with_providers(script, &providers, &settings).await;
    let answer = rig.chat(&groq_alone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    rig
}

fn groq_alone() -> Value {
    json!({"model": "groq/auto", "messages": [{"role": "user", "content": "Hello!"}]})
}

async fn explained(rig: &Rig) -> Value {
    rig.post("/admin/explain", &groq_alone()).await.json()
}

/// The candidates through this account that would not be asked.
fn left_out(told: &Value, account: &str) -> Vec<Value> {
    let all = told["left_out"].as_array().unwrap().iter();
    all.filter(|out| out["account"] == account && out["why"] != "not_wanted")
        .cloned()
        .collect()
}

#[tokio::test]
async fn s10_8_an_explanation_names_the_account_that_rests_and_until_when() {
    let rig = rig().await;
    let told = explained(&rig).await;
    let out = left_out(&told, "groq");
    assert!(!out.is_empty(), "{told}");
    for one in &out {
        assert_eq!(one["provider"], "groq", "{one}");
        let reason = one["reason"].as_str().unwrap();
        assert!(
            reason.contains("groq"),
            "the account or its bucket: {reason}"
        );
        assert!(one["until"].is_string(), "{one}");
    }
    assert_eq!(left_out(&told, "groq#2"), [Value::Null; 0], "{told}");
    let through = told["through"].as_array().unwrap();
    let candidates = told["candidates"].as_array().unwrap();
    let models: Vec<_> = through.iter().map(|one| one["model"].clone()).collect();
    assert_eq!(&models, candidates);
    assert!(
        through.iter().all(|one| one["account"] == "groq#2"),
        "{told}"
    );
    assert!(!through.is_empty(), "{told}");
}

#[tokio::test]
async fn s10_8_one_account_is_asked_again_by_its_label() {
    let rig = rig().await;
    let clear = async |label: &str| rig.post("/admin/clear", &json!({"account": label})).await;
    clear("groq#3").await.is_error(400, "invalid_request");
    clear("groq#2").await;
    assert!(
        !left_out(&explained(&rig).await, "groq").is_empty(),
        "it is another's"
    );
    let answer = clear("groq").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = explained(&rig).await;
    assert_eq!(left_out(&told, "groq"), [Value::Null; 0], "{told}");
}

#[tokio::test]
async fn s10_8_providers_without_an_account_are_those_to_get_a_key_of() {
    let rig = rig().await;
    let state = rig.get("/admin/state").await.json();
    let off = state["providers_off"].as_array().unwrap().iter();
    let off: Vec<_> = off.map(|one| one["provider"].as_str().unwrap()).collect();
    assert!(off.contains(&"mistral"), "{off:?}");
    assert!(
        !off.contains(&"groq") && !off.contains(&"openrouter"),
        "{off:?}"
    );
}
