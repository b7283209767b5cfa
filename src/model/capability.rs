//! What a request may need of a model (spec §4.1), and what is known about each.

use serde::{Deserialize, Serialize};

use super::ProviderId;

/// One thing a model can or cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Capability {
    /// Accepts `tools`.
    Tools,
    /// Accepts a `tool_choice` that forces a tool.
    ToolChoice,
    /// Follows a JSON schema.
    StructuredOutputs,
    /// Answers in JSON on request.
    ResponseFormat,
    /// Accepts `seed`.
    Seed,
    /// Accepts `stop`.
    Stop,
    /// Reasons before it answers.
    Reasoning,
    /// Accepts images in the prompt.
    Images,
    /// Gives several answers at once (`n` above 1).
    Several,
    /// Reports the probabilities of its tokens.
    Logprobs,
    /// Has the legacy endpoint, `/completions`: its provider has it, or none of its models.
    Completions,
    /// Accepts a `response_format` that is neither JSON nor text.
    OtherFormat,
    /// Accepts a `tool_choice` that forbids the tools that are there.
    NoCalls,
}

impl Capability {
    /// All of them, in the order of the spec's table.
    pub const ALL: [Self; 13] = [
        Self::Tools,
        Self::ToolChoice,
        Self::StructuredOutputs,
        Self::ResponseFormat,
        Self::Seed,
        Self::Stop,
        Self::Reasoning,
        Self::Images,
        Self::Several,
        Self::Logprobs,
        Self::Completions,
        Self::OtherFormat,
        Self::NoCalls,
    ];

    /// The ranking's flag for it (`docs/upstream.md` §12.3); there is none for images, for the
    /// endpoint, nor for what is not a need at OpenRouter.
    #[must_use]
    pub fn flag(self) -> Option<&'static str> {
        match self {
            Self::Tools => Some("supportsTools"),
            Self::ToolChoice => Some("supportsToolChoice"),
            Self::StructuredOutputs => Some("supportsStructuredOutputs"),
            Self::ResponseFormat => Some("supportsResponseFormat"),
            Self::Seed => Some("supportsSeed"),
            Self::Stop => Some("supportsStop"),
            Self::Reasoning => Some("supportsReasoning"),
            Self::Images
            | Self::Several
            | Self::Logprobs
            | Self::Completions
            | Self::OtherFormat
            | Self::NoCalls => None,
        }
    }

    /// OpenRouter's term for it in `supported_parameters` (`docs/upstream.md` §8); images are an
    /// input modality instead, and the endpoint and what is not a need there are not looked up.
    #[must_use]
    pub fn parameter(self) -> Option<&'static str> {
        self.flag().map(|_| self.as_str())
    }

    /// Its name in messages for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::ToolChoice => "tool_choice",
            Self::StructuredOutputs => "structured_outputs",
            Self::ResponseFormat => "response_format",
            Self::Seed => "seed",
            Self::Stop => "stop",
            Self::Reasoning => "reasoning",
            Self::Images => "images",
            Self::Several => "n",
            Self::Logprobs => "logprobs",
            Self::Completions => "legacy completions",
            Self::OtherFormat => "another response_format",
            Self::NoCalls => "tool_choice none",
        }
    }

    fn bit(self) -> u16 {
        1 << (self as u8)
    }
}

/// A set of [`Capability`] with three values each: yes, no, unknown (spec §2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    yes: u16,
    no: u16,
}

impl Capabilities {
    /// Sets what is known about one; `None` leaves it unchanged.
    pub fn set(&mut self, capability: Capability, known: Option<bool>) {
        let bit = capability.bit();
        match known {
            Some(true) => (self.yes, self.no) = (self.yes | bit, self.no & !bit),
            Some(false) => (self.yes, self.no) = (self.yes & !bit, self.no | bit),
            None => {}
        }
    }

    /// What is known about one.
    #[must_use]
    pub fn get(self, capability: Capability) -> Option<bool> {
        let bit = capability.bit();
        if self.yes & bit != 0 {
            Some(true)
        } else if self.no & bit != 0 {
            Some(false)
        } else {
            None
        }
    }

