//! §12.2: other settings while the proxy runs (how their files are looked at: `tests/binary/reloading.rs`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use simulator::{Account, ProviderScript, Script, Status, Step};

use crate::rig::providers::key_of;
use crate::rig::{Rig, UPSTREAM_KEY, abc};

const ANOTHER_KEY: &str = "sk-or-v1-another-key-for-tests-ABCD";
const BOTH: [(&str, usize); 2] = [("openrouter", 1), ("groq", 2)];
const PIN: (&str, &str) = ("MODEL_FIELD", "pin");

/// Two accounts at Groq that refuse their keys, unless they are `awake`.
fn groq(keys: [&str; 2], awake: bool) -> Script {
    let account = |(name, key): (&str, &str)| {
        let account = Account::new(name, key);
        match awake {
            true => account,
            false => account.meets(Step::status(401, &[], "no")),
        }
    };
    let accounts = ["groq", "groq#2"].into_iter().zip(keys).map(account);
    let script = accounts.fold(ProviderScript::new(), ProviderScript::account);
    abc().provider("groq", script.entries(["m/one"]))
}

fn asks(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
}

/// The state of each account, as `label state, ...`.
async fn standings(rig: &Rig) -> String {
    let state = rig.get("/admin/state").await.json();
    let accounts = state["accounts"].as_array().unwrap().iter();
    let standings: BTreeMap<_, _> = accounts
        .map(|account| {
            (
                account["label"].as_str().unwrap(),
                account["state"].as_str().unwrap(),
            )
        })
        .collect();
    let each = standings
        .iter()
        .map(|(label, state)| format!("{label} {state}"));
    each.collect::<Vec<_>>().join(", ")
}

#[tokio::test(start_paused = true)]
async fn s12_2_only_the_rest_of_a_changed_key_is_forgotten() {
    let keys = [&*key_of("groq", 1), &*key_of("groq", 2)];
    let rig = Rig::paused_with_providers(groq(keys, false), &BOTH, &[PIN]).await;
    assert_eq!(rig.chat(&asks("groq/m/one")).await.status, 502);
    let both = "groq key_refused, groq#2 key_refused, openrouter awake";
    assert_eq!(standings(&rig).await, both);
    // Whatever else changes, both rest.
    let order = [
        PIN,
        ("MODEL_ORDER", "b:free,*"),
        ("REQUEST_BUDGET_SEC", "7"),
    ];
    rig.settle_providers(groq(keys, false), &BOTH, &order).await;
    assert_eq!(standings(&rig).await, both);
    let other = [keys[0], "gsk-a-key-that-came-later-0123"];
    rig.settle_providers(groq(other, true), &BOTH, &[PIN]).await;
    assert_eq!(
        standings(&rig).await,
        "groq key_refused, groq#2 awake, openrouter awake"
    );
    assert_eq!(rig.chat(&asks("groq/m/one")).await.status, 200);
    // The other key is asked about no more than before.
    assert_eq!(
        standings(&rig).await,
        "groq key_refused, groq#2 awake, openrouter awake"
    );
}

