//! What of a body tells its session (spec §11.4): a field that names it, or how it begins.

use bytes::Bytes;

use super::prompt::Messages;
use crate::json::{Kind, Member, Raw};

/// What of a body tells its session, as slices of it: found on the way while the body is read.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    name: Option<(NamedBy, Bytes)>,
    system: Bytes,
    tools: Bytes,
    /// The messages before the first of the user's; all of them where there is none of the user's.
    before: Bytes,
    first_of_user: Bytes,
}

/// The fields that may name a session; the first one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NamedBy {
    SessionId,
    PromptCacheKey,
    User,
    Conversation,
}

impl Opening {
    /// The name of the session, as it is spelt in the body, where a field has one.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        self.name.as_ref().map(|(_, name)| &**name)
    }

    /// How the body begins: system, tools, the messages before the first of the user's, and that one. What
    /// is absent is empty.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 4] {
        [&self.system, &self.tools, &self.before, &self.first_of_user]
    }

    /// Looks at the next member of `body`; `messages` is what was seen of them, if it is they.
    pub(super) fn see(&mut self, member: &Member<'_>, messages: &Messages, body: &Bytes) {
        let value = member.value;
        if value.is_null() {
            return;
        }
        let part = || body.slice(member.value_start..member.end);
        match &*member.key {
            "session_id" => self.names(NamedBy::SessionId, named(value), body),
            "prompt_cache_key" => self.names(NamedBy::PromptCacheKey, named(value), body),
            "metadata" => {
                let user = value.get("user_id").and_then(named);
                self.names(NamedBy::User, user, body);
            }
            "conversation" => {
                let id = || value.get("id").and_then(named);
                self.names(NamedBy::Conversation, named(value).or_else(id), body);
            }
            "system" => self.system = part(),
            "tools" => self.tools = part(),
            "messages" if !value.is_empty() => match messages.first_of_user.clone() {
                Some(first) => {
                    self.before = body.slice(member.value_start..first.start);
                    self.first_of_user = body.slice(first);
                }
                None => self.before = part(),
            },
            _ => {}
        }
    }

    fn names(&mut self, by: NamedBy, name: Option<&str>, body: &Bytes) {
        if let Some(name) = name
            && self.name.as_ref().is_none_or(|(before, _)| by < *before)
        {
            self.name = Some((by, body.slice_ref(name.as_bytes())));
        }
    }
}

/// A text that is not empty.
fn named(value: Raw<'_>) -> Option<&str> {
    let value = Some(value).filter(|value| value.kind() == Kind::String)?;
    value.escaped().filter(|text| !text.trim().is_empty())
}
