//! Which accounts a walk has found to be out: one account can decide for hundreds of offers.

use crate::clock::Now;
use crate::model::Candidate;
use crate::registry::{Knowledge, Snapshot};

/// The accounts of a snapshot that answer nothing now, as bits by their places. Each is looked at once, when
/// anything is found to exclude one of its candidates; if the account is out, its other candidates need no look.
/// Accounts after the 64th have no bit, and their candidates are looked at one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shut {
    looked_at: u64,
    out: u64,
}

impl Shut {
    /// Looks at the account of a candidate that only time brings back: whether all the account's models are out,
    /// because it rests, or its provider does, or a quota that they share is used up.
    pub(super) fn look(
        &mut self,
        candidate: &Candidate,
        snapshot: &Snapshot,
        known: &Knowledge,
        now: Now,
    ) {
        let bit = bit(candidate);
        if self.looked_at & bit == bit {
            return;
        }
        self.looked_at |= bit;
        let shared = [candidate.of_account(), candidate.provider()];
        let rests = || shared.into_iter().any(|s| known.rest_of(s, now).is_some());
        let slot = snapshot.slot(candidate);
        let is_out = || slot.is_some_and(|slot| known.ledger.spent(slot, now).is_some());
        if rests() || is_out() {
            self.out |= bit;
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.out == 0
    }

    /// Whether a candidate's account is known to be out.
    pub(super) fn has(self, candidate: &Candidate) -> bool {
        self.out & bit(candidate) != 0
    }
}

/// 0 for accounts after the 64th.
fn bit(candidate: &Candidate) -> u64 {
    let place = u32::try_from(candidate.place).unwrap_or(u32::MAX);
    1u64.checked_shl(place).unwrap_or(0)
}
