//! A bare error in a shape other than OpenAI's: within a 200 it is neither a completion nor an
//! `error` member (reference §6.1).
//!
//! Pure. Only used for what has no choices: no valid completion ends up here.

use super::UpstreamError;
use crate::json::{self, Kind, Raw};

impl UpstreamError {
    /// The error that a whole answer, or an event without choices, is; `None` if it is not one.
    #[must_use]
    pub fn by_itself(body: &[u8]) -> Option<Self> {
        let body = Raw::parse(body, json::MAX_DEPTH).ok()?;
        match body.kind() {
            Kind::String => text(Some(body)).map(Self::of_text),
            Kind::Array => {
                let first = body.elements().next()?;
                let error = first.get("error").and_then(Self::told);
                error.or_else(|| Self::flat(first))
            }
            Kind::Object => Self::flat(body),
            Kind::Number | Kind::Bool | Kind::Null => None,
        }
    }

    /// `{"success":false,"errors":[...]}`, `{"code":...,"message":"..."}`, `{"detail":"..."}`,
    /// `{"status":429,"title":"..."}`.
    fn flat(object: Raw<'_>) -> Option<Self> {
        let [success, errors, message, detail, title, status, kind] = object.pick([
            "success", "errors", "message", "detail", "title", "status", "object",
        ]);
        if kind.is_some_and(|kind| kind.as_str().as_deref() != Some("error")) {
            return None;
        }
        let of_first = || errors?.elements().next()?.get("message");
        let failed = success.is_some_and(|success| success.as_bool() == Some(false));
        let is_status = |status: &Raw<'_>| status.as_u64().is_some_and(|n| (400..600).contains(&n));
        let titled = title.filter(|_| status.as_ref().is_some_and(is_status));
        let worded = text(message)
            .or_else(|| text(detail))
            .or_else(|| text(titled));
        let worded = worded.or_else(|| text(of_first()).filter(|_| failed));
        (failed || worded.is_some()).then(|| Self {
            message: worded,
            ..Self::read(object)
        })
    }

    fn of_text(message: String) -> Self {
        Self {
            message: Some(message),
            ..Self::default()
        }
    }
}

fn text(value: Option<Raw<'_>>) -> Option<String> {
    let text = value?.as_str().filter(|text| !text.is_empty())?;
    Some(text.into_owned())
}

#[cfg(test)]
mod tests {
    use crate::answer::{Said, read};
    use crate::request::Endpoint;

    /// Status and message of the error in the body.
    fn error(body: &str) -> Option<(Option<u16>, Option<String>)> {
        match read(body.as_bytes(), Endpoint::Chat).unwrap() {
            Said::Error(error) => Some((error.status, error.message)),
            Said::Useful { .. } | Said::Stopped | Said::Nothing => None,
        }
    }

    #[test]
    fn s10_4_an_error_of_any_shape_is_not_a_completion() {
        #[rustfmt::skip]
        let rows = [
            (r#"[{"error":{"code":429,"message":"You exceeded"}}]"#,                Some(429), Some("You exceeded")),
            (r#"[{"code":400,"message":"Bad"}]"#,                                   Some(400), Some("Bad")),
            (r#"{"success":false,"errors":[{"code":4006,"message":"used up"}],"result":null}"#, None, Some("used up")),
            (r#"{"success":false,"errors":[]}"#,                                    None,      None),
            (r#"{"message":"Tokens per minute","type":"too_many_tokens_error","code":"token_quota_exceeded"}"#, None, Some("Tokens per minute")),
            (r#"{"code":429,"message":"Slow"}"#,                                    Some(429), Some("Slow")),
            (r#"{"object":"error","message":"Rate limit exceeded","code":"1300"}"#, None,      Some("Rate limit exceeded")),
            (r#"{"message":"invalid api token"}"#,                                  None,      Some("invalid api token")),
            (r#"{"detail":"Unauthorized"}"#,                                        None,      Some("Unauthorized")),
            (r#"{"status":429,"title":"Too Many Requests"}"#,                       None,      Some("Too Many Requests")),
            (r#"{"error":"Rate limit exceeded","error_type":"rate_limit_exceeded","message":"Free"}"#, None, Some("Rate limit exceeded")),
            (r#""you (a) have reached your session usage limit""#,                  None,      Some("you (a) have reached your session usage limit")),
        ];
        for (body, status, message) in rows {
            let expected = (status, message.map(str::to_owned));
            assert_eq!(error(body), Some(expected), "{body}");
        }
    }

    #[test]
    fn s10_4_what_is_not_an_error_is_none() {
        #[rustfmt::skip]
        let rows = [
            r#"{"choices":[{"delta":{"content":"x"}}],"message":"Slow","code":429}"#,
            r#"{"choices":[],"message":"Slow"}"#,
            r#"{"choices":[],"success":false}"#,
            r#"{"usage":{"completion_tokens":1},"message":"x"}"#,
            r#"{"object":"chat.completion.chunk","message":"x"}"#,
            r#"{"type":"message_start","message":{"id":"x"}}"#,
            r#"{"type":"ping"}"#,
            r#"{"message":""}"#,
            r#"{"title":"A title"}"#,
            r#"{"success":true,"errors":[],"result":{}}"#,
            r#"{"errors":[{"message":"x"}]}"#,
            "[]", "[1]", "[[]]", "7", "true", "null", r#""""#, "{}",
        ];
        for body in rows {
            assert_eq!(error(body), None, "{body}");
        }
    }
}
