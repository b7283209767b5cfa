//! What rests, until when and why; what is being probed; and what offers were found to lack (spec §4.3, §4.5,
//! §4.7, §10.4): one table by [`Subject`].
//!
//! A plain value: the lock around it is the registry's. Nothing here decides which candidate is asked.

mod lessons;
mod saved;
mod unreached;
mod wake;

use std::time::{Duration, Instant, SystemTime};

use lessons::Lessons;
pub(super) use saved::SavedRests;
use unreached::Unreached;
pub use wake::Wake;

use crate::clock::Now;
use crate::learnt;
use crate::model::{
    AccountId, Candidate, Capabilities, Capability, ProviderId, Subject, SubjectMap,
};
use crate::request::FieldName;
use crate::verdict::{AccountLimit, Because, Rest};

/// The state of a subject that had to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Awake, as far as is known.
    Awake,
    /// Told to rest.
    Resting(Wake),
    /// The rest is over, and a request is finding out whether that helped.
    Probing,
}

/// A rest, and what follows it: one request then proves that all is well, not a herd.
#[derive(Clone, Debug)]
struct Cooling {
    wake: Wake,
    until_next_list: bool,
    /// How long it is, if the next one is to be longer ([`Rest::Doubling`]).
    grown: Option<Duration>,
    /// The same for unadvised rests ([`Rest::Growing`]), until there is a success.
    growing: Option<learnt::Growing>,
    because: Because,
    /// The requests that find out whether it helped, oldest first: one for a model; for an account or a
    /// provider, one more for each that is late.
    probes: Vec<Probe>,
}

/// A request that finds out whether a rest has helped.
#[derive(Clone, Debug)]
struct Probe {
    number: u64,
    /// The candidate that it asks.
    asks: Subject,
    /// When it should have brought something.
    late_at: Instant,
}

impl Cooling {
    /// The probe with this number has ended; returns whether it was one of this rest's.
    fn ended(&mut self, number: u64) -> bool {
        let before = self.probes.len();
        self.probes.retain(|probe| probe.number != number);
        self.probes.len() < before
    }

    fn is_over(&self, now: Now) -> bool {
        self.wake.left(now).is_zero()
    }

    fn view(&self, now: Now) -> Option<RestView<'_>> {
        (!self.is_over(now)).then_some(RestView {
            wake: self.wake,
            until_next_list: self.until_next_list,
            because: &self.because,
        })
    }

    fn standing(&self, now: Now) -> Standing {
        if !self.is_over(now) {
            Standing::Resting(self.wake)
        } else if !self.probes.is_empty() {
            Standing::Probing
        } else {
            Standing::Awake
        }
    }
}

/// A rest that is not over, as people are shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestView<'a> {
    /// When it ends.
    pub wake: Wake,
    /// Whether it is to last until the next list, as the model is gone.
    pub until_next_list: bool,
    /// The failure that led to it.
    pub because: &'a Because,
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Rests {
    table: SubjectMap<Cooling>,
    lessons: Lessons,
    /// Providers to which there was no connection lately.
    unreached: SubjectMap<Unreached>,
    /// Until when what an earlier process knew is kept, whatever lists are read: to it, they are no next list.
    restored_until: Option<SystemTime>,
    /// When the next list is due, and when it is read or tried again.
    next_list: Option<Wake>,
    next_read: Option<Wake>,
    /// How many probes there have been.
    probes: u64,
}

/// How long "until the next list" is as long as it is not known when that is.
const NEXT_LIST: Duration = Duration::from_secs(3600);

impl Rests {
    /// Rests a subject. A longer rest is never cut short by a shorter one. Returns when the subject wakes, if it
    /// rests at all.
    pub fn rest(
        &mut self,
        subject: &Subject,
        because: Because,
        rest: Rest,
        now: Now,
    ) -> Option<Wake> {
        let before = self.table.get(subject).cloned();
        let new = self.cooling(because, rest, before.as_ref(), now);
        let longer = longer(before, new, now)?;
        let wake = longer.wake;
        self.table.insert(subject.clone(), longer);
        Some(wake)
    }

