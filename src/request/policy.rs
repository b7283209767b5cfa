//! What must change in a request before it goes to a provider, as its row says (spec §10.6). Data and
//! questions to it; `rewrite` does what it says.

use crate::model::{Capabilities, Capability};

/// What must change in a request before it goes there (spec §10.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Fields that it refuses: `logit_bias`, `messages[].name`, `tools[].$schema`. One that changes
    /// the answer's form (`n`, `logprobs`, `response_format`) is an ability that its offers lack.
    pub remove: Vec<String>,
    /// All that it knows of the top level, where it refuses what it does not know; everything where this is
    /// empty.
    pub takes: Vec<String>,
    /// Old name, new name.
    pub rename: Vec<(String, String)>,
    /// Fields that are sent where the request has none, with their JSON.
    pub defaults: Vec<(String, String)>,
    /// Explicit nulls go.
    pub no_nulls: bool,
    /// Content parts that are all text become one string.
    pub text_only: bool,
    /// Keywords that leave the schemas of tools, at every depth.
    pub schema_remove: Vec<String>,
    /// Call ids must be nine letters or digits.
    pub short_call_ids: bool,
    /// Roles must alternate: system messages stand in front, and no user follows a tool.
    pub strict_roles: bool,
    /// A call without its thought signature gets Google's placeholder; elsewhere `extra_content` of
    /// earlier turns does not go.
    pub thought_signatures: bool,
    /// Reasoning fields of earlier turns are taken.
    pub takes_reasoning: bool,
    /// `max_tokens` above the offer's output limit is refused, and so lowered to it.
    pub caps_max_tokens: bool,
}

/// What each of these changes is the answer's form: a request that asks for it is never sent without
/// it, and the offers of a provider that refuses it lack the ability instead (spec §10.6).
const FORMS: [(&str, &[Capability]); 5] = [
    (
        "response_format",
        &[Capability::ResponseFormat, Capability::StructuredOutputs],
    ),
    ("tools", &[Capability::Tools, Capability::ToolChoice]),
    ("tool_choice", &[Capability::ToolChoice]),
    ("n", &[Capability::Several]),
    ("logprobs", &[Capability::Logprobs]),
];

/// What an offer lacks that refuses a field which changes the answer's form; `None` for any other.
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
    /// What an offer there can do, known otherwise as `able`: not what the row refuses.
    #[must_use]
    pub fn bound(&self, mut able: Capabilities) -> Capabilities {
        let refused = FORMS.iter().filter(|(form, _)| self.refuses(form));
        for capability in refused.flat_map(|(_, lost)| *lost) {
            able.set(*capability, Some(false));
        }
        able
    }

    /// Whether it refuses a field of the top level.
    #[must_use]
    pub fn refuses(&self, name: &str) -> bool {
        let has = |names: &[String], name: &str| names.iter().any(|other| other == name);
        let there = self.renamed(name).unwrap_or(name);
        has(&self.remove, name) || !(self.takes.is_empty() || has(&self.takes, there))
    }

    /// Whether it refuses a member of messages.
    pub(super) fn refuses_in_messages(&self, name: &str) -> bool {
        let mut refused = self.remove.iter();
        refused.any(|refused| refused.strip_prefix("messages[].") == Some(name))
    }

    /// Whether it refuses a keyword in the schemas of tools.
    pub(super) fn refuses_in_tools(&self, name: &str) -> bool {
        let mut refused = self.remove.iter();
        self.schema_remove.iter().any(|keyword| keyword == name)
            || refused.any(|refused| refused.strip_prefix("tools[].") == Some(name))
    }

    /// Whether tools have to be looked into at all.
    pub(super) fn changes_tools(&self) -> bool {
        let mut refused = self.remove.iter();
        !self.schema_remove.is_empty() || refused.any(|refused| refused.starts_with("tools[]."))
    }

    /// The name that a field has there.
    pub(super) fn renamed(&self, name: &str) -> Option<&str> {
        let mut rows = self.rename.iter();
        let row = rows.find(|(old, _)| old == name);
        row.map(|(_, new)| new.as_str())
    }

    /// The name under which a request has the field that goes there as `name`.
    pub(super) fn original<'a>(&'a self, name: &'a str, has: impl Fn(&str) -> bool) -> &'a str {
        let mut rows = self.rename.iter();
        let row = rows.find(|(old, new)| new == name && has(old));
        row.map_or(name, |(old, _)| old.as_str())
    }
}
