//! The candidates of one read of the lists.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use crate::learnt::Evidences;
use crate::ledger::Slot;
use crate::model::{
    AccountId, Candidate, CanonicalKey, ModelId, Offer, Place, ProviderId, Tier, without_latest,
};

/// One read of the lists, whole; it is never edited.
#[derive(Clone, Debug)]
pub struct Snapshot {
    offers: Vec<Arc<Offer>>,
    /// In the order for requests without tools, and for those with.
    candidates: [Arc<[Arc<Candidate>]>; 2],
    /// The tier and place of each of them.
    places: [Arc<[Place]>; 2],
    accounts: Vec<Arc<AccountId>>,
    /// The places of the listed candidates that have a name.
    names: HashMap<Box<str>, Vec<usize>>,
    /// The same by model.
    models: HashMap<CanonicalKey, Vec<usize>>,
    least_context: Option<u64>,
    /// Each candidate's slot in the ledger, by its index; empty until the snapshot is published.
    slots: Arc<[Slot]>,
    /// What attempts have taught about each; nothing until the snapshot is published.
    evidences: Evidences,
    /// When it was read.
    pub fetched_at: SystemTime,
    /// Where it came from.
    pub source: Source,
}

/// What a snapshot is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The offers of the lists, best first; those of the user's own server come after all others, except the ones
    /// that `MODEL_ORDER` names.
    pub offers: Vec<Arc<Offer>>,
    /// The same in the order for requests with tools, if that is another.
    pub with_tools: Option<Vec<Arc<Offer>>>,
    /// The places of the offers, in the order of `offers` and in that of `with_tools`. An offer without one has the
    /// first place of its tier.
    pub places: [Vec<Place>; 2],
    /// The router that the list names as a fallback (spec §2.4): after all but the user's own server, and not a
    /// model of the list.
    pub fallback: Option<Offer>,
    /// The accounts; those of one provider are asked in this order.
    pub accounts: Vec<Arc<AccountId>>,
    /// When they were read.
    pub fetched_at: SystemTime,
    /// Where they came from.
    pub source: Source,
}

/// Where a snapshot came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The public ranking.
    Ranking,
    /// The upstream's own catalogue (spec §2.3).
    Catalogue,
    /// The providers' own lists and rows, while there is no ranking (spec §10.7).
    Providers,
}

/// Empty, as of the epoch: to be filled in.
impl Default for Parts {
    fn default() -> Self {
        Self {
            offers: Vec::new(),
            with_tools: None,
            places: Default::default(),
            fallback: None,
            accounts: Vec::new(),
            fetched_at: SystemTime::UNIX_EPOCH,
            source: Source::Ranking,
        }
    }
}

impl Source {
    /// As `/ready` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ranking => "ranking",
            Self::Catalogue => "catalogue",
            Self::Providers => "providers",
        }
    }
}

