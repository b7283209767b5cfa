//! What is known now: the snapshot of models, swapped whole, and who is resting.
//!
//! Everything that is known about health goes through [`Registry`], so that replicas could
//! one day share it. No I/O here, and no decision: `select` decides.

mod claim;
mod cooldowns;
mod outside;
mod snapshot;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

pub use claim::Claim;
pub use cooldowns::{AccountRest, Cooldowns, RestView, Standing, Wake};
pub use outside::{FailedRead, Outside, There, TodayView};
pub use snapshot::{Snapshot, Source};

use crate::clock::Now;
use crate::model::{Capability, ModelId};
use crate::provider::KeySaid;
use crate::verdict::{AccountLimit, Because, Rest};

/// The shared state of the proxy. A request reads the snapshot once and keeps the one it got.
#[derive(Debug)]
pub struct Registry {
    snapshot: ArcSwapOption<Snapshot>,
    /// A std lock: it is held for a look-up or an insert, and never across an await.
    cooldowns: Mutex<Cooldowns>,
    /// A lock of its own: nothing of it is on a request's way.
    outside: Mutex<Outside>,
    /// Told whenever a probe ends or somebody is woken: who waits looks again.
    changes: watch::Sender<()>,
}

impl Default for Registry {
    fn default() -> Self {
        let (changes, _) = watch::channel(());
        Self {
            snapshot: ArcSwapOption::empty(),
            cooldowns: Mutex::default(),
            outside: Mutex::default(),
            changes,
        }
    }
}

impl Registry {
    /// The snapshot of this moment; reading it takes no lock.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Puts a new snapshot in place of the old one. Rests of models that left are forgotten;
    /// those of models that stayed are kept, unless they were to last until now (spec §2, §9.2).
    pub fn publish(&self, snapshot: Snapshot) {
        let known: HashSet<_> = snapshot.candidates().map(|m| m.id.clone()).collect();
        self.lock().new_list(|id| known.contains(id));
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.changes.send_replace(());
    }

    /// Puts a new snapshot in place and forgets every rest, the account's too
    /// (`POST /admin/refresh`).
    pub fn publish_and_wake_all(&self, snapshot: Snapshot) {
        self.forget_failures();
        self.lock().clear_all();
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.changes.send_replace(());
    }

    /// Puts a snapshot in place that knows more of the same models.
    pub fn enrich(&self, snapshot: Snapshot) {
        self.snapshot.store(Some(Arc::new(snapshot)));
    }

    /// Says when the list will be read again: rests "until the next list" end then at the latest.
    pub fn next_list_at(&self, wake: Wake) {
        self.lock().next_list_at(wake);
    }

    /// Whether there is no list, and not because the first read is still under way.
    #[must_use]
    pub fn first_list_failed(&self) -> bool {
        self.snapshot.load().is_none() && self.with_cooldowns(Cooldowns::next_list).is_some()
    }

    /// Runs `read` on the rests, under the lock: it must be short.
    pub fn with_cooldowns<T>(&self, read: impl FnOnce(&Cooldowns) -> T) -> T {
        read(&self.lock())
    }

    /// The same with a moment that no rest that is known was given after: what is left of one is
    /// never longer than it was told.
    pub fn with_cooldowns_now<T>(&self, read: impl FnOnce(&Cooldowns, Now) -> T) -> T {
        let cooldowns = self.lock();
        read(&cooldowns, Now::read())
    }

    /// Chooses under the lock, and claims the model that `choose` names beside its answer, so
    /// that no two requests probe the same one. `usual` says how long a model takes to begin: a
    /// probe that takes longer lets one more go (spec §9.8).
    pub fn claim<T>(
        self: &Arc<Self>,
        choose: impl FnOnce(&Cooldowns, Now) -> (T, Option<ModelId>),
        usual: impl FnOnce(&ModelId) -> Duration,
    ) -> (T, Option<Claim>) {
        let mut cooldowns = self.lock();
        // Under the lock: no rest that is known was given later than this.
        let now = Now::read();
        let (chosen, id) = choose(&cooldowns, now);
        let claim = id.map(|id| {
            let probes = cooldowns.ask(&id, || usual(&id), now);
            Claim::new(Arc::clone(self), id, probes)
        });
        (chosen, claim)
    }

    /// Tells of every change that a waiting request should look at.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Lets the model that failed rest; answers when it wakes, if it rests at all.
    pub fn rest(&self, because: Because, rest: Rest, now: Now) -> Option<Wake> {
        self.lock().rest(because, rest, now)
    }

    /// Lets the whole account rest; answers when it wakes, if it rests at all, and whether it did not
    /// rest for that until now.
    pub fn rest_account(
        &self,
        because: Because,
        why: AccountRest,
        rest: Rest,
        now: Now,
    ) -> (Option<Wake>, bool) {
        if why.limit == AccountLimit::Day {
            self.note(|outside| outside.day_refused(why.free_requests, now));
        }
        let rests_for = |known: &Cooldowns| known.account_rest(now).map(|(why, _)| why.limit);
        let mut cooldowns = self.lock();
        let before = rests_for(&cooldowns);
        let wake = cooldowns.rest_account(because, why, rest, now);
        let after = rests_for(&cooldowns);
        (wake, after.is_some() && after != before)
    }

    /// Ends a model's rest before its time, and forgets what it was found to lack.
    pub fn clear_model(&self, id: &ModelId) {
        self.change(|known| known.clear_model(id));
    }

    /// Ends the account's rest before its time.
    pub fn clear_account(&self) {
        self.forget_failures();
        self.change(Cooldowns::clear_account);
    }

    /// Ends every rest before its time, and forgets what models were found to lack.
    pub fn clear_all(&self) {
        self.forget_failures();
        self.change(Cooldowns::clear_all);
    }

    /// What failed before an operator's word tells nothing of what comes after it.
    fn forget_failures(&self) {
        self.note(|outside| outside.forget(Now::read()));
    }

    /// Remembers until the next list that a model cannot do something.
    pub fn learn(&self, id: &ModelId, lacks: Capability) {
        self.lock().learn(id, lacks);
    }

    /// Writes down what the outside told of itself.
    pub fn note(&self, note: impl FnOnce(&mut Outside)) {
        // Every note is whole by itself, so a panic elsewhere leaves them usable.
        note(&mut self.outside.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The key endpoint was asked. Watchers hear of it where the verdict has changed.
    pub fn key_said(&self, said: KeySaid, now: Now) {
        let (mut before, mut after) = (false, false);
        self.note(|outside| {
            before = outside.key_is_refused();
            outside.key_said(said, now);
            after = outside.key_is_refused();
        });
        if before != after {
            self.changes.send_replace(());
        }
    }

    /// What the outside last told of itself.
    #[must_use]
    pub fn outside(&self) -> Outside {
        let outside = self.outside.lock();
        outside.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes who rests in a way that waiting requests should look at.
    fn change(&self, change: impl FnOnce(&mut Cooldowns)) {
        change(&mut self.lock());
        self.changes.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Cooldowns> {
        // Every change is one insert, so a panic elsewhere leaves the table whole.
        self.cooldowns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
