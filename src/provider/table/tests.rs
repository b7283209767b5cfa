//! The rows: that each can be read, is whole, and is what the reference says.

use std::collections::BTreeMap;

use super::*;
use crate::ledger::{Counted, Ends, LimitSource, Per, Unit};
use crate::model::Capability;
use crate::provider::row::{Auth, KeyTest, Training};

/// The order of spec §10.1.
const ORDER: &[&str] = &[
    "openrouter",
    "gemini",
    "groq",
    "nvidia",
    "cloudflare",
    "zai",
    "requesty",
    "kilo",
    "ovh",
    "mistral",
    "cohere",
    "llm7",
    "huggingface",
    "vercel",
    "cerebras",
    "ollama",
    "siliconflow",
    "modelscope",
    "llmgateway",
    "local",
];

fn rows() -> Vec<Provider> {
    let read = ROWS.iter().map(|(name, text)| {
        let mut rows = read(text).unwrap_or_else(|mistakes| panic!("{name}: {mistakes:?}"));
        assert_eq!(rows.len(), 1, "{name}");
        let row = rows.remove(0);
        assert_eq!(row.id.as_str(), *name);
        row
    });
    read.collect()
}

#[test]
fn s10_1_every_row_can_be_read_and_they_keep_their_order() {
    let read: Vec<String> = rows().iter().map(|row| row.id.to_string()).collect();
    assert_eq!(read, ORDER);
    let built_in: Vec<&str> = built_in().iter().map(|row| row.id.as_str()).collect();
    assert_eq!(built_in, ORDER);
    assert!(find("groq").is_some() && find("grok").is_none());
}

#[test]
fn s10_1_every_row_is_whole() {
    for row in rows() {
        let name = row.id.as_str();
        let is_local = name == "local";
        assert!(!row.custom && row.only.is_none(), "{name}");
        assert_eq!(row.base_url.is_empty(), is_local, "{name}");
        let tests = match &row.key_test {
            KeyTest::Get(urls) => urls.clone(),
            KeyTest::Chat => Vec::new(),
        };
        for url in [&row.base_url, &row.sign_up]
            .into_iter()
            .chain(&row.list.url)
            .chain(&tests)
        {
            let is_base = url == &row.base_url;
            assert!(
                url.starts_with("https://") || (is_local && is_base),
                "{name}: {url}"
            );
            assert!(!url.ends_with('/'), "{name}: {url}");
        }
        assert_eq!(
            row.takes_account_id(),
            row.account_id_name.is_some(),
            "{name}"
        );
        assert!(!row.key_names.is_empty(), "{name}");
        for key in row.key_names.iter().chain(&row.account_id_name) {
            assert!(
                key.bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
                "{key}"
            );
        }
        for key in &row.key_names {
            assert!(
                key.ends_with("_KEY") || key.ends_with("_TOKEN"),
                "{name}: {key}"
            );
        }
        assert!(
            row.shared_names
                .iter()
                .all(|shared| row.key_names.contains(shared)),
            "{name}"
        );
        // A keyless one is on only where it is named; `local` where its address is.
        assert!(is_local || row.keyless == row.only_when_named, "{name}");
        for words in [&row.name, &row.gives, &row.caveats, &row.source] {
            assert!(
                !words.is_empty() && !words.contains('|'),
                "{name}: {words:?}"
            );
        }
        assert!(row.source.contains("2026"), "{name}");
        for limit in &row.limits {
            assert!(
                limit.amount > 0 && limit.source == LimitSource::Default,
                "{name}"
            );
        }
        // What the list does not decide must be named.
        assert!(row.list.decides || !row.models.is_empty(), "{name}");
    }
}

#[test]
fn s10_1_a_variable_is_one_providers() {
    let mut whose: BTreeMap<String, String> = BTreeMap::new();
    for row in rows() {
        for name in row.key_names.iter().chain(&row.account_id_name) {
            let other = whose.insert(name.clone(), row.id.to_string());
            assert_eq!(other, None, "{name}");
        }
    }
    let shared: Vec<String> = rows()
        .into_iter()
        .flat_map(|row| row.shared_names)
        .collect();
    assert_eq!(
        shared,
        ["GOOGLE_API_KEY", "HF_TOKEN", "LLM_GATEWAY_API_KEY"]
    );
}

