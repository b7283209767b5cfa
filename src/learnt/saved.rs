//! What is known of candidates as it outlives the process (spec §12.3): the sums of §11, each with its date, since
//! they fade on while nobody runs. Silent attempts end with the process.
//!
//! What comes back is hostile until it is checked: no sum is larger than learning makes it.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::evidence::Parts;
use super::fading::{Fading, fade};
use super::limit::{CLASSES, Times};
use super::{Evidence, Parameters};
use crate::clock::{Now, from_unix_millis, unix_millis};

/// What is known of one candidate; each sum with its weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedEvidence {
    at_ms: u64,
    half_life: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "is_none")]
    firsts: Sum,
    /// By class of prompt sizes: the logarithms, and their squares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    times: Vec<(usize, Sum, Sum)>,
    #[serde(default, skip_serializing_if = "is_none")]
    failures: Sum,
    #[serde(default, skip_serializing_if = "is_none")]
    failed_after: Sum,
    breaks_at_ms: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    breaks: Sum,
}

/// A sum and its weight.
type Sum = (f64, f64);

fn is_none(sum: &Sum) -> bool {
    *sum == (0.0, 0.0)
}

/// No attempt lasts longer, in seconds; and the logarithm of that.
const LONGEST_SEC: f64 = 86_400.0;
const LONGEST_LOG: f64 = 12.0;

/// Far more observations than any half-life lets add up.
const MANY: f64 = 1e6;

impl Evidence {
    /// What is to outlive the process; `None` if nothing is known.
    #[must_use]
    pub fn save(&self, parameters: &Parameters, now: Now) -> Option<SavedEvidence> {
        let parts = self.parts();
        let weights = [parts.firsts, parts.failures, parts.breaks];
        let is_known = weights.iter().any(|sum| sum.weight > 0.0);
        if !is_known || self.has_faded(parameters, now) {
            return None;
        }
        let classes = parts.times.classes().enumerate();
        Some(SavedEvidence {
            at_ms: unix_millis(parts.at.wall),
            half_life: rounded(parts.half_life),
            found_ms: parts.found.map(|found| unix_millis(found.wall)),
            firsts: saved(parts.firsts),
            times: classes
                .filter(|(_, (logs, _))| logs.weight > 1e-6)
                .map(|(class, (logs, squares))| (class, saved(logs), saved(squares)))
                .collect(),
            failures: saved(parts.failures),
            failed_after: saved(parts.failed_after),
            breaks_at_ms: unix_millis(parts.breaks_at.wall),
            breaks: saved(parts.breaks),
        })
    }
}

impl SavedEvidence {
    /// What is left of it now; `None` if it cannot have been learnt. It was saved at `saved_at`.
    #[must_use]
    pub fn back(
        &self,
        saved_at: SystemTime,
        parameters: &Parameters,
        now: Now,
    ) -> Option<Evidence> {
        // Nothing is younger for a clock that was put back.
        let wall = now.wall.max(saved_at);
        let age = |millis| {
            let then = from_unix_millis(millis).unwrap_or(SystemTime::UNIX_EPOCH);
            wall.duration_since(then).unwrap_or_default().as_secs_f64()
        };
        let half_life = self
            .half_life
            .clamp(parameters.half_life, parameters.half_life_max);
        let left = fade(age(self.at_ms), half_life);
        let breaks_left = fade(age(self.breaks_at_ms), parameters.break_half_life);
        let mut times = Times::default();
        for (class, logs, squares) in self.times.iter().take(CLASSES) {
            let logs = back(*logs, MANY, -LONGEST_LOG..=LONGEST_LOG)?.faded(left);
            let squares = back(*squares, MANY, 0.0..=LONGEST_LOG * LONGEST_LOG)?.faded(left);
            times.put(*class, logs, squares);
        }
        let found = self.found_ms.map(age);
        let found = found.filter(|age| *age <= parameters.slow_every);
        Some(Evidence::of(Parts {
            at: now,
            half_life,
            found: found.map(|_| now),
            firsts: back(self.firsts, MANY, 0.0..=LONGEST_SEC)?.faded(left),
            times,
            failures: back(self.failures, MANY, 0.0..=1.0)?.faded(left),
            failed_after: back(self.failed_after, MANY, 0.0..=LONGEST_SEC)?.faded(left),
            breaks_at: now,
            breaks: back(self.breaks, MANY, 0.0..=1.0)?.faded(breaks_left),
        }))
    }
}

fn saved(sum: Fading) -> Sum {
    (rounded(sum.sum), rounded(sum.weight))
}

/// To a millionth: a second is not known better.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// If its mean is within these bounds, and its weight within this one.
fn back((sum, weight): Sum, most: f64, mean: std::ops::RangeInclusive<f64>) -> Option<Fading> {
    // What rounding may add.
    const SLACK: f64 = 1e-5;
    let least = weight.mul_add(*mean.start(), -SLACK);
    let largest = weight.mul_add(*mean.end(), SLACK);
    let is_sum = (0.0..=most).contains(&weight) && (least..=largest).contains(&sum);
    is_sum.then_some(Fading { sum, weight })
}
