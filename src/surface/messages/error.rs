//! Errors in Anthropic's shape.

use bytes::Bytes;

use crate::json::{self, Raw, write};
use crate::provider::says_too_long;
use crate::surface::{StreamError, sentence};

/// How much of a provider's own message is repeated, in characters.
const LONGEST_RAW: usize = 500;

/// Converts an error's body from OpenAI's shape.
pub(in crate::surface) fn error(status: u16, body: &Bytes, request_id: &str) -> Bytes {
    let error = Raw::parse(body, json::MAX_DEPTH)
        .ok()
        .and_then(|body| body.get("error"));
    let [code, metadata] = error
        .map(|error| error.pick(["code", "metadata"]))
        .unwrap_or_default();
    let text = |value: Option<Raw<'_>>| value.and_then(Raw::as_str).map(String::from);
    let mut message = error
        .and_then(sentence)
        .unwrap_or_else(|| format!("The request failed with HTTP status {status}."));
    let code = text(code).unwrap_or_default();
    let mut too_long = says_too_long(&code, &message);
    // Many messages just say "Provider returned error"; the provider itself said more.
    if let Some(raw) = text(metadata.and_then(|m| m.get("raw"))).filter(|raw| !raw.is_empty()) {
        too_long |= says_too_long("", &raw);
        message.push_str(": ");
        message.extend(raw.chars().take(LONGEST_RAW));
    }
    let mut out = Vec::new();
    write_error(kind(&code, status), &message, too_long, &mut out);
    out.extend_from_slice(br#","request_id":"#);
    write::string(&mut out, request_id);
    out.push(b'}');
    out.into()
}

/// The event that ends a failed stream.
pub(super) fn event(failure: &StreamError<'_>, out: &mut Vec<u8>) {
    let status = match failure.kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        _ => 500,
    };
    out.extend_from_slice(b"event: error\ndata: ");
    let too_long = says_too_long(failure.code, failure.message);
    write_error(kind(failure.code, status), failure.message, too_long, out);
    out.extend_from_slice(b"}\n\n");
}

