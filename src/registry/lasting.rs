//! The door for what outlives the process (spec §12.3): everything known that is worth keeping, out and in. Neither
//! is on the path of a request.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::Registry;
use super::rests::SavedRests;
use crate::clock::Now;
use crate::learnt::SavedEvidence;
use crate::ledger::{SavedAllowances, SavedLedger};
use crate::model::Whom;

/// What outlives the process, by whom each part concerns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lasting<W> {
    rests: SavedRests<W>,
    ledger: SavedLedger<W>,
    learnt: Vec<(W, SavedEvidence)>,
    /// What clients have used of their limits.
    #[serde(default, skip_serializing_if = "SavedAllowances::is_empty")]
    clients: SavedAllowances,
}

impl<W> Default for Lasting<W> {
    fn default() -> Self {
        Self {
            rests: SavedRests::default(),
            ledger: SavedLedger::default(),
            learnt: Vec::new(),
            clients: SavedAllowances::default(),
        }
    }
}

impl<W> Lasting<W> {
    /// The same without learnt figures.
    pub fn leave_out_learnt(&mut self) {
        self.learnt = Vec::new();
    }

    /// The same about others: those that `whom` does not know are left out.
    pub fn about<V>(self, mut whom: impl FnMut(W) -> Option<V>) -> Lasting<V> {
        let learnt = self.learnt.into_iter();
        Lasting {
            rests: self.rests.about(&mut whom),
            ledger: self.ledger.about(&mut whom),
            learnt: learnt
                .filter_map(|(about, evidence)| Some((whom(about)?, evidence)))
                .collect(),
            clients: self.clients,
        }
    }
}

impl Registry {
    /// What is worth keeping now, and the moment.
    #[must_use]
    pub fn export(&self) -> (Lasting<Whom>, Now) {
        let (known, _, now) = self.copy();
        let learnt = self.cells().save(&self.settings.load().learning, now);
        let lasting = Lasting {
            rests: known.rests.save(now),
            ledger: known.ledger.save(now),
            learnt,
            clients: self.allowances().save(now),
        };
        (lasting, now)
    }

    /// Whether anything has changed since this was last asked.
    pub fn is_unkept(&self) -> bool {
        std::mem::take(&mut self.lock().has_changed)
    }

    /// Takes over what an earlier process has exported at `saved_at`: the later end of each rest, and counts if nothing
    /// has been counted yet.
    pub fn merge(&self, lasting: Lasting<Whom>, saved_at: SystemTime, now: Now) {
        self.cells().restore(
            lasting.learnt,
            saved_at,
            &self.settings.load().learning,
            now,
        );
        self.allowances().restore(lasting.clients, saved_at, now);
        self.change(|known| {
            known.rests.restore(lasting.rests, saved_at, now);
            known.ledger.restore(lasting.ledger, saved_at, now);
        });
    }
}
