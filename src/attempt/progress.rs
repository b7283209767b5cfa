//! How far a walk has come: whom it has ruled out, and what it was told last.

use std::time::Duration;

use super::way::Way;
use super::{Opened, Refusal};
use crate::answer::PassedAnswer;
use crate::learnt::{Pin, SessionKey};
use crate::model::{Candidate, Subject};
use crate::select::{Out, OutBy};
use crate::upstream::Unreachable;

/// How far a walk has come.
#[derive(Default)]
pub(super) struct Progress {
    /// How many candidates have been asked, or are being asked.
    pub(super) attempts: usize,
    /// Whom its attempts have ruled out.
    pub(super) out: Vec<Out>,
    /// The ways that failed, by provider.
    ways: Vec<(Subject, Way)>,
    /// The way to whom is asked now has failed lately.
    pub(super) was_unreached: bool,
    /// What kept a provider from being reached that was passed over.
    pub(super) unreached: Option<Unreachable>,
    pub(super) above_context: Option<u64>,
    /// Who gave the last answer of its session.
    pub(super) pin: Option<Pin>,
    pub(super) session: Option<SessionKey>,
    /// An attempt has ended by the limit on its first token: no other does.
    pub(super) has_ended_one: bool,
    /// What the last model said to this request that has no answer, while all of them did so.
    pub(super) last: Option<LastWord>,
    /// An attempt failed for another reason than the request.
    pub(super) failed: bool,
    /// What an account was refused with, in the words for a proxy that has no other.
    pub(super) told: Option<Refusal>,
    /// It does not wait, as too many do so before it: how long until its turn would come.
    pub(super) turn_in: Option<Duration>,
}

/// What the client gets if every model says the like.
pub(super) enum LastWord {
    /// A refusal.
    Refused(PassedAnswer),
    /// An answer without anything in it.
    Silent(Box<Opened>),
}

impl Progress {
    /// An attempt has ruled a subject out.
    pub(super) fn is_out(&mut self, subject: &Subject, by: OutBy) {
        let subject = subject.clone();
        self.out.push(Out { subject, by });
    }

    /// An attempt was for nothing, as the key was refused: the candidate may be asked with another.
    pub(super) fn may_be_asked_again(&mut self, candidate: &Subject) {
        self.out.retain(|out| out.subject != *candidate);
    }

    /// An attempt begins.
    pub(super) fn asks(&mut self, candidate: &Candidate) {
        self.attempts += 1;
        self.is_out(candidate.itself(), OutBy::Tried);
    }

    /// Who was asked last is out of a quota, and rests until that returns.
    pub(super) fn asked_is_spent(&mut self) {
        if let Some(asked) = self.out.last_mut() {
            asked.by = OutBy::Spent(None);
        }
    }

    /// Whom its attempts have ruled out whatever returns while it waits.
    pub(super) fn out_for_good(&self) -> Vec<Out> {
        let for_good = |out: &&Out| !matches!(out.by, OutBy::Spent(_));
        self.out.iter().filter(for_good).cloned().collect()
    }

    /// The attempt that began last was none: nobody was reached.
    pub(super) fn take_back(&mut self) {
        self.attempts -= 1;
        self.out.pop();
    }

    /// The way to a provider.
    pub(super) fn way(&mut self, provider: &Subject) -> &mut Way {
        let known = self.ways.iter().position(|(known, _)| known == provider);
        let place = known.unwrap_or_else(|| {
            self.ways.push((provider.clone(), Way::default()));
            self.ways.len() - 1
        });
        &mut self.ways[place].1
    }
}
