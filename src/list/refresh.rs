//! Keeps the snapshot fresh: at start, once per period, and on request.
//!
//! One task makes all reads, so two never run at once and simultaneous requests share one.

mod asked;
mod change;
mod publish;
mod reads;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::catalogue::Catalogue;
use super::each::{EachList, Kept, ListAt};
use super::ranking::Ranking;
use super::read::{ListReader, RefreshError};
use super::when::{next_read, own_period, pass};
use crate::account::{KeyReads, KeyTask};
use crate::clock::Now;
use crate::config::{Config, LogLevel};
use crate::model::{AccountId, ModelOrder, ProviderId};
use crate::provider::Provider;
use crate::registry::{Registry, Source, Wake};
use crate::telemetry::{Log, Metrics, Traffic};
use crate::upstream::{HttpClient, Upstream};
use change::Change;
use reads::{Failed, Reading};

/// The result of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Models in the new snapshot.
    pub models: usize,
    /// When it was read.
    pub fetched_at: SystemTime,
    /// What could not be read, and why; of another provider's list its id.
    pub not_read: Vec<String>,
}

/// Why lists are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The period has passed: this is the next list.
    Due,
    /// The ranking could not be read: it is tried again, with whatever else has failed.
    Retry,
    /// `POST /admin/refresh`.
    Asked,
}

type Answer = Result<Refreshed, String>;

/// The providers that are on, their accounts, and what decides among their models.
pub struct Providers {
    /// Their rows, in the order in which twins are asked.
    pub rows: Vec<Arc<Provider>>,
    /// The addresses of their lists; OpenRouter's are the ranking and the catalogue.
    pub lists: Vec<ListAt>,
    /// The accounts, in the order in which those of one provider are asked.
    pub accounts: Vec<Arc<AccountId>>,
    /// Those at which only ids that end in `:free` cost nothing (spec §10.7).
    pub named_free: Vec<ProviderId>,
    /// `MODEL_ORDER`.
    pub order: ModelOrder,
}

/// Asks the task for a read (`POST /admin/refresh`). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Refresher {
    /// Unbounded, but no longer than the number of connections waiting for an answer.
    ask: mpsc::UnboundedSender<oneshot::Sender<Answer>>,
    /// What is left of the accounts' quotas is read after the list.
    keys: Arc<ArcSwap<Vec<KeyReads>>>,
    /// Unbounded as well: whoever sends one waits for its end.
    change: mpsc::UnboundedSender<Change>,
}

impl Refresher {
    /// Reads the list now; on success every rest is forgotten. Where the ranking cannot be read, those at
    /// providers whose own list can. Returns once what is left of the accounts' quotas has been read too.
    ///
    /// # Errors
    /// In words, when no list could be read; the snapshot and the rests are then kept.
    pub async fn refresh(&self) -> Answer {
        let gone = || "the proxy is shutting down".to_owned();
        let (reply, answer) = oneshot::channel();
        self.ask.send(reply).map_err(|_| gone())?;
        let answer = answer.await.map_err(|_| gone())?;
        if answer.is_ok() {
            let keys = self.keys.load_full();
            join_all(keys.iter().map(KeyReads::landed)).await;
        }
        answer
    }
}

/// What the settings say about lists; other settings bring another whole (spec §12.2).
pub struct Settings {
    /// Each reads what is left of an account's quota, after each read of the list.
    keys: Vec<KeyTask>,
    reader: ListReader,
    each: EachList,
    providers: Providers,
    period: Duration,
    fallback_router: bool,
    allow_paid: bool,
}

impl Settings {
    /// From these. `catalogue` is the way to OpenRouter's catalogue, which needs no key; `keys` are asked what is
    /// left of their days.
    #[must_use]
    pub fn new(
        config: &Config,
        client: HttpClient,
        catalogue: Upstream,
        keys: Vec<KeyTask>,
        providers: Providers,
    ) -> Self {
        let secrets = config.accounts.iter().flat_map(|account| account.secrets());
        let secrets: Arc<[_]> = secrets.cloned().collect();
        let max_bytes = config.limits.max_catalogue_bytes;
        Self {
            keys,
            each: EachList::new(client.clone(), max_bytes, Arc::clone(&secrets)),
            reader: ListReader::new(config, client, catalogue, secrets),
            providers,
            period: config.models_refresh,
            fallback_router: config.fallback_router,
            allow_paid: config.allow_paid,
        }
    }

    fn key_reads(&self) -> Vec<KeyReads> {
        self.keys.iter().map(|key| key.reads.clone()).collect()
    }
}

/// The task that makes all reads.
pub struct RefreshTask {
    settings: Settings,
    changes: mpsc::UnboundedReceiver<Change>,
    /// Asks about the accounts' keys.
    asking: JoinSet<()>,
    registry: Arc<Registry>,
    log: Log,
    metrics: Arc<Metrics>,
    traffic: Arc<Traffic>,
    asked: mpsc::UnboundedReceiver<oneshot::Sender<Answer>>,
    /// The last good ranking, catalogue and lists; what is published is made from all of them.
    ranking: Option<(Ranking, SystemTime)>,
    catalogue: Option<Catalogue>,
    kept: Kept,
    /// What was last published without a ranking, and logged.
    unranked: Option<Source>,
    /// A list was due, and nothing of it has been published yet: what is published next is the next list.
    is_next: bool,
    /// Other settings want everything read anew.
    reads_again: bool,
    /// The providers whose lists were read since a read was last due or asked for.
    read: HashSet<Option<ProviderId>>,
    /// What was too slow for the ranking read beside it: the catalogue, or a provider's list.
    late: FuturesUnordered<Reading>,
    under_way: HashSet<Option<ProviderId>>,
}

