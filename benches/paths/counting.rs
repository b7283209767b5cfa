//! What is left of quotas.

use std::cell::RefCell;
use std::sync::Arc;

use free_llm_proxy::ledger::{
    Ask, Counted, Headroom, Ledger, Limit, LimitSource, Per, Slot, Terms, Unit, Used,
};
use free_llm_proxy::model::{AccountId, Candidate, Offer, ProviderId};

use super::{Ready, id, now, ready};

/// Ten accounts at five providers of fifty models each, with Groq's limits.
fn ledger() -> (Ledger, Vec<Slot>) {
    let limit = |amount, unit, per, of| Limit {
        amount,
        unit,
        per,
        of,
        ends: None,
        models: Vec::new(),
        source: LimitSource::Default,
    };
    let limits = [
        limit(30, Unit::Requests, Per::Minute, Counted::Model),
        limit(1000, Unit::Requests, Per::Day, Counted::Account),
        limit(8000, Unit::Tokens, Per::Minute, Counted::Model),
        limit(200_000, Unit::Tokens, Per::Day, Counted::Model),
    ];
    let terms = Terms {
        limits: &limits,
        counts_max_tokens: true,
        day_ends: None,
    };
    let candidates: Vec<Candidate> = (0..500)
        .map(|n| {
            let provider = format!("provider-{}", n / 100);
            let provider = ProviderId::try_from(provider.as_str()).expect("a name");
            let id = id(&format!("a/model-{}", n % 50));
            let account = AccountId::new(provider.clone(), &format!("account-{}", n / 50));
            let offer = Offer::at(provider, id);
            Candidate::new(Arc::new(offer), Arc::new(account), true)
        })
        .collect();
    let mut ledger = Ledger::default();
    let slots = ledger.list(candidates.iter().map(|c| (c, terms)), now());
    for slot in &slots {
        let reservation = ledger.reserve(*slot, ASK, now());
        ledger.settle(reservation, USED, true, now());
    }
    (ledger, slots)
}

pub(super) const ASK: Ask = Ask {
    prompt_bytes: 4000,
    max_tokens: Some(500),
};

pub(super) const USED: Used = Used::Told {
    tokens_in: 900,
    tokens_out: 200,
};

/// Whether each of 500 candidates has headroom, when all have.
pub(super) fn headroom() -> Ready {
    let (ledger, slots) = ledger();
    ready(None, move || {
        let now = now();
        let room = |slot: &&Slot| ledger.headroom(**slot, || ASK, now) == Headroom::Free;
        slots.iter().filter(room).count()
    })
}

/// One request charged and settled.
pub(super) fn charge() -> Ready {
    let (ledger, slots) = ledger();
    let ledger = RefCell::new(ledger);
    ready(None, move || {
        let mut ledger = ledger.borrow_mut();
        let reservation = ledger.reserve(slots[250], ASK, now());
        ledger.settle(reservation, USED, true, now());
    })
}
