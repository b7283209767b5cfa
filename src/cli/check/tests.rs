use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::config::Clients;
use crate::redact::Secret;

const KEY: &str = "sk-or-v1-hush-0123456789-WXYZ";

/// 2026-10-01T00:00:00Z.
fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_812_800),
    }
}

#[test]
fn s8_the_key_is_judged_in_plain_words() {
    let data = |more: &str| format!("{{\"data\":{{\"label\":\"x\",\"usage\":1{more}}}}}");
    const ACCEPTED: &str = "ok the upstream accepts OPENROUTER_API_KEY in the settings: key tail is ...WXYZ (len=29); may train on prompts";
    const UNTOLD: &str = "ok it does not say how many free requests are left today; limits (default): 20 requests a minute and 50 a day over all :free ids, 1,000 a day once 10 dollars of credit were ever bought; its day ends at 03:00 (your time), in 1 d";
    let refused = |status: u16, said: &str| {
        format!(
            "bad OpenRouter refuses the key ...WXYZ (HTTP {status}). Put a new one into .env: it \
             counts a few seconds later. It is OPENROUTER_API_KEY in the settings (len=29). Is it deleted, disabled or a \
             placeholder? Create one at https://openrouter.ai/settings/keys{said}"
        )
    };
    let also = |more: &str| format!("{ACCEPTED} | {more} | {UNTOLD}");
    let alone = || format!("{ACCEPTED} | {UNTOLD}");
    let counted = |more: &str| format!("{ACCEPTED} | {more}");
    let quota = |used: i64, left: i64| {
        data(&format!(
            ",\"free_model_daily_requests\":{{\"used\":{used},\"limit\":50,\"remaining\":{left}}}"
        ))
    };
    #[rustfmt::skip]
    let rows: Vec<(u16, String, String)> = vec![
        (200, data(""),                                          alone()),
        (200, data(",\"limit\":null,\"limit_remaining\":null"),  alone()),
        (200, data(",\"limit_remaining\":1.5"),                  also("ok the key may still spend $1.50")),
        (200, data(",\"limit_remaining\":0"),                    also("bad the key is out of credit (limit_remaining $0.00): raise its limit at https://openrouter.ai/settings/keys")),
        (200, data(",\"limit_remaining\":-0.25"),                also("bad the key is out of credit (limit_remaining $-0.25): raise its limit at https://openrouter.ai/settings/keys")),
        (200, quota(12, 38),                                     counted("ok free requests today: 12 of 50 used, 38 left; all are back at 03:00 (your time), in 1 d")),
        (200, quota(50, 0),                                      counted("bad The free requests of today are used up (50 of 50); they are back in 1 d, at 00:00 UTC. Wait, or buy 10 credits once: then it is 1000 a day.")),
        (200, data(",\"expires_at\":null"),                      alone()),
        (200, data(",\"expires_at\":\"2026-09-30T23:59:59Z\""),  also("bad the key expired at 2026-09-30T23:59:59.000Z")),
        (200, data(",\"expires_at\":\"2026-10-02T00:00:00Z\""),  also("warn the key expires soon, at 2026-10-02T00:00:00.000Z")),
        (200, data(",\"expires_at\":\"2027-10-02T00:00:00Z\""),  also("ok the key expires at 2027-10-02T00:00:00.000Z")),
        (200, data(&format!(",\"expires_at\":\"{KEY}\"")),       also("warn the key's expiry is not a date")),
        (200, data(",\"expires_at\":\"soon\""),                  also("warn the key's expiry is not a date")),
        (200, data(",\"is_free_tier\":true"),                    also("ok the account is on the free tier: it has never bought credits")),
        (200, data(",\"is_free_tier\":false"),                   alone()),
        (200, data(",\"is_management_key\":true"),               also("bad it is a management key, which serves no completions: create an ordinary one at https://openrouter.ai/settings/keys")),
        (200, "<html>".into(),                                   "bad what answers at UPSTREAM_BASE_URL/key is not a key endpoint: is UPSTREAM_BASE_URL right?".into()),
        (200, "{\"data\":[]}".into(),                            "bad what answers at UPSTREAM_BASE_URL/key is not a key endpoint: is UPSTREAM_BASE_URL right?".into()),
        (401, error("User not found."),                          refused(401, ". The answer: \"User not found.\"")),
        (401, "".into(),                                         refused(401, "")),
        (403, error(&format!("no: {KEY}\u{1b}[2J")),             refused(403, ". The answer: \"no: ***\\u{1b}[2J\"")),
        (401, error("in organization `org_01jx8kq2vd3nw7`"),     refused(401, ". The answer: \"in organization `***`\"")),
        (402, error("Insufficient credits"),                     "bad The account at OpenRouter is out of credit (HTTP 402), which blocks free models too. Add credit at https://openrouter.ai/settings/credits, then refresh the list. The answer: \"Insufficient credits\"".into()),
        (404, "".into(),                                         "warn the upstream has no key endpoint (HTTP 404), so OPENROUTER_API_KEY is unchecked".into()),
        (429, "".into(),                                         "warn the upstream is rate-limiting (HTTP 429), so OPENROUTER_API_KEY is unchecked".into()),
        (301, "".into(),                                         "bad the upstream answers with a redirect (HTTP 301), which is not followed: is UPSTREAM_BASE_URL right?".into()),
        (503, "busy".into(),                                     "bad the upstream answers HTTP 503".into()),
    ];
    for (status, body, expected) in rows {
        let config = config("https://openrouter.ai/api/v1");
        let findings = judge_key(
            status,
            body.as_bytes(),
            &config,
            config.accounts.first(),
            Local::hours(3),
            now(),
        );
        assert_eq!(told(&findings), expected, "{status} {body}");
        assert!(!told(&findings).contains("hush"));
    }
}

