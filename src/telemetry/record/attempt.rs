//! An attempt in progress, as a value: it ends with its record, and dropping it means it was
//! abandoned.
//!
//! It knows its request's trail but not the request's record, so several may be in progress at
//! once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use super::millis;
use crate::answer::Usage;
use crate::clock::Now;
use crate::live::{AttemptRecord, Attempted};
use crate::model::Candidate;
use crate::telemetry::trace::{Stands, Traced};
use crate::telemetry::{Happening, Metrics, Traffic};
use crate::verdict::{Cause, Failure, Outcome, Scope};

/// The attempts of one request, shared by everything that ends one or must report how many there are.
#[derive(Debug)]
pub struct Trail {
    pub(super) request_id: Arc<str>,
    pub(super) started: Instant,
    /// Where a trace is written.
    pub(super) traced: OnceLock<Traced>,
    metrics: Arc<Metrics>,
    traffic: Arc<Traffic>,
    begun: AtomicUsize,
    cut: AtomicBool,
    kept: Mutex<Kept>,
}

/// What is kept about them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Those that have ended.
    pub(super) attempts: Vec<AttemptRecord>,
    /// The last one failed, and the request was not to blame.
    pub(super) refused: bool,
    /// The last one, until it is added to the figures.
    pub(super) untold: Option<Attempted>,
    /// From asking the model to its first useful event.
    pub(super) ttft_ms: Option<u64>,
    /// What the answer used, as far as the upstream reported it.
    pub(super) usage: Usage,
}

/// How a candidate was chosen for a request (spec §11.7).
#[derive(Clone, Copy, Debug, Default)]
pub struct Chosen {
    /// Models before it in its tier.
    pub place: Option<u32>,
    /// The last answer of the request's session came from another candidate.
    pub switches: bool,
}

/// An attempt in progress.
#[derive(Debug)]
pub struct Attempt {
    pub(super) trail: Arc<Trail>,
    pub(super) candidate: Arc<Candidate>,
    chosen: Chosen,
    pub(super) begun: Instant,
    pub(super) stands: Option<Stands>,
    pub(super) by_limit: bool,
    has_ended: bool,
}

impl Trail {
    pub(super) fn new(
        request_id: &str,
        started: Instant,
        metrics: Arc<Metrics>,
        traffic: Arc<Traffic>,
    ) -> Self {
        Self {
            request_id: request_id.into(),
            started,
            traced: OnceLock::new(),
            metrics,
            traffic,
            begun: AtomicUsize::new(0),
            cut: AtomicBool::new(false),
            kept: Mutex::default(),
        }
    }

    /// How many attempts there are, including those in progress.
    #[must_use]
    pub fn count(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// The proxy has to stop: an attempt abandoned from here on is abandoned for that reason.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Whether it was cut off by the proxy.
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        // Each attempt is added as a whole, so a panic elsewhere leaves them usable.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an attempt that has just ended, and shows it. `of_account`: it failed for the whole
    /// account. `refused`: for a failure, whether the request is not to blame.
    fn add(&self, attempt: AttemptRecord, of_account: bool, refused: Option<bool>) {
        let mut kept = self.kept();
        kept.refused = refused.unwrap_or(kept.refused);
        let attempted = Attempted {
            outcome: attempt.outcome,
            of_account,
            duration_ms: attempt.duration_ms,
            ttft_ms: kept.ttft_ms,
            completion_tokens: kept.usage.completion,
        };
        // A success ends together with its request: one lock for both.
        if attempt.outcome == Outcome::Success {
            kept.untold = Some(attempted);
        } else {
            self.traffic.attempt(&attempt.model, attempted, Now::read());
        }
        if self.traffic.is_heard() {
            self.traffic.tell(Happening::Attempt {
                request_id: Arc::clone(&self.request_id),
                number: kept.attempts.len() + 1,
                at: Now::read().wall,
                record: attempt.clone(),
                of_account,
            });
        }
        kept.attempts.push(attempt);
    }
}

impl Attempt {
    pub(super) fn begin(trail: &Arc<Trail>, candidate: &Arc<Candidate>, chosen: Chosen) -> Self {
        trail.begun.fetch_add(1, Ordering::Relaxed);
        Self {
            trail: Arc::clone(trail),
            candidate: Arc::clone(candidate),
            chosen,
            begun: Now::steady(),
            stands: None,
            by_limit: false,
            has_ended: false,
        }
    }

    /// The id of its request.
    #[must_use]
    pub fn request_id(&self) -> &Arc<str> {
        &self.trail.request_id
    }

    /// When it began.
    #[must_use]
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Notes its candidate's place and quota, for the trace.
    pub fn stands(&mut self, stands: Stands) {
        self.stands = Some(stands);
    }

    /// It was ended because its first token took too long.
    pub fn is_late(&mut self) {
        self.by_limit = true;
    }

    /// It does not count: there was no connection.
    pub fn was_none(mut self) {
        self.has_ended = true;
        self.trail.begun.fetch_sub(1, Ordering::Relaxed);
    }

    /// It has ended.
    pub fn ends(
        mut self,
        outcome: Outcome,
        status: Option<u16>,
        cause: Option<Cause>,
        cooldown_until: Option<SystemTime>,
    ) {
        self.end(outcome, (status, cause, cooldown_until), None);
    }

    /// It has failed; `outcome` puts that in the client's terms.
    pub fn fails(
        mut self,
        outcome: Outcome,
        failure: &Failure,
        cooldown_until: Option<SystemTime>,
    ) {
        let end = (failure.status, Some(failure.cause), cooldown_until);
        self.end(outcome, end, Some(failure));
    }

    fn end(
        &mut self,
        outcome: Outcome,
        (status, cause, cooldown_until): (Option<u16>, Option<Cause>, Option<SystemTime>),
        failure: Option<&Failure>,
    ) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let candidate = &self.candidate;
        self.trail.metrics.attempt(&candidate.offer, outcome);
        let attempt = AttemptRecord {
            model: candidate.offer.public_id.clone(),
            provider: candidate.account.provider.clone(),
            account: (*candidate.account).clone(),
            place: self.chosen.place,
            switches: self.chosen.switches,
            outcome,
            status,
            cause,
            duration_ms: millis(self.begun),
            cooldown_until,
        };
        self.write_trace(&attempt, failure);
        let of_account = failure.is_some_and(|failure| {
            matches!(
                failure.scope,
                Scope::Account(_) | Scope::Key | Scope::Provider
            )
        });
        let refused = failure.map(|failure| !is_by_itself(failure));
        self.trail.add(attempt, of_account, refused);
    }
}

/// Whether the request is to blame for a failure: it is too long, needs something the model lacks, or is
/// restricted by its own routing. Another request would have been served.
pub(super) fn is_by_itself(failure: &Failure) -> bool {
    failure.scope == Scope::Request || failure.lesson.is_some() || failure.owed
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let (outcome, cause) = if self.trail.is_cut() {
            (Outcome::UpstreamError, Some(Cause::ShuttingDown))
        } else {
            (Outcome::ClientDisconnected, None)
        };
        self.end(outcome, (None, cause, None), None);
    }
}
