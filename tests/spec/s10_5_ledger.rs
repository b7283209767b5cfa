//! §10.5: what would be refused because of a quota is not sent, over real sockets.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Account, Answer as Told, Ends, Limit, Per, ProviderScript, Script, Status, Step};

use crate::rig::providers::key_of;
use crate::rig::{Answer, Rig, abc};

/// The configured limits, the provider's real ones; how many requests are sent in sequence; what
/// answers them.
type Row<'a> = (&'a str, &'a [Limit], usize, &'a str);

/// Providers, and how many accounts at each.
type On<'a> = &'a [(&'static str, usize)];

/// `abc()` with an account of this provider that has these limits, and these answers.
fn with(provider: &str, limits: &[Limit], step: Step) -> Script {
    let account = Account::new(provider, key_of(provider, 1)).id("id-1");
    let own = ProviderScript::new()
        .account(account.limits(limits))
        .others(step);
    abc().provider(provider, own)
}

/// A request that a provider is to answer, if it can.
fn hello(provider: &str) -> Value {
    json!({"model": format!("{provider}/auto"), "messages": [{"role": "user", "content": "Hello!"}]})
}

async fn rig(provider: &str, limits: &[Limit], step: Step, settings: &[(&str, &str)]) -> Rig {
    let script = with(provider, limits, step);
    Rig::with_providers(script, &[("openrouter", 1), (provider, 1)], settings).await
}

/// How many requests an account of this provider got, and how many of them were over its limits.
fn tally(rig: &Rig, provider: &str) -> (u64, u64) {
    let tally = rig.simulator.tally();
    let mut own = tally.iter().filter(|((of, _), _)| of == provider);
    own.next()
        .map_or((0, 0), |(_, tally)| (tally.requests, tally.over))
}

/// Which providers answered, in runs: `3 groq, 2 openrouter`.
fn runs(answers: &[Answer]) -> String {
    let by = |answer: &Answer| match answer.status {
        200 => answer.header("x-free-llm-proxy-provider").to_owned(),
        _ => answer.code(),
    };
    let mut runs: Vec<(usize, String)> = Vec::new();
    for by in answers.iter().map(by) {
        match runs.last_mut() {
            Some((count, last)) if *last == by => *count += 1,
            _ => runs.push((1, by)),
        }
    }
    let runs = runs.iter().map(|(count, by)| format!("{count} {by}"));
    runs.collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn s10_5_no_429_is_provoked_where_a_limit_is_set_or_stated() {
    let minute = [Limit::requests(3, Per::Minute)];
    let day = [Limit::requests(2, Per::Day).of_model()];
    #[rustfmt::skip]
    let rows: [Row<'_>; 5] = [
        // set in the file                              the truth   sent   who answers
        (r#"{ requests = 3, per = "minute" }"#,          &minute,    5,     "3 groq, 2 openrouter"),
        (r#"{ requests = 2, per = "minute" }"#,          &minute,    5,     "2 groq, 3 openrouter"),
        (r#"{ requests = 3, per = "day", ends = "utc" }"#, &minute,  5,     "3 groq, 2 openrouter"),
        // Groq's headers state the day's.
        ("",                                             &day,       5,     "2 groq, 3 openrouter"),
        // The table's 30 a minute are not certain: another provider is asked first.
        ("",                                             &[],        32,    "30 groq, 2 openrouter"),
    ];
    for (set, limits, sent, expected) in rows {
        let set_here = match set {
            "" => String::new(),
            set => format!("limits = [{set}]\n"),
        };
        let file = format!("[providers.groq]\nmodels = ['openai/gpt-oss-120b']\n{set_here}");
        let settings = [("MODEL_FIELD", "prefer"), ("CONFIG_FILE", &*file)];
        let rig = rig("groq", limits, Step::ok("hello"), &settings).await;
        let mut answers = Vec::new();
        for _ in 0..sent {
            answers.push(rig.chat(&hello("groq")).await);
        }
        assert_eq!(runs(&answers), expected, "{set} {limits:?}");
        assert_eq!(tally(&rig, "groq").1, 0, "{set} {limits:?}");
    }
}

#[tokio::test]
async fn s10_5_an_uncertain_limit_does_not_block_the_last_candidate() {
    let settings = [("MODEL_FIELD", "pin")];
    let rig = rig("groq", &[], Step::ok("hello"), &settings).await;
    for n in 1..=32 {
        let answer = rig.chat(&hello("groq")).await;
        assert_eq!(answer.status, 200, "{n}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_5_a_used_up_day_is_answered_without_a_call_until_it_ends() {
    let limits = [Limit::requests(2, Per::Day).ends(Ends::Utc)];
    let script = with("groq", &limits, Step::ok("hello"));
    let file = "[providers.groq]\nlimits = [{ requests = 2, per = 'day', ends = 'utc' }]\n";
    let settings = [("MODEL_FIELD", "pin"), ("CONFIG_FILE", file)];
    let providers = [("openrouter", 1), ("groq", 1)];
    let rig = Rig::paused_with_providers(script, &providers, &settings).await;
    for _ in 0..2 {
        assert_eq!(rig.chat(&hello("groq")).await.status, 200);
    }
    let refused = rig.chat(&hello("groq")).await;
    refused.is_error(503, "account_rate_limited");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=86_400).contains(&wait), "{wait}");
    assert_eq!(tally(&rig, "groq"), (2, 0));
    tokio::time::sleep(Duration::from_secs(wait.saturating_sub(2))).await;
    assert_eq!(rig.chat(&hello("groq")).await.status, 503);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(rig.chat(&hello("groq")).await.status, 200);
    assert_eq!(tally(&rig, "groq"), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn s10_5_beyond_a_concurrency_limit_the_next_goes_elsewhere_or_waits() {
    let slow = Step::Ok(Box::new(Told {
        headers_delay_ms: 2_000,
        ..Told::default()
    }));
    let limits = [Limit::at_once(1)];
    let providers = [("openrouter", 1), ("zai", 1)];
    #[rustfmt::skip]
    let rows = [
        // MODEL_FIELD   who answers two at once       how long both take, s
        ("prefer",       ["zai", "openrouter"],        2),
        ("pin",          ["zai", "zai"],               4),
    ];
    for (field, expected, seconds) in rows {
        let file = "[providers.zai]\nlimits = [{ at_once = 1, of = 'account' }]\n";
        let settings = [("MODEL_FIELD", field), ("CONFIG_FILE", file)];
        let script = with("zai", &limits, slow.clone());
        let rig = Rig::paused_with_providers(script, &providers, &settings).await;
        let hello = hello("zai");
        let begun = tokio::time::Instant::now();
        let (first, second) = tokio::join!(rig.chat(&hello), rig.chat(&hello));
        let took = begun.elapsed().as_secs();
        let by = [&first, &second].map(|a| a.header("x-free-llm-proxy-provider"));
        assert_eq!((by, took), (expected, seconds), "{field}: {second:?}");
        assert_eq!(tally(&rig, "zai").1, 0, "{field}");
    }
}

/// The place becomes free only once the reason is known: otherwise one of the waiting requests
/// would try the dead key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_5_a_request_waiting_for_a_place_does_not_try_a_key_that_was_just_refused() {
    let refused = Step::Status(Status {
        status: 401,
        headers: Vec::new(),
        body: json!({"error": {"message": "Invalid API Key"}}),
        delay_ms: 300,
    });
    let file = "[providers.zai]\nlimits = [{ at_once = 1, of = 'account' }]\n";
    let settings = [("MODEL_FIELD", "pin"), ("CONFIG_FILE", file)];
    for _ in 0..3 {
        let rig = rig("zai", &[], refused.clone(), &settings).await;
        let hello = hello("zai");
        tokio::join!(
            rig.chat(&hello),
            rig.chat(&hello),
            rig.chat(&hello),
            rig.chat(&hello)
        );
        assert_eq!(rig.sent_up().len(), 1);
    }
}

#[tokio::test]
async fn s10_5_only_a_certain_limit_rules_out_a_request_that_alone_exceeds_it() {
    let large = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "word ".repeat(9_000)}]});
    let set = "[providers.groq]\nmodels = ['openai/gpt-oss-20b']\nlimits = [{ tokens = 8000, per = 'minute', of = 'model' }]\n";
    let by_default = "[providers.groq]\nmodels = ['openai/gpt-oss-20b']\n";
    let others = ("openrouter", 1);
    #[rustfmt::skip]
    let rows: [(&str, On<'_>, &str); 4] = [
        // the file     who is on                 who answers
        (by_default,    &[("groq", 1)],           "groq"),
        (by_default,    &[("groq", 1), others],   "openrouter"),
        (set,           &[("groq", 1), others],   "openrouter"),
        // Its size is only a guess: if no candidate would let it through, it is tried all the same.
        (set,           &[("groq", 1)],           "groq"),
    ];
    for (file, on, by) in rows {
        let script = with("groq", &[], Step::ok("hello"));
        let settings = [("CONFIG_FILE", file), ("MODEL_FIELD", "prefer")];
        let rig = Rig::with_providers(script, on, &settings).await;
        let answer = rig.chat(&large("groq/auto")).await;
        assert_eq!(answer.status, 200, "{file} {on:?}: {answer:?}");
        assert_eq!(
            answer.header("x-free-llm-proxy-provider"),
            by,
            "{file} {on:?}"
        );
    }
    // While all others rest, the default number alone does not refuse a request.
    let script = with("groq", &[], Step::ok("hello")).others(Step::status(
        429,
        &[("Retry-After", "600")],
        "",
    ));
    let rig = Rig::with_providers(
        script,
        &[("groq", 1), others],
        &[("CONFIG_FILE", by_default)],
    )
    .await;
    for _ in 0..2 {
        let answer = rig.chat(&large("auto")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("x-free-llm-proxy-provider"), "groq");
    }
}
