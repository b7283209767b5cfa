//! Keeps the snapshot fresh: at start, once a period, and when somebody asks.
//!
//! One task makes all reads, so two never run at once and calls that come together share one.

use std::collections::HashSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};

use super::catalogue::Catalogue;
use super::ranking::{Ranking, Skipped};
use super::read::{Reader, RefreshError};
use crate::account::KeyTask;
use crate::clock::Now;
use crate::config::{Config, LogLevel};
use crate::model::{AccountId, ModelId, Offer};
use crate::registry::{Parts, Registry, Snapshot, Source, There, Wake};
use crate::telemetry::{Log, Metrics, Traffic};
use crate::upstream::{HttpClient, Upstream};

/// How often a long wait looks at the wall clock, to notice that the laptop slept.
const TICK: Duration = Duration::from_secs(15);
/// The first wait after a failed read with a ranking in hand.
const FIRST_RETRY: Duration = Duration::from_secs(60);
/// How long a good ranking waits for the catalogue that is read beside it.
const CATALOGUE_GRACE: Duration = Duration::from_secs(1);
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

type Answer = Result<Refreshed, String>;
type Reading<T> = Pin<Box<dyn Future<Output = Result<T, RefreshError>> + Send>>;

/// Asks the task for a read (`POST /admin/refresh`). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Refresher {
    /// Unbounded, but no longer than there are connections that wait for an answer.
    ask: mpsc::UnboundedSender<oneshot::Sender<Answer>>,
}

