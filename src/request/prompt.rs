//! How large a prompt is, and whether it has images (spec §9.5).
//!
//! Looked at only when it may matter: most prompts are far smaller than any context.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::json::{self, Kind, Raw};

/// Text of this many bytes is taken for one token at the least: a guess that errs on the side
/// of asking.
const BYTES_PER_TOKEN: u64 = 8;

/// The `messages` of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    messages: Bytes,
    text_bytes: OnceLock<u64>,
}

impl Prompt {
    pub(super) fn new(messages: Bytes) -> Self {
        Self {
            messages,
            text_bytes: OnceLock::new(),
        }
    }

    /// Whether its text may fit into a context of `tokens`.
    pub(super) fn fits_into(&self, tokens: u64) -> bool {
        // The text is no longer than what it stands in.
        self.messages.len() as u64 / BYTES_PER_TOKEN <= tokens || self.tokens() <= tokens
    }

    /// How many tokens its text has at the least.
    pub(super) fn tokens(&self) -> u64 {
        let measure = || self.parts().map(text_bytes).sum();
        self.text_bytes.get_or_init(measure) / BYTES_PER_TOKEN
    }

    /// Whether a message has an image.
    pub(super) fn has_images(&self) -> bool {
        memchr::memmem::find(&self.messages, b"image").is_some() && self.parts().any(is_image)
    }

    /// The contents of all messages: texts, and the parts of lists.
    fn parts(&self) -> impl Iterator<Item = Raw<'_>> {
        let messages = Raw::parse(&self.messages, json::MAX_DEPTH).ok();
        let contents = messages
            .into_iter()
            .flat_map(Raw::elements)
            .filter_map(|message| message.get("content"));
        contents.flat_map(|content| {
            let whole = (content.kind() == Kind::String).then_some(content);
            whole.into_iter().chain(content.elements())
        })
    }
}

fn text_bytes(part: Raw<'_>) -> u64 {
    let text = if part.kind() == Kind::String {
        Some(part)
    } else {
        part.get("text")
    };
    text.and_then(Raw::as_str)
        .map_or(0, |text| text.len() as u64)
}

fn is_image(part: Raw<'_>) -> bool {
    part.get("image_url").is_some()
        || part
            .get("type")
            .and_then(Raw::as_str)
            .is_some_and(|kind| matches!(&*kind, "image_url" | "image" | "input_image"))
}
