//! How a record shows itself to the live figures and to those who listen.

use super::{End, RequestRecord};
use crate::clock::Now;
use crate::live::{AttemptRecord, Attempted, Finished, MAX_TRAIL, RequestOutcome};
use crate::telemetry::Happening;
use crate::verdict::Outcome;

impl RequestRecord {
    /// Shows an attempt that has just ended, perhaps by a failure of the whole account.
    pub(super) fn show(&mut self, attempt: &AttemptRecord, of_account: bool) {
        let attempted = Attempted {
            outcome: attempt.outcome,
            of_account,
            duration_ms: attempt.duration_ms,
            ttft_ms: self.ttft_ms.map(|(_, of_attempt)| of_attempt),
            completion_tokens: self.completion_tokens,
        };
        // A success ends with its request: one lock for both.
        if attempt.outcome == Outcome::Success {
            self.untold = Some(attempted);
        } else {
            self.traffic.attempt(&attempt.model, attempted, Now::read());
        }
        if self.traffic.is_heard() {
            self.traffic.tell(Happening::Attempt {
                request_id: self.request_id.as_str().into(),
                number: self.attempts.len() + 1,
                at: Now::read().wall,
                record: attempt.clone(),
                of_account,
            });
        }
    }

    /// Shows the request, which has ended. Nothing of the record is needed afterwards.
    pub(super) fn show_end(&mut self, end: End) {
        let chosen_model = self.chosen_model().cloned();
        let last = self.attempts.last().map(|attempt| attempt.model.clone());
        let attempt_count = self.attempts.len();
        let unreachable = self.unreached.filter(|last| last.attempts == attempt_count);
        self.attempts
            .drain(..attempt_count.saturating_sub(MAX_TRAIL));
        let finished = Finished {
            request_id: std::mem::take(&mut self.request_id),
            at: end.now.wall,
            outcome: RequestOutcome::of(end.status, end.mid_stream_error.is_some(), self.refused),
            status: end.status,
            code: self.code.take().or(end.mid_stream_error.map(Into::into)),
            chosen_model,
            stream: self.traits.stream,
            duration_ms: end.duration_ms,
            ttft_ms: self.ttft_ms.map(|(of_request, _)| of_request),
            completion_tokens: self.completion_tokens,
            chunks_emitted: self.chunks_emitted,
            had_tools: self.traits.had_tools,
            had_response_format: self.traits.had_response_format,
            unreachable: unreachable.map(|last| last.cause),
            attempt_count,
            attempts: std::mem::take(&mut self.attempts),
        };
        let untold = last.as_ref().zip(self.untold.take());
        self.traffic.request(untold, finished, end.now);
    }
}
