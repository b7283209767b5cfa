//! Errors of all providers as recorded: the rows of `provider-cases.md` §1.

use super::*;
use crate::answer::{Said, read};
use crate::model::ProviderId;
use crate::provider::find;
use crate::request::Endpoint;

struct Row {
    provider: &'static str,
    /// Its name, shown when the test fails.
    name: &'static str,
    status: u16,
    retry_after: &'static str,
    body: &'static str,
    /// Scope, rest and lesson.
    expected: &'static str,
    /// What the client must not see.
    cut: &'static str,
}

#[rustfmt::skip]
const ROWS: [Row; 55] = [
    Row { provider: "groq", name: "tokens per minute short", status: 429, retry_after: "2", expected: "candidate, 2s", cut: "org_01jx8kq2vd3nw7",
        body: r#"{"error":{"message":"Rate limit reached for model `openai/gpt-oss-120b` in organization `org_01jx8kq2vd3nw7` service tier `on_demand` on tokens per minute (TPM): Limit 8000, Used 7999, Requested 3619. Please try again in 1.2s. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing","type":"tokens","code":"rate_limit_exceeded"}}"# },
    Row { provider: "groq", name: "tokens per minute prose only", status: 429, retry_after: "", expected: "candidate, 42s", cut: "org_01jx8kq2vd3nw7",
        body: r#"{"error":{"message":"Rate limit reached for model `openai/gpt-oss-120b` in organization `org_01jx8kq2vd3nw7` service tier `on_demand` on tokens per minute (TPM): Limit 8000, Used 7999, Requested 3619. Please try again in 41.5s. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing","type":"tokens","code":"rate_limit_exceeded"}}"# },
    Row { provider: "groq", name: "tokens per day", status: 429, retry_after: "579", expected: "candidate, 579s", cut: "org_01jx8kq2vd3nw7",
        body: r#"{"error":{"message":"Rate limit reached for model `openai/gpt-oss-120b` in organization `org_01jx8kq2vd3nw7` service tier `on_demand` on tokens per day (TPD): Limit 200000, Used 199999, Requested 3619. Please try again in 9m38.016s. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing","type":"tokens","code":"rate_limit_exceeded"}}"# },
    Row { provider: "groq", name: "milliseconds", status: 429, retry_after: "", expected: "candidate, 1s", cut: "",
        body: r#"{"error":{"message":"Rate limit reached for model `openai/gpt-oss-120b` in organization `org_01jx8kq2vd3nw7` service tier `on_demand` on requests per minute (RPM): Limit 30, Used 29, Requested 3619. Please try again in 120ms. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing","type":"requests","code":"rate_limit_exceeded"}}"# },
    Row { provider: "groq", name: "too large", status: 413, retry_after: "", expected: "candidate, none, over limit", cut: "org_01jx8kq2vd3nw7",
        body: r#"{"error":{"message":"Request too large for model `openai/gpt-oss-120b` in organization `org_01jx8kq2vd3nw7` service tier `on_demand` on tokens per minute (TPM): Limit 8000, Requested 34041, please reduce your message size and try again. Need more tokens? Upgrade ...","type":"tokens","code":"rate_limit_exceeded"}}"# },
    Row { provider: "groq", name: "key dead", status: 401, retry_after: "", expected: "key, 60s to 3600s", cut: "",
        body: r#"{"error":{"message":"Invalid API Key","type":"invalid_request_error","code":"invalid_api_key"}}"# },
    Row { provider: "groq", name: "model decommissioned", status: 400, retry_after: "", expected: "model, next list", cut: "",
        body: r#"{"error":{"message":"The model `openai/gpt-oss-120b` has been decommissioned and is no longer supported. Please refer to https://console.groq.com/docs/deprecations for a recommendation on which model to use instead.","type":"invalid_request_error","code":"model_decommissioned"}}"# },
    Row { provider: "groq", name: "tool use failed", status: 400, retry_after: "", expected: "model, none", cut: "",
        body: r#"{"error":{"message":"Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<function=f>{"}}"# },
    Row { provider: "groq", name: "over capacity", status: 503, retry_after: "", expected: "model, 60s", cut: "",
        body: r#"{"error":{"message":"openai/gpt-oss-120b is currently over capacity. Please try again and back off exponentially. Visit https://groqstatus.com to see if there are any active incidents.","type":"internal_server_error","code":null}}"# },
    Row { provider: "gemini", name: "per day retry delay lies", status: 429, retry_after: "", expected: "candidate, at +68400s", cut: "",
        body: r#"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. Please retry in 22.8s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-3.5-flash"},"quotaValue":"20"}]},{"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Learn more","url":"https://ai.google.dev/gemini-api/docs/rate-limits"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"22s"}]}}]"# },
    Row { provider: "gemini", name: "limit zero", status: 429, retry_after: "", expected: "candidate, next list", cut: "",
        body: r#"[{"error":{"code":429,"message":"You exceeded your current quota. * Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-3.5-pro Please retry in 22.8s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-3.5-flash"},"quotaValue":"0"}]},{"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Learn more","url":"https://ai.google.dev/gemini-api/docs/rate-limits"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"22s"}]}}]"# },
    Row { provider: "gemini", name: "key dead is a 400", status: 400, retry_after: "", expected: "key, 60s to 3600s", cut: "",
        body: r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}]"# },
    Row { provider: "gemini", name: "key expired", status: 400, retry_after: "", expected: "key, 60s to 3600s", cut: "",
        body: r#"[{"error":{"code":400,"message":"API key expired. Please renew the API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}]"# },
    Row { provider: "gemini", name: "region", status: 400, retry_after: "", expected: "provider, 21600s", cut: "",
        body: r#"[{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}]"# },
    Row { provider: "gemini", name: "model not found", status: 404, retry_after: "", expected: "model, next list", cut: "",
        body: r#"[{"error":{"code":404,"message":"models/gemini-3.5-flash is not found for API version v1main, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.","status":"NOT_FOUND"}}]"# },
    Row { provider: "gemini", name: "overloaded", status: 503, retry_after: "", expected: "model, 60s", cut: "",
        body: r#"[{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}]"# },
    Row { provider: "nvidia", name: "too many", status: 429, retry_after: "", expected: "candidate, 300s", cut: "",
        body: r#"{"status":429,"title":"Too Many Requests"}"# },
    Row { provider: "nvidia", name: "worker full text", status: 503, retry_after: "", expected: "model, 60s", cut: "",
        body: r#"ResourceExhausted: Worker local total request limit reached (16/16)"# },
    Row { provider: "nvidia", name: "degraded", status: 400, retry_after: "", expected: "model, 60s", cut: "",
        body: r#"{"detail":"Function id '7d2b1c9e-1111-4222-8333-944445555666': DEGRADED function cannot be invoked"}"# },
    Row { provider: "nvidia", name: "end of life", status: 410, retry_after: "", expected: "model, next list", cut: "",
        body: r#"{"type":"about:blank","title":"Gone","status":410,"detail":"The model 'z-ai/glm5.2' has reached its end of life on 2026-05-14T00:00:00Z and is no longer available."}"# },
    Row { provider: "nvidia", name: "not for account", status: 404, retry_after: "", expected: "candidate, next list", cut: "acct7Qm2Zr9",
        body: r#"{"status":404,"title":"Not Found","detail":"Function '7d2b1c9e-1111-4222-8333-944445555666': Not found for account 'acct7Qm2Zr9'"}"# },
    Row { provider: "nvidia", name: "key dead 403", status: 403, retry_after: "", expected: "key, 60s to 3600s", cut: "",
        body: r#"{"status":403,"title":"Forbidden","detail":"Authorization failed"}"# },
    Row { provider: "nvidia", name: "key dead 401", status: 401, retry_after: "", expected: "key, 60s to 3600s", cut: "",
        body: r#"{"status":401,"title":"Unauthorized","detail":"Authentication failed"}"# },
    Row { provider: "nvidia", name: "bare 404", status: 404, retry_after: "", expected: "model, 60s", cut: "",
        body: r#"{"status":404,"title":"Not Found"}"# },
    Row { provider: "cloudflare", name: "neurons 4006", status: 429, retry_after: "", expected: "account day, at +43200s", cut: "",
        body: r#"{"success":false,"errors":[{"code":4006,"message":"you have used up your daily free allocation of 10,000 neurons, please upgrade to Cloudflare's Workers Paid plan if you would like to continue usage."}],"messages":[],"result":null}"# },
    Row { provider: "cloudflare", name: "capacity 3040", status: 429, retry_after: "", expected: "model, 300s", cut: "",
        body: r#"{"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded, please try again."}],"messages":[],"result":null}"# },
    Row { provider: "cloudflare", name: "timeout 3007", status: 408, retry_after: "", expected: "model, 60s", cut: "",
        body: r#"{"success":false,"errors":[{"code":3007,"message":"Request timeout"}],"messages":[],"result":null}"# },
    Row { provider: "cloudflare", name: "licence 403", status: 403, retry_after: "", expected: "candidate, next list", cut: "",
        body: r#"{"success":false,"errors":[{"code":5016,"message":"Prior to using this model, you must submit the prompt 'agree'. By submitting 'agree', you hereby agree to the Community License."}],"messages":[],"result":null}"# },
    Row { provider: "cloudflare", name: "key dead 10000 in 403", status: 403, retry_after: "", expected: "key, 60s to 3600s", cut: "",
        body: r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}"# },
    Row { provider: "cloudflare", name: "unknown 403", status: 403, retry_after: "", expected: "model, none", cut: "",
        body: r#"{"success":false,"errors":[{"code":9999,"message":"Something else"}],"messages":[],"result":null}"# },
    Row { provider: "zai", name: "concurrency 1302", status: 429, retry_after: "", expected: "candidate, 2s", cut: "",
        body: r#"{"error":{"code":"1302","message":"High concurrency usage of this API, please reduce concurrency or contact customer service to increase limits"},"request_id":"20261129180000abcdef"}"# },
    Row { provider: "zai", name: "no balance 1113", status: 429, retry_after: "", expected: "account quota, 300s to 21600s", cut: "",
        body: r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."},"request_id":"20261129180000abcdef"}"# },
    Row { provider: "zai", name: "no model 1211", status: 400, retry_after: "", expected: "model, next list", cut: "",
        body: r#"{"error":{"code":"1211","message":"Unknown Model, please check the model code."},"request_id":"20261129180000abcdef"}"# },
    Row { provider: "zai", name: "too long 1261", status: 400, retry_after: "", expected: "model, none, too long", cut: "",
        body: r#"{"error":{"code":"1261","message":"Prompt exceeds max length"},"request_id":"20261129180000abcdef"}"# },
    Row { provider: "kilo", name: "hour 429", status: 429, retry_after: "", expected: "account quota, 300s to 21600s", cut: "",
        body: r#"{"error":"Rate limit exceeded","error_type":"rate_limit_exceeded","message":"Free model usage limit reached. Please try again later or upgrade to a paid model."}"# },
    Row { provider: "kilo", name: "usage 402", status: 402, retry_after: "", expected: "account credit, 300s to 21600s", cut: "",
        body: r#"{"error":{"message":"Usage limit exceeded","code":"usage_limit_exceeded"},"error_type":"usage_limit_exceeded"}"# },
    Row { provider: "kilo", name: "discontinued 404", status: 404, retry_after: "", expected: "model, next list", cut: "",
        body: r#"{"error":"The free period of this model ended","error_type":"discontinued_free_model","message":"The free period of this model ended. To continue use the paid version."}"# },
    Row { provider: "ovh", name: "key dead 403", status: 403, retry_after: "", expected: "key, 60s to 3600s", cut: "",
        body: r#"{"message":"Authentication Failed"}"# },
    Row { provider: "mistral", name: "key dead", status: 401, retry_after: "", expected: "key, 60s to 3600s", cut: "",
        body: r#"{"detail":"Unauthorized"}"# },
    Row { provider: "cohere", name: "trial minute", status: 429, retry_after: "", expected: "account minute, 300s", cut: "",
        body: r#"{"message":"You are using a Trial key, which is limited to 20 API calls / minute. You can continue to use the Trial key for free or upgrade to a Production key with higher rate limits."}"# },
    Row { provider: "cohere", name: "trial month", status: 429, retry_after: "", expected: "account quota, at +2548800s", cut: "",
        body: r#"{"message":"You are using a Trial key, which is limited to 1000 API calls / month. You can continue to use the Trial key for free or upgrade to a Production key."}"# },
    Row { provider: "cohere", name: "key dead", status: 401, retry_after: "", expected: "key, 60s to 3600s", cut: "",
        body: r#"{"message":"invalid api token"}"# },
    Row { provider: "cohere", name: "too long", status: 400, retry_after: "", expected: "model, none, too long", cut: "",
        body: r#"{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081 - prompt is too long"}"# },
    Row { provider: "cerebras", name: "payment 402", status: 402, retry_after: "", expected: "account credit, 300s to 21600s", cut: "",
        body: r#"{"message":"Payment required to access this resource. Visit your billing tab.","type":"payment_required_error","param":"quota","code":"payment_required"}"# },
    Row { provider: "cerebras", name: "tokens per minute", status: 429, retry_after: "", expected: "candidate, 300s", cut: "",
        body: r#"{"message":"Tokens per minute limit exceeded - too many tokens processed.","type":"too_many_tokens_error","param":"quota","code":"token_quota_exceeded"}"# },
    Row { provider: "ollama", name: "weekly limit", status: 429, retry_after: "", expected: "account quota, 300s to 21600s", cut: "jane_doe42",
        body: r#"{"error":"you (jane_doe42) have reached your weekly usage limit, upgrade for higher limits: https://ollama.com/upgrade"}"# },
    Row { provider: "ollama", name: "subscription 403", status: 403, retry_after: "", expected: "candidate, next list", cut: "",
        body: r#"{"error":"this model requires a subscription, upgrade for access: https://ollama.com/upgrade"}"# },
    Row { provider: "modelscope", name: "retired 1008", status: 429, retry_after: "", expected: "model, next list", cut: "",
        body: r#"{"error":{"message":"insufficient balance (1008)","type":"insufficient_balance"}}"# },
    Row { provider: "my-box", name: "unknown 404", status: 404, retry_after: "", expected: "model, 60s", cut: "",
        body: r#"{"error":{"message":"no"}}"# },
    Row { provider: "my-box", name: "credit 402", status: 402, retry_after: "", expected: "account credit, 300s to 21600s", cut: "",
        body: r#"{"error":{"message":"Payment required"}}"# },
    Row { provider: "my-box", name: "context length", status: 400, retry_after: "", expected: "model, none, too long", cut: "",
        body: r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.","code":"context_length_exceeded","type":"invalid_request_error"}}"# },
    Row { provider: "openrouter", name: "daily 429", status: 429, retry_after: "", expected: "account day, at +300s", cut: "user_2pXk9Qa7",
        body: r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"ms+300"},"limit_source":"openrouter_free_tier_daily"}},"user_id":"user_2pXk9Qa7"}"# },
    Row { provider: "openrouter", name: "shared pool 429", status: 429, retry_after: "", expected: "model, 5s", cut: "",
        body: r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"x is temporarily rate-limited upstream.","provider_name":"X","limit_source":"upstream_provider_shared_pool","retry_after_seconds":5}}}"# },
    Row { provider: "openrouter", name: "credits 402", status: 402, retry_after: "", expected: "account credit, 300s to 21600s", cut: "user_2pXk9Qa7",
        body: r#"{"error":{"message":"Insufficient credits. Add more using https://openrouter.ai/settings/credits","code":402,"metadata":{"limit_source":"openrouter_credits"}},"user_id":"user_2pXk9Qa7"}"# },
    Row { provider: "openrouter", name: "harness 403", status: 403, retry_after: "", expected: "model, 21600s", cut: "",
        body: r#"{"error":{"message":"x is only available on agentic harnesses. Try plugging it into a coding agent or productivity app listed on https://openrouter.ai/apps","code":403,"metadata":{"failed_routing_step":"Gate Free Endpoints by Agentic Harness"}}}"# },
];

/// The model named in the bodies.
fn model_of(provider: &str) -> &'static str {
    match provider {
        "groq" => "openai/gpt-oss-120b",
        "gemini" => "gemini-3.5-flash",
        "nvidia" => "z-ai/glm5.2",
        _ => "vendor/model-x:free",
    }
}

pub(super) fn provider(name: &str) -> Provider {
    let custom = || Provider::unknown(ProviderId::try_from(name).unwrap(), true);
    find(name).map_or_else(custom, |row| Provider::clone(row))
}

pub(super) fn rules() -> Rules {
    Rules {
        rate_limit_cooldown: Duration::from_secs(300),
        generic_error_cooldown: Duration::from_secs(60),
        redactor: Redactor::new([Secret::new("sk-or-v1-0123456789")]),
    }
}

/// Scope, rest and lesson; the outcome follows from them.
pub(super) fn without_outcome(failure: &Failure) -> String {
    let words = in_words(failure);
    words.split_once(", ").unwrap().1.to_owned()
}

impl Row {
    fn headers(&self) -> HeaderMap {
        let value = Some(self.retry_after).filter(|value| !value.is_empty());
        let name = http::header::RETRY_AFTER;
        let pair = value.map(|value| (name, value.parse().unwrap()));
        pair.into_iter().collect()
    }

    fn body(&self) -> Bytes {
        let reset = ((NOW + 300) * 1000).to_string();
        self.body.replace("ms+300", &reset).into()
    }

    /// The verdict on it, and on the same body within a 200, if it is recognised as an error there.
    fn judged(&self) -> (Failure, Option<Failure>) {
        let (provider, rules, body) = (provider(self.provider), rules(), self.body());
        let model = ModelId::try_from(model_of(self.provider)).unwrap();
        let asked = Asked {
            provider: &provider,
            key: None,
            model: &model,
            routing: Routing::Ours,
        };
        let headers = self.headers();
        let failure = rules.classify(asked, self.status, &headers, &body, Cause::Status, now());
        let inside = match read(&body, Endpoint::Chat) {
            Ok(Said::Error(error)) => {
                Some(rules.error_inside(asked, &error, &headers, &body, now()))
            }
            Ok(said) => panic!("{}: {said:?}", self.name),
            Err(_) => None,
        };
        (failure, inside)
    }
}

#[test]
fn s10_4_every_recorded_error_has_its_scope_and_rest() {
    let mut wrong = Vec::new();
    for row in &ROWS {
        let words = without_outcome(&row.judged().0);
        if words != row.expected {
            wrong.push(format!(
                "{} {}: {words}, not {}",
                row.provider, row.name, row.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Where a 200 loses what only the status said.
const WITHOUT_STATUS: [(&str, &str); 3] = [
    ("capacity 3040", "model, 60s"),
    ("unknown 403", "model, 60s"),
    ("no balance 1113", "account credit, 300s to 21600s"),
];

#[test]
fn s10_4_the_same_bodies_within_a_200_have_the_same() {
    let (mut wrong, mut read) = (Vec::new(), 0);
    for row in &ROWS {
        let Some(failure) = row.judged().1 else {
            continue;
        };
        let words = without_outcome(&failure);
        let other = WITHOUT_STATUS.iter().find(|(name, _)| *name == row.name);
        let expected = other.map_or(row.expected, |(_, words)| *words);
        if words != expected {
            wrong.push(format!(
                "{} {}: {words}, not {expected}",
                row.provider, row.name
            ));
        }
        read += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // All but the bare text, which is not JSON.
    assert_eq!(read, ROWS.len() - 1);
}

#[test]
fn s10_6_whose_account_it_is_goes_to_no_client() {
    let mut cut = 0;
    for row in ROWS.iter().filter(|row| !row.cut.is_empty()) {
        assert!(row.body.contains(row.cut), "{}", row.name);
        let redactor = rules().redactor;
        let passed = answer::pass(row.status, &row.headers(), &row.body(), &redactor);
        let Ok(Said::Error(error)) = read(row.body.as_bytes(), Endpoint::Chat) else {
            panic!("{}", row.name);
        };
        let message = error.message(&redactor).unwrap().to_text();
        for seen in [passed.body.to_text(), message] {
            assert!(
                !seen.contains(row.cut) && !seen.is_empty(),
                "{}: {seen}",
                row.name
            );
        }
        cut += 1;
    }
    assert_eq!(cut, 8);
}
