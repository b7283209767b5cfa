//! What a request would cost at the candidates that may come first, worked out before the registry's lock is
//! taken: it is most of the work of a choice, and under the lock every other request would wait for it.

use std::sync::Arc;

use super::Wants;
use super::price::{Price, Prices};
use super::wants::Placed;
use crate::clock::Now;
use crate::model::{Offer, Tier};
use crate::registry::Snapshot;

/// Prices by position in a request's order. They run from the first as far as the walk would go if all were
/// awake; the walk works out those beyond itself.
#[derive(Debug, Default)]
pub struct Quote {
    /// Of those that are able, all of one tier.
    prices: Vec<Option<Price>>,
    tier: Option<Tier>,
}

impl Quote {
    /// For a request of these wants; empty if they are ordered by rank.
    #[must_use]
    pub fn new(snapshot: &Snapshot, wants: Wants<'_>, now: Now) -> Self {
        let Some(mut work_out) = Prices::new(snapshot, wants.by, now) else {
            return Self::default();
        };
        let mut prices = Vec::with_capacity(64);
        let mut best: Option<(Option<Tier>, f64)> = None;
        let mut able: Option<(&Arc<Offer>, bool)> = None;
        for placed in wants.placed(snapshot) {
            let Placed {
                candidate,
                tier,
                place,
            } = placed;
            if best.is_some_and(|(first, least)| first != tier || least <= wants.by.at_least(place))
            {
                break;
            }
            let offer = &candidate.offer;
            // All accounts of an offer can do the same.
            let is_able = match able {
                Some((before, is_able)) if Arc::ptr_eq(before, offer) => is_able,
                Some(_) | None => {
                    wants.needs.met_at(&offer.provider, offer.capabilities)
                        && wants.fit_into(offer.context_length)
                }
            };
            able = Some((offer, is_able));
            let price = (is_able && !wants.rules_out(candidate)).then(|| work_out.of(placed));
            if let Some(Price { least, .. }) = price {
                best = Some((tier, best.map_or(least, |(_, before)| before.min(least))));
            }
            prices.push(price);
        }
        let tier = best.and_then(|(tier, _)| tier);
        Self { prices, tier }
    }

    /// The price of the candidate at this place of the order, as it is told here or as `work_out` finds it.
    pub(super) fn of(&self, at: usize, work_out: impl FnOnce() -> Option<Price>) -> Option<Price> {
        self.prices.get(at).copied().flatten().or_else(work_out)
    }

    /// How many from this place on are known not to be cheaper than one of that tier that costs that.
    pub(super) fn no_better(&self, from: usize, tier: Option<Tier>, cost: f64) -> usize {
        let prices = self.prices.get(from..).unwrap_or_default();
        let is_no_better = |price: &&Option<Price>| price.is_some_and(|price| price.least >= cost);
        match tier == self.tier {
            true => prices.iter().take_while(is_no_better).count(),
            false => 0,
        }
    }
}