/// Comments say when and where a fact was read: on its line, or above it in the same table.
#[test]
fn s10_1_every_fact_has_its_date_and_source() {
    #[rustfmt::skip]
    let facts = [
        "base_url", "key_names", "key_prefix", "account_id_name", "limits", "models", "training", "remove", "rename",
        "schema_remove", "day_ends", "timeout_sec", "code", "match",
    ];
    for (name, text) in ROWS.iter().filter(|(name, _)| *name != "local") {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let member = line.split(" = ").next().unwrap_or_default();
            if !facts.contains(&member) || line.contains('#') {
                continue;
            }
            // The comment above it, or above its table, or above the first of its kind.
            let above = lines[..at].iter().rev();
            let said = above
                .take_while(|line| !line.is_empty())
                .any(|line| line.contains('#'));
            assert!(said, "{name}, line {}: {line}", at + 1);
        }
        assert!(text.contains("source = "), "{name}");
    }
}

#[test]
fn s10_1_what_the_rows_say_of_keys_and_addresses() {
    let takes = |row: &Provider| (row.keyless, row.billed, row.only_when_named);
    #[rustfmt::skip]
    let rows = [
        ("groq",  (false, false, false)), ("kilo",  (true, false, true)), ("ovh",   (true, true, true)),
        ("local", (true, false, false)),
    ];
    for (name, expected) in rows {
        let row = find(name).unwrap();
        assert_eq!((takes(row), &row.auth), (expected, &Auth::Bearer), "{name}");
    }
    let cloudflare = find("cloudflare").unwrap();
    const ID: Option<&str> = Some("0123456789abcdef");
    #[rustfmt::skip]
    let addresses = [
        (cloudflare.base_for(ID), "https://api.cloudflare.com/client/v4/accounts/0123456789abcdef/ai/v1"),
        (cloudflare.list_for(ID), "https://api.cloudflare.com/client/v4/accounts/0123456789abcdef/ai/models/search?per_page=1000"),
        (find("groq").unwrap().list_for(None), "https://api.groq.com/openai/v1/models"),
        (find("openrouter").unwrap().base_for(None), "https://openrouter.ai/api/v1"),
    ];
    for (address, expected) in addresses {
        assert_eq!(address.as_deref(), Some(expected));
    }
    assert_eq!(cloudflare.base_for(None), None);
    assert_eq!(cloudflare.key_test_for(Some("../x")), None);
    #[rustfmt::skip]
    let tests: &[(&str, &[&str])] = &[
        ("cloudflare",  &["https://api.cloudflare.com/client/v4/user/tokens/verify", "https://api.cloudflare.com/client/v4/accounts/0123456789abcdef/tokens/verify"]),
        ("huggingface", &["https://huggingface.co/api/whoami-v2"]),
        ("openrouter",  &["https://openrouter.ai/api/v1/key"]),
        ("nvidia",      &[]),
    ];
    for (name, expected) in tests {
        assert_eq!(
            find(name).unwrap().key_test_for(ID).unwrap(),
            *expected,
            "{name}"
        );
    }
}

#[test]
fn s10_1_a_row_moves_to_another_address_whole() {
    let moved = |name: &str, base: &str| Provider::clone(find(name).unwrap()).at(base);
    let groq = moved("groq", "http://127.0.0.1:9/groq/");
    assert_eq!(
        groq.list_for(None).unwrap(),
        "http://127.0.0.1:9/groq/models"
    );
    assert_eq!(
        groq.key_test_for(None).unwrap(),
        ["http://127.0.0.1:9/groq/models"]
    );
    let cloudflare = moved("cloudflare", "http://127.0.0.1:9/cf/{account_id}/v1");
    assert_eq!(
        cloudflare.base_for(Some("a")).unwrap(),
        "http://127.0.0.1:9/cf/a/v1"
    );
    assert_eq!(
        cloudflare.list_for(Some("a")).unwrap(),
        "http://127.0.0.1:9/client/v4/accounts/a/ai/models/search?per_page=1000"
    );
    assert_eq!(
        cloudflare.key_test_for(Some("a")).unwrap(),
        [
            "http://127.0.0.1:9/client/v4/user/tokens/verify",
            "http://127.0.0.1:9/client/v4/accounts/a/tokens/verify"
        ]
    );
    let local = moved("local", "http://127.0.0.1:11434/v1");
    assert_eq!(
        local.list_for(None).unwrap(),
        "http://127.0.0.1:11434/v1/models"
    );
    assert_eq!(
        local.key_test_for(None).unwrap(),
        ["http://127.0.0.1:11434/v1/models"]
    );
}

