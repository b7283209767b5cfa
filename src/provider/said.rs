//! What an error body says, whichever shape it has (reference §6.1).
//!
//! Pure. Everything in it comes from the provider, and may quote the request: a *mark* is read from
//! its field, a message only as far as its rule allows. Nothing here decides what it means.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::answer::without_mark;
use crate::json::{self, Kind, Raw};

/// How much of a message is examined, in bytes.
const LONGEST_MESSAGE: usize = 4096;
/// How much of a body is searched for a row's words, in bytes.
const LONGEST_BODY: usize = 64 * 1024;
/// A mark is a word, not a text.
const LONGEST_MARK: usize = 80;
/// How many elements of a list in an error are examined.
pub(super) const MOST_ELEMENTS: usize = 16;

/// An error body: an object, an array with one, a bare string, a text or a page.
pub(super) struct ErrorSaid<'a> {
    /// The object.
    pub(super) root: Option<Raw<'a>>,
    /// Its `error`, if that is an object.
    pub(super) error: Option<Raw<'a>>,
    /// The message in lower case.
    pub(super) message: String,
    /// Codes, types, reasons, in lower case.
    marks: Vec<String>,
    /// It is JSON.
    pub(super) is_json: bool,
    body: &'a [u8],
    lower: OnceCell<String>,
}

impl<'a> ErrorSaid<'a> {
    /// Reads a body; every body says something, if only as text.
    pub(super) fn read(body: &'a [u8]) -> Self {
        let body = without_mark(body);
        let json = Raw::parse(body, json::MAX_DEPTH).ok();
        let root = json.and_then(|json| match json.kind() {
            Kind::Object => Some(json),
            Kind::Array => json.elements().next().filter(|e| e.kind() == Kind::Object),
            Kind::String | Kind::Number | Kind::Bool | Kind::Null => None,
        });
        let told = root.map(Members::of).unwrap_or_default();
        let text = match (json, root) {
            (Some(_), Some(_)) => told.message(),
            (Some(json), None) => json.as_str(),
            (None, _) => Some(String::from_utf8_lossy(up_to(body, LONGEST_MESSAGE))),
        };
        let text = text.unwrap_or_default();
        let text = text.trim();
        Self {
            root,
            error: told.error.filter(|error| error.kind() == Kind::Object),
            message: shortened(text, LONGEST_MESSAGE).to_lowercase(),
            marks: told.marks(),
            is_json: json.is_some(),
            body,
            lower: OnceCell::new(),
        }
    }

    /// Whether one of its codes, types or reasons is this word.
    pub(super) fn is_marked(&self, word: &str) -> bool {
        self.marks
            .iter()
            .any(|mark| mark.eq_ignore_ascii_case(word))
    }

    /// Whether one of them is among these.
    pub(super) fn is_any_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_marked(word))
    }

    /// Whether the message begins like this; `words` are in lower case.
    pub(super) fn begins(&self, words: &str) -> bool {
        self.message.starts_with(words)
    }

    /// Whether the message, or the raw body, contains these words anywhere, in any case.
    pub(super) fn has_anywhere(&self, words: &str) -> bool {
        let words = words.to_lowercase();
        let lower = || {
            let text = String::from_utf8_lossy(up_to(self.body, LONGEST_BODY));
            text.to_lowercase()
        };
        self.message.contains(&words) || self.lower.get_or_init(lower).contains(&words)
    }

    /// The HTTP status that it names.
    pub(super) fn status(&self) -> Option<u16> {
        let of = |object: Option<Raw<'_>>| {
            let [code, status, number] = object?.pick(["code", "status", "raw_status_code"]);
            [code, status, number]
                .into_iter()
                .flatten()
                .find_map(status_of)
        };
        of(self.error).or_else(|| of(self.root))
    }

    /// The elements of `error.details`, Google's place for machine-readable details.
    pub(super) fn details(&self) -> impl Iterator<Item = Raw<'a>> + use<'a> {
        let details = self.error.and_then(|error| error.get("details"));
        details
            .into_iter()
            .flat_map(Raw::elements)
            .take(MOST_ELEMENTS)
    }
}

/// A number that is an error's status, or a string of its digits.
fn status_of(value: Raw<'_>) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(number)
        .ok()
        .filter(|n| (400..600).contains(n))
}

/// The relevant members of an error's object.
#[derive(Clone, Copy, Default)]
struct Members<'a> {
    error: Option<Raw<'a>>,
    message: Option<Raw<'a>>,
    detail: Option<Raw<'a>>,
    title: Option<Raw<'a>>,
    errors: Option<Raw<'a>>,
    code: Option<Raw<'a>>,
    kind: Option<Raw<'a>>,
    error_type: Option<Raw<'a>>,
}

impl<'a> Members<'a> {
    fn of(root: Raw<'a>) -> Self {
        let [
            error,
            message,
            detail,
            title,
            errors,
            code,
            kind,
            error_type,
        ] = root.pick([
            "error",
            "message",
            "detail",
            "title",
            "errors",
            "code",
            "type",
            "error_type",
        ]);
        Self {
            error,
            message,
            detail,
            title,
            errors,
            code,
            kind,
            error_type,
        }
    }