impl Snapshot {
    /// Each offer through each account of its provider, in order. An offer whose provider has no
    /// account is left out.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            mut offers,
            with_tools,
            places,
            fallback,
            accounts,
            fetched_at,
            source,
        } = parts;
        let [placed, placed_with_tools] = places;
        let mut placed = placed_by_offer(&offers, placed);
        offers.retain(|offer| accounts.iter().any(|a| a.provider == offer.provider));
        let fallback = fallback.map(Arc::new);
        let plain = through_accounts(&offers, fallback.as_ref(), &accounts);
        let places = places_of(&plain, &placed);
        let with_tools: Option<Arc<[_]>> = with_tools.map(|offers| {
            placed = placed_by_offer(&offers, placed_with_tools);
            // In both orders, it is the same candidate.
            let known: HashMap<_, _> = plain.iter().map(|c| (key(c), Arc::clone(c))).collect();
            let all = through_accounts(&offers, fallback.as_ref(), &accounts);
            all.iter()
                .filter_map(|c| known.get(&key(c)).cloned())
                .collect()
        });
        let mut names = Names::default();
        for (place, candidate) in plain.iter().enumerate().filter(|(_, c)| c.is_listed) {
            names.add(place, candidate);
        }
        let contexts = plain.iter().filter_map(|c| c.offer.context_length);
        Self {
            least_context: contexts.min(),
            slots: Arc::default(),
            offers,
            places: match &with_tools {
                Some(candidates) => [places, places_of(candidates, &placed)],
                None => [Arc::clone(&places), places],
            },
            candidates: [Arc::clone(&plain), with_tools.unwrap_or(plain)],
            evidences: Evidences::default(),
            accounts,
            models: std::mem::take(&mut names.models),
            names: names.found(),
            fetched_at,
            source,
        }
    }

    /// The listed offers, best first, of all providers, each once however many accounts there are.
    #[must_use]
    pub fn offers(&self) -> &[Arc<Offer>] {
        &self.offers
    }

    /// All that may be asked, in the order for requests without tools: the listed offers through their accounts,
    /// then the fallback router, then the user's own server.
    #[must_use]
    pub fn candidates(&self) -> &[Arc<Candidate>] {
        self.in_order(false)
    }

    /// The same in the order for requests with tools, or without (spec §10.3).
    #[must_use]
    pub fn in_order(&self, with_tools: bool) -> &[Arc<Candidate>] {
        let [plain, tools] = &self.candidates;
        if with_tools { tools } else { plain }
    }

    /// The offer of one of its candidates through each account of its provider.
    #[must_use]
    pub fn through_accounts(&self, candidate: &Candidate) -> &[Arc<Candidate>] {
        let all = self.candidates();
        // The same offer is mostly the same value: that spares comparing its names.
        let is_same = |other: &Arc<Candidate>| {
            Arc::ptr_eq(&other.offer, &candidate.offer) || other.model() == candidate.model()
        };
        let (before, after) = all.split_at_checked(candidate.index).unwrap_or((all, &[]));
        let start = candidate.index - before.iter().rev().take_while(|c| is_same(c)).count();
        let end = candidate.index + after.iter().take_while(|c| is_same(c)).count();
        all.get(start..end).unwrap_or_default()
    }

    /// The places of the candidates in that order, one for each.
    #[must_use]
    pub fn places(&self, with_tools: bool) -> &[Place] {
        let [plain, tools] = &self.places;
        if with_tools { tools } else { plain }
    }

    /// What attempts have taught about its candidates.
    #[must_use]
    pub fn evidences(&self) -> &Evidences {
        &self.evidences
    }

    /// The same, with what attempts have taught about its candidates.
    #[must_use]
    pub fn with_evidences(self, evidences: Evidences) -> Self {
        Self { evidences, ..self }
    }

    /// The slot in the ledger of one of its candidates; `None` before it is published.
    #[must_use]
    pub fn slot(&self, candidate: &Candidate) -> Option<Slot> {
        self.slots.get(candidate.index).copied()
    }

    /// The same, with its candidates' slots in the ledger, in their order.
    pub(super) fn with_slots(self, slots: Vec<Slot>) -> Self {
        let slots = slots.into();
        Self { slots, ..self }
    }

    /// The accounts.
    #[must_use]
    pub fn accounts(&self) -> &[Arc<AccountId>] {
        &self.accounts
    }

    /// Whether it is one of the accounts.
    #[must_use]
    pub fn has_account(&self, account: &AccountId) -> bool {
        self.accounts.iter().any(|own| **own == *account)
    }

    /// The account that OpenRouter is judged by: its first.
    #[must_use]
    pub fn speaks_for_openrouter(&self) -> Option<&Arc<AccountId>> {
        let mut accounts = self.accounts.iter();
        accounts.find(|account| account.provider.is_openrouter())
    }

    /// The listed offer with this public id.
    #[must_use]
    pub fn offer(&self, public_id: &str) -> Option<&Arc<Offer>> {
        let is_it = |named: &&Arc<Candidate>| named.offer.public_id.as_str() == public_id;
        self.named(public_id).find(is_it).map(|named| &named.offer)
    }

    /// The listed candidates that a name means, in order (spec §10.2): a public id, `<provider>/auto`,
    /// `openrouter/<id>`, or a model however it is spelt.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Arc<Candidate>> + Clone {
        let by_name = |name: &str| self.names.get(name);
        let cut = without_latest(name);
        let by_model = || self.models.get(&CanonicalKey::of(cut));
        let places = by_name(name).or_else(|| by_name(cut)).or_else(by_model);
        let places = places.map_or(&[][..], Vec::as_slice);
        places
            .iter()
            .filter_map(|place| self.candidates().get(*place))
    }

    /// The smallest context of all, if any is known.
    #[must_use]
    pub fn least_context(&self) -> Option<u64> {
        self.least_context
    }
}

