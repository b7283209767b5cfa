//! Which field an error answer refuses: only if it says that the *name* is unknown or unsupported,
//! never if it complains about the value (spec §10.6).
//!
//! Pure. A name is looked for in the answer's own members and at the beginning of its message:
//! anything further in may be the client's words.

use std::fmt;

use crate::json::{self, Kind, Raw};

/// Without one of these a request would have another meaning, or ask for another kind of answer: no
/// refusal removes them.
const PROTECTED: [&str; 13] = [
    "messages",
    "prompt",
    "model",
    "stream",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "tools",
    "tool_choice",
    "response_format",
    "n",
];

/// The maximum length of a learnt name in bytes: the longest of today's has 21.
const LONGEST: usize = 32;

/// The name of a field that may be left out: 1 to 32 of `A-Za-z0-9_`, and not one of those that are
/// essential to a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldName {
    text: [u8; LONGEST],
    len: u8,
}

impl FieldName {
    /// Accepts a name, if it is one.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        if name.is_empty() || !name.bytes().all(in_name) || PROTECTED.contains(&name) {
            return None;
        }
        let mut text = [0; LONGEST];
        text.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        let len = u8::try_from(name.len()).ok()?;
        Some(Self { text, len })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let name = self.text.get(..usize::from(self.len)).unwrap_or_default();
        // It was made from a string.
        std::str::from_utf8(name).unwrap_or_default()
    }
}

impl fmt::Debug for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldName({})", self.as_str())
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The first name that the answer refuses and that `known` recognises, as returned by `known`.
pub(super) fn refused_field<T>(
    status: u16,
    body: &[u8],
    known: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    if !matches!(status, 400 | 422) {
        return None;
    }
    let Ok(body) = Raw::parse(body, json::MAX_DEPTH) else {
        return in_text(std::str::from_utf8(body).ok()?, &known);
    };
    // Google wraps an error in a list of one.
    let body = body.elements().next().unwrap_or(body);
    let [error, errors] = body.pick(["error", "errors"]);
    let first = errors.and_then(|errors| errors.elements().next());
    let places = [error, first, Some(body)];
    places
        .into_iter()
        .flatten()
        .find_map(|place| in_place(place, &known))
}

/// Reads an error object, or a string instead of one.
fn in_place<T>(place: Raw<'_>, known: &impl Fn(&str) -> Option<T>) -> Option<T> {
    if let Some(text) = place.as_str() {
        return in_text(&text, known);
    }
    let [code, param, message, detail] = place.pick(["code", "param", "message", "detail"]);
    let code = code.and_then(Raw::as_str);
    if let Some("unknown_parameter" | "unsupported_parameter") = code.as_deref() {
        return param.and_then(Raw::as_str).and_then(|name| known(&name));
    }
    [message, detail]
        .into_iter()
        .flatten()
        .find_map(|said| match said.kind() {
            Kind::String => in_text(&said.as_str()?, known),
            Kind::Array => in_list(said, known),
            Kind::Object => in_list(said.get("detail")?, known),
            Kind::Number | Kind::Bool | Kind::Null => None,
        })
}

/// Reads pydantic's list of errors, each with its location.
fn in_list<T>(list: Raw<'_>, known: &impl Fn(&str) -> Option<T>) -> Option<T> {
    list.elements().find_map(|fault| {
        let [kind, place] = fault.pick(["type", "loc"]);
        let kind = kind.and_then(Raw::as_str);
        kind.filter(|kind| kind == "extra_forbidden" || kind == "value_error.extra")?;
        let mut place = place?.elements().filter_map(Raw::as_str).peekable();
        place.next_if(|step| step == "body");
        let name = place.next()?;
        // Anything deeper is not a top-level field.
        place.next().is_none().then(|| known(&name))?
    })
}

/// What may precede the sentence.
const LEADS: [&str; 6] = [
    "invalid request: ",
    "bad request: ",
    "error: ",
    "json: ",
    "invalid json payload received. ",
    "failed to deserialize the json body into the target type: ",
];

