mod cases;
mod others;

use std::time::{Instant, SystemTime};

use super::*;
use crate::verdict::Lesson;
use simulator::{Failed, Failure as Recorded};

const MODEL: &str = "vendor/model-x:free";
/// 2026-10-02 12:00:00 UTC
const NOW: u64 = 1_790_942_400;

fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW),
    }
}

fn classify(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    classify_of(Routing::Ours, status, headers, body)
}

fn classify_of(routing: Routing, status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    let rules = Rules {
        rate_limit_cooldown: Duration::from_secs(300),
        generic_error_cooldown: Duration::from_secs(60),
        redactor: Redactor::new([Secret::new("sk-or-v1-0123456789")]),
    };
    let headers = headers
        .iter()
        .map(|(k, v)| (k.parse::<http::HeaderName>().unwrap(), v.parse().unwrap()))
        .collect();
    let model = ModelId::try_from(MODEL).unwrap();
    rules.classify(
        Asked {
            provider: crate::provider::find("openrouter").unwrap(),
            key: None,
            model: &model,
            routing,
        },
        status,
        &headers,
        &Bytes::copy_from_slice(body.as_bytes()),
        Cause::Status,
        now(),
    )
}

/// Outcome, scope, rest and lesson, as a person would say them.
fn in_words(failure: &Failure) -> String {
    let scope = match failure.scope {
        Scope::Request => "request".to_owned(),
        Scope::Model => "model".to_owned(),
        Scope::Account(limit) => format!("account {limit:?}").to_lowercase(),
        Scope::Key => "key".to_owned(),
        Scope::Candidate => "candidate".to_owned(),
        Scope::Provider => "provider".to_owned(),
    };
    let rest = match failure.rest {
        Rest::None => "none".to_owned(),
        Rest::For(length) | Rest::Unadvised(length) => format!("{}s", length.as_secs()),
        Rest::Until(date) => format!(
            "at +{}s",
            date.duration_since(now().wall).unwrap().as_secs()
        ),
        Rest::Growing { .. } => "growing".to_owned(),
        Rest::UntilNextList => "next list".to_owned(),
        Rest::Doubling { first, most } => format!("{}s to {}s", first.as_secs(), most.as_secs()),
    };
    let lesson = match failure.lesson {
        None => String::new(),
        Some(Lesson::Lacks(capability)) => format!(", lacks {}", capability.as_str()),
        Some(Lesson::TooLong { .. }) => ", too long".to_owned(),
        Some(Lesson::OverLimit) => ", over limit".to_owned(),
        Some(Lesson::Refuses(field)) => format!(", refuses {field}"),
    };
    format!("{}, {scope}, {rest}{lesson}", failure.outcome.as_str())
}

#[test]
fn s4_2_where_the_body_says_nothing_the_status_decides() {
    #[rustfmt::skip]
    let rows = [
        (429, None,      "rate_limited, model, 300s"),
        (429, Some("7"), "rate_limited, model, 7s"),
        (503, None,      "upstream_error, model, 60s"),
        (503, Some("7"), "upstream_error, model, 7s"),
        (500, None,      "upstream_error, model, 60s"),
        (500, Some("7"), "upstream_error, model, 60s"),
        (502, None,      "upstream_error, model, 60s"),
        (504, None,      "upstream_error, model, 60s"),
        (524, None,      "upstream_error, model, 60s"),
        (529, None,      "upstream_error, model, 60s"),
        (302, None,      "upstream_error, model, 60s"),
        (401, None,      "upstream_auth_error, key, 60s to 3600s"),
        (402, None,      "upstream_error, account credit, 300s to 21600s"),
        (402, Some("7"), "upstream_error, account credit, 7s"),
        (404, None,      "upstream_error, model, 60s"),
        (408, None,      "upstream_error, model, 60s"),
        (400, None,      "client_error, request, none"),
        (405, None,      "client_error, request, none"),
        (413, None,      "client_error, request, none"),
        (422, Some("7"), "client_error, request, none"),
    ];
    for (status, retry_after, expected) in rows {
        let headers: Vec<_> = retry_after
            .map(|v| ("retry-after", v))
            .into_iter()
            .collect();
        for body in [
            "",
            "{}",
            "<html>",
            r#"{"error":null}"#,
            r#"{"error":{"code":1}}"#,
        ] {
            let failure = classify(status, &headers, body);
            assert_eq!(in_words(&failure), expected, "{status} {body}");
            assert_eq!(failure.status, Some(status));
        }
    }
}