    /// Whether it is known to be supported.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.yes & capability.bit() != 0
    }

    /// Whether a request that needs it may be tried at OpenRouter. Unknown counts as unsupported
    /// (spec §2.3), except for images and the legacy endpoint: there the upstream refuses cleanly
    /// (spec §4.1). What is not in the table of §4.1 is no need there.
    #[must_use]
    pub fn allows(self, capability: Capability) -> bool {
        match capability {
            Capability::Images | Capability::Completions => !self.lacks(capability),
            Capability::Several
            | Capability::Logprobs
            | Capability::OtherFormat
            | Capability::NoCalls => true,
            Capability::Tools
            | Capability::ToolChoice
            | Capability::StructuredOutputs
            | Capability::ResponseFormat
            | Capability::Seed
            | Capability::Stop
            | Capability::Reasoning => self.has(capability),
        }
    }

    /// The same at any provider. Elsewhere `seed`, `stop` and reasoning are left out where they are
    /// refused, so they are not needs; `n`, `logprobs` and the like are needs that count as met until
    /// a row or an answer denies them (spec §10.6). At `local` everything unknown counts as present (spec
    /// §10.1).
    #[must_use]
    pub fn allows_at(self, provider: &ProviderId, capability: Capability) -> bool {
        if provider.is_openrouter() {
            return self.allows(capability);
        }
        match capability {
            Capability::Seed | Capability::Stop | Capability::Reasoning => true,
            Capability::Images
            | Capability::Several
            | Capability::Logprobs
            | Capability::Completions
            | Capability::OtherFormat
            | Capability::NoCalls => !self.lacks(capability),
            Capability::Tools
            | Capability::ToolChoice
            | Capability::StructuredOutputs
            | Capability::ResponseFormat => {
                let unknown_counts = provider.as_str() == ProviderId::LOCAL;
                self.has(capability) || (unknown_counts && !self.lacks(capability))
            }
        }
    }

    fn lacks(self, capability: Capability) -> bool {
        self.no & capability.bit() != 0
    }

    /// What is known here or else, if unknown, there.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let unknown = !(self.yes | self.no);
        Self {
            yes: self.yes | (other.yes & unknown),
            no: self.no | (other.no & unknown),
        }
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(able: I) -> Self {
        let mut set = Self::default();
        able.into_iter()
            .for_each(|capability| set.set(capability, Some(true)));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_1_s10_6_what_counts_as_supported_where() {
        use Capability::{
            Completions, Images, Logprobs, NoCalls, OtherFormat, Reasoning, ResponseFormat, Seed,
            Several, Stop, StructuredOutputs, ToolChoice, Tools,
        };
        const YES: Option<bool> = Some(true);
        const NO: Option<bool> = Some(false);
        #[rustfmt::skip]
        let rows = [
            // what is known             openrouter  groq   local
            (Tools,             YES,  [true,  true,  true]),
            (Tools,             NO,   [false, false, false]),
            (Tools,             None, [false, false, true]),
            (ToolChoice,        None, [false, false, true]),
            (StructuredOutputs, None, [false, false, true]),
            (ResponseFormat,    None, [false, false, true]),
            (ResponseFormat,    NO,   [false, false, false]),
            (Seed,              None, [false, true,  true]),
            (Seed,              NO,   [false, true,  true]),
            (Stop,              NO,   [false, true,  true]),
            (Reasoning,         None, [false, true,  true]),
            (Images,            None, [true,  true,  true]),
            (Images,            NO,   [false, false, false]),
            (Several,           None, [true,  true,  true]),
            (Several,           NO,   [true,  false, false]),
            (Logprobs,          NO,   [true,  false, false]),
            (Completions,       None, [true,  true,  true]),
            (Completions,       NO,   [false, false, false]),
            (OtherFormat,       None, [true,  true,  true]),
            (OtherFormat,       NO,   [true,  false, false]),
            (NoCalls,           None, [true,  true,  true]),
            (NoCalls,           NO,   [true,  false, false]),
        ];
        for (capability, known, expected) in rows {
            let mut able = Capabilities::default();
            able.set(capability, known);
            let allowed = ["openrouter", "groq", "local"]
                .map(|name| able.allows_at(&ProviderId::try_from(name).unwrap(), capability));
            assert_eq!(allowed, expected, "{capability:?} {known:?}");
            assert_eq!(
                able.allows(capability),
                expected[0],
                "{capability:?} {known:?}"
            );
        }
    }
}
