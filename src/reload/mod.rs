//! Settings that change while the proxy runs (spec §12.2): looks at their files, checks what has changed, puts it in
//! force or says why not.
//!
//! What a change is, is a matter of `config`; what becomes of it in a running proxy, of `proxy`. No request waits for
//! anything here.

mod announce;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

pub use announce::announce;
use watch::Watch;

use crate::clock::Now;
use crate::config::{Config, Destinations, LogLevel, Seen, Sources};
use crate::proxy::Reloader;

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// How often SIGHUP looks at once until two looks agree; then it is left to the period.
const TRIES: usize = 5;

/// The task that keeps the settings of a proxy those of its files.
pub struct Reload {
    /// What the process started with: only a restart changes some of it.
    started: Sources,
    /// What is in force, and what its files contained.
    sources: Sources,
    seen: Seen,
    config: Config,
    /// Where its keys have gone, and those before.
    gone: Destinations,
    /// What was read last, in force or not: its files are looked at.
    read: Sources,
    watch: Watch,
    reloader: Reloader,
    /// The most connections that this process can have.
    most_connections: usize,
}

/// Settings that were just read.
struct Read {
    sources: Sources,
    seen: Seen,
}

impl Reload {
    /// For a proxy that runs with these settings, whose files contained this when they were read.
    #[must_use]
    pub fn new(
        (sources, seen): (Sources, Seen),
        config: Config,
        reloader: Reloader,
        most_connections: usize,
    ) -> Self {
        let mut gone = Destinations::default();
        gone.note(&config);
        Self {
            started: sources.clone(),
            read: sources.clone(),
            sources,
            watch: Watch::of(seen.clone()),
            seen,
            config,
            gone,
            reloader,
            most_connections,
        }
    }

    /// Looks every two seconds, and at once when `told` (SIGHUP). Never ends.
    pub async fn run(mut self, told: Arc<Notify>) {
        loop {
            let at_once = tokio::select! {
                () = tokio::time::sleep(PERIOD) => false,
                () = told.notified() => true,
            };
            let tries = if at_once { TRIES } else { 1 };
            for _ in 0..tries {
                if self.is_up_to_date(at_once).await {
                    break;
                }
            }
        }
    }

    /// Looks, and reads what wants reading. Returns whether that is dealt with; if not, it is looked at again.
    async fn is_up_to_date(&mut self, at_once: bool) -> bool {
        let Some(seen) = self.look().await else {
            return false;
        };
        if !self.watch.wants_reading(&seen) && !at_once {
            return true;
        }
        let Some(read) = self.read_again().await else {
            return false;
        };
        self.read = read.sources.clone();
        // It may have changed in between, or names a file that was not looked at before.
        if read.seen != seen {
            self.watch.is_pending(read.seen);
            return false;
        }
        self.watch.is_settled(read.seen.clone());
        self.settle(read).await;
        true
    }

    /// What the files contain now. Reading may take a while, so it is done elsewhere.
    async fn look(&self) -> Option<Seen> {
        let read = self.read.clone();
        spawn_blocking(move || read.look()).await.ok()
    }

    async fn read_again(&self) -> Option<Read> {
        let started = self.started.clone();
        let read = move || {
            let sources = started.again();
            let seen = sources.look();
            Read { sources, seen }
        };
        spawn_blocking(read).await.ok()
    }

    /// Puts what was read in force, or says why not.
    async fn settle(&mut self, read: Read) {
        match self.put(&read).await {
            Ok((config, needs_restart)) => self.is_in_force(read, config, needs_restart),
            Err(problems) => {
                let fields = json!({"problems": problems});
                self.reloader.note(|told| told.refused = problems);
                let log = self.reloader.log();
                log.emit(LogLevel::Warning, "settings_refused", &fields);
            }
        }
    }

    /// What is in force from now on, and what of it waits for a restart; or what is wrong with it.
    async fn put(&mut self, read: &Read) -> Result<(Config, Vec<String>), Vec<String>> {
        let emptied = read.seen.emptied(&self.seen);
        if !emptied.is_empty() {
            return Err(emptied);
        }
        let sources = read.sources.clone();
        let started = self.started.clone();
        let checked = spawn_blocking(move || {
            // As they will be after a restart, and as they can be before it.
            sources.config()?;
            let (held, waits) = sources.holding(&started);
            Ok((held.config()?, waits))
        });
        let checked = checked.await.map_err(|error| vec![error.to_string()])?;
        let (config, mut needs_restart) =
            checked.map_err(|error: crate::config::ConfigError| error.into_problems())?;
        let (mut config, addresses) = config
            .holding(&self.config, &self.gone)
            .map_err(|why| vec![why])?;
        needs_restart.extend(addresses);
        let limits = &mut config.limits;
        limits.max_connections = limits.max_connections.min(self.most_connections);
        let settled = self.reloader.settle(&config).await;
        settled.map_err(|error| vec![error.to_string()])?;
        Ok((config, needs_restart))
    }

    fn is_in_force(&mut self, read: Read, config: Config, needs_restart: Vec<String>) {
        let before = (&self.sources, &self.seen);
        let changes = read.sources.changes(&read.seen, &config, before);
        let fields = json!({
            "changed": changes.changed, "shadowed": changes.shadowed, "needs_restart": needs_restart,
        });
        self.reloader.note(|told| {
            told.reloaded_at = Some(Now::read().wall);
            told.needs_restart = needs_restart;
            told.refused = Vec::new();
        });
        let log = self.reloader.log();
        announce(log, &config, Some(&self.config));
        log.emit(LogLevel::Info, "settings_reloaded", &fields);
        self.gone.note(&config);
        (self.sources, self.seen, self.config) = (read.sources, read.seen, config);
    }
}