/// What precedes the name, and what follows it.
const SENTENCES: [(&str, &str); 20] = [
    ("unrecognized request argument supplied: ", ""),
    ("unrecognized request arguments supplied: ", ""),
    ("unknown parameter: ", ""),
    ("unsupported parameter: ", ""),
    ("unsupported parameters: ", ""),
    ("unsupported parameter(s): ", ""),
    ("argument not supported on this model: ", ""),
    ("unknown name ", ": cannot find field"),
    ("unknown field: parameter ", " is not a valid field"),
    ("unknown field ", ""),
    ("", ": unknown field "),
    ("property ", " is unsupported"),
    ("parameter ", " is not supported"),
    ("the parameter ", " is not supported"),
    ("additional properties are not allowed (", " was unexpected"),
    ("extra inputs are not permitted, field: ", ""),
    ("", ": extra inputs are not permitted"),
    // Pydantic's list as printed by Python.
    ("[{'type': 'extra_forbidden', 'loc': ('body', ", "),"),
    ("", " is not supported with this model"),
    ("", " is not supported by this model"),
];

/// Reads the beginning of a message.
fn in_text<T>(text: &str, known: &impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut text = text.trim_start();
    while let Some(rest) = LEADS.iter().find_map(|lead| behind(text, lead)) {
        text = rest;
    }
    if let Some(name) = in_report(text) {
        return known(name);
    }
    SENTENCES.iter().find_map(|(before, after)| {
        let mut rest = behind(text, before)?;
        loop {
            let (name, behind_name) = name(rest)?;
            behind(behind_name, after)?;
            if let Some(known) = known(name) {
                return Some(known);
            }
            // Some name several at once.
            rest = behind_name
                .strip_prefix(", ")
                .filter(|_| after.is_empty())?;
        }
    })
}

/// The name in pydantic's line-based report: `1 validation error for X`, the name, what is wrong
/// with it.
fn in_report(text: &str) -> Option<&str> {
    let mut lines = text.lines();
    let head = lines
        .next()?
        .trim_start_matches(|c: char| c.is_ascii_digit());
    head.strip_prefix(" validation error")?;
    let name = lines.next()?;
    behind(lines.next()?.trim_start(), "extra inputs are not permitted")?;
    Some(name)
}

/// What follows a prefix, ignoring case.
fn behind<'t>(text: &'t str, beginning: &str) -> Option<&'t str> {
    let found = text.get(..beginning.len())?;
    found
        .eq_ignore_ascii_case(beginning)
        .then(|| text.get(beginning.len()..))?
}

