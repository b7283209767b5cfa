//! Which models a provider offers, and what is known about each (spec §10.1, §10.7).
//!
//! Pure. Three things decide: the models in the user's file, what the provider's row says about its
//! list, and what could be billed. The order of offers is decided elsewhere.

use super::catalogue::Catalogue;
use super::facts::Facts;
use super::known::{Gathered, Known, ToldBy};
use super::provider_list::{Entry, Price, ProviderList};
use super::ranking::Ranking;
use crate::model::{CanonicalKey, Capabilities, ModelId, Offer, ProviderId};
use crate::provider::{List, OfferRow, Provider};

/// A provider that is on, and its latest list.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Which.
    pub provider: &'a ProviderId,
    /// What its list decides.
    pub rule: &'a List,
    /// The models of its row.
    pub row: &'a [OfferRow],
    /// The file's models; if given, only these are offered.
    pub file: Option<&'a [OfferRow]>,
    /// Its list as it was last read; `None` if it never was. OpenRouter's are the ranking and the
    /// catalogue.
    pub list: Option<&'a ProviderList>,
    /// It is not built in, but defined in the file.
    pub custom: bool,
    /// Ids that do not end in `:free` could be billed: OpenRouter, and a relay of it.
    pub named_free: bool,
    /// What its row refuses although it must not be dropped: no model there can do it, whatever a
    /// list says.
    pub lacks: Capabilities,
}

impl<'a> Source<'a> {
    /// A provider from its row, with its list as it was last read. `named_free` says whether the
    /// `:free` rule applies to its address and key (spec §10.7).
    #[must_use]
    pub fn new(row: &'a Provider, list: Option<&'a ProviderList>, named_free: bool) -> Self {
        Self {
            provider: &row.id,
            rule: &row.list,
            row: &row.models,
            file: row.only.as_deref(),
            list,
            custom: row.custom,
            named_free,
            lacks: row.fields.bound(Capabilities::default()),
        }
    }
}

/// An offer, and the sources of its facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// The offer.
    pub offer: Offer,
    /// The source of each fact.
    pub known: Known,
}

/// A model that is named but not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotOffered {
    /// Where.
    pub provider: ProviderId,
    /// The id there.
    pub id: ModelId,
    /// Why.
    pub why: WhyNot,
}

/// Why a model is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyNot {
    /// The provider's list does not have it, or not as a chat model.
    NotListed,
    /// It could be billed, and `ALLOW_PAID` is off.
    Costs,
}

impl WhyNot {
    /// In words, for people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotListed => "the provider's list does not have it",
            Self::Costs => "it could be billed, and ALLOW_PAID is off",
        }
    }
}

/// A model that is named or listed, before anything is decided.
struct Named<'a> {
    id: ModelId,
    entry: Option<&'a Entry>,
    file: Option<&'a OfferRow>,
}

/// What a provider other than OpenRouter offers, in the order of its list or of the file that names
/// it.
pub(super) fn offered(
    source: Source<'_>,
    catalogue: Option<&Catalogue>,
    allow_paid: bool,
) -> (Vec<Offered>, Vec<NotOffered>) {
    let mut not_offered = Vec::new();
    let mut taken = Vec::new();
    let named = source.file.map(|file| (file, true)).or_else(|| {
        let row_decides = !source.rule.decides || source.list.is_none();
        row_decides.then_some((source.row, false))
    });
    match (named, source.list) {
        (None, list) => {
            let entries = list.into_iter().flat_map(|list| &list.entries);
            let free = entries.filter(|entry| allow_paid || source.is_free(&entry.id, Some(entry)));
            taken.extend(free.map(|entry| Named {
                id: entry.id.clone(),
                entry: Some(entry),
                file: None,
            }));
        }
        (Some((models, of_file)), list) => {
            for model in models {
                let entry = list.and_then(|list| list.entry(&model.id));
                let mut refuse = |why| {
                    not_offered.push(NotOffered {
                        provider: source.provider.clone(),
                        id: model.id.clone(),
                        why,
                    });
                };
                if list.is_some() && entry.is_none() {
                    refuse(WhyNot::NotListed);
                } else if allow_paid || source.is_free(&model.id, entry) {
                    taken.push(Named {
                        id: entry.map_or_else(|| bare(&model.id), |entry| entry.id.clone()),
                        entry,
                        file: of_file.then_some(model),
                    });
                } else {
                    refuse(WhyNot::Costs);
                }
            }
        }
    }
    let offered = taken
        .into_iter()
        .map(|named| source.offer(named, catalogue));
    (offered.collect(), not_offered)
}