    fn cooling(
        &self,
        because: Because,
        rest: Rest,
        before: Option<&Cooling>,
        now: Now,
    ) -> Option<Cooling> {
        let mut grown = None;
        let mut growing = before.and_then(|before| before.growing);
        let next_list = || {
            self.next_list
                .unwrap_or(Wake::Steady(now.plus(NEXT_LIST).steady))
        };
        let wake = match rest {
            Rest::None => return None,
            Rest::For(length) | Rest::Unadvised(length) => Wake::Steady(now.plus(length).steady),
            Rest::Growing {
                first,
                ceiling,
                began,
            } => {
                let (next, length) =
                    learnt::Growing::after(growing, began, first, ceiling, now.steady);
                growing = Some(next);
                Wake::Steady(now.plus(length).steady)
            }
            Rest::Until(date) => Wake::Wall { date, given: now },
            Rest::UntilNextList => next_list(),
            Rest::Doubling { first, most } => {
                let length = match before.and_then(|before| before.grown.zip(Some(before))) {
                    // A request that began before this rest says nothing new.
                    Some((_, before)) if !before.is_over(now) => return None,
                    Some((length, _)) => length.saturating_mul(2).min(most),
                    None => first,
                };
                grown = Some(length);
                Wake::Steady(now.plus(length).steady)
            }
        };
        let until_next_list = rest == Rest::UntilNextList;
        (!wake.left(now).is_zero()).then_some(Cooling {
            wake,
            until_next_list,
            grown,
            growing,
            because,
            probes: Vec::new(),
        })
    }

