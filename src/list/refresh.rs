//! Keeps the snapshot fresh: at start, once a period, and when somebody asks.
//!
//! One task makes all reads, so two never run at once and calls that come together share one.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::ranking::{Ranking, RankingError, Skipped};
use crate::clock::Now;
use crate::config::{Config, LogLevel};
use crate::registry::{Registry, Snapshot, Source};
use crate::telemetry::{Log, Metrics};
use crate::upstream::{HttpClient, ReadError, SendError, read_body};

/// One read takes no longer than this (spec §2).
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a long wait looks at the wall clock, to notice that the laptop slept.
const TICK: Duration = Duration::from_secs(15);
/// The first wait after a failed read with a snapshot in hand.
const FIRST_RETRY: Duration = Duration::from_secs(60);
/// How many of the skipped entries a log line names.
const NAMED: usize = 10;

/// What a refresh brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Models in the new snapshot.
    pub models: usize,
    /// When it was read.
    pub fetched_at: SystemTime,
}

/// Why a read failed. The sentences hold nothing that came from outside.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// No answer.
    #[error("{0}")]
    Send(#[from] SendError),
    /// No readable body.
    #[error("{0}")]
    Body(#[from] ReadError),
    /// Not in time.
    #[error("no whole answer within {} s", READ_TIMEOUT.as_secs())]
    Timeout,
    /// Another status than 200; redirects are not followed.
    #[error("the list answered HTTP {0}")]
    Status(u16),
    /// Nothing in it that could be used.
    #[error("{0}")]
    Content(#[from] RankingError),
}

impl RefreshError {
    /// The log's word for it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Send(_) | Self::Body(_) => "network",
            Self::Timeout => "timeout",
            Self::Status(_) => "status",
            Self::Content(RankingError::Json(_)) => "invalid_json",
            Self::Content(RankingError::Shape) => "wrong_shape",
            Self::Content(RankingError::NoUsableModel { .. }) => "no_usable_model",
        }
    }
}

type Answer = Result<Refreshed, String>;

/// Asks the task for a read (`POST /admin/refresh`). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Refresher {
    ask: mpsc::Sender<oneshot::Sender<Answer>>,
}

