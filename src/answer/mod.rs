//! What an upstream's answer carries (spec §4.4): it is read, never rebuilt.
//!
//! Pure. A 200 is not a success until it has been read here.

mod as_stream;
mod by_itself;
mod mend;
mod passed;

use bytes::Bytes;

use crate::json::{self, Kind, Raw, Reader};
use crate::redact::{Redacted, Redactor};
use crate::request::Endpoint;

pub use as_stream::as_stream;
pub use mend::Mender;
pub use passed::{AnswerHead, PassedAnswer, answer as pass};

/// What one event of a stream, or a whole plain answer, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Something a client would use: content, reasoning, a tool call, a refusal, a finish reason.
    Useful {
        /// It has a finish reason.
        finished: bool,
    },
    /// The finish reason `stop`, and nothing else: the model had nothing to say.
    Stopped,
    /// Well-formed, but nothing a client would use: an empty delta, a usage chunk.
    Nothing,
    /// An error.
    Error(UpstreamError),
}

/// An error that came in the body of a 200.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamError {
    /// The status that its `code` means, if it is one.
    pub status: Option<u16>,
    message: Option<String>,
    /// An error body made from it, if it was in a choice and not on its own.
    pub body: Option<Bytes>,
}

/// Reads the payload of one event, or the body of a plain answer, of this endpoint.
///
/// # Errors
/// When it is not JSON.
pub fn read(body: &[u8], endpoint: Endpoint) -> Result<Said, json::Error> {
    read_counted(body, endpoint).map(|(said, _)| said)
}

/// No answer has more tokens: a larger number is not believed.
pub const MOST_TOKENS: u64 = 10_000_000;

/// The usage that an answer reports, as far as it is plausible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: Option<u64>,
    /// Tokens of the answer.
    pub completion: Option<u64>,
}

/// The same, together with its usage, if reported.
///
/// # Errors
/// As [`read`].
pub fn read_counted(body: &[u8], endpoint: Endpoint) -> Result<(Said, Usage), json::Error> {
    let mut reader = Reader::new(body, json::MAX_DEPTH)?;
    let mut error = None;
    let mut used = Usage::default();
    let mut choices = Choices::default();
    // A completion has one of these in every event.
    let mut is_completion = false;
    reader.object(|key, reader| match key {
        "error" => reader
            .value()
            .map(|value| error = UpstreamError::told(value)),
        "choices" => {
            is_completion = true;
            reader.array(|reader| choices.take(reader, endpoint.text()))
        }
        // Skipped, not examined: every byte is read once.
        "usage" => {
            is_completion = true;
            reader.object(|key, reader| {
                let value = reader.value()?;
                let tokens = || value.as_u64().filter(|tokens| *tokens <= MOST_TOKENS);
                match key {
                    "prompt_tokens" => used.prompt = tokens(),
                    "completion_tokens" => used.completion = tokens(),
                    _ => {}
                }
                Ok(())
            })
        }
        _ => reader.value().map(drop),
    })?;
    reader.end()?;
    let said = match error.or(choices.error) {
        Some(error) => Said::Error(error),
        None if choices.stopped && !choices.useful => Said::Stopped,
        None if choices.useful => Said::Useful {
            finished: choices.finished,
        },
        None if is_completion => Said::Nothing,
        None => UpstreamError::by_itself(body).map_or(Said::Nothing, Said::Error),
    };
    Ok((said, used))
}

/// Whether a finish reason says nothing on its own: the model is done, or wants tools called, which
/// it has to name.
#[must_use]
pub fn says_nothing(finish_reason: Raw<'_>) -> bool {
    ["\"stop\"", "\"tool_calls\"", "\"function_call\""].contains(&finish_reason.text())
}

/// What the choices say together.
#[derive(Default)]
struct Choices {
    useful: bool,
    finished: bool,
    /// One has a finish reason that says nothing on its own.
    stopped: bool,
    error: Option<UpstreamError>,
}

impl Choices {
    fn take(&mut self, reader: &mut Reader<'_>, text: Option<&str>) -> Result<(), json::Error> {
        reader.object(|key, reader| {
            match key {
                "delta" | "message" => return self.content(reader),
                "finish_reason" => self.finish(reader.value()?),
                "error" => {
                    let error = UpstreamError::told_by_choice(reader.value()?);
                    // The error itself says more than a finish reason.
                    if error.is_some() {
                        self.error = error;
                    }
                }
                key => {
                    let value = reader.value()?;
                    self.useful |= Some(key) == text && carries(value);
                }
            }
            Ok(())
        })
    }

    fn finish(&mut self, reason: Raw<'_>) {
        if reason.text() == "\"error\"" {
            self.error.get_or_insert_default();
        } else if reason.kind() == Kind::String && !reason.is_empty() {
            self.finished = true;
            if says_nothing(reason) {
                self.stopped = true;
            } else {
                self.useful = true;
            }
        }
    }

