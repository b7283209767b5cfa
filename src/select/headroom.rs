//! Whether the quotas of a candidate let a request through (spec §10.5).

use super::Wants;
use crate::clock::Now;
use crate::ledger::{Ask, Headroom};
use crate::model::Candidate;
use crate::registry::{Knowledge, Snapshot};

impl Wants<'_> {
    /// How much the request will draw, as far as is known beforehand.
    #[must_use]
    pub fn ask(&self) -> Ask {
        Ask {
            prompt_bytes: self.needs.prompt_bytes(),
            max_tokens: self.needs.longest_answer(),
        }
    }
}

/// Whether the request exceeds a quota wherever it could be served. Its size is only a guess, so that this
/// rules nothing out.
pub(super) fn none_lets_through(
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> bool {
    let candidates = wants.preference.of(snapshot, wants.needs);
    let mut able = candidates.filter(|c| wants.are_met(c, known) && wants.fit(c, known));
    able.all(|candidate| {
        let headroom = headroom(candidate, snapshot, wants, known, now);
        matches!(headroom, Headroom::TooLarge { .. })
    })
}

/// The headroom that a candidate of this snapshot has for the request.
pub(super) fn headroom(
    candidate: &Candidate,
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> Headroom {
    match snapshot.slot(candidate) {
        Some(slot) => known.ledger.headroom(slot, || wants.ask(), now),
        None => Headroom::Free,
    }
}
