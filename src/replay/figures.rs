//! Figures of records.

use super::{Record, Request, Taste};

/// Pools what became of any number of requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests.
    pub requests: u32,
    /// Those that got a whole answer.
    pub whole: u32,
    /// Those whose answer ended in its middle.
    pub broken: u32,
    /// The sum of their worth, in points of 100 each.
    pub utility: f64,
    attempts: u32,
    wasted: u32,
    turns: u32,
    switches: u32,
    ranks: u64,
    hasty: f64,
    patient: f64,
    /// Seconds to the first token of streams.
    waits: Vec<f64>,
}

/// What a router came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Whole answers, % of the requests.
    pub answered: f64,
    /// Points of 100, in the mean.
    pub utility: f64,
    /// First token, seconds.
    pub p50: f64,
    /// The same of the slowest twentieth.
    pub p95: f64,
    /// The same of the slowest hundredth.
    pub p99: f64,
    /// Attempts beyond one for each answer, per answer.
    pub extra: f64,
    /// Of them, per answer, those that an earlier answer had said would fail.
    pub wasted: f64,
    /// Of 1000 answers begun, those that ended in their middle.
    pub breaks: f64,
    /// The mean rank of who answered, from 1.
    pub rank: f64,
    /// Of 100 turns of a session, those by another candidate than the last.
    pub switches: f64,
    /// Points of 100, if a rank were worth 0.5 s.
    pub hasty: f64,
    /// Points of 100, if a rank were worth 8 s.
    pub patient: f64,
}

impl Tally {
    /// A request, and what became of it. Of a stream the wait counts only where `counts_wait`.
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

    /// What it all comes to.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let per = |n: f64, of: u32| n / f64::from(of.max(1));
        let begun = self.whole + self.broken;
        let [p50, p95, p99] = percentiles(&self.waits);
        Figures {
            answered: 100.0 * per(self.whole.into(), self.requests),
            utility: per(self.utility, self.requests),
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

/// 50, 95 and 99%, interpolated.
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
