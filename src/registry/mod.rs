//! What is known now: the snapshot of models, swapped whole, and who is resting.
//!
//! Everything that is known about health goes through [`Registry`], so that replicas could
//! one day share it. No I/O here, and no decision: `select` decides.

mod cooldowns;
mod snapshot;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;

pub use cooldowns::{Cooldowns, Wake};
pub use snapshot::{Snapshot, Source};

use crate::clock::Now;
use crate::model::ModelId;
use crate::upstream::Rest;

/// The shared state of the proxy. A request reads the snapshot once and keeps the one it got.
#[derive(Debug, Default)]
pub struct Registry {
    snapshot: ArcSwapOption<Snapshot>,
    /// A std lock: it is held for a look-up or an insert, and never across an await.
    cooldowns: Mutex<Cooldowns>,
}

impl Registry {
    /// The snapshot of this moment; reading it takes no lock.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Puts a new snapshot in place of the old one. Rests of models that left are forgotten;
    /// those of models that stayed are kept (spec §2).
    pub fn publish(&self, snapshot: Snapshot) {
        let mut cooldowns = self.lock();
        cooldowns.retain(|id| snapshot.models.iter().any(|m| m.id.as_str() == id.as_str()));
        self.snapshot.store(Some(Arc::new(snapshot)));
    }

    /// Puts a new snapshot in place and forgets every rest (`POST /admin/refresh`).
    pub fn publish_and_wake_all(&self, snapshot: Snapshot) {
        let mut cooldowns = self.lock();
        *cooldowns = Cooldowns::default();
        self.snapshot.store(Some(Arc::new(snapshot)));
    }

    /// Runs `read` on the rests, under the lock: it must be short.
    pub fn with_cooldowns<T>(&self, read: impl FnOnce(&Cooldowns) -> T) -> T {
        read(&self.lock())
    }

    /// Lets a model rest; answers when it wakes, if it rests at all.
    pub fn rest(&self, id: &ModelId, rest: Rest, now: Now) -> Option<Wake> {
        self.lock().rest(id, rest, now)
    }

    fn lock(&self) -> MutexGuard<'_, Cooldowns> {
        // Every change is one insert, so a panic elsewhere leaves the table whole.
        self.cooldowns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
