//! The parts of a proxy, put together.

mod accounts;
mod reloader;

pub use reloader::Reloader;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::account::{KeyReads, KeyTask};
use crate::attempt::{Keyring, Walker};
use crate::clock::Now;
use crate::config::{Config, State};
use crate::learnt::Salt;
use crate::list::{Outlets, Providers, RefreshTask, Settings};
use crate::registry::Registry;
use crate::server::{App, Current};
use crate::state::{self, Keeper, Opened};
use crate::telemetry::{Log, Metrics, Recorder, Traffic, Unwritable, Writer};
use crate::upstream::{Connector, HttpClient, InvalidUpstream};

/// A proxy ready to serve: `server::serve` takes `app`, and `refresh` must run beside it.
pub struct Proxy {
    /// What the HTTP server serves.
    pub app: Arc<Current>,
    /// Keeps the snapshot fresh.
    pub refresh: RefreshTask,
    /// Keeps what outlives the process, if anything does; write once more when the last request has ended.
    pub keeper: Option<Arc<Keeper>>,
    /// Writes the trace, if there is one; finish it when the last request has ended.
    pub trace: Option<Writer>,
    /// Puts other settings in force.
    pub reloader: Reloader,
}

/// Why the settings make no working proxy. `Config` has checked them, so except for `TRACE_FILE` this is a
/// fault of the program or of the TLS library.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// TLS refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The address or key of an upstream is not usable.
    #[error(transparent)]
    Upstream(#[from] InvalidUpstream),
    /// The metrics' names clash.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    /// `TRACE_FILE` cannot be written, which shows only on opening it.
    #[error("TRACE_FILE={path}: {why}", path = path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: Unwritable,
    },
    /// What `STATE` names cannot be used, which shows only on opening it.
    #[error("STATE=file:{path}: {why}", path = path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: state::Unwritable,
    },
}

impl Proxy {
    /// Builds a proxy that opens its outbound connections through `connector`.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(config: &Config, connector: Connector, log: Log) -> Result<Self, BuildError> {
        let client = HttpClient::new(connector.clone())?;
        let asked = accounts::asked(config, &client)?;
        let metrics = Arc::new(Metrics::new()?);
        let (recorder, trace) = recorder(config, &log, &metrics)?;
        let traffic = Arc::new(Traffic::new(Now::read()).recorded_by(recorder));
        let registry = Arc::new(Registry::with_limits_of(
            config.providers.clone(),
            config.learning,
        ));
        // Before what they have used is taken over.
        set_clients(&registry, config);
        let kept = kept(config, &registry, &log, &metrics);
        let (keeper, salt) = kept.map_err(|why| BuildError::State {
            path: match &config.state {
                State::File(path) => path.clone(),
                State::Memory => PathBuf::new(),
            },
            why,
        })?;
        let follows = Follows {
            client: &client,
            registry: &registry,
            traffic: &traffic,
            log: &log,
        };
        let settings = follows.lists(config, &asked)?;
        let outlets = Outlets {
            registry: Arc::clone(&registry),
            log: log.clone(),
            metrics: Arc::clone(&metrics),
            traffic: Arc::clone(&traffic),
        };
        let (refresh, refresher) = RefreshTask::new(settings, outlets);
        let walker = Walker::new(
            config,
            asked,
            accounts::redactor(config),
            Arc::clone(&registry),
            log.clone(),
            Arc::clone(&traffic),
            TaskTracker::new(),
        );
        let walker = match salt {
            Some(salt) => walker.salted(salt),
            None => walker,
        };
        let app = App::new(
            config,
            Arc::clone(&registry),
            Arc::new(walker),
            refresher.clone(),
            log.clone(),
            metrics,
            Arc::clone(&traffic),
        );
        let app = match &keeper {
            Some(keeper) => app.keeping(Arc::clone(keeper.noted())),
            None => app,
        };
        let app = Arc::new(Current::new(app));
        let reloader = Reloader {
            connect_timeout: config.connect_timeout,
            connector,
            client,
            app: Arc::clone(&app),
            keeper: keeper.clone(),
            registry,
            refresher,
            traffic,
            log,
        };
        Ok(Self {
            app,
            refresh,
            keeper,
            trace,
            reloader,
        })
    }
}

/// What the settings say of clients.
fn set_clients(registry: &Registry, config: &Config) {
    let limits = config.clients.iter();
    let limits = limits.map(|client| (&client.name, &client.limits[..]));
    registry.set_clients(limits, config.fair_share);
}

/// What the reading of lists needs besides settings.
struct Follows<'a> {
    client: &'a HttpClient,
    registry: &'a Arc<Registry>,
    traffic: &'a Arc<Traffic>,
    log: &'a Log,
}

impl Follows<'_> {
    /// What the settings say about lists.
    fn lists(&self, config: &Config, asked: &[Keyring]) -> Result<Settings, BuildError> {
        let openrouter = asked
            .iter()
            .filter(|keys| keys.id().provider.is_openrouter() && keys.first().key.is_some());
        let keys = openrouter.map(|keys| KeyTask {
            keys: keys.clone(),
            registry: Arc::clone(self.registry),
            traffic: Arc::clone(self.traffic),
            log: self.log.clone(),
            reads: KeyReads::default(),
        });
        let providers = Providers {
            rows: config.providers.clone(),
            lists: accounts::lists(config)?,
            accounts: asked.iter().map(|keys| Arc::clone(keys.id())).collect(),
            named_free: config
                .providers
                .iter()
                .filter(|row| config.takes_free_names_alone(row))
                .map(|row| row.id.clone())
                .collect(),
            order: config.model_order.clone(),
        };
        let catalogue = accounts::catalogue(config, self.client)?;
        let client = self.client.clone();
        let keys = keys.collect();
        Ok(Settings::new(config, client, catalogue, keys, providers))
    }
}

/// What keeps the file that `STATE` names, and the file's salt, if it names one.
fn kept(
    config: &Config,
    registry: &Arc<Registry>,
    log: &Log,
    metrics: &Arc<Metrics>,
) -> Result<(Option<Arc<Keeper>>, Option<Salt>), state::Unwritable> {
    let Some(opened) = Opened::of(&config.state, log)? else {
        return Ok((None, None));
    };
    let salt = opened.salt();
    let (registry, metrics) = (Arc::clone(registry), Arc::clone(metrics));
    let keeper = Keeper::begin(opened, &config.accounts, registry, log.clone(), metrics)?;
    Ok((Some(keeper), Some(salt)))
}

fn recorder(
    config: &Config,
    log: &Log,
    metrics: &Arc<Metrics>,
) -> Result<(Recorder, Option<Writer>), BuildError> {
    let Some(path) = &config.trace_file else {
        return Ok((Recorder::default(), None));
    };
    let opened = Recorder::to(path, log.clone(), Arc::clone(metrics));
    let (recorder, writer) = opened.map_err(|why| BuildError::Trace {
        path: path.clone(),
        why,
    })?;
    Ok((recorder, Some(writer)))
}
