//! The parts of a proxy, put together.

mod accounts;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::account::{KeyReads, KeyTask};
use crate::attempt::Walker;
use crate::clock::Now;
use crate::config::Config;
use crate::list::{Outlets, Providers, RefreshTask};
use crate::registry::Registry;
use crate::server::App;
use crate::telemetry::{Log, Metrics, Recorder, Traffic, Unwritable, Writer};
use crate::upstream::{Connector, HttpClient, InvalidUpstream};

/// A proxy ready to serve: `server::serve` takes `app`, and `refresh` must run beside it.
pub struct Proxy {
    /// What the HTTP server serves.
    pub app: Arc<App>,
    /// Keeps the snapshot fresh.
    pub refresh: RefreshTask,
    /// Writes the trace, if there is one; finish it when the last request has ended.
    pub trace: Option<Writer>,
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
}

impl Proxy {
    /// Builds a proxy that opens its outbound connections through `connector`.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(config: &Config, connector: Connector, log: Log) -> Result<Self, BuildError> {
        let client = HttpClient::new(connector)?;
        let asked = accounts::asked(config, &client)?;
        let metrics = Arc::new(Metrics::new()?);
        let (recorder, trace) = recorder(config, &log, &metrics)?;
        let traffic = Arc::new(Traffic::new(Now::read()).recorded_by(recorder));
        let registry = Arc::new(Registry::with_limits_of(
            config.providers.clone(),
            config.learning,
        ));
        let limits = config.clients.iter();
        let limits = limits.map(|client| (&client.name, &client.limits[..]));
        registry.set_clients(limits, config.fair_share);
        let openrouter = asked
            .iter()
            .filter(|keys| keys.id().provider.is_openrouter() && keys.first().key.is_some());
        let keys = openrouter.map(|keys| KeyTask {
            keys: keys.clone(),
            registry: Arc::clone(&registry),
            traffic: Arc::clone(&traffic),
            log: log.clone(),
            reads: KeyReads::default(),
        });
        let keys = keys.collect();
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
        let outlets = Outlets {
            registry: Arc::clone(&registry),
            log: log.clone(),
            metrics: Arc::clone(&metrics),
            traffic: Arc::clone(&traffic),
        };
        let catalogue = accounts::catalogue(config, &client)?;
        let (refresh, refresher) =
            RefreshTask::new(config, client, catalogue, keys, providers, outlets);
        let walker = Walker::new(
            config,
            asked,
            accounts::redactor(config),
            Arc::clone(&registry),
            log.clone(),
            Arc::clone(&traffic),
            TaskTracker::new(),
        );
        let app = App::new(
            config,
            registry,
            Arc::new(walker),
            refresher,
            log,
            metrics,
            traffic,
        );
        Ok(Self {
            app: Arc::new(app),
            refresh,
            trace,
        })
    }
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
