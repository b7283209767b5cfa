//! The record of one chat request: it ends as exactly one log line and its metrics.
//!
//! Dropping a record ends it, so that no exit path of a request can forget to. Dropping it without
//! an ending means that the request was interrupted because the client left.

mod attempt;
mod line;
mod shown;
mod traced;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use attempt::{Attempt, Chosen, Trail};

use super::{Log, Metrics, Traffic};
use crate::answer::Usage;
use crate::clock::Now;
use crate::live::AttemptRecord;
use crate::model::{Candidate, ClientName, Offer, Wish};
use crate::surface::Surface;
use crate::upstream::Unreachable;

/// What a request contains, as far as the log reports it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits {
    /// It wants a stream.
    pub stream: bool,
    /// It has tools.
    pub had_tools: bool,
    /// It has a `response_format`.
    pub had_response_format: bool,
    /// It has a `seed`.
    pub had_seed: bool,
    /// It has a `stop`.
    pub had_stop: bool,
    /// It names a model, and model names are ignored.
    pub model_ignored: bool,
    /// How it wants its model to be chosen.
    pub wish: Wish,
}

impl Traits {
    /// The wish, if it differs from the setting.
    fn wish(self) -> Option<&'static str> {
        (self.wish != Wish::Auto).then(|| self.wish.as_str())
    }
}

/// How a request ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The client got the upstream's answer, either good or (a 4xx) the client's own fault.
    Answered {
        /// The status it got.
        status: u16,
    },
    /// Every attempt failed, or the stream broke off.
    Failed {
        /// The status the client got.
        status: u16,
        /// The code of the error frame, if the status had already been sent.
        mid_stream_error: Option<&'static str>,
    },
    /// The upstream refuses our key: the operator must act.
    UpstreamKey {
        /// The status the client got.
        status: u16,
        /// The code of the error frame, if the status had already been sent.
        mid_stream_error: Option<&'static str>,
        /// The label of the account whose key it is.
        account: Option<String>,
        /// What may be shown of the key.
        key_tail: Option<String>,
    },
    /// Refused before any attempt.
    Rejected {
        /// The status the client got.
        status: u16,
        /// The code of the error frame, if the status had already been sent.
        mid_stream_error: Option<&'static str>,
        /// The error's code.
        reason: Cow<'static, str>,
        /// Where a body stops being JSON.
        error: Option<String>,
    },
}

/// The record of one chat request.
#[derive(Debug)]
pub struct RequestRecord {
    log: Log,
    metrics: Arc<Metrics>,
    traffic: Arc<Traffic>,
    surface: Surface,
    client: ClientName,
    started: Instant,
    trail: Arc<Trail>,
    traits: Traits,
    snapshot_size: usize,
    unreached: Option<Unreached>,
    waited: Duration,
    waits_since: Option<Instant>,
    waited_in_vain: bool,
    /// It belongs to a session.
    session: bool,
    streaming: bool,
    /// From the request's head to the first useful event.
    ttft_ms: Option<u64>,
    code: Option<Cow<'static, str>>,
    /// The status that was sent.
    sent: Option<u16>,
    chunks_emitted: u64,
    ending: Option<Ending>,
}

impl RequestRecord {
    /// Starts the record of a client's request that has just arrived, with this many models to choose from.
    #[must_use]
    pub fn new(
        log: Log,
        metrics: Arc<Metrics>,
        traffic: Arc<Traffic>,
        request_id: &str,
        surface: Surface,
        client: ClientName,
        snapshot_size: usize,
    ) -> Self {
        let started = Now::steady();
        let trail = Trail::new(
            request_id,
            started,
            Arc::clone(&metrics),
            Arc::clone(&traffic),
        );
        Self {
            log,
            metrics,
            traffic,
            trail: Arc::new(trail),
            surface,
            client,
            started,
            traits: Traits::default(),
            snapshot_size,
            unreached: None,
            waited: Duration::ZERO,
            waits_since: None,
            waited_in_vain: false,
            session: false,
            streaming: false,
            ttft_ms: None,
            code: None,
            sent: None,
            chunks_emitted: 0,
            ending: None,
        }
    }

    /// Notes what the request contains.
    pub fn describe(&mut self, traits: Traits) {
        self.traits = traits;
    }

    /// Notes that it belongs to a session.
    pub fn of_session(&mut self) {
        self.session = true;
    }

    /// Counts the models that its needs rule out.
    pub fn filtered_out(&self, offers: &Arc<[Arc<Offer>]>) {
        self.metrics.filtered_out(offers);
    }

    /// When the request arrived.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// An attempt begins. It must be dropped before the record is.
    #[must_use]
    pub fn attempt(&self, candidate: &Arc<Candidate>, chosen: Chosen) -> Attempt {
        Attempt::begin(&self.trail, candidate, chosen)
    }

    /// An attempt was ended because its first token took too long.
    pub fn first_token_limit_hit(&self) {
        self.metrics.first_token_limit_hit();
    }

