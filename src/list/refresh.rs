//! Keeps the snapshot fresh: at start, once a period, and when somebody asks.
//!
//! One task makes all reads, so two never run at once and calls that come together share one.

use std::collections::HashSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::catalogue::Catalogue;
use super::each::{EachList, Kept, ListAt};
use super::merge::{Lists, Merged, merge};
use super::offered::Source as Offering;
use super::provider_list::ProviderList;
use super::ranking::{Ranking, Skipped};
use super::read::{ListReader, RefreshError};
use crate::account::KeyTask;
use crate::clock::Now;
use crate::config::{Config, LogLevel};
use crate::model::{AccountId, ModelId, ModelOrder, ProviderId};
use crate::provider::Provider;
use crate::registry::{Parts, Registry, Snapshot, Source, There, Wake};
use crate::telemetry::{Log, Metrics, Traffic};
use crate::upstream::{HttpClient, Upstream};

/// How often a long wait looks at the wall clock, to notice that the laptop slept.
const TICK: Duration = Duration::from_secs(15);
/// The first wait after a failed read with a ranking in hand.
const FIRST_RETRY: Duration = Duration::from_secs(60);
/// How long a good ranking waits for what is read beside it, and other providers for the ranking.
const GRACE: Duration = Duration::from_secs(1);
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
type Reading = Pin<Box<dyn Future<Output = Side> + Send>>;

/// What is read beside the ranking.
enum Side {
    Catalogue(Result<Catalogue, RefreshError>),
    List(ProviderId, Result<ProviderList, RefreshError>),
}

/// The providers that are on, with whom they are asked, and what decides among their models.
pub struct Providers {
    /// Their rows, in the order in which twins are asked.
    pub rows: Vec<Arc<Provider>>,
    /// Where their lists are; OpenRouter's are ranking and catalogue.
    pub lists: Vec<ListAt>,
    /// The accounts, in the order in which those of one provider are asked.
    pub accounts: Vec<Arc<AccountId>>,
    /// Those of them at which only ids that end in `:free` cost nothing (spec §10.7).
    pub named_free: Vec<ProviderId>,
    /// `MODEL_ORDER`.
    pub order: ModelOrder,
}

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
    /// Each reads what is left of an account's quota, after each read of the list.
    keys: Vec<KeyTask>,
    reader: ListReader,
    each: EachList,
    providers: Providers,
    period: Duration,
    fallback_router: bool,
    allow_paid: bool,
    registry: Arc<Registry>,
    log: Log,
    metrics: Arc<Metrics>,
    traffic: Arc<Traffic>,
    asked: mpsc::UnboundedReceiver<oneshot::Sender<Answer>>,
    /// The last good ranking, catalogue and lists; what is published is made of all.
    ranking: Option<(Ranking, SystemTime)>,
    catalogue: Option<Catalogue>,
    kept: Kept,
    /// What was too slow for the ranking read beside it, and whose it is: the catalogue's or a
    /// provider's.
    late: FuturesUnordered<Reading>,
    under_way: HashSet<Option<ProviderId>>,
}

impl RefreshTask {
    /// The task and the handle to ask it with. `catalogue` is the way to OpenRouter's, which takes no
    /// key; `keys` are asked for what is left of their days.
    #[must_use]
    pub fn new(
        config: &Config,
        client: HttpClient,
        catalogue: Upstream,
        keys: Vec<KeyTask>,
        providers: Providers,
        outlets: Outlets,
    ) -> (Self, Refresher) {
        let (ask, asked) = mpsc::unbounded_channel();
        let secrets = config.accounts.iter().flat_map(|account| account.secrets());
        let secrets: Arc<[_]> = secrets.cloned().collect();
        let max_bytes = config.limits.max_catalogue_bytes;
        let task = Self {
            keys,
            each: EachList::new(client.clone(), max_bytes, Arc::clone(&secrets)),
            reader: ListReader::new(config, client, catalogue, secrets),
            providers,
            period: config.models_refresh,
            fallback_router: config.fallback_router,
            allow_paid: config.allow_paid,
            registry: outlets.registry,
            log: outlets.log,
            metrics: outlets.metrics,
            traffic: outlets.traffic,
            asked,
            ranking: None,
            catalogue: None,
            kept: Kept::default(),
            late: FuturesUnordered::new(),
            under_way: HashSet::new(),
        };
        (task, Refresher { ask })
    }