#[test]
fn s4_5_every_recorded_failure_has_its_scope() {
    use Recorded::*;
    #[rustfmt::skip]
    let rows = [
        (InputRequired,            "client_error, request, none"),
        (NoTokens,                 "client_error, request, none"),
        (InvalidModel,             "upstream_error, model, next list"),
        (TooManyModels,            "client_error, request, none"),
        (ReasoningMandatory,       "upstream_error, model, none"),
        (ContextLength,            "upstream_error, model, none, too long"),
        (ContextLengthWords,       "upstream_error, model, none, too long"),
        (ProviderRefused,          "upstream_error, model, none"),
        (ContentPolicy,            "client_error, request, none"),
        (InvalidImage,             "client_error, request, none"),
        (Zod,                      "client_error, request, none"),
        (AvailabilityModelNotFound, "upstream_error, model, next list"),
        (NoCredentials,            "upstream_auth_error, key, 60s to 3600s"),
        (MissingAuthentication,    "upstream_auth_error, key, 60s to 3600s"),
        (UserNotFound,             "upstream_auth_error, key, 60s to 3600s"),
        (InsufficientCredits,      "upstream_error, account credit, 300s to 21600s"),
        (CannotAfford,             "upstream_error, account credit, 300s to 21600s"),
        (KeyLimit,                 "upstream_error, account credit, 300s to 21600s"),
        (InFlightBudget,           "upstream_error, account credit, 1s"),
        (Harness,                  "upstream_error, model, 21600s"),
        (Moderation,               "client_error, request, none"),
        (Guardrail,                "client_error, request, none"),
        (Region,                   "upstream_error, model, none"),
        (Forbidden,                "upstream_auth_error, key, 60s to 3600s"),
        (NoEndpoints,              "upstream_error, model, next list"),
        (NotFreeAnymore,           "upstream_error, model, next list"),
        (NoToolUse,                "upstream_error, model, none, lacks tools"),
        (NoToolChoice,             "upstream_error, model, none, lacks tool_choice"),
        (NoImageInput,             "upstream_error, model, none, lacks images"),
        (NoParameters,             "upstream_error, model, none"),
        (DataPolicy,               "upstream_error, model, none"),
        (DataPolicyOld,            "upstream_error, model, none"),
        (Guardrails,               "upstream_error, model, none"),
        (GuardrailsCount,          "upstream_error, model, none"),
        (AllowedProviders,         "upstream_error, model, none"),
        (AvailabilityFreeEnded,    "upstream_error, model, next list"),
        (NotFound,                 "upstream_error, model, 60s"),
        (TimedOut,                 "upstream_error, model, 60s"),
        (TooLarge,                 "client_error, request, none"),
        (InvalidArgument,          "client_error, request, none"),
        (DailyLimit,               "rate_limited, account day, at +43200s"),
        (DailyLimitMetadata,       "rate_limited, account day, at +43200s"),
        (DailyLimitHighBalance,    "rate_limited, account day, at +43200s"),
        (MinuteLimit,              "rate_limited, account minute, at +60s"),
        (ProviderLimit,            "rate_limited, model, 300s"),
        (ProviderLimitRetryAfter,  "rate_limited, model, 1s"),
        (ProviderLimitMetadata,    "rate_limited, model, 1s"),
        (Capacity,                 "rate_limited, model, 1s"),
        (RateLimited,              "rate_limited, model, 300s"),
        (RateLimitedHeaders,       "rate_limited, model, at +60s"),
        (CloudflareLimit,          "rate_limited, model, 1s"),
        (RateLimitedEmpty,         "rate_limited, model, 300s"),
        (Internal,                 "upstream_error, model, 60s"),
        (BadGateway,               "upstream_error, model, 60s"),
        (BadGatewayHtml,           "upstream_error, model, 60s"),
        (Unavailable,              "upstream_error, model, 60s"),
        (UnavailableRetryAfter,    "upstream_error, model, 1s"),
        (AvailabilityUnavailable,  "upstream_error, model, 1s"),
        (GatewayTimeout,           "upstream_error, model, 60s"),
        (EdgeTimeout,              "upstream_error, model, 60s"),
        (Overloaded,               "upstream_error, model, 60s"),
    ];
    for (recorded, expected) in rows {
        let (status, headers, body) = Failed::from(recorded).sent(MODEL, now().wall);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(
            in_words(&classify(status, &headers, &body)),
            expected,
            "{recorded:?}: {body}"
        );
    }
    let inside_a_200 = Recorded::ALL
        .iter()
        .filter(|f| Failed::from(**f).sent(MODEL, now().wall).0 == 200);
    assert_eq!(
        rows.len() + inside_a_200.count(),
        Recorded::ALL.len(),
        "every row is in this table"
    );
}

