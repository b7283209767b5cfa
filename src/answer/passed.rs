//! An upstream's error on its way to the client (spec §4.2, §3.1).
//!
//! Pure. It is passed on unchanged, without the account id and our key; what is not a JSON error is
//! wrapped in one.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::without_heartbeat;
use crate::json::{self, Kind, Members, Raw};
use crate::redact::{Redacted, Redactor};

/// How much of a text that is not a JSON error is passed on, in characters.
const LONGEST_TEXT: usize = 500;

/// An upstream's error that goes to the client (scope request).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedAnswer {
    /// Its status.
    pub status: u16,
    /// Those of its headers that are passed on.
    pub head: AnswerHead,
    /// Its body: JSON with an object `error`, made safe (spec §3.1).
    pub body: Redacted,
    /// Its `Retry-After`.
    pub retry_after: Option<HeaderValue>,
}

/// The upstream's headers that are passed on (spec §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerHead {
    /// `Content-Type`; `None` if the body is not the upstream's own.
    pub content_type: Option<HeaderValue>,
    /// `X-Generation-Id`: OpenRouter's id of the answer.
    pub generation_id: Option<HeaderValue>,
}

impl AnswerHead {
    /// The part of `headers` that is passed on, without a value that echoes one of our keys.
    #[must_use]
    pub fn of(headers: &HeaderMap, redactor: &Redactor) -> Self {
        let value = |name| headers.get(name).and_then(|value| redactor.header(value));
        Self {
            content_type: value(CONTENT_TYPE),
            generation_id: value(HeaderName::from_static("x-generation-id")),
        }
    }
}

/// The answer for the client.
#[must_use]
pub fn answer(status: u16, headers: &HeaderMap, body: &Bytes, redactor: &Redactor) -> PassedAnswer {
    // Before anything is cut off: half a key would no longer be found.
    let body = redactor.error(without_heartbeat(body)).into_bytes();
    let body = without_account(&body);
    let mut head = AnswerHead::of(headers, redactor);
    let body = if is_error(&body) {
        body
    } else {
        head.content_type = None;
        wrapped(status, &without_account_in_words(&body))
    };
    let retry_after = headers.get(RETRY_AFTER);
    PassedAnswer {
        status,
        head,
        body: redactor.error(body),
        retry_after: retry_after.and_then(|value| redactor.header(value)),
    }
}

/// Whether it is JSON with an object `error`.
fn is_error(body: &[u8]) -> bool {
    let error = Raw::parse(body, json::MAX_DEPTH)
        .ok()
        .and_then(|body| body.get("error"));
    error.is_some_and(|error| error.kind() == Kind::Object)
}

/// The body without the account's id, if it is a JSON object that has one.
fn without_account(body: &Bytes) -> Bytes {
    cut(body, "user_id").unwrap_or_else(|| body.clone())
}

/// A text that is not a JSON object, or not quite, with what follows `user_id` redacted.
fn without_account_in_words(text: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"user_id";
    let mut clean = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, NAME) {
        let (before, behind) = rest.split_at(at + NAME.len());
        let between = |b: &u8| !b.is_ascii_alphanumeric() && *b != b'*';
        let value = behind
            .iter()
            .position(|b| !between(b))
            .unwrap_or(behind.len());
        let (between, behind) = behind.split_at(value);
        let in_id = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'*');
        let end = behind
            .iter()
            .position(|b| !in_id(b))
            .unwrap_or(behind.len());
        clean.extend_from_slice(before);
        clean.extend_from_slice(between);
        clean.extend_from_slice(b"***");
        rest = behind.get(end..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    clean
}

/// The object without the members of that name; `None` if there is none, or it is not an object.
fn cut(body: &Bytes, name: &str) -> Option<Bytes> {
    let mut members = Members::open(body, json::MAX_DEPTH).ok()??;
    let mut kept = Vec::new();
    let mut found = false;
    while let Some(member) = members.next().ok()? {
        if member.key == name {
            found = true;
        } else {
            kept.push(body.get(member.start..member.end)?);
        }
    }
    found.then(|| {
        [b"{".as_slice(), &kept.join(b",".as_slice()), b"}"]
            .concat()
            .into()
    })
}

