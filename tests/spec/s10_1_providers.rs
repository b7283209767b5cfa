//! §10.1, §10.6: what reaches which provider: its own key, in its own form, and nothing of
//! another's.

use serde_json::{Value, json};
use simulator::{Account, ProviderScript, Seen, Step};

use crate::rig::providers::key_of;
use crate::rig::{Rig, abc};

const PIN: (&str, &str) = ("MODEL_FIELD", "pin");

/// Providers, and how many accounts at each.
type On = &'static [(&'static str, usize)];
type Settings = &'static [(&'static str, &'static str)];

fn to(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hello!"}]})
}

/// The headers of one of the simulator's requests that identify the sender.
fn shown(seen: &Seen, name: &str) -> String {
    let value = seen.headers.get(name);
    value.map_or_else(String::new, |v| v.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn s10_1_each_account_presents_its_own_key_only() {
    let providers = [
        ("openrouter", 2),
        ("groq", 2),
        ("gemini", 1),
        ("cloudflare", 1),
        ("mistral", 1),
        ("kilo", 1),
        ("ovh", 1),
        ("local", 1),
    ];
    let file = "[providers.gemini]\nauth = \"x-goog-api-key\"\n[providers.cloudflare]\nmodels = [\"@cf/openai/gpt-oss-20b\"]\n";
    let settings = [
        PIN,
        ("CONFIG_FILE", file),
        ("OPENROUTER_REFERER", "https://mine.example"),
        ("OPENROUTER_TITLE", "mine"),
    ];
    let rig = Rig::with_providers(abc(), &providers, &settings).await;
    let bearer = |provider: &str, n| format!("Bearer {}", key_of(provider, n));
    // No address is the row's own: each may be a proxy like this one.
    #[rustfmt::skip]
    let rows = [
        // asked for                            authorization               x-goog-api-key        attribution  hop
        ("a:free",                              bearer("openrouter", 1),    String::new(),        "mine",      "1"),
        ("groq/openai/gpt-oss-20b",             bearer("groq", 1),          String::new(),        "",          "1"),
        ("gemini/gemini-3.5-flash",             String::new(),              key_of("gemini", 1),  "",          "1"),
        ("cloudflare/@cf/openai/gpt-oss-20b",   bearer("cloudflare", 1),    String::new(),        "",          "1"),
        ("mistral/mistral-small-2603",          bearer("mistral", 1),       String::new(),        "",          "1"),
        ("kilo/stepfun/step-3.7-flash:free",    String::new(),              String::new(),        "",          "1"),
        ("ovh/gpt-oss-120b",                    String::new(),              String::new(),        "",          "1"),
        ("local/qwen3:8b",                      String::new(),              String::new(),        "",          "1"),
    ];
    for (model, authorization, goog, title, hop) in rows {
        rig.simulator.clear_requests();
        let answer = rig.chat(&to(model)).await;
        assert_eq!(answer.status, 200, "{model}: {answer:?}");
        assert_eq!(answer.header("x-free-llm-proxy-model"), model);
        let mut seen = rig.simulator.requests();
        // Lists and what is left of the day are asked in between.
        seen.retain(|seen| seen.path.ends_with("/chat/completions"));
        let [seen] = &seen[..] else {
            panic!("{model}: one request, not {}", seen.len())
        };
        let told = [
            "authorization",
            "x-goog-api-key",
            "x-title",
            "x-free-llm-proxy-hop",
        ]
        .map(|name| shown(seen, name));
        let expected = [authorization, goog, title.to_owned(), hop.to_owned()];
        assert_eq!(told, expected, "{model}");
        if model.starts_with("cloudflare") {
            assert!(seen.path.contains("/accounts/id-1/"), "{}", seen.path);
        }
    }
}

#[tokio::test]
async fn s10_1_no_key_is_in_what_another_provider_is_sent() {
    let providers = [
        ("openrouter", 2),
        ("groq", 2),
        ("gemini", 1),
        ("mistral", 1),
        ("kilo", 1),
    ];
    // Every provider refuses, and some redirect the request elsewhere.
    let refuse = |to: &str| {
        ProviderScript::new().others(Step::Redirect(format!(
            "/providers/{to}/v1/chat/completions"
        )))
    };
    let script = abc()
        .others(Step::Redirect(
            "/providers/groq/openai/v1/chat/completions".to_owned(),
        ))
        .provider("groq", refuse("mistral"))
        .provider("gemini", refuse("kilo"))
        .provider(
            "mistral",
            ProviderScript::new().others(Step::status(401, &[], "{}")),
        )
        .provider(
            "kilo",
            ProviderScript::new().others(Step::status(500, &[], "")),
        );
    let settings = [("MAX_FALLBACK_ATTEMPTS", "40")];
    let rig = Rig::with_providers(script, &providers, &settings).await;
    for body in [Rig::hello(), Rig::hello_stream()] {
        rig.chat(&body).await;
    }
    rig.post("/admin/refresh", &Value::Null).await;
    let mut whose: Vec<(String, String)> = Vec::new();
    for (provider, count) in providers {
        whose.extend((1..=count).map(|n| (provider.to_owned(), key_of(provider, n))));
    }
    let seen = rig.simulator.requests();
    let mut reached: Vec<_> = seen
        .iter()
        .filter_map(|seen| seen.provider.as_deref())
        .collect();
    reached.sort_unstable();
    reached.dedup();
    assert_eq!(reached.len(), 5, "{reached:?}");
    for seen in seen {
        let sent = format!("{} {:?} {:?}", seen.path, seen.headers, seen.json());
        let sent = sent
            + &seen
                .headers
                .values()
                .map(|v| String::from_utf8_lossy(v.as_bytes()))
                .collect::<String>();
        let provider = seen.provider.as_deref().unwrap_or("openrouter");
        for (owner, key) in &whose {
            let is_own = owner == provider;
            assert!(
                is_own || !sent.contains(key),
                "{provider} was sent a key of {owner}: {}",
                seen.path
            );
        }
    }
}

#[tokio::test]
async fn s10_6_an_echoed_key_is_redacted_whichever_it_is() {
    let providers = [("openrouter", 1), ("groq", 2), ("mistral", 1)];
    let keys = [
        key_of("openrouter", 1),
        key_of("groq", 1),
        key_of("groq", 2),
        key_of("mistral", 1),
    ];
    let echo = |status| {
        let message = format!("no {} for you", keys.join(" nor "));
        Step::status(
            status,
            &[("x-request-id", &keys.join(","))],
            json!({"error": {"message": message, "code": status}}),
        )
    };
    for status in [400, 401, 403, 404, 429, 500] {
        let script = abc()
            .others(echo(status))
            .provider("groq", ProviderScript::new().others(echo(status)))
            .provider("mistral", ProviderScript::new().others(echo(status)));
        let settings = [("MAX_FALLBACK_ATTEMPTS", "40"), ("LOG_LEVEL", "debug")];
        let rig = Rig::with_providers(script, &providers, &settings).await;
        let mut said = String::new();
        for body in [Rig::hello(), Rig::hello_stream()] {
            let answer = rig.chat(&body).await;
            assert_ne!(answer.status, 200);
            said += &format!("{:?} {}", answer.headers, answer.text());
            said += &rig.line(&answer).to_string();
        }
        for path in ["/admin/state", "/metrics", "/ready", "/v1/models"] {
            said += &rig.get(path).await.text();
        }
        said += &rig.log.all().concat();
        for key in &keys {
            assert!(!said.contains(key), "{status}: {key} in {said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s10_1_which_are_on() {
    #[rustfmt::skip]
    let rows: [(On, Settings, &[&str]); 5] = [
        // keys of                                            settings                             asked
        (&[("openrouter", 1), ("groq", 1), ("mistral", 1)],   &[],                                 &["openrouter", "groq", "mistral"]),
        (&[("openrouter", 1), ("groq", 1), ("mistral", 1)],   &[("PROVIDERS", "groq")],            &["groq"]),
        (&[("openrouter", 1), ("groq", 1), ("mistral", 1)],   &[("PROVIDERS", "-openrouter")],     &["groq", "mistral"]),
        (&[("openrouter", 1), ("groq", 1), ("mistral", 1)],   &[("PROVIDERS", "+kilo,-mistral")],  &["openrouter", "groq", "kilo"]),
        (&[("openrouter", 1), ("groq", 1), ("mistral", 1)],   &[("TRAINING", "refuse")],           &["groq"]),
    ];
    for (providers, settings, expected) in rows {
        let broken = || Step::status(500, &[], "");
        let of = || ProviderScript::new().others(broken());
        let script = ["groq", "mistral"]
            .into_iter()
            .fold(abc().others(broken()), |s, p| s.provider(p, of()));
        let script = script.provider("kilo", of().account(Account::keyless("kilo")));
        let file =
            "[providers.kilo]\nbase_url = \"http://simulator.test/providers/kilo/api/gateway\"\n";
        let usual = [("MAX_FALLBACK_ATTEMPTS", "40"), ("CONFIG_FILE", file)];
        let settings = [&usual, settings].concat();
        let rig = Rig::paused_with_providers(script, providers, &settings).await;
        rig.chat(&Rig::hello()).await;
        let mut asked: Vec<_> = rig
            .simulator
            .requests()
            .into_iter()
            .filter(|seen| seen.model.is_some())
            .map(|seen| seen.provider.unwrap_or_else(|| "openrouter".to_owned()))
            .collect();
        asked.dedup();
        assert_eq!(asked, expected, "{settings:?}");
    }
}
