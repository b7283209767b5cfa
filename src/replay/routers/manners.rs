//! What all routers share: abilities, rests of candidates and accounts, one probe after a rest.

use std::time::Duration;

use super::Moments;
use crate::learnt::Growing;
use crate::replay::{Attempt, Choice, Failure, NEVER, Place, Rest, Settings, Walk, World};

/// How long a candidate rests after a failure that does not say how long.
#[derive(Clone, Copy, Debug)]
pub enum Rests {
    /// Not at all, even if the failure says how long.
    None,
    /// `RATE_LIMIT_COOLDOWN_SEC` and `GENERIC_ERROR_COOLDOWN_SEC`.
    Fixed,
    /// Growing from `LEARN_FIRST_REST_SEC`, never longer than the fixed ones (spec §11.2).
    Growing(Moments),
}

/// Which candidates can be asked at all.
#[derive(Debug)]
pub struct Manners {
    candidates: Vec<Known>,
    accounts: Vec<f64>,
    settings: Settings,
}

#[derive(Debug)]
struct Known {
    account: usize,
    no_tools: bool,
    wakes: f64,
    /// It failed, and has not answered since.
    suspect: bool,
    /// The request that is probing it.
    probe: Option<usize>,
    growing: Option<Growing>,
}

/// The longest rest of an account, in seconds.
const LONGEST: f64 = 93_600.0;

/// How long a candidate that is gone is not asked again: about the time between two lists.
const A_LIST: f64 = 3600.0;

impl Manners {
    /// Starts with no candidate resting.
    #[must_use]
    pub fn new(world: &impl World, settings: &Settings) -> Self {
        let known = |candidate| Known {
            account: world.account(candidate),
            no_tools: false,
            wakes: 0.0,
            suspect: false,
            probe: None,
            growing: None,
        };
        Self {
            candidates: (0..world.candidates()).map(known).collect(),
            accounts: vec![0.0; world.accounts()],
            settings: *settings,
        }
    }

    /// A candidate does not take tools.
    pub fn lacks_tools(&mut self, candidate: usize) {
        self.candidates[candidate].no_tools = true;
    }

    /// Candidates that could take this request, awake or not.
    fn capable<'a>(&'a self, walk: &'a Walk) -> impl Iterator<Item = (usize, Place, &'a Known)> {
        let known = walk.able.iter();
        let known = known.map(|(n, place)| (*n, *place, &self.candidates[*n]));
        known.filter(|(n, _, known)| {
            !(walk.tried.contains(n) || known.no_tools && walk.request.tools)
        })
    }

    fn wakes(&self, known: &Known) -> f64 {
        known.wakes.max(self.accounts[known.account])
    }

    /// Candidates that may be asked now, best first.
    pub fn able<'a>(
        &'a self,
        walk: &'a Walk,
        now: f64,
    ) -> impl Iterator<Item = (usize, Place)> + use<'a> {
        let able = self.capable(walk).filter(move |(_, _, known)| {
            now >= self.wakes(known) && !(known.suspect && known.probe.is_some())
        });
        able.map(|(n, place, _)| (n, place))
    }

    /// What to do if there is none: wait for a probe or for the first rest to end, or give up.
    #[must_use]
    pub fn idle(&self, walk: &Walk, now: f64) -> Choice {
        let wakes = self.capable(walk).map(|(_, _, known)| self.wakes(known));
        let first = wakes.fold(NEVER, f64::min);
        if first <= now {
            return Choice::Wait(0.25);
        }
        if first - now <= self.settings.wait - (now - walk.request.at) {
            return Choice::Wait(first - now + 0.05);
        }
        Choice::GiveUp
    }

    /// An attempt begins.
    pub fn begins(&mut self, attempt: &Attempt) {
        let known = &mut self.candidates[attempt.candidate];
        if known.suspect && known.probe.is_none() {
            known.probe = Some(attempt.request);
        }
    }

    fn probed(&mut self, attempt: &Attempt) -> &mut Known {
        let known = &mut self.candidates[attempt.candidate];
        known.probe.take_if(|by| *by == attempt.request);
        known
    }

    /// The attempt has failed, in an order with these rests.
    pub fn fails(&mut self, attempt: &Attempt, failure: Failure, rests: Rests, now: f64) {
        let settings = self.settings;
        let known = self.probed(attempt);
        let seconds = match failure {
            Failure::Account { until } => {
                let until = until.min(now + LONGEST);
                let rest = &mut self.accounts[attempt.account];
                *rest = rest.max(until);
                return;
            }
            Failure::Late | Failure::Refused => return,
            Failure::Lacks => {
                known.no_tools = true;
                return;
            }
            Failure::Gone => A_LIST,
            Failure::Model { rest } => match (rest, rests) {
                (Rest::No, _) | (_, Rests::None) => 0.0,
                (Rest::Told(seconds), _) => seconds,
                (Rest::Unadvised { is_limited }, _) => {
                    rests.unadvised(&mut known.growing, is_limited, attempt, &settings, now)
                }
            },
        };
        known.rest(seconds, now);
    }

    /// The attempt answers: its candidate works.
    pub fn speaks(&mut self, attempt: &Attempt) {
        let known = self.probed(attempt);
        known.suspect = false;
        known.growing = None;
    }

    /// Its answer broke off, in an order with these rests.
    pub fn breaks(&mut self, attempt: &Attempt, rests: Rests, now: f64) {
        let settings = self.settings;
        let known = &mut self.candidates[attempt.candidate];
        let seconds = rests.unadvised(&mut known.growing, false, attempt, &settings, now);
        known.rest(seconds, now);
    }
}

impl Known {
    fn rest(&mut self, seconds: f64, now: f64) {
        if seconds > 0.0 {
            self.wakes = self.wakes.max(now + seconds);
            self.suspect = true;
        }
    }
}

impl Rests {
    fn unadvised(
        self,
        last: &mut Option<Growing>,
        is_limited: bool,
        of: &Attempt,
        settings: &Settings,
        now: f64,
    ) -> f64 {
        let most = if is_limited {
            settings.rate_limited
        } else {
            settings.otherwise
        };
        match self {
            Self::None => 0.0,
            Self::Fixed => most,
            Self::Growing(moments) => {
                let length =
                    |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                let first = length(settings.parameters.first_rest);
                let (began, now) = (moments.at(of.at).steady, moments.at(now).steady);
                let (next, rest) = Growing::after(*last, began, first, length(most), now);
                *last = Some(next);
                rest.as_secs_f64()
            }
        }
    }
}
