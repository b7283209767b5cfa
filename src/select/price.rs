//! What a request would cost at a candidate (spec §11.1): the one function by which the walk, `explain`
//! and the first choice order the candidates of a tier.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Wants;
use super::by::By;
use super::fate::{Fate, fate};
use super::wants::Placed;
use crate::clock::Now;
use crate::learnt::{Circumstances, Cost, Sticks, cost, starts_on};
use crate::model::{Candidate, ModelId};
use crate::registry::{Knowledge, Snapshot};

/// What a request would cost at a candidate of this snapshot; `None` if the order is by rank.
pub(super) fn cost_of(
    placed: Placed<'_>,
    snapshot: &Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> Option<Cost> {
    let cost = cost_at_most(placed, snapshot, wants, now)?;
    Some(cost.at_quota(tight(placed.candidate, snapshot, known, now)))
}

/// The same as if its account's quota were used up: all that can be told without the registry's lock, which
/// what is known of attempts does not need.
pub(super) fn cost_at_most(
    placed: Placed<'_>,
    snapshot: &Snapshot,
    wants: Wants<'_>,
    now: Now,
) -> Option<Cost> {
    let By::Cost {
        rank_worth,
        parameters,
        pin,
        ..
    } = wants.by
    else {
        return None;
    };
    let Placed {
        candidate, place, ..
    } = placed;
    let circumstances = Circumstances {
        place,
        rank_worth,
        tight: 1.0,
        sticks: pin.map_or(Sticks::No, |pin| pin.sticks(candidate, parameters, now)),
    };
    let evidences = snapshot.evidences();
    Some(evidences.with(candidate.index, |evidence| {
        cost(evidence, circumstances, parameters, now)
    }))
}

/// How near its account's quotas are to being used up, 0 to 1.
fn tight(candidate: &Candidate, snapshot: &Snapshot, known: &Knowledge, now: Now) -> f64 {
    let slot = snapshot.slot(candidate);
    slot.map_or(0.0, |slot| known.ledger.tight(slot, now))
}

/// What a request would cost at each model now, in seconds, at its cheapest account, whether the model may be
/// asked or not. Empty if the order is the ranking's.
#[must_use]
pub fn costs<'s>(
    snapshot: &'s Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> BTreeMap<&'s ModelId, f64> {
    let mut costs = BTreeMap::new();
    for placed in wants.preference.placed(snapshot, wants.needs) {
        let Some(cost) = cost_of(placed, snapshot, wants, known, now) else {
            break;
        };
        let least = costs.entry(&placed.candidate.offer.public_id);
        let least = least.or_insert(f64::INFINITY);
        *least = least.min(cost.total());
    }
    costs
}

/// The candidate whose account a session starts on, where `best` is the cheapest. Of the accounts that may be
/// asked for the same offer, and cost no more than a warm account is worth, the session's hash picks one
/// (spec §11.4). A session that the best candidate's account has answered stays there.
pub(super) fn start<'s>(
    best: Placed<'s>,
    snapshot: &'s Snapshot,
    wants: Wants<'_>,
    known: &Knowledge,
    now: Now,
) -> &'s Arc<Candidate> {
    let accounts = snapshot.through_accounts(best.candidate);
    if accounts.len() < 2 {
        return best.candidate;
    }
    let price = |candidate| {
        let placed = Placed { candidate, ..best };
        cost_of(placed, snapshot, wants, known, now).unwrap_or_default()
    };
    let Some(start) = wants.by.start(|| price(best.candidate)) else {
        return best.candidate;
    };
    let may_be_asked = |candidate: &&'s Arc<Candidate>| {
        Arc::ptr_eq(candidate, best.candidate)
            || (price(candidate).total() <= start.most
                && fate(candidate, snapshot, wants, known, now) == Fate::Awake)
    };
    let of_offer = accounts.iter().filter(may_be_asked).map(|c| &*c.account);
    let account = starts_on(start.session, of_offer, start.salt);
    let chosen = account.and_then(|account| accounts.iter().find(|c| *c.account == *account));
    chosen.unwrap_or(best.candidate)
}

/// The whole cost; 0 if the order is by rank.
pub(super) fn total(cost: Option<Cost>) -> f64 {
    cost.map_or(0.0, |cost| cost.total())
}

/// The same without the quota's part.
pub(super) fn without_quota(cost: Option<Cost>) -> f64 {
    cost.map_or(0.0, |cost| cost.without_quota())
}

/// The same with its quota as tight as it is now.
pub(super) fn at_quota(
    cost: Option<Cost>,
    candidate: &Candidate,
    snapshot: &Snapshot,
    known: &Knowledge,
    now: Now,
) -> f64 {
    total(cost.map(|cost| cost.at_quota(tight(candidate, snapshot, known, now))))
}
