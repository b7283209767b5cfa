//! The recorded failures of `reference/openrouter.md` §2-§6: the table itself, one row each.
//!
//! Bodies are quoted as recorded; `%MODEL%`, `%RESET_DAY%`, `%RESET_MINUTE%` and `%RETRY%` are
//! filled in when a row is sent (`failed.rs`). Nothing here decides when.

use serde::Deserialize;

/// One row: what goes over the wire.
pub(super) struct Row {
    pub(super) status: u16,
    pub(super) kind: Kind,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: &'static str,
}

/// What the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON.
    Json,
    /// A page from some edge server.
    Html,
    /// Something else, or nothing.
    Text,
}

macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident => $status:literal $kind:ident [$($header:expr),*] $body:expr;)*) => {
        /// A recorded failure, by its name in scripts (`DailyLimit` is `daily_limit`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Failure { $($(#[$doc])* $name,)* }

        impl Failure {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub(super) fn row(self) -> Row {
                match self {
                    $(Self::$name => Row {
                        status: $status, kind: Kind::$kind, headers: &[$($header),*], body: $body,
                    },)*
                }
            }
        }
    };
}

const HTML_502: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";
const HTML_429: &str = "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head><title>Access denied | openrouter.ai used Cloudflare to restrict access</title></head>\n<body><h1>Error 1015</h1><p>You are being rate limited</p></body>\n</html>\n";

