//! Other settings: what of the lists changes with them (spec §12.2).

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::{RefreshTask, Refresher, Settings};
use crate::account::KeyTask;
use crate::model::ProviderId;

/// How long other settings wait for lists that were not read before: until then the ones before them count.
const PATIENCE: Duration = Duration::from_secs(5);

/// Other settings, and who waits for them.
#[derive(Debug)]
pub(super) struct Change {
    settings: Settings,
    done: oneshot::Sender<()>,
}

impl Refresher {
    /// Follows these settings from now on. When this ends, the list is what they make of what was read.
    pub async fn settle(&self, settings: Settings) {
        self.keys.store(Arc::new(settings.key_reads()));
        let (done, is_done) = oneshot::channel();
        // Without the task the proxy is shutting down.
        if self.change.send(Change { settings, done }).is_ok() {
            drop(is_done.await);
        }
    }
}

impl RefreshTask {
    /// Other settings count from now on.
    pub(super) async fn settle(&mut self, change: Change) {
        let Change { settings, done } = change;
        let before = std::mem::replace(&mut self.settings, settings);
        let new = &self.settings;
        self.reads_again |= new.reader.differs(&before.reader) || new.period != before.period;
        if new.reader.has_other_catalogue(&before.reader) {
            self.catalogue = None;
        }
        let lists = new.providers.lists.iter();
        let fresh = lists.filter(|at| !before.providers.lists.contains(at));
        let fresh: Vec<ProviderId> = fresh.map(|at| at.provider.clone()).collect();
        // A list that cannot be read anew keeps its last state.
        self.kept
            .retain(|id| new.providers.lists.iter().any(|at| at.provider == *id));
        // What is being read may be read with an old key: it is begun anew.
        let under_way = std::mem::take(&mut self.under_way);
        self.late.clear();
        if under_way.contains(&None) {
            self.begin_catalogue();
        }
        self.begin_lists(|_, at| {
            let id = Some(at.provider.clone());
            fresh.contains(&at.provider) || under_way.contains(&id)
        });
        self.ask_about_keys();
        let until = Instant::now() + PATIENCE;
        let is_awaited = |id: &Option<ProviderId>| id.as_ref().is_some_and(|id| fresh.contains(id));
        while self.under_way.iter().any(is_awaited)
            && let Ok(Some(side)) = timeout_at(until, self.late.next()).await
        {
            self.note(side);
        }
        self.publish_settled();
        let others = |key: &&KeyTask| !before.keys.iter().any(|old| old.keys.id() == key.keys.id());
        for key in self.settings.keys.iter().filter(others) {
            key.reads.want();
        }
        // Whoever asked may have gone.
        done.send(()).ok();
    }

    /// Asks about the keys of these settings and no others.
    pub(super) fn ask_about_keys(&mut self) {
        self.asking = JoinSet::new();
        for key in self.settings.keys.iter().cloned() {
            self.asking.spawn(key.run());
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}