    fn message(&self) -> Option<Cow<'a, str>> {
        let text = |value: Option<Raw<'a>>| value.and_then(Raw::as_str).filter(|t| !t.is_empty());
        let of = |object: Option<Raw<'a>>, key| text(object.and_then(|object| object.get(key)));
        let first = |list: Option<Raw<'a>>| list.and_then(|list| list.elements().next());
        of(self.error, "message")
            .or_else(|| text(self.message))
            .or_else(|| text(self.detail))
            .or_else(|| of(first(self.detail), "msg"))
            .or_else(|| text(self.title))
            .or_else(|| text(self.error))
            .or_else(|| of(first(self.errors), "message"))
    }

    fn marks(&self) -> Vec<String> {
        let of = |object: Option<Raw<'a>>| {
            let picked =
                object.map(|o| o.pick(["code", "status", "type", "error_type", "details"]));
            picked.unwrap_or_default()
        };
        let [code, status, kind, error_type, details] = of(self.error);
        let elements = |list: Option<Raw<'a>>, key: &'static str| {
            let elements = list.into_iter().flat_map(Raw::elements).take(MOST_ELEMENTS);
            elements.map(move |element| element.get(key))
        };
        [
            code,
            status,
            kind,
            error_type,
            self.code,
            self.kind,
            self.error_type,
        ]
        .into_iter()
        .chain(elements(self.errors, "code"))
        .chain(elements(details, "reason"))
        .flatten()
        .filter_map(mark)
        .collect()
    }
}

/// A word or a number, in lower case.
fn mark(value: Raw<'_>) -> Option<String> {
    let text = match value.kind() {
        Kind::String => value.as_str()?,
        Kind::Number => value.text().into(),
        Kind::Object | Kind::Array | Kind::Bool | Kind::Null => return None,
    };
    let fits = (1..=LONGEST_MARK).contains(&text.len());
    fits.then(|| text.trim().to_lowercase())
}

fn up_to(bytes: &[u8], longest: usize) -> &[u8] {
    bytes.get(..longest).unwrap_or(bytes)
}

/// The beginning of a text, cut between characters.
fn shortened(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_every_shape_of_an_error_is_read() {
        #[rustfmt::skip]
        let rows: &[(&str, &str, &[&str], Option<u16>)] = &[
            // body                                                             message      marks                       status
            (r#"{"error":{"message":"Slow","code":429}}"#,                      "slow",      &["429"],                   Some(429)),
            (r#"[{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
                                                                                "bad",       &["400", "invalid_argument", "api_key_invalid"], Some(400)),
            (r#"{"message":"No","type":"x","code":"1300","raw_status_code":429}"#, "no",     &["1300", "x"],             Some(429)),
            (r#"{"detail":"Unauthorized"}"#,                                    "unauthorized", &[],                     None),
            (r#"{"detail":[{"msg":"field required"}]}"#,                        "field required", &[],                   None),
            (r#"{"status":429,"title":"Too Many Requests"}"#,                   "too many requests", &[],                Some(429)),
            (r#"{"error":"Rate limit exceeded","error_type":"rate_limit_exceeded"}"#, "rate limit exceeded", &["rate_limit_exceeded"], None),
            (r#"{"error":"Rate","message":"Free model usage"}"#,                "free model usage", &[],                 None),
            (r#"{"success":false,"errors":[{"code":4006,"message":"used up"}]}"#, "used up", &["4006"],                  None),
            (r#""you (a) have reached""#,                                       "you (a) have reached", &[],             None),
            ("ResourceExhausted: Worker",                                       "resourceexhausted: worker", &[],        None),
            ("<html>502</html>",                                                "<html>502</html>", &[],                 None),
            (r#"{"error":{"code":"1302","message":"High"}}"#,                   "high",      &["1302"],                  None),
            (r#"{"error":{"code":[1],"message":{"a":1},"type":null}}"#,         "",          &[],                        None),
            ("[]",                                                              "",          &[],                        None),
            ("[[{}]]",                                                          "",          &[],                        None),
            ("7",                                                               "",          &[],                        None),
            ("",                                                                "",          &[],                        None),
            ("\u{feff}{\"message\":\" M \"}",                                   "m",         &[],                        None),
        ];
        for (body, message, marks, status) in rows {
            let said = ErrorSaid::read(body.as_bytes());
            assert_eq!(said.message, *message, "{body}");
            assert_eq!(said.marks, *marks, "{body}");
            assert_eq!(said.status(), *status, "{body}");
        }
    }

    #[test]
    fn s10_4_only_a_limited_part_of_an_error_is_read() {
        let long = "é".repeat(LONGEST_MESSAGE);
        let said = ErrorSaid::read(long.as_bytes());
        assert!(said.message.len() <= LONGEST_MESSAGE + 4);
        let body =
            serde_json::json!({"error": {"message": long, "code": "x".repeat(81)}}).to_string();
        let said = ErrorSaid::read(body.as_bytes());
        assert_eq!((said.message.len(), said.marks.len()), (LONGEST_MESSAGE, 0));
    }
}