    /// An attempt does not count, because there was no connection.
    pub fn unreached(&mut self, cause: Unreachable) {
        self.metrics.unreached(cause);
        let before = self.unreached.map_or(0, |before| before.count);
        self.unreached = Some(Unreached {
            count: before + 1,
            cause,
            attempts: self.trail.kept().attempts.len(),
        });
    }

    /// It begins to wait for a candidate.
    pub fn waits(&mut self) {
        self.waits_since = Some(Now::steady());
    }

    /// It has stopped waiting.
    pub fn has_waited(&mut self) {
        if let Some(since) = self.waits_since.take() {
            self.waited += Now::steady().saturating_duration_since(since);
        }
    }

    /// It has stopped waiting, and there is still nobody to ask.
    pub fn waited_in_vain(&mut self) {
        self.has_waited();
        self.waited_in_vain = true;
    }

    /// How many attempts there are, including those in progress.
    #[must_use]
    pub fn attempt_count(&self) -> usize {
        self.trail.count()
    }

    /// The attempts, for a caller that must count them while the walk continues.
    #[must_use]
    pub fn trail(&self) -> Arc<Trail> {
        Arc::clone(&self.trail)
    }

    /// The attempts that have ended.
    #[must_use]
    pub fn attempts(&self) -> Vec<AttemptRecord> {
        self.trail.kept().attempts.clone()
    }

    /// A streamed answer begins, from an attempt that began at `asked`.
    pub fn stream_begins(&mut self, asked: Option<Instant>) {
        if !self.streaming {
            self.streaming = true;
            self.metrics.open_streams(1);
            let asked = asked.unwrap_or(self.started);
            let now = Now::steady();
            let of_request = now.saturating_duration_since(self.started);
            let of_attempt = now.saturating_duration_since(asked);
            self.metrics.first_event(of_request.as_secs_f64());
            self.ttft_ms = Some(whole_millis(of_request));
            self.trail.kept().ttft_ms = Some(whole_millis(of_attempt));
        }
    }

    /// How many tokens the prompt and the answer have, as far as reported.
    pub fn counted(&mut self, used: Usage) {
        if used.prompt.is_some() || used.completion.is_some() {
            let known = &mut self.trail.kept().usage;
            known.prompt = used.prompt.or(known.prompt);
            known.completion = used.completion.or(known.completion);
        }
    }

    /// Events have been sent to the client.
    pub fn emitted(&mut self, events: u64) {
        self.chunks_emitted += events;
    }

    /// The client gets an error with this code.
    pub fn failed_with(&mut self, code: Cow<'static, str>) {
        self.code = Some(code);
    }

    /// The client was sent this status: ours, or the one that makes it show the error.
    pub fn sent_as(&mut self, status: u16) {
        self.sent = Some(status);
    }

    /// The request has ended; only the first ending counts.
    pub fn ends(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }
}

/// How it ended, whatever the case.
#[derive(Clone, Copy)]
struct End {
    status: u16,
    /// Set if the client was sent a different one.
    status_sent: Option<u16>,
    mid_stream_error: Option<&'static str>,
    duration_ms: u64,
    now: Now,
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if self.streaming {
            self.metrics.open_streams(-1);
        }
        // Its client may have left while it was waiting.
        let waits = self.waits_since.is_some();
        self.has_waited();
        if !self.waited.is_zero() {
            self.metrics.waited(self.waited.as_secs_f64());
        }
        let interrupted = if std::thread::panicking() { 500 } else { 499 };
        let ending = self.ending.take().unwrap_or(Ending::Answered {
            status: interrupted,
        });
        let (status, mid_stream_error) = match &ending {
            Ending::Answered { status } => (*status, None),
            Ending::Failed {
                status,
                mid_stream_error,
            }
            | Ending::Rejected {
                status,
                mid_stream_error,
                ..
            }
            | Ending::UpstreamKey {
                status,
                mid_stream_error,
                ..
            } => (*status, *mid_stream_error),
        };
        let label = if mid_stream_error.is_some() {
            format!("{status}/mid_error")
        } else {
            status.to_string()
        };
        let now = Now::read();
        let took = now.steady.saturating_duration_since(self.started);
        self.metrics
            .request(self.surface, &self.client, &label, took.as_secs_f64());
        let status_sent = self.sent.filter(|sent| *sent != status);
        if let Some(sent) = status_sent {
            self.metrics.sent_as(status, sent);
        }
        let end = End {
            status,
            status_sent,
            mid_stream_error,
            duration_ms: whole_millis(took),
            now,
        };
        self.trace_end(status, waits);
        self.write(ending, end);
        self.show_end(end);
    }
}

/// The tries that failed to connect.
#[derive(Clone, Copy, Debug)]
struct Unreached {
    count: usize,
    /// Why the last of them failed.
    cause: Unreachable,
    /// How many attempts there had been before it.
    attempts: usize,
}

fn millis(since: Instant) -> u64 {
    whole_millis(Now::steady().saturating_duration_since(since))
}

fn whole_millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
