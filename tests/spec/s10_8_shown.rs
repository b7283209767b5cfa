//! §10.8: what the operator and the clients see of several accounts.

use serde_json::{Value, json};
use simulator::{Account, Failure, ProviderScript, Script, Step};

use crate::rig::providers::key_of;
use crate::rig::{Rig, UPSTREAM_KEY, abc};

/// A request for this model.
fn hello_to(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
}

/// `abc()` with this script for `groq`.
fn with_groq(groq: ProviderScript) -> Script {
    let mut script = abc();
    script.providers.insert("groq".to_owned(), groq);
    script
}

/// An account at Groq with this result for every request.
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

/// The account with this label.
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

/// Groq's three accounts: the first meets this, the second has a dead key, the third works; and
/// OpenRouter's, which is out for the day.
fn troubled(first: Step) -> Script {
    let groq = ProviderScript::new()
        .account(meets(1, Some(first)))
        .account(meets(2, Some(Step::case("groq key dead"))))
        .account(meets(3, None));
    with_groq(groq).account(Step::failure(Failure::DailyLimit))
}

#[tokio::test]
async fn s10_8_accounts_are_out_or_refused_one_by_one_and_the_others_answer() {
    let day = Step::case("groq tokens per day");
    let providers = [("openrouter", 1), ("groq", 3)];
    let rig = Rig::with_providers(troubled(day), &providers, &[]).await;
    for _ in 0..3 {
        assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    }
    let state = rig.get("/admin/state").await.json();
    #[rustfmt::skip]
    let rows = [
        // label       state          limit             status         until is told
        ("openrouter", "out",         json!("day"),     json!(429),    true),
        ("groq",       "awake",       Value::Null,      Value::Null,   false),
        ("groq#2",     "key_refused", json!("key"),     json!(401),    true),
        ("groq#3",     "awake",       Value::Null,      Value::Null,   false),
    ];
    for (label, is, limit, status, until) in rows {
        let account = account(&state, label);
        assert_eq!(account["state"], is, "{account}");
        assert_eq!(account["limit"], limit, "{account}");
        assert_eq!(account["because"]["status"], status, "{account}");
        assert_eq!(account["until"].is_string(), until, "{account}");
    }
    // It answers, and still says what is wrong.
    let condition = &state["condition"];
    assert_eq!(
        (&condition["code"], &condition["tone"]),
        (&json!("answering"), &json!("warn"))
    );
    let sentence = condition["sentence"].as_str().unwrap();
    assert!(
        sentence.ends_with(" 1 of 4 accounts is out for today, 1 key is refused."),
        "{sentence}"
    );
    assert_eq!(
        condition["about"]["accounts"],
        json!({"of": 4, "out_today": 1, "out": 0, "keys_refused": 1, "resting": 0})
    );
    assert_eq!(rig.get("/ready").await.status, 200);

    // Each is woken by its label, and no other with it.
    let unknown = rig
        .post("/admin/clear", &json!({"account": "groq#4"}))
        .await;
    unknown.is_error(400, "invalid_request");
    let cleared = rig
        .post("/admin/clear", &json!({"account": "groq#2"}))
        .await;
    let cleared = cleared.json();
    assert_eq!(account(&cleared, "groq#2")["state"], "awake");
    assert_eq!(account(&cleared, "openrouter")["state"], "out");
    let cleared = rig.post("/admin/clear", &json!({"account": true})).await;
    let cleared = cleared.json();
    assert_eq!(account(&cleared, "groq#2")["state"], "awake");
    // No word brings back what is used of a stated limit.
    assert_eq!(account(&cleared, "openrouter")["state"], "out");
}

#[tokio::test]
async fn s10_8_an_offer_rests_through_one_account_and_not_through_another() {
    let groq = ProviderScript::new()
        .account(meets(1, Some(Step::case("groq tokens per day"))))
        .account(meets(2, None));
    let settings = [("MODEL_FIELD", "pin")];
    let rig = Rig::with_providers(with_groq(groq), &[("groq", 2)], &settings).await;
    let id = "groq/openai/gpt-oss-120b";
    assert_eq!(rig.chat(&hello_to(id)).await.status, 200);
    let state = rig.get("/admin/state").await.json();
    let mut models = state["models"].as_array().unwrap().iter();
    let model = models.find(|model| model["id"] == id).unwrap();
    assert_eq!(
        (&model["provider"], &model["canonical"]),
        (&json!("groq"), &json!("gpt-oss-120b"))
    );
    assert_eq!(model["state"], "awake", "through the second");
    let through = model["candidates"].as_array().unwrap().iter();
    let told = through.map(|one| (one["account"].clone(), one["state"].clone()));
    let expected = [("groq", "resting"), ("groq#2", "awake")];
    assert_eq!(
        told.collect::<Vec<_>>(),
        expected.map(|(account, state)| (json!(account), json!(state)))
    );
    assert!(model["candidates"][0]["resting_until"].is_string());
}

