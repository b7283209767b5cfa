//! Figures of records, beside the oracle's records of the same requests.

use free_llm_proxy::replay;

use super::records::Record;
use super::world::World;

/// Pools any number of episodes of one scenario.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    own: replay::Tally,
    oracle: replay::Tally,
}

/// What a router came to in one scenario, or in the mean over several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Whole answers, % of the oracle's.
    pub answered: f64,
    /// % of the oracle's.
    pub utility: f64,
    /// p95 by the oracle's.
    pub p95_ratio: f64,
    /// The others, as they are; first tokens of streams that both answered (even in part).
    pub own: replay::Figures,
}

impl Tally {
    pub fn add(&mut self, world: &World, records: &[Record], oracle: &[Record]) {
        for ((request, record), best) in world.requests.iter().zip(records).zip(oracle) {
            let request = request.plain();
            self.own.add(&request, record, best.answer.is_some());
            self.oracle.add(&request, best, true);
        }
    }

    pub fn figures(&self) -> Figures {
        let (own, best) = (self.own.figures(), self.oracle.figures());
        let whole = |tally: &replay::Tally| f64::from(tally.whole);
        Figures {
            answered: 100.0 * whole(&self.own) / whole(&self.oracle),
            utility: 100.0 * self.own.utility / self.oracle.utility,
            p95_ratio: own.p95 / best.p95,
            own,
        }
    }
}
