//! The order in which offers are asked (spec §10.3): tiers, and within the rest the ranking, with
//! unlisted models placed by quality.
//!
//! Pure, and computed once for each list: a request finds the order ready.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::quality::Quality;
use crate::model::{CanonicalKey, ModelId, ModelOrder, Offer, Place, Tier};

/// An offer's place for requests of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Which offer, as an index into the merged offers.
    pub at: usize,
    /// Its tier.
    pub tier: Tier,
    /// How many models come before it in its tier; twins share a place, and so do models about
    /// which nothing is known.
    pub place: usize,
}

impl Placed {
    /// The same without the offer.
    #[must_use]
    pub fn place(self) -> Place {
        Place {
            tier: self.tier,
            place: u32::try_from(self.place).unwrap_or(u32::MAX),
        }
    }
}

/// The ranking: its ids at OpenRouter and their models, best first.
pub(super) type Ranked = [(ModelId, CanonicalKey)];

/// Orders the offers. They are given by provider, the first provider's first, which is the order of
/// twins.
pub(super) fn places(
    offers: &[std::sync::Arc<Offer>],
    ranked: &Ranked,
    order: &ModelOrder,
    quality: impl Fn(&CanonicalKey) -> Quality,
    with_tools: bool,
) -> Vec<Placed> {
    let slots = Slots::new(offers, ranked, quality, with_tools);
    let lifted = order.among(offers);
    let mut keyed: Vec<_> = offers
        .iter()
        .enumerate()
        .map(|(at, offer)| {
            let slot = slots.of(offer);
            match lifted.iter().position(|entry| entry.is(offer)) {
                Some(entry) => (Tier::Ordered(entry), slot, at),
                None if offer.provider.is_local() => (Tier::Local, at, at),
                None => (Tier::Rest, slot, at),
            }
        })
        .collect();
    // The index makes the order total.
    keyed.sort_unstable();
    let mut placed: Vec<Placed> = Vec::with_capacity(keyed.len());
    let mut last = None;
    for (tier, slot, at) in keyed {
        let place = match (placed.last(), last) {
            (Some(before), Some((t, s))) if t == tier => before.place + usize::from(s != slot),
            _ => 0,
        };
        last = Some((tier, slot));
        placed.push(Placed { at, tier, place });
    }
    placed
}

/// A slot for each ranked entry and for each model between them; models about which nothing is
/// known share the last.
struct Slots<'a> {
    by_id: HashMap<&'a ModelId, usize>,
    by_key: HashMap<&'a CanonicalKey, usize>,
    last: usize,
}

impl<'a> Slots<'a> {
    fn new(
        offers: &'a [std::sync::Arc<Offer>],
        ranked: &'a Ranked,
        quality: impl Fn(&CanonicalKey) -> Quality,
        with_tools: bool,
    ) -> Self {
        let ranked_keys: BTreeSet<&CanonicalKey> = ranked.iter().map(|(_, key)| key).collect();
        let ranked_qualities: Vec<Quality> = ranked.iter().map(|(_, key)| quality(key)).collect();
        let is_lower = |one: &Quality, other: &Quality| {
            one.compare(other, with_tools) == Some(Ordering::Greater)
        };
        // By key first, so that the same models always come out the same.
        let unlisted: BTreeSet<&CanonicalKey> = offers
            .iter()
            .map(|offer| &offer.canonical)
            .filter(|key| !ranked_keys.contains(key))
            .collect();
        let mut before: BTreeMap<usize, Vec<(&CanonicalKey, Quality)>> = BTreeMap::new();
        for key in unlisted {
            let own = quality(key);
            if !own.is_known_for(with_tools) {
                continue;
            }
            let at = ranked_qualities
                .iter()
                .position(|ranked| is_lower(&own, ranked));
            let among = before.entry(at.unwrap_or(ranked.len())).or_default();
            let place = among.iter().position(|(_, other)| is_lower(&own, other));
            among.insert(place.unwrap_or(among.len()), (key, own));
        }
        let mut slots = Self {
            by_id: HashMap::new(),
            by_key: HashMap::new(),
            last: 0,
        };
        for at in 0..=ranked.len() {
            for (key, _) in before.get(&at).into_iter().flatten() {
                slots.by_key.insert(key, slots.last);
                slots.last += 1;
            }
            if let Some((id, key)) = ranked.get(at) {
                slots.by_id.insert(id, slots.last);
                slots.by_key.entry(key).or_insert(slots.last);
                slots.last += 1;
            }
        }
        slots
    }

    fn of(&self, offer: &Offer) -> usize {
        let own = self
            .by_id
            .get(&offer.id)
            .filter(|_| offer.provider.is_openrouter());
        let slot = own.or_else(|| self.by_key.get(&offer.canonical));
        slot.copied().unwrap_or(self.last)
    }
}

#[cfg(test)]
mod tests;
