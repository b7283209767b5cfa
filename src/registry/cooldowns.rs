//! Who rests until when, what the account is out of, and what models were found to lack
//! (spec §4.3, §9.2, §9.8).
//!
//! A plain value: the lock around it is the registry's.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use crate::answer::PassedAnswer;
use crate::clock::Now;
use crate::model::{Capabilities, Capability, Model, ModelId};
use crate::verdict::{AccountLimit, Because, FreeRequests, Rest};

/// When a rest ends: on the clock it was given on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A length of time was given.
    Steady(Instant),
    /// A date was given.
    Wall(SystemTime),
}

impl Wake {
    /// How long it still takes; zero once awake.
    #[must_use]
    pub fn left(self, now: Now) -> Duration {
        match self {
            Self::Steady(at) => at.saturating_duration_since(now.steady),
            Self::Wall(at) => at.duration_since(now.wall).unwrap_or_default(),
        }
    }

    /// The same moment as a date, for people.
    #[must_use]
    pub fn date(self, now: Now) -> SystemTime {
        match self {
            Self::Steady(_) => now.plus(self.left(now)).wall,
            Self::Wall(at) => at,
        }
    }
}

/// How somebody who had to rest stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Awake, as far as anybody knows.
    Awake,
    /// Told to rest.
    Resting(Wake),
    /// The rest is over, and one request is finding out whether that helped.
    Probing,
}

/// A rest, and what follows it: whoever rested is proven well by one request, not by a herd.
#[derive(Clone, Debug)]
struct Cooling {
    wake: Wake,
    until_next_list: bool,
    /// How long it is, where the next one is to be longer ([`Rest::Doubling`]).
    grown: Option<Duration>,
    because: Because,
    /// Those that find out whether it helped, oldest first: of a model one, of the account one more
    /// with each that is late.
    probes: Vec<Probe>,
}

/// A request that finds out whether a rest has helped.
#[derive(Clone, Debug)]
struct Probe {
    number: u64,
    /// Whom it asks.
    model: ModelId,
    /// It should have brought something by then.
    late_at: Instant,
}

impl Cooling {
    /// The probe with this number has ended: whether it was one of this rest's.
    fn ended(&mut self, number: u64) -> bool {
        let before = self.probes.len();
        self.probes.retain(|probe| probe.number != number);
        self.probes.len() < before
    }

    fn view(&self, now: Now) -> Option<RestView<'_>> {
        (!self.wake.left(now).is_zero()).then_some(RestView {
            wake: self.wake,
            until_next_list: self.until_next_list,
            because: &self.because,
        })
    }

    fn standing(&self, now: Now) -> Standing {
        if !self.wake.left(now).is_zero() {
            Standing::Resting(self.wake)
        } else if !self.probes.is_empty() {
            Standing::Probing
        } else {
            Standing::Awake
        }
    }
}

/// Why the whole account rests, and what to tell meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRest {
    /// What is used up.
    pub limit: AccountLimit,
    /// The upstream's own words, which are told again (out of credit).
    pub answer: Option<PassedAnswer>,
    /// The free requests of the period, where it told them.
    pub free_requests: Option<FreeRequests>,
}

/// A rest that stands, for people who ask why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestView<'a> {
    /// When it ends.
    pub wake: Wake,
    /// It was to last until the next list: the model is gone.
    pub until_next_list: bool,
    /// The failure that led to it.
    pub because: &'a Because,
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Cooldowns {
    models: HashMap<ModelId, Cooling>,
    account: Option<(Cooling, AccountRest)>,
    lacks: HashMap<ModelId, Vec<Capability>>,
    /// When the list will be read again.
    next_list: Option<Wake>,
    /// How many probes there have been.
    probes: u64,
}

/// How long "until the next list" is while nobody has said when that is.
const NEXT_LIST: Duration = Duration::from_secs(3600);

