//! What all routers here share: abilities, rests, one probe after a rest, the account's rest.

use std::time::Duration;

use free_llm_proxy::learnt::Growing;

use super::clock::Clock;
use super::{Attempt, Choice, Failure, Walk};
use crate::routing::world::*;

/// How long a failure rests its model, where nothing advises it.
#[derive(Clone, Copy, Debug)]
pub enum Rests {
    None,
    /// `RATE_LIMIT_COOLDOWN_SEC` and `GENERIC_ERROR_COOLDOWN_SEC`.
    Fixed,
    /// 5, 10, 20 ... 120 s, never longer than the fixed ones: the program's own rule.
    Growing(Clock),
}

#[derive(Debug)]
pub struct Manners {
    models: Vec<Known>,
    accounts: Vec<f64>,
    rests: Rests,
    /// Waits so many seconds at most for the first to wake.
    hold: f64,
}

#[derive(Debug)]
struct Known {
    account: usize,
    tools: bool,
    wakes: f64,
    /// It failed, and has not been seen well since.
    suspect: bool,
    /// The request that asks whether it is well again.
    probe: Option<usize>,
    growing: Option<Growing>,
}

impl Manners {
    pub fn new(world: &World, rests: Rests, hold: f64) -> Self {
        let known = |model: &Model| Known {
            account: model.account,
            tools: model.tools,
            wakes: 0.0,
            suspect: false,
            probe: None,
            growing: None,
        };
        Self {
            models: world.models.iter().map(known).collect(),
            accounts: vec![0.0; world.accounts.len()],
            rests,
            hold,
        }
    }

    pub fn lacks_tools(&mut self, model: usize) {
        self.models[model].tools = false;
    }

    /// Models that could take this request, awake or not.
    fn capable(&self, walk: &Walk) -> impl Iterator<Item = (usize, &Known)> {
        self.models.iter().enumerate().filter(move |(n, known)| {
            (known.tools || !walk.request.tools) && !walk.tried.contains(n)
        })
    }

    fn wakes(&self, known: &Known) -> f64 {
        known.wakes.max(self.accounts[known.account])
    }

    /// Models that may be asked now, by rank.
    pub fn able(&self, walk: &Walk, now: f64) -> Vec<usize> {
        let able = self.capable(walk).filter(|(_, known)| {
            now >= self.wakes(known) && !(known.suspect && known.probe.is_some())
        });
        able.map(|(n, _)| n).collect()
    }

    /// What to do if there is none: wait for a probe, or for the first to wake, or give up.
    pub fn idle(&self, walk: &Walk, now: f64) -> Choice {
        let wakes = self.capable(walk).map(|(_, known)| self.wakes(known));
        let first = wakes.fold(NEVER, f64::min);
        if first <= now {
            return Choice::Wait(0.25);
        }
        if first - now <= self.hold - (now - walk.request.at) {
            return Choice::Wait(first - now + 0.05);
        }
        Choice::GiveUp
    }

    pub fn begins(&mut self, attempt: &Attempt) {
        let known = &mut self.models[attempt.model];
        if known.suspect && known.probe.is_none() {
            known.probe = Some(attempt.request);
        }
    }

    fn probed(&mut self, attempt: &Attempt) -> &mut Known {
        let known = &mut self.models[attempt.model];
        known.probe.take_if(|by| *by == attempt.request);
        known
    }

    pub fn fails(&mut self, attempt: &Attempt, failure: Failure, now: f64) {
        let rests = self.rests;
        let known = self.probed(attempt);
        let (fault, retry_after) = match failure {
            Failure::Account { until } => {
                // 26 h at most.
                let until = until.min(now + 93_600.0);
                let rest = &mut self.accounts[attempt.account];
                *rest = rest.max(until);
                return;
            }
            Failure::Limit => return,
            Failure::Model { fault, retry_after } => (fault, retry_after),
        };
        let seconds = match (fault, retry_after) {
            (Fault::NoTools, _) => {
                known.tools = false;
                return;
            }
            (Fault::Gone, _) => 3600.0,
            (Fault::Limited, Some(seconds)) if !matches!(rests, Rests::None) => seconds,
            _ => rests.unadvised(&mut known.growing, fault, attempt, now),
        };
        known.rest(seconds, now);
    }

    pub fn speaks(&mut self, attempt: &Attempt) {
        let known = self.probed(attempt);
        known.suspect = false;
        known.growing = None;
    }

    /// An answer ended in its middle.
    pub fn breaks(&mut self, attempt: &Attempt, now: f64) {
        let rests = self.rests;
        let known = &mut self.models[attempt.model];
        let seconds = rests.unadvised(&mut known.growing, Fault::Cut, attempt, now);
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
    fn unadvised(self, last: &mut Option<Growing>, fault: Fault, of: &Attempt, now: f64) -> f64 {
        const FIRST: Duration = Duration::from_secs(5);
        let most = if fault == Fault::Limited { 300.0 } else { 60.0 };
        match self {
            Self::None => 0.0,
            Self::Fixed => most,
            Self::Growing(clock) => {
                let (began, now) = (clock.at(of.at).steady, clock.at(now).steady);
                let most = Duration::from_secs_f64(most);
                let (next, length) = Growing::after(*last, began, FIRST, most, now);
                *last = Some(next);
                length.as_secs_f64()
            }
        }
    }
}
