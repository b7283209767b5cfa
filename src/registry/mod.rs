//! What is known now: the snapshot of candidates, swapped whole; which of them rest; and what is left of
//! quotas.
//!
//! Everything known about health goes through [`Registry`], so that replicas could one day share it. No I/O
//! here, and no decision: `select` decides.

mod accounts;
mod admitted;
mod claim;
mod clients;
mod drawn;
mod filtered;
mod in_line;
mod knowledge;
mod lasting;
mod outside;
mod place;
mod queue;
mod rests;
mod snapshot;

use std::collections::HashSet;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, watch};

pub use admitted::Admitted;
pub use claim::{Chosen, Claim};
pub use drawn::Drawn;
use filtered::FilteredOut;
pub use in_line::InLine;
pub use knowledge::Knowledge;
pub use lasting::Lasting;
pub use outside::{FailedRead, Outside, There, ToldOfDay};
pub use place::{Place, Turn, Wait};
use queue::Queue;
pub use queue::{Awaited, Look, Return, Sight, Waiter};
pub use rests::{RestView, Rests, Standing, Wake};
pub use snapshot::{Parts, Snapshot, Source};

use crate::clock::Now;
use crate::learnt::{Cells, Parameters};
use crate::ledger::{Allowances, Reservation};
use crate::model::{Capability, Offer, ProviderId, Subject, Whom};
use crate::provider::Provider;
use crate::request::FieldName;
use crate::verdict::{AccountLimit, Because, Rest};

/// The shared state of the proxy. A request reads the snapshot once and keeps the one it got.
#[derive(Debug)]
pub struct Registry {
    snapshot: ArcSwapOption<Snapshot>,
    settings: ArcSwap<Settings>,
    /// A std lock: it is held for a lookup or an insert, and never across an await.
    held: Mutex<Held>,
    /// What attempts have taught; its own lock, which only a new list takes.
    cells: Mutex<Cells>,
    /// Its own lock; where both are taken, this one is first.
    filtered: Mutex<FilteredOut>,
    /// What clients may still ask; its own lock, which is never taken with another, and not at all without limits.
    allowances: Mutex<Allowances>,
    /// Whether any client has limits.
    has_limits: AtomicBool,
    /// Whether clients share days fairly; otherwise nobody needs to know who asks.
    fair_share: AtomicBool,
    /// Its own lock: no request depends on it.
    outside: Mutex<Outside>,
    /// Notified whenever a probe ends, or a request that counts against a limit on requests at once, or anything
    /// is woken.
    changes: watch::Sender<()>,
    /// Tells the queue's timekeeper that the time has changed.
    stirred: Notify,
}

/// What the settings say that every new list needs.
#[derive(Debug, Default)]
struct Settings {
    /// The providers, for their limits.
    rows: Vec<Arc<Provider>>,
    /// The parameters of what attempts teach.
    learning: Parameters,
}

/// What is known, and the requests that wait for it to change.
#[derive(Debug, Default)]
struct Held {
    known: Knowledge,
    queue: Queue,
    /// What is known has changed since it was last kept.
    has_changed: bool,
}

impl Deref for Held {
    type Target = Knowledge;

    fn deref(&self) -> &Knowledge {
        &self.known
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Knowledge {
        self.has_changed = true;
        &mut self.known
    }
}

impl Default for Registry {
    fn default() -> Self {
        let (changes, _) = watch::channel(());
        Self {
            snapshot: ArcSwapOption::empty(),
            settings: ArcSwap::default(),
            held: Mutex::default(),
            cells: Mutex::default(),
            filtered: Mutex::default(),
            allowances: Mutex::default(),
            has_limits: AtomicBool::new(false),
            fair_share: AtomicBool::new(false),
            outside: Mutex::default(),
            changes,
            stirred: Notify::new(),
        }
    }
}

impl Registry {
    /// A registry that knows the limits of these providers, and forgets what attempts have taught at the pace
    /// these parameters set.
    #[must_use]
    pub fn with_limits_of(rows: Vec<Arc<Provider>>, learning: Parameters) -> Self {
        let registry = Self::default();
        registry.settle(rows, learning);
        registry
    }

    /// From the next list on these providers' limits and these parameters count.
    pub fn settle(&self, rows: Vec<Arc<Provider>>, learning: Parameters) {
        self.settings.store(Arc::new(Settings { rows, learning }));
    }

    /// The current snapshot; reading it takes no lock.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Replaces the snapshot. Rests of offers that are gone from it are forgotten; those of models that stayed are
    /// kept, unless they were to last until the next list (spec §2, §4.5).
    pub fn publish(&self, snapshot: Snapshot) {
        let candidates = snapshot.candidates().iter();
        let known: HashSet<_> = candidates.flat_map(|c| c.subjects()).collect();
        self.lock()
            .new_list(|subject| known.contains(subject), Now::read());
        self.enrich(snapshot);
        self.changes.send_replace(());
    }