#[test]
fn s8_a_short_key_shows_its_length_only() {
    let mut config = config("http://127.0.0.1:9/v1");
    config.upstream_key = Secret::new("12345678");
    config.accounts[0].key = Some(config.upstream_key.clone());
    let account = config.accounts.first();
    let findings = judge_key(401, b"", &config, account, Local::hours(3), now());
    assert_eq!(
        told(&findings),
        "bad The upstream at 127.0.0.1:9 refuses the key OPENROUTER_API_KEY (HTTP 401). Put a new \
         one into .env: it counts a few seconds later. It is OPENROUTER_API_KEY in the settings (len=8). OpenRouter's keys begin with sk-or-: is it a placeholder, or another service's?"
    );
}

#[test]
fn s8_the_ranking_is_judged_in_plain_words() {
    let models = r#"[{"id":"a/b:free","rank":1},{"id":"c/d:free","rank":2}]"#;
    let dated = |at: &str| format!(r#"{{"updatedAt":"{at}","models":{models}}}"#);
    const TWO: &str = "ok the ranking has 2 models that can be used";
    #[rustfmt::skip]
    let rows: Vec<(u16, &str, String, String)> = vec![
        // status, X-Free-LLM-Seed, body, expected
        (200, "false", dated("2026-09-30T03:17:45Z"),                     TWO.into()),
        (200, "",      dated("2026-09-29T22:00:00Z"),                     TWO.into()),
        (200, "",      dated("2026-09-29T21:00:00Z"),                     format!("{TWO} | warn the ranking is stale: it was made 1 d 3 h ago, at 2026-09-29T21:00:00.000Z")),
        (200, "",      dated("2030-01-01T00:00:00Z"),                     TWO.into()),
        (200, "",      dated("yesterday"),                                TWO.into()),
        (200, "true",  dated("2026-09-30T03:17:45Z"),                     format!("{TWO} | warn the ranking is a canned one (X-Free-LLM-Seed): the service has lost its data for now")),
        (200, "",      r#"{"models":[{"id":"a/b:free","rank":1},{"id":"a b"},{"rank":1},7]}"#.into(),
                                                                          "ok the ranking has 1 model that can be used | warn 3 entries of the ranking are left out; of the first, the id is not allowed in a header or a URL".into()),
        (200, "",      r#"{"models":[{"id":"a/b:free","rank":1},{"id":"a/b","rank":2}]}"#.into(),
                                                                          "ok the ranking has 1 model that can be used | warn 1 entry of the ranking is left out: the id does not end in :free, so OpenRouter could bill it (ALLOW_PAID is off)".into()),
        (200, "",      r#"{"models":[{"id":"a/b:free"}]}"#.into(),        "bad the ranking has no model that can be used".into()),
        (200, "",      r#"{"models":[]}"#.into(),                         "bad the ranking has no model that can be used".into()),
        (200, "",      r#"{"models":{}}"#.into(),                         "bad MODELS_LIST_URL answers with JSON that has no list of models".into()),
        (200, "",      "[]".into(),                                       "bad MODELS_LIST_URL answers with JSON that has no list of models".into()),
        (200, "",      "<html>".into(),                                   "bad MODELS_LIST_URL answers with something that is not JSON".into()),
        (302, "",      "".into(),                                         "bad MODELS_LIST_URL answers HTTP 302, a redirect, which is not followed".into()),
        (500, "",      "".into(),                                         "bad MODELS_LIST_URL answers HTTP 500".into()),
    ];
    for (status, seed, body, expected) in rows {
        let headers = [("x-free-llm-seed", seed)]
            .into_iter()
            .filter(|(_, seed)| !seed.is_empty());
        let headers = headers
            .map(|(name, seed)| (name.parse().unwrap(), seed.parse().unwrap()))
            .collect();
        let findings = judge_list(status, &headers, body.as_bytes(), false, now().wall);
        assert_eq!(told(&findings), expected, "{status} {body}");
    }
}

#[tokio::test]
async fn s8_check_asks_the_ranking_without_the_key_and_the_upstream_with_it() {
    let config = config("https://openrouter.ai/api/v1");
    let get =
        async |url: &str, shown: Shown<'_>| match (url, shown.key.map(|(_, key)| key.expose())) {
            ("https://list.example/top", None) => {
                answer(200, r#"{"models":[{"id":"a/b:free","rank":1}]}"#)
            }
            ("https://openrouter.ai/api/v1/key", Some(KEY)) => answer(200, r#"{"data":{}}"#),
            ("https://openrouter.ai/api/v1/models", Some(KEY)) => {
                answer(200, r#"{"data":[{"id":"a/b:free"}]}"#)
            }
            other => panic!("{other:?}"),
        };
    let report = run(&config, Local::hours(3), now(), get).await;
    assert_eq!(report.ending(), Exit::Fine);
    assert_eq!(
        report.to_string(),
        "ok    the settings are complete\n\
         ok    the ranking has 1 model that can be used\n\
         ok    the upstream accepts OPENROUTER_API_KEY in the settings: key tail is ...WXYZ (len=29); may train on prompts\n\
         ok    it does not say how many free requests are left today; limits (default): 20 requests a minute and 50 a day over all :free ids, 1,000 a day once 10 dollars of credit were ever bought; its day ends at 03:00 (your time), in 1 d\n\
         ok    1 of 1 models exist there\n\
         Everything works."
    );
}

#[tokio::test]
async fn s8_check_fails_when_nothing_answers() {
    let get = async |_: &str, _: Shown<'_>| Err("connection refused".to_owned());
    let report = run(
        &config("http://127.0.0.1:9/v1"),
        Local::hours(3),
        now(),
        get,
    )
    .await;
    assert_eq!(report.ending(), Exit::Fault);
    assert_eq!(
        report.to_string(),
        "ok    the settings are complete\n\
         BAD   the ranking at https://list.example/top cannot be read: connection refused\n\
         BAD   the upstream at http://127.0.0.1:9/v1 cannot be reached: connection refused\n\
         Something does not work."
    );
}

#[tokio::test]
async fn s8_the_models_must_exist_at_the_upstream() {
    const LIST: &str = r#"{"models":[{"id":"a:free","rank":1},{"id":"b:free","rank":2}]}"#;
    const ROUTED: &str =
        r#"{"models":[{"id":"a:free","rank":1}],"fallback":{"id":"openrouter/free"}}"#;
    const NONE: &str = "bad 0 of 2 models exist there: http://127.0.0.1:9 has none of the ranking's. \
        Is UPSTREAM_BASE_URL right? The models of https://list.example/top must exist there.";
    let unknown = |why: &str| {
        format!(
            "warn the catalogue at http://127.0.0.1:9/models cannot be read ({why}): whether the models \
             exist there is unknown, and what the ranking leaves open counts as \"cannot\""
        )
    };
    let no_api = "bad UPSTREAM_BASE_URL=http://127.0.0.1:9 does not look like an OpenAI-compatible API: \
        http://127.0.0.1:9/models lists no models";
    let lists =
        |then: &str| format!("ok the upstream at http://127.0.0.1:9 lists its models | {then}");
    #[rustfmt::skip]
    let rows: Vec<(u16, &'static str, u16, &'static str, String)> = vec![
        // /key, the ranking, and /models                                  the last finding
        (200, LIST,   200, r#"{"data":[{"id":"a:free"},{"id":"b:free"}]}"#, "ok 2 of 2 models exist there".into()),
        (200, LIST,   200, r#"{"data":[{"id":"b:free"},{"id":"x"}]}"#,     "warn 1 of 2 models exist there; not a:free".into()),
        (200, LIST,   200, r#"{"data":[{"id":"llama3"}]}"#,                NONE.into()),
        (200, LIST,   200, r#"{"data":[]}"#,                               NONE.into()),
        (200, ROUTED, 200, r#"{"data":[{"id":"openrouter/free"}]}"#,       "warn 0 of 1 models exist there; not a:free".into()),
        (200, LIST,   500, "",                                             unknown("the answer was HTTP 500")),
        (200, LIST,   200, "<html>",                                       unknown("the catalogue is not valid JSON at byte 0")),
        (404, LIST,   200, r#"{"data":[{"id":"a:free"},{"id":"b:free"}]}"#, lists("ok 2 of 2 models exist there")),
        (404, LIST,   200, r#"{"data":[{"id":"llama3"}]}"#,                lists(NONE)),
        (404, LIST,   404, "",                                             no_api.into()),
        (404, LIST,   200, "<html>",                                       no_api.into()),
    ];
    for (key, list, status, body, expected) in rows {
        let get = async |url: &str, shown: Shown<'_>| {
            // What is there may be a proxy like this one (spec §10.1).
            assert_eq!(shown.marked, url.starts_with("http://127.0.0.1:9"), "{url}");
            match url {
                "https://list.example/top" => answer(200, list),
                "http://127.0.0.1:9/models" => answer(status, body),
                _ => answer(key, r#"{"data":{}}"#),
            }
        };
        let mut config = config("http://127.0.0.1:9/");
        config.fallback_router = true;
        let report = run(&config, Local::hours(3), now(), get).await;
        let shown = told(&report.findings);
        assert!(shown.ends_with(&expected), "{body}: {shown}\n{expected}");
        let ending = if expected.contains("bad ") {
            Exit::Fault
        } else {
            Exit::Fine
        };
        assert_eq!(report.ending(), ending, "{body}: {shown}");
    }
}

#[tokio::test]
async fn s10_8_a_refused_key_says_where_to_create_one_if_that_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "key-0123456789-ABCD").unwrap();
    #[rustfmt::skip]
    let rows = [
        ("my-box", "base_url = \"http://10.0.0.5:8000/v1\"", true,  "(HTTP 401)"),
        ("groq",   "",                                       false, "(HTTP 401); it does not begin with gsk_, as they usually do. Create one at https://console.groq.com/keys"),
    ];
    for (name, base, marked, expected) in rows {
        let file = format!("[providers.{name}]\n{base}\nkeys = [{{ file = {path:?} }}]");
        let read =
            |name: &str| (name == "PROXY_API_KEY").then(|| "a-key-that-is-long-enough".to_owned());
        let config = Config::read_with_file(read, &file).unwrap();
        let get = async |_: &str, shown: Shown<'_>| {
            assert_eq!(shown.marked, marked);
            answer(
                401,
                r#"{"error":{"message":"Invalid API Key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            )
        };
        let local = Local::hours(3);
        let finding = accounts::check(&config.accounts[0], local, now().wall, get).await;
        assert_eq!(finding.weight, Weight::Bad);
        assert!(finding.sentence.ends_with(expected), "{}", finding.sentence);
    }
}

#[test]
fn s8_a_key_shared_with_clients_is_worth_a_warning() {
    let mut config = config("https://openrouter.ai/api/v1");
    assert_eq!(judge_settings(&config).len(), 1);
    config.clients = Clients::with_keys(KEY);
    assert!(told(&judge_settings(&config)).contains("warn PROXY_API_KEY is the same"));
}

#[test]
fn s13_a_short_key_at_an_open_door_is_worth_a_warning() {
    let mut config = config("https://openrouter.ai/api/v1");
    config.clients = Clients::with_keys("hush");
    let told = told(&judge_settings(&config));
    assert!(
        told.contains("warn PROXY_API_KEY has 4 characters, and HOST=0.0.0.0 lets others try keys"),
        "{told}"
    );
    assert!(!told.contains("hush"), "{told}");
    config.host = std::net::Ipv4Addr::LOCALHOST.into();
    assert_eq!(judge_settings(&config).len(), 1);
}

fn error(message: &str) -> String {
    serde_json::json!({"error": {"code": 1, "message": message}, "user_id": "user_hush"})
        .to_string()
}

fn answer(status: u16, body: &'static str) -> Result<Answer, String> {
    Ok((
        status,
        HeaderMap::new(),
        Bytes::from_static(body.as_bytes()),
    ))
}

fn told(findings: &[Finding]) -> String {
    let told = |finding: &Finding| {
        let weight = format!("{:?}", finding.weight).to_lowercase();
        format!("{weight} {}", finding.sentence)
    };
    findings.iter().map(told).collect::<Vec<_>>().join(" | ")
}

fn config(base: &str) -> Config {
    Config::read(|name| {
        let value = match name {
            "OPENROUTER_API_KEY" => KEY,
            "PROXY_API_KEY" => "a-key-that-is-long-enough",
            "MODELS_LIST_URL" => "https://list.example/top",
            "UPSTREAM_BASE_URL" => base,
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap()
}
