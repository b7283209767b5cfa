//! What a request would cost at the candidates that may come first, worked out before the registry's lock is
//! taken: it is most of the work of a choice, and under the lock every other request would wait for it.

use std::sync::Arc;

use super::by::By;
use super::price::{Price, Prices, Starts};
use super::wants::Placed;
use super::{Kept, Wants};
use crate::clock::Now;
use crate::model::{Candidate, Offer};
use crate::registry::Snapshot;

/// Prices by position in a request's order. They run from the first as far as the walk would go if all were
/// awake; the walk works out those beyond itself.
#[derive(Debug, Default)]
pub struct Quote<'s> {
    /// Of those that are able, all of one tier.
    prices: Vec<Option<Price>>,
    /// The first of those that cost the least.
    cheapest: Option<(Placed<'s>, Price)>,
    /// The accounts of its offer, if a session would start there.
    starts: Option<Starts<'s>>,
    /// A window that the prompt does not fit into may be larger than lists say.
    may_fit: bool,
}

impl<'s> Quote<'s> {
    /// For a request of these wants; empty if they are ordered by rank.
    #[must_use]
    pub fn new(snapshot: &'s Snapshot, wants: Wants<'_>, now: Now) -> Self {
        let Some(mut work_out) = Prices::new(snapshot, wants.by, now) else {
            return Self::default();
        };
        let mut quote = Self {
            prices: Vec::with_capacity(16),
            ..Self::default()
        };
        let mut able: Option<(&Arc<Offer>, bool)> = None;
        for placed in wants.placed(snapshot) {
            if quote.ends_before(placed, wants.by) {
                break;
            }
            let offer = &placed.candidate.offer;
            // All accounts of an offer can do the same.
            let is_able = match able {
                Some((before, is_able)) if Arc::ptr_eq(before, offer) => is_able,
                Some(_) | None => {
                    let does = wants.needs.met_at(&offer.provider, offer.capabilities);
                    let fits = wants.fit_into(offer.context_length);
                    quote.may_fit |= does && !fits;
                    does && fits
                }
            };
            able = Some((offer, is_able));
            let is_asked = is_able && !wants.rules_out(placed.candidate);
            let price = is_asked.then(|| work_out.of(placed));
            if let Some(price) = price
                && (quote.cheapest).is_none_or(|(_, least)| price.least < least.least)
            {
                quote.cheapest = Some((placed, price));
            }
            quote.prices.push(price);
        }
        if let Some((cheapest, price)) = quote.cheapest
            && let Some(start) = wants.by.start(price.least, price.sticks)
        {
            quote.starts = Some(Starts::new(snapshot, cheapest.candidate, &start));
        }
        quote
    }

    /// Whether neither this candidate nor a later one can be cheaper than the cheapest so far.
    fn ends_before(&self, placed: Placed<'_>, by: By<'_>) -> bool {
        self.cheapest.is_some_and(|(first, price)| {
            first.tier != placed.tier || price.least <= by.at_least(placed.place)
        })
    }

    /// The first of those that cost the least.
    pub(super) fn cheapest(&self) -> Option<(Placed<'s>, Price)> {
        self.cheapest
    }

    /// Whether the best is the cheapest, costs no more than was quoted, and none that was left out can be better.
    pub(super) fn is_settled_by(&self, best: Kept<'_>) -> bool {
        let is_it = |(cheapest, price): (Placed<'_>, Price)| {
            cheapest.at == best.placed.at && best.cost <= price.least
        };
        !self.may_fit && self.cheapest.is_some_and(is_it)
    }

    /// The accounts of the cheapest candidate's offer, if this is one of them.
    pub(super) fn starts_of(&self, candidate: &Candidate) -> Option<&Starts<'s>> {
        let (cheapest, _) = self.cheapest?;
        let starts = self.starts.as_ref();
        starts.filter(|_| Arc::ptr_eq(&cheapest.candidate.offer, &candidate.offer))
    }

    /// The price of the candidate at this place of the order, as it is told here or as `work_out` finds it.
    pub(super) fn of(&self, at: usize, work_out: impl FnOnce() -> Option<Price>) -> Option<Price> {
        self.prices.get(at).copied().flatten().or_else(work_out)
    }

    /// How many from this place on are known to be no better than the best.
    pub(super) fn no_better(&self, from: usize, best: Option<Kept<'_>>) -> usize {
        let (Some(best), Some((cheapest, _))) = (best, self.cheapest) else {
            return 0;
        };
        if best.placed.tier != cheapest.tier {
            return 0;
        }
        let prices = self.prices.iter().enumerate().skip(from);
        let is_no_better = |(at, price): &(usize, &Option<Price>)| {
            price.is_some_and(|price| {
                let costs = price.least.total_cmp(&best.cost);
                costs.is_gt() || (costs.is_eq() && *at >= best.placed.at)
            })
        };
        prices.take_while(is_no_better).count()
    }
}