/// One of our error objects around a text.
fn wrapped(status: u16, body: &[u8]) -> Bytes {
    let text = String::from_utf8_lossy(body);
    let message: String = text.trim().chars().take(LONGEST_TEXT).collect();
    let error = serde_json::json!({"error": {
        "message": message, "type": "upstream_error", "param": null, "code": format!("upstream_{status}"),
    }});
    error.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Secret;

    fn redactor(key: &str) -> Redactor {
        Redactor::new([Secret::new(key)])
    }

    #[test]
    fn s3_1_a_text_that_is_cut_off_holds_no_part_of_the_key() {
        let key = "sk-or-v1-0123456789";
        for before in 470..500 {
            let body = Bytes::from("x".repeat(before) + key);
            let answer = answer(400, &HeaderMap::new(), &body, &redactor(key));
            assert!(
                memchr::memmem::find(answer.body.bytes(), b"sk-").is_none(),
                "{before}: {:?}",
                answer.body.bytes()
            );
        }
    }

    #[test]
    fn s4_2_s3_1_what_the_client_gets_of_an_error() {
        let long = "x".repeat(600);
        let cut = format!(
            r#"{{"error":{{"message":"{}","type":"upstream_error","param":null,"code":"upstream_400"}}}}"#,
            "x".repeat(500)
        );
        #[rustfmt::skip]
        let rows = [
            (r#"{"error":{"message":"m", "code":400}}"#,                    r#"{"error":{"message":"m", "code":400}}"#),
            ("\n\n {\"error\":{}}",                                         r#"{"error":{}}"#),
            (r#"{"error":{"code":400},"user_id":"user_1"}"#,                r#"{"error":{"code":400}}"#),
            (r#"{"user_id":"user_1","error":{"n":1e5},"x":[1, 2]}"#,        r#"{"error":{"n":1e5},"x":[1, 2]}"#),
            (r#"{"error":{"message":"key sk-or-v1-0123456789 is bad"}}"#,   r#"{"error":{"message":"key *** is bad"}}"#),
            (r#"{"success":false,"error":{"name":"ZodError"}}"#,            r#"{"success":false,"error":{"name":"ZodError"}}"#),
            ("Bad <b>\"request\"</b>",                                      r#"{"error":{"message":"Bad <b>\"request\"</b>","type":"upstream_error","param":null,"code":"upstream_400"}}"#),
            (r#"{"error":"text","user_id":"user_1"}"#,                                         r#"{"error":{"message":"{\"error\":\"text\"}","type":"upstream_error","param":null,"code":"upstream_400"}}"#),
            (r#"{"error":{"message":"\u0073k-or\u002Dv1-0123456789\u002d"}}"#, r#"{"error":{"message":"***\u002d"}}"#),
            (r#"{"error":{"message":"x\\sk-or-v1-0123456789"}}"#,           r#"{"error":{"message":"x\\***"}}"#),
            (r#"{"error":{"message":"x\\u0073k-or-v1-0123456789"}}"#,      r#"{"error":{"message":"x\\u0073k-or-v1-0123456789"}}"#),
            ("\u{feff}{\"error\":{},\"user_id\":\"user_1\"}",                r#"{"error":{}}"#),
            (r#"{"error":{}, "user_id": "user_1"} trailing"#,               r#"{"error":{"message":"{\"error\":{}, \"user_id\": \"***\"} trailing","type":"upstream_error","param":null,"code":"upstream_400"}}"#),
            ("no JSON, user_id=user_1-b!",                                  r#"{"error":{"message":"no JSON, user_id=***!","type":"upstream_error","param":null,"code":"upstream_400"}}"#),
            ("sk-or-v1-0123456789",                                         r#"{"error":{"message":"***","type":"upstream_error","param":null,"code":"upstream_400"}}"#),
            ("",                                                            r#"{"error":{"message":"","type":"upstream_error","param":null,"code":"upstream_400"}}"#),
            (&long,                                                         &cut),
        ];
        for (body, expected) in rows {
            let body = Bytes::copy_from_slice(body.as_bytes());
            let answer = answer(
                400,
                &HeaderMap::new(),
                &body,
                &redactor("sk-or-v1-0123456789"),
            );
            assert_eq!(answer.body.bytes(), expected, "{body:?}");
        }
    }
}
