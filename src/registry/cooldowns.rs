//! Who rests until when, what the account is out of, and what models were found to lack
//! (spec §4.3, §9.2, §9.8).
//!
//! A plain value: the lock around it is the registry's.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

use crate::clock::Now;
use crate::model::{Capabilities, Capability, Model, ModelId};
use crate::upstream::{AccountLimit, FreeRequests, PassedAnswer, Rest};

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
#[derive(Clone, Copy, Debug)]
struct Cooling {
    wake: Wake,
    until_next_list: bool,
    probing: bool,
}

impl Cooling {
    fn standing(self, now: Now) -> Standing {
        if !self.wake.left(now).is_zero() {
            Standing::Resting(self.wake)
        } else if self.probing {
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

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Cooldowns {
    models: HashMap<ModelId, Cooling>,
    account: Option<(Cooling, AccountRest)>,
    lacks: HashSet<(ModelId, Capability)>,
    /// When the list will be read again.
    next_list: Option<Wake>,
}

/// How long "until the next list" is while nobody has said when that is.
const NEXT_LIST: Duration = Duration::from_secs(3600);

impl Cooldowns {
    /// Lets a model rest. A longer rest is never shortened by a shorter one. Answers when the
    /// model wakes, if it rests at all.
    pub fn rest(&mut self, id: &ModelId, rest: Rest, now: Now) -> Option<Wake> {
        let new = self.cooling(rest, now);
        let standing = self.models.get(id).copied();
        let longer = longer(standing, new, now)?;
        self.models.insert(id.clone(), longer);
        Some(longer.wake)
    }

    /// Lets the whole account rest, as [`Cooldowns::rest`] does a model.
    pub fn rest_account(&mut self, why: AccountRest, rest: Rest, now: Now) -> Option<Wake> {
        let new = self.cooling(rest, now);
        let standing = self.account.as_ref().map(|(cooling, _)| *cooling);
        let longer = longer(standing, new, now)?;
        let kept = standing.is_some_and(|standing| standing.wake == longer.wake);
        match &mut self.account {
            Some((cooling, _)) if kept => *cooling = longer,
            account => *account = Some((longer, why)),
        }
        Some(longer.wake)
    }

    fn cooling(&self, rest: Rest, now: Now) -> Option<Cooling> {
        let next_list = || {
            self.next_list
                .unwrap_or(Wake::Steady(now.plus(NEXT_LIST).steady))
        };
        let wake = match rest {
            Rest::None => return None,
            Rest::For(length) => Wake::Steady(now.plus(length).steady),
            Rest::Until(date) => Wake::Wall(date),
            Rest::UntilNextList => next_list(),
        };
        let until_next_list = rest == Rest::UntilNextList;
        (!wake.left(now).is_zero()).then_some(Cooling {
            wake,
            until_next_list,
            probing: false,
        })
    }

    /// How a model stands.
    #[must_use]
    pub fn standing(&self, id: &ModelId, now: Now) -> Standing {
        self.models
            .get(id)
            .map_or(Standing::Awake, |cooling| cooling.standing(now))
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

    /// What a model can do, less what it was found to lack.
    #[must_use]
    pub fn abilities(&self, model: &Model) -> Capabilities {
        let mut able = model.capabilities;
        for (_, capability) in self.lacks.iter().filter(|(id, _)| *id == model.id) {
            able.set(*capability, Some(false));
        }
        able
    }

    /// Remembers that a model cannot do something, until the next list.
    pub fn learn(&mut self, id: &ModelId, lacks: Capability) {
        self.lacks.insert((id.clone(), lacks));
    }

    /// A request is about to ask this model. Where a rest has just ended, it is the probe; the
    /// answer says of whom: the model, the account.
    pub(super) fn ask(&mut self, id: &ModelId) -> (bool, bool) {
        let probe = |cooling: Option<&mut Cooling>| cooling.map(|c| c.probing = true).is_some();
        (
            probe(self.models.get_mut(id)),
            probe(self.account.as_mut().map(|(cooling, _)| cooling)),
        )
    }

    /// A probe of the model ended: well, or without telling anything.
    pub(super) fn probed(&mut self, id: &ModelId, well: bool) {
        // A rest that was given meanwhile stands: an older success does not cut it.
        if self.models.get(id).is_some_and(|cooling| cooling.probing) {
            if well {
                self.models.remove(id);
            } else if let Some(cooling) = self.models.get_mut(id) {
                cooling.probing = false;
            }
        }
    }

    /// As [`Cooldowns::probed`], of the account.
    pub(super) fn account_probed(&mut self, well: bool) {
        if let Some((cooling, _)) = self.account.as_mut().filter(|(cooling, _)| cooling.probing) {
            cooling.probing = false;
            if well {
                self.account = None;
            }
        }
    }

    /// A new list: rests that were given until then, what models were found to lack, and all
    /// about models that `stays` does not know are forgotten.
    pub(super) fn new_list(&mut self, stays: impl Fn(&ModelId) -> bool) {
        self.lacks.clear();
        self.models
            .retain(|id, cooling| stays(id) && !cooling.until_next_list);
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
mod tests {
    use super::*;

    fn now() -> Now {
        Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn id() -> ModelId {
        ModelId::try_from("a").unwrap()
    }

    fn left(cooldowns: &Cooldowns, now: Now) -> Duration {
        match cooldowns.standing(&id(), now) {
            Standing::Resting(wake) => wake.left(now),
            Standing::Awake | Standing::Probing => Duration::ZERO,
        }
    }

    #[test]
    fn s4_3_a_longer_cooldown_is_never_shortened_by_a_shorter_one() {
        let now = now();
        let until = |n| Rest::Until(now.wall + seconds(n));
        let for_ = |n| Rest::For(seconds(n));
        #[rustfmt::skip]
        let rows: &[(&[Rest], u64)] = &[
            (&[],                            0),
            (&[for_(10)],                    10),
            (&[for_(10), for_(5)],           10),
            (&[for_(5), for_(10)],           10),
            (&[until(100), for_(5)],         100),
            (&[for_(5), until(100)],         100),
            (&[for_(100), until(5)],         100),
            (&[for_(5), Rest::None],         5),
            (&[Rest::UntilNextList],         3600),
            (&[Rest::UntilNextList, for_(5)], 3600),
            (&[for_(0)],                     0),
            (&[Rest::Until(SystemTime::UNIX_EPOCH)], 0),
            (&[Rest::For(Duration::MAX)],    0),
        ];
        for (rests, expected) in rows {
            let mut cooldowns = Cooldowns::default();
            for rest in *rests {
                cooldowns.rest(&id(), *rest, now);
            }
            assert_eq!(left(&cooldowns, now), seconds(*expected), "{rests:?}");
        }
    }

    #[test]
    fn s4_3_a_date_holds_across_a_suspend_and_a_length_does_not_run_meanwhile() {
        let before = now();
        let after = Now {
            wall: before.wall + seconds(3600),
            ..before
        };
        let mut dated = Cooldowns::default();
        dated.rest(&id(), Rest::Until(before.wall + seconds(600)), before);
        assert_eq!(left(&dated, before), seconds(600));
        assert_eq!(
            left(&dated, after),
            Duration::ZERO,
            "the date went by while the laptop slept"
        );
        let mut timed = Cooldowns::default();
        let wake = timed.rest(&id(), Rest::For(seconds(600)), before).unwrap();
        assert_eq!(left(&timed, after), seconds(600));
        assert_eq!(wake.date(after), after.wall + seconds(600));
    }

    #[test]
    fn s9_8_one_probe_after_a_rest() {
        let start = now();
        let later = start.plus(seconds(10));
        let mut cooldowns = Cooldowns::default();
        assert_eq!(
            cooldowns.ask(&id()),
            (false, false),
            "who never rested needs no probe"
        );
        cooldowns.rest(&id(), Rest::For(seconds(10)), start);
        assert_eq!(cooldowns.standing(&id(), later), Standing::Awake);
        assert_eq!(cooldowns.ask(&id()), (true, false));
        assert_eq!(cooldowns.standing(&id(), later), Standing::Probing);
        // The client of the probe left: the next one probes.
        cooldowns.probed(&id(), false);
        assert_eq!(cooldowns.ask(&id()), (true, false));
        cooldowns.probed(&id(), true);
        assert_eq!(cooldowns.standing(&id(), later), Standing::Awake);
        assert_eq!(cooldowns.ask(&id()), (false, false), "proven well");
    }

    #[test]
    fn s4_3_an_older_success_does_not_cut_a_newer_rest() {
        let start = now();
        let later = start.plus(seconds(10));
        let mut cooldowns = Cooldowns::default();
        cooldowns.rest(&id(), Rest::For(seconds(10)), start);
        cooldowns.ask(&id());
        cooldowns.rest(&id(), Rest::For(seconds(300)), later);
        cooldowns.probed(&id(), true);
        assert_eq!(left(&cooldowns, later), seconds(300));
    }

    #[test]
    fn s9_2_a_new_list_ends_what_was_to_last_until_then() {
        let now = now();
        let mut cooldowns = Cooldowns::default();
        cooldowns.learn(&id(), Capability::Tools);
        cooldowns.rest(&id(), Rest::UntilNextList, now);
        cooldowns.new_list(|_| true);
        assert_eq!(cooldowns.standing(&id(), now), Standing::Awake);
        assert!(cooldowns.lacks.is_empty());
        cooldowns.rest(&id(), Rest::For(seconds(600)), now);
        cooldowns.new_list(|_| true);
        assert_eq!(left(&cooldowns, now), seconds(600), "another rest is kept");
        cooldowns.new_list(|_| false);
        assert_eq!(
            left(&cooldowns, now),
            Duration::ZERO,
            "that of a model that left is forgotten"
        );
    }
}
