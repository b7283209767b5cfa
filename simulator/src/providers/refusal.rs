//! What a provider refuses in a request, as data: which field, in which state, and the answer.

use serde::Deserialize;
use serde_json::Value;

use super::answer::{Fill, Told};
use super::limit::fits;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Where in the request: `logit_bias`, `messages[].name`, `tools[].function.strict`.
    pub field: String,
    /// The state in which it is refused.
    #[serde(default)]
    pub is: Is,
    /// The models that refuse it, `*` matching any characters; all by default.
    #[serde(default)]
    pub models: Vec<String>,
    /// The answer; `%FIELD%`, `%AT%` and `%VALUE%` are filled in.
    pub answer: Told,
}

/// The state in which a field is refused.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    /// Any value, null included.
    #[default]
    Present,
    /// Null.
    Null,
    /// A list.
    Array,
    /// A list of text parts only.
    Texts,
    /// Exactly this.
    Equal(Value),
    /// A number above this.
    Above(f64),
}

impl Is {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Present => true,
            Self::Null => value.is_null(),
            Self::Array => value.is_array(),
            Self::Texts => value.as_array().is_some_and(|parts| {
                let text = |part: &Value| part["type"] == "text";
                !parts.is_empty() && parts.iter().all(text)
            }),
            Self::Equal(this) => value == this,
            Self::Above(most) => value.as_f64().is_some_and(|number| number > *most),
        }
    }
}

impl Refusal {
    /// Refuses this field wherever it is present.
    #[must_use]
    pub fn of(field: impl Into<String>, answer: Told) -> Self {
        Self {
            field: field.into(),
            is: Is::default(),
            models: Vec::new(),
            answer,
        }
    }

    /// The values to fill in, if this request is refused.
    pub(super) fn refuses(&self, request: &Value, model: &str) -> Option<Fill> {
        let about = self.models.is_empty() || self.models.iter().any(|p| fits(p, model));
        let mut found = Vec::new();
        if about {
            find(request, &self.field, String::new(), &mut found);
        }
        let (at, value) = found.into_iter().find(|(_, value)| self.is.holds(value))?;
        Some(Fill::of_field(&at, value))
    }
}

/// Every value at this path, with its exact place (`messages.0.name`).
fn find<'v>(value: &'v Value, path: &str, way: String, found: &mut Vec<(String, &'v Value)>) {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, each) = match name.strip_suffix("[]") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let Some(next) = value.get(name) else {
        return;
    };
    let dot = if way.is_empty() { "" } else { "." };
    let way = format!("{way}{dot}{name}");
    if !each {
        return match rest {
            "" => found.push((way, next)),
            rest => find(next, rest, way, found),
        };
    }
    for (at, item) in next.as_array().into_iter().flatten().enumerate() {
        let way = format!("{way}.{at}");
        match rest {
            "" => found.push((way, item)),
            rest => find(item, rest, way, found),
        }
    }
}

/// Refuses every unknown field at the top level.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Knows {
    pub(crate) fields: Vec<String>,
    pub(crate) answer: Told,
}

impl Knows {
    pub(super) fn refuses(&self, request: &Value) -> Option<Fill> {
        let members = request.as_object()?;
        let unknown = |(name, _): &(&String, &Value)| !self.fields.contains(name);
        let (name, value) = members.iter().find(unknown)?;
        Some(Fill::of_field(name, value))
    }
}

/// Refuses keywords in tool schemas.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keywords {
    pub(crate) words: Vec<String>,
    pub(crate) answer: Told,
}

impl Keywords {
    pub(super) fn refuses(&self, request: &Value) -> Option<Fill> {
        let mut schemas = Vec::new();
        let path = "tools[].function.parameters";
        find(request, path, String::new(), &mut schemas);
        let mut keyword = |(way, schema): (String, &Value)| self.keyword(schema, way);
        schemas.into_iter().find_map(&mut keyword)
    }