    /// Whether nothing has rested or was out of reach: the usual case, and the quickest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty() && self.unreached.is_empty()
    }

    /// The state of a subject.
    #[must_use]
    pub fn standing(&self, subject: &Subject, now: Now) -> Standing {
        self.table
            .get(subject)
            .map_or(Standing::Awake, |cooling| cooling.standing(now))
    }

    /// The rest of a subject, and why, while it lasts.
    #[must_use]
    pub fn rest_of(&self, subject: &Subject, now: Now) -> Option<RestView<'_>> {
        self.table
            .get(subject)
            .and_then(|cooling| cooling.view(now))
    }

    /// While a subject is being probed: how long until one more probe may join because the last is late. A model
    /// has only one probe, however late.
    #[must_use]
    pub fn next_probe_in(&self, subject: &Subject, now: Now) -> Option<Duration> {
        let last = self.table.get(subject)?.probes.last()?;
        let left = last.late_at.saturating_duration_since(now.steady);
        subject.is_shared().then_some(left)
    }

    /// Whether a subject is being probed by asking this candidate.
    #[must_use]
    pub fn is_probed_by(&self, subject: &Subject, candidate: &Candidate) -> bool {
        let cooling = self.table.get(subject);
        let mut probes = cooling.iter().flat_map(|cooling| &cooling.probes);
        probes.any(|probe| probe.asks == *candidate.itself())
    }

    /// What an offer was found to lack, in the order in which it was learnt.
    #[must_use]
    pub fn found_lacking(&self, model: &Subject) -> &[Capability] {
        self.lessons.lacks(model)
    }

    /// The window of a candidate's offer, in tokens: what the offer has named itself, or else what lists say.
    #[must_use]
    pub fn window(&self, candidate: &Candidate) -> Option<u64> {
        let named = if self.lessons.is_empty() {
            None
        } else {
            self.lessons.window(candidate.model())
        };
        named.or(candidate.offer.context_length)
    }

    /// Remembers the window that an offer has named, until the next list.
    pub fn learn_window(&mut self, model: &Subject, window: u64) {
        self.lessons.name_window(model, window);
    }

    /// What a candidate can do, less what its offer, or all of its provider, was found to lack.
    #[must_use]
    pub fn abilities(&self, candidate: &Candidate) -> Capabilities {
        let mut able = candidate.offer.capabilities;
        if !self.lessons.is_empty() {
            for whose in [candidate.model(), candidate.provider()] {
                for capability in self.found_lacking(whose) {
                    able.set(*capability, Some(false));
                }
            }
        }
        able
    }

    /// Remembers that an offer cannot do something, until the next list.
    pub fn learn(&mut self, model: &Subject, lacks: Capability) {
        self.lessons.lack(model, lacks);
    }

    /// The fields that an offer was found to refuse.
    #[must_use]
    pub fn found_refusing(&self, model: &Subject) -> &[FieldName] {
        self.lessons.refuses(model)
    }

    /// Remembers that an offer refuses a field, until the next list.
    pub fn learn_refused(&mut self, model: &Subject, field: FieldName) {
        self.lessons.refuse(model, field);
    }

    /// There was no connection to a provider: it is asked last for a while.
    pub(crate) fn way_fails(&mut self, provider: &Subject, now: Now) {
        let known = self.unreached.entry(provider.clone()).or_default();
        known.again(now);
    }

    /// There was a connection to a provider.
    pub(super) fn way_opens(&mut self, provider: &Subject) {
        self.unreached.remove(provider);
    }

    /// Whether a provider is to be asked last because it could not be reached lately.
    #[must_use]
    pub fn is_unreached(&self, provider: &Subject, now: Now) -> bool {
        let known = self.unreached.get(provider);
        known.is_some_and(|known| known.lasts(now))
    }

    /// Whether a connection to a provider has failed, and none was made since.
    #[must_use]
    pub fn was_unreached(&self, provider: &Subject) -> bool {
        self.unreached.contains_key(provider)
    }

    /// The one of these keys of one account to use: the first that is awake, else one that is being probed, else
    /// the first to return.
    pub fn readiest<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Subject>,
        now: Now,
    ) -> Option<&'a Subject> {
        keys.into_iter()
            .min_by_key(|key| match self.standing(key, now) {
                Standing::Awake => (0, Duration::ZERO),
                Standing::Probing => (1, Duration::ZERO),
                Standing::Resting(wake) => (2, wake.left(now)),
            })
    }

    /// Whether any subject of a candidate, or the key it is asked with, has rested: the request is then a probe.
    #[must_use]
    pub fn has_rested(&self, candidate: &Candidate, key: Option<&Subject>) -> bool {
        let rested = |subject| self.table.contains_key(subject);
        !self.table.is_empty() && candidate.subjects().iter().chain(key).any(rested)
    }

    /// A request is about to ask a candidate, perhaps with one of several keys, which usually takes `usual` to
    /// begin. If one of their rests has just ended, the request is a probe, and gets a number.
    pub(super) fn ask(
        &mut self,
        candidate: &Candidate,
        key: Option<&Subject>,
        usual: Duration,
        now: Now,
    ) -> Option<u64> {
        if !self.has_rested(candidate, key) {
            return None;
        }
        self.probes += 1;
        let probe = Probe {
            number: self.probes,
            asks: candidate.itself().clone(),
            late_at: now.plus(usual).steady,
        };
        for subject in candidate.subjects().iter().chain(key) {
            if let Some(cooling) = self.table.get_mut(subject) {
                cooling.probes.push(probe.clone());
            }
        }
        Some(probe.number)
    }

    /// An account's quota of the day is back early: its rest for that is over, and the next request is the probe.
    pub(super) fn ends_day(&mut self, account: &Subject, now: Now) {
        if let Some(cooling) = self.table.get_mut(account)
            && cooling.because.limit() == Some(AccountLimit::Day)
        {
            cooling.wake = Wake::Steady(now.steady);
        }
    }

    /// A probe of a subject has ended: well, or without showing anything.
    pub(super) fn probed(&mut self, subject: &Subject, number: u64, well: bool) {
        // A rest given in the meantime remains: an older success does not cut it short.
        let was_one = self.table.get_mut(subject).is_some_and(|c| c.ended(number));
        if was_one && well {
            self.table.remove(subject);
        }
    }

    /// A new list: forgets the rests that were to last until then, what offers were found to lack, and all about
    /// offers that `stays` does not know. Accounts and providers are in no list.
    pub(super) fn new_list(&mut self, stays: impl Fn(&Subject) -> bool, now: Now) {
        self.restored_until = self.restored_until.filter(|until| now.wall < *until);
        if self.restored_until.is_some() {
            return;
        }
        self.lessons.forget_all();
        self.table.retain(|subject, cooling| {
            subject.is_shared() || (stays(subject) && !cooling.until_next_list)
        });
    }

    /// Forgets the rests of accounts that are gone, or have another key.
    pub(super) fn retain_accounts(&mut self, is_there: impl Fn(&AccountId) -> bool) {
        self.table
            .retain(|subject, _| subject.of_account().is_none_or(&is_there));
    }

    /// Ends a subject's rest, and forgets what it was found to lack.
    pub(super) fn clear(&mut self, subject: &Subject) {
        self.table.remove(subject);
        self.lessons.forget(subject);
    }

    /// Ends every rest, and forgets what offers were found to lack.
    pub(super) fn clear_all(&mut self) {
        self.restored_until = None;
        self.table.clear();
        self.lessons.forget_all();
        self.unreached.clear();
    }

    /// Ends the rests at some providers, and forgets what their offers were found to lack.
    pub(super) fn clear_of(&mut self, is_meant: impl Fn(&ProviderId) -> bool) {
        let stays = |subject: &Subject| !is_meant(subject.of_provider());
        self.table.retain(|subject, _| stays(subject));
        self.unreached.retain(|subject, _| stays(subject));
        self.lessons.retain(stays);
    }

    /// When a list will be read, or what could not be read is tried again.
    #[must_use]
    pub fn next_read(&self) -> Option<Wake> {
        self.next_read
    }

    /// Says when the next list is due, and when one is read or tried again.
    pub(super) fn next_list_at(&mut self, due: Wake, read: Wake) {
        (self.next_list, self.next_read) = (Some(due), Some(read));
    }
}

/// The longer of two rests; `None` if there is neither.
fn longer(before: Option<Cooling>, new: Option<Cooling>, now: Now) -> Option<Cooling> {
    let before = before.filter(|cooling| !cooling.is_over(now));
    match (before, new) {
        (Some(before), Some(new)) if before.wake.left(now) < new.wake.left(now) => Some(new),
        (Some(before), _) => Some(before),
        (None, new) => new,
    }
}

#[cfg(test)]
mod tests;
