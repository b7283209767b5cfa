//! A request's hold on the candidate it asks (spec §4.7), and what goes into it.

use std::sync::Arc;
use std::time::Duration;

use super::Registry;
use crate::ledger::{Ask, Slot};
use crate::model::{Candidate, ClientName, Subject};

/// The chosen candidate, and what the request draws from its quotas.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The candidate.
    pub candidate: Arc<Candidate>,
    /// Its slot in the ledger.
    pub slot: Option<Slot>,
    /// How large the request is.
    pub ask: Ask,
    /// Whose it is.
    pub client: Option<ClientName>,
    /// Which key of its account it is asked with, if there are several.
    pub key: Option<Subject>,
    /// How long it usually takes to begin, if any of its subjects has rested: a probe that takes longer lets
    /// one more go (spec §4.7).
    pub usual: Duration,
}

/// Held while a candidate is asked. After a rest of any of its subjects (its model, its account, its key, ...) the
/// holder is the probe, and others wait for its outcome; dropping the claim lets the next one probe.
#[derive(Debug)]
pub struct Claim {
    registry: Arc<Registry>,
    candidate: Arc<Candidate>,
    key: Option<Subject>,
    /// Its number, if it is a probe.
    probe: Option<u64>,
}

impl Claim {
    pub(super) fn new(
        registry: Arc<Registry>,
        candidate: Arc<Candidate>,
        key: Option<Subject>,
        probe: Option<u64>,
    ) -> Self {
        Self {
            registry,
            candidate,
            key,
            probe,
        }
    }

    /// The candidate that it holds.
    #[must_use]
    pub fn candidate(&self) -> &Arc<Candidate> {
        &self.candidate
    }

    /// The key that the candidate is asked with, if its account has several.
    #[must_use]
    pub fn key(&self) -> Option<&Subject> {
        self.key.as_ref()
    }

    /// The model answers again, and so do its account and its provider.
    pub fn is_well(mut self) {
        self.end(|_| true);
    }

    /// The account and its provider answer again; the model rests anew.
    pub fn account_is_well(mut self) {
        self.end(Subject::is_shared);
    }

    fn end(&mut self, well: impl Fn(&Subject) -> bool) {
        if let Some(number) = self.probe.take() {
            self.registry.change(|rests| {
                for subject in self.candidate.subjects().iter().chain(&self.key) {
                    rests.probed(subject, number, well(subject));
                }
            });
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end(|_| false);
    }
}