impl Cooldowns {
    /// Lets the model that failed rest. A longer rest is never shortened by a shorter one.
    /// Answers when the model wakes, if it rests at all.
    pub fn rest(&mut self, because: Because, rest: Rest, now: Now) -> Option<Wake> {
        let id = because.model.clone();
        let standing = self.models.get(&id).cloned();
        let new = self.cooling(because, rest, standing.as_ref(), now);
        let longer = longer(standing, new, now)?;
        let wake = longer.wake;
        self.models.insert(id, longer);
        Some(wake)
    }

    /// Lets the whole account rest, as [`Cooldowns::rest`] does a model.
    pub fn rest_account(
        &mut self,
        because: Because,
        why: AccountRest,
        rest: Rest,
        now: Now,
    ) -> Option<Wake> {
        let standing = self.account.as_ref().map(|(cooling, _)| cooling.clone());
        let new = self.cooling(because, rest, standing.as_ref(), now);
        let before = standing.as_ref().map(|standing| standing.wake);
        let longer = longer(standing, new, now)?;
        let wake = longer.wake;
        match &mut self.account {
            Some((cooling, _)) if before == Some(wake) => *cooling = longer,
            account => *account = Some((longer, why)),
        }
        Some(wake)
    }

    fn cooling(
        &self,
        because: Because,
        rest: Rest,
        standing: Option<&Cooling>,
        now: Now,
    ) -> Option<Cooling> {
        let mut grown = None;
        let next_list = || {
            self.next_list
                .unwrap_or(Wake::Steady(now.plus(NEXT_LIST).steady))
        };
        let wake = match rest {
            Rest::None => return None,
            Rest::For(length) => Wake::Steady(now.plus(length).steady),
            Rest::Until(date) => Wake::Wall(date),
            Rest::UntilNextList => next_list(),
            Rest::Doubling { first, most } => {
                let length = match standing.and_then(|standing| standing.grown.zip(Some(standing)))
                {
                    // A request that began before this rest says nothing new.
                    Some((_, standing)) if !standing.wake.left(now).is_zero() => return None,
                    Some((before, _)) => before.saturating_mul(2).min(most),
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
            because,
            probes: Vec::new(),
        })
    }

    /// How a model stands.
    #[must_use]
    pub fn standing(&self, id: &ModelId, now: Now) -> Standing {
        self.models
            .get(id)
            .map_or(Standing::Awake, |cooling| cooling.standing(now))
    }

    /// The rest of a model that stands now, and why.
    #[must_use]
    pub fn rest_of(&self, id: &ModelId, now: Now) -> Option<RestView<'_>> {
        self.models.get(id).and_then(|cooling| cooling.view(now))
    }

    /// The models that rest until the next list: withdrawn, not free any more, or no models.
    #[must_use]
    pub fn gone(&self) -> Vec<ModelId> {
        let gone = self
            .models
            .iter()
            .filter(|(_, cooling)| cooling.until_next_list);
        gone.map(|(id, _)| id.clone()).collect()
    }

    /// How the account stands.
    #[must_use]
    pub fn account(&self, now: Now) -> Standing {
        self.account
            .as_ref()
            .map_or(Standing::Awake, |(cooling, _)| cooling.standing(now))
    }

    /// Why the account rests, while it does.
    #[must_use]
    pub fn account_rest(&self, now: Now) -> Option<(&AccountRest, Wake)> {
        let (cooling, why) = self.account.as_ref()?;
        (!cooling.wake.left(now).is_zero()).then_some((why, cooling.wake))
    }