#[tokio::test(start_paused = true)]
async fn s12_2_a_verdict_under_an_old_key_concerns_nobody() {
    let keys = [&*key_of("groq", 1), &*key_of("groq", 2)];
    let late = Step::Status(Status {
        status: 401,
        headers: Vec::new(),
        body: Value::Null,
        delay_ms: 5_000,
    });
    let account = Account::new("groq", keys[0]).meets(late);
    let script = abc().provider(
        "groq",
        ProviderScript::new().account(account).entries(["m/one"]),
    );
    let one = [("openrouter", 1), ("groq", 1)];
    let limits = "[providers.groq]\nlimits = [{ requests = 5, per = 'day', of = 'account' }]\n";
    let settings = [PIN, ("CONFIG_FILE", limits)];
    let rig = Rig::paused_with_providers(script, &one, &settings).await;
    let changes = async {
        rig.simulator.until(|s| !s.models_asked().is_empty()).await;
        let account = Account::new("groq", keys[1]);
        let script = ProviderScript::new().account(account).entries(["m/one"]);
        rig.settle_providers(abc().provider("groq", script), &one, &settings)
            .await;
    };
    let body = asks("groq/m/one");
    let (answer, ()) = tokio::join!(rig.chat(&body), changes);
    // It keeps the settings that it began with; but the key that was refused is gone, so trying again helps.
    assert_eq!(rig.attempts(&answer), "groq/m/one upstream_auth_error 401");
    assert_eq!(answer.status, 503);
    assert_eq!(standings(&rig).await, "groq awake, openrouter awake");
    let state = rig.get("/admin/state").await.json();
    let mut accounts = state["accounts"].as_array().unwrap().iter();
    let groq = accounts.find(|account| account["label"] == "groq").unwrap();
    let buckets = groq["buckets"].as_array().unwrap();
    assert!(!buckets.is_empty(), "{groq}");
    assert!(buckets.iter().all(|bucket| bucket["used"] == 0), "{groq}");
    assert_eq!(rig.chat(&body).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s12_2_other_limits_count_at_once_and_what_was_used_stays_used() {
    let script = || {
        let account = Account::new("groq", key_of("groq", 1));
        let groq = ProviderScript::new().account(account);
        abc().provider("groq", groq.entries(["m/one"]))
    };
    let one = [("openrouter", 1), ("groq", 1)];
    let limit = |count: u64| {
        format!(
            "[providers.groq]\nlimits = [{{ requests = {count}, per = 'day', of = 'account' }}]\n"
        )
    };
    let rig = Rig::paused_with_providers(script(), &one, &[PIN]).await;
    let body = asks("groq/m/one");
    for (count, answered) in [(1, 1), (3, 2), (2, 0)] {
        let settings = [PIN, ("CONFIG_FILE", &*limit(count))];
        rig.settle_providers(script(), &one, &settings).await;
        for _ in 0..answered {
            assert_eq!(rig.chat(&body).await.status, 200, "{count}");
        }
        assert_ne!(rig.chat(&body).await.status, 200, "{count}");
    }
}

#[tokio::test(start_paused = true)]
async fn s12_2_a_request_keeps_the_settings_that_it_began_with() {
    let late = Step::Status(Status {
        status: 500,
        headers: Vec::new(),
        body: Value::Null,
        delay_ms: 1_000,
    });
    let one = [("MAX_FALLBACK_ATTEMPTS", "1")];
    let rig = Rig::paused(abc().model("a:free", late), &one).await;
    let changes = async {
        rig.simulator.until(|s| !s.models_asked().is_empty()).await;
        rig.settle(&[
            ("MAX_FALLBACK_ATTEMPTS", "3"),
            ("PROXY_API_KEY", "another-proxy-key-0123"),
        ])
        .await;
    };
    let body = Rig::hello();
    let (answer, ()) = tokio::join!(rig.chat(&body), changes);
    assert_eq!(rig.attempts(&answer), "a upstream_error 500");
    assert_eq!(rig.chat(&body).await.status, 401, "the key is another one");
    let headers = [("authorization", "Bearer another-proxy-key-0123")];
    let sent = rig.send("POST", "/v1/chat/completions", &headers, body.to_string());
    assert_eq!(sent.await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn s12_2_providers_come_and_go_with_the_next_request() {
    let keys = [&*key_of("groq", 1), &*key_of("groq", 2)];
    let rig = Rig::paused_with_providers(abc(), &BOTH[..1], &[PIN]).await;
    let body = asks("groq/m/one");
    let models = || async {
        rig.get("/v1/models")
            .await
            .text()
            .matches("groq/m/one")
            .count()
    };
    assert_eq!((rig.chat(&body).await.status, models().await), (404, 0));
    rig.settle_providers(groq(keys, true), &BOTH, &[PIN]).await;
    assert_eq!((rig.chat(&body).await.status, models().await), (200, 1));
    rig.settle_providers(groq(keys, true), &BOTH[..1], &[PIN])
        .await;
    assert_eq!((rig.chat(&body).await.status, models().await), (404, 0));
    // The ranking alone, read from elsewhere.
    rig.settle(&[PIN, ("MODELS_LIST_URL", "{base}/gone")]).await;
    assert_eq!(
        rig.chat(&asks("a:free")).await.status,
        200,
        "the old list stays"
    );
    rig.settle(&[PIN, ("MODELS_REFRESH_SEC", "60")]).await;
    let read = || rig.log.of("snapshot_refreshed").len();
    let before = read();
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert!(
        (before + 2..before + 4).contains(&read()),
        "{before} {}",
        read()
    );
}

#[tokio::test]
async fn s12_2_200_changes_under_load_lose_no_request_and_no_stream_and_no_rest() {
    let long = "x".repeat(8 << 20);
    let keys = [&*key_of("groq", 1), &*key_of("groq", 2)];
    let script = |keys: [&str; 2]| groq(keys, false).model("c:free", Step::ok(long.as_str()));
    let rig = &Rig::with_providers(script(keys), &BOTH, &[PIN]).await;
    assert_eq!(rig.chat(&asks("groq/m/one")).await.status, 502);
    let mut streamed = asks("c:free");
    streamed["stream"] = true.into();
    let path = "/v1/chat/completions";
    let open = rig.open("POST", path, &[], streamed.to_string()).await;
    assert_eq!(open.status(), 200);
    let is_over = &AtomicBool::new(false);
    let load = (0..8).map(|n| async move {
        let mut body = asks(["a:free", "b:free"][n % 2]);
        body["stream"] = (n % 4 < 2).into();
        let mut answered = 0;
        while !is_over.load(Ordering::Relaxed) {
            let answer = rig.chat(&body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            if n % 4 < 2 {
                assert!(answer.text().ends_with("data: [DONE]\n\n"), "{answer:?}");
            }
            answered += 1;
        }
        answered
    });
    let changes = async {
        for n in 0..200 {
            let key = [UPSTREAM_KEY, ANOTHER_KEY][n % 2];
            let attempts = (n % 5 + 1).to_string();
            let second = format!("gsk-key-number-{n}-0123456789");
            let settings = [
                PIN,
                ("OPENROUTER_API_KEY", key),
                ("MAX_FALLBACK_ATTEMPTS", &attempts),
            ];
            rig.settle_providers(script([keys[0], &second]), &BOTH, &settings)
                .await;
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let (answered, ()) = tokio::join!(join_all(load), changes);
    assert!(
        answered.iter().all(|answered| *answered > 0),
        "{answered:?}"
    );
    let whole = open.into_body().collect().await.unwrap().to_bytes();
    assert!(whole.len() > long.len() && whole.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(
        standings(rig).await,
        "groq key_refused, groq#2 awake, openrouter awake"
    );
}
