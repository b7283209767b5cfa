//! What of a body tells its session: a field that names it, or how it begins.

use crate::json::{Kind, Raw};

/// The top-level fields of a body that may tell its session, as slices of it: nothing is built or
/// copied. Messages are read only up to the first of the user's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opening<'a> {
    session_id: Option<Raw<'a>>,
    prompt_cache_key: Option<Raw<'a>>,
    metadata: Option<Raw<'a>>,
    conversation: Option<Raw<'a>>,
    system: Option<Raw<'a>>,
    tools: Option<Raw<'a>>,
    messages: Option<Raw<'a>>,
}

impl<'a> Opening<'a> {
    /// The slot of a field that is looked at: whoever reads the body fills it on the way.
    pub fn slot(&mut self, field: &str) -> Option<&mut Option<Raw<'a>>> {
        match field {
            "session_id" => Some(&mut self.session_id),
            "prompt_cache_key" => Some(&mut self.prompt_cache_key),
            "metadata" => Some(&mut self.metadata),
            "conversation" => Some(&mut self.conversation),
            "system" => Some(&mut self.system),
            "tools" => Some(&mut self.tools),
            "messages" => Some(&mut self.messages),
            _ => None,
        }
    }

    /// The name of the session, as it is spelt in the body, where a field has one.
    pub(super) fn name(&self) -> Option<&'a str> {
        let member = |of: Option<Raw<'a>>, name: &str| named(of?.get(name));
        named(self.session_id)
            .or_else(|| named(self.prompt_cache_key))
            .or_else(|| member(self.metadata, "user_id"))
            .or_else(|| named(self.conversation))
            .or_else(|| member(self.conversation, "id"))
    }

    /// Its beginning: system, tools, and the messages up to the first of the user's.
    pub(super) fn texts(&self) -> impl Iterator<Item = &'a str> {
        let mut is_over = false;
        let messages = self.messages.into_iter().flat_map(Raw::elements);
        let first = messages.take_while(move |message| {
            let role = message.get("role").and_then(Raw::escaped);
            !std::mem::replace(&mut is_over, role == Some("user"))
        });
        let before = self.system.into_iter().chain(self.tools);
        let told = before.chain(first).filter(|value| !value.is_null());
        told.map(Raw::text)
    }
}

/// A text that is not empty.
fn named(value: Option<Raw<'_>>) -> Option<&str> {
    let value = value.filter(|value| value.kind() == Kind::String)?;
    value.escaped().filter(|text| !text.trim().is_empty())
}
