//! The formulas of spec §11, row by row.

mod cells;
mod costs;
mod evidence;
mod limits;
mod measured;
mod properties;
mod saved;
mod sessions;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::clock::Now;
use crate::model::{AccountId, Candidate, ModelId, Offer, ProviderId};

/// The moment from which the tests count.
fn start() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    }
}

/// This many seconds after a moment.
fn after(from: Now, seconds: f64) -> Now {
    from.plus(Duration::from_secs_f64(seconds))
}

/// First in the ranking, where a place is worth nothing: the cost is what the evidence says.
const BARE: Circumstances = Circumstances {
    place: 0,
    rank_worth: 2.0,
    tight: 0.0,
    sticks: Sticks::No,
};

/// Evidence, and a clock to record events at given seconds.
struct Story {
    evidence: Evidence,
    parameters: Parameters,
    start: Now,
}

impl Story {
    fn new() -> Self {
        let (parameters, start) = (Parameters::default(), start());
        Self {
            evidence: Evidence::new(&parameters, start),
            parameters,
            start,
        }
    }

    /// Attempts that end in the first seconds began before second zero.
    fn at(&self, second: f64) -> Now {
        after(self.start, 1000.0 + second)
    }

    fn began(&mut self, second: f64) -> Instant {
        let began = self.at(second).steady;
        self.evidence.began(Through::Its, began);
        began
    }

    /// A streamed attempt whose first event comes at `second`, after `took` seconds.
    fn first(&mut self, second: f64, took: f64) {
        let began = self.began(second - took);
        let (parameters, now) = (self.parameters, self.at(second));
        self.evidence
            .first_event(Through::Its, began, 100, &parameters, now);
    }

    fn plain(&mut self, second: f64, took: f64) {
        let began = self.began(second - took);
        let (parameters, now) = (self.parameters, self.at(second));
        self.evidence
            .plain_answer(Through::Its, began, &parameters, now);
    }

    fn failed(&mut self, second: f64, took: f64) {
        let began = self.began(second - took);
        let (parameters, now) = (self.parameters, self.at(second));
        self.evidence.failed(Through::Its, began, &parameters, now);
    }

    fn ended(&mut self, second: f64, is_broken: bool) {
        let (parameters, now) = (self.parameters, self.at(second));
        if is_broken {
            self.evidence.broke(Through::Its, &parameters, now);
        } else {
            self.evidence.whole(Through::Its, &parameters, now);
        }
    }

    fn cost(&self, second: f64) -> Cost {
        cost(
            Some(&self.evidence),
            BARE,
            &self.parameters,
            self.at(second),
        )
    }

    fn limit(&self, second: f64, tokens: u64) -> f64 {
        let upstream_timeout = Duration::from_secs(30);
        let now = self.at(second);
        let evidence = Some(&self.evidence);
        first_token_limit(evidence, tokens, upstream_timeout, &self.parameters, now).as_secs_f64()
    }
}

#[track_caller]
fn near(got: f64, expected: f64, what: &str) {
    assert!(
        (got - expected).abs() < 1e-6,
        "{what}: {got}, not {expected}"
    );
}

fn account(provider: &str, label: &str) -> AccountId {
    AccountId::new(ProviderId::try_from(provider).unwrap(), label)
}

fn candidate(id: &str, account: &AccountId) -> Candidate {
    let offer = Offer::at(account.provider.clone(), ModelId::try_from(id).unwrap());
    Candidate::new(Arc::new(offer), Arc::new(account.clone()), true)
}
