//! Which candidate gave a session's last answer: a soft pin, never a veto.

use std::collections::{BTreeMap, HashMap};

use super::SessionKey;
use crate::clock::Now;
use crate::learnt::Parameters;
use crate::model::{Candidate, Subject};

/// The candidate that gave a session's last answer, and when.
#[derive(Clone, Debug)]
pub struct Pin {
    offer: Subject,
    account: Subject,
    at: Now,
}

/// How a candidate is tied to a request's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sticks {
    /// Not at all.
    No,
    /// Its account gave the last answer, with another offer.
    ByAccount,
    /// It gave the last answer.
    Fully,
}

impl Sticks {
    /// The discount on its cost, in seconds.
    pub(in crate::learnt) fn worth(self, parameters: &Parameters) -> f64 {
        match self {
            Self::No => 0.0,
            Self::ByAccount => parameters.sticky_account,
            Self::Fully => parameters.sticky + parameters.sticky_account,
        }
    }
}

impl Pin {
    /// Whether this candidate gave the last answer, however long ago.
    #[must_use]
    pub fn is_of(&self, candidate: &Candidate) -> bool {
        self.account == *candidate.of_account() && self.offer == *candidate.model()
    }

    /// How a candidate is tied to the session.
    #[must_use]
    pub fn sticks(&self, candidate: &Candidate, parameters: &Parameters, now: Now) -> Sticks {
        let is_late = || now.since(self.at).as_secs_f64() > parameters.sticky_for;
        if self.account != *candidate.of_account() || is_late() {
            Sticks::No
        } else if self.is_of(candidate) {
            Sticks::Fully
        } else {
            Sticks::ByAccount
        }
    }
}

/// The pins of all sessions, bounded in number: the oldest is dropped.
#[derive(Clone, Debug, Default)]
pub struct Pins {
    pins: HashMap<SessionKey, (u64, Pin)>,
    /// In the order in which they were set.
    order: BTreeMap<u64, SessionKey>,
    set: u64,
}

impl Pins {
    /// The most pins kept.
    pub const MOST: usize = 10_000;

    /// Pins the session to a candidate that has answered.
    pub fn set(&mut self, session: SessionKey, candidate: &Candidate, now: Now) {
        self.set += 1;
        let pin = Pin {
            offer: candidate.model().clone(),
            account: candidate.of_account().clone(),
            at: now,
        };
        if let Some((before, _)) = self.pins.insert(session, (self.set, pin)) {
            self.order.remove(&before);
        }
        self.order.insert(self.set, session);
        if self.order.len() > Self::MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.pins.remove(&oldest);
        }
    }

    /// The pin of a session.
    #[must_use]
    pub fn of(&self, session: SessionKey) -> Option<&Pin> {
        self.pins.get(&session).map(|(_, pin)| pin)
    }

    /// How many pins there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pins.len()
    }

    /// Whether there are no pins.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pins.is_empty()
    }
}