impl Refresher {
    /// Reads the list now; on success every rest is forgotten.
    ///
    /// # Errors
    /// In words, when the read failed; snapshot and rests then stay.
    pub async fn refresh(&self) -> Answer {
        let gone = || "the proxy is shutting down".to_owned();
        let (reply, answer) = oneshot::channel();
        self.ask.send(reply).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The task that makes all reads.
pub struct RefreshTask {
    client: HttpClient,
    url: String,
    period: Duration,
    max_bytes: usize,
    allow_paid: bool,
    registry: Arc<Registry>,
    log: Log,
    metrics: Arc<Metrics>,
    asked: mpsc::Receiver<oneshot::Sender<Answer>>,
}

impl RefreshTask {
    /// The task and the handle to ask it with.
    #[must_use]
    pub fn new(
        config: &Config,
        client: HttpClient,
        registry: Arc<Registry>,
        log: Log,
        metrics: Arc<Metrics>,
    ) -> (Self, Refresher) {
        let (ask, asked) = mpsc::channel(64);
        let task = Self {
            client,
            url: config.models_list_url.to_string(),
            period: config.models_refresh,
            max_bytes: config.limits.max_list_bytes,
            allow_paid: config.allow_paid,
            registry,
            log,
            metrics,
            asked,
        };
        (task, Refresher { ask })
    }

    /// Reads the list now and ever after. Ends when nobody can ask any more, or when dropped.
    pub async fn run(mut self) {
        let mut failures = 0;
        let mut answered = self.read_and_publish(false).await;
        loop {
            failures = if answered.is_ok() { 0 } else { failures + 1 };
            let wait = next_read(failures, self.registry.snapshot().is_some(), self.period);
            let asking = tokio::select! {
                () = pass(wait) => Vec::new(),
                first = self.asked.recv() => match first {
                    Some(first) => vec![first],
                    None => return,
                },
            };
            answered = self.read_and_publish(!asking.is_empty()).await;
            // Who asked while the read ran shares it.
            let late = std::iter::from_fn(|| self.asked.try_recv().ok());
            let asking: Vec<_> = if asking.is_empty() {
                asking
            } else {
                asking.into_iter().chain(late).collect()
            };
            for reply in asking {
                // Who asked and went away needs no answer.
                drop(reply.send(answered.clone()));
            }
        }
    }

    async fn read_and_publish(&self, wake_all: bool) -> Answer {
        let read = tokio::time::timeout(READ_TIMEOUT, self.read())
            .await
            .unwrap_or(Err(RefreshError::Timeout));
        match read {
            Ok(ranking) => Ok(self.publish(ranking, wake_all)),
            Err(error) => {
                let fields = Failed {
                    error: error.to_string(),
                    r#type: error.kind(),
                };
                self.log
                    .emit(LogLevel::Warning, "snapshot_refresh_failed", &fields);
                Err(error.to_string())
            }
        }
    }

    async fn read(&self) -> Result<Ranking, RefreshError> {
        let response = self.client.get(&self.url, None).await?;
        let status = response.status();
        if status != http::StatusCode::OK {
            return Err(RefreshError::Status(status.as_u16()));
        }
        let body = read_body(response, self.max_bytes).await?;
        Ok(Ranking::read(&body, self.allow_paid)?)
    }

    fn publish(&self, ranking: Ranking, wake_all: bool) -> Refreshed {
        let fetched_at = Now::read().wall;
        let Ranking { models, skipped } = ranking;
        let count = models.len();
        let snapshot = Snapshot {
            models: models.into_iter().map(Arc::new).collect(),
            fetched_at,
            source: Source::Ranking,
        };
        self.metrics
            .retain_models(|id| snapshot.model(id).is_some());
        if wake_all {
            self.registry.publish_and_wake_all(snapshot);
        } else {
            self.registry.publish(snapshot);
        }
        if !skipped.is_empty() {
            let named = skipped.get(..NAMED).unwrap_or(&skipped);
            self.log.emit(
                LogLevel::Warning,
                "list_entries_skipped",
                &Left {
                    count: skipped.len(),
                    entries: named,
                },
            );
        }
        let fields = Done {
            count,
            skipped: skipped.len(),
            url: &self.url,
        };
        self.log.emit(LogLevel::Info, "snapshot_refreshed", &fields);
        Refreshed {
            models: count,
            fetched_at,
        }
    }
}

#[derive(Serialize)]
struct Done<'a> {
    count: usize,
    skipped: usize,
    url: &'a str,
}

#[derive(Serialize)]
struct Left<'a> {
    count: usize,
    entries: &'a [Skipped],
}

#[derive(Serialize)]
struct Failed {
    error: String,
    r#type: &'static str,
}

/// How long until the next read (spec §2).
fn next_read(failures: u32, have_snapshot: bool, period: Duration) -> Duration {
    let doubled = |times: u32| 2_u32.saturating_pow(times);
    match failures {
        0 => period,
        n if have_snapshot => FIRST_RETRY.saturating_mul(doubled(n - 1)).min(period),
        n => Duration::from_secs(doubled(n - 1).min(15).into()),
    }
}

/// Waits until so much time has gone by on either clock: a laptop that slept reads the list
/// when it wakes.
async fn pass(wait: Duration) {
    let start = Now::read();
    let due = start.plus(wait);
    loop {
        let now = Now::read();
        let left = due.steady.saturating_duration_since(now.steady);
        if left.is_zero() || now.wall >= due.wall {
            return;
        }
        tokio::time::sleep(left.min(TICK)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_a_failed_read_is_tried_again_sooner() {
        let waits = |have, period| -> Vec<u64> {
            (0..9)
                .map(|n| next_read(n, have, Duration::from_secs(period)).as_secs())
                .collect()
        };
        assert_eq!(waits(false, 3600), [3600, 1, 2, 4, 8, 15, 15, 15, 15]);
        assert_eq!(
            waits(true, 3600),
            [3600, 60, 120, 240, 480, 960, 1920, 3600, 3600]
        );
        assert_eq!(waits(true, 30), [30; 9]);
        assert_eq!(
            next_read(u32::MAX, true, Duration::from_secs(3600)).as_secs(),
            3600
        );
    }
}
