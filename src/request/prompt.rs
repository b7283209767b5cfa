//! The size of a prompt, and whether it has images (spec §4.1); where its first message of the user's is.
//!
//! Examined only when it may matter: most prompts are far smaller than any context.

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;

use super::limits::Counts;
use crate::json::{self, Error, Kind, Raw, Reader};

/// One token has at most this many bytes of text: an estimate that errs on the side of asking.
const BYTES_PER_TOKEN: u64 = 8;

/// The `messages` of a request, or its bare `prompt`: a string or a list of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    input: Bytes,
    /// Whether a message has an image.
    pub(super) has_images: bool,
    text_bytes: OnceLock<u64>,
}

impl Prompt {
    pub(super) fn new(input: Bytes, has_images: bool) -> Self {
        Self {
            input,
            has_images,
            text_bytes: OnceLock::new(),
        }
    }

    /// Whether its text may fit into a context of `tokens`.
    pub(super) fn fits_into(&self, tokens: u64) -> bool {
        // The text is no longer than the JSON it is in.
        self.input.len() as u64 / BYTES_PER_TOKEN <= tokens || self.tokens() <= tokens
    }

    /// A lower bound for its tokens.
    pub(super) fn tokens(&self) -> u64 {
        self.text() / BYTES_PER_TOKEN
    }

    /// Its size in bytes; if it has images, only that of its text.
    pub(super) fn bytes(&self) -> u64 {
        if self.has_images {
            self.text()
        } else {
            self.input.len() as u64
        }
    }

    fn text(&self) -> u64 {
        let measure = || self.parts().map(text_bytes).sum();
        *self.text_bytes.get_or_init(measure)
    }

    /// The contents of all messages: texts, and the parts of lists.
    fn parts(&self) -> impl Iterator<Item = Raw<'_>> {
        let is_text = |value: &Raw<'_>| value.kind() == Kind::String;
        let input = Raw::parse(&self.input, json::MAX_DEPTH).ok();
        let bare = input.filter(is_text);
        let contents = input
            .into_iter()
            .flat_map(Raw::elements)
            .filter_map(move |item| item.get("content").or(Some(item).filter(is_text)));
        bare.into_iter().chain(contents).flat_map(move |content| {
            let whole = Some(content).filter(is_text);
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

/// What is seen of `messages` on the way past them.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// One of them has an image.
    pub(super) has_images: bool,
    /// Where the first of the user's is in the text.
    pub(super) first_of_user: Option<Range<usize>>,
}

impl Messages {
    /// Steps over `messages`, and counts them and their parts. Of a duplicate name the last one counts, as
    /// with [`Raw::get`].
    pub(super) fn read(messages: &mut Reader<'_>, counts: &mut Counts) -> Result<Self, Error> {
        let mut seen = Self::default();
        messages.array(|message| {
            let (mut has_images, mut is_users) = (false, false);
            counts.messages += 1;
            let start = message.at_byte();
            message.object(|name, value| match name {
                "content" => {
                    has_images = false;
                    value.array(|part| {
                        counts.parts += 1;
                        has_images |= is_image(part)?;
                        Ok(())
                    })
                }
                "role" => {
                    is_users = value.value()?.escaped() == Some("user");
                    Ok(())
                }
                _ => value.value().map(drop),
            })?;
            seen.has_images |= has_images;
            if is_users && seen.first_of_user.is_none() {
                seen.first_of_user = Some(start..message.at_byte());
            }
            Ok(())
        })?;
        Ok(seen)
    }
}

fn is_image(part: &mut Reader<'_>) -> Result<bool, Error> {
    let (mut by_url, mut by_type) = (false, false);
    part.object(|name, value| {
        let value = value.value()?;
        match name {
            "image_url" => by_url = !value.is_null(),
            "type" => {
                let kind = value.as_str();
                by_type = matches!(kind.as_deref(), Some("image_url" | "image" | "input_image"));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(by_url || by_type)
}
