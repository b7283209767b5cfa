//! Limits: counted, reported, and the answers beyond them.

use std::time::{Duration, SystemTime};

use serde_json::json;
use simulator::{Account, Answer, Ends, Limit, Per, ProviderScript, Script, Step};

use super::rig::{Key, Rig, model_of};

/// 2026-11-29 12:00:00 UTC.
const NOON: Duration = Duration::from_secs(1_795_953_600);

/// Every account that the rows use, with its usual limits.
fn usual() -> Script {
    let all = [
        "openrouter",
        "gemini",
        "groq",
        "nvidia",
        "requesty",
        "mistral",
        "cohere",
        "kilo",
        "ovh",
    ];
    all.into_iter().fold(Script::new(), |script, provider| {
        let account = match provider {
            "kilo" | "ovh" => Account::keyless("it"),
            _ => Account::new("it", "key-0123456789"),
        };
        let account = ProviderScript::new().account(account.usual_limits());
        script.provider(provider, account)
    })
}

#[tokio::test]
async fn s10_5_limits_are_counted_and_reported_in_each_dialect() {
    let rig = Rig::start(usual()).await;
    #[rustfmt::skip]
    let rows = [
        // provider, model, one in this many seconds, how many are answered, the answer to the next
        ("openrouter", "a:free",                3, 50,  "free-models-per-day"),
        ("openrouter", "b:free",                0, 20,  "free-models-per-min"),
        ("gemini",     "gemini-3.5-flash",     12, 20,  "GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
        ("gemini",     "gemini-3.5-flash-lite", 0, 15,  "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),
        ("gemini",     "gemini-3.5-pro",        0, 0,   "limit: 0"),
        ("groq",       "qwen/qwen3.8-27b",      0, 30,  "requests per minute (RPM): Limit 30, Used 30, Requested 1. Please try again in 1m"),
        ("requesty",   "google/gemma-4-31b-it", 0, 200, "200 free requests per day"),
        ("nvidia",     "openai/gpt-oss-20b",    0, 40,  "Too Many Requests"),
        ("kilo",       "tencent/hy3:free",      0, 200, "Free model usage limit reached"),
        ("ovh",        "gpt-oss-120b",          0, 2,   "API rate limit exceeded"),
        ("mistral",    "mistral-small-2603",    0, 1,   "\"code\":\"1300\""),
        ("cohere",     "command-a-03-2025",     0, 20,  "20 API calls / minute"),
    ];
    for (provider, model, every, most, told) in rows {
        // A separate day for each row.
        let begin = SystemTime::UNIX_EPOCH + NOON;
        rig.providers.simulator.set_script(usual());
        rig.providers.simulator.clear_requests();
        rig.providers.simulator.set_clock(begin);
        let key = match provider {
            "kilo" | "ovh" => Key::None,
            _ => Key::This("key-0123456789"),
        };
        for at in 0..most {
            let got = rig.chat_as(provider, model, json!({}), key).await;
            assert_eq!(got.status, 200, "{provider} {model} {at}: {}", got.text);
            rig.providers.simulator.advance(Duration::from_secs(every));
        }
        // The clock has moved on meanwhile; a slow machine must not leave a short window.
        if every == 0 {
            rig.providers.simulator.set_clock(begin);
        }
        let got = rig.chat_as(provider, model, json!({}), key).await;
        assert_eq!(got.status, 429, "{provider} {model}");
        assert!(got.text.contains(told), "{provider} {model}: {}", got.text);
        assert!(!got.text.contains('%'), "all is filled in: {}", got.text);
        let tally = rig.providers.tally(provider, "it");
        assert_eq!((tally.requests, tally.over), (most + 1, 1), "{provider}");
        assert_eq!(tally.statuses.get(&429), Some(&1));
    }
}

#[tokio::test]
async fn s10_5_tokens_of_prompt_and_max_tokens_count_at_groq() {
    let account = Account::new("it", "key-0123456789").usual_limits();
    let script = Script::new().provider("groq", ProviderScript::new().account(account));
    let rig = Rig::start(script).await;
    let model = "openai/gpt-oss-120b";
    let large = rig.chat("groq", model, json!({"max_tokens": 32_000})).await;
    assert_eq!(large.status, 413, "{}", large.text);
    assert!(
        large
            .text
            .contains("tokens per minute (TPM): Limit 8000, Requested 320")
    );
    let good = rig.chat("groq", model, json!({"max_tokens": 7000})).await;
    assert_eq!(good.status, 200, "{}", good.text);
    assert_eq!(good.header("x-ratelimit-limit-requests"), "1000");
    assert_eq!(good.header("x-ratelimit-remaining-requests"), "999");
    assert_eq!(good.header("x-ratelimit-limit-tokens"), "8000");
    let left: u64 = good.header("x-ratelimit-remaining-tokens").parse().unwrap();
    assert!(
        (7900..8000).contains(&left),
        "what was used, not what was asked: {left}"
    );
    assert!(good.header("x-ratelimit-reset-tokens").ends_with('s'));
    let long = "x".repeat(4 * 7900);
    let more = json!({"messages": [{"role": "user", "content": long}], "max_tokens": 60});
    let over = rig.chat("groq", model, more).await;
    assert_eq!(over.status, 429, "{}", over.text);
    let wait: u64 = over.header("retry-after").parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    assert!(over.text.contains("Please try again in "), "{}", over.text);
    rig.providers.simulator.advance(Duration::from_secs(61));
    assert_eq!(rig.chat("groq", model, json!({})).await.status, 200);
    assert_eq!(
        rig.providers.seen("groq")[0].why.as_deref(),
        Some("too large for tokens per minute")
    );
}

#[tokio::test]
async fn s10_5_limits_are_stated_in_the_headers_of_each_provider() {
    let named = [
        "groq",
        "mistral",
        "cerebras",
        "modelscope",
        "llmgateway",
        "gemini",
    ];
    let script = named.into_iter().fold(Script::new(), |script, provider| {
        let account = Account::new("it", "key-0123456789").usual_limits();
        script.provider(provider, ProviderScript::new().account(account))
    });
    let rig = Rig::start(script).await;
    rig.providers
        .simulator
        .set_clock(SystemTime::UNIX_EPOCH + NOON);
    #[rustfmt::skip]
    let rows = [
        // provider, header, how it begins
        ("groq",       "x-ratelimit-limit-requests",                    "1000"),
        ("groq",       "x-ratelimit-remaining-requests",                "999"),
        ("groq",       "x-ratelimit-reset-requests",                    "24h0m0s"),
        ("groq",       "x-ratelimit-limit-tokens",                      "8000"),
        ("groq",       "x-ratelimit-reset-tokens",                      "1m0s"),
        ("mistral",    "x-ratelimit-limit-req-minute",                  "60"),
        ("mistral",    "x-ratelimit-remaining-req-minute",              "59"),
        ("mistral",    "x-ratelimit-limit-tokens-minute",               "500000"),
        ("cerebras",   "x-ratelimit-limit-requests-day",                "14400"),
        ("cerebras",   "x-ratelimit-remaining-requests-day",            "14399"),
        ("cerebras",   "x-ratelimit-reset-requests-day",                "86400.0"),
        ("modelscope", "modelscope-ratelimit-requests-remaining",       "1999"),
        ("modelscope", "modelscope-ratelimit-model-requests-remaining", "499"),
        ("llmgateway", "x-ratelimit-remaining",                         "29"),
        ("llmgateway", "x-ratelimit-reset",                             "17959"),
        ("gemini",     "x-ratelimit-limit-requests",                    ""),
    ];
    for provider in named {
        let model = model_of(provider);
        let got = rig.chat(provider, model, json!({"max_tokens": 10})).await;
        assert_eq!(got.status, 200, "{provider}: {}", got.text);
        for (_, header, begin) in rows.iter().filter(|(its, ..)| *its == provider) {
            let value = got.header(header);
            assert!(value.starts_with(begin), "{provider} {header}: {value}");
            assert_eq!(value.is_empty(), begin.is_empty(), "{provider} {header}");
        }
    }
}

#[tokio::test]
async fn s10_5_a_script_may_state_any_limit() {
    let absurd = Answer {
        headers: vec![("x-ratelimit-remaining-requests".into(), "-1e30".into())],
        ..Answer::text("Hi")
    };
    let account = Account::new("it", "key-0123456789").usual_limits();
    let script = ProviderScript::new()
        .account(account)
        .others(Step::from(absurd));
    let rig = Rig::start(Script::new().provider("groq", script)).await;
    for stream in [false, true] {
        let more = json!({"stream": stream, "max_tokens": 10});
        let got = rig.chat("groq", "openai/gpt-oss-20b", more).await;
        assert_eq!(got.header("x-ratelimit-remaining-requests"), "-1e30");
        assert_eq!(got.header("x-ratelimit-limit-requests"), "1000");
    }
}

#[tokio::test]
async fn s10_5_neurons_return_at_midnight_utc() {
    let limit: Limit =
        serde_json::from_value(json!({"neurons": 2, "per": "day", "ends": "utc"})).unwrap();
    let account = Account::new("it", "key-0123456789")
        .id("abc")
        .limits([limit]);
    let script = Script::new().provider("cloudflare", ProviderScript::new().account(account));
    let rig = Rig::start(script).await;
    let model = "@cf/openai/gpt-oss-20b";
    let simulator = &rig.providers.simulator;
    simulator.set_clock(SystemTime::UNIX_EPOCH + NOON);
    assert_eq!(rig.chat("cloudflare", model, json!({})).await.status, 200);
    let over = rig.chat("cloudflare", model, json!({})).await;
    assert!(
        over.status == 429 && over.text.contains("4006"),
        "{}",
        over.text
    );
    simulator.advance(Duration::from_secs(12 * 3600 - 60));
    assert_eq!(rig.chat("cloudflare", model, json!({})).await.status, 429);
    simulator.advance(Duration::from_secs(60));
    assert_eq!(rig.chat("cloudflare", model, json!({})).await.status, 200);
}

#[tokio::test]
async fn s10_5_a_concurrency_limit_is_reported_while_it_lasts() {
    let slow = Answer {
        first_delay_ms: 300,
        ..Answer::text("slow")
    };
    let account = Account::new("it", "key-0123456789").usual_limits();
    let script = ProviderScript::new()
        .account(account)
        .others(Step::from(slow));
    let rig = Rig::start(Script::new().provider("zai", script)).await;
    let first = rig.chat("zai", "glm-4.7-flash", json!({}));
    let second = async {
        let begun = |s: &simulator::Simulator| !s.requests().is_empty();
        rig.providers.simulator.until(begun).await;
        let busy = rig.chat("zai", "glm-4.7-flash", json!({})).await;
        let other = rig.chat("zai", "glm-4.5-flash", json!({})).await;
        (busy, other.status)
    };
    let (first, (busy, other)) = tokio::join!(first, second);
    assert_eq!((first.status, busy.status, other), (200, 429, 200));
    assert!(busy.text.contains("1302"), "{}", busy.text);
    assert_eq!(
        rig.chat("zai", "glm-4.7-flash", json!({})).await.status,
        200
    );
}

#[tokio::test]
async fn s10_5_accounts_are_counted_separately_and_the_key_endpoint_reports_the_day() {
    let day = || {
        Limit::requests(3, Per::Day)
            .ends(Ends::Utc)
            .models(&["*:free"])
    };
    let script = ProviderScript::new()
        .account(Account::new("home", "key-home-0123456789").limits([day()]))
        .account(Account::new("work", "key-work-0123456789").limits([day()]));
    let rig = Rig::start(Script::new().provider("openrouter", script)).await;
    rig.providers
        .simulator
        .set_clock(SystemTime::UNIX_EPOCH + NOON);
    let mut statuses = Vec::new();
    for key in ["home", "home", "home", "home", "work", "none"] {
        let key = format!("key-{key}-0123456789");
        statuses.push(
            rig.chat_as("openrouter", "a:free", json!({}), Key::This(&key))
                .await
                .status,
        );
    }
    assert_eq!(statuses, [200, 200, 200, 429, 200, 401]);
    for (key, used) in [("key-home-0123456789", 3), ("key-work-0123456789", 1)] {
        let url = rig.url("openrouter", |a| &a.key_test_url);
        let told = rig.get("openrouter", &url, Key::This(key)).await.json();
        assert_eq!(
            told["data"]["free_model_daily_requests"],
            json!({"used": used, "limit": 3, "remaining": 3 - used})
        );
    }
    let over = |account| rig.providers.tally("openrouter", account).over;
    assert_eq!((over("home"), over("work")), (1, 0));
    let told = rig
        .send(rig.http.get(format!("{}/requests", rig.providers.origin)))
        .await;
    assert!(!told.text.contains("0123456789"), "no key is told");
    let told = told.json();
    assert_eq!(told["requests"][3]["why"], "over requests per day");
    assert_eq!(
        told["accounts"][1],
        json!({"provider": "openrouter", "account": "home", "requests": 4, "statuses": {"200": 3, "429": 1}, "over": 1})
    );
}
