//! Merges all lists (spec §10.3, §10.7): ranking, OpenRouter's catalogue, one list for each
//! provider, rows, the user's file and switches in; the offers in their order out.
//!
//! Pure: the same lists always give the same offers. Rests and accounts are not known here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::catalogue::Catalogue;
use super::known::Known;
use super::offered::{self, NotOffered, Offered, Source};
use super::place::{Placed, places};
use super::quality::{BUILT_IN, Qualities, Quality};
use super::ranking::Ranking;
use crate::model::{CanonicalKey, ModelId, ModelOrder, Offer, ProviderId};

/// The input of a merge: each list as it was last read.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a> {
    /// The ranking; `None` if it was never read.
    pub ranking: Option<&'a Ranking>,
    /// OpenRouter's catalogue; `None` if it was never read.
    pub catalogue: Option<&'a Catalogue>,
    /// The providers that are on, in the order in which twins are asked.
    pub sources: &'a [Source<'a>],
    /// `MODEL_ORDER`.
    pub order: &'a ModelOrder,
    /// `ALLOW_PAID`.
    pub allow_paid: bool,
    /// `FALLBACK_ROUTER`.
    pub fallback_router: bool,
}

/// The offers, and their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// Every offer once, by provider.
    pub offers: Vec<Arc<Offer>>,
    /// The sources of the facts about each of them.
    pub known: Vec<Known>,
    /// The order for requests without tools.
    pub plain: Vec<Placed>,
    /// The order for requests with tools.
    pub with_tools: Vec<Placed>,
    /// The fallback router, which is not an offer of a list.
    pub fallback: Option<Offered>,
    /// What file or row names but no list offers.
    pub not_offered: Vec<NotOffered>,
}

impl Merged {
    /// The offers in the order for requests with tools, or without.
    pub fn in_order(&self, with_tools: bool) -> impl Iterator<Item = (&Arc<Offer>, Placed)> {
        let order = if with_tools {
            &self.with_tools
        } else {
            &self.plain
        };
        order
            .iter()
            .filter_map(|placed| Some((self.offers.get(placed.at)?, *placed)))
    }
}

/// Merges all lists.
#[must_use]
pub fn merge(lists: Lists<'_>) -> Merged {
    let mut merged = Merged::default();
    let mut seen = HashSet::new();
    let ranked = ranked(lists);
    let ranks = Ranks::new(&ranked);
    for source in lists.sources {
        let (offered, not_offered) = if source.provider.is_openrouter() {
            if lists.fallback_router && merged.fallback.is_none() {
                let router = |ranking| offered::fallback(*source, ranking, lists.catalogue);
                merged.fallback = lists.ranking.and_then(router);
            }
            offered::at_openrouter(*source, lists.ranking, lists.catalogue, lists.allow_paid)
        } else {
            offered::offered(*source, lists.catalogue, lists.allow_paid)
        };
        merged.not_offered.extend(not_offered);
        for Offered { mut offer, known } in offered {
            if seen.insert((offer.provider.clone(), offer.id.clone())) {
                offer.rank = ranks.of(&offer);
                merged.offers.push(Arc::new(offer));
                merged.known.push(known);
            }
        }
    }
    let judged = lists.catalogue.map(Catalogue::qualities);
    let quality = |key: &CanonicalKey| quality(key, judged);
    let ranked: Vec<_> = ranked
        .iter()
        .map(|(id, key, _)| (id.clone(), key.clone()))
        .collect();
    let order = |with_tools| places(&merged.offers, &ranked, lists.order, quality, with_tools);
    (merged.plain, merged.with_tools) = (order(false), order(true));
    merged
}

/// The ranking, best first. Without one, the catalogue's order counts if OpenRouter is the only
/// provider: with another one on, no model is ranked.
fn ranked(lists: Lists<'_>) -> Vec<(ModelId, CanonicalKey, i64)> {
    let is_beside = |provider: &ProviderId| !provider.is_openrouter() && !provider.is_local();
    let openrouter_alone = !lists.sources.iter().any(|s| is_beside(s.provider));
    let models: &[Offer] = match (lists.ranking, lists.catalogue) {
        (Some(ranking), _) => &ranking.models,
        (None, Some(catalogue)) if openrouter_alone => catalogue.free_models(),
        (None, _) => &[],
    };
    models
        .iter()
        .map(|model| {
            (
                model.id.clone(),
                model.canonical.clone(),
                model.rank.unwrap_or(i64::MAX),
            )
        })
        .collect()
}

/// The ranking's numbers: OpenRouter's own ids each have their own, twins elsewhere that of their
/// model.
struct Ranks<'a> {
    by_id: HashMap<&'a ModelId, i64>,
    by_key: HashMap<&'a CanonicalKey, i64>,
}

impl<'a> Ranks<'a> {
    fn new(ranked: &'a [(ModelId, CanonicalKey, i64)]) -> Self {
        // Backwards, so that the best rank of a model is the one that remains.
        let backwards = || ranked.iter().rev();
        Self {
            by_id: backwards().map(|(id, _, rank)| (id, *rank)).collect(),
            by_key: backwards().map(|(_, key, rank)| (key, *rank)).collect(),
        }
    }

    fn of(&self, offer: &Offer) -> Option<i64> {
        let own = self
            .by_id
            .get(&offer.id)
            .filter(|_| offer.provider.is_openrouter());
        own.or_else(|| self.by_key.get(&offer.canonical)).copied()
    }
}

fn quality(key: &CanonicalKey, judged: Option<&Qualities>) -> Quality {
    let judged = judged.and_then(|judged| judged.get(key));
    judged
        .or_else(|| BUILT_IN.get(key))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
