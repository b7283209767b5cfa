//! The recorder (`TRACE_FILE`, spec §11.8): a line for each attempt, for `replay`.
//!
//! Writing never holds up a request: lines go into a bounded queue, and those that do not fit into it or on
//! the disk are counted. Prompts, answers and keys must never get here.

mod file;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use file::TraceFile;
pub use file::Unwritable;

use super::queue::{Queue, Writer};
use super::{Log, Metrics};
use crate::clock::Now;
use crate::config::LogLevel;
use crate::learnt::{Salt, SessionKey};
use crate::trace::{Line, Rests};
use crate::verdict::{Failure, Rest};

/// Where the lines of a trace go. Cheap to clone; the default writes nothing.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Option<Arc<Recording>>);

#[derive(Debug)]
struct Recording {
    run: String,
    salt: Salt,
    requests: AtomicU64,
    queue: Arc<Queue>,
}

/// What a trace says about a request.
#[derive(Clone, Debug)]
pub struct Asks {
    /// Its session, if it has one.
    pub session: Option<SessionKey>,
    /// It asked for a stream.
    pub stream: bool,
    /// It named a model, and that was respected.
    pub named: bool,
    /// Its wish, if that is not `auto`.
    pub wish: Option<&'static str>,
    /// What a model must be able to do for it.
    pub needs: Vec<String>,
    /// Tokens of its prompt, estimated.
    pub prompt_tokens: u64,
}

/// A candidate's place and quota when it was asked.
#[derive(Clone, Copy, Debug)]
pub struct Stands {
    /// The tier: 0 is asked first.
    pub tier: u32,
    /// How many models were ahead of it there.
    pub place: u32,
    /// How near its account's quotas were to their limits, 0 to 1.
    pub tight: f64,
    /// The share left of its account's daily quota, 0 to 1, if known.
    pub day_left: Option<f64>,
}

impl Recorder {
    /// A recorder that writes to this file, creating it if needed.
    ///
    /// # Errors
    /// Why a trace cannot be written there.
    pub fn to(path: &Path, log: Log, metrics: Arc<Metrics>) -> Result<(Self, Writer), Unwritable> {
        let mut secret = [0; 16];
        let mut run = [0; 4];
        getrandom::fill(&mut secret).map_err(|_| Unwritable::NoRandomness)?;
        getrandom::fill(&mut run).map_err(|_| Unwritable::NoRandomness)?;
        let mut file = TraceFile::open(path)?;
        let mut is_well = true;
        let (queue, writer) = Queue::written_by(move |lines, dropped| {
            let written = file.write(lines);
            let lost = dropped + written.as_ref().err().map_or(0, |failed| failed.lost);
            metrics.trace_lines_dropped(lost);
            // One log line per outage, however long it lasts.
            let is_news = std::mem::replace(&mut is_well, lost == 0);
            if lost > 0 && is_news {
                let error = written.err().map(|failed| failed.error.to_string());
                let fields = serde_json::json!({"count": lost, "error": error});
                log.emit(LogLevel::Warning, "trace_lines_dropped", &fields);
            }
        });
        let recording = Recording {
            run: format!("{:08x}", u32::from_le_bytes(run)),
            salt: Salt::new(secret),
            requests: AtomicU64::new(0),
            queue,
        };
        Ok((Self(Some(Arc::new(recording))), writer))
    }

    /// Whether a trace is written.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What all lines of a request share; it arrived `ago`. `None` if no trace is written.
    pub(super) fn request(&self, asks: Asks, ago: Duration) -> Option<Traced> {
        let recording = Arc::clone(self.0.as_ref()?);
        let came = Now::read().wall.checked_sub(ago);
        Some(Traced {
            number: recording.requests.fetch_add(1, Ordering::Relaxed) + 1,
            at_ms: unix_millis(came.unwrap_or(SystemTime::UNIX_EPOCH)),
            asks,
            recording,
        })
    }
}

/// A request that is traced.
#[derive(Debug)]
pub(super) struct Traced {
    recording: Arc<Recording>,
    number: u64,
    at_ms: u64,
    asks: Asks,
}

impl Traced {
    /// A line of the request, without the attempt.
    pub(super) fn line(&self, ended: crate::trace::Ended) -> Line {
        let Asks {
            session,
            stream,
            named,
            wish,
            needs,
            prompt_tokens,
        } = &self.asks;
        let salt = self.recording.salt;
        Line {
            version: crate::trace::VERSION,
            run: self.recording.run.clone(),
            request: self.number,
            at_ms: self.at_ms,
            session: session.map(|session| format!("{:016x}", session.under(salt))),
            stream: *stream,
            named: *named,
            wish: wish.map(str::to_owned),
            needs: needs.clone(),
            prompt_tokens: *prompt_tokens,
            ended,
            asked: None,
        }
    }

    /// Queues a line. Never waits.
    pub(super) fn write(&self, line: &Line) {
        if let Ok(mut bytes) = serde_json::to_vec(line) {
            bytes.push(b'\n');
            self.recording.queue.add(&bytes);
        }
    }
}

/// The kind of rest that follows from a failure, and its length in milliseconds.
pub(super) fn rests(failure: &Failure, until: Option<SystemTime>) -> (Rests, Option<u64>) {
    let left = |until: SystemTime| until.duration_since(Now::read().wall).unwrap_or_default();
    match failure.rest {
        Rest::None => (Rests::No, None),
        Rest::For(long) => (Rests::Told, Some(millis(long))),
        Rest::Until(date) => (Rests::Told, Some(millis(left(date)))),
        Rest::Unadvised(ceiling) | Rest::Growing { ceiling, .. } => {
            (Rests::Unadvised, Some(millis(ceiling)))
        }
        Rest::UntilNextList => (Rests::Gone, None),
        Rest::Doubling { first, .. } => (Rests::Told, Some(millis(until.map_or(first, left)))),
    }
}

pub(super) fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn unix_millis(at: SystemTime) -> u64 {
    millis(
        at.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
    )
}
