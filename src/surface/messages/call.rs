//! A call in a message's stream.

/// A call in progress. Strings are escaped.
#[derive(Debug, Default)]
pub(super) struct Call {
    /// The upstream's id.
    pub(super) id: String,
    pub(super) name: String,
    /// What came before its name.
    pub(super) early: String,
    /// Its input looks complete: its block may be closed.
    pub(super) whole: bool,
    /// Some of its input has been sent.
    pub(super) sent: bool,
    pub(super) closed: bool,
}

impl Call {
    /// How many bytes it holds.
    pub(super) fn held(&self) -> usize {
        self.id.len() + self.name.len() + self.early.len()
    }
}
