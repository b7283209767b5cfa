//! How far a walk has got: what it has ruled out, and what it was told last.

use std::sync::Arc;
use std::time::Duration;

use super::way::Way;
use super::{Opened, Refusal};
use crate::answer::PassedAnswer;
use crate::config::Client;
use crate::learnt::{Pin, SessionKey};
use crate::model::{Candidate, Subject};
use crate::select::{Out, OutBy};
use crate::upstream::Unreachable;

/// How far a walk has got.
#[derive(Default)]
pub(super) struct Progress {
    /// How many candidates have been asked, or are being asked.
    pub(super) attempts: usize,
    /// What its attempts have ruled out.
    pub(super) out: Vec<Out>,
    /// The connections that failed, by provider.
    ways: Vec<(Subject, Way)>,
    /// Whether the provider asked now could not be reached lately.
    pub(super) was_unreached: bool,
    /// Why a provider that was passed over could not be reached.
    pub(super) unreached: Option<Unreachable>,
    pub(super) above_context: Option<u64>,
    /// The candidate that gave its session's last answer.
    pub(super) pin: Option<Pin>,
    pub(super) session: Option<SessionKey>,
    /// Whose request it is.
    pub(super) client: Option<Arc<Client>>,
    /// Whether an attempt was ended by the limit on its first token; only one may be.
    pub(super) has_ended_one: bool,
    /// The last model's refusal or empty answer; it counts only if every model gave one.
    pub(super) last: Option<LastWord>,
    /// Whether an attempt failed for a reason other than the request.
    pub(super) failed: bool,
    /// An account's refusal, worded for a proxy that has no other account.
    pub(super) told: Option<Refusal>,
    /// Set if it does not wait because too many are ahead of it: how long until its turn would come.
    pub(super) turn_in: Option<Duration>,
}

/// What the client gets if no model does better.
pub(super) enum LastWord {
    /// A refusal.
    Refused(PassedAnswer),
    /// An empty answer.
    Silent(Box<Opened>),
}

impl Progress {
    /// An attempt has ruled a subject out.
    pub(super) fn is_out(&mut self, subject: &Subject, by: OutBy) {
        let subject = subject.clone();
        self.out.push(Out { subject, by });
    }

    /// An attempt was wasted on a refused key: the candidate may be asked with another.
    pub(super) fn may_be_asked_again(&mut self, candidate: &Subject) {
        self.out.retain(|out| out.subject != *candidate);
    }

    /// An attempt begins.
    pub(super) fn asks(&mut self, candidate: &Candidate) {
        self.attempts += 1;
        self.is_out(candidate.itself(), OutBy::Tried);
    }

    /// The candidate asked last is out of a quota, and rests until that returns.
    pub(super) fn asked_is_spent(&mut self) {
        if let Some(asked) = self.out.last_mut() {
            asked.by = OutBy::Spent(None);
        }
    }

    /// What its attempts have ruled out for good, whatever returns while it waits.
    pub(super) fn out_for_good(&self) -> Vec<Out> {
        let for_good = |out: &&Out| !matches!(out.by, OutBy::Spent(_));
        self.out.iter().filter(for_good).cloned().collect()
    }

    /// The attempt that began last does not count: there was no connection.
    pub(super) fn take_back(&mut self) {
        self.attempts -= 1;
        self.out.pop();
    }

    /// There was a connection to a provider: if it breaks again, that is a new outage.
    pub(super) fn way_opens(&mut self, provider: &Subject) {
        self.ways.retain(|(known, _)| known != provider);
    }

    /// The failed connections to a provider.
    pub(super) fn way(&mut self, provider: &Subject) -> &mut Way {
        let known = self.ways.iter().position(|(known, _)| known == provider);
        let place = known.unwrap_or_else(|| {
            self.ways.push((provider.clone(), Way::default()));
            self.ways.len() - 1
        });
        &mut self.ways[place].1
    }
}
