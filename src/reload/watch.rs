//! When a file has changed: it contains something else, and two looks agree on what (spec §12.2). A file that an editor
//! is just writing is then not read half. Pure.

use crate::config::Seen;

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Watch {
    /// What was last dealt with, whether it is in force or was refused.
    settled: Seen,
    /// Something else, seen once.
    pending: Option<Seen>,
}

impl Watch {
    /// This is in force.
    pub(super) fn of(settled: Seen) -> Self {
        Self {
            settled,
            pending: None,
        }
    }

    /// Takes a look; returns whether the settings are to be read.
    pub(super) fn wants_reading(&mut self, seen: &Seen) -> bool {
        if *seen == self.settled {
            self.pending = None;
            return false;
        }
        let agree = self.pending.as_ref() == Some(seen);
        self.pending = Some(seen.clone());
        agree
    }

    /// It turned out to be this.
    pub(super) fn is_pending(&mut self, seen: Seen) {
        self.pending = Some(seen);
    }

    /// This was dealt with.
    pub(super) fn is_settled(&mut self, seen: Seen) {
        (self.settled, self.pending) = (seen, None);
    }
}