#[tokio::test]
async fn s10_8_quotas_are_shown_and_counted_by_account_and_model() {
    let file = "[providers.groq]\nlimits = [{ requests = 2, per = \"day\", of = \"account\", ends = \"utc\" }]\n";
    let settings = [("CONFIG_FILE", file), ("MODEL_FIELD", "pin")];
    let providers = [("groq", 2), ("openrouter", 1)];
    let rig = Rig::with_providers(abc(), &providers, &settings).await;
    for _ in 0..3 {
        let answer = rig.chat(&hello_to("groq/openai/gpt-oss-120b")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let state = rig.get("/admin/state").await.json();
    let bucket = &account(&state, "groq")["buckets"][0];
    let told = ["unit", "limit", "used", "per", "of", "ends", "source"].map(|name| &bucket[name]);
    assert_eq!(
        json!(told),
        json!(["requests", 2, 2, "day", "account", "utc", "set"])
    );
    assert!(
        bucket["resets_at"]
            .as_str()
            .unwrap()
            .ends_with("T00:00:00.000Z")
    );
    #[rustfmt::skip]
    let rows = [
        // label       state    limit         used of its day
        ("groq",       "out",   json!("day"), 2.0),
        ("groq#2",     "awake", Value::Null,  1.0),
    ];
    for (label, is, limit, used) in rows {
        let account = account(&state, label);
        assert_eq!(
            (&account["state"], &account["limit"]),
            (&json!(is), &limit),
            "{account}"
        );
        assert_eq!(account["until"].is_string(), is == "out", "{account}");
        let labels = format!(r#"account="{label}",model_id="",per="day",unit="requests""#);
        let gauge = |name: &str| format!("freellm_quota_{name}{{{labels}}}");
        assert_eq!(rig.metric(&gauge("used")).await, Some(used), "{label}");
        assert_eq!(rig.metric(&gauge("limit")).await, Some(2.0), "{label}");
    }
    let sentence = state["condition"]["sentence"].as_str().unwrap();
    assert!(
        sentence.ends_with(" 1 of 3 accounts is out for today."),
        "{sentence}"
    );
}

#[tokio::test(start_paused = true)]
async fn s10_8_a_refused_key_is_reported_with_its_own_accounts_variable_tail_and_length() {
    let dead = || Step::case("groq key dead");
    #[rustfmt::skip]
    let rows = [
        // groq's accounts                                  what is told
        (vec![meets(1, Some(dead()))],                      "Proxy could not authenticate with Groq (HTTP 401). Check GROQ_API_KEY: current key tail is ...K001 (len=32)."),
        (vec![meets(1, Some(dead())), meets(2, Some(dead()))], "Proxy could not authenticate with Groq (HTTP 401). Check GROQ_API_KEY: current key tail is ...K001 (len=32)."),
    ];
    for (accounts, message) in rows {
        let count = accounts.len();
        let groq = accounts
            .into_iter()
            .fold(ProviderScript::new(), ProviderScript::account);
        let rig = Rig::paused_with_providers(with_groq(groq), &[("groq", count)], &[]).await;
        for _ in 0..2 {
            let answer = rig.chat(&Rig::hello()).await;
            answer.is_error(502, "upstream_auth_error");
            assert_eq!(answer.json()["error"]["message"], message);
            assert_eq!(answer.header("x-should-retry"), "false");
        }
        let ready = rig.get("/ready").await;
        assert_eq!(ready.status, 503);
        let reason = ready.json()["reason"].as_str().unwrap().to_owned();
        assert!(
            !reason.contains("OpenRouter") && !reason.contains("OPENROUTER"),
            "{reason}"
        );
        let line = rig.line(&rig.chat(&Rig::hello()).await);
        assert_eq!(line["reason"], "upstream_auth_error", "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_8_when_every_account_is_out_the_reasons_are_counted() {
    let groq = ProviderScript::new()
        .account(meets(1, Some(Step::case("groq key dead"))))
        .account(meets(2, Some(Step::case("groq key dead"))));
    let script = with_groq(groq).account(Step::failure(Failure::DailyLimit));
    let providers = [("openrouter", 1), ("groq", 2)];
    let rig = Rig::paused_with_providers(script, &providers, &[]).await;
    let answer = rig.chat(&Rig::hello()).await;
    answer.is_error(503, "account_rate_limited");
    let message = answer.json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        message.starts_with("No account has quota left for this request: 1 account is out for today, 2 keys are refused. The first returns in "),
        "{message}"
    );
    let ready = rig.get("/ready").await;
    assert_eq!(
        (ready.status, &ready.json()["code"]),
        (503, &json!("accounts_out"))
    );
    let reason = ready.json()["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.starts_with("No account has quota left: 1 account is out for today, 2 keys are refused; the first returns in "),
        "{reason}"
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
