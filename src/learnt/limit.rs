//! How long a streaming candidate is given for its first useful event (spec §11.3).

use std::time::Duration;

use super::fading::Fading;
use super::{Evidence, Parameters};
use crate::clock::Now;

/// Prompts of up to this many tokens are treated alike.
const USUAL_TOKENS: u64 = 8_000;

/// Up to 8k, 32k, 128k, 512k tokens, and beyond.
pub(super) const CLASSES: usize = 5;

/// The most times remembered per class.
const REMEMBERED: f64 = 2.0;

/// Weight and sigma of the prior.
const PRIOR_SAMPLES: f64 = 2.0;
const PRIOR_SIGMA: f64 = 0.5;

/// The minimum of sigma squared: two times that happen to be alike prove little.
const LEAST_VARIANCE: f64 = 0.04;

/// Shorter times count as this, in seconds: zero has no logarithm.
const QUICKEST_SEC: f64 = 0.05;

/// By the candidate's record, 99 of 100 first events come within this many sigmas.
const SIGMAS_OF_P99: f64 = 2.33;

/// The limit is this many times that.
const BEYOND_P99: f64 = 1.5;

/// The class of a prompt.
fn class(prompt_tokens: u64) -> usize {
    let bounds = [1, 4, 16, 64].map(|times| times * USUAL_TOKENS);
    bounds.partition_point(|bound| *bound < prompt_tokens)
}

/// How many times longer a prompt of this size may take than one of the usual size.
#[expect(
    clippy::cast_precision_loss,
    reason = "an estimated size need not be exact"
)]
fn times_usual(prompt_tokens: u64) -> f64 {
    prompt_tokens.max(USUAL_TOKENS) as f64 / USUAL_TOKENS as f64
}

/// The logarithms of times to the first useful event, scaled to a prompt of the usual size; kept per class
/// of prompt sizes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    classes: [Class; CLASSES],
}

#[derive(Clone, Copy, Debug, Default)]
struct Class {
    logs: Fading,
    /// The sum of the squares, with the same weights.
    squares: Fading,
}

impl Times {
    pub(super) fn add(&mut self, took_sec: f64, prompt_tokens: u64, weight: f64) {
        let log = (took_sec / times_usual(prompt_tokens))
            .max(QUICKEST_SEC)
            .ln();
        if let Some(class) = self.classes.get_mut(class(prompt_tokens)) {
            class.logs.add_within(REMEMBERED, log, weight);
            class.squares.add_within(REMEMBERED, log * log, weight);
        }
    }

    pub(super) fn fade(&mut self, left: f64) {
        for class in &mut self.classes {
            class.logs = class.logs.faded(left);
            class.squares = class.squares.faded(left);
        }
    }

    /// The logarithms of each class, and their squares.
    pub(super) fn classes(&self) -> impl Iterator<Item = (Fading, Fading)> {
        let classes = self.classes.into_iter();
        classes.map(|class| (class.logs, class.squares))
    }

    /// Sets those of one class.
    pub(super) fn put(&mut self, class: usize, logs: Fading, squares: Fading) {
        if let Some(class) = self.classes.get_mut(class) {
            *class = Class { logs, squares };
        }
    }

    /// The total over all classes.
    pub(super) fn weight(&self) -> f64 {
        self.classes.iter().map(|class| class.logs.weight).sum()
    }

    fn of(&self, prompt_tokens: u64) -> Class {
        let class = self.classes.get(class(prompt_tokens)).copied();
        class.unwrap_or_default()
    }
}

/// How long a streaming candidate is given for its first useful event, never above `upstream_timeout`;
/// `evidence` is what is known about it, if anything.
#[must_use]
pub fn first_token_limit(
    evidence: Option<&Evidence>,
    prompt_tokens: u64,
    upstream_timeout: Duration,
    parameters: &Parameters,
    now: Now,
) -> Duration {
    let Class { logs, squares } = evidence.map_or_else(Class::default, |evidence| {
        let (times, left) = evidence.times_at(now);
        let class = times.of(prompt_tokens);
        Class {
            logs: class.logs.faded(left),
            squares: class.squares.faded(left),
        }
    });
    let prior = parameters.prior_ttft.ln();
    let square = PRIOR_SIGMA.mul_add(PRIOR_SIGMA, prior * prior);
    let mu = logs.mean(PRIOR_SAMPLES * prior, PRIOR_SAMPLES);
    let mean_square = squares.mean(PRIOR_SAMPLES * square, PRIOR_SAMPLES);
    let sigma = (mean_square - mu * mu).max(LEAST_VARIANCE).sqrt();
    let p99 = SIGMAS_OF_P99.mul_add(sigma, mu).exp();
    let seconds = BEYOND_P99 * p99 * times_usual(prompt_tokens);
    let seconds = seconds.max(parameters.limit_min);
    Duration::try_from_secs_f64(seconds)
        .map_or(upstream_timeout, |limit| limit.min(upstream_timeout))
}

/// What decides whether the limit may end an attempt at all.
#[derive(Clone, Copy, Debug)]
pub struct FirstTokenLimit {
    /// The answer is streamed: nothing is seen of a plain one until it is complete.
    pub is_streamed: bool,
    /// The limit has already ended an earlier attempt of this request.
    pub has_ended_one: bool,
    /// No other capable candidate is left.
    pub is_last: bool,
    /// The share of the account's daily quota that is left, 0 to 1, if known.
    pub day_left: Option<f64>,
}

impl FirstTokenLimit {
    /// An account with less of its daily quota left than this cannot afford to waste a request.
    const LEAST_DAY: f64 = 0.1;

    /// Whether the limit applies.
    #[must_use]
    pub fn applies(self) -> bool {
        let has_day = self.day_left.is_none_or(|left| left >= Self::LEAST_DAY);
        self.is_streamed && !self.has_ended_one && !self.is_last && has_day
    }
}
