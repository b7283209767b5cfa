//! What a request would cost at a candidate (spec §11.1): the one function by which the walk, `explain`
//! and the first choice order the candidates of a tier.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::by::{By, Start};
use super::fate::{Fate, fate};
use super::quote::Quote;
use super::wants::Placed;
use super::{Choice, Wants};
use crate::clock::Now;
use crate::learnt::{
    Circumstances, Cost, Evidences, Fades, Parameters, Pin, Sticks, cost_of_one, score,
};
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
    let cost = Prices::new(snapshot, wants.by, now)?.cost(placed);
    Some(cost.at_quota(tight(placed.candidate, snapshot, known, now)))
}

/// What a request would cost at one moment if all quotas were used up: all that can be told without the
/// registry's lock, which what is known of attempts does not need.
pub(super) struct Prices<'a> {
    evidences: &'a Evidences,
    rank_worth: f64,
    parameters: &'a Parameters,
    pin: Option<&'a Pin>,
    fades: Fades,
}

impl<'a> Prices<'a> {
    /// At the candidates of this snapshot; `None` where they are ordered by rank.
    pub(super) fn new(snapshot: &'a Snapshot, by: By<'a>, now: Now) -> Option<Self> {
        match by {
            By::Rank => None,
            By::Cost {
                rank_worth,
                parameters,
                pin,
                session: _,
            } => Some(Self {
                evidences: snapshot.evidences(),
                rank_worth,
                parameters,
                pin,
                fades: Fades::at(now),
            }),
        }
    }

    /// At this candidate.
    pub(super) fn of(&mut self, placed: Placed<'_>) -> Price {
        let cost = self.cost(placed);
        Price {
            least: cost.without_quota(),
            quota: cost.quota,
            sticks: cost.session > 0.0,
        }
    }

    fn cost(&mut self, placed: Placed<'_>) -> Cost {
        let Placed {
            candidate, place, ..
        } = placed;
        let (parameters, fades) = (self.parameters, &mut self.fades);
        let sticks = |pin: &Pin| pin.sticks(candidate, parameters, fades.now());
        let circumstances = Circumstances {
            place,
            rank_worth: self.rank_worth,
            tight: 1.0,
            sticks: self.pin.map_or(Sticks::No, sticks),
        };
        self.evidences.with(candidate.index, |evidence| {
            cost_of_one(evidence, circumstances, parameters, fades)
        })
    }
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
    for placed in wants.placed(snapshot) {
        let Some(cost) = cost_of(placed, snapshot, wants, known, now) else {
            break;
        };
        let least = costs.entry(&placed.candidate.offer.public_id);
        let least = least.or_insert(f64::INFINITY);
        *least = least.min(cost.total());
    }
    costs
}

/// What the walk compares of a cost, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Price {
    /// All of it but for the quota, and so never more.
    pub(super) least: f64,
    /// Of the quota, if that were used up.
    quota: f64,
    /// Something is taken off for the session's sake.
    pub(super) sticks: bool,
}

impl Price {
    /// All of it, as tight as its candidate's quota is now.
    pub(super) fn total(
        self,
        candidate: &Candidate,
        snapshot: &Snapshot,
        known: &Knowledge,
        now: Now,
    ) -> f64 {
        self.least + self.quota * tight(candidate, snapshot, known, now)
    }
}

/// The accounts of one offer, in the order in which a session would start on them (spec §11.4).
#[derive(Debug, Default)]
pub(super) struct Starts<'s>(Vec<(u64, &'s Arc<Candidate>)>);

impl<'s> Starts<'s> {
    /// The accounts of this candidate's offer; none if it has no other.
    pub(super) fn new(snapshot: &'s Snapshot, candidate: &Candidate, start: &Start) -> Self {
        let accounts = snapshot.through_accounts(candidate);
        if accounts.len() < 2 {
            return Self::default();
        }
        let scored = |candidate: &'s Arc<Candidate>| {
            let score = score(start.session, &candidate.account, start.salt);
            (score, candidate)
        };
        // Of two with the same score the last is the first.
        let mut scored: Vec<_> = accounts.iter().rev().map(scored).collect();
        scored.sort_by_key(|(score, _)| Reverse(*score));
        Self(scored)
    }
}

/// The candidate whose account a session starts on, where `best` is the cheapest: of the accounts that may be
/// asked for the same offer, and cost no more than a warm account is worth, the first in the session's order. A
/// session that the best candidate's account has answered stays there, and does not start.
pub(super) fn starts_on_one_of<'s>(
    best: Placed<'s>,
    start: Start,
    quote: &Quote<'s>,
    choice: Choice<'s, '_>,
) -> &'s Arc<Candidate> {
    let Choice {
        snapshot,
        wants,
        known,
        now,
    } = choice;
    let worked_out;
    let Starts(accounts) = match quote.starts_of(best.candidate) {
        Some(starts) => starts,
        None => {
            worked_out = Starts::new(snapshot, best.candidate, &start);
            &worked_out
        }
    };
    let mut prices = Prices::new(snapshot, wants.by, now);
    let mut may_be_asked = |candidate| {
        let placed = Placed { candidate, ..best };
        let price = prices.as_mut().map(|prices| prices.of(placed));
        let is_cheap = price.is_some_and(|price| {
            price.least <= start.most && price.total(candidate, snapshot, known, now) <= start.most
        });
        is_cheap && fate(candidate, snapshot, wants, known, now) == Fate::Awake
    };
    let mut accounts = accounts.iter().map(|(_, candidate)| *candidate);
    let first = accounts
        .find(|candidate| Arc::ptr_eq(candidate, best.candidate) || may_be_asked(candidate));
    first.unwrap_or(best.candidate)
}

/// The whole cost; 0 if the order is by rank.
pub(super) fn total(cost: Option<Cost>) -> f64 {
    cost.map_or(0.0, |cost| cost.total())
}