impl Refresher {
    /// Reads the list now; on success every rest is forgotten.
    ///
    /// # Errors
    /// In words, when the read failed; snapshot and rests then stay.
    pub async fn refresh(&self) -> Answer {
        let gone = || "the proxy is shutting down".to_owned();
        let (reply, answer) = oneshot::channel();
        self.ask.send(reply).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The task that makes all reads.
pub struct RefreshTask {
    /// Reads what is left of the quota, after each read of the list.
    key: KeyTask,
    reader: Reader,
    period: Duration,
    fallback_router: bool,
    registry: Arc<Registry>,
    log: Log,
    metrics: Arc<Metrics>,
    traffic: Arc<Traffic>,
    asked: mpsc::UnboundedReceiver<oneshot::Sender<Answer>>,
    /// The last good ranking and catalogue; what is published is made of both.
    ranking: Option<(Ranking, SystemTime)>,
    catalogue: Option<Catalogue>,
    /// A catalogue that was too slow for the ranking read beside it.
    late: Option<Reading<Catalogue>>,
}

impl RefreshTask {
    /// The task and the handle to ask it with.
    #[must_use]
    pub fn new(
        config: &Config,
        client: HttpClient,
        upstream: &Upstream,
        registry: Arc<Registry>,
        log: Log,
        metrics: Arc<Metrics>,
        traffic: Arc<Traffic>,
    ) -> (Self, Refresher) {
        let (ask, asked) = mpsc::unbounded_channel();
        let key = KeyTask {
            upstream: upstream.clone(),
            key: config.upstream_key.clone(),
            registry: Arc::clone(&registry),
            traffic: Arc::clone(&traffic),
            log: log.clone(),
            list_read: Arc::new(Notify::new()),
        };
        let task = Self {
            key,
            reader: Reader::new(config, client, upstream.clone()),
            period: config.models_refresh,
            fallback_router: config.fallback_router,
            registry,
            log,
            metrics,
            traffic,
            asked,
            ranking: None,
            catalogue: None,
            late: None,
        };
        (task, Refresher { ask })
    }

    /// Reads the list now and ever after. Ends when nobody can ask any more, or when dropped.
    pub async fn run(self) {
        let key = self.key.clone();
        tokio::select! {
            () = self.read_lists() => {}
            () = key.run() => {}
        }
    }

    async fn read_lists(mut self) {
        let mut failures = 0;
        let mut answered = self.read_and_publish(false).await;
        loop {
            self.key.list_read.notify_one();
            failures = if answered.is_ok() { 0 } else { failures + 1 };
            let wait = next_read(failures, self.ranking.is_some(), self.period);
            self.registry
                .next_list_at(Wake::Steady(Now::read().plus(wait).steady));
            let Some(asking) = self.wait(wait).await else {
                return;
            };
            answered = self.read_and_publish(!asking.is_empty()).await;
            // Who asked while the read ran shares it, if it was such a read.
            let late = std::iter::from_fn(|| {
                if asking.is_empty() {
                    None
                } else {
                    self.asked.try_recv().ok()
                }
            });
            let late: Vec<_> = late.collect();
            for reply in asking.into_iter().chain(late) {
                // Who asked and went away needs no answer.
                drop(reply.send(answered.clone()));
            }
        }
    }

    /// Waits for the next read: until it is due, or somebody asks for one. `None` when nobody
    /// can ask any more.
    async fn wait(&mut self, wait: Duration) -> Option<Vec<oneshot::Sender<Answer>>> {
        let mut due = pin!(pass(wait));
        loop {
            tokio::select! {
                () = &mut due => return Some(Vec::new()),
                first = self.asked.recv() => return first.map(|first| vec![first]),
                Some(catalogue) = late(&mut self.late) => {
                    self.late = None;
                    if self.note(catalogue) {
                        self.publish_again();
                    }
                }
            }
        }
    }

    async fn read_and_publish(&mut self, wake_all: bool) -> Answer {
        let (ranking, catalogue) = self.read_both().await;
        let news = catalogue.is_some_and(|catalogue| self.note(catalogue));
        let failed = ranking.as_ref().err().map(RefreshError::told);
        self.registry.note(|outside| outside.ranking = failed);
        match ranking {
            Ok(ranking) => Ok(self.publish(ranking, wake_all)),
            Err(error) => {
                let fields = Failed {
                    error: error.to_string(),
                    r#type: error.kind(),
                };
                self.log
                    .emit(LogLevel::Warning, "snapshot_refresh_failed", &fields);
                if news {
                    self.publish_again();
                }
                Err(error.to_string())
            }
        }
    }

    /// Reads both at once. The ranking does not wait long for the catalogue, and its next read
    /// not at all.
    async fn read_both(
        &mut self,
    ) -> (
        Result<Ranking, RefreshError>,
        Option<Result<Catalogue, RefreshError>>,
    ) {
        let reader = self.reader.clone();
        let mut ranking = pin!(self.reader.ranking());
        // While the catalogue may be all there is, a slow one is not begun anew with each retry.
        let begun = self.late.take().filter(|_| self.ranking.is_none());
        let mut catalogue: Reading<Catalogue> =
            begun.unwrap_or_else(|| Box::pin(async move { reader.catalogue().await }));
        let mut read = None;
        let ranking = loop {
            tokio::select! {
                ranking = &mut ranking => break ranking,
                catalogue = &mut catalogue, if read.is_none() => read = Some(catalogue),
            }
        };
        if read.is_none() && ranking.is_ok() {
            read = tokio::time::timeout(CATALOGUE_GRACE, &mut catalogue)
                .await
                .ok();
        }
        self.late = read.is_none().then_some(catalogue);
        (ranking, read)
    }

    /// Keeps a good catalogue; a failure to read one costs nothing else.
    fn note(&mut self, catalogue: Result<Catalogue, RefreshError>) -> bool {
        let failed = catalogue.as_ref().err().map(RefreshError::told);
        let now = Now::read().wall;
        self.registry.note(|outside| {
            if failed.is_none() {
                outside.reached_at = Some(now);
            }
            outside.catalogue = failed;
        });
        match catalogue {
            Ok(catalogue) => {
                self.catalogue = Some(catalogue);
                true
            }
            Err(error) => {
                let fields = Failed {
                    error: error.to_string(),
                    r#type: error.kind(),
                };
                self.log
                    .emit(LogLevel::Warning, "catalogue_refresh_failed", &fields);
                false
            }
        }
    }

    fn publish(&mut self, ranking: Ranking, wake_all: bool) -> Refreshed {
        let fetched_at = Now::read().wall;
        let snapshot = self.snapshot(&ranking, fetched_at);
        let count = snapshot.offers().len();
        let candidates = snapshot.candidates().iter();
        let ids: HashSet<ModelId> = candidates.map(|c| c.offer.public_id.clone()).collect();
        if wake_all {
            self.registry.publish_and_wake_all(snapshot);
        } else {
            self.registry.publish(snapshot);
        }
        self.metrics.retain_models(|id| ids.contains(id));
        self.traffic.retain_models(|id| ids.contains(id));
        let skipped = &ranking.skipped;
        if !skipped.is_empty() {
            let entries = skipped.get(..NAMED).unwrap_or(skipped);
            self.log.emit(
                LogLevel::Warning,
                "list_entries_skipped",
                &Left {
                    count: skipped.len(),
                    entries,
                },
            );
        }
        let fields = Done {
            count,
            skipped: skipped.len(),
            url: &self.reader.list_url,
        };
        self.log.emit(LogLevel::Info, "snapshot_refreshed", &fields);
        self.ranking = Some((ranking, fetched_at));
        Refreshed {
            models: count,
            fetched_at,
        }
    }

    /// The same ranking with what a late catalogue fills in.
    fn publish_again(&self) {
        match &self.ranking {
            Some((ranking, fetched_at)) => {
                self.registry.enrich(self.snapshot(ranking, *fetched_at))
            }
            None => self.publish_from_catalogue(),
        }
    }

    /// The second source, while there has never been a ranking.
    fn publish_from_catalogue(&self) {
        let free = self.catalogue.iter().flat_map(Catalogue::free_models);
        let offers: Vec<_> = free.cloned().collect();
        let count = offers.len();
        if count > 0 {
            self.registry.publish(Snapshot::new(Parts {
                offers,
                fallback: None,
                accounts: accounts(),
                fetched_at: Now::read().wall,
                source: Source::Catalogue,
            }));
            self.log.emit(
                LogLevel::Info,
                "snapshot_from_catalogue",
                &serde_json::json!({"count": count}),
            );
        }
    }

    fn snapshot(&self, ranking: &Ranking, fetched_at: SystemTime) -> Snapshot {
        let filled_in = |model: &Offer| {
            let mut model = model.clone();
            if let Some(catalogue) = &self.catalogue {
                catalogue.fill_in(&mut model);
            }
            model
        };
        let fallback = ranking.fallback.as_ref().filter(|_| self.fallback_router);
        let there = self.catalogue.as_ref().map(|catalogue| There {
            models: ranking
                .models
                .iter()
                .filter(|m| catalogue.has(&m.id))
                .count(),
            of: ranking.models.len(),
            fallback: fallback.is_some_and(|model| catalogue.has(&model.id)),
        });
        self.registry.note(|outside| outside.there = there);
        Snapshot::new(Parts {
            offers: ranking.models.iter().map(filled_in).collect(),
            fallback: fallback.map(filled_in),
            accounts: accounts(),
            fetched_at,
            source: Source::Ranking,
        })
    }
}

/// The accounts through which offers are asked.
fn accounts() -> Vec<Arc<AccountId>> {
    vec![Arc::new(AccountId::openrouter())]
}

/// The late catalogue, if one is awaited.
async fn late(reading: &mut Option<Reading<Catalogue>>) -> Option<Result<Catalogue, RefreshError>> {
    match reading {
        Some(reading) => Some(reading.await),
        None => None,
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
fn next_read(failures: u32, have_ranking: bool, period: Duration) -> Duration {
    let doubled = |times: u32| 2_u32.saturating_pow(times);
    match failures {
        0 => period,
        n if have_ranking => FIRST_RETRY.saturating_mul(doubled(n - 1)).min(period),
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