    /// The account's rest that stands now, and which failure led to it.
    #[must_use]
    pub fn account_view(&self, now: Now) -> Option<RestView<'_>> {
        let (cooling, _) = self.account.as_ref()?;
        cooling.view(now)
    }

    /// What a model was found to lack, in the order in which that was learnt.
    #[must_use]
    pub fn found_lacking(&self, id: &ModelId) -> &[Capability] {
        self.lacks.get(id).map_or(&[], Vec::as_slice)
    }

    /// What a model can do, less what it was found to lack.
    #[must_use]
    pub fn abilities(&self, model: &Model) -> Capabilities {
        let mut able = model.capabilities;
        for capability in self.found_lacking(&model.id) {
            able.set(*capability, Some(false));
        }
        able
    }

    /// Remembers that a model cannot do something, until the next list.
    pub fn learn(&mut self, id: &ModelId, lacks: Capability) {
        let known = self.lacks.entry(id.clone()).or_default();
        if !known.contains(&lacks) {
            known.push(lacks);
        }
    }

    /// While the account is being probed: how long until one more may join, because what the last
    /// one should have brought is late.
    #[must_use]
    pub fn next_account_probe_in(&self, now: Now) -> Duration {
        let last = self.account.as_ref().and_then(|(c, _)| c.probes.last());
        last.map_or(Duration::ZERO, |probe| {
            probe.late_at.saturating_duration_since(now.steady)
        })
    }

    /// Whether the account is being probed by asking this model.
    #[must_use]
    pub fn probes_account(&self, id: &ModelId) -> bool {
        let probes = self.account.iter().flat_map(|(c, _)| &c.probes);
        probes.into_iter().any(|probe| probe.model == *id)
    }

    /// A request is about to ask this model, which usually takes so long to begin. Where a rest has
    /// just ended, it is a probe; the answer numbers it for whom it probes: the model, the account.
    pub(super) fn ask(
        &mut self,
        id: &ModelId,
        usual: impl FnOnce() -> Duration,
        now: Now,
    ) -> [Option<u64>; 2] {
        let of_account = self.account.as_mut().map(|(cooling, _)| cooling);
        let probed = [self.models.get_mut(id), of_account];
        if probed.iter().all(Option::is_none) {
            return [None; 2];
        }
        self.probes += 1;
        let probe = Probe {
            number: self.probes,
            model: id.clone(),
            late_at: now.plus(usual()).steady,
        };
        probed.map(|cooling| {
            cooling.map(|cooling| {
                cooling.probes.push(probe.clone());
                probe.number
            })
        })
    }

    /// A probe of the model ended: well, or without telling anything.
    pub(super) fn probed(&mut self, id: &ModelId, number: u64, well: bool) {
        // A rest that was given meanwhile stands: an older success does not cut it.
        let was_one = self.models.get_mut(id).is_some_and(|c| c.ended(number));
        if was_one && well {
            self.models.remove(id);
        }
    }

    /// As [`Cooldowns::probed`], of the account.
    pub(super) fn account_probed(&mut self, number: u64, well: bool) {
        let account = self.account.as_mut();
        let was_one = account.is_some_and(|(cooling, _)| cooling.ended(number));
        if was_one && well {
            self.account = None;
        }
    }

    /// A new list: rests that were given until then, what models were found to lack, and all
    /// about models that `stays` does not know are forgotten.
    pub(super) fn new_list(&mut self, stays: impl Fn(&ModelId) -> bool) {
        self.lacks.clear();
        self.models
            .retain(|id, cooling| stays(id) && !cooling.until_next_list);
    }

    /// Ends a model's rest, and forgets what it was found to lack.
    pub(super) fn clear_model(&mut self, id: &ModelId) {
        self.models.remove(id);
        self.lacks.remove(id);
    }

    /// Ends the account's rest.
    pub(super) fn clear_account(&mut self) {
        self.account = None;
    }

    /// Ends every rest, the account's too, and forgets what models were found to lack.
    pub(super) fn clear_all(&mut self) {
        self.models.clear();
        self.lacks.clear();
        self.account = None;
    }

    /// When the list will be read again.
    #[must_use]
    pub fn next_list(&self) -> Option<Wake> {
        self.next_list
    }

    /// Says when the list will be read again.
    pub(super) fn next_list_at(&mut self, wake: Wake) {
        self.next_list = Some(wake);
    }
}

/// The longer of two rests; `None` if there is neither.
fn longer(standing: Option<Cooling>, new: Option<Cooling>, now: Now) -> Option<Cooling> {
    let standing = standing.filter(|cooling| !cooling.wake.left(now).is_zero());
    match (standing, new) {
        (Some(standing), Some(new)) if standing.wake.left(now) < new.wake.left(now) => Some(new),
        (Some(standing), _) => Some(standing),
        (None, new) => new,
    }
}

#[cfg(test)]
mod tests;
