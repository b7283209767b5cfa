//! What the answer needs to know of the request, and the `response` object it is answered with.

use crate::json::{Kind, Raw, write};
use crate::surface::chat::{Finish, Usage};

/// What is kept of a request until it is answered. It holds nothing of the prompt.
#[derive(Clone, Debug)]
pub struct Reply {
    echo: Vec<u8>,
    special: Vec<Special>,
    /// Reasoning is also sent sealed, so that the client can send it back.
    pub(super) encrypted: bool,
}

/// A tool that is not a plain function to the client. All strings are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Special {
    /// Its name upstream.
    pub(super) joined: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) form: Form,
}

/// What kind of tool it is to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With arguments according to its schema.
    Function,
    /// With one text.
    Freeform,
    /// The search for tools, which the client performs.
    Search,
}

/// The settings that a `response` echoes.
#[derive(Debug, Default)]
pub(super) struct Echo {
    given: Vec<(&'static str, String)>,
}

/// Anything larger (a schema) is not echoed: it would be held for as long as the answer takes.
const MAX_ECHO: usize = 1_024;

/// What a `response` contains where the request said nothing, in the order of OpenAI's
/// documentation. `tools` and `instructions` are never echoed: an agent's are tens of kilobytes.
const DEFAULTS: [(&str, &str); 16] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("service_tier", r#""default""#),
    ("store", "false"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
];

impl Echo {
    pub(super) fn add(&mut self, name: &'static str, value: Option<Raw<'_>>) {
        if let Some(value) = value.filter(|value| value.text().len() <= MAX_ECHO) {
            self.given.push((name, value.text().to_owned()));
        }
    }

    /// Adds an object that may have been given in part: what is missing gets its default.
    pub(super) fn add_object(
        &mut self,
        name: &'static str,
        value: Option<Raw<'_>>,
        defaults: &[(&str, &str)],
    ) {
        let Some(value) = value.filter(|value| value.kind() == Kind::Object) else {
            return;
        };
        let mut whole = b"{".to_vec();
        let mut member = |name: &str, value: &str| {
            if whole.len() > 1 {
                whole.push(b',');
            }
            write::string(&mut whole, name);
            whole.push(b':');
            whole.extend_from_slice(value.as_bytes());
        };
        for (name, default) in defaults {
            member(name, value.get(name).map_or(*default, Raw::text));
        }
        let is_default = |name: &str| defaults.iter().any(|(known, _)| *known == name);
        for (name, value) in value.members().filter(|(name, _)| !is_default(name)) {
            member(&name, value.text());
        }
        whole.push(b'}');
        // It was built from strings.
        let whole = String::from_utf8(whole).unwrap_or_default();
        if whole.len() <= MAX_ECHO {
            self.given.push((name, whole));
        }
    }

    pub(super) fn tool_choice(&mut self, choice: Option<Raw<'_>>) {
        self.add("tool_choice", choice);
    }

    fn members(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, default) in DEFAULTS {
            let given = self.given.iter().find(|(given, _)| *given == name);
            out.push(b',');
            write::string(&mut out, name);
            out.push(b':');
            out.extend_from_slice(given.map_or(default, |(_, value)| value).as_bytes());
        }
        out
    }
}

impl Reply {
    pub(super) fn new(echo: Echo, special: Vec<Special>, encrypted: bool) -> Self {
        Self {
            echo: echo.members(),
            special,
            encrypted,
        }
    }

    /// The tool of that name, if it is not a plain function.
    pub(super) fn special(&self, joined: &str) -> Option<&Special> {
        self.special.iter().find(|tool| tool.joined == joined)
    }
}

/// How far a response has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status<'a> {
    InProgress,
    Ended(Finish),
    /// With a code and a message, both plain text.
    Failed(&'a str, &'a str),
}

/// The `response` object.
pub(super) struct Response<'a> {
    pub(super) id: &'a str,
    pub(super) created: u64,
    /// Escaped.
    pub(super) model: &'a str,
    pub(super) status: Status<'a>,
    /// The finished items.
    pub(super) output: &'a [Vec<u8>],
    pub(super) usage: Option<Usage>,
}

impl Response<'_> {
    pub(super) fn write(&self, reply: &Reply, out: &mut Vec<u8>) {
        let (status, incomplete) = match self.status {
            Status::InProgress => ("in_progress", None),
            Status::Ended(Finish::Done) => ("completed", None),
            Status::Ended(Finish::Length) => ("incomplete", Some("max_output_tokens")),
            Status::Ended(Finish::Filtered) => ("incomplete", Some("content_filter")),
            Status::Failed(..) => ("failed", None),
        };
        let piece = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
        piece(out, r#"{"id":"resp_"#);
        piece(out, self.id);
        piece(out, r#"","object":"response","created_at":"#);
        write::number(out, self.created);
        piece(out, r#","status":""#);
        piece(out, status);
        piece(out, r#"","background":false,"error":"#);
        if let Status::Failed(code, message) = self.status {
            piece(out, r#"{"code":"#);
            write::string(out, code);
            piece(out, r#","message":"#);
            write::string(out, message);
            piece(out, "}");
        } else {
            piece(out, "null");
        }
        piece(out, r#","incomplete_details":"#);
        match incomplete {
            Some(reason) => {
                piece(out, r#"{"reason":""#);
                piece(out, reason);
                piece(out, r#""}"#);
            }
            None => piece(out, "null"),
        }
        piece(out, r#","model":""#);
        piece(out, self.model);
        piece(out, r#"","output":["#);
        // An item that was still open when the response failed is not part of it.
        let items = self.output.iter().filter(|item| !item.is_empty());
        for (n, item) in items.enumerate() {
            if n > 0 {
                piece(out, ",");
            }
            out.extend_from_slice(item);
        }
        piece(out, r#"],"usage":"#);
        match self.usage {
            Some(usage) => write_usage(usage, out),
            None => piece(out, "null"),
        }
        out.extend_from_slice(&reply.echo);
        piece(out, "}");
    }
}

fn write_usage(usage: Usage, out: &mut Vec<u8>) {
    for (name, count) in [
        (r#"{"input_tokens":"#, usage.prompt),
        (r#","input_tokens_details":{"cached_tokens":"#, usage.cached),
        (r#"},"output_tokens":"#, usage.completion),
        (
            r#","output_tokens_details":{"reasoning_tokens":"#,
            usage.reasoning,
        ),
        (r#"},"total_tokens":"#, usage.total),
    ] {
        out.extend_from_slice(name.as_bytes());
        write::number(out, count);
    }
    out.push(b'}');
}