    /// The first refused keyword of a schema. Names of properties are not keywords, and listed
    /// values are not schemas.
    fn keyword(&self, schema: &Value, way: String) -> Option<Fill> {
        if let Some(all) = schema.as_array() {
            return all
                .iter()
                .find_map(|schema| self.keyword(schema, way.clone()));
        }
        for (name, value) in schema.as_object()? {
            let way = format!("{way}.{name}");
            if self.words.contains(name) {
                return Some(Fill::of_field(&way, value));
            }
            let deeper = match name.as_str() {
                "properties" | "$defs" | "definitions" | "patternProperties" => value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .find_map(|(name, schema)| self.keyword(schema, format!("{way}.{name}"))),
                "enum" | "const" | "default" | "examples" | "required" => None,
                _ => self.keyword(value, way),
            };
            if deeper.is_some() {
                return deeper;
            }
        }
        None
    }
}

/// Checks of a history that only code can perform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Check {
    /// Every turn of calls has its thought signature, unchanged or the documented dummy.
    Signatures,
    /// Call ids have nine letters and digits.
    NineIds,
    /// System first; no user message right after a tool's; an assistant's turn never last.
    Roles,
}

/// A check, and the answer to a request that fails it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checked {
    pub(crate) check: Check,
    pub(crate) answer: Told,
}

/// What a tool call without one of our signatures may carry (reference `free-providers.md` §8).
const DUMMY: &str = "skip_thought_signature_validator";

impl Checked {
    pub(super) fn refuses(&self, request: &Value) -> Option<Fill> {
        let none = Vec::new();
        let messages = request["messages"].as_array().unwrap_or(&none);
        match self.check {
            Check::Signatures => messages.iter().enumerate().find_map(|(at, message)| {
                let first = message["tool_calls"].get(0)?;
                let signature = &first["extra_content"]["google"]["thought_signature"];
                let good = signature
                    .as_str()
                    .is_some_and(|s| s == DUMMY || is_signature(s));
                (!good).then(|| Fill::of_field(&format!("messages.{at}.tool_calls.0"), signature))
            }),
            Check::NineIds => messages.iter().enumerate().find_map(|(at, message)| {
                let called = message["tool_calls"].as_array().into_iter().flatten();
                let ids = called
                    .map(|call| &call["id"])
                    .chain(message.get("tool_call_id"));
                let nine =
                    |id: &str| id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric());
                let wrong = ids.into_iter().find(|id| !id.as_str().is_some_and(nine))?;
                Some(Fill::of_field(&format!("messages.{at}.id"), wrong))
            }),
            Check::Roles => {
                let role = |message: &Value| message["role"].as_str().unwrap_or("").to_owned();
                let roles: Vec<String> = messages.iter().map(role).collect();
                let wrong = roles.iter().enumerate().find(|(at, role)| {
                    let before = at.checked_sub(1).and_then(|at| roles.get(at));
                    let before = before.map(String::as_str);
                    match role.as_str() {
                        "system" => !matches!(before, None | Some("system")),
                        "user" => before == Some("tool"),
                        "assistant" => at + 1 == roles.len(),
                        _ => false,
                    }
                });
                wrong.map(|(at, role)| {
                    Fill::of_field(&format!("messages.{at}.role"), &Value::from(role.as_str()))
                })
            }
        }
    }
}

/// The signature sent with a call of this id: the text alone shows whether it came back unchanged.
pub(super) fn signature(call_id: &str) -> String {
    format!("sim-{call_id}-{:08x}", sum(call_id))
}

fn is_signature(text: &str) -> bool {
    let Some((id, told)) = text.strip_prefix("sim-").and_then(|s| s.rsplit_once('-')) else {
        return false;
    };
    told == format!("{:08x}", sum(id))
}

fn sum(text: &str) -> u32 {
    let step = |sum: u32, byte: u8| (sum ^ u32::from(byte)).wrapping_mul(16_777_619);
    text.bytes().fold(2_166_136_261, step)
}

/// The nine letters and digits sent as the call id for this one.
pub(super) fn nine(call_id: &str) -> String {
    format!("{:08x}S", sum(call_id))
}
