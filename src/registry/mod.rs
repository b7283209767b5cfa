//! What is known now: the snapshot of candidates, swapped whole, who is resting, and what is left of
//! quotas.
//!
//! Everything that is known about health goes through [`Registry`], so that replicas could
//! one day share it. No I/O here, and no decision: `select` decides.

mod claim;
mod drawn;
mod filtered;
mod in_line;
mod knowledge;
mod outside;
mod place;
mod queue;
mod rests;
mod snapshot;

use std::collections::HashSet;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};

pub use claim::{Chosen, Claim};
pub use drawn::Drawn;
use filtered::FilteredOut;
pub use in_line::InLine;
pub use knowledge::Knowledge;
pub use outside::{FailedRead, Outside, There, TodayView};
pub use place::{Place, Turn, Wait};
use queue::Queue;
pub use queue::{Awaited, Look, Return, Sight, Waiter};
pub use rests::{RestView, Rests, Standing, Wake};
pub use snapshot::{Parts, Snapshot, Source};

use crate::clock::Now;
use crate::learnt::{Cells, Parameters};
use crate::ledger::{FreeDay, Reservation};
use crate::model::{AccountId, Capability, Offer, ProviderId, Subject, Whom};
use crate::provider::{KeySaid, Provider};
use crate::request::FieldName;
use crate::verdict::{AccountLimit, Because, Rest};

/// The shared state of the proxy. A request reads the snapshot once and keeps the one it got.
#[derive(Debug)]
pub struct Registry {
    snapshot: ArcSwapOption<Snapshot>,
    /// The providers, for their limits.
    rows: Vec<Arc<Provider>>,
    /// A std lock: it is held for a look-up or an insert, and never across an await.
    held: Mutex<Held>,
    /// What attempts have taught; a lock of its own, which only a new list takes.
    cells: Mutex<Cells>,
    /// The figures behind that.
    learning: Parameters,
    /// A lock of its own; where both are taken, this one is first.
    filtered: Mutex<FilteredOut>,
    /// A lock of its own: nothing of it is on a request's way.
    outside: Mutex<Outside>,
    /// Told whenever a probe or a request of so many at once ends, or somebody is woken.
    changes: watch::Sender<()>,
    /// Tells who keeps the queue's time that it is another.
    stirred: Notify,
}

/// What is known, and who waits for it to change.
#[derive(Debug, Default)]
struct Held {
    known: Knowledge,
    queue: Queue,
}

impl Deref for Held {
    type Target = Knowledge;

    fn deref(&self) -> &Knowledge {
        &self.known
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Knowledge {
        &mut self.known
    }
}

impl Default for Registry {
    fn default() -> Self {
        let (changes, _) = watch::channel(());
        Self {
            snapshot: ArcSwapOption::empty(),
            rows: Vec::new(),
            held: Mutex::default(),
            cells: Mutex::default(),
            learning: Parameters::default(),
            filtered: Mutex::default(),
            outside: Mutex::default(),
            changes,
            stirred: Notify::new(),
        }
    }
}

impl Registry {
    /// One that knows the limits of these providers, and forgets what attempts have taught as these
    /// parameters say.
    #[must_use]
    pub fn with_limits_of(rows: Vec<Arc<Provider>>, learning: Parameters) -> Self {
        Self {
            rows,
            learning,
            ..Self::default()
        }
    }

    /// The snapshot of this moment; reading it takes no lock.
    #[must_use]
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Puts a new snapshot in place of the old one. Rests of offers that left are forgotten;
    /// those of models that stayed are kept, unless they were to last until now (spec §2, §4.5).
    pub fn publish(&self, snapshot: Snapshot) {
        let candidates = snapshot.candidates().iter();
        let known: HashSet<_> = candidates.flat_map(|c| c.subjects()).collect();
        self.lock().new_list(|subject| known.contains(subject));
        self.enrich(snapshot);
        self.changes.send_replace(());
    }

    /// Puts a new snapshot in place and forgets every rest (`POST /admin/refresh`).
    pub fn publish_and_wake_all(&self, snapshot: Snapshot) {
        self.forget_failures();
        self.lock().forget(Now::read());
        self.enrich(snapshot);
        self.changes.send_replace(());
    }