failures! {
    // -- 400 ---------------------------------------------------------------------------------
    /// 400: no messages. The request's.
    InputRequired => 400 Json [] r#"{"error":{"message":"Input required: specify \"prompt\" or \"messages\"","code":400}}"#;
    /// 400: an empty prompt, or a body that is not JSON. The request's.
    NoTokens => 400 Json [] r#"{"error":{"message":"Input must have at least 1 token.","code":400}}"#;
    /// 400: the id is unknown. The model's.
    InvalidModel => 400 Json [] r#"{"error":{"message":"%MODEL% is not a valid model ID","code":400},"user_id":"user_x"}"#;
    /// 400: OpenRouter's own `models` has more than three. The request's.
    TooManyModels => 400 Json [] r#"{"error":{"message":"'models' array must have 3 items or fewer.","code":400}}"#;
    /// 400: reasoning was switched off where it cannot be. The model's.
    ReasoningMandatory => 400 Json [] r#"{"error":{"message":"Reasoning is mandatory for this endpoint and cannot be disabled.","code":400},"user_id":"user_x"}"#;
    /// 400: the prompt is longer than the model's context.
    ContextLength => 400 Json [] r#"{"error":{"message":"This endpoint's maximum context length is 131072 tokens. However, you requested about 200000 tokens (200000 of text input). Please reduce the length of either one, or use the \"middle-out\" transform to compress your prompt automatically.","code":400,"metadata":{"provider_name":null,"error_type":"context_length_exceeded"}},"user_id":"user_x"}"#;
    /// 400: the same, expressed only in words.
    ContextLengthWords => 400 Json [] r#"{"error":{"message":"This model's maximum context length is 131072 tokens. Please reduce the length of the messages.","code":400}}"#;
    /// 400: the provider's own refusal, in `metadata.raw`.
    ProviderRefused => 400 Json [] r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"code\":400,\"message\":\"User location is not supported for the API use.\",\"status\":\"FAILED_PRECONDITION\"}}","provider_name":"SomeHost","is_byok":false}},"user_id":"user_x"}"#;
    /// 400: the content breaks a policy. The request's.
    ContentPolicy => 400 Json [] r#"{"error":{"message":"The request was rejected by the provider's content policy.","code":400,"metadata":{"error_type":"content_policy_violation","provider_name":"SomeHost"}},"user_id":"user_x"}"#;
    /// 400: an image that cannot be read. The request's.
    InvalidImage => 400 Json [] r#"{"error":{"message":"The image data is not valid.","code":400,"metadata":{"error_type":"invalid_image"}},"user_id":"user_x"}"#;
    /// 400 in the shape without a code that some routes use.
    Zod => 400 Json [] r#"{"success":false,"error":{"name":"ZodError","message":"[{\"code\":\"invalid_type\",\"expected\":\"array\",\"path\":[\"messages\"],\"message\":\"Invalid input: expected array, received string\"}]"}}"#;
    /// 400 in the documented "availability" shape: the model is unknown.
    AvailabilityModelNotFound => 400 Json [] r#"{"error":{"message":"%MODEL% is not available.","error_type":"not_found","http_status":400,"availability":{"code":"model_not_found","retryable":false,"requested_models":["%MODEL%"],"fallback_models":["vendor/paid-model"],"docs_url":"https://openrouter.ai/docs"}}}"#;
    // -- 401, 402, 403 -----------------------------------------------------------------------
    /// 401: no key came.
    NoCredentials => 401 Json [] r#"{"error":{"message":"No cookie auth credentials found","code":401}}"#;
    /// 401: no key came, as the specification writes it.
    MissingAuthentication => 401 Json [] r#"{"error":{"message":"Missing Authentication header","code":401}}"#;
    /// 401: a bad or deleted key.
    UserNotFound => 401 Json [] r#"{"error":{"message":"User not found.","code":401}}"#;
    /// 402: no credits. A negative balance blocks free models too.
    InsufficientCredits => 402 Json [] r#"{"error":{"message":"Insufficient credits. Add more using https://openrouter.ai/settings/credits","code":402,"metadata":{"limit_source":"openrouter_credits"}},"user_id":"user_x"}"#;
    /// 402: the answer asked for costs more than there is.
    CannotAfford => 402 Json [] r#"{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 1200. To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid account","code":402,"metadata":{"limit_source":"openrouter_credits","provider_name":null}},"user_id":"user_x"}"#;
    /// 402: the key's own cap.
    KeyLimit => 402 Json [] r#"{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 0. To increase, visit https://openrouter.ai/settings/keys and create a key with a higher total limit","code":402,"metadata":{"limit_source":"openrouter_key_limit"}},"user_id":"user_x"}"#;
    /// 402: too much in flight, with a `Retry-After`.
    InFlightBudget => 402 Json [("Retry-After", "%RETRY%")] r#"{"error":{"message":"Insufficient credits for the requests in flight.","code":402,"metadata":{"limit_source":"openrouter_in_flight_budget","retry_after_seconds":%RETRY%,"headers":{"Retry-After":"%RETRY%"}}},"user_id":"user_x"}"#;
    /// 403: only for agentic harnesses. The model's, not the key's.
    Harness => 403 Json [] r#"{"error":{"message":"%MODEL% is only available on agentic harnesses. Try plugging it into a coding agent or productivity app listed on https://openrouter.ai/apps","code":403,"metadata":{"failed_routing_step":"Gate Free Endpoints by Agentic Harness"}},"user_id":"user_x"}"#;
    /// 403: moderation. The request's.
    Moderation => 403 Json [] r#"{"error":{"message":"%MODEL% requires moderation on SomeHost. Your input was flagged for \"violence\". No credits were charged.","code":403,"metadata":{"reasons":["violence"],"flagged_input":"how do I ...","provider_name":"SomeHost","model_slug":"%MODEL%"}},"user_id":"user_x"}"#;
    /// 403: a guardrail of the account's. The request's.
    Guardrail => 403 Json [] r#"{"error":{"message":"Request blocked by guardrail","code":403,"metadata":{"patterns":["credit-card"]}},"user_id":"user_x"}"#;
    /// 403: not from this region, in the documented "availability" shape. The model's.
    Region => 403 Json [] r#"{"error":{"message":"%MODEL% is not available in your region.","error_type":"permission_denied","http_status":403,"availability":{"code":"region_restricted","retryable":false,"requested_models":["%MODEL%"],"docs_url":"https://openrouter.ai/docs"}}}"#;
    /// 403 that says nothing known: the key's.
    Forbidden => 403 Json [] r#"{"error":{"message":"Forbidden","code":403}}"#;
    // -- 404 ---------------------------------------------------------------------------------
    /// 404: the model is withdrawn.
    NoEndpoints => 404 Json [] r#"{"error":{"message":"No endpoints found for %MODEL%.","code":404},"user_id":"user_x"}"#;
    /// 404: the free variant ended; a paid id is suggested.
    NotFreeAnymore => 404 Json [] r#"{"error":{"message":"This model is unavailable for free. The paid version is available now - use this slug instead: vendor/paid-model","code":404},"user_id":"user_x"}"#;
    /// 404: no endpoint takes tools.
    NoToolUse => 404 Json [] r#"{"error":{"message":"No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai/docs/provider-routing","code":404,"metadata":{"failed_routing_step":"Filter by Tool Support","routing_funnel":[{"step":"All Endpoints","count":1},{"step":"Filter by Tool Support","count":0}]}},"user_id":"user_x"}"#;
    /// 404: no endpoint takes this `tool_choice`.
    NoToolChoice => 404 Json [] r#"{"error":{"message":"No endpoints found that support the provided 'tool_choice' value. To learn more about provider routing, visit: https://openrouter.ai/docs/provider-routing","code":404,"metadata":{"failed_routing_step":"Filter by Tool Choice"}},"user_id":"user_x"}"#;
    /// 404: no endpoint takes images.
    NoImageInput => 404 Json [] r#"{"error":{"message":"No endpoints found that support image input","code":404,"metadata":{"failed_routing_step":"Filter by Image Support","routing_funnel":[{"step":"Filter by Image Support","count":0}]}},"user_id":"user_x"}"#;
    /// 404: `require_parameters` ruled all out.
    NoParameters => 404 Json [] r#"{"error":{"message":"No endpoints found that can handle the requested parameters. To learn more about provider routing, visit: https://openrouter.ai/docs/provider-routing","code":404,"metadata":{"failed_routing_step":"Filter by Parameters"}},"user_id":"user_x"}"#;
    /// 404: the account's privacy setting excludes free models.
    DataPolicy => 404 Json [] r#"{"error":{"message":"No endpoints found matching your data policy (Free model training). Configure: https://openrouter.ai/settings/privacy","code":404,"metadata":{"failed_routing_step":"Filter by Data Policy"}},"user_id":"user_x"}"#;
    /// 404: the same, in its older words.
    DataPolicyOld => 404 Json [] r#"{"error":{"message":"No endpoints found matching your data policy (Free model publication). Configure: https://openrouter.ai/settings/privacy","code":404}}"#;
    /// 404: the account's guardrail leaves nothing.
    Guardrails => 404 Json [] r#"{"error":{"message":"No endpoints available matching your guardrail restrictions and data policy. Configure: https://openrouter.ai/settings/privacy","code":404,"metadata":{"failed_routing_step":"Filter by Guardrails"}},"user_id":"user_x"}"#;
    /// 404: the same, expressed in numbers.
    GuardrailsCount => 404 Json [] r#"{"error":{"message":"0 endpoints out of 1 requested are available matching your guardrail restrictions and data policy.","code":404,"metadata":{"failed_routing_step":"Filter by Guardrails"}},"user_id":"user_x"}"#;
    /// 404: the account's allowed providers leave nothing.
    AllowedProviders => 404 Json [] r#"{"error":{"message":"No allowed providers are available for the selected model.","code":404,"metadata":{"available_providers":["somehost"],"requested_providers":["otherhost"],"failed_routing_step":"Filter by Allowed Providers"}},"user_id":"user_x"}"#;
    /// 404: the free variant ended, in the documented "availability" shape.
    AvailabilityFreeEnded => 404 Json [] r#"{"error":{"message":"The free variant of this model has ended.","error_type":"not_found","http_status":404,"availability":{"code":"free_variant_ended","retryable":false,"requested_models":["%MODEL%"],"fallback_models":["vendor/paid-model"],"docs_url":"https://openrouter.ai/docs"}}}"#;
    /// 404: a wrong path.
    NotFound => 404 Json [] r#"{"error":{"message":"Not Found","code":404}}"#;
    // -- 408, 413, 422 -----------------------------------------------------------------------
    /// 408: the provider took too long.
    TimedOut => 408 Json [] r#"{"error":{"message":"Operation timed out. Please try again later.","code":408,"metadata":{"error_type":"timeout"}},"user_id":"user_x"}"#;
    /// 413: the request's.
    TooLarge => 413 Json [] r#"{"error":{"message":"Request payload too large","code":413,"metadata":{"error_type":"payload_too_large"}},"user_id":"user_x"}"#;
    /// 422: the request's.
    InvalidArgument => 422 Json [] r#"{"error":{"message":"Invalid argument","code":422,"metadata":{"error_type":"unprocessable"}},"user_id":"user_x"}"#;
    // -- 429 ---------------------------------------------------------------------------------
    /// 429: the free quota of the day, below 10 credits. The account's.
    DailyLimit => 429 Json [("X-RateLimit-Limit", "50"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "%RESET_DAY%")] r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"%RESET_DAY%"},"limit_source":"openrouter_free_tier_daily","provider_name":null,"remedy_hint":"Wait for the daily reset (see X-RateLimit-Reset)"}},"user_id":"user_x"}"#;
    /// 429: the same, only in the body's metadata.
    DailyLimitMetadata => 429 Json [] r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"%RESET_DAY%"},"limit_source":"openrouter_free_tier_daily","provider_name":null,"remedy_hint":"Wait for the daily reset (see X-RateLimit-Reset)"}},"user_id":"user_x"}"#;
    /// 429: the quota of the day with 10 credits or more. The account's.
    DailyLimitHighBalance => 429 Json [("X-RateLimit-Limit", "1000"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "%RESET_DAY%")] r#"{"error":{"message":"Rate limit exceeded: free-models-per-day-high-balance. ","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"1000","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"%RESET_DAY%"},"limit_source":"openrouter_free_tier_daily","provider_name":null,"remedy_hint":"Wait for the daily reset (see X-RateLimit-Reset)"}},"user_id":"user_x"}"#;
    /// 429: 20 requests a minute. The account's.
    MinuteLimit => 429 Json [("X-RateLimit-Limit", "20"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "%RESET_MINUTE%")] r#"{"error":{"message":"Rate limit exceeded: free-models-per-min. ","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"20","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"%RESET_MINUTE%"},"limit_source":"openrouter_free_tier_per_minute","provider_name":null,"remedy_hint":"Wait for the minute to end (see X-RateLimit-Reset)"}},"user_id":"user_x"}"#;
    /// 429: the provider's shared pool, without a time. The model's.
    ProviderLimit => 429 Json [] r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"%MODEL% is temporarily rate-limited upstream. Please retry shortly, or add your own key to accumulate your rate limits: https://openrouter.ai/settings/integrations","provider_name":"SomeHost","is_byok":false,"provider_error_code":"rate_limit_exceeded","limit_source":"upstream_provider_shared_pool","remedy_hint":"Retry shortly, or add your own key"}},"user_id":"user_x"}"#;
    /// 429: the same with `Retry-After`, in the header and in the metadata.
    ProviderLimitRetryAfter => 429 Json [("Retry-After", "%RETRY%")] r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"%MODEL% is temporarily rate-limited upstream. Please retry shortly, or add your own key to accumulate your rate limits: https://openrouter.ai/settings/integrations","provider_name":"SomeHost","is_byok":false,"provider_error_code":"rate_limit_exceeded","limit_source":"upstream_provider_shared_pool","remedy_hint":"Retry shortly, or add your own key","retry_after_seconds":%RETRY%,"retry_after_seconds_raw":%RETRY%,"headers":{"Retry-After":"%RETRY%"}}},"user_id":"user_x"}"#;
    /// 429: the same with `metadata.retry_after_seconds` alone.
    ProviderLimitMetadata => 429 Json [] r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"%MODEL% is temporarily rate-limited upstream. Please retry shortly, or add your own key to accumulate your rate limits: https://openrouter.ai/settings/integrations","provider_name":"SomeHost","is_byok":false,"provider_error_code":"rate_limit_exceeded","limit_source":"upstream_provider_shared_pool","retry_after_seconds":%RETRY%,"retry_after_seconds_raw":%RETRY%}},"user_id":"user_x"}"#;
    /// 429: at capacity, in the documented "availability" shape. The model's.
    Capacity => 429 Json [("Retry-After", "%RETRY%")] r#"{"error":{"message":"%MODEL% is at capacity. Please retry shortly.","error_type":"rate_limit_exceeded","http_status":429,"availability":{"code":"capacity_exhausted","retryable":true,"retry_after":%RETRY%,"requested_models":["%MODEL%"],"docs_url":"https://openrouter.ai/docs"}}}"#;
    /// 429: the documented generic one.
    RateLimited => 429 Json [] r#"{"error":{"message":"Rate limit exceeded","code":429,"metadata":{"error_type":"rate_limit_exceeded"}}}"#;
    /// 429: the generic one with limit headers in the head alone (milliseconds).
    RateLimitedHeaders => 429 Json [("X-RateLimit-Limit", "20"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "%RESET_MINUTE%")] r#"{"error":{"message":"Rate limit exceeded","code":429,"metadata":{"error_type":"rate_limit_exceeded"}}}"#;
    /// 429: Cloudflare's page.
    CloudflareLimit => 429 Html [("Server", "cloudflare"), ("Retry-After", "%RETRY%")] HTML_429;
    /// 429 with no body at all.
    RateLimitedEmpty => 429 Text [] "";
    // -- 5xx ---------------------------------------------------------------------------------
    /// 500: masked.
    Internal => 500 Json [] r#"{"error":{"message":"Internal Server Error","code":500,"metadata":{"error_type":"server"}}}"#;
    /// 502: the provider's error.
    BadGateway => 502 Json [] r#"{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"upstream connect error or disconnect/reset before headers","provider_name":"SomeHost","is_byok":false,"error_type":"provider_unavailable"}},"user_id":"user_x"}"#;
    /// 502: a page of the edge's.
    BadGatewayHtml => 502 Html [("Server", "cloudflare")] HTML_502;
    /// 503: no provider meets the routing needs.
    Unavailable => 503 Json [] r#"{"error":{"message":"There is no available model provider that meets your routing requirements","code":503,"metadata":{"error_type":"provider_overloaded"}},"user_id":"user_x"}"#;
    /// 503: the same with `Retry-After`.
    UnavailableRetryAfter => 503 Json [("Retry-After", "%RETRY%")] r#"{"error":{"message":"There is no available model provider that meets your routing requirements","code":503,"metadata":{"error_type":"provider_overloaded","retry_after_seconds":%RETRY%,"headers":{"Retry-After":"%RETRY%"}}},"user_id":"user_x"}"#;
    /// 503 in the documented "availability" shape.
    AvailabilityUnavailable => 503 Json [("Retry-After", "%RETRY%")] r#"{"error":{"message":"%MODEL% is temporarily unavailable.","error_type":"provider_unavailable","http_status":503,"availability":{"code":"temporarily_unavailable","retryable":true,"retry_after":%RETRY%,"requested_models":["%MODEL%"],"docs_url":"https://openrouter.ai/docs"}}}"#;
    /// 504.
    GatewayTimeout => 504 Json [] r#"{"error":{"message":"Provider returned error","code":504,"metadata":{"error_type":"timeout"}}}"#;
    /// 524: the edge's timeout.
    EdgeTimeout => 524 Html [("Server", "cloudflare")] "<!DOCTYPE html>\n<html><head><title>openrouter.ai | 524: A timeout occurred</title></head><body><h1>A timeout occurred</h1></body></html>\n";
    /// 529: the provider is overloaded.
    Overloaded => 529 Json [] r#"{"error":{"message":"Provider returned error","code":529,"metadata":{"error_type":"provider_overloaded","provider_name":"SomeHost"}}}"#;
    // -- 200 that is an error ----------------------------------------------------------------
    /// 200 with a provider's 429.
    OkError => 200 Json [] r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"error_type":"rate_limit_exceeded"}}}"#;
    /// 200 with a 502.
    OkErrorBadGateway => 200 Json [] r#"{"error":{"code":502,"message":"Provider returned error","metadata":{"error_type":"provider_unavailable"}},"user_id":"user_x"}"#;
    /// 200 with a code that is a word.
    OkErrorWord => 200 Json [] r#"{"error":{"code":"server_error","message":"Provider disconnected unexpectedly"}}"#;
    /// 200 with the daily limit. The account's.
    OkErrorDailyLimit => 200 Json [] r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"%RESET_DAY%"},"limit_source":"openrouter_free_tier_daily","provider_name":null}},"user_id":"user_x"}"#;
    /// 200 with a 400 about the prompt. The request's.
    OkErrorRequest => 200 Json [] r#"{"error":{"message":"Input must have at least 1 token.","code":400}}"#;
    /// 200 with half an answer and `finish_reason: "error"`.
    OkFinishError => 200 Json [] r#"{"id":"gen-1","choices":[{"message":{"role":"assistant","content":"half an ans"},"finish_reason":"error","error":{"code":502,"message":"Provider disconnected mid-stream","metadata":{"error_type":"provider_unavailable"}}}]}"#;
    /// 200 without `choices`.
    OkNoChoices => 200 Json [] r#"{"id":"gen-1","object":"chat.completion","created":1790000000,"model":"%MODEL%"}"#;
    /// 200 with an empty `choices`.
    OkEmptyChoices => 200 Json [] r#"{"id":"gen-1","object":"chat.completion","created":1790000000,"model":"%MODEL%","choices":[]}"#;
    /// 200 with no tokens and a blank finish reason.
    OkZeroTokens => 200 Json [] r#"{"id":"gen-1","choices":[{"index":0,"finish_reason":null,"message":{"role":"assistant","content":""}}],"usage":{"completion_tokens":0}}"#;
    /// 200 with a page.
    OkHtml => 200 Html [] "<!DOCTYPE html>\n<html><head><title>OpenRouter</title></head><body>We'll be right back.</body></html>\n";
    /// 200 with nothing.
    OkEmpty => 200 Json [] "";
    /// 200 with blank lines and comments only.
    OkBlank => 200 Json [] "\n\n\n: OPENROUTER PROCESSING\n\n\n";
    /// 200 with half a JSON document.
    OkInvalidJson => 200 Json [] r#"{"id":"gen-1","object":"chat.completion","choices":[{"index":0,"mess"#;
}
