//! The world as the program's own walk in virtual time plays it.

use free_llm_proxy::replay::{self, Attempt, Failure, Outcome, Place, Rest, Settings};

use super::counters::Quota;
use super::world::{self, Fault, World};

/// How long an account takes to refuse.
pub const REFUSAL: f64 = 0.15;

/// A world, and what one router has drawn of its quotas.
pub struct Played<'w> {
    world: &'w World,
    quotas: Vec<Quota>,
}

impl<'w> Played<'w> {
    pub fn new(world: &'w World) -> Self {
        Self {
            world,
            quotas: world.accounts.iter().copied().map(Quota::new).collect(),
        }
    }
}

/// The settings of a router that waits so many seconds for the first to wake.
pub fn waiting(wait: f64) -> Settings {
    Settings {
        wait,
        ..Settings::default()
    }
}

/// What a router hears of a failure.
pub fn failure(fault: Fault, retry_after: Option<f64>) -> Failure {
    let rest = match (fault, retry_after) {
        (Fault::NoTools, _) => return Failure::Lacks,
        (Fault::Gone, _) => return Failure::Gone,
        (_, Some(seconds)) => Rest::Told(seconds),
        (fault, None) => Rest::Unadvised {
            is_limited: fault == Fault::Limited,
        },
    };
    Failure::Model { rest }
}

impl replay::World for Played<'_> {
    fn requests(&self) -> usize {
        self.world.requests.len()
    }

    fn request(&self, number: usize) -> replay::Request {
        self.world.requests[number].plain()
    }

    fn candidates(&self) -> usize {
        self.world.models.len()
    }

    fn accounts(&self) -> usize {
        self.world.accounts.len()
    }

    fn account(&self, model: usize) -> usize {
        self.world.models[model].account
    }

    fn able(&mut self, request: usize) -> Vec<(usize, Place)> {
        let tools = self.world.requests[request].tools;
        let models = self.world.models.iter().enumerate();
        let able = models.filter(|(_, model)| model.tools || !tools);
        able.map(|(n, _)| (n, self.place(n, 0.0))).collect()
    }

    fn place(&self, model: usize, _now: f64) -> Place {
        Place {
            tier: 0,
            place: model as u32,
            rank: self.world.models[model].rank as u32,
        }
    }

    fn asks(&mut self, attempt: &Attempt, nth: usize, is_warm: bool) -> Outcome {
        if let Some(until) = self.quotas[attempt.account].take(attempt.at) {
            return Outcome::Fails {
                after: REFUSAL,
                failure: Failure::Account { until },
            };
        }
        let (model, request) = (attempt.candidate, attempt.request);
        let outcome = self.world.outcome(model, attempt.at, request, nth, is_warm);
        match outcome {
            world::Outcome::Fails {
                fault,
                after,
                retry_after,
            } => Outcome::Fails {
                after,
                failure: failure(fault, retry_after),
            },
            world::Outcome::Speaks {
                first,
                total,
                breaks,
            } => Outcome::Speaks {
                first,
                total,
                breaks,
            },
        }
    }
}