    /// A delta or a message carries something if any member but the role is neither empty nor
    /// null. Whatever a provider invents next counts as content.
    fn content(&mut self, reader: &mut Reader<'_>) -> Result<(), json::Error> {
        reader.object(|key, reader| {
            let value = reader.value()?;
            self.useful |= carries(value) && key != "role";
            Ok(())
        })
    }
}

fn carries(value: Raw<'_>) -> bool {
    match value.kind() {
        Kind::String | Kind::Array | Kind::Object => !value.is_empty(),
        Kind::Number | Kind::Bool | Kind::Null => false,
    }
}

impl UpstreamError {
    /// Its message, for the client. Never logged.
    #[must_use]
    pub fn message(&self, redactor: &Redactor) -> Option<Redacted> {
        self.message.as_deref().map(|text| redactor.message(text))
    }

    /// The error in an `error` member: some providers send `false` or nothing beside a good answer.
    #[must_use]
    pub fn told(error: Raw<'_>) -> Option<Self> {
        let none = matches!(error.text(), "null" | "false" | "0" | "\"\"");
        (!none).then(|| Self::read(error))
    }

    /// The same for one within a choice, which is an error body except for what surrounds it.
    #[must_use]
    pub fn told_by_choice(error: Raw<'_>) -> Option<Self> {
        let body = || ["{\"error\":", error.text(), "}"].concat().into();
        Self::told(error).map(|told| Self {
            body: Some(body()),
            ..told
        })
    }

    /// Reads an `error` member: an object with `code` and `message`, or just a string.
    #[must_use]
    pub fn read(error: Raw<'_>) -> Self {
        if let Some(message) = error.as_str() {
            return Self {
                message: Some(message.into_owned()),
                ..Self::default()
            };
        }
        let code = error.get("code");
        let number = code
            .and_then(Raw::as_u64)
            .or_else(|| code.and_then(Raw::as_str)?.parse().ok());
        Self {
            status: number
                .and_then(|n| u16::try_from(n).ok())
                .filter(|n| (400..600).contains(n)),
            message: error.get("message").and_then(Raw::as_str).map(Into::into),
            body: None,
        }
    }
}

