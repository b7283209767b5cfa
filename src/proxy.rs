//! The parts of a proxy, put together.

use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;
use tokio_util::task::TaskTracker;

use crate::attempt::{Account, Walker};
use crate::clock::Now;
use crate::config::Config;
use crate::list::RefreshTask;
use crate::model::{AccountId, ProviderId};
use crate::provider::find;
use crate::redact::Redactor;
use crate::registry::Registry;
use crate::server::App;
use crate::telemetry::{Log, Metrics, Traffic};
use crate::upstream::{Connector, Hop, HttpClient, InvalidUpstream, Upstream, bearer};

/// A proxy ready to serve: `server::serve` takes `app`, and `refresh` must run beside it.
pub struct Proxy {
    /// The HTTP face.
    pub app: Arc<App>,
    /// Keeps the snapshot fresh.
    pub refresh: RefreshTask,
}

/// The settings make no working proxy. `Config` has checked them, so this is a fault of the
/// program or of the TLS library.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// TLS refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// Address or key of the upstream.
    #[error(transparent)]
    Upstream(#[from] InvalidUpstream),
    /// The table of providers has lost OpenRouter.
    #[error("OpenRouter is not in the table of providers")]
    NoRow,
    /// The metrics' names clash.
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// The one account at OpenRouter.
fn openrouter(config: &Config, client: &HttpClient) -> Result<Account, BuildError> {
    let key = &config.upstream_key;
    let auth = bearer(key).map_err(InvalidUpstream::from)?;
    let attribution = [
        (ATTRIBUTION, config.referer.clone()),
        (TITLE, config.title.clone()),
    ];
    let hop = Hop {
        base: config.upstream_base_url.clone(),
        auth: Some((AUTHORIZATION, auth)),
        headers: attribution.into_iter().collect(),
    };
    let row = find(ProviderId::OPENROUTER).ok_or(BuildError::NoRow)?;
    Ok(Account {
        id: Arc::new(AccountId::openrouter()),
        provider: Arc::clone(row),
        key: Some(key.clone()),
        upstream: Upstream::new(hop, client)?,
    })
}

/// OpenRouter's spelling of the attribution header is the standard's `Referer` with a prefix
/// (`docs/upstream.md` §1).
const ATTRIBUTION: HeaderName = HeaderName::from_static("http-referer");
const TITLE: HeaderName = HeaderName::from_static("x-title");

impl Proxy {
    /// Builds a proxy that opens its outbound connections through `connector`.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(config: &Config, connector: Connector, log: Log) -> Result<Self, BuildError> {
        let client = HttpClient::new(connector)?;
        let openrouter = openrouter(config, &client)?;
        let upstream = openrouter.upstream.clone();
        let metrics = Arc::new(Metrics::new()?);
        let traffic = Arc::new(Traffic::new(Now::read()));
        let registry = Arc::new(Registry::default());
        let (refresh, refresher) = RefreshTask::new(
            config,
            client,
            &upstream,
            Arc::clone(&registry),
            log.clone(),
            Arc::clone(&metrics),
            Arc::clone(&traffic),
        );
        let walker = Walker::new(
            config,
            vec![openrouter],
            Redactor::new([config.upstream_key.clone()]),
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
        })
    }
}
