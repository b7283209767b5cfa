//! The upstream's two endpoints for completions.

use super::{InvalidRequest, Names};
use crate::json::Kind;

/// Where a request goes upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/chat/completions`.
    Chat,
    /// `/completions`, the legacy API: a bare `prompt`, and answers with a bare `text`.
    Completions,
}

impl Endpoint {
    /// The field with the model's input.
    #[must_use]
    pub fn input(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Completions => "prompt",
        }
    }

    /// What else it has of its own: a provider that names the fields it takes names those of the chat.
    #[must_use]
    pub fn has_of_its_own(self, name: &str) -> bool {
        match self {
            Self::Chat => false,
            Self::Completions => matches!(name, "suffix" | "echo" | "best_of"),
        }
    }

    /// The member of a choice that a client reads, besides `delta` and `message`.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        match self {
            Self::Chat => None,
            Self::Completions => Some("text"),
        }
    }

    /// What is wrong with a body without an input: it may have another API's input.
    pub(super) fn missing(self, names: &Names<'_>) -> InvalidRequest {
        let others = [
            ("messages", "/v1/chat/completions"),
            ("input", "/v1/responses"),
            ("prompt", "/v1/completions"),
        ];
        let missing = self.input();
        let found = others.into_iter().find(|(found, _)| names.has(found));
        match found.filter(|(found, _)| *found != missing) {
            Some((found, path)) => InvalidRequest::Elsewhere {
                missing,
                found,
                path,
            },
            None => InvalidRequest::Missing(missing),
        }
    }

    /// What the input must be, if a value of this kind is not valid.
    pub(super) fn misfit(self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Chat, Kind::Array) | (Self::Completions, Kind::String | Kind::Array) => None,
            (Self::Chat, _) => Some("an array"),
            (Self::Completions, _) => Some("a string or an array"),
        }
    }
}