/// Reference §4, as far as it states a number.
#[test]
fn s10_5_the_default_limits() {
    use {Counted::*, Ends::*, Per::*, Unit::*};
    type Row = (
        &'static str,
        &'static str,
        &'static [(u64, Unit, Per, Counted, Option<Ends>)],
    );
    #[rustfmt::skip]
    let rows: &[Row] = &[
        ("openrouter", "", &[]),
        ("gemini", "gemini-3.5-flash", &[(5, Requests, Minute, Model, None), (250_000, Tokens, Minute, Model, None), (20, Requests, Day, Model, Some(Pacific))]),
        ("gemini", "gemini-3.1-flash-lite", &[(15, Requests, Minute, Model, None), (250_000, Tokens, Minute, Model, None), (500, Requests, Day, Model, Some(Pacific))]),
        ("gemini", "gemini-2.5-flash-lite", &[(10, Requests, Minute, Model, None), (20, Requests, Day, Model, Some(Pacific))]),
        ("gemini", "gemma-4-31b-it", &[(30, Requests, Minute, Model, None), (15_000, Tokens, Minute, Model, None), (14_400, Requests, Day, Model, Some(Pacific))]),
        ("groq", "openai/gpt-oss-120b", &[(30, Requests, Minute, Model, None), (1000, Requests, Day, Model, None), (8000, Tokens, Minute, Model, None), (200_000, Tokens, Day, Model, None)]),
        ("groq", "qwen/qwen3.8-27b", &[(30, Requests, Minute, Model, None), (1000, Requests, Day, Model, None), (7000, TokensIn, Minute, Model, None)]),
        ("nvidia", "", &[(40, Requests, Minute, Account, None), (10_000, Requests, Day, Account, None)]),
        ("cloudflare", "", &[(10_000, Neurons, Day, Account, Some(Utc)), (300, Requests, Minute, Account, None)]),
        ("zai", "", &[(1, AtOnce, Moment, Model, None)]),
        ("requesty", "", &[(200, Requests, Day, Account, None)]),
        ("kilo", "", &[(200, Requests, Hour, Address, None), (10_000, Requests, Day, Address, None)]),
        ("ovh", "", &[(2, Requests, Minute, Model, None)]),
        ("mistral", "", &[(1, Requests, Second, Account, None), (500_000, Tokens, Minute, Model, None), (1_000_000_000, Tokens, Month, Account, Some(Utc))]),
        ("cohere", "", &[(20, Requests, Minute, Model, None), (1000, Requests, Month, Account, Some(Utc))]),
        ("llm7", "", &[(1, Requests, Second, Account, None), (60, Requests, Minute, Account, None), (250, Requests, Hour, Account, None), (100_000, Tokens, Day, Account, None)]),
        ("modelscope", "", &[(2000, Requests, Day, Account, Some(Shanghai)), (500, Requests, Day, Model, Some(Shanghai))]),
        ("siliconflow", "", &[(1000, Requests, Minute, Model, None), (50_000, Tokens, Minute, Model, None)]),
        ("llmgateway", "", &[(30, Requests, Hour, Account, None)]),
        ("local", "", &[(1, AtOnce, Moment, Account, None)]),
    ];
    for (name, model, expected) in rows {
        let limits = find(name).unwrap().limits.iter();
        let of_it = limits.filter(|limit| {
            limit.models.is_empty() || limit.models.iter().any(|pattern| fits(pattern, model))
        });
        let found: Vec<_> = of_it
            .map(|limit| (limit.amount, limit.unit, limit.per, limit.of, limit.ends))
            .collect();
        assert_eq!(found, *expected, "{name} {model}");
    }
}

/// `*` within a pattern, for the patterns of the rows: one star each.
fn fits(pattern: &str, id: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => {
            id.len() >= before.len() + after.len() && id.starts_with(before) && id.ends_with(after)
        }
        None => pattern == id,
    }
}

/// Reference §4.
#[test]
fn s10_1_who_may_train_and_when_days_end() {
    use Training::{May, No, Unknown};
    #[rustfmt::skip]
    let rows = [
        ("openrouter", May, Some(Ends::Utc)), ("gemini", May, Some(Ends::Pacific)), ("groq", No, None), ("nvidia", May, None),
        ("cloudflare", No, Some(Ends::Utc)), ("zai", Unknown, None), ("requesty", May, None), ("kilo", May, None), ("ovh", No, None),
        ("mistral", May, None), ("cohere", Unknown, Some(Ends::Utc)), ("llm7", Unknown, None), ("huggingface", No, None), ("vercel", No, None),
        ("cerebras", Unknown, None), ("ollama", Unknown, None), ("siliconflow", Unknown, None), ("modelscope", Unknown, Some(Ends::Shanghai)),
        ("llmgateway", Unknown, None), ("local", No, None),
    ];
    for (name, training, day_ends) in rows {
        let row = find(name).unwrap();
        assert_eq!((row.training, row.day_ends), (training, day_ends), "{name}");
    }
    assert_eq!(rows.len(), ORDER.len());
}

