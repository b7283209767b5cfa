//! What earlier answers have said would fail.

use super::play::{Attempt, Failure, NEVER, Request, Rest, World};

/// Until when candidates and accounts will fail, by their own answers.
#[derive(Clone, Debug)]
pub struct Told {
    candidates: Vec<f64>,
    accounts: Vec<f64>,
    no_tools: Vec<bool>,
}

impl Told {
    /// Nothing has been said yet.
    #[must_use]
    pub fn new(world: &impl World) -> Self {
        Self {
            candidates: vec![0.0; world.candidates()],
            accounts: vec![0.0; world.accounts()],
            no_tools: vec![false; world.candidates()],
        }
    }

    /// Whether an attempt is bound to fail by that.
    #[must_use]
    pub fn would_fail(&self, attempt: &Attempt, request: &Request, now: f64) -> bool {
        now < self.candidates[attempt.candidate]
            || now < self.accounts[attempt.account]
            || (request.tools && self.no_tools[attempt.candidate])
    }

    /// An attempt has failed.
    pub fn hears(&mut self, attempt: &Attempt, failure: Failure, now: f64) {
        let candidate = &mut self.candidates[attempt.candidate];
        match failure {
            Failure::Late | Failure::Refused => {}
            Failure::Account { until } => {
                let account = &mut self.accounts[attempt.account];
                *account = account.max(until);
            }
            Failure::Gone => *candidate = NEVER,
            Failure::Lacks => self.no_tools[attempt.candidate] = true,
            Failure::Model { rest } => {
                let told = match rest {
                    Rest::Told(seconds) => seconds,
                    Rest::No | Rest::Unadvised { .. } => 0.0,
                };
                *candidate = candidate.max(now + told);
            }
        }
    }
}
