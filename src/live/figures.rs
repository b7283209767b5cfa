//! The performance of one model: success, time to first token, speed.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::histogram::Histogram;
use super::window::Window;
use crate::verdict::Outcome;

/// An attempt, as far as the figures need it.
#[derive(Clone, Copy, Debug)]
pub struct Attempted {
    /// How it ended.
    pub outcome: Outcome,
    /// It failed for a reason that applies to all models of the account.
    pub of_account: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// From asking to the first useful event of a stream, in milliseconds.
    pub ttft_ms: Option<u64>,
    /// The length of the answer, if it reported its usage.
    pub completion_tokens: Option<u64>,
}

/// The live figures of one model over a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The number of attempts by outcome.
    pub attempts: Attempts,
    /// The share of successes among those that the model decided; `None` while there are none.
    pub success_rate: Option<f64>,
    /// Half of its streams begin within this many milliseconds.
    pub ttft_p50_ms: Option<u64>,
    /// 95% do.
    pub ttft_p95_ms: Option<u64>,
    /// Completion tokens divided by the duration of their attempts.
    pub tokens_per_second: Option<f64>,
}

/// Attempts by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts([u32; Outcome::ALL.len()]);

impl Attempts {
    /// How many ended like this.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u32 {
        self.0.get(outcome as usize).copied().unwrap_or_default()
    }

    fn add(&mut self, outcome: Outcome, more: u32) {
        if let Some(count) = self.0.get_mut(outcome as usize) {
            *count = count.saturating_add(more);
        }
    }
}

impl Serialize for Attempts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for outcome in Outcome::ALL.into_iter().filter(|o| self.of(*o) > 0) {
            map.serialize_entry(outcome.as_str(), &self.of(outcome))?;
        }
        map.end()
    }
}

/// The outcomes that a model is blamed for, unless they were the account's.
const FAILURES: [Outcome; 2] = [Outcome::RateLimited, Outcome::UpstreamError];

/// The counts of one step.
#[derive(Clone, Debug, Default)]
struct Tally {
    attempts: Attempts,
    /// How many of them failed in a way that the model is blamed for, except for account failures.
    of_account: u32,
    ttft: Histogram,
    tokens: u64,
    /// The total duration of the attempts that reported their tokens.
    tokens_ms: u64,
}

impl Tally {
    fn add(&mut self, attempt: Attempted) {
        self.attempts.add(attempt.outcome, 1);
        if attempt.of_account && FAILURES.contains(&attempt.outcome) {
            self.of_account = self.of_account.saturating_add(1);
        }
        if let Some(ms) = attempt.ttft_ms {
            self.ttft.add(ms);
        }
        if let Some(tokens) = attempt.completion_tokens {
            self.tokens = self.tokens.saturating_add(tokens);
            self.tokens_ms = self.tokens_ms.saturating_add(attempt.duration_ms);
        }
    }

    fn merge(&mut self, other: &Self) {
        for outcome in Outcome::ALL {
            self.attempts.add(outcome, other.attempts.of(outcome));
        }
        self.of_account = self.of_account.saturating_add(other.of_account);
        self.ttft.merge(&other.ttft);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.tokens_ms = self.tokens_ms.saturating_add(other.tokens_ms);
    }

    fn figures(&self) -> Figures {
        let good = f64::from(self.attempts.of(Outcome::Success));
        let [limited, bad] = FAILURES.map(|outcome| f64::from(self.attempts.of(outcome)));
        let decided = good + limited + bad - f64::from(self.of_account);
        let tokens_per_second = self.tokens as f64 * 1000.0 / self.tokens_ms as f64;
        Figures {
            attempts: self.attempts,
            success_rate: (decided > 0.0).then(|| {
                // A rate of 1 means that nothing failed.
                let most = if good < decided { 0.999 } else { 1.0 };
                rounded(good / decided, 1000.0).min(most)
            }),
            ttft_p50_ms: self.ttft.percentile(50),
            ttft_p95_ms: self.ttft.percentile(95),
            tokens_per_second: (self.tokens_ms > 0).then(|| rounded(tokens_per_second, 10.0)),
        }
    }
}

fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}

/// What is known of one model.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    hour: Window<Tally>,
    day: Window<Tally>,
    /// The second in which it was last asked.
    pub(super) last: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            hour: Window::new(300, 12),
            day: Window::new(3600, 24),
            last: 0,
        }
    }
}

impl Seen {
    pub(super) fn add(&mut self, attempt: Attempted, now: u64) {
        self.last = now;
        self.hour.at(now).add(attempt);
        self.day.at(now).add(attempt);
    }

    /// The figures of the hour and of the day ending now.
    pub(super) fn figures(&self, now: u64) -> [Option<Figures>; 2] {
        [&self.hour, &self.day].map(|window| {
            let mut all: Option<Tally> = None;
            for (_, tally) in window.until(now) {
                all.get_or_insert_default().merge(tally);
            }
            all.map(|all| all.figures())
        })
    }
}
