//! §10.8: what the operator and the clients see of several accounts.

use serde_json::{Value, json};
use simulator::{Account, ProviderScript, Script, Step};

use crate::rig::{Rig, UPSTREAM_KEY, abc, key_of};

/// A request for this model.
fn hello_to(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
}

/// `abc()` with what `groq` does.
fn with_groq(groq: ProviderScript) -> Script {
    let mut script = abc();
    script.providers.insert("groq".to_owned(), groq);
    script
}

/// An account of groq's that meets this whatever it asks.
fn meets(number: usize, step: Option<Step>) -> Account {
    let name = match number {
        1 => "groq".to_owned(),
        _ => format!("groq#{number}"),
    };
    let account = Account::new(name, key_of("groq", number));
    match step {
        Some(step) => account.meets(step),
        None => account,
    }
}

/// The account of this label.
fn account<'v>(state: &'v Value, label: &str) -> &'v Value {
    let mut all = state["accounts"].as_array().unwrap().iter();
    all.find(|account| account["label"] == label)
        .unwrap_or_else(|| panic!("no {label} in {state}"))
}

#[tokio::test]
async fn s10_2_names_reach_the_offers_of_every_provider_and_the_answer_names_both() {
    let providers = [
        ("openrouter", 1),
        ("groq", 2),
        ("cloudflare", 1),
        ("ovh", 1),
    ];
    let settings = [
        ("MODEL_FIELD", "pin"),
        ("MODEL_ALIASES", "big=gpt-oss-120b,fast=groq/auto"),
    ];
    let rig = Rig::with_providers(abc(), &providers, &settings).await;
    #[rustfmt::skip]
    let rows = [
        // asked for                   who answers                   provider
        ("a:free",                     "a:free",                     "openrouter"),
        ("openrouter/b:free",          "b:free",                     "openrouter"),
        ("groq/openai/gpt-oss-120b",   "groq/openai/gpt-oss-120b",   "groq"),
        ("ovh/auto",                   "ovh/gpt-oss-120b",           "ovh"),
        ("gpt-oss-120b",               "groq/openai/gpt-oss-120b",   "groq"),
        ("GPT-OSS:120b",               "groq/openai/gpt-oss-120b",   "groq"),
        ("openai/gpt-oss-120b:latest", "groq/openai/gpt-oss-120b",   "groq"),
        ("big",                        "groq/openai/gpt-oss-120b",   "groq"),
        ("fast",                       "groq/openai/gpt-oss-120b",   "groq"),
    ];
    for (asked, model, provider) in rows {
        let answer = rig.chat(&hello_to(asked)).await;
        assert_eq!(answer.status, 200, "{asked}: {answer:?}");
        assert_eq!(answer.header("x-free-llm-proxy-model"), model, "{asked}");
        assert_eq!(
            answer.header("x-free-llm-proxy-provider"),
            provider,
            "{asked}"
        );
        let exposed = answer.header("access-control-expose-headers");
        assert!(exposed.contains("x-free-llm-proxy-provider"), "{exposed}");
    }
    let unknown = rig.chat(&hello_to("nobody/auto")).await;
    unknown.is_error(404, "model_not_found");
}

#[tokio::test]
async fn s10_2_models_say_their_provider_and_the_model_behind_them() {
    let providers = [("openrouter", 1), ("groq", 1), ("ovh", 1)];
    let rig = Rig::with_providers(abc(), &providers, &[("MODEL_FIELD", "prefer")]).await;
    let list = rig.get("/v1/models").await.json();
    let told = |id: &str| {
        let mut all = list["data"].as_array().unwrap().iter();
        let found = all.find(|model| model["id"] == id);
        found.map(|model| (model["owned_by"].clone(), model["canonical"].clone()))
    };
    let known = |owner: &str, key: &str| Some((json!(owner), json!(key)));
    #[rustfmt::skip]
    let rows = [
        ("a:free",                   known("openrouter", "a")),
        ("groq/openai/gpt-oss-120b", known("groq", "gpt-oss-120b")),
        ("ovh/gpt-oss-120b",         known("ovh", "gpt-oss-120b")),
        ("openai/gpt-oss-120b",      None),
    ];
    for (id, expected) in rows {
        assert_eq!(told(id), expected, "{id}");
        let one = rig.get(&format!("/v1/models/{id}")).await;
        match expected {
            Some((owner, _)) => assert_eq!(one.json()["owned_by"], owner, "{id}"),
            None => one.is_error(404, "model_not_found"),
        }
    }
    let auto = rig.get("/v1/models/auto").await.json();
    assert_eq!(auto["owned_by"], "free-llm-proxy");
}

