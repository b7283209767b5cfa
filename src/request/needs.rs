//! What a request needs of a model: the table of spec §4.1.

use super::endpoint::Endpoint;
use super::present;
use super::prompt::Prompt;
use super::rewrite::is_default;
use crate::json::{Kind, Raw};
use crate::model::{Capabilities, Capability, ProviderId};

/// What a request needs of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    capabilities: Vec<Capability>,
    prompt: Prompt,
    tools_bytes: u64,
    longest_answer: Option<u64>,
    /// It has tools (for the log).
    pub had_tools: bool,
    /// It has a `response_format` (for the log).
    pub had_response_format: bool,
    /// It has a `seed` (for the log).
    pub had_seed: bool,
    /// It has a `stop` (for the log).
    pub had_stop: bool,
}

/// The fields from which needs are derived.
#[derive(Default)]
pub(super) struct Fields<'a> {
    tools: Option<Raw<'a>>,
    tool_choice: Option<Raw<'a>>,
    response_format: Option<Raw<'a>>,
    seed: Option<Raw<'a>>,
    stop: Option<Raw<'a>>,
    reasoning: Option<Raw<'a>>,
    reasoning_effort: Option<Raw<'a>>,
    n: Option<Raw<'a>>,
    logprobs: Option<Raw<'a>>,
    max_tokens: Option<Raw<'a>>,
    max_completion_tokens: Option<Raw<'a>>,
}

impl<'a> Fields<'a> {
    pub(super) fn slot(&mut self, key: &str) -> Option<(&'static str, &mut Option<Raw<'a>>)> {
        match key {
            "tools" => Some(("tools", &mut self.tools)),
            "tool_choice" => Some(("tool_choice", &mut self.tool_choice)),
            "response_format" => Some(("response_format", &mut self.response_format)),
            "seed" => Some(("seed", &mut self.seed)),
            "stop" => Some(("stop", &mut self.stop)),
            "reasoning" => Some(("reasoning", &mut self.reasoning)),
            "reasoning_effort" => Some(("reasoning_effort", &mut self.reasoning_effort)),
            "n" => Some(("n", &mut self.n)),
            "logprobs" => Some(("logprobs", &mut self.logprobs)),
            "max_tokens" => Some(("max_tokens", &mut self.max_tokens)),
            "max_completion_tokens" => {
                Some(("max_completion_tokens", &mut self.max_completion_tokens))
            }
            _ => None,
        }
    }
}

impl Needs {
    pub(super) fn read(fields: &Fields<'_>, prompt: Prompt, endpoint: Endpoint) -> Self {
        let format = present(fields.response_format)
            .and_then(|f| f.get("type"))
            .and_then(Raw::as_str);
        let says = |name, value| present(value).is_some_and(|value| !is_default(name, value, true));
        let needed = |capability| match capability {
            Capability::Tools => says("tools", fields.tools),
            Capability::ToolChoice => present(fields.tool_choice)
                .is_some_and(|c| !c.as_str().is_some_and(|c| c == "auto" || c == "none")),
            Capability::StructuredOutputs => format.as_deref() == Some("json_schema"),
            Capability::ResponseFormat => format.as_deref() == Some("json_object"),
            Capability::Seed => present(fields.seed).is_some(),
            Capability::Stop => present(fields.stop).is_some_and(|s| !is_empty(s)),
            Capability::Reasoning => {
                present(fields.reasoning).is_some_and(|r| !is_switched_off(r))
                    || present(fields.reasoning_effort).is_some_and(|e| !is_none(e))
            }
            Capability::Images => prompt.has_images,
            // Needs only at providers other than OpenRouter.
            Capability::Several => says("n", fields.n),
            Capability::Logprobs => says("logprobs", fields.logprobs),
            Capability::OtherFormat => {
                says("response_format", fields.response_format)
                    && !matches!(format.as_deref(), Some("json_schema" | "json_object"))
            }
            Capability::NoCalls => {
                says("tools", fields.tools)
                    && present(fields.tool_choice)
                        .and_then(Raw::as_str)
                        .is_some_and(|choice| choice == "none")
            }
            Capability::Completions => endpoint == Endpoint::Completions,
        };
        Self {
            capabilities: Capability::ALL.into_iter().filter(|c| needed(*c)).collect(),
            had_tools: needed(Capability::Tools),
            had_response_format: present(fields.response_format).is_some(),
            had_seed: needed(Capability::Seed),
            had_stop: needed(Capability::Stop),
            prompt,
            tools_bytes: present(fields.tools).map_or(0, |tools| tools.text().len() as u64),
            longest_answer: [fields.max_completion_tokens, fields.max_tokens]
                .into_iter()
                .find_map(|told| present(told)?.as_u64()),
        }
    }

    /// The needs as a list, in the order of the spec's table.
    #[must_use]
    pub fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    /// Whether this is one of the needs.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// Whether an offer of this provider with the capabilities `able` can serve the request.
    #[must_use]
    pub fn met_at(&self, provider: &ProviderId, able: Capabilities) -> bool {
        self.unmet_at(provider, able).next().is_none()
    }

    /// What an offer of this provider with the capabilities `able` lacks for the request.
    pub fn unmet_at(
        &self,
        provider: &ProviderId,
        able: Capabilities,
    ) -> impl Iterator<Item = Capability> {
        let needs = self.capabilities.iter().copied();
        needs.filter(move |need| !able.allows_at(provider, *need))
    }

    /// The size of the prompt and its tools in bytes, as in the body, without images.
    #[must_use]
    pub fn prompt_bytes(&self) -> u64 {
        self.prompt.bytes().saturating_add(self.tools_bytes)
    }

    /// The maximum length of the answer in tokens, if the request sets one.
    #[must_use]
    pub fn longest_answer(&self) -> Option<u64> {
        self.longest_answer
    }

    /// A lower bound for the prompt's tokens, as far as it can be estimated (spec §4.1).
    #[must_use]
    pub fn prompt_tokens(&self) -> u64 {
        self.prompt.tokens()
    }

    /// Measures the prompt now if a context of this many tokens makes that necessary, so that
    /// [`Needs::fits_into`] only has to compare.
    pub fn weigh(&self, least_context_length: u64) {
        self.prompt.fits_into(least_context_length);
    }

    /// Whether the prompt may fit into a context of this many tokens (spec §4.1).
    #[must_use]
    pub fn fits_into(&self, context_length: u64) -> bool {
        self.prompt.fits_into(context_length)
    }
}

impl FromIterator<Capability> for Needs {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self {
            capabilities: capabilities.into_iter().collect(),
            ..Self::default()
        }
    }
}

fn is_empty(value: Raw<'_>) -> bool {
    match value.kind() {
        Kind::String => value.as_str().is_some_and(|s| s.is_empty()),
        Kind::Array => value.elements().next().is_none(),
        Kind::Object | Kind::Number | Kind::Bool | Kind::Null => false,
    }
}

fn is_none(effort: Raw<'_>) -> bool {
    effort.as_str().is_some_and(|e| e == "none")
}

fn is_switched_off(reasoning: Raw<'_>) -> bool {
    let off = |v: Raw<'_>| v.as_bool() == Some(false);
    off(reasoning)
        || reasoning.get("enabled").is_some_and(off)
        || reasoning.get("effort").is_some_and(is_none)
}
