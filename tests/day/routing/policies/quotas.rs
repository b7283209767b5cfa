//! The accounts' quotas in the program's ledger. It knows the days', as from the key endpoint; a minute's
//! is known by a refusal alone, and then the account rests.

use std::sync::Arc;

use free_llm_proxy::clock::Now;
use free_llm_proxy::ledger::{
    Ask, Counted, Ends, Ledger, Limit, LimitSource, Per, Slot, Terms, Unit, Used,
};
use free_llm_proxy::model::{AccountId, Candidate, ModelId, Offer, ProviderId};

use crate::routing::world::{A_DAY, Account, World};

/// No limit here is on tokens.
const ASK: Ask = Ask {
    prompt_bytes: 0,
    max_tokens: None,
};

pub struct Quotas {
    pub ledger: Ledger,
    /// By model.
    pub slots: Vec<Slot>,
}

impl Quotas {
    /// `before`: when what is gone of the day was used.
    pub fn new(world: &World, candidates: &[Candidate], before: Now) -> Self {
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
        let mut quotas = Self { ledger, slots };
        for (n, account) in world.accounts.iter().enumerate() {
            let model = world.models.iter().position(|model| model.account == n);
            for _ in account.day_left.unwrap_or(A_DAY)..A_DAY {
                quotas.draw(model.unwrap(), before);
            }
        }
        quotas
    }

    /// Counts an attempt, whatever comes of it.
    pub fn draw(&mut self, model: usize, now: Now) {
        let reservation = self.ledger.reserve(self.slots[model], ASK, now);
        let nothing = Used::Received { bytes: 0 };
        self.ledger.settle(reservation, nothing, false, now);
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
