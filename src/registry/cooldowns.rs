//! Who rests until when (spec §4.3).
//!
//! A plain value: the lock around it is the registry's.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use crate::clock::Now;
use crate::model::ModelId;
use crate::upstream::Rest;

/// When a rest ends: on the clock it was given on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A length of time was given.
    Steady(Instant),
    /// A date was given.
    Wall(SystemTime),
}

impl Wake {
    /// When `rest`, given at `now`, ends; `None` if there is nothing to wait for.
    #[must_use]
    pub fn after(rest: Rest, now: Now) -> Option<Self> {
        let wake = match rest {
            Rest::None => return None,
            Rest::For(length) => Self::Steady(now.plus(length).steady),
            Rest::Until(date) => Self::Wall(date),
        };
        (!wake.left(now).is_zero()).then_some(wake)
    }

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

/// The table of rests.
#[derive(Clone, Debug, Default)]
pub struct Cooldowns {
    models: HashMap<ModelId, Wake>,
}

impl Cooldowns {
    /// Lets a model rest. A longer rest is never shortened by a shorter one. Answers when the
    /// model wakes, if it rests at all.
    pub fn rest(&mut self, id: &ModelId, rest: Rest, now: Now) -> Option<Wake> {
        let standing = self.wake(id, now);
        let Some(new) = Wake::after(rest, now) else {
            return standing;
        };
        if standing.is_some_and(|wake| wake.left(now) >= new.left(now)) {
            return standing;
        }
        self.models.insert(id.clone(), new);
        Some(new)
    }

    /// When a model wakes; `None` if it is awake.
    #[must_use]
    pub fn wake(&self, id: &ModelId, now: Now) -> Option<Wake> {
        self.models
            .get(id)
            .copied()
            .filter(|wake| !wake.left(now).is_zero())
    }

    /// Forgets the rests of the models that `stays` does not know.
    pub fn retain(&mut self, stays: impl Fn(&ModelId) -> bool) {
        self.models.retain(|id, _| stays(id));
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
            (&[for_(0)],                     0),
            (&[Rest::Until(SystemTime::UNIX_EPOCH)], 0),
            (&[Rest::For(Duration::MAX)],    0),
        ];
        let id = ModelId::try_from("a").unwrap();
        for (rests, left) in rows {
            let mut cooldowns = Cooldowns::default();
            for rest in *rests {
                cooldowns.rest(&id, *rest, now);
            }
            let wake = cooldowns
                .wake(&id, now)
                .map_or(Duration::ZERO, |wake| wake.left(now));
            assert_eq!(wake, seconds(*left), "{rests:?}");
        }
    }

    #[test]
    fn s4_3_a_date_holds_across_a_suspend_and_a_length_does_not_run_meanwhile() {
        let before = now();
        let after = Now {
            wall: before.wall + seconds(3600),
            ..before
        };
        let id = ModelId::try_from("a").unwrap();
        let mut dated = Cooldowns::default();
        dated.rest(&id, Rest::Until(before.wall + seconds(600)), before);
        assert!(dated.wake(&id, before).is_some());
        assert!(
            dated.wake(&id, after).is_none(),
            "the date went by while the laptop slept"
        );
        let mut timed = Cooldowns::default();
        timed.rest(&id, Rest::For(seconds(600)), before);
        assert_eq!(timed.wake(&id, after).unwrap().left(after), seconds(600));
        assert_eq!(
            timed.wake(&id, after).unwrap().date(after),
            after.wall + seconds(600)
        );
    }
}
