//! What chat completions have no equivalent for, and what is not as its API requires.
//!
//! A conversation can always go on: in a history such things are left out and named. Only what is
//! asked last is refused, because there the caller can still ask for something else.

use super::place::Invalid;
use crate::json::Raw;
use crate::request::Dropped;

/// What has not fitted so far.
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

    /// Something else follows: what did not fit before it is history.
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

    /// Leaves out something the user asks for; if nothing follows, the request is refused for this
    /// reason.
    pub(super) fn refuse(&mut self, value: Raw<'_>, why: Invalid) {
        self.leave_out(value);
        self.asked.get_or_insert(why);
    }

    /// The conversation is complete.
    pub(super) fn settle(self) -> Result<(), Invalid> {
        self.asked.map_or(Ok(()), Err)
    }
}
