//! What is known of candidates at one moment: which rest, and what is left of their quotas.
//!
//! A plain value: the lock around it is the registry's. Nothing here decides which candidate is asked.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::queue::Granted;
use super::{Chosen, Rests, Snapshot};
use crate::clock::Now;
use crate::ledger::{Ledger, Reservation, Terms};
use crate::model::{Candidate, ProviderId, Subject};
use crate::provider::Provider;

/// Rests and quotas, under one lock: a candidate chosen by both is charged before any other is chosen. Most
/// questions concern the rests alone.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// What rests.
    pub rests: Rests,
    /// What each account may still be asked.
    pub ledger: Ledger,
}

impl Knowledge {
    /// Gives each candidate of a snapshot its slot in the ledger, by the rows of their providers.
    #[must_use]
    pub fn list(&mut self, snapshot: Snapshot, rows: &[Arc<Provider>], now: Now) -> Snapshot {
        let candidates = snapshot.candidates().iter();
        let with_terms = candidates.map(|c| (&**c, terms(rows, &c.offer.provider)));
        let slots = self.ledger.list(with_terms, now);
        snapshot.with_slots(slots)
    }

    /// A request is about to ask a candidate: it may be a probe, and is charged.
    pub(super) fn ask_chosen(
        &mut self,
        chosen: Chosen,
        now: Now,
    ) -> (
        Arc<Candidate>,
        Option<Subject>,
        Option<u64>,
        Option<Reservation>,
    ) {
        let Chosen {
            candidate,
            slot,
            ask,
            client,
            key,
            usual,
        } = chosen;
        let probe = self.rests.ask(&candidate, key.as_ref(), usual, now);
        let reservation = slot.map(|slot| self.ledger.reserve_for(slot, ask, client, now));
        (candidate, key, probe, reservation)
    }

    /// The same for a waiting request.
    pub(super) fn grant(&mut self, chosen: Chosen, list: &Arc<Snapshot>, now: Now) -> Granted {
        let (candidate, key, probe, reservation) = self.ask_chosen(chosen, now);
        Granted {
            list: Arc::clone(list),
            candidate,
            key,
            probe,
            reservation,
        }
    }

    /// The request that was let go has left without asking.
    pub(super) fn take_back(&mut self, granted: Granted, now: Now) {
        if let Some(number) = granted.probe {
            for subject in granted.candidate.subjects().iter().chain(&granted.key) {
                self.rests.probed(subject, number, false);
            }
        }
        if let Some(reservation) = granted.reservation {
            self.ledger.refund(reservation, now);
        }
    }

    /// Forgets rests and lessons when an operator clears them, but not what was used and stated.
    pub(super) fn forget(&mut self, now: Now) {
        self.rests.clear_all();
        self.ledger.forget_lessons(now);
    }

    /// The same of some providers' rests and lessons.
    pub(super) fn forget_of(&mut self, is_meant: impl Fn(&ProviderId) -> bool, now: Now) {
        self.rests.clear_of(&is_meant);
        self.ledger.forget_lessons_at(is_meant, now);
    }
}

/// What limits a provider's offers; nothing if its row is not known.
fn terms<'a>(rows: &'a [Arc<Provider>], provider: &ProviderId) -> Terms<'a> {
    let row = rows.iter().find(|row| row.id == *provider);
    Terms {
        limits: row.map_or(&[], |row| &row.limits),
        counts_max_tokens: row.is_some_and(|row| row.counts_max_tokens),
        day_ends: row.and_then(|row| row.day_ends),
    }
}

impl Deref for Knowledge {
    type Target = Rests;

    fn deref(&self) -> &Rests {
        &self.rests
    }
}

impl DerefMut for Knowledge {
    fn deref_mut(&mut self) -> &mut Rests {
        &mut self.rests
    }
}