/// The text without a byte order mark, which may be ignored (RFC 8259 §8.1).
#[must_use]
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The answer without the heartbeat before it: white space and `:` lines
/// (`docs/upstream.md` §2).
#[must_use]
pub fn without_heartbeat(body: &Bytes) -> Bytes {
    let mut rest = without_mark(body);
    loop {
        rest = rest.trim_ascii_start();
        if rest.first() != Some(&b':') {
            return body.slice_ref(rest);
        }
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        rest = rest.get(end..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(status: Option<u16>, message: Option<&str>) -> Said {
        Said::Error(UpstreamError {
            status,
            message: message.map(Into::into),
            body: None,
        })
    }

    fn within(json: &str, status: Option<u16>, message: &str) -> Said {
        Said::Error(UpstreamError {
            status,
            message: Some(message.into()),
            body: Some(Bytes::copy_from_slice(json.as_bytes())),
        })
    }

    #[test]
    fn s3_the_usage_says_how_many_tokens_an_answer_has() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"usage":{"prompt_tokens":9,"completion_tokens":42}}"#,           Some(42)),
            (r#"{"choices":[],"usage":{"completion_tokens":0}}"#,                 Some(0)),
            (r#"{"choices":[],"usage":null}"#,                                    None),
            (r#"{"usage":{"completion_tokens_details":{"x":7},"completion_tokens" : 42 }}"#, Some(42)),
            (r#"{"usage":{"completion_tokens":null}}"#,                           None),
            (r#"{"usage":{"completion_tokens":"42"}}"#,                           None),
            (r#"{"usage":{"completion_tokens":-1}}"#,                             None),
            (r#"{"usage":{"completion_tokens":18446744073709551615}}"#,           None),
            (r#"{"usage":[42]}"#,                                                 None),
            (r#"{"choices":[{"delta":{"usage":{"completion_tokens":42}}}]}"#,     None),
        ];
        for (body, expected) in rows {
            let (_, used) = read_counted(body.as_bytes(), Endpoint::Chat).unwrap();
            let tokens = used.completion;
            assert_eq!(tokens, expected, "{body}");
        }
    }

    #[test]
    fn s4_4_what_an_event_or_an_answer_says() {
        use Said::{Nothing, Stopped, Useful};
        const MORE: Said = Useful { finished: false };
        const END: Said = Useful { finished: true };
        #[rustfmt::skip]
        let rows = [
            (r#"{"choices":[{"delta":{"role":"assistant","content":"Hi"}}]}"#,                  MORE),
            (r#"{"choices":[{"delta":{"content":"","reasoning":"Hm"}}]}"#,                      MORE),
            (r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text"}]}}]}"#,    MORE),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#,                         MORE),
            (r#"{"choices":[{"delta":{"refusal":"No."}}]}"#,                                    MORE),
            (r#"{"choices":[{"delta":{"content":""},"finish_reason":"stop"}]}"#,                Stopped),
            (r#"{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[]},"finish_reason":"stop"}],"usage":{"completion_tokens":0}}"#, Stopped),
            (r#"{"choices":[{"message":{"content":"","tool_calls":[]},"finish_reason":"tool_calls"}]}"#, Stopped),
            (r#"{"choices":[{"delta":{},"finish_reason":"function_call"}]}"#,                   Stopped),
            (r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}"#,             END),
            (r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"},{"message":{"content":"x"},"finish_reason":"stop"}]}"#, END),
            (r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,                      Stopped),
            (r#"{"choices":[{"message":{"content":null},"finish_reason":"length"}]}"#,          END),
            (r#"{"choices":[{"message":{"content":"x"},"finish_reason":null}]}"#,               MORE),
            (r#"{"choices":[{"delta":{}},{"delta":{"content":"second"}}]}"#,                    MORE),
            (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,                    Nothing),
            (r#"{"choices":[{"delta":{"role":"assistant","content":"","refusal":null,"tool_calls":[]}}]}"#, Nothing),
            (r#"{"choices":[{"finish_reason":"","message":{"content":""}}]}"#,                  Nothing),
            (r#"{"choices":[],"usage":{"total_tokens":3}}"#,                                    Nothing),
            (r#"{"usage":{}}"#,                                                                 Nothing),
            (r#"{"error":null,"choices":[]}"#,                                                  Nothing),
            (r#"[1]"#,                                                                          Nothing),
            (r#"{"error":false,"choices":[{"delta":{"content":"Hi"}}]}"#,                       MORE),
            (r#"{"error":"","choices":[{"error":0,"delta":{"content":"Hi"}}]}"#,                MORE),
            (r#"{"error":true,"choices":[{"delta":{"content":"Hi"}}]}"#,                        error(None, None)),
            (r#"{"error":{}}"#,                                                                 error(None, None)),
            (r#"{"error":{"code":429,"message":"Slow"}}"#,                                      error(Some(429), Some("Slow"))),
            (r#"{"error":{"code":"502","message":"x"},"choices":[{"delta":{"content":"y"}}]}"#, error(Some(502), Some("x"))),
            (r#"{"error":{"code":"server_error","message":"x"}}"#,                              error(None, Some("x"))),
            (r#"{"error":{"code":200}}"#,                                                       error(None, None)),
            (r#"{"error":"boom"}"#,                                                             error(None, Some("boom"))),
            (r#"{"choices":[{"message":{"content":"half"},"finish_reason":"error","error":{"code":502,"message":"z"}}]}"#,
                within(r#"{"error":{"code":502,"message":"z"}}"#, Some(502), "z")),
            (r#"{"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,               error(None, None)),
        ];
        for (body, expected) in rows {
            assert_eq!(
                read(body.as_bytes(), Endpoint::Chat).unwrap(),
                expected,
                "{body}"
            );
        }
        assert!(read(b"<html>", Endpoint::Chat).is_err());
        assert!(read(b"", Endpoint::Chat).is_err());
    }

    #[test]
    fn s4_4_a_bare_text_is_an_answer_only_on_the_legacy_endpoint() {
        use Said::{Nothing, Useful};
        const MORE: Said = Useful { finished: false };
        #[rustfmt::skip]
        let rows = [
            (r#"{"choices":[{"text":"Hi","index":0}]}"#,                Nothing, MORE),
            (r#"{"choices":[{"text":"","index":0}]}"#,                  Nothing, Nothing),
            (r#"{"choices":[{"text":null,"finish_reason":null}]}"#,     Nothing, Nothing),
            (r#"{"choices":[{"text":"","finish_reason":"stop"}]}"#,     Said::Stopped, Said::Stopped),
        ];
        for (body, chat, legacy) in rows {
            assert_eq!(
                read(body.as_bytes(), Endpoint::Chat).unwrap(),
                chat,
                "{body}"
            );
            assert_eq!(
                read(body.as_bytes(), Endpoint::Completions).unwrap(),
                legacy,
                "{body}"
            );
        }
    }

    #[test]
    fn s4_4_a_heartbeat_is_not_an_answer() {
        #[rustfmt::skip]
        let rows = [
            ("{}",                                      "{}"),
            ("\n\n \r\n{}",                             "{}"),
            (": OPENROUTER PROCESSING\n\n\n{\"a\":1}\n", "{\"a\":1}\n"),
            (": a\r\n: b\r\n{}",                        "{}"),
            (": only",                                  ""),
            ("\u{feff}{}",                              "{}"),
            ("\u{feff}\n: a\n{}",                       "{}"),
            ("   ",                                     ""),
            ("",                                        ""),
        ];
        for (body, expected) in rows {
            assert_eq!(
                without_heartbeat(&Bytes::from_static(body.as_bytes())),
                expected,
                "{body:?}"
            );
        }
    }
}
