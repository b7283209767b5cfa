//! The one log line of a request: `request_done`, or `request_rejected` where none was walked (spec §7).

use serde::Serialize;

use super::{End, Ending, RequestRecord, whole_millis};
use crate::config::LogLevel;
use crate::live::AttemptRecord;
use crate::model::{ClientName, ModelId};
use crate::verdict::Outcome;

impl RequestRecord {
    pub(super) fn write(&self, ending: Ending, end: End) {
        let (level, reason, account, key_tail) = match ending {
            Ending::Rejected { reason, error, .. } => {
                return self.write_rejected(&reason, error, end);
            }
            Ending::Answered { .. } => (LogLevel::Info, None, None, None),
            Ending::Failed { .. } => (LogLevel::Warning, None, None, None),
            Ending::UpstreamKey {
                account, key_tail, ..
            } => {
                let reason = Some("upstream_auth_error");
                (LogLevel::Error, reason, account, key_tail)
            }
        };
        if !self.log.wants(level) {
            return;
        }
        let kept = self.trail.kept();
        let chosen = self.chosen(&kept.attempts);
        let done = Done {
            request_id: &self.trail.request_id,
            surface: self.surface.as_str(),
            client: &self.client,
            duration_ms: end.duration_ms,
            waited_ms: whole_millis(self.waited),
            status: end.status,
            status_sent: end.status_sent,
            chosen_model: chosen.map(|attempt| &attempt.model),
            place: chosen.and_then(|attempt| attempt.place),
            session: self.session,
            switched: chosen.is_some_and(|attempt| attempt.switches),
            stream: self.traits.stream,
            chunks_emitted: self.chunks_emitted,
            mid_stream_error: end.mid_stream_error,
            attempts: &kept.attempts,
            connect_failures: self.unreached.map(|unreached| ConnectFailures {
                count: unreached.count,
                cause: unreached.cause.as_str(),
            }),
            had_tools: self.traits.had_tools,
            had_response_format: self.traits.had_response_format,
            model_ignored: self.traits.model_ignored,
            wish: self.traits.wish(),
            reason,
            account,
            key_tail,
        };
        self.log.emit_at(end.now.wall, level, "request_done", &done);
    }

    /// The attempt whose model answered, or had begun to.
    pub(super) fn chosen<'a>(&self, attempts: &'a [AttemptRecord]) -> Option<&'a AttemptRecord> {
        let answered = |a: &&AttemptRecord| match a.outcome {
            Outcome::Success | Outcome::ClientDisconnected => true,
            Outcome::RateLimited
            | Outcome::UpstreamAuthError
            | Outcome::ClientError
            | Outcome::UpstreamError => self.chunks_emitted > 0,
        };
        attempts.last().filter(answered)
    }

    fn write_rejected(&self, reason: &str, error: Option<String>, end: End) {
        let rejected = Rejected {
            request_id: &self.trail.request_id,
            surface: self.surface.as_str(),
            client: &self.client,
            reason,
            error,
            had_tools: self.traits.had_tools,
            had_response_format: self.traits.had_response_format,
            had_seed: self.traits.had_seed,
            had_stop: self.traits.had_stop,
            status_sent: end.status_sent,
            model_ignored: self.traits.model_ignored,
            wish: self.traits.wish(),
            snapshot_size: self.snapshot_size,
        };
        let (at, level) = (end.now.wall, LogLevel::Info);
        self.log.emit_at(at, level, "request_rejected", &rejected);
    }
}

#[derive(Serialize)]
struct ConnectFailures {
    count: usize,
    cause: &'static str,
}

#[derive(Serialize)]
struct Done<'a> {
    request_id: &'a str,
    surface: &'static str,
    client: &'a ClientName,
    duration_ms: u64,
    waited_ms: u64,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_sent: Option<u16>,
    chosen_model: Option<&'a ModelId>,
    place: Option<u32>,
    session: bool,
    switched: bool,
    stream: bool,
    chunks_emitted: u64,
    mid_stream_error: Option<&'static str>,
    attempts: &'a [AttemptRecord],
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_failures: Option<ConnectFailures>,
    had_tools: bool,
    had_response_format: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    model_ignored: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    wish: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_tail: Option<String>,
}

#[derive(Serialize)]
struct Rejected<'a> {
    request_id: &'a str,
    surface: &'static str,
    client: &'a ClientName,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_sent: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    had_tools: bool,
    had_response_format: bool,
    had_seed: bool,
    had_stop: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    model_ignored: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    wish: Option<&'static str>,
    snapshot_size: usize,
}
