//! Whether the quotas of a candidate let a request through (spec §10.5).

use super::Wants;
use crate::clock::Now;
use crate::ledger::{Ask, Headroom, Share, Slot};
use crate::model::Candidate;
use crate::registry::{Knowledge, Snapshot};
use crate::request::Needs;

impl Wants<'_> {
    /// How much the request will draw, as far as is known beforehand.
    #[must_use]
    pub fn ask(&self) -> Ask {
        ask(self.needs)
    }
}

/// The same of a request with these needs.
#[must_use]
pub fn ask(needs: &Needs) -> Ask {
    Ask {
        prompt_bytes: needs.prompt_bytes(),
        max_tokens: needs.longest_answer(),
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
    let candidates = wants.candidates(snapshot);
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
        Some(slot) => match known.ledger.headroom(slot, || wants.ask(), now) {
            room @ (Headroom::Free | Headroom::Behind { .. }) => {
                beyond_share(slot, wants, known, now).map_or(room, |share| Headroom::Out {
                    returns_in: Some(share.returns_in),
                    bucket: share.bucket,
                })
            }
            no @ (Headroom::Busy { .. } | Headroom::Out { .. } | Headroom::TooLarge { .. }) => no,
        },
        None => Headroom::Free,
    }
}

/// The share of a day that leaves the request's client no room there (spec §13).
fn beyond_share(slot: Slot, wants: Wants<'_>, known: &Knowledge, now: Now) -> Option<Share> {
    let client = &wants.client?.name;
    known.ledger.beyond_share(slot, || wants.ask(), client, now)
}

/// Whether it is the client's share alone that keeps a candidate from it.
#[must_use]
pub fn is_beyond_share(
    candidate: &Candidate,
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> bool {
    snapshot.slot(candidate).is_some_and(|slot| {
        let headroom = known.ledger.headroom(slot, || wants.ask(), now);
        let has_room = matches!(headroom, Headroom::Free | Headroom::Behind { .. });
        has_room && beyond_share(slot, wants, known, now).is_some()
    })
}
