//! Other settings for a proxy that runs (spec §12.2): what a set of settings makes is made anew, and what lasts is
//! kept: open connections, rests, quotas, what was learnt, the figures.

use std::sync::Arc;
use std::time::Duration;

use super::{BuildError, Follows, accounts, set_clients};
use crate::config::Config;
use crate::list::Refresher;
use crate::registry::Registry;
use crate::server::{Current, Told};
use crate::state::Keeper;
use crate::telemetry::{Log, Traffic};
use crate::upstream::{Connector, HttpClient};

/// Puts other settings in force.
pub struct Reloader {
    pub(super) connect_timeout: Duration,
    pub(super) connector: Connector,
    pub(super) client: HttpClient,
    pub(super) app: Arc<Current>,
    pub(super) keeper: Option<Arc<Keeper>>,
    pub(super) registry: Arc<Registry>,
    pub(super) refresher: Refresher,
    pub(super) traffic: Arc<Traffic>,
    pub(super) log: Log,
}

impl Reloader {
    /// Requests that begin after this are served by these settings. What only a restart can change is taken as it is:
    /// the caller has seen to it that it is the same.
    ///
    /// # Errors
    /// See [`BuildError`]; nothing has changed then.
    pub async fn settle(&mut self, config: &Config) -> Result<(), BuildError> {
        let client = if config.connect_timeout == self.connect_timeout {
            // Its connections stay open.
            self.client.clone()
        } else {
            let connector = self.connector.clone().within(config.connect_timeout);
            HttpClient::new(connector)?
        };
        let asked = accounts::asked(config, &client)?;
        let follows = Follows {
            client: &client,
            registry: &self.registry,
            traffic: &self.traffic,
            log: &self.log,
        };
        let lists = follows.lists(config, &asked)?;
        let before = self.app.walker();
        let walker = before.under(config, asked, accounts::redactor(config));
        // The requests of before keep their list, then comes the new one, then those that follow it: no request
        // meets a list of accounts that it does not know.
        before.retire();
        self.registry
            .settle(config.providers.clone(), config.learning);
        if let Some(keeper) = &self.keeper {
            keeper.accounts(&config.accounts);
        }
        self.refresher.settle(lists).await;
        // Right before the swap: until then the clients of before are served.
        set_clients(&self.registry, config);
        self.app.settle(config, Arc::new(walker));
        self.log.set_level(config.log_level);
        (self.client, self.connect_timeout) = (client, config.connect_timeout);
        Ok(())
    }

    /// Tells people what became of a change.
    pub fn note(&self, note: impl FnOnce(&mut Told)) {
        self.app.note(note);
        self.registry.has_changed();
    }

    /// Where it is logged.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }
}
