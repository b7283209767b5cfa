//! What goes into a trace about a request and its attempts (spec §11.8).

use super::RequestRecord;
use super::attempt::{Attempt, Trail, is_by_itself};
use crate::clock::Now;
use crate::learnt::teaches;
use crate::live::AttemptRecord;
use crate::telemetry::trace::{Asks, millis, rests};
use crate::trace::{Asked, Ended, Rests, Whom};
use crate::verdict::{Cause, Failure, Outcome, Scope};

impl RequestRecord {
    /// Whether a trace is written.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.traffic.recorder().is_on()
    }

    /// Notes what the request asks for, for the trace.
    pub fn asks(&self, asks: Asks) {
        let ago = Now::steady().saturating_duration_since(self.started);
        if let Some(traced) = self.traffic.recorder().request(asks, ago) {
            self.trail.traced.get_or_init(|| traced);
        }
    }

    /// It ends with this status: writes a line if that is more than its attempts tell. `waits`: it was still
    /// waiting.
    pub(super) fn trace_end(&self, status: u16, waits: bool) {
        let ended = match status {
            _ if self.trail.is_cut() => Ended::Left,
            499 => Ended::Left,
            429 | 500.. => Ended::Unasked,
            _ => return,
        };
        let is_told = self.trail.count() > 0 && !waits && !self.waited_in_vain;
        if let (false, Some(traced)) = (is_told, self.trail.traced.get()) {
            traced.write(&traced.line(ended));
        }
    }
}

impl Trail {
    fn number(&self) -> u32 {
        u32::try_from(self.kept().attempts.len())
            .map_or(u32::MAX, |before| before.saturating_add(1))
    }
}

impl Attempt {
    /// Writes the attempt's line, if a trace is written.
    pub(super) fn write_trace(&self, attempt: &AttemptRecord, failure: Option<&Failure>) {
        let (Some(traced), Some(stands)) = (self.trail.traced.get(), self.stands) else {
            return;
        };
        let kept = self.trail.kept();
        let (first_ms, usage) = (kept.ttft_ms, kept.usage);
        drop(kept);
        let mut line = traced.line(ended(attempt, failure, first_ms.is_some()));
        let (rests, wait_ms) = failure.map_or((Rests::No, None), |failure| {
            rests(failure, attempt.cooldown_until)
        });
        line.asked = Some(Asked {
            number: self.trail.number(),
            after_ms: millis(self.begun.saturating_duration_since(self.trail.started)),
            offer: attempt.model.to_string(),
            provider: attempt.provider.to_string(),
            account: attempt.account.label.to_string(),
            tier: stands.tier,
            place: stands.place,
            context: self.candidate.offer.context_length,
            tight: stands.tight,
            day_left: stands.day_left,
            first_ms,
            total_ms: attempt.duration_ms,
            prompt_tokens: usage.prompt,
            output_tokens: usage.completion,
            status: attempt.status,
            cause: attempt.cause.map(|cause| cause.as_str().to_owned()),
            scope: failure.map(|failure| whom(failure.scope)),
            teaches: failure.is_some_and(teaches),
            by_limit: self.by_limit,
            rests,
            wait_ms,
        });
        traced.write(&line);
    }
}

fn ended(attempt: &AttemptRecord, failure: Option<&Failure>, had_begun: bool) -> Ended {
    match (attempt.outcome, failure) {
        (Outcome::Success, _) => Ended::Whole,
        (Outcome::ClientDisconnected, _) => Ended::Left,
        _ if attempt.cause == Some(Cause::ShuttingDown) => Ended::Left,
        (_, Some(_)) if had_begun => Ended::Broken,
        (_, Some(failure)) if is_by_itself(failure) => Ended::Refused,
        _ => Ended::Failed,
    }
}

fn whom(scope: Scope) -> Whom {
    match scope {
        Scope::Request => Whom::Request,
        Scope::Candidate => Whom::Candidate,
        Scope::Model => Whom::Model,
        Scope::Account(_) => Whom::Account,
        Scope::Key => Whom::Key,
        Scope::Provider => Whom::Provider,
    }
}
