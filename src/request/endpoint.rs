//! The upstream's two ways to complete something.

use crate::json::Kind;

/// Where upstream a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/chat/completions`.
    Chat,
    /// `/completions`, the legacy API: a bare `prompt`, and answers with a bare `text`.
    Completions,
}

impl Endpoint {
    /// The field that the model is to answer to.
    #[must_use]
    pub fn input(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Completions => "prompt",
        }
    }

    /// The member of a choice that, beside `delta` and `message`, a client reads.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::Chat => None,
            Self::Completions => Some("text"),
        }
    }

    /// What the input must be, if a value of this kind is not that.
    pub(super) fn misfit(self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Chat, Kind::Array) | (Self::Completions, Kind::String | Kind::Array) => None,
            (Self::Chat, _) => Some("an array"),
            (Self::Completions, _) => Some("a string or an array"),
        }
    }
}
