//! A call of a message's stream.

use crate::surface::chat::Balance;

/// A call in the making. Strings are escaped.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    /// What came before its name.
    pub(super) early: String,
    /// Whether its input is whole: then its block may be closed.
    pub(super) balance: Balance,
    pub(super) closed: bool,
}

impl Call {
    /// How many bytes it holds.
    pub(super) fn held(&self) -> usize {
        self.id.len() + self.name.len() + self.early.len()
    }
}
