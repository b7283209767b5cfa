//! The rules that hold for providers other than OpenRouter.

use proptest::prelude::*;

use super::cases::{provider, rules, without_outcome};
use super::*;
use crate::ledger::{Counted, Ends, Limit, LimitSource, Per, Stated, Unit};
use crate::provider::{ErrorRow, Means};

const ID: &str = "maker/model-x";

fn judge(row: &Provider, status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    judge_of(row, Routing::Ours, status, headers, body)
}

fn judge_of(
    row: &Provider,
    routing: Routing,
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
) -> Failure {
    let headers = headers
        .iter()
        .map(|(k, v)| (k.parse::<http::HeaderName>().unwrap(), v.parse().unwrap()))
        .collect();
    let asked = Asked {
        provider: row,
        key: None,
        model: &ModelId::try_from(ID).unwrap(),
        routing,
    };
    let body = Bytes::copy_from_slice(body.as_bytes());
    rules().classify(asked, status, &headers, &body, Cause::Status, now())
}

fn taught(means: Means, status: Option<u16>, code: Option<&str>, words: Option<&str>) -> ErrorRow {
    ErrorRow {
        status,
        code: code.map(Into::into),
        matches: words.map(Into::into),
        means,
    }
}

fn limit(amount: u64, unit: Unit, per: Per, of: Counted, ends: Option<Ends>) -> Limit {
    Limit {
        amount,
        unit,
        per,
        of,
        ends,
        models: Vec::new(),
        source: LimitSource::Default,
    }
}

