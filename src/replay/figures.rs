//! Aggregate figures over records.

use super::{Record, Request, Taste};

/// Sums up the results of any number of requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// All requests.
    pub requests: u32,
    /// Those that got a complete answer.
    pub whole: u32,
    /// Those whose answer broke off.
    pub broken: u32,
    /// The sum of their utilities, each in points out of 100.
    pub utility: f64,
    attempts: u32,
    wasted: u32,
    turns: u32,
    switches: u32,
    ranks: u64,
    hasty: f64,
    patient: f64,
    /// Times to the first token of streams, in seconds.
    waits: Vec<f64>,
}

/// The results of a router.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Requests with a complete answer, in %.
    pub answered: f64,
    /// Mean utility, in points out of 100.
    pub utility: f64,
    /// Streams whose time to the first token counts.
    pub streams: usize,
    /// Time to the first token: median, in seconds; 0 without streams.
    pub p50: f64,
    /// The same: 95th percentile.
    pub p95: f64,
    /// The same: 99th percentile.
    pub p99: f64,
    /// Attempts beyond the first, per answer.
    pub extra: f64,
    /// Attempts that were bound to fail, by what an earlier answer had said; per answer.
    pub wasted: f64,
    /// Of 1000 answers begun, how many broke off.
    pub breaks: f64,
    /// The mean rank of the models that answered, from 1.
    pub rank: f64,
    /// Of 100 later turns of sessions, how many another candidate answered than the turn before.
    pub switches: f64,
    /// Mean utility, if a rank were worth 0.5 s.
    pub hasty: f64,
    /// Mean utility, if a rank were worth 8 s.
    pub patient: f64,
}

impl Tally {
    /// Adds a request and its result. A stream's wait counts only if `counts_wait`.
    pub fn add(&mut self, request: &Request, record: &Record, counts_wait: bool) {
        self.requests += 1;
        self.attempts += record.attempts;
        self.wasted += record.wasted;
        self.utility += record.worth(Taste::Usual);
        self.hasty += record.worth(Taste::Hasty);
        self.patient += record.worth(Taste::Patient);
        if let Some(answer) = record.answer {
            self.whole += u32::from(!answer.broken);
            self.broken += u32::from(answer.broken);
            self.ranks += u64::from(answer.rank);
            if request.stream && counts_wait {
                self.waits.push(answer.wait);
            }
            if request.session.is_some() {
                self.turns += 1;
                self.switches += u32::from(answer.switched);
            }
        }
    }

    /// The figures over everything added.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let per = |n: f64, of: u32| n / f64::from(of.max(1));
        let begun = self.whole + self.broken;
        let [p50, p95, p99] = percentiles(&self.waits);
        Figures {
            answered: 100.0 * per(self.whole.into(), self.requests),
            utility: per(self.utility, self.requests),
            streams: self.waits.len(),
            p50,
            p95,
            p99,
            extra: per(self.attempts.saturating_sub(begun).into(), self.whole),
            wasted: per(self.wasted.into(), self.whole),
            breaks: 1000.0 * per(self.broken.into(), begun),
            rank: per(whole_number(self.ranks), begun),
            switches: 100.0 * per(self.switches.into(), self.turns),
            hasty: per(self.hasty, self.requests),
            patient: per(self.patient, self.requests),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no sum of ranks has 16 digits")]
fn whole_number(number: u64) -> f64 {
    number as f64
}

/// The 50th, 95th and 99th percentiles, interpolated.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a list, which are not negative"
)]
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