/// What OpenRouter offers: the ranking's models, or without a ranking the catalogue's free ones.
pub(super) fn at_openrouter(
    source: Source<'_>,
    ranking: Option<&Ranking>,
    catalogue: Option<&Catalogue>,
    allow_paid: bool,
) -> (Vec<Offered>, Vec<NotOffered>) {
    let listed: &[Offer] = match (ranking, catalogue) {
        (Some(ranking), _) => &ranking.models,
        (None, Some(catalogue)) => catalogue.free_models(),
        (None, None) => &[],
    };
    let offer = |id: &ModelId, listed: Option<&Offer>, file: Option<&OfferRow>| {
        let of_row = source.row.iter().find(|model| model.id == *id);
        let mut gathered = Gathered::default();
        for (facts, by) in [
            (file.map(of_offer_row), ToldBy::File),
            (listed.map(of_model), ToldBy::List),
            (of_row.map(of_offer_row), ToldBy::Row),
            (catalogue.and_then(|c| c.facts(id)), ToldBy::Catalogue),
        ] {
            gathered = gathered.add(facts.unwrap_or_default(), by);
        }
        let name = listed.and_then(|model| model.name.clone());
        Offered {
            known: gathered.known,
            offer: made(source.provider, id.clone(), name, gathered.facts),
        }
    };
    let Some(file) = source.file else {
        let all = listed.iter();
        return (
            all.map(|model| offer(&model.id, Some(model), None))
                .collect(),
            Vec::new(),
        );
    };
    let (mut offered, mut not_offered) = (Vec::new(), Vec::new());
    for model in file {
        let entry = listed.iter().find(|listed| listed.id == model.id);
        let there = entry.is_some() || catalogue.is_some_and(|c| c.has(&model.id));
        let read = ranking.is_some() || catalogue.is_some();
        let why = if !there && read {
            WhyNot::NotListed
        } else if allow_paid || source.is_free(&model.id, None) {
            offered.push(offer(&model.id, entry, Some(model)));
            continue;
        } else {
            WhyNot::Costs
        };
        not_offered.push(NotOffered {
            provider: source.provider.clone(),
            id: model.id.clone(),
            why,
        });
    }
    (offered, not_offered)
}

/// The router that the ranking falls back on, with what the catalogue knows about it.
pub(super) fn fallback(
    source: Source<'_>,
    ranking: &Ranking,
    catalogue: Option<&Catalogue>,
) -> Option<Offered> {
    let router = ranking.fallback.as_ref()?;
    let known = catalogue.and_then(|c| c.facts(&router.id));
    let gathered = Gathered::default()
        .add(of_model(router), ToldBy::List)
        .add(known.unwrap_or_default(), ToldBy::Catalogue);
    Some(Offered {
        known: gathered.known,
        offer: made(
            source.provider,
            router.id.clone(),
            router.name.clone(),
            gathered.facts,
        ),
    })
}

impl Source<'_> {
    /// Whether it is free of charge, judging by names and prices.
    fn is_free(&self, id: &ModelId, entry: Option<&Entry>) -> bool {
        let in_row = || self.row.iter().any(|model| bare(&model.id) == bare(id));
        let by_price = match entry {
            Some(entry) => entry.price == Price::Zero,
            // While the list is not readable, what the built-in row knows to be free.
            None => in_row(),
        };
        (!self.named_free || id.is_named_free())
            && (!self.rule.priced || self.is_openrouters() || by_price)
    }

    fn is_openrouters(&self) -> bool {
        self.provider.is_openrouter()
    }

    fn offer(&self, named: Named<'_>, catalogue: Option<&Catalogue>) -> Offered {
        let Named { id, entry, file } = named;
        let of_row = self.row.iter().find(|model| bare(&model.id) == id);
        let is_local = self.provider.is_local();
        // What others serve says nothing about the user's own machine.
        let twin = catalogue
            .filter(|_| !is_local)
            .and_then(|catalogue| catalogue.facts_of_twin(&CanonicalKey::of(id.as_str())));
        let refused = Facts {
            capabilities: self.lacks,
            ..Facts::default()
        };
        let mut gathered = Gathered::default();
        for (facts, by) in [
            (file.map(of_offer_row), ToldBy::File),
            (Some(refused), ToldBy::Row),
            (entry.map(|entry| entry.facts), ToldBy::List),
            (of_row.map(of_offer_row), ToldBy::Row),
            (twin, ToldBy::Catalogue),
        ] {
            gathered = gathered.add(facts.unwrap_or_default(), by);
        }
        if is_local {
            gathered = gathered.assume_local(self.list.is_some_and(|list| list.is_ollama));
        } else if self.custom || catalogue.is_none() {
            gathered = gathered.assume_able();
        }
        let name = entry.and_then(|entry| entry.name.clone());
        let told = gathered.known.context_length;
        let offer = Offer {
            window_is_guessed: matches!(told, ToldBy::Catalogue | ToldBy::Unknown),
            ..made(self.provider, id, name, gathered.facts)
        };
        Offered {
            known: gathered.known,
            offer,
        }
    }
}

fn made(provider: &ProviderId, id: ModelId, name: Option<String>, facts: Facts) -> Offer {
    Offer {
        name,
        context_length: facts.context_length,
        max_output: facts.max_output,
        capabilities: facts.capabilities,
        ..Offer::at(provider.clone(), id)
    }
}

/// Google's ids appear with and without a `models/` prefix.
fn bare(id: &ModelId) -> ModelId {
    let bare = id.as_str().strip_prefix("models/");
    let bare = bare.and_then(|bare| ModelId::try_from(bare).ok());
    bare.unwrap_or_else(|| id.clone())
}

fn of_offer_row(row: &OfferRow) -> Facts {
    Facts {
        context_length: row.context,
        max_output: row.output,
        capabilities: row.capabilities,
    }
}

fn of_model(model: &Offer) -> Facts {
    Facts {
        context_length: model.context_length,
        max_output: None,
        capabilities: model.capabilities,
    }
}

#[cfg(test)]
mod tests;
