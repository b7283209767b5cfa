//! The accounts' quotas in the program's ledger. It knows the days', as from the key endpoint; a minute's
//! is known by a refusal alone, and then the account rests.

use std::sync::Arc;

use free_llm_proxy::clock::Now;
use free_llm_proxy::ledger::{
    Ask, Counted, Ends, Ledger, Limit, LimitSource, Per, Slot, Terms, Unit, Used,
};
use free_llm_proxy::model::{AccountId, Candidate, ModelId, Offer, ProviderId};
use free_llm_proxy::replay::{self, Moments};

use crate::routing::world::{A_DAY, Account, World};

/// No limit here is on tokens.
const ASK: Ask = Ask {
    prompt_bytes: 0,
    max_tokens: None,
};

pub struct Quotas {
    ledger: Ledger,
    /// By model.
    slots: Vec<Slot>,
    moments: Moments,
}

impl Quotas {
    /// `before`: when what is gone of the day was used.
    pub fn new(world: &World, candidates: &[Candidate], before: Now, moments: Moments) -> Self {
        let of_day = |account: &Account| account.day_left.map(|_| a_day()).into_iter().collect();
        let limits: Vec<Vec<Limit>> = world.accounts.iter().map(of_day).collect();
        let listed = world.models.iter().zip(candidates);
        let listed = listed.map(|(model, candidate)| {
            let terms = Terms {
                limits: &limits[model.account],
                counts_max_tokens: false,
                day_ends: None,
            };
            (candidate, terms)
        });
        let mut ledger = Ledger::default();
        let slots = ledger.list(listed, before);
        let mut quotas = Self {
            ledger,
            slots,
            moments,
        };
        for (n, account) in world.accounts.iter().enumerate() {
            let model = world.models.iter().position(|model| model.account == n);
            for _ in account.day_left.unwrap_or(A_DAY)..A_DAY {
                quotas.draw(model.unwrap(), before);
            }
        }
        quotas
    }

    /// Counts an attempt, whatever comes of it.
    fn draw(&mut self, model: usize, now: Now) {
        let reservation = self.ledger.reserve(self.slots[model], ASK, now);
        let nothing = Used::Received { bytes: 0 };
        self.ledger.settle(reservation, nothing, false, now);
    }
}

impl replay::Quotas for Quotas {
    fn draws(&mut self, model: usize, now: f64) {
        self.draw(model, self.moments.at(now));
    }

    fn tight(&self, model: usize, now: f64) -> f64 {
        self.ledger.tight(self.slots[model], self.moments.at(now))
    }

    fn day_left(&self, model: usize, now: f64) -> Option<f64> {
        self.ledger
            .day_left(self.slots[model], self.moments.at(now))
    }
}

fn a_day() -> Limit {
    Limit {
        amount: A_DAY.into(),
        unit: Unit::Requests,
        per: Per::Day,
        of: Counted::Account,
        ends: Some(Ends::Utc),
        models: Vec::new(),
        source: LimitSource::Set,
    }
}

/// The models as candidates, each through the one account of its provider.
pub fn candidates(world: &World) -> Vec<Candidate> {
    let providers = ["openrouter", "groq"].map(|name| ProviderId::try_from(name).unwrap());
    let models = world.models.iter().map(|model| {
        let provider = providers[model.account].clone();
        let id = ModelId::try_from(format!("world/model-{}:free", model.rank).as_str());
        let account = Arc::new(AccountId::only(provider.clone()));
        Candidate::new(Arc::new(Offer::at(provider, id.unwrap())), account, true)
    });
    models.collect()
}