#[test]
fn s10_4_what_is_not_recognised_is_the_models_and_a_401_the_keys() {
    let row = provider("my-box");
    let long = "Rate limit reached on tokens per day (TPD): Limit 5. Please try again in 9m0s.";
    #[rustfmt::skip]
    let rows = [
        (400, "",                                                      "model, none"),
        (400, r#"{"error":{"message":"Invalid role"}}"#,               "model, none"),
        (401, r#"{"error":{"message":"x"}}"#,                          "key, 60s to 3600s"),
        (401, "<html>",                                                "key, 60s to 3600s"),
        (402, "",                                                      "account credit, 300s to 21600s"),
        (403, "",                                                      "model, none"),
        (403, "<html>Blocked</html>",                                  "model, none"),
        (403, r#"{"error":{"message":"Forbidden"}}"#,                  "model, none"),
        (403, r#"{"error":{"code":"invalid_api_key"}}"#,               "key, 60s to 3600s"),
        (404, r#"{"error":{"code":"model_not_found"}}"#,               "model, next list"),
        (404, r#"{"error":{"message":"The model `maker/model-x` does not exist"}}"#, "model, next list"),
        (404, r#"{"error":{"message":"The model `maker/model-xyz` does not exist"}}"#, "model, 60s"),
        (405, "",                                                      "model, none"),
        (408, "",                                                      "model, 60s"),
        (410, "",                                                      "model, next list"),
        (413, "",                                                      "model, none"),
        (413, r#"{"error":{"message":"maximum context length is 8"}}"#, "model, none, too long"),
        (422, r#"{"detail":[{"msg":"field required"}]}"#,              "model, none"),
        (400, r#"{"message":"This model does not support image input"}"#, "model, none, lacks images"),
        (400, r#"{"message":"maker/model-x does not support tools"}"#, "model, none, lacks tools"),
        // llama.cpp b11549 and llama-cpp-python 0.3.36, seen on 2026-11-30.
        (400, r#"{"error":{"code":400,"message":"request (5004 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5004,"n_ctx":4096}}"#, "model, none, too long"),
        (500, r#"{"error":{"code":500,"message":"image input is not supported - hint: if this is unexpected, you may need to provide the mmproj","type":"server_error"}}"#, "model, none, lacks images"),
        (500, r#"{"error":{"code":500,"message":"tools param requires --jinja flag","type":"server_error"}}"#, "model, none, lacks tools"),
        (400, r#"{"error":{"code":400,"message":"Field 'n': Value must be between 1 <= value <= 1, but got 2","type":"invalid_request_error"}}"#, "model, none"),
        (503, r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#, "model, 60s"),
        // Ollama and vLLM, as their issues quote them.
        (400, r#"{"error":{"message":"registry.ollama.ai/library/maker/model-x does not support tools","type":"api_error","param":null,"code":null}}"#, "model, none, lacks tools"),
        (400, r#"{"message":"The decoder prompt (length 5004) is longer than the maximum model length of 4096.","type":"BadRequestError"}"#, "model, none, too long"),
        (429, "",                                                      "candidate, 300s"),
        (429, "<html>slow</html>",                                     "candidate, 300s"),
        (429, r#"{"error":"Rate limit exceeded: free-models-per-day"}"#, "candidate, 300s to 21600s"),
        (429, long,                                                    "candidate, 540s"),
        (500, "",                                                      "model, 60s"),
        (500, long,                                                    "model, 60s"),
        (503, r#"{"error":{"message":"x","metadata":{"retry_after_seconds":9000}}}"#, "model, 60s"),
        (529, "",                                                      "model, 60s"),
        (302, "",                                                      "model, 60s"),
    ];
    for (status, body, expected) in rows {
        let failure = judge(&row, status, &[], body);
        assert_eq!(without_outcome(&failure), expected, "{status} {body}");
        let passed = (expected.starts_with("model, none") && status < 500) || status == 402;
        assert_eq!(failure.answer.is_some(), passed, "{status} {body}");
    }
}

#[test]
fn s10_4_a_5xxs_wait_counts_at_openrouter_only() {
    #[rustfmt::skip]
    let rows = [
        ("openrouter", 503, "model, 7s"), ("groq", 503, "model, 60s"), ("my-box", 503, "model, 60s"),
        ("openrouter", 500, "model, 60s"), ("my-box", 500, "model, 60s"),
        ("openrouter", 429, "model, 7s"), ("my-box", 429, "candidate, 7s"),
    ];
    for (name, status, expected) in rows {
        let failure = judge(&provider(name), status, &[("retry-after", "7")], "{}");
        assert_eq!(without_outcome(&failure), expected, "{name} {status}");
    }
}

#[test]
fn s10_1_a_taught_error_counts_before_all_others() {
    use Means::*;
    #[rustfmt::skip]
    let rows = [
        (MinuteSpent,       "candidate, 300s"),
        // Twelve hours to 00:00 UTC, and to the first of November.
        (DaySpent,          "candidate, at +43200s"),
        (MonthSpent,        "candidate, at +2548800s"),
        (AccountOut,        "account quota, 300s to 21600s"),
        (KeyDead,           "key, 60s to 3600s"),
        (ModelGone,         "model, next list"),
        (NotForThisAccount, "candidate, next list"),
        (TooLarge,          "model, none, too long"),
        (Overloaded,        "model, 300s"),
        (Region,            "provider, 21600s"),
        (Busy,              "candidate, 2s"),
        (Failed,            "model, none"),
    ];
    let body = r#"{"error":{"message":"Something QUITE Special happened","code":"E17"}}"#;
    for (means, expected) in rows {
        for name in ["my-box", "openrouter"] {
            for row in [
                taught(means, None, None, Some("quite special")),
                taught(means, Some(429), Some("e17"), None),
                taught(means, Some(429), None, Some("^something quite")),
                taught(means, Some(429), None, Some("^Something * special")),
                taught(means, Some(429), None, None),
            ] {
                let provider = Provider {
                    errors: vec![row.clone()],
                    ..provider(name)
                };
                let failure = judge(&provider, 429, &[], body);
                assert_eq!(without_outcome(&failure), expected, "{name} {row:?}");
            }
        }
    }
    #[rustfmt::skip]
    let others = [
        taught(KeyDead, Some(400), None, Some("quite special")),
        taught(KeyDead, None, Some("E18"), None),
        taught(KeyDead, None, Some("E17"), Some("quite usual")),
        taught(KeyDead, None, None, Some("^quite special")),
        taught(KeyDead, None, None, Some("^something * usual")),
        taught(KeyDead, None, None, Some("")),
        taught(KeyDead, None, None, None),
    ];
    for row in others {
        let errors = vec![row.clone()];
        let failure = judge(
            &Provider {
                errors,
                ..provider("my-box")
            },
            429,
            &[],
            body,
        );
        assert_eq!(without_outcome(&failure), "candidate, 300s", "{row:?}");
    }
}

#[test]
fn s10_1_a_taught_day_lasts_to_its_end_whatever_wait_is_stated() {
    let day = |of, ends| vec![limit(9, Unit::Requests, Per::Day, of, ends)];
    let (utc, pacific) = (Some(Ends::Utc), Some(Ends::Pacific));
    #[rustfmt::skip]
    let rows = [
        // its limits                     its day  verdict
        (vec![],                          None,    "candidate, at +43200s"),
        (day(Counted::Account, None),     None,    "account day, at +43200s"),
        (day(Counted::Account, utc),      None,    "account day, at +43200s"),
        (day(Counted::Model, pacific),    None,    "candidate, at +68400s"),
        (day(Counted::Account, None),     pacific, "account day, at +68400s"),
    ];
    for (limits, day_ends, expected) in rows {
        let row = Provider {
            limits,
            day_ends,
            errors: vec![taught(Means::DaySpent, None, None, Some("blue moon"))],
            ..provider("my-box")
        };
        for wait in ["0", "20", "900", "50000", "93600"] {
            let body = r#"{"error":{"message":"Once in a blue moon"}}"#;
            let failure = judge(&row, 429, &[("retry-after", wait)], body);
            assert_eq!(without_outcome(&failure), expected, "{wait}");
        }
    }
}

#[test]
fn s10_4_a_spent_quota_is_whose_limit_it_is_until_its_end() {
    use Counted::{Account, Address, Model};
    use Unit::{Requests, Tokens};
    let says =
        |axis: &str| format!(r#"{{"error":{{"message":"Rate limit exceeded: too many {axis}"}}}}"#);
    let (utc, pacific) = (Some(Ends::Utc), Some(Ends::Pacific));
    #[rustfmt::skip]
    let rows = [
        // its limits                                                                    what it says         stated  verdict
        (vec![],                                                                         "requests per day",  "",     "candidate, 300s to 21600s"),
        (vec![],                                                                         "requests per day",  "20",   "candidate, 300s"),
        (vec![],                                                                         "requests per day",  "900",  "candidate, 900s"),
        (vec![limit(9, Requests, Per::Day, Account, None)],                              "requests per day",  "900",  "account day, 900s"),
        (vec![limit(9, Requests, Per::Day, Account, utc)],                               "requests per day",  "20",   "account day, at +43200s"),
        (vec![limit(9, Requests, Per::Day, Model, pacific)],                             "requests per day",  "20",   "candidate, at +68400s"),
        // A stated wait that is longer than its window can last.
        (vec![limit(9, Requests, Per::Day, Model, utc)],                                 "requests per day",  "50000", "candidate, at +43200s"),
        (vec![],                                                                         "requests per day",  "93600", "candidate, 86400s"),
        (vec![limit(9, Requests, Per::Hour, Address, None)],                             "requests per hour", "9999", "account quota, 3600s"),
        (vec![limit(9, Requests, Per::Minute, Account, None)],                           "requests per minute", "9999", "account minute, 60s"),
        (vec![limit(9, Requests, Per::Day, Address, None)],                              "requests per day",  "900",  "account day, 900s"),
        (vec![limit(9, Requests, Per::Day, Account, None), limit(9, Tokens, Per::Day, Model, None)], "tokens per day", "900", "candidate, 900s"),
        (vec![limit(9, Requests, Per::Day, Account, None), limit(9, Requests, Per::Day, Model, None)], "requests per day", "900", "candidate, 900s"),
        (vec![limit(9, Requests, Per::Hour, Address, None)],                             "requests per hour", "",     "account quota, 300s to 21600s"),
        (vec![limit(9, Requests, Per::Hour, Address, None)],                             "requests per hour", "20",   "account quota, 20s"),
        (vec![limit(9, Requests, Per::Minute, Account, None)],                           "requests per minute", "",   "account minute, 300s"),
        (vec![limit(9, Requests, Per::Minute, Account, None)],                           "requests per minute", "20", "account minute, 20s"),
        (vec![limit(9, Requests, Per::Week, Account, utc)],                              "requests per week", "",     "account quota, at +216000s"),
        (vec![limit(9, Requests, Per::Month, Account, utc)],                             "requests per month", "20",  "account quota, at +2548800s"),
    ];
    for (limits, axis, stated, expected) in rows {
        let row = Provider {
            limits,
            ..provider("my-box")
        };
        let headers: Vec<_> = Some(("retry-after", stated))
            .filter(|_| !stated.is_empty())
            .into_iter()
            .collect();
        let failure = judge(&row, 429, &headers, &says(axis));
        assert_eq!(without_outcome(&failure), expected, "{axis} {stated}");
    }
    let row = Provider {
        day_ends: pacific,
        ..provider("my-box")
    };
    let failure = judge(
        &row,
        429,
        &[("retry-after", "20")],
        &says("requests per day"),
    );
    assert_eq!(without_outcome(&failure), "candidate, at +68400s");
}

#[test]
fn s10_5_a_quota_that_is_named_is_handed_on() {
    let groq = |axis: &str, numbers: &str| {
        format!(
            r#"{{"error":{{"message":"Rate limit reached for model `m` in organization `org_x` on {axis}: {numbers}. Please try again in 20s.","code":"rate_limit_exceeded"}}}}"#
        )
    };
    let stated = |amount, unit, per, of, seconds: Option<u64>| Stated {
        amount,
        used: None,
        by_header: false,
        unit,
        per,
        of,
        until: seconds.map(|seconds| now().wall + Duration::from_secs(seconds)),
        resets_at: None,
    };
    let using = |used, stated| Stated {
        used: Some(used),
        ..stated
    };
    use Counted::{Account, Model};
    use Unit::{Neurons, Requests, Tokens};
    #[rustfmt::skip]
    let rows = [
        ("groq", 429, groq("tokens per minute (TPM)", "Limit 8000, Used 7999"),  Some(using(7999, stated(Some(8000), Some(Tokens), Per::Minute, Model, Some(20))))),
        ("groq", 429, groq("tokens per day (TPD)", "Limit 200000, Used 1"),      Some(using(1, stated(Some(200_000), Some(Tokens), Per::Day, Model, Some(300))))),
        ("groq", 429, groq("requests per day (RPD)", "Limit 1e30"),              Some(stated(None, Some(Requests), Per::Day, Model, Some(300)))),
        ("groq", 429, groq("requests per day (RPD)", "Limit -1"),                Some(stated(None, Some(Requests), Per::Day, Model, Some(300)))),
        ("groq", 429, groq("requests per day (RPD)", "Limit 0"),                 Some(stated(None, Some(Requests), Per::Day, Model, Some(300)))),
        ("groq", 413, r#"{"error":{"message":"Request too large for model `m` on tokens per minute (TPM): Limit 8000, Requested 34041, please"}}"#.into(),
            Some(stated(Some(8000), Some(Tokens), Per::Minute, Model, None))),
        ("cloudflare", 429, r#"{"success":false,"errors":[{"code":4006,"message":"you have used up your daily free allocation of 10,000 neurons, please"}]}"#.into(),
            Some(stated(Some(10_000), Some(Neurons), Per::Day, Account, Some(43_200)))),
        ("cohere", 429, r#"{"message":"You are using a Trial key, which is limited to 20 API calls / minute."}"#.into(),
            Some(stated(Some(20), Some(Requests), Per::Minute, Account, None))),
        ("openrouter", 429, r#"{"error":{"message":"Rate limit exceeded: free-models-per-day","metadata":{"headers":{"X-RateLimit-Limit":"50","Retry-After":"60"}}}}"#.into(),
            Some(Stated { used: Some(50), by_header: true, ..stated(Some(50), Some(Requests), Per::Day, Account, Some(43_200)) })),
        ("openrouter", 429, r#"{"error":{"message":"Rate limit exceeded: free-models-per-day","metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"1","X-RateLimit-Reset":"90","Retry-After":"60"}}}}"#.into(),
            Some(Stated { used: Some(49), by_header: true, resets_at: Some(now().wall + Duration::from_secs(90)), ..stated(Some(50), Some(Requests), Per::Day, Account, Some(90)) })),
        ("openrouter", 429, r#"{"error":{"message":"Rate limit exceeded: free-models-per-min","metadata":{"headers":{"X-RateLimit-Limit":"0","Retry-After":"60"}}}}"#.into(),
            Some(Stated { resets_at: Some(now().wall + Duration::from_secs(60)), ..stated(None, Some(Requests), Per::Minute, Account, Some(60)) })),
        ("openrouter", 429, "{}".into(),                                         None),
        ("groq", 429, "{}".into(),                                               None),
        ("groq", 503, groq("tokens per day (TPD)", "Limit 5"),                   None),
    ];
    for (name, status, body, expected) in rows {
        let quota = judge(&provider(name), status, &[], &body)
            .quota
            .map(|quota| *quota);
        // Durations count from the moment of the call.
        let rounded = quota.map(|quota| Stated {
            until: quota.until.map(whole),
            resets_at: quota.resets_at.map(whole),
            ..quota
        });
        assert_eq!(rounded, expected, "{body}");
    }
}

fn whole(at: SystemTime) -> SystemTime {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn s4_5_at_no_provider_does_what_a_caller_writes_speak_of_anybody_else() {
    // As a provider would quote it, in the middle of its own sentence.
    #[rustfmt::skip]
    let echoed = [
        "API key not valid", "invalid_api_key", "Authorization failed", "Authentication Failed", "API key expired",
        "User location is not supported for the API use.", "Not found for account 'x'", "has reached its end of life",
        "DEGRADED function cannot be invoked", "this model requires a subscription", "No such model",
        "insufficient balance (1008)", "not available in your subscription tier", "not supported by any provider",
        "on tokens per day (TPD): Limit 1", "limit: 0", "try again in 20h", "you have used up your daily free allocation",
        "organization_restricted", "please bind your alibaba cloud account before use", "ResourceExhausted",
    ];
    for row in crate::provider::built_in() {
        for status in [400, 404, 422, 429] {
            for words in echoed {
                let body = serde_json::json!({"error": {"message": format!("Invalid role: '{words}'")}, "message": "m"});
                let failure = judge(row, status, &[], &body.to_string());
                let words_of_it = without_outcome(&failure);
                let openrouter = row.speaks_openrouter(None);
                let expected = match status {
                    404 => "model, 60s",
                    429 if openrouter => "model, 300s",
                    429 => "candidate, 300s",
                    _ if openrouter => "request, none",
                    _ => "model, none",
                };
                assert_eq!(words_of_it, expected, "{} {status} {words}", row.id);
            }
        }
    }
}

#[test]
fn i11_what_may_be_owed_to_the_requests_own_routing_rests_nobody_anywhere() {
    const NO_ROUTE: &str = r#"{"error":{"message":"no provider left"}}"#;
    #[rustfmt::skip]
    let rows = [
        // provider      status  body                        to one that asks                  to one that steers
        ("my-box",       400, NO_ROUTE,                      "model, none",                    "model, none"),
        ("my-box",       402, NO_ROUTE,                      "model, none",                    "model, none"),
        ("my-box",       404, NO_ROUTE,                      "model, none",                    "model, none"),
        ("my-box",       410, NO_ROUTE,                      "model, none",                    "model, none"),
        ("my-box",       503, NO_ROUTE,                      "model, none",                    "model, none"),
        ("my-box",       500, NO_ROUTE,                      "model, 60s",                     "model, none"),
        ("my-box",       429, NO_ROUTE,                      "candidate, 300s",                "model, none"),
        ("my-box",       401, NO_ROUTE,                      "key, 60s to 3600s",              "key, 60s to 3600s"),
        ("nvidia",       403, r#"{"detail":"Authorization failed"}"#, "model, none",           "model, none"),
        ("nvidia",       404, r#"{"detail":"Function 'x': Not found for account 'y'"}"#, "model, none", "model, none"),
        ("kilo",         404, r#"{"error_type":"discontinued_free_model"}"#, "model, none",    "model, none"),
        ("gemini",       400, r#"[{"error":{"message":"User location is not supported"}}]"#, "provider, 21600s", "provider, 21600s"),
        ("cloudflare",   429, r#"{"errors":[{"code":4006}]}"#, "account day, at +43200s",      "account day, at +43200s"),
    ];
    for (name, status, body, asks, steers) in rows {
        for (routing, expected) in [(Routing::Asks, asks), (Routing::Steers, steers)] {
            let failure = judge_of(&provider(name), routing, status, &[], body);
            assert_eq!(
                without_outcome(&failure),
                expected,
                "{name} {status} {routing:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn s10_4_no_answer_is_too_odd_and_no_key_comes_through(
        place in 0_usize..64,
        status in 300_u16..600,
        text in "\\PC{0,80}",
        shape in 0_usize..9,
        wait in "\\PC{0,20}",
    ) {
        let key = "sk-or-v1-0123456789";
        let rows = crate::provider::built_in();
        let row = &rows[place % rows.len()];
        let said = format!("{text}{key} Limit {wait} per day try again in {wait} limit: {wait}");
        let json = serde_json::Value::from(said.clone());
        let body = match shape {
            0 => said,
            1 => json.to_string(),
            2 => serde_json::json!({"error": json}).to_string(),
            3 => serde_json::json!([{"error": {"message": json, "code": status, "details": [{"violations": [{"quotaId": said, "quotaValue": wait}], "retryDelay": wait, "reason": said}]}}]).to_string(),
            4 => serde_json::json!({"success": false, "errors": [{"code": said, "message": json}]}).to_string(),
            5 => serde_json::json!({"message": format!("Rate limit reached {said}"), "retry_after": wait}).to_string(),
            6 => serde_json::json!({"error": {"message": json, "metadata": {"retry_after_seconds": wait, "raw": json}}}).to_string(),
            7 => serde_json::json!({"detail": [{"msg": json}], "status": said, "type": said}).to_string(),
            _ => format!("[{{{said}"),
        };
        let header = http::HeaderValue::from_str(&wait);
        let headers: HeaderMap = header.into_iter().flat_map(|value| {
            ["retry-after", "retry-after-ms", "x-ratelimit-reset", "x-ratelimit-reset-tokens", "content-type"]
                .map(|name| (http::HeaderName::from_static(name), value.clone()))
        }).collect();
        let asked = Asked {
            provider: row,
            key: None,
            model: &ModelId::try_from(ID).unwrap(),
            routing: Routing::Ours,
        };
        let body = Bytes::from(body);
        let rules = rules();
        let failure = rules.classify(asked, status, &headers, &body, Cause::Status, now());
        let error = UpstreamError::by_itself(&body).unwrap_or_default();
        let inside = rules.error_inside(asked, &error, &headers, &body, now());
        let month = Duration::from_secs(31 * 24 * 3600);
        for failure in [failure, inside] {
            if let Some(answer) = &failure.answer {
                prop_assert!(!answer.body.to_text().contains(key));
            }
            let shown = format!("{failure:?}");
            prop_assert!(!shown.contains(key));
            match failure.rest {
                Rest::For(length) | Rest::Unadvised(length) => prop_assert!(length <= Duration::from_secs(26 * 3600)),
                Rest::Until(date) => prop_assert!(date <= now().wall + month),
                Rest::None | Rest::Growing { .. } | Rest::UntilNextList | Rest::Doubling { .. } => {}
            }
            if let Some(amount) = failure.quota.as_ref().and_then(|quota| quota.amount) {
                prop_assert!((1..=Stated::MOST).contains(&amount));
            }
        }
    }
}
