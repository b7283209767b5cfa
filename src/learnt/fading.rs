//! A sum and its weight, both of which decay with time (spec §11.1).

use crate::clock::Now;

/// What was seen, summed up, and how much of it there is: each time counts 1, or a half where it was
/// seen through another account.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fading {
    pub(super) sum: f64,
    pub(super) weight: f64,
}

/// The share of a weight that is left after `elapsed_sec`; between 0 and 1.
pub(super) fn fade(elapsed_sec: f64, half_life_sec: f64) -> f64 {
    (-elapsed_sec / half_life_sec).exp2()
}

/// What is left at one moment of what was seen before it. The last answer is kept: all accounts of an offer
/// learn at the same moments, so one mostly serves them all.
#[derive(Clone, Copy, Debug)]
pub struct Fades {
    now: Now,
    last: Option<Left>,
}

#[derive(Clone, Copy, Debug)]
struct Left {
    since: Now,
    half_life: f64,
    left: f64,
}

impl Fades {
    /// At this moment.
    #[must_use]
    pub fn at(now: Now) -> Self {
        Self { now, last: None }
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// What is left of a weight of that time; between 0 and 1.
    #[expect(clippy::float_cmp, reason = "the same question has the same answer")]
    pub(super) fn left(&mut self, since: Now, half_life_sec: f64) -> f64 {
        if let Some(last) = self.last
            && last.since == since
            && last.half_life == half_life_sec
        {
            return last.left;
        }
        let left = fade(self.now.since(since).as_secs_f64(), half_life_sec);
        self.last = Some(Left {
            since,
            half_life: half_life_sec,
            left,
        });
        left
    }
}

impl Fading {
    /// The same, with only the share `left` of it remaining.
    pub(super) fn faded(self, left: f64) -> Self {
        Self {
            sum: self.sum * left,
            weight: self.weight * left,
        }
    }

    /// Adds one observation.
    pub(super) fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weight += weight;
    }

    /// Adds one observation, keeping the total weight at `most` or below: older ones shrink to make room,
    /// and the newest counts in full.
    pub(super) fn add_within(&mut self, most: f64, value: f64, weight: f64) {
        *self = self.at_most(most - weight);
        self.add(value, weight);
    }

    /// The same, scaled down to a weight of `most` if it is above that.
    pub(super) fn at_most(self, most: f64) -> Self {
        if self.weight > most {
            self.faded(most / self.weight)
        } else {
            self
        }
    }

    /// The mean, with a prior of this sum and weight.
    pub(super) fn mean(self, prior_sum: f64, prior_weight: f64) -> f64 {
        (self.sum + prior_sum) / (self.weight + prior_weight)
    }
}
