//! Figures of records, beside the oracle's records of the same requests.

use super::records::{Record, Taste};
use super::world::World;

/// Pools any number of episodes of one scenario.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    requests: u32,
    whole: u32,
    broken: u32,
    attempts: u32,
    wasted: u32,
    turns: u32,
    switches: u32,
    ranks: usize,
    utility: f64,
    hasty: f64,
    patient: f64,
    /// Seconds to the first token, of streams that both answered (even in part).
    waits: Vec<f64>,
    oracle_whole: u32,
    oracle_utility: f64,
    oracle_waits: Vec<f64>,
}

/// What a router came to in one scenario, or in the mean over several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Whole answers, % of the oracle's.
    pub answered: f64,
    /// % of the oracle's.
    pub utility: f64,
    /// First token, seconds.
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    /// p95 by the oracle's.
    pub p95_ratio: f64,
    /// Attempts beyond one for each answer, per answer.
    pub extra: f64,
    /// Of them, per answer, those that an earlier answer had said would fail.
    pub wasted: f64,
    /// Of 1000 answers begun, those that ended in their middle.
    pub breaks: f64,
    pub rank: f64,
    /// Of 100 turns of a session, those by another model than the last.
    pub switches: f64,
    /// Points of 100, if a rank were worth 0.5 s or 8 s.
    pub hasty: f64,
    pub patient: f64,
}

impl Tally {
    pub fn add(&mut self, world: &World, records: &[Record], oracle: &[Record]) {
        for ((request, record), best) in world.requests.iter().zip(records).zip(oracle) {
            self.requests += 1;
            self.attempts += record.attempts;
            self.wasted += record.wasted;
            self.utility += record.worth(Taste::Usual);
            self.hasty += record.worth(Taste::Hasty);
            self.patient += record.worth(Taste::Patient);
            self.oracle_utility += best.worth(Taste::Usual);
            if let Some(answer) = record.answer {
                self.whole += u32::from(!answer.broken);
                self.broken += u32::from(answer.broken);
                self.ranks += answer.rank;
                if request.stream && best.answer.is_some() {
                    self.waits.push(answer.wait);
                }
                if request.session.is_some() {
                    self.turns += 1;
                    self.switches += u32::from(answer.switched);
                }
            }
            if let Some(answer) = best.answer {
                self.oracle_whole += 1;
                if request.stream {
                    self.oracle_waits.push(answer.wait);
                }
            }
        }
    }

    pub fn figures(&self) -> Figures {
        let per = |n: f64, of: u32| n / f64::from(of.max(1));
        let begun = self.whole + self.broken;
        let [p50, p95, p99] = percentiles(&self.waits);
        let [_, best, _] = percentiles(&self.oracle_waits);
        Figures {
            answered: 100.0 * per(self.whole.into(), self.oracle_whole),
            utility: 100.0 * self.utility / self.oracle_utility,
            p50,
            p95,
            p99,
            p95_ratio: p95 / best,
            extra: per((self.attempts - begun).into(), self.whole),
            wasted: per(self.wasted.into(), self.whole),
            breaks: 1000.0 * per(self.broken.into(), begun),
            rank: per(self.ranks as f64, begun),
            switches: 100.0 * per(self.switches.into(), self.turns),
            hasty: per(self.hasty, self.requests),
            patient: per(self.patient, self.requests),
        }
    }
}

/// 50, 95 and 99%, interpolated.
fn percentiles(waits: &[f64]) -> [f64; 3] {
    let mut sorted = waits.to_vec();
    sorted.sort_by(f64::total_cmp);
    [0.5, 0.95, 0.99].map(|share| {
        let place = sorted.len().saturating_sub(1) as f64 * share;
        let (below, part) = (place as usize, place.fract());
        let at = |n: usize| sorted.get(n).or(sorted.last()).copied().unwrap_or(0.0);
        at(below) + (at(below + 1) - at(below)) * part
    })
}
