//! How a record that has ended is passed to the live figures and to the listeners.

use super::{End, RequestRecord};
use crate::live::{Finished, MAX_TRAIL, RequestOutcome};

impl RequestRecord {
    /// Shows the request, which has ended. The record is not needed afterwards.
    pub(super) fn show_end(&mut self, end: End) {
        let mut kept = std::mem::take(&mut *self.trail.kept());
        let chosen_model = self
            .chosen(&kept.attempts)
            .map(|attempt| attempt.model.clone());
        let last = kept.attempts.last().map(|attempt| attempt.model.clone());
        let attempt_count = kept.attempts.len();
        let unreachable = self.unreached.filter(|last| last.attempts == attempt_count);
        kept.attempts
            .drain(..attempt_count.saturating_sub(MAX_TRAIL));
        let finished = Finished {
            request_id: self.trail.request_id.to_string(),
            client: self.client.clone(),
            at: end.now.wall,
            outcome: RequestOutcome::of(end.status, end.mid_stream_error.is_some(), kept.refused),
            status: end.status,
            code: self.code.take().or(end.mid_stream_error.map(Into::into)),
            chosen_model,
            stream: self.traits.stream,
            duration_ms: end.duration_ms,
            ttft_ms: self.ttft_ms,
            completion_tokens: kept.usage.completion,
            chunks_emitted: self.chunks_emitted,
            had_tools: self.traits.had_tools,
            had_response_format: self.traits.had_response_format,
            unreachable: unreachable.map(|last| last.cause),
            attempt_count,
            attempts: kept.attempts,
        };
        let untold = last.as_ref().zip(kept.untold);
        self.traffic.request(untold, finished, end.now);
    }
}
