//! What a request would cost at a candidate (spec §11.1): the one function by which the walk, `explain`
//! and the first choice order those of a tier.

use super::Wants;
use super::wants::Placed;
use crate::clock::Now;
use crate::learnt::{Circumstances, Cost, Parameters, Pin, Sticks, cost, cost_at_least};
use crate::registry::{Knowledge, Snapshot};

/// By what the candidates of a tier are ordered.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// By rank, whatever is known.
    Rank,
    /// By what the request would cost there.
    Cost {
        /// What one place is worth, in seconds.
        rank_worth: f64,
        /// The figures behind the formulas.
        parameters: &'a Parameters,
        /// Who gave the last answer of the request's session.
        pin: Option<&'a Pin>,
    },
}

impl By<'_> {
    /// What no candidate of this place, or behind it, comes below.
    pub(super) fn at_least(self, place: u32) -> f64 {
        match self {
            Self::Rank => 0.0,
            Self::Cost {
                rank_worth,
                parameters,
                pin,
            } => cost_at_least(place, rank_worth, pin.is_some(), parameters),
        }
    }
}

/// What a request would cost at a candidate of this snapshot; `None` where it is ordered by rank. What
/// is known of attempts is read without a lock.
pub(super) fn cost_of(
    placed: Placed<'_>,
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> Option<Cost> {
    let By::Cost {
        rank_worth,
        parameters,
        pin,
    } = wants.by
    else {
        return None;
    };
    let Placed {
        candidate, place, ..
    } = placed;
    let slot = snapshot.slot(candidate);
    let circumstances = Circumstances {
        place,
        rank_worth,
        tight: slot.map_or(0.0, |slot| known.ledger.tight(slot, now)),
        sticks: pin.map_or(Sticks::No, |pin| pin.sticks(candidate, parameters, now)),
    };
    let evidences = snapshot.evidences();
    Some(evidences.with(candidate.index, |evidence| {
        cost(evidence, circumstances, parameters, now)
    }))
}

/// The whole of it; nothing where it is ordered by rank.
pub(super) fn total(cost: Option<Cost>) -> f64 {
    cost.map_or(0.0, |cost| cost.total())
}
