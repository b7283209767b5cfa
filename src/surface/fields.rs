//! The top level of a body: each field is taken once, by the reader that handles it.

use std::borrow::Cow;

use super::place::Invalid;
use crate::json::{self, Members, Raw};
use crate::request::{InvalidRequest, Names};

/// The fields not taken yet.
pub(super) struct Fields<'a> {
    left: Vec<(Cow<'a, str>, Raw<'a>)>,
    /// How the client calls the request's session: the translation need not carry that.
    pub(super) session: Option<&'a str>,
}

impl<'a> Fields<'a> {
    /// Checks the whole body and finds its fields.
    pub(super) fn read(body: &'a [u8], max_depth: usize) -> Result<Self, Invalid> {
        let faulty = |e: json::Error| InvalidRequest::unreadable(e, max_depth);
        let mut members = Members::open(body, max_depth)
            .map_err(faulty)?
            .ok_or(InvalidRequest::NotAnObject)?;
        let mut names = Names::default();
        let mut left = Vec::new();
        while let Some(member) = members.next().map_err(faulty)? {
            names.add(member.key.clone(), None)?;
            left.push((member.key, member.value));
        }
        let mut fields = Self {
            left,
            session: None,
        };
        fields.session = fields.session();
        Ok(fields)
    }

    /// Takes a field, once. `null` counts as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Raw<'a>> {
        let at = self.left.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.left.swap_remove(at);
        (!value.is_null()).then_some(value)
    }

    /// A field that another reader will take.
    pub(super) fn peek(&self, name: &str) -> Option<Raw<'a>> {
        let (_, value) = self.left.iter().find(|(key, _)| key == name)?;
        (!value.is_null()).then_some(*value)
    }

    /// How the client calls the request's session (spec §11.4): by the first of these that says something.
    fn session(&self) -> Option<&'a str> {
        let text = |value: Option<Raw<'a>>| {
            let text = value.and_then(Raw::escaped);
            text.filter(|text| !text.trim().is_empty())
        };
        let member = |field, name| text(self.peek(field).and_then(|value| value.get(name)));
        text(self.peek("session_id"))
            .or_else(|| text(self.peek("prompt_cache_key")))
            .or_else(|| member("metadata", "user_id"))
            .or_else(|| text(self.peek("conversation")))
            .or_else(|| member("conversation", "id"))
    }

    /// The names of fields that were not taken and are not empty.
    pub(super) fn left(&self) -> impl Iterator<Item = &str> {
        self.left
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, _)| key.as_ref())
    }
}
