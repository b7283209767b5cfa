//! A chosen candidate, and what its claim needs: a key, a slot in the ledger, how long its probe may take.

use std::sync::Arc;
use std::time::Duration;

use super::account::Keyrings;
use super::progress::Progress;
use super::walk::Walker;
use crate::clock::Now;
use crate::model::Candidate;
use crate::registry::{Chosen, Claim, Drawn, Knowledge, Snapshot};
use crate::request::ChatRequest;
use crate::select::{Next, Quote, USUAL, Wants, next_quoted};
use crate::telemetry::Traffic;

/// No model is expected to begin sooner than this, so that one slow moment proves nothing.
const SOONEST: Duration = Duration::from_millis(250);

/// What a choice depends on besides what is known of candidates.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) accounts: &'a Keyrings,
    pub(super) traffic: &'a Traffic,
}

impl Walker {
    /// What a choice depends on besides what is known of candidates.
    fn with(&self) -> With<'_> {
        With {
            accounts: &self.accounts,
            traffic: &self.traffic,
        }
    }

    /// Chooses and claims the next candidate.
    pub(super) fn choose<'s>(
        &self,
        snapshot: Option<&'s Snapshot>,
        request: &ChatRequest,
        progress: &mut Progress,
        now: Now,
    ) -> (Next<'s>, Option<(Claim, Drawn)>) {
        let wants = self.wants(request, progress);
        let quote = snapshot.map(|list| Quote::new(list, wants, now));
        let quote = quote.unwrap_or_default();
        let choose_one = |known: &Knowledge, now| {
            let next = next_quoted(snapshot, wants, &quote, known, now);
            let candidate = next.candidate().cloned();
            let was_unreached = candidate
                .as_ref()
                .is_some_and(|candidate| known.was_unreached(candidate.provider()));
            let chosen = snapshot.zip(candidate);
            let chosen = chosen
                .map(|(list, candidate)| choose(list, wants, &candidate, known, now, self.with()));
            ((next, was_unreached), chosen)
        };
        let ((next, was_unreached), claim) = self.registry.claim(choose_one);
        progress.was_unreached = was_unreached;
        if let Some((claim, _)) = &claim {
            progress.asks(claim.candidate());
        }
        (next, claim)
    }
}

/// A candidate with all that its claim needs.
pub(super) fn choose(
    list: &Snapshot,
    wants: Wants<'_>,
    candidate: &Arc<Candidate>,
    known: &Knowledge,
    now: Now,
    with: With<'_>,
) -> Chosen {
    let keys = with.accounts.of(&candidate.account);
    let key = keys.and_then(|keys| keys.choose(known, wants.out, now).cloned());
    let usual = || usual(with.traffic, candidate);
    let usual = known.has_rested(candidate, key.as_ref()).then(usual);
    Chosen {
        slot: list.slot(candidate),
        ask: wants.ask(),
        client: wants.client.map(|client| client.name.clone()),
        usual: usual.unwrap_or_default(),
        key,
        candidate: Arc::clone(candidate),
    }
}

/// How long a model usually takes to begin, judging by its recent streams.
fn usual(traffic: &Traffic, candidate: &Candidate) -> Duration {
    let id = &candidate.offer.public_id;
    let [hour, day] = traffic.read(|live| live.figures(id, Now::read()));
    let shown = [hour, day].into_iter().flatten();
    let millis = shown.filter_map(|figures| figures.ttft_p50_ms).next();
    millis.map_or(USUAL, |millis| Duration::from_millis(millis).max(SOONEST))
}