impl RefreshTask {
    /// The task and the handle to it.
    #[must_use]
    pub fn new(settings: Settings, outlets: Outlets) -> (Self, Refresher) {
        let (ask, asked) = mpsc::unbounded_channel();
        let (change, changes) = mpsc::unbounded_channel();
        let keys = Arc::new(ArcSwap::from_pointee(settings.key_reads()));
        let task = Self {
            settings,
            changes,
            asking: JoinSet::new(),
            registry: outlets.registry,
            log: outlets.log,
            metrics: outlets.metrics,
            traffic: outlets.traffic,
            asked,
            ranking: None,
            catalogue: None,
            kept: Kept::default(),
            unranked: None,
            is_next: false,
            reads_again: false,
            read: HashSet::new(),
            late: FuturesUnordered::new(),
            under_way: HashSet::new(),
        };
        (task, Refresher { ask, keys, change })
    }

    /// Reads the list now and periodically. Ends when all handles are gone, or when dropped.
    pub async fn run(mut self) {
        self.ask_about_keys();
        self.read_lists().await;
    }

    async fn read_lists(&mut self) {
        let mut failures = 0;
        let mut why = Why::Due;
        let mut due = Now::read().plus(self.settings.period);
        let (mut is_ranked, _) = self.read_and_publish(why).await;
        loop {
            let now = Now::read();
            failures = if is_ranked { 0 } else { failures + 1 };
            if is_ranked || why != Why::Retry {
                due = now.plus(self.settings.period);
            }
            let wait = next_read(failures, self.ranking.is_some(), self.settings.period);
            let next_read = now.plus(wait).steady;
            self.registry
                .next_list_at(Wake::Steady(due.steady), Wake::Steady(next_read));
            let Some(asking) = self.wait(wait).await else {
                return;
            };
            let now = Now::read();
            why = match asking.is_empty() {
                false => Why::Asked,
                true if due.steady <= now.steady || due.wall <= now.wall => Why::Due,
                true => Why::Retry,
            };
            let answered;
            (is_ranked, answered) = self.read_and_publish(why).await;
            // Requests that came while the read ran share it, if it was such a read.
            let late = std::iter::from_fn(|| {
                if asking.is_empty() {
                    None
                } else {
                    self.asked.try_recv().ok()
                }
            });
            let late: Vec<_> = late.collect();
            for reply in asking.into_iter().chain(late) {
                // A requester that has gone away needs no answer.
                drop(reply.send(answered.clone()));
            }
        }
    }

    /// Waits for the next read: until it is due or requested. `None` when all handles are gone.
    async fn wait(&mut self, wait: Duration) -> Option<Vec<oneshot::Sender<Answer>>> {
        let mut due = pin!(pass(wait));
        let mut own_due = pin!(pass(own_period(self.is_published())));
        loop {
            if std::mem::take(&mut self.reads_again) {
                return Some(Vec::new());
            }
            tokio::select! {
                Some(change) = self.changes.recv() => self.settle(change).await,
                () = &mut due => return Some(Vec::new()),
                () = &mut own_due => {
                    self.begin_own();
                    own_due.set(pass(own_period(self.is_published())));
                }
                first = self.asked.recv() => return first.map(|first| vec![first]),
                Some(side) = self.late.next(), if !self.late.is_empty() => {
                    if self.note(side) {
                        self.publish_again();
                    }
                }
            }
        }
    }

    /// Whether the ranking was read, and the answer for those who asked; by then the key endpoints are being read.
    async fn read_and_publish(&mut self, why: Why) -> (bool, Answer) {
        let (is_ranked, answer) = self.read_lists_and_publish(why).await;
        if is_ranked || why != Why::Retry {
            for key in &self.settings.keys {
                key.reads.want();
            }
        }
        (is_ranked, answer)
    }

    async fn read_lists_and_publish(&mut self, why: Why) -> (bool, Answer) {
        let (ranking, news) = self.read_all(why).await;
        let failed = ranking.as_ref().err().map(RefreshError::told);
        self.registry.note(|outside| outside.ranking = failed);
        match ranking {
            Ok(ranking) => (true, Ok(self.publish(ranking, why == Why::Asked))),
            Err(error) => {
                self.log.emit(
                    LogLevel::Warning,
                    "snapshot_refresh_failed",
                    &Failed::of(&error, None),
                );
                if news || !self.is_published() {
                    self.publish_again();
                }
                let woken = if why == Why::Asked {
                    self.wake_those_read(&error)
                } else {
                    None
                };
                (false, woken.ok_or_else(|| error.to_string()))
            }
        }
    }

    /// Whether another provider is on besides OpenRouter.
    fn is_beside(&self) -> bool {
        let mut rows = self.settings.providers.rows.iter();
        rows.any(|row| !row.id.is_openrouter())
    }

    fn is_published(&self) -> bool {
        self.registry.snapshot().is_some()
    }
}

/// What the reads update and report to.
pub struct Outlets {
    /// Where the snapshot goes.
    pub registry: Arc<Registry>,
    /// Where failures are logged.
    pub log: Log,
    /// Forgets the models that left the list.
    pub metrics: Arc<Metrics>,
    /// The same.
    pub traffic: Arc<Traffic>,
}
