//! What must change in a request before it goes to a provider, according to its row (spec §10.6).
//! Data and queries; `rewrite` applies it.

use crate::model::{Capabilities, Capability};

/// What must change in a request before it goes there (spec §10.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Fields that it refuses: `logit_bias`, `messages[].name`, `tools[].$schema`. One that changes
    /// the answer's form (`n`, `logprobs`, `response_format`) is a capability that its offers lack.
    pub remove: Vec<String>,
    /// All top-level fields that it knows, if it refuses unknown ones; empty if it accepts any.
    pub takes: Vec<String>,
    /// Old name, new name.
    pub rename: Vec<(String, String)>,
    /// Fields that are sent if the request has none, with their JSON.
    pub defaults: Vec<(String, String)>,
    /// Explicit nulls are removed.
    pub no_nulls: bool,
    /// Content parts that are all text become one string.
    pub text_only: bool,
    /// Keywords to remove from tool schemas, at every depth.
    pub schema_remove: Vec<String>,
    /// Call ids must be nine letters or digits.
    pub short_call_ids: bool,
    /// Roles must alternate: system messages come first, and no user message follows a tool's.
    pub strict_roles: bool,
    /// A call without its thought signature gets Google's placeholder; elsewhere `extra_content` of
    /// earlier turns is not sent.
    pub thought_signatures: bool,
    /// Reasoning fields of earlier turns are accepted.
    pub takes_reasoning: bool,
    /// `max_tokens` above the offer's output limit is refused, and so it is lowered to that.
    pub caps_max_tokens: bool,
}

/// Each of these changes the answer's form: a request that uses one is never sent without it, and
/// the offers of a provider that refuses it lack the capability instead (spec §10.6).
const FORMS: [(&str, &[Capability]); 5] = [
    (
        "response_format",
        &[
            Capability::ResponseFormat,
            Capability::StructuredOutputs,
            Capability::OtherFormat,
        ],
    ),
    ("tools", &[Capability::Tools, Capability::ToolChoice]),
    (
        "tool_choice",
        &[Capability::ToolChoice, Capability::NoCalls],
    ),
    ("n", &[Capability::Several]),
    ("logprobs", &[Capability::Logprobs]),
];

/// What an offer lacks if it refuses a field that changes the answer's form; `None` for any other.
pub(super) fn form(name: &str) -> Option<&'static [Capability]> {
    let mut forms = FORMS.iter();
    let form = forms.find(|(form, _)| *form == name);
    form.map(|(_, lost)| *lost)
}

/// Whether a field changes the answer's form.
pub(super) fn is_form(name: &str) -> bool {
    form(name).is_some()
}

impl Fields {
    /// The capabilities of an offer there, otherwise known to be `able`: without what the row
    /// refuses.
    #[must_use]
    pub fn bound(&self, mut able: Capabilities) -> Capabilities {
        let refused = FORMS.iter().filter(|(form, _)| self.refuses(form));
        for capability in refused.flat_map(|(_, lost)| *lost) {
            able.set(*capability, Some(false));
        }
        able
    }

    /// Whether it refuses a top-level field.
    #[must_use]
    pub fn refuses(&self, name: &str) -> bool {
        let there = self.renamed(name).unwrap_or(name);
        let is_taken = self.takes.is_empty() || self.takes.iter().any(|taken| taken == there);
        self.removes(name) || !is_taken
    }

    /// Whether it refuses it by name, rather than as one that it does not know.
    pub(super) fn removes(&self, name: &str) -> bool {
        self.remove.iter().any(|removed| removed == name)
    }

    /// Whether it refuses a member of messages.
    pub(super) fn refuses_in_messages(&self, name: &str) -> bool {
        let mut refused = self.remove.iter();
        refused.any(|refused| refused.strip_prefix("messages[].") == Some(name))
    }

    /// Whether it refuses a keyword in tool schemas.
    pub(super) fn refuses_in_tools(&self, name: &str) -> bool {
        let mut refused = self.remove.iter();
        self.schema_remove.iter().any(|keyword| keyword == name)
            || refused.any(|refused| refused.strip_prefix("tools[].") == Some(name))
    }

    /// Whether tools have to be examined at all.
    pub(super) fn changes_tools(&self) -> bool {
        let mut refused = self.remove.iter();
        !self.schema_remove.is_empty() || refused.any(|refused| refused.starts_with("tools[]."))
    }

    /// The name of a field there.
    pub(super) fn renamed(&self, name: &str) -> Option<&str> {
        let mut rows = self.rename.iter();
        let row = rows.find(|(old, _)| old == name);
        row.map(|(_, new)| new.as_str())
    }

    /// The request's name for the field that is sent as `name`.
    pub(super) fn original<'a>(&'a self, name: &'a str, has: impl Fn(&str) -> bool) -> &'a str {
        let mut rows = self.rename.iter();
        let row = rows.find(|(old, new)| new == name && has(old));
        row.map_or(name, |(old, _)| old.as_str())
    }
}
