//! Whatever a provider answers: a verdict, a rest of at most 26 h or until the end of a known
//! window, and nothing secret in what is passed on.
#![no_main]

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use free_llm_proxy::answer::{read as read_answer, without_heartbeat};
use free_llm_proxy::clock::Now;
use free_llm_proxy::json::{Kind, Raw};
use free_llm_proxy::model::ModelId;
use free_llm_proxy::provider::{Asked, Provider, Rules, built_in, key_verdict};
use free_llm_proxy::redact::{Redactor, Secret};
use free_llm_proxy::request::{Endpoint, Routing};
use free_llm_proxy::verdict::{AccountLimit, Cause, Rest, Scope};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const KEY: &str = "sk-or-v1-0123456789";
const LONGEST: Duration = Duration::from_secs(26 * 3600);
const MONTH: Duration = Duration::from_secs(31 * 24 * 3600);
const HEADERS: [&str; 7] = [
    "date",
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
];

/// The unescaped strings of a value, including its names.
fn texts(value: Raw<'_>, all: &mut Vec<String>) {
    all.extend(value.as_str().map(Into::into));
    for (key, value) in value.members() {
        all.push(key.into_owned());
        texts(value, all);
    }
    value.elements().for_each(|value| texts(value, all));
}

fn check(
    provider: &Provider,
    routing: Routing,
    status: u16,
    headers: &HeaderMap,
    body: Vec<u8>,
    now: Now,
) {
    let openrouter = provider.speaks_openrouter(None);
    let rules = Rules {
        rate_limit_cooldown: Duration::from_secs(300),
        generic_error_cooldown: Duration::from_secs(60),
        redactor: Redactor::new([Secret::new(KEY)]),
    };
    let model = ModelId::try_from("maker/model:free").expect("an id");
    let body = Bytes::from(body);
    drop(read_answer(&without_heartbeat(&body), Endpoint::Chat));
    let _ = key_verdict(provider, status, &body);
    let asked = Asked {
        provider,
        key: None,
        model: &model,
        routing,
    };
    let failure = rules.classify(asked, status, headers, &body, Cause::Status, now);
    if failure.owed {
        assert!(failure.rest == Rest::None && routing != Routing::Ours);
        assert!(failure.answer.is_some() && failure.scope == Scope::Model);
    }
    match failure.rest {
        Rest::None | Rest::UntilNextList => {}
        Rest::Doubling { .. } => {
            let doubles = [Scope::Key, Scope::Account(AccountLimit::Credit)];
            assert!(doubles.contains(&failure.scope) || !openrouter);
        }
        // Rests grow by the attempt and by the setting, which come after the classifying.
        Rest::Growing { .. } => unreachable!("nothing has begun"),
        Rest::For(length) | Rest::Unadvised(length) => {
            assert!(length <= LONGEST, "{length:?}");
        }
        Rest::Until(date) => {
            let longest = if openrouter { LONGEST } else { MONTH };
            assert!(date <= now.wall + longest, "{date:?}");
        }
    }
    assert!(status != 401 || failure.scope == Scope::Key || !openrouter);
    if failure.scope == Scope::Request {
        assert!(failure.answer.is_some());
        assert!((400..500).contains(&status));
    }
    if let Some(answer) = failure.answer {
        assert_eq!(answer.status, status);
        let read = Raw::parse(answer.body.bytes(), usize::MAX.min(1024)).expect("JSON");
        assert!(
            read.get("error")
                .is_some_and(|error| error.kind() == Kind::Object)
        );
        assert!(read.members().all(|(key, _)| key != "user_id"));
        let mut all = Vec::new();
        texts(read, &mut all);
        assert!(all.iter().all(|text| !text.contains(KEY)), "{all:?}");
    }
}

fuzz_target!(|data: &[u8]| {
    let [kind, status, length, rest @ ..] = data else {
        return;
    };
    let statuses = [
        400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529,
    ];
    let status = *statuses
        .get(usize::from(*status))
        .unwrap_or(&(300 + u16::from(*status)));
    let (value, body) = rest.split_at(rest.len().min(usize::from(*length)));
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(value) {
        let name = HEADERS[usize::from(*kind) % HEADERS.len()];
        headers.insert(HeaderName::from_static(name), value);
    }
    let now = Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000),
    };
    let routing = [Routing::Ours, Routing::Asks, Routing::Steers][usize::from(*kind) / 64 % 3];
    let rows = built_in();
    let provider = &rows[usize::from(*length) % rows.len()];
    check(provider, routing, status, &headers, body.to_vec(), now);
    for (before, after) in [
        (r#"{"error":{"code":429,"metadata":{"headers":{"#, "}}}}"),
        (r#"{"error":{"metadata":{"retry_after_seconds":"#, "}}}"),
        (
            r#"{"user_id":"user_1","error":{"message":"sk-or-v1-0123456789","#,
            "}}",
        ),
    ] {
        check(
            provider,
            routing,
            status,
            &headers,
            [before.as_bytes(), body, after.as_bytes()].concat(),
            now,
        );
    }
});