/// Spec §10.7 names who decides.
#[test]
fn s10_7_whose_list_decides_and_what_is_known_without_it() {
    #[rustfmt::skip]
    let decides = ["openrouter", "groq", "requesty", "kilo", "ovh", "mistral", "cohere", "llmgateway", "local"];
    let priced = ["openrouter", "requesty", "kilo", "llmgateway"];
    for row in rows() {
        let name = row.id.as_str();
        assert_eq!(row.list.decides, decides.contains(&name), "{name}");
        assert_eq!(row.list.priced, priced.contains(&name), "{name}");
    }
    let offer = |name: &str, id: &str| {
        let row = find(name).unwrap();
        let offer = row.models.iter().find(|offer| offer.id.as_str() == id);
        offer.cloned().unwrap_or_else(|| panic!("{name} {id}"))
    };
    let groq = offer("groq", "openai/gpt-oss-120b");
    assert_eq!((groq.context, groq.output), (Some(131_072), Some(65_536)));
    assert_eq!(groq.capabilities.get(Capability::Tools), Some(true));
    assert_eq!(groq.capabilities.get(Capability::Images), Some(false));
    let llama = offer("cloudflare", "@cf/meta/llama-3.3-70b-instruct-fp8-fast");
    assert_eq!(llama.context, Some(24_000));
    assert_eq!(llama.capabilities.get(Capability::Tools), None);
    let glm = offer("zai", "glm-4.7-flash");
    assert_eq!(
        glm.capabilities.get(Capability::StructuredOutputs),
        Some(false)
    );
}

/// Reference §8, as far as it names fields.
#[test]
fn s10_6_what_each_refuses() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        ("groq",       &["logit_bias", "logprobs", "top_logprobs", "n", "messages[].name"]),
        ("gemini",     &["min_p", "repetition_penalty", "logit_bias", "logprobs"]),
        ("mistral",    &["top_k", "min_p", "logit_bias", "logprobs", "reasoning_effort"]),
        ("nvidia",     &["parallel_tool_calls"]),
        ("cloudflare", &["logprobs", "logit_bias", "min_p", "reasoning_effort"]),
        ("cohere",     &["top_k", "logit_bias", "logprobs", "reasoning_effort"]),
        ("kilo",       &["response_format", "store", "previous_response_id"]),
        ("cerebras",   &["frequency_penalty", "presence_penalty"]),
    ];
    for (name, refused) in rows {
        let fields = &find(name).unwrap().fields;
        for field in *refused {
            assert!(
                fields.remove.iter().any(|removed| removed == field),
                "{name}: {field}"
            );
        }
    }
    let fields = |name: &str| &find(name).unwrap().fields;
    let pairs = |pairs: &[(String, String)]| {
        let pairs = pairs.iter().map(|(a, b)| format!("{a} {b}"));
        pairs.collect::<Vec<_>>()
    };
    assert_eq!(
        pairs(&fields("mistral").rename),
        ["seed random_seed", "max_completion_tokens max_tokens"]
    );
    assert_eq!(pairs(&fields("cloudflare").defaults), ["max_tokens 8192"]);
    assert!(
        fields("gemini")
            .schema_remove
            .contains(&"exclusiveMinimum".to_owned())
    );
    assert_eq!(
        fields("cohere").schema_remove,
        ["additionalProperties", "$schema"]
    );
    let with = |has: fn(&Provider) -> bool| {
        let rows = built_in().iter().filter(|row| has(row));
        rows.map(|row| row.id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(with(|row| row.fields.thought_signatures), ["gemini"]);
    assert_eq!(with(|row| row.fields.short_call_ids), ["mistral"]);
    assert_eq!(with(|row| row.fields.text_only), ["groq", "cloudflare"]);
    assert_eq!(with(|row| row.counts_max_tokens), ["groq", "cerebras"]);
    assert_eq!(with(|row| row.mends), ["gemini", "mistral"]);
    // What goes to OpenRouter goes byte for byte.
    let openrouter = crate::provider::Fields {
        takes_reasoning: true,
        ..Default::default()
    };
    assert_eq!(fields("openrouter"), &openrouter);
}
