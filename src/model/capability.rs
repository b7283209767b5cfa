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
    /// Sees images in the prompt.
    Images,
}

impl Capability {
    /// All of them, in the order of the spec's table.
    pub const ALL: [Self; 8] = [
        Self::Tools,
        Self::ToolChoice,
        Self::StructuredOutputs,
        Self::ResponseFormat,
        Self::Seed,
        Self::Stop,
        Self::Reasoning,
        Self::Images,
    ];

    /// The ranking's flag for it (`docs/upstream.md` §12.3); it has none for images.
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
            Self::Images => None,
        }
    }

    /// OpenRouter's word for it in `supported_parameters` (`docs/upstream.md` §8); images are
    /// an input modality instead.
    #[must_use]
    pub fn parameter(self) -> Option<&'static str> {
        (self != Self::Images).then(|| self.as_str())
    }

    /// How people read it in messages.
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

    /// Whether it is known to be able.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.yes & capability.bit() != 0
    }

    /// Whether a request that needs it may be tried here. What is unknown counts as not able
    /// (spec §9.4), but for images: there the upstream refuses cleanly (spec §9.5).
    #[must_use]
    pub fn allows(self, capability: Capability) -> bool {
        match capability {
            Capability::Images => self.no & capability.bit() == 0,
            Capability::Tools
            | Capability::ToolChoice
            | Capability::StructuredOutputs
            | Capability::ResponseFormat
            | Capability::Seed
            | Capability::Stop
            | Capability::Reasoning => self.has(capability),
        }
    }

    /// What is known here, and where nothing is, what is known there.
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
