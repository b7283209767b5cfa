//! What a request would cost at the candidates that may come first, worked out before the registry's lock is
//! taken: it is most of the work of a choice, and under the lock every other request would wait for it.

use super::price::{cost_at_most, without_quota};
use super::wants::Placed;
use super::{By, Wants};
use crate::clock::Now;
use crate::learnt::Cost;
use crate::model::Tier;
use crate::registry::Snapshot;

/// Costs by position in a request's order, each as if the account's quota were used up. They run from the first
/// as far as the walk would go if all were awake; the walk works out those beyond itself.
#[derive(Debug, Default)]
pub struct Quote(Vec<Option<Cost>>);

impl Quote {
    /// For a request of these wants; empty if they are ordered by rank.
    #[must_use]
    pub fn new(snapshot: &Snapshot, wants: Wants<'_>, now: Now) -> Self {
        if matches!(wants.by, By::Rank) {
            return Self::default();
        }
        let mut costs = Vec::with_capacity(32);
        let mut best: Option<(Option<Tier>, f64)> = None;
        for placed in wants.preference.placed(snapshot, wants.needs) {
            let Placed {
                candidate,
                tier,
                place,
            } = placed;
            if best.is_some_and(|(first, least)| first != tier || least <= wants.by.at_least(place))
            {
                break;
            }
            let able = candidate.offer.capabilities;
            let can = wants.needs.met_at(&candidate.offer.provider, able)
                && wants.fit_into(candidate.offer.context_length)
                && !wants.rules_out(candidate);
            let cost = can
                .then(|| cost_at_most(placed, snapshot, wants, now))
                .flatten();
            if cost.is_some() {
                let least = without_quota(cost);
                best = Some((tier, best.map_or(least, |(_, before)| before.min(least))));
            }
            costs.push(cost);
        }
        Self(costs)
    }

    /// What the candidate at this position costs, as quoted or else as `work_out` finds.
    pub(super) fn of(&self, at: usize, work_out: impl FnOnce() -> Option<Cost>) -> Option<Cost> {
        self.0.get(at).copied().flatten().or_else(work_out)
    }
}