    /// Reads the list now and ever after. Ends when nobody can ask any more, or when dropped.
    pub async fn run(self) {
        let keys = self.keys.clone();
        let ask_about_keys = async {
            join_all(keys.into_iter().map(KeyTask::run)).await;
            std::future::pending().await
        };
        tokio::select! {
            () = self.read_lists() => {}
            () = ask_about_keys => {}
        }
    }

    async fn read_lists(mut self) {
        let mut failures = 0;
        let mut answered = self.read_and_publish(false).await;
        loop {
            for key in &self.keys {
                key.list_read.notify_one();
            }
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
                Some(side) = self.late.next(), if !self.late.is_empty() => {
                    if self.note(side) {
                        self.publish_again();
                    }
                }
            }
        }
    }

    async fn read_and_publish(&mut self, wake_all: bool) -> Answer {
        let (ranking, news) = self.read_all(wake_all).await;
        let failed = ranking.as_ref().err().map(RefreshError::told);
        self.registry.note(|outside| outside.ranking = failed);
        match ranking {
            Ok(ranking) => Ok(self.publish(ranking, wake_all)),
            Err(error) => {
                self.log.emit(
                    LogLevel::Warning,
                    "snapshot_refresh_failed",
                    &Failed::of(&error, None),
                );
                if news || !self.is_published() {
                    self.publish_again();
                }
                Err(error.to_string())
            }
        }
    }

    /// Reads all at once, and says whether anything came beside the ranking. The ranking does not wait
    /// long for the others, and its next read not at all; and where another provider stands beside
    /// OpenRouter, nobody waits long for the ranking.
    async fn read_all(&mut self, anew: bool) -> (Result<Ranking, RefreshError>, bool) {
        self.begin(anew);
        let reader = self.reader.clone();
        let mut ranking = pin!(reader.ranking());
        let mut grace = pin!(tokio::time::sleep(GRACE));
        let (mut news, mut waited) = (false, false);
        let ranking = loop {
            tokio::select! {
                ranking = &mut ranking => break ranking,
                Some(side) = self.late.next(), if !self.late.is_empty() => {
                    news |= self.note(side);
                    if waited && self.is_beside() && !self.is_published() {
                        self.publish_again();
                    }
                }
                () = &mut grace, if !waited => {
                    waited = true;
                    if self.is_beside() && !self.is_published() {
                        self.publish_again();
                    }
                }
            }
        };
        if ranking.is_ok() {
            let until = tokio::time::Instant::now() + GRACE;
            while !self.late.is_empty()
                && let Ok(Some(side)) = tokio::time::timeout_at(until, self.late.next()).await
            {
                news |= self.note(side);
            }
        }
        (ranking, news)
    }

    /// Begins to read what stands beside the ranking. While there is none, what is slow is not begun
    /// anew with each retry, and what has been read is not read again so soon.
    fn begin(&mut self, anew: bool) {
        let is_retry = self.ranking.is_none() && !anew;
        if !is_retry {
            self.late.clear();
            self.under_way.clear();
        }
        if self.under_way.insert(None) {
            let reader = self.reader.clone();
            let read = async move { Side::Catalogue(reader.catalogue().await) };
            self.late.push(Box::pin(read));
        }
        for at in &self.providers.lists {
            let is_read = is_retry && self.kept.list(&at.provider).is_some();
            if !is_read && self.under_way.insert(Some(at.provider.clone())) {
                let (each, at) = (self.each.clone(), at.clone());
                let read = async move { Side::List(at.provider.clone(), each.one(&at).await) };
                self.late.push(Box::pin(read));
            }
        }
    }

    /// Whether another provider stands beside OpenRouter.
    fn is_beside(&self) -> bool {
        let mut rows = self.providers.rows.iter();
        rows.any(|row| !row.id.is_openrouter())
    }

    fn is_published(&self) -> bool {
        self.registry.snapshot().is_some()
    }

    /// Keeps what was read; a failure to read one list costs no other anything. Says whether it is
    /// news.
    fn note(&mut self, side: Side) -> bool {
        match side {
            Side::Catalogue(catalogue) => {
                self.under_way.remove(&None);
                self.note_catalogue(catalogue)
            }
            Side::List(provider, read) => {
                self.under_way.remove(&Some(provider.clone()));
                if let Err(error) = &read {
                    let fields = Failed::of(error, Some(&provider));
                    self.log
                        .emit(LogLevel::Warning, "list_refresh_failed", &fields);
                }
                self.kept.note(provider, read)
            }
        }
    }

    fn note_catalogue(&mut self, catalogue: Result<Catalogue, RefreshError>) -> bool {
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
                self.log.emit(
                    LogLevel::Warning,
                    "catalogue_refresh_failed",
                    &Failed::of(&error, None),
                );
                false
            }
        }
    }

    fn publish(&mut self, ranking: Ranking, wake_all: bool) -> Refreshed {
        let fetched_at = Now::read().wall;
        let snapshot = self.snapshot(Some(&ranking), fetched_at);
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

    /// The same ranking with what a late list brings.
    fn publish_again(&self) {
        match &self.ranking {
            Some((ranking, fetched_at)) => {
                let snapshot = self.snapshot(Some(ranking), *fetched_at);
                self.registry.enrich(snapshot);
            }
            None => self.publish_unranked(),
        }
    }

    /// What there is while there has never been a ranking: the second source, and what other providers
    /// offer.
    fn publish_unranked(&self) {
        let snapshot = self.snapshot(None, Now::read().wall);
        let count = snapshot.offers().len();
        if count > 0 {
            let source = snapshot.source;
            self.registry.publish(snapshot);
            let fields = serde_json::json!({"count": count});
            if source == Source::Providers {
                self.log
                    .emit(LogLevel::Info, "snapshot_from_providers", &fields);
            } else {
                self.log
                    .emit(LogLevel::Info, "snapshot_from_catalogue", &fields);
            }
        }
    }

    fn snapshot(&self, ranking: Option<&Ranking>, fetched_at: SystemTime) -> Snapshot {
        let kept = |row: &Provider| self.kept.list(&row.id);
        let named_free = |row: &Provider| self.providers.named_free.contains(&row.id);
        let of = |row| Offering::new(row, kept(row), named_free(row));
        let sources: Vec<_> = self.providers.rows.iter().map(|row| of(row)).collect();
        let merged = merge(Lists {
            ranking,
            catalogue: self.catalogue.as_ref(),
            sources: &sources,
            order: &self.providers.order,
            allow_paid: self.allow_paid,
            fallback_router: self.fallback_router,
        });
        if let Some(ranking) = ranking {
            self.note_what_is_there(ranking, &merged);
        }
        let order = |with_tools| {
            merged
                .in_order(with_tools)
                .map(|(offer, _)| Arc::clone(offer))
        };
        let places = [false, true].map(|with_tools| {
            let placed = merged.in_order(with_tools);
            placed.map(|(_, placed)| placed.place()).collect()
        });
        let source = match (ranking, self.is_beside()) {
            (Some(_), _) => Source::Ranking,
            (None, true) => Source::Providers,
            (None, false) => Source::Catalogue,
        };
        Snapshot::new(Parts {
            offers: order(false).collect(),
            with_tools: (merged.plain != merged.with_tools).then(|| order(true).collect()),
            places,
            fallback: merged.fallback.map(|offered| offered.offer),
            accounts: self.providers.accounts.clone(),
            fetched_at,
            source,
        })
    }

    /// How many of the ranking's models the upstream's own catalogue has.
    fn note_what_is_there(&self, ranking: &Ranking, merged: &Merged) {
        let there = self.catalogue.as_ref().map(|catalogue| There {
            models: ranking
                .models
                .iter()
                .filter(|m| catalogue.has(&m.id))
                .count(),
            of: ranking.models.len(),
            fallback: merged
                .fallback
                .as_ref()
                .is_some_and(|router| catalogue.has(&router.offer.id)),
        });
        self.registry.note(|outside| outside.there = there);
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
struct Failed<'a> {
    error: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a ProviderId>,
}

impl<'a> Failed<'a> {
    fn of(error: &RefreshError, provider: Option<&'a ProviderId>) -> Self {
        Self {
            error: error.to_string(),
            r#type: error.kind(),
            provider,
        }
    }
}

/// What the reads change and tell.
pub struct Outlets {
    /// Where the snapshot goes.
    pub registry: Arc<Registry>,
    /// Where what failed is said.
    pub log: Log,
    /// Forgets the models that left.
    pub metrics: Arc<Metrics>,
    /// Forgets them, too.
    pub traffic: Arc<Traffic>,
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
