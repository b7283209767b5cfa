//! What a request has drawn from the limits of its client (spec §13).

use std::sync::Arc;

use super::Registry;
use super::drawn::used_by;
use crate::answer::Usage;
use crate::clock::Now;
use crate::ledger::{Debit, Used};

/// Charged when the request comes, and settled once, on drop, by what its answer used and by the
/// prompt for each attempt without one. A request for which nobody was asked costs nothing; one whose client went away
/// in the meantime has asked all the same.
#[derive(Debug)]
pub struct Admitted {
    registry: Arc<Registry>,
    /// `None` if its client has no limits.
    debit: Option<Debit>,
    asked: u32,
    used: Option<Used>,
}

impl Admitted {
    pub(super) fn new(registry: Arc<Registry>, debit: Option<Debit>) -> Self {
        Self {
            registry,
            debit,
            asked: 0,
            used: None,
        }
    }

    /// Somebody is being asked.
    pub fn asks(&mut self) {
        self.asked += 1;
    }

    /// The one asked last was never reached.
    pub fn was_not_reached(&mut self) {
        self.asked = self.asked.saturating_sub(1);
    }

    /// A plain answer of this many bytes, which is settled already where it was drawn from, is passed on.
    pub fn answered(mut self, usage: Usage, bytes: usize) {
        self.used(used_by(usage, bytes));
    }

    /// What the answer has used.
    pub(super) fn used(&mut self, used: Used) {
        self.used = Some(used);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let Some(debit) = self.debit.take() else {
            return;
        };
        let mut allowances = self.registry.allowances();
        if self.asked > 0 {
            allowances.settle(debit, self.asked, self.used, Now::read());
        } else {
            allowances.refund(debit, Now::read());
        }
        drop(allowances);
        self.registry.lock().has_changed = true;
    }
}