/// The error without its closing brace.
fn write_error(kind: &str, message: &str, too_long: bool, out: &mut Vec<u8>) {
    const TOO_LONG: &str = "prompt is too long";
    out.extend_from_slice(br#"{"type":"error","error":{"type":"#);
    write::string(out, kind);
    out.extend_from_slice(br#","message":""#);
    // Claude Code shortens the conversation when it reads these words.
    if too_long && !message.to_lowercase().starts_with(TOO_LONG) {
        write::escape(out, TOO_LONG);
        out.extend_from_slice(b": ");
    }
    write::escape(out, message);
    out.extend_from_slice(br#""}"#);
}

/// The error's type: by our own code where it is more specific than the status.
fn kind(code: &str, status: u16) -> &'static str {
    match (code, status) {
        ("rate_limited" | "account_rate_limited" | "client_rate_limited", _) => "rate_limit_error",
        ("not_allowed", _) => "permission_error",
        ("all_models_unavailable" | "not_ready" | "shutting_down", _) => "overloaded_error",
        (_, 401) => "authentication_error",
        (_, 402) => "billing_error",
        (_, 403) => "permission_error",
        (_, 404) => "not_found_error",
        (_, 413) => "request_too_large",
        (_, 429) => "rate_limit_error",
        (_, 408 | 504) => "timeout_error",
        (_, 503 | 529) => "overloaded_error",
        (_, 400..500) => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_every_error_has_one_of_anthropics_types() {
        #[rustfmt::skip]
        let rows = [
            (400, r#"{"error":{"message":"Bad.","type":"invalid_request_error","param":"x","code":"invalid_request"}}"#,
                  "invalid_request_error", "Bad."),
            (401, r#"{"error":{"message":"No key.","code":"missing_api_key"}}"#, "authentication_error",  "No key."),
            (402, r#"{"error":{"message":"Pay.","code":402}}"#,                  "billing_error",         "Pay."),
            (403, r#"{"error":{"message":"No.","code":403}}"#,                   "permission_error",      "No."),
            (404, r#"{"error":{"message":"Gone.","code":"not_found"}}"#,         "not_found_error",       "Gone."),
            (405, r#"{"error":{"message":"POST.","code":"method_not_allowed"}}"#,"invalid_request_error", "POST."),
            (408, r#"{"error":{"message":"Slow.","code":"request_timeout"}}"#,   "timeout_error",         "Slow."),
            (413, r#"{"error":{"message":"Big.","code":"request_too_large"}}"#,  "request_too_large",     "Big."),
            (422, r#"{"error":{"message":"Odd."}}"#,                             "invalid_request_error", "Odd."),
            (429, r#"{"error":{"message":"Slow down.","code":429}}"#,            "rate_limit_error",      "Slow down."),
            (500, r#"{"error":{"message":"Oh.","code":"internal_error"}}"#,      "api_error",             "Oh."),
            (502, r#"{"error":{"message":"Key.","code":"upstream_auth_error"}}"#,"api_error",             "Key."),
            (503, r#"{"error":{"message":"All rest.","code":"all_models_unavailable","attempts":[]}}"#,
                  "overloaded_error", "All rest."),
            (503, r#"{"error":{"message":"Quota.","code":"account_rate_limited"}}"#, "rate_limit_error",  "Quota."),
            // An error in a stream has the stream's 200.
            (200, r#"{"error":{"message":"Your share.","code":"client_rate_limited"}}"#, "rate_limit_error", "Your share."),
            (200, r#"{"error":{"message":"Not you.","code":"not_allowed"}}"#,    "permission_error",      "Not you."),
            (504, "{}",       "timeout_error", "The request failed with HTTP status 504."),
            (500, "<html>",   "api_error",     "The request failed with HTTP status 500."),
            (400, r#"{"error":"text"}"#, "invalid_request_error", "text"),
            (400, r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"x\":1}"}}}"#,
                  "invalid_request_error", r#"Provider returned error: {"x":1}"#),
            (400, r#"{"error":{"message":"This model's maximum context length is 9 tokens"}}"#,
                  "invalid_request_error", "prompt is too long: This model's maximum context length is 9 tokens"),
            (400, r#"{"error":{"message":"Too much.","code":"context_length_exceeded"}}"#,
                  "invalid_request_error", "prompt is too long: Too much."),
            (400, r#"{"error":{"message":"Prompt is too long: 300 tokens > 256"}}"#,
                  "invalid_request_error", "Prompt is too long: 300 tokens > 256"),
            (400, r#"{"error":{"message":"Provider returned error","metadata":{"raw":"{\"message\":\"prompt is too long: 9 > 8\"}"}}}"#,
                  "invalid_request_error", r#"prompt is too long: Provider returned error: {"message":"prompt is too long: 9 > 8"}"#),
            // What the request said is quoted.
            (400, r#"{"error":{"message":"Invalid role: 'context window'"}}"#,
                  "invalid_request_error", "Invalid role: 'context window'"),
            (400, r#"{"error":{"message":"messages.0.role: 'prompt is too long, 300 tokens' is not one of user, assistant"}}"#,
                  "invalid_request_error", "messages.0.role: 'prompt is too long, 300 tokens' is not one of user, assistant"),
            (400, r#"{"error":{"message":"Provider returned error","metadata":{"raw":"Unknown tool \"too many tokens\""}}}"#,
                  "invalid_request_error", r#"Provider returned error: Unknown tool "too many tokens""#),
        ];
        for (status, body, kind, message) in rows {
            let got = error(status, &Bytes::from_static(body.as_bytes()), "req-\"1");
            let got: serde_json::Value = serde_json::from_slice(&got).unwrap();
            let expected = serde_json::json!({"type": "error",
                "error": {"type": kind, "message": message}, "request_id": "req-\"1"});
            assert_eq!(got, expected, "{status} {body}");
        }
    }
}