    /// Replaces the snapshot and forgets every rest (`POST /admin/refresh`).
    pub fn publish_and_wake_all(&self, snapshot: Snapshot) {
        self.forget_failures();
        self.lock().forget(Now::read());
        self.enrich(snapshot);
        self.changes.send_replace(());
    }

    /// Replaces the snapshot with one that knows more of the same offers.
    pub fn enrich(&self, snapshot: Snapshot) {
        let settings = self.settings.load();
        let evidences = {
            let candidates = snapshot.candidates().iter().map(|c| &**c);
            let mut cells = self.cells();
            cells.list(candidates, &settings.learning, Now::read())
        };
        let snapshot = snapshot.with_evidences(evidences);
        let speaks = |list: &Snapshot| list.speaks_for_openrouter().cloned();
        let before = self.snapshot.load().as_deref().map(speaks);
        if before.is_some_and(|before| before != speaks(&snapshot)) {
            self.note(Outside::other_key);
        }
        let mut held = self.lock();
        held.retain_accounts(|account| snapshot.has_account(account));
        let snapshot = held.list(snapshot, &settings.rows, Now::read());
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.lets_go(held);
    }

    /// Says when the next list is due: rests "until the next list" end then at the latest. What could not
    /// be read is tried again at `read`, no later.
    pub fn next_list_at(&self, due: Wake, read: Wake) {
        self.lock().next_list_at(due, read);
    }

    /// Whether there is no list although the first read is over.
    #[must_use]
    pub fn first_list_failed(&self) -> bool {
        self.snapshot.load().is_none() && self.with_rests(Rests::next_read).is_some()
    }

    /// Runs `read` on the rests, under the lock: it must be short.
    pub fn with_rests<T>(&self, read: impl FnOnce(&Rests) -> T) -> T {
        read(&self.lock())
    }

    /// The same, with a moment that is no earlier than any known rest was given: what is left of a rest is then
    /// never longer than it was told.
    pub fn with_rests_now<T>(&self, read: impl FnOnce(&Rests, Now) -> T) -> T {
        self.with_known_now(|known, now| read(&known.rests, now))
    }

    /// The same, with the quotas too.
    pub fn with_known_now<T>(&self, read: impl FnOnce(&Knowledge, Now) -> T) -> T {
        let known = self.lock();
        read(&known, Now::read())
    }

    /// A copy of what is known and of the queue, for work over a thousand models, which takes too long under the
    /// lock. The moment beside it is no earlier than any known rest was given.
    #[must_use]
    pub fn copy(&self) -> (Knowledge, InLine, Now) {
        let held = self.lock();
        (held.known.clone(), held.queue.in_line(), Now::read())
    }

    /// Chooses under the lock, and claims the candidate that `choose` names beside its answer, so that no two
    /// requests probe the same one or draw the same last piece of a quota. If waiting requests are to look first,
    /// nothing is claimed, and this request joins them ([`Self::wait`]).
    pub fn claim<T>(
        self: &Arc<Self>,
        choose: impl FnOnce(&Knowledge, Now) -> (T, Option<Chosen>),
    ) -> (T, Option<(Claim, Drawn)>) {
        let mut held = self.lock();
        // Read under the lock: no known rest was given later than this.
        let now = Now::read();
        self.serve(&mut held, now);
        let (said, chosen) = choose(&held, now);
        let chosen = chosen.filter(|_| held.queue.is_empty() || !held.queue.is_pending(now));
        let claim = chosen.map(|chosen| {
            let (candidate, key, probe, reservation) = held.ask_chosen(chosen, now);
            let drawn = Drawn::new(Arc::clone(self), reservation);
            (Claim::new(Arc::clone(self), candidate, key, probe), drawn)
        });
        (said, claim)
    }

    /// Something has changed that people may want to see at once.
    pub fn has_changed(&self) {
        self.changes.send_replace(());
    }

    /// Notified of every change that people may want to see at once.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Rests a subject; returns when it wakes, if it rests at all, and whether it was not already resting for the
    /// same reason.
    pub fn rest(
        &self,
        subject: &Subject,
        because: Because,
        rest: Rest,
        now: Now,
    ) -> (Option<Wake>, bool) {
        if self.is_of_old_key(subject) {
            return (None, false);
        }
        if let (Whom::Account(account), Some(out)) = (subject.whom(), &because.out_of)
            && self.speaks_for_openrouter(account)
            && out.limit == AccountLimit::Day
            && out.free_requests.is_some()
        {
            self.note(|outside| outside.day_refused(now));
        }
        let rests_for = |known: &Rests| {
            let rest = known.rest_of(subject, now);
            rest.map(|rest| rest.because.limit())
        };
        let mut rests = self.lock();
        let before = rests_for(&rests);
        let wake = rests.rest(subject, because, rest, now);
        let after = rests_for(&rests);
        (wake, after.is_some() && after != before)
    }

