//! What a chat completion has no room for, and what is not as its API has it.
//!
//! A conversation can always go on: of a history such things are left out and named. Only what is
//! asked last is refused, because there the caller can still ask for something else.

use super::place::Invalid;
use crate::json::Raw;
use crate::request::Dropped;

/// What did not fit so far.
pub(super) struct Unfit<'d> {
    dropped: &'d mut Dropped,
    asked: Option<Invalid>,
}

impl<'d> Unfit<'d> {
    pub(super) fn new(dropped: &'d mut Dropped) -> Self {
        Self {
            dropped,
            asked: None,
        }
    }

    /// Something else is said: what did not fit before it is history.
    pub(super) fn goes_on(&mut self) {
        self.asked = None;
    }

    /// Leaves an item, a block or a part out, under the name of its type.
    pub(super) fn leave_out(&mut self, value: Raw<'_>) {
        let kind = value.get("type").and_then(Raw::escaped);
        self.name(kind.unwrap_or_default());
    }

    /// Leaves something out under this name.
    pub(super) fn name(&mut self, name: &str) {
        self.dropped.note(name);
    }

    /// Leaves out what the user asks for; if nothing follows, it is refused for this reason.
    pub(super) fn refuse(&mut self, value: Raw<'_>, why: Invalid) {
        self.leave_out(value);
        self.asked.get_or_insert(why);
    }

    /// All has been said.
    pub(super) fn settle(self) -> Result<(), Invalid> {
        self.asked.map_or(Ok(()), Err)
    }
}
