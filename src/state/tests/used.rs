//! An account that is used, and what there is to keep of that. The bench of keeping includes this file, so only the
//! public API of the library is used here.

use std::sync::Arc;
use std::time::Duration;

use free_llm_proxy::answer::Usage;
use free_llm_proxy::clock::Now;
use free_llm_proxy::ledger::Ask;
use free_llm_proxy::model::{AccountId, Candidate, ModelId, Offer, ProviderId};
use free_llm_proxy::registry::{Chosen, Parts, Registry, Snapshot};
use free_llm_proxy::verdict::{AccountLimit, Because, Cause, OutOf, Outcome};

/// The list is read: these models at these providers, through these accounts.
pub(crate) fn list(
    registry: &Registry,
    models: impl IntoIterator<Item = (&'static str, ModelId)>,
    accounts: Vec<Arc<AccountId>>,
) {
    let offers = models.into_iter().map(|(provider, model)| {
        let provider = ProviderId::try_from(provider).expect("a name");
        Arc::new(Offer::at(provider, model))
    });
    registry.publish(Snapshot::new(Parts {
        offers: offers.collect(),
        accounts,
        ..Parts::default()
    }));
}

/// This candidate is asked so often.
pub(crate) fn is_asked(
    registry: &Arc<Registry>,
    list: &Snapshot,
    candidate: &Arc<Candidate>,
    times: u64,
) {
    for n in 0..times {
        let chosen = Chosen {
            candidate: Arc::clone(candidate),
            slot: list.slot(candidate),
            ask: Ask {
                prompt_bytes: 4000,
                max_tokens: Some(500),
            },
            client: None,
            key: None,
            usual: Duration::ZERO,
        };
        let (_, claim) = registry.claim(|_, _| ((), Some(chosen)));
        let (_, mut drawn) = claim.expect("nobody waits");
        drawn.told(Usage {
            prompt: Some(900 + n),
            completion: Some(200),
        });
    }
}

/// Why this candidate rests.
pub(crate) fn because(candidate: &Candidate, limit: Option<AccountLimit>, now: Now) -> Because {
    Because {
        model: candidate.offer.public_id.clone(),
        outcome: Outcome::RateLimited,
        status: Some(429),
        cause: Cause::Status,
        at: now.wall,
        of_quota: true,
        out_of: limit.map(|limit| OutOf {
            limit,
            answer: None,
            free_requests: None,
        }),
    }
}