#[tokio::test]
async fn s10_8_each_account_is_shown_with_its_key_by_the_tail_alone() {
    let providers = [("openrouter", 1), ("groq", 2), ("ovh", 1)];
    let rig = Rig::with_providers(abc(), &providers, &[]).await;
    let answer = rig.get("/admin/state").await;
    let state = answer.json();
    #[rustfmt::skip]
    let rows = [
        // label       provider      variable                      tail            training
        ("openrouter", "openrouter", json!("OPENROUTER_API_KEY"),  json!("...WXYZ"), "may"),
        ("groq",       "groq",       json!("GROQ_API_KEY"),        json!("...K001"), "no"),
        ("groq#2",     "groq",       json!("GROQ_API_KEY"),        json!("...K002"), "no"),
        ("ovh",        "ovh",        Value::Null,                  Value::Null,      "no"),
    ];
    let labels = state["accounts"].as_array().unwrap().iter();
    let labels: Vec<_> = labels.map(|account| account["label"].clone()).collect();
    assert_eq!(labels, rows.clone().map(|(label, ..)| json!(label)));
    for (label, provider, variable, tail, training) in rows {
        let account = account(&state, label);
        let told = [
            &account["provider"],
            &account["variable"],
            &account["key_tail"],
        ];
        assert_eq!(told, [&json!(provider), &variable, &tail], "{label}");
        assert_eq!(account["training"], training, "{label}");
        assert_eq!(
            (&account["state"], &account["until"]),
            (&json!("awake"), &Value::Null)
        );
        assert!(account["buckets"].is_array(), "{account}");
    }
    for key in [
        UPSTREAM_KEY.to_owned(),
        key_of("groq", 1),
        key_of("groq", 2),
    ] {
        let all_but_the_tail = key.get(..key.len() - 4).unwrap();
        assert!(!answer.text().contains(all_but_the_tail), "a whole key");
    }
}

#[tokio::test]
async fn s10_8_an_account_is_awake_or_out_or_its_key_is_refused_and_the_others_answer() {
    let groq = ProviderScript::new()
        .account(meets(1, Some(Step::case("groq tokens per day"))))
        .account(meets(2, Some(Step::case("groq key dead"))))
        .account(meets(3, None));
    let settings = [("MODEL_FIELD", "pin")];
    let rig = Rig::with_providers(
        with_groq(groq),
        &[("groq", 3), ("openrouter", 1)],
        &settings,
    )
    .await;
    let answer = rig.chat(&hello_to("groq/openai/gpt-oss-120b")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let state = rig.get("/admin/state").await.json();
    println!(
        "{}",
        serde_json::to_string_pretty(&state["accounts"]).unwrap()
    );
    println!(
        "{}",
        serde_json::to_string_pretty(&state["condition"]).unwrap()
    );
}

#[tokio::test]
async fn s10_5_the_key_endpoint_is_asked_of_each_account_of_openrouters() {
    let rig = Rig::with_providers(abc(), &[("openrouter", 2)], &[]).await;
    let asked = |number: usize| {
        let shown = format!("Bearer {}", key_of("openrouter", number));
        let mut seen = rig.simulator.requests().into_iter();
        seen.any(|seen| seen.path.ends_with("/key") && seen.headers["authorization"] == shown)
    };
    while !(asked(1) && asked(2)) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
