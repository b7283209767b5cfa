//! The candidates of one read of the lists.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use crate::model::{AccountId, Candidate, Offer, Subject};

/// One read of the lists, whole; nobody edits it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    offers: Vec<Arc<Offer>>,
    candidates: Vec<Arc<Candidate>>,
    accounts: Vec<Arc<AccountId>>,
    /// Provider and account of each of them.
    doors: Vec<[Subject; 2]>,
    /// The places of the listed candidates that have a name.
    names: HashMap<Box<str>, Vec<usize>>,
    least_context: Option<u64>,
    /// When it was read.
    pub fetched_at: SystemTime,
    /// Where it came from.
    pub source: Source,
}

/// What a snapshot is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The offers of the lists, best first; those of the user's own server behind all others.
    pub offers: Vec<Offer>,
    /// The router that the list names to fall back on (spec §9.9): behind all but the user's own
    /// server, and no model of the list.
    pub fallback: Option<Offer>,
    /// The accounts, in the order in which those of one provider are asked.
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
    /// The upstream's own catalogue (spec §9.4).
    Catalogue,
}

impl Source {
    /// As `/ready` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ranking => "ranking",
            Self::Catalogue => "catalogue",
        }
    }
}

impl Snapshot {
    /// Each offer through each account of its provider, in order. An offer whose provider has no
    /// account is left out.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            offers,
            fallback,
            accounts,
            fetched_at,
            source,
        } = parts;
        let has_account = |offer: &Offer| accounts.iter().any(|a| a.provider == offer.provider);
        let offers: Vec<_> = offers
            .into_iter()
            .filter(has_account)
            .map(Arc::new)
            .collect();
        let of = |offer: Arc<Offer>, is_listed| {
            let own = accounts.iter().enumerate();
            let own = own.filter(|(_, account)| account.provider == offer.provider);
            let through = own.map(|(place, account)| {
                let (offer, account) = (Arc::clone(&offer), Arc::clone(account));
                Candidate::new(offer, account, is_listed).in_place(place)
            });
            through.collect::<Vec<_>>()
        };
        let (own, others): (Vec<_>, Vec<_>) = offers
            .iter()
            .cloned()
            .partition(|offer| offer.provider.is_local());
        let candidates: Vec<_> = (others.into_iter().flat_map(|offer| of(offer, true)))
            .chain(
                fallback
                    .into_iter()
                    .flat_map(|offer| of(Arc::new(offer), false)),
            )
            .chain(own.into_iter().flat_map(|offer| of(offer, true)))
            .map(Arc::new)
            .collect();
        let mut names = HashMap::<Box<str>, Vec<usize>>::new();
        for (place, candidate) in candidates.iter().enumerate() {
            if candidate.is_listed {
                let name = candidate.offer.public_id.as_str().into();
                names.entry(name).or_default().push(place);
            }
        }
        let contexts = candidates.iter().filter_map(|c| c.offer.context_length);
        let door = |account: &Arc<AccountId>| {
            let provider = Subject::provider(&account.provider);
            [provider, Subject::account(account)]
        };
        Self {
            least_context: contexts.min(),
            doors: accounts.iter().map(door).collect(),
            offers,
            candidates,
            accounts,
            names,
            fetched_at,
            source,
        }
    }

    /// The listed offers, best first, whoever's they are and through however many accounts.
    #[must_use]
    pub fn offers(&self) -> &[Arc<Offer>] {
        &self.offers
    }

    /// All that may be asked, in order: the listed offers through their accounts, then the fallback
    /// router, then the user's own server.
    #[must_use]
    pub fn candidates(&self) -> &[Arc<Candidate>] {
        &self.candidates
    }

    /// The accounts.
    #[must_use]
    pub fn accounts(&self) -> &[Arc<AccountId>] {
        &self.accounts
    }

    /// Whom the verdicts on each account concern: its provider, itself.
    #[must_use]
    pub fn doors(&self) -> &[[Subject; 2]] {
        &self.doors
    }

    /// The listed offer of that public id.
    #[must_use]
    pub fn offer(&self, public_id: &str) -> Option<&Arc<Offer>> {
        self.named(public_id).next().map(|named| &named.offer)
    }

    /// The listed candidates that a name means, in order: those of a public id.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Arc<Candidate>> + Clone {
        let places = self.names.get(name).map_or(&[][..], Vec::as_slice);
        places
            .iter()
            .filter_map(|place| self.candidates.get(*place))
    }

    /// The smallest context of any, where one is known.
    #[must_use]
    pub fn least_context(&self) -> Option<u64> {
        self.least_context
    }
}