    /// Puts a snapshot in place that knows more of the same offers.
    pub fn enrich(&self, snapshot: Snapshot) {
        let evidences = {
            let candidates = snapshot.candidates().iter().map(|c| &**c);
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            cells.list(candidates, &self.learning, Now::read())
        };
        let snapshot = snapshot.with_evidences(evidences);
        let mut held = self.lock();
        let snapshot = held.list(snapshot, &self.rows, Now::read());
        self.snapshot.store(Some(Arc::new(snapshot)));
        self.lets_go(held);
    }

    /// Says when the next list is due: rests "until the next list" end then at the latest. What could not
    /// be read is tried again at `read`, no later.
    pub fn next_list_at(&self, due: Wake, read: Wake) {
        self.lock().next_list_at(due, read);
    }

    /// Whether there is no list, and not because the first read is still under way.
    #[must_use]
    pub fn first_list_failed(&self) -> bool {
        self.snapshot.load().is_none() && self.with_rests(Rests::next_read).is_some()
    }

    /// Runs `read` on the rests, under the lock: it must be short.
    pub fn with_rests<T>(&self, read: impl FnOnce(&Rests) -> T) -> T {
        read(&self.lock())
    }

    /// The same with a moment that no rest that is known was given after: what is left of one is
    /// never longer than it was told.
    pub fn with_rests_now<T>(&self, read: impl FnOnce(&Rests, Now) -> T) -> T {
        self.with_known_now(|known, now| read(&known.rests, now))
    }

    /// The same with the quotas.
    pub fn with_known_now<T>(&self, read: impl FnOnce(&Knowledge, Now) -> T) -> T {
        let known = self.lock();
        read(&known, Now::read())
    }

    /// A copy of what is known and of who waits, for whoever looks at a thousand models: that is too long
    /// under the lock. No rest that is known was given after the moment beside it.
    #[must_use]
    pub fn copy(&self) -> (Knowledge, InLine, Now) {
        let held = self.lock();
        (held.known.clone(), held.queue.in_line(), Now::read())
    }