    /// Ends the rests of these subjects early, and forgets what they were found to lack.
    pub fn clear<'a>(&self, subjects: impl IntoIterator<Item = &'a Subject>) {
        let mut rests = self.lock();
        let mut of_account = false;
        for subject in subjects {
            of_account |= subject.is_shared();
            rests.clear(subject);
            rests.ledger.forget_lessons_of(subject, Now::read());
        }
        self.lets_go(rests);
        self.filtered().forget();
        if of_account {
            self.forget_failures();
        }
        self.changes.send_replace(());
    }

    /// Ends every rest early, and forgets what models were found to lack.
    pub fn clear_all(&self) {
        self.forget_failures();
        self.change(|known| known.forget(Now::read()));
        self.filtered().forget();
    }

    /// Ends every rest at these providers, and forgets what their models were found to lack.
    pub fn wake_providers(&self, is_meant: impl Fn(&ProviderId) -> bool) {
        self.change(|known| known.forget_of(is_meant, Now::read()));
        self.filtered().forget();
    }

    /// An operator has cleared: what failed before says nothing about what comes after.
    fn forget_failures(&self) {
        self.note(|outside| outside.forget(Now::read()));
    }

    /// Remembers until the next list that an offer cannot do something.
    pub fn learn(&self, model: &Subject, lacks: Capability) {
        self.lock().learn(model, lacks);
        self.filtered().forget();
    }

    /// Remembers until the next list the window that an offer has named.
    pub fn learn_window(&self, model: &Subject, window: u64) {
        self.lock().learn_window(model, window);
    }

    /// Remembers until the next list that an offer refuses a field.
    pub fn learn_refused(&self, model: &Subject, field: FieldName) {
        self.lock().learn_refused(model, field);
    }

    /// The offers of a snapshot that these needs rule out; `find` finds them if that is not known yet.
    pub fn filtered_out(
        &self,
        snapshot: &Arc<Snapshot>,
        needs: &[Capability],
        find: impl FnOnce(&Rests) -> Vec<Arc<Offer>>,
    ) -> Arc<[Arc<Offer>]> {
        let find = || self.with_rests(find);
        self.filtered().of(snapshot, needs, find)
    }

    /// There was no connection to a provider: it is asked last for a while.
    pub fn way_fails(&self, provider: &Subject, now: Now) {
        self.lock().way_fails(provider, now);
    }

    /// There was a connection to a provider.
    pub fn way_opens(&self, provider: &Subject) {
        self.lock().way_opens(provider);
    }

    /// Notes what an outside service said about itself.
    pub fn note(&self, note: impl FnOnce(&mut Outside)) {
        // Each note is complete in itself, so a panic elsewhere leaves them usable.
        note(&mut self.outside.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What outside services last said about themselves.
    #[must_use]
    pub fn outside(&self) -> Outside {
        let outside = self.outside.lock();
        outside.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes rests in a way that waiting requests should look at.
    fn change(&self, change: impl FnOnce(&mut Knowledge)) {
        let mut held = self.lock();
        change(&mut held);
        self.lets_go(held);
        self.changes.send_replace(());
    }

    /// Something has changed: waiting requests look again, under the same hold of the lock.
    fn lets_go(&self, mut held: MutexGuard<'_, Held>) {
        if !held.queue.is_empty() {
            held.queue.stir();
            self.serve(&mut held, Now::read());
        }
    }

    /// Lets go the waiting requests that can be served.
    fn serve(&self, held: &mut Held, now: Now) {
        if held.queue.is_empty() {
            return;
        }
        if let Some(list) = self.snapshot() {
            let due = held.queue.due(now);
            held.has_changed = true;
            held.queue.serve(&mut held.known, &list, now);
            let queue = &held.queue;
            // The keeper goes on with what is pending, even if it was pending before.
            if queue.is_empty() || queue.is_pending(now) || queue.due(now) != due {
                self.stirred.notify_one();
            }
        }
    }

    fn cells(&self) -> MutexGuard<'_, Cells> {
        // Lists replace it whole.
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn filtered(&self) -> MutexGuard<'_, FilteredOut> {
        // Each entry is complete in itself.
        self.filtered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request that drew from quotas has ended. Another may now begin, if requests at once are limited there, or
    /// if this one used less than was expected.
    fn ends(&self, reservation: Reservation, end: impl FnOnce(&mut Knowledge, Reservation, Now)) {
        let mut held = self.lock();
        let is_one_of_few = held.ledger.counts_under_way(&reservation);
        end(&mut held, reservation, Now::read());
        self.lets_go(held);
        if is_one_of_few {
            self.changes.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Each change is small and complete in itself, so a panic elsewhere leaves this usable.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