/// The name at the beginning of a text, without its quotes, and what follows; `None` if it is the
/// beginning of a path.
fn name(text: &str) -> Option<(&str, &str)> {
    let quote = text
        .chars()
        .next()
        .filter(|c| matches!(c, '\'' | '"' | '`'));
    let text = quote.map_or(text, |_| text.get(1..).unwrap_or_default());
    let len = text.bytes().take_while(|b| in_name(*b)).count();
    let (name, rest) = text.split_at_checked(len)?;
    let rest = quote.map_or(Some(rest), |quote| rest.strip_prefix(quote))?;
    let mut next = rest.chars();
    let is_path = match next.next() {
        Some('[') => true,
        Some('.') => next.next().is_some_and(|c| c.is_ascii_alphanumeric()),
        _ => false,
    };
    (len > 0 && !is_path).then_some((name, rest))
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, body: &str) -> Option<String> {
        let asked = [
            "service_tier",
            "seed",
            "min_p",
            "logprobs",
            "reasoning_effort",
            "top_k",
            "stop",
            "n",
            "temperature",
            "messages",
        ];
        let known = |name: &str| {
            asked
                .contains(&name)
                .then(|| FieldName::new(name))
                .flatten()
        };
        refused_field(status, body.as_bytes(), known).map(|name| name.to_string())
    }

    #[test]
    fn s10_6_a_refused_name_is_learnt() {
        #[rustfmt::skip]
        let rows = [
            (400, r#"{"error":{"message":"Unrecognized request argument supplied: service_tier","type":"invalid_request_error","param":null,"code":null}}"#, "service_tier"),
            (400, r#"{"error":{"message":"Unrecognized request arguments supplied: store, seed","type":"invalid_request_error"}}"#, "seed"),
            (400, r#"{"error":{"message":"Unknown parameter: 'min_p'.","type":"invalid_request_error","param":"min_p","code":"unknown_parameter"}}"#, "min_p"),
            (400, r#"{"error":{"message":"Unsupported parameter: 'logprobs' is not supported with this model.","param":"logprobs","code":"unsupported_parameter"}}"#, "logprobs"),
            (400, r#"{"error":{"message":"whatever it says","param":"seed","code":"unsupported_parameter"}}"#, "seed"),
            (400, r#"{"error":{"message":"property 'service_tier' is unsupported","type":"invalid_request_error"}}"#, "service_tier"),
            (400, r#"{"error":{"message":"property 'seed' is unsupported, did you mean 'random_seed'?","type":"invalid_request_error"}}"#, "seed"),
            (400, r#"{"error":{"message":"`reasoning_effort` is not supported with this model","type":"invalid_request_error"}}"#, "reasoning_effort"),
            (400, r#"{"message":"property 'service_tier' is unsupported","type":"invalid_request_error","param":"service_tier","code":"wrong_api_format"}"#, "service_tier"),
            (400, r#"[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"min_p\": Cannot find field.","status":"INVALID_ARGUMENT"}}]"#, "min_p"),
            (422, r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","top_k"],"msg":"Extra inputs are not permitted","input":5}]},"type":"invalid_request_error","param":null,"code":null}"#, "top_k"),
            (422, r#"{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted","input":7}]}"#, "seed"),
            (422, r#"{"detail":[{"loc":["min_p"],"msg":"extra fields not permitted","type":"value_error.extra"}]}"#, "min_p"),
            (422, r#"{"detail":[{"type":"int_parsing","loc":["body","seed"]},{"type":"extra_forbidden","loc":["body","top_k"]}]}"#, "top_k"),
            (400, r#"{"error":{"message":"1 validation error for ChatCompletionRequest\nmin_p\n  Extra inputs are not permitted [type=extra_forbidden, input_value=0.1, input_type=float]"}}"#, "min_p"),
            (400, r#"{"object":"error","message":"[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs are not permitted', 'input': 1}]","code":400}"#, "seed"),
            (400, r#"{"error":{"message":"Extra inputs are not permitted, field: 'top_k', value: 5"}}"#, "top_k"),
            (400, r#"{"error":{"message":"top_k: Extra inputs are not permitted"}}"#, "top_k"),
            (422, "Failed to deserialize the JSON body into the target type: min_p: unknown field `min_p`, expected one of `model`, `messages`", "min_p"),
            (400, r#"{"error":"json: unknown field \"seed\""}"#, "seed"),
            (400, r#"{"message":"invalid request: unknown field: parameter 'top_k' is not a valid field"}"#, "top_k"),
            (400, r#"{"errors":[{"code":5006,"message":"Additional properties are not allowed ('min_p' was unexpected)"}]}"#, "min_p"),
            (400, r#""Unrecognized request argument supplied: seed""#, "seed"),
        ];
        for (status, body, expected) in rows {
            assert_eq!(told(status, body).as_deref(), Some(expected), "{body}");
        }
    }

    #[test]
    fn s10_6_a_value_a_quote_or_a_protected_name_teaches_nothing() {
        #[rustfmt::skip]
        let rows = [
            // Another status.
            (404, r#"{"error":{"message":"Unrecognized request argument supplied: service_tier"}}"#),
            (429, r#"{"error":{"message":"property 'seed' is unsupported"}}"#),
            // The value is at fault.
            (400, r#"{"error":{"message":"Unsupported value: 'seed' does not support -1 with this model.","param":"seed","code":"unsupported_value"}}"#),
            (400, r#"{"error":{"message":"Invalid value: 'flex'. Supported values are: 'auto'.","param":"service_tier","code":"invalid_value"}}"#),
            (400, r#"{"error":{"message":"'seed' : value must be an integer","type":"invalid_request_error"}}"#),
            (400, r#"{"error":{"message":"seed must be at least 0","param":"seed"}}"#),
            (422, r#"{"detail":[{"type":"int_parsing","loc":["body","seed"],"msg":"Input should be a valid integer"}]}"#),
            (400, r#"[{"error":{"code":400,"message":"Invalid value at 'seed' (TYPE_INT32), \"x\"","status":"INVALID_ARGUMENT"}}]"#),
            // A quotation of the client's own words.
            (400, r#"{"error":{"message":"Your prompt was flagged: \"Unrecognized request argument supplied: seed\""}}"#),
            (400, r#"{"error":{"message":"invalid message content 'property 'seed' is unsupported'"}}"#),
            (400, r#"{"error":{"message":"bad","failed_generation":"Unknown parameter: 'seed'"}}"#),
            (400, r#"{"error":{"message":"bad"},"echo":{"detail":[{"type":"extra_forbidden","loc":["body","seed"]}]}}"#),
            // Not at the top level, or not in the request.
            (400, r#"{"error":{"message":"Unknown parameter: 'messages[0].name'."}}"#),
            (400, r#"{"error":{"message":"Unknown parameter: 'seed.x'."}}"#),
            (400, r#"{"error":{"message":"'messages.0' : for 'role:user' the following must be satisfied[('messages.0' : property 'seed' is unsupported)]"}}"#),
            (400, r#"[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"seed\" at 'tools[0].function': Cannot find field."}}]"#),
            (422, r#"{"detail":[{"type":"extra_forbidden","loc":["body","messages",0,"seed"]}]}"#),
            (400, r#"{"error":{"message":"Unrecognized request argument supplied: store"}}"#),
            (400, r#"{"error":{"message":"Unrecognized request argument supplied: seeds"}}"#),
            // Protected.
            (400, r#"{"error":{"message":"property 'stop' is unsupported"}}"#),
            (400, r#"{"error":{"message":"Unrecognized request argument supplied: n"}}"#),
            (400, r#"{"error":{"message":"Unsupported parameter: 'temperature' is not supported with this model.","param":"temperature","code":"unsupported_parameter"}}"#),
            (422, r#"{"detail":[{"type":"extra_forbidden","loc":["body","messages"]}]}"#),
            // Nothing at all.
            (400, ""), (400, "{}"), (400, "null"), (400, "[]"), (400, r#"{"error":{"message":"Unknown parameter: "}}"#),
            (400, r#"{"error":{"message":"Unknown parameter: '"}}"#), (400, r#"{"error":{"message":7,"detail":{}}}"#),
        ];
        for (status, body) in rows {
            assert_eq!(told(status, body), None, "{body}");
        }
    }

    #[test]
    fn s10_6_what_the_name_of_a_field_may_be() {
        let (longest, long) = ("x".repeat(32), "x".repeat(33));
        #[rustfmt::skip]
        let rows = [
            ("service_tier", true), ("top_k", true), (longest.as_str(), true),
            ("", false), (long.as_str(), false), ("a b", false), ("a\r\nb", false), ("é", false),
            ("model", false), ("messages", false), ("max_completion_tokens", false),
        ];
        for (name, fits) in rows {
            let made = FieldName::new(name);
            assert_eq!(
                made.map(|made| made.to_string()),
                fits.then(|| name.to_owned())
            );
        }
    }
}
