//! What a request may need of a model (spec §4.1), and what is known of each.

/// One thing a model can or cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Capability {
    /// Takes `tools`.
    Tools,
    /// Takes a `tool_choice` that forces a tool.
    ToolChoice,
    /// Keeps to a JSON schema.
    StructuredOutputs,
    /// Answers in JSON when told to.
    ResponseFormat,
    /// Takes `seed`.
    Seed,
    /// Takes `stop`.
    Stop,
    /// Reasons before it answers.
    Reasoning,
}

impl Capability {
    /// All of them, in the order of the spec's table.
    pub const ALL: [Self; 7] = [
        Self::Tools,
        Self::ToolChoice,
        Self::StructuredOutputs,
        Self::ResponseFormat,
        Self::Seed,
        Self::Stop,
        Self::Reasoning,
    ];

    /// The ranking's flag for it (`docs/upstream.md` §12.3).
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Tools => "supportsTools",
            Self::ToolChoice => "supportsToolChoice",
            Self::StructuredOutputs => "supportsStructuredOutputs",
            Self::ResponseFormat => "supportsResponseFormat",
            Self::Seed => "supportsSeed",
            Self::Stop => "supportsStop",
            Self::Reasoning => "supportsReasoning",
        }
    }

    /// OpenRouter's word for it in `supported_parameters` (`docs/upstream.md` §8),
    /// which is also how people read it in messages.
    #[must_use]
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::ToolChoice => "tool_choice",
            Self::StructuredOutputs => "structured_outputs",
            Self::ResponseFormat => "response_format",
            Self::Seed => "seed",
            Self::Stop => "stop",
            Self::Reasoning => "reasoning",
        }
    }

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// A set of [`Capability`] with three values each: yes, no, unknown (spec §9.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    yes: u8,
    no: u8,
}

impl Capabilities {
    /// Sets what is known of one; `None` leaves it as it is.
    pub fn set(&mut self, capability: Capability, known: Option<bool>) {
        let bit = capability.bit();
        match known {
            Some(true) => (self.yes, self.no) = (self.yes | bit, self.no & !bit),
            Some(false) => (self.yes, self.no) = (self.yes & !bit, self.no | bit),
            None => {}
        }
    }

    /// What is known of one.
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

    /// Whether it is known to be able. What is unknown counts as not.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.yes & capability.bit() != 0
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