    /// Chooses under the lock, and claims the candidate that `choose` names beside its answer, so that
    /// no two requests probe the same one, or draw the same last piece of a quota. Where those who wait
    /// are to look first, nobody is claimed: it joins them ([`Self::wait`]).
    pub fn claim<T>(
        self: &Arc<Self>,
        choose: impl FnOnce(&Knowledge, Now) -> (T, Option<Chosen>),
    ) -> (T, Option<(Claim, Drawn)>) {
        let mut held = self.lock();
        // Under the lock: no rest that is known was given later than this.
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

    /// Tells of every change that people may want to see at once.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Lets a subject rest; answers when it wakes, if it rests at all, and whether it did not rest for
    /// that until now.
    pub fn rest(
        &self,
        subject: &Subject,
        because: Because,
        rest: Rest,
        now: Now,
    ) -> (Option<Wake>, bool) {
        if let (Whom::Account(account), Some(out)) = (subject.whom(), &because.out_of)
            && self.speaks_for_openrouter(account)
            && out.limit == AccountLimit::Day
        {
            self.note(|outside| outside.day_refused(out.free_requests, now));
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

    /// Ends the rests of these before their time, and forgets what they were found to lack.
    pub fn clear<'a>(&self, subjects: impl IntoIterator<Item = &'a Subject>) {
        let mut rests = self.lock();
        let mut of_account = false;
        for subject in subjects {
            of_account |= subject.is_shared();
            rests.clear(subject);
        }
        rests.ledger.forget_lessons(Now::read());
        self.lets_go(rests);
        self.filtered().forget();
        if of_account {
            self.forget_failures();
        }
        self.changes.send_replace(());
    }

    /// Ends every rest before its time, and forgets what models were found to lack.
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

    /// What failed before an operator's word tells nothing of what comes after it.
    fn forget_failures(&self) {
        self.note(|outside| outside.forget(Now::read()));
    }

    /// Remembers until the next list that an offer cannot do something.
    pub fn learn(&self, model: &Subject, lacks: Capability) {
        self.lock().learn(model, lacks);
        self.filtered().forget();
    }

    /// Remembers until the next list which window an offer has named.
    pub fn learn_window(&self, model: &Subject, window: u64) {
        self.lock().learn_window(model, window);
    }

    /// Remembers until the next list that an offer refuses a field.
    pub fn learn_refused(&self, model: &Subject, field: FieldName) {
        self.lock().learn_refused(model, field);
    }

    /// The offers of a snapshot that needs rule out; `find` finds them where that is not known yet.
    pub fn filtered_out(
        &self,
        snapshot: &Arc<Snapshot>,
        needs: &[Capability],
        find: impl FnOnce(&Rests) -> Vec<Arc<Offer>>,
    ) -> Arc<[Arc<Offer>]> {
        let find = || self.with_rests(find);
        self.filtered().of(snapshot, needs, find)
    }

    /// No connection to a provider came about: it is asked last for a while.
    pub fn way_fails(&self, provider: &Subject, now: Now) {
        self.lock().way_fails(provider, now);
    }

    /// A connection to a provider came about.
    pub fn way_opens(&self, provider: &Subject) {
        self.lock().way_opens(provider);
    }

    /// Writes down what the outside told of itself.
    pub fn note(&self, note: impl FnOnce(&mut Outside)) {
        // Every note is whole by itself, so a panic elsewhere leaves them usable.
        note(&mut self.outside.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What the outside tells of OpenRouter is told of its first account.
    fn speaks_for_openrouter(&self, account: &AccountId) -> bool {
        let snapshot = self.snapshot.load();
        let accounts = snapshot.iter().flat_map(|list| list.accounts());
        let mut own = accounts.filter(|other| other.provider.is_openrouter());
        account.provider.is_openrouter() && own.next().is_none_or(|first| **first == *account)
    }

    /// The key endpoint was asked of this account: where it tells of free requests that were known to be
    /// gone, the rest for the day's end is over. Watchers hear of it where anything has changed.
    pub fn key_said(&self, account: &AccountId, said: KeySaid, now: Now) {
        let mut gives_back = false;
        if let KeySaid::Accepted { today: Some(today) } = said {
            let told = FreeDay {
                limit: today.limit,
                used: today.limit.saturating_sub(today.remaining),
            };
            let mut held = self.lock();
            gives_back = held.ledger.told_free_day(account, told, now);
            if gives_back {
                held.ends_day(&Subject::account(account), now);
            }
            self.lets_go(held);
        }
        let (mut before, mut after) = (false, false);
        if self.speaks_for_openrouter(account) {
            self.note(|outside| {
                before = outside.key_is_refused();
                outside.key_said(said, gives_back, now);
                after = outside.key_is_refused();
            });
        }
        if before != after || gives_back {
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
    fn change(&self, change: impl FnOnce(&mut Knowledge)) {
        let mut held = self.lock();
        change(&mut held);
        self.lets_go(held);
        self.changes.send_replace(());
    }

    /// Something has changed: those who wait look again, under the same hold of the lock.
    fn lets_go(&self, mut held: MutexGuard<'_, Held>) {
        if !held.queue.is_empty() {
            held.queue.stir();
            self.serve(&mut held, Now::read());
        }
    }

    /// Lets go whoever waits and can be served.
    fn serve(&self, held: &mut Held, now: Now) {
        if held.queue.is_empty() {
            return;
        }
        if let Some(list) = self.snapshot() {
            let due = held.queue.due(now);
            held.queue.serve(&mut held.known, &list, now);
            let queue = &held.queue;
            // What is pending is the keeper's to go on with, also where that was so before.
            if queue.is_empty() || queue.is_pending(now) || queue.due(now) != due {
                self.stirred.notify_one();
            }
        }
    }

    fn filtered(&self) -> MutexGuard<'_, FilteredOut> {
        // Every entry is whole by itself.
        self.filtered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has ended that drew from quotas; where only so many may be under way, or it used less
    /// than was thought, another may begin.
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
        // Every change is small and whole by itself, so a panic elsewhere leaves it usable.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