type PlacedByOffer = HashMap<(ProviderId, ModelId), Place>;

fn placed_by_offer(offers: &[Arc<Offer>], places: Vec<Place>) -> PlacedByOffer {
    let keys = offers.iter().map(|o| (o.provider.clone(), o.id.clone()));
    keys.zip(places).collect()
}

fn places_of(candidates: &[Arc<Candidate>], placed: &PlacedByOffer) -> Arc<[Place]> {
    let place = |candidate: &Arc<Candidate>| {
        let offer = &candidate.offer;
        let tier = match candidate.is_listed {
            false => Tier::Fallback,
            true if offer.provider.is_local() => Tier::Local,
            true => Tier::Rest,
        };
        let placed = placed.get(&(offer.provider.clone(), offer.id.clone()));
        let placed = placed.filter(|_| candidate.is_listed).copied();
        placed.unwrap_or(Place { tier, place: 0 })
    };
    candidates.iter().map(place).collect()
}

fn key(candidate: &Candidate) -> (Arc<AccountId>, ModelId) {
    (Arc::clone(&candidate.account), candidate.offer.id.clone())
}

/// Each offer through each account of its provider. The router comes before the user's own server, except the
/// offers of that server that `MODEL_ORDER` has put earlier.
fn through_accounts(
    offers: &[Arc<Offer>],
    fallback: Option<&Arc<Offer>>,
    accounts: &[Arc<AccountId>],
) -> Arc<[Arc<Candidate>]> {
    let through = |offer: &Arc<Offer>, is_listed| {
        let own = accounts.iter().enumerate();
        let own = own.filter(|(_, account)| account.provider == offer.provider);
        let candidate = |(place, account): (usize, &Arc<AccountId>)| {
            let candidate = Candidate::new(Arc::clone(offer), Arc::clone(account), is_listed);
            candidate.in_place(place)
        };
        own.map(candidate).collect::<Vec<_>>()
    };
    let is_other = |offer: &Arc<Offer>| !offer.provider.is_local();
    let others = offers.iter().rposition(is_other).map_or(0, |at| at + 1);
    let (others, local) = offers.split_at(others);
    (others.iter().flat_map(|offer| through(offer, true)))
        .chain(fallback.into_iter().flat_map(|offer| through(offer, false)))
        .chain(local.iter().flat_map(|offer| through(offer, true)))
        .enumerate()
        .map(|(index, candidate)| Arc::new(candidate.at(index)))
        .collect()
}

/// The names of candidates, the more exact ones first.
#[derive(Default)]
struct Names {
    exact: HashMap<Box<str>, Vec<usize>>,
    /// `<provider>/auto`, `openrouter/<id>`.
    broad: HashMap<Box<str>, Vec<usize>>,
    models: HashMap<CanonicalKey, Vec<usize>>,
}

impl Names {
    fn add(&mut self, place: usize, candidate: &Candidate) {
        let offer = &*candidate.offer;
        let public = offer.public_id.as_str();
        let is_openrouter = offer.provider.is_openrouter();
        let mut broad = vec![format!("{}/auto", offer.provider)];
        if is_openrouter {
            broad.push(format!("{}/{}", ProviderId::OPENROUTER, offer.id));
        }
        let cut = without_latest(public);
        broad.extend((cut != public).then(|| cut.to_owned()));
        for name in broad {
            self.broad.entry(name.into()).or_default().push(place);
        }
        self.exact.entry(public.into()).or_default().push(place);
        self.models
            .entry(offer.canonical.clone())
            .or_default()
            .push(place);
    }

    fn found(self) -> HashMap<Box<str>, Vec<usize>> {
        let mut names = self.broad;
        names.extend(self.exact);
        names
    }
}