#[test]
fn s4_5_the_quota_is_recognised_by_the_body_alone() {
    #[rustfmt::skip]
    let rows = [
        (429, r#"{"error":{"message":"Slow down"}}"#,                                             "rate_limited, model, 300s"),
        (429, r#"{"error":{"message":"Rate limit exceeded: free-models-per-min. "}}"#,            "rate_limited, account minute, 300s"),
        (429, r#"{"error":{"message":"Rate limit exceeded: FREE-models-per-day"}}"#,              "rate_limited, account day, at +43200s"),
        (429, r#"{"error":{"message":"x","metadata":{"limit_source":"openrouter_free_tier_daily"}}}"#, "rate_limited, account day, at +43200s"),
        (429, r#"{"error":{"message":"x","metadata":{"limit_source":"openrouter_free_tier_per_minute"}}}"#, "rate_limited, account minute, 300s"),
        (429, r#"{"error":{"message":"x","metadata":{"limit_source":"upstream_provider_shared_pool"}}}"#, "rate_limited, model, 300s"),
        (429, r#"{"error":"free-models-per-day"}"#,                                               "rate_limited, account day, at +43200s"),
        (503, r#"{"error":{"message":"vendor/model-x:free is overloaded"}}"#,                     "upstream_error, model, 60s"),
        (403, r#"{"error":{"message":"vendor/model-x:free may not be used here"}}"#,              "upstream_error, model, none"),
        (403, r#"{"error":{"message":"other/model may not be used here"}}"#,                      "upstream_auth_error, key, 60s to 3600s"),
        (404, r#"{"error":{"message":"x","metadata":{"error_type":"invalid_prompt"}}}"#,          "client_error, request, none"),
        (400, r#"{"error":{"message":"Provider returned error","metadata":{"error_type":"content_policy_violation"}}}"#, "client_error, request, none"),
    ];
    for (status, body, expected) in rows {
        assert_eq!(
            in_words(&classify(status, &[], body)),
            expected,
            "{status} {body}"
        );
    }
}

#[test]
fn s10_5_an_account_is_out_no_longer_than_the_window_that_is_named() {
    const FAR: &str = "9999999999999";
    /// The message, the headers, the verdict.
    type Row = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    );
    #[rustfmt::skip]
    let rows: [Row; 12] = [
        // A minute ends in seconds: a reset far off is passed over for another source, else for the whole minute.
        ("free-models-per-min", &[("x-ratelimit-reset", FAR)],                         "account minute, 60s"),
        ("free-models-per-min", &[("x-ratelimit-reset", "93600")],                     "account minute, 60s"),
        ("free-models-per-min", &[("x-ratelimit-reset", "61")],                        "account minute, 61s"),
        ("free-models-per-min", &[("retry-after", "86400"), ("x-ratelimit-reset", "7")], "account minute, 7s"),
        // The day ends at 00:00 UTC, in twelve hours.
        ("free-models-per-day", &[("x-ratelimit-reset", FAR)],                         "account day, at +43200s"),
        ("free-models-per-day", &[("x-ratelimit-reset", "2592000")],                   "account day, at +43200s"),
        ("free-models-per-day", &[("retry-after", "50000")],                           "account day, at +43200s"),
        ("free-models-per-day", &[("x-ratelimit-reset", "3000")],                      "account day, 3000s"),
        // Whatever shorter wait is stated; a reset is its end.
        ("free-models-per-day", &[],                                                   "account day, at +43200s"),
        ("free-models-per-day", &[("retry-after", "60")],                              "account day, at +43200s"),
        ("free-models-per-day", &[("retry-after", "60"), ("x-ratelimit-reset", "3000")], "account day, 3000s"),
        // What names no window has the longest rest as its bound.
        ("Provider returned error", &[("x-ratelimit-reset", FAR)],                     "model, at +93600s"),
    ];
    for (message, headers, expected) in rows {
        let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
        let failure = classify(429, headers, &body);
        assert_eq!(
            in_words(&failure),
            format!("rate_limited, {expected}"),
            "{message} {headers:?}"
        );
        if let Some(resets_at) = failure.quota.and_then(|quota| quota.resets_at) {
            let most = now().wall + Duration::from_secs(43_200);
            assert!(resets_at <= most, "{message} {headers:?}");
        }
    }
}

#[test]
fn s4_5_a_refusal_of_this_request_can_be_passed_on_and_a_dead_model_s_cannot() {
    use Recorded::{
        ContextLength, Harness, InsufficientCredits, NoEndpoints, NoToolUse, NotFound,
        ProviderLimit,
    };
    for (recorded, passed) in [
        (ContextLength, true),
        (NoToolUse, true),
        (InsufficientCredits, true),
        (NoEndpoints, false),
        (NotFound, false),
        (Harness, false),
        (ProviderLimit, false),
    ] {
        let (status, _, body) = Failed::from(recorded).sent(MODEL, now().wall);
        let failure = classify(status, &[], &body);
        assert_eq!(failure.answer.is_some(), passed, "{recorded:?}");
        assert!(
            failure
                .answer
                .is_none_or(|answer| !answer.body.to_text().contains("user_x"))
        );
    }
}

#[test]
fn s4_5_the_free_requests_are_read_where_they_are_given() {
    let (status, headers, body) = Failed::from(Recorded::DailyLimit).sent(MODEL, now().wall);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let told = classify(status, &headers, &body).free_requests.unwrap();
    assert_eq!((told.limit, told.remaining), (50, 0));
    let (status, _, body) = Failed::from(Recorded::DailyLimitMetadata).sent(MODEL, now().wall);
    assert_eq!(
        classify(status, &[], &body).free_requests.unwrap().limit,
        50
    );
    assert_eq!(
        classify(429, &[("x-ratelimit-limit", "20")], "{}").free_requests,
        None,
        "a provider's own limit"
    );
}

#[test]
fn s4_5_an_unrecognised_403_is_the_keys_and_rests_it_only_if_the_upstream_itself_sent_it() {
    #[rustfmt::skip]
    let rows = [
        ("",                                      "upstream_auth_error, key, none"),
        ("{}",                                    "upstream_auth_error, key, none"),
        ("<html>You have been blocked</html>",    "upstream_auth_error, key, none"),
        (r#"{"error":null}"#,                     "upstream_auth_error, key, none"),
        (r#"{"error":{"code":1}}"#,               "upstream_auth_error, key, 60s to 3600s"),
        (r#"{"error":"Forbidden"}"#,              "upstream_auth_error, key, 60s to 3600s"),
    ];
    for (body, expected) in rows {
        assert_eq!(in_words(&classify(403, &[], body)), expected, "{body}");
    }
}

#[test]
fn s4_5_a_providers_refusal_concerns_the_model() {
    const NAMED: &str = r#""provider_name":"SomeHost""#;
    const RAW: &str = r#""raw":"unprocessable""#;
    let error = |message: &str, metadata: &str| {
        format!(r#"{{"error":{{"message":"{message}","metadata":{{{metadata}}}}}}}"#)
    };
    const RETURNED: &str = "Provider returned error";
    #[rustfmt::skip]
    let rows = [
        (400, error(RETURNED, ""),     "upstream_error, model, none"),
        (403, error(RETURNED, ""),     "upstream_error, model, none"),
        (404, error(RETURNED, ""),     "upstream_error, model, 60s"),
        (404, error("x", NAMED),       "upstream_error, model, 60s"),
        (404, error("x", RAW),         "upstream_error, model, 60s"),
        (400, error("x", NAMED),       "upstream_error, model, none"),
        (403, error("x", NAMED),       "upstream_error, model, none"),
        (413, error("x", NAMED),       "upstream_error, model, none"),
        (413, error("x", RAW),         "upstream_error, model, none"),
        (422, error("x", RAW),         "upstream_error, model, none"),
        (422, error(RETURNED, ""),     "upstream_error, model, none"),
        (409, error("x", RAW),         "upstream_error, model, none"),
        (422, error("x", r#""raw":"no","error_type":"unprocessable""#), "upstream_error, model, none"),
        (413, error("x", r#""provider_name":"A","error_type":"payload_too_large""#), "upstream_error, model, none"),
        (400, error("x", r#""provider_name":"A","error_type":"content_policy_violation""#), "client_error, request, none"),
        (400, error("x", r#""provider_name":null,"raw":null"#),        "client_error, request, none"),
        (422, error("x", r#""provider_name":"","raw":"""#),            "client_error, request, none"),
        (400, error(RETURNED, r#""raw":"{\"message\":\"prompt is too long: 9 > 8\"}""#), "upstream_error, model, none, too long"),
        (413, error(RETURNED, r#""raw":{"message":"maximum context length is 8"}"#), "upstream_error, model, none, too long"),
        (422, error("This model's maximum context length is 8", ""),   "upstream_error, model, none, too long"),
        (408, error(RETURNED, NAMED),  "upstream_error, model, 60s"),
        (401, error(RETURNED, NAMED),  "upstream_auth_error, key, 60s to 3600s"),
    ];
    for (status, body, expected) in rows {
        let failure = classify(status, &[], &body);
        assert_eq!(in_words(&failure), expected, "{status} {body}");
        let passed = expected.ends_with("none") || expected.ends_with("too long");
        assert_eq!(failure.answer.is_some(), passed, "{status} {body}");
    }
}

#[test]
fn s4_5_what_a_caller_writes_names_no_cause() {
    // Each is where an upstream would quote it: within a sentence, or at the end of one.
    #[rustfmt::skip]
    let echoed = [
        "is not a valid model ID",
        "vendor/model-x:free is not a valid model ID",
        "This model is unavailable for free",
        "No endpoints found for vendor/model-x:free.",
        "No endpoints found that support tool use",
        "No endpoints found that support the provided 'tool_choice' value",
        "No endpoints found that support image input",
        "vendor/model-x:free is only available on agentic harnesses",
        "Rate limit exceeded: free-models-per-day",
        "free-models-per-min",
        "Reasoning is mandatory",
        "Provider returned error",
        "No allowed providers are available",
        "0 endpoints out of 1 requested",
        "vendor/model-x:free",
    ];
    #[rustfmt::skip]
    let rows = [
        // status   the verdict, whatever is quoted
        (400,       "client_error, request, none"),
        (404,       "upstream_error, model, 60s"),
        (413,       "client_error, request, none"),
        (422,       "client_error, request, none"),
        (429,       "rate_limited, model, 300s"),
        (503,       "upstream_error, model, 60s"),
    ];
    for words in echoed {
        for (status, expected) in rows {
            for message in [
                format!("Invalid role: '{words}'"),
                format!("messages.0.role: \"{words}\" is not one of user, assistant"),
                format!("'{words}' is not valid"),
            ] {
                let body = serde_json::json!({"error": {"message": message, "code": status}});
                let failure = classify(status, &[], &body.to_string());
                assert_eq!(in_words(&failure), expected, "{status} {message}");
            }
        }
    }
    // A role that is the whole sentence except its end.
    let body = r#"{"error":{"message":"vendor/model-x:free is not a valid model ID is not a valid role"}}"#;
    assert_eq!(
        in_words(&classify(404, &[], body)),
        "upstream_error, model, none"
    );
}

#[test]
fn s4_5_what_the_requests_own_routing_may_have_caused_rests_nothing_and_teaches_nothing() {
    use Recorded::*;
    const SPARED: &str = "upstream_error, model, none";
    #[rustfmt::skip]
    let rows = [
        // what comes           to one that asks                     to one that steers
        (NoEndpoints,           SPARED,                              SPARED),
        (AllowedProviders,      SPARED,                              SPARED),
        (NoToolUse,             SPARED,                              SPARED),
        (NoToolChoice,          SPARED,                              SPARED),
        (NotFound,              SPARED,                              SPARED),
        (NotFreeAnymore,        SPARED,                              SPARED),
        (InsufficientCredits,   SPARED,                              SPARED),
        (Harness,               SPARED,                              SPARED),
        (Forbidden,             SPARED,                              SPARED),
        (Unavailable,           SPARED,                              SPARED),
        (UnavailableRetryAfter, SPARED,                              SPARED),
        (ContextLength,         "upstream_error, model, none, too long", "upstream_error, model, none, too long"),
        (ProviderLimit,         "rate_limited, model, 300s",         "rate_limited, model, none"),
        (BadGateway,            "upstream_error, model, 60s",        SPARED),
        (TimedOut,              "upstream_error, model, 60s",        SPARED),
        // The quota is the account's whatever is asked for, and the refused key the key's.
        (DailyLimit,            "rate_limited, account day, at +43200s", "rate_limited, account day, at +43200s"),
        (UserNotFound,          "upstream_auth_error, key, 60s to 3600s", "upstream_auth_error, key, 60s to 3600s"),
        (InvalidImage,          "client_error, request, none",       "client_error, request, none"),
    ];
    for (recorded, asks, steers) in rows {
        let (status, headers, body) = Failed::from(recorded).sent(MODEL, now().wall);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        for (routing, expected) in [(Routing::Asks, asks), (Routing::Steers, steers)] {
            let failure = classify_of(routing, status, &headers, &body);
            assert_eq!(in_words(&failure), expected, "{recorded:?} {routing:?}");
            let passed = expected.contains("model, none") || expected.contains("request");
            assert_eq!(failure.answer.is_some(), passed, "{recorded:?} {routing:?}");
        }
    }
}
