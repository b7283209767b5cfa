//! What the providers really count: every request with its time, by separate plain arithmetic.

use std::collections::VecDeque;
use std::iter::zip;

use free_llm_proxy::ledger::{Counted, Ends, Limit, Per, Unit};

/// 2026-11-17 06:00 UTC: midnight in California is two hours later, in UTC eighteen.
pub const START: f64 = 1_794_895_200.0;

/// The ledger counts a rolling window in a thousand pieces: what was used comes back by so much of the window late,
/// and never early. An account is not idle for that long.
const LATE: f64 = 0.001;

/// One limit, for one of those that share it.
struct Meter {
    limit: Limit,
    seconds: f64,
    log: VecDeque<(f64, f64)>,
    sum: f64,
    /// When it refused something, and how much.
    refused: VecDeque<(f64, f64)>,
    /// For one that refills continuously.
    filled: Option<(f64, f64)>,
}

/// The cost of one request.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    pub tokens_in: f64,
    pub tokens_out: f64,
}

impl Weight {
    fn of(self, unit: Unit) -> f64 {
        match unit {
            Unit::Requests | Unit::AtOnce => 1.0,
            Unit::Tokens => self.tokens_in + self.tokens_out,
            Unit::TokensIn => self.tokens_in,
            Unit::TokensOut => self.tokens_out,
            Unit::Neurons => self.tokens_in * 0.032 + self.tokens_out * 0.068,
        }
    }
}

/// The offset of a clock in November, in seconds.
fn offset(ends: Ends) -> f64 {
    match ends {
        Ends::Utc => 0.0,
        Ends::Pacific => -8.0 * 3600.0,
        Ends::Shanghai => 8.0 * 3600.0,
    }
}

impl Meter {
    fn new(limit: Limit, fills_up: bool) -> Self {
        let amount = limit.amount as f64;
        Self {
            seconds: limit.per.length().as_secs_f64(),
            log: VecDeque::new(),
            sum: 0.0,
            refused: VecDeque::new(),
            filled: fills_up.then_some((0.0, amount)),
            limit,
        }
    }

    /// The number of the fixed window at `at`. No month ends on that day.
    fn window(&self, at: f64) -> Option<i64> {
        let offset = offset(self.limit.ends?);
        Some(if self.limit.per == Per::Month {
            0
        } else {
            ((START + at + offset) / self.seconds).floor() as i64
        })
    }

    fn used(&mut self, at: f64) -> f64 {
        if self.limit.unit == Unit::AtOnce {
            return self.sum;
        }
        let used = self.used_as_counted(at);
        let past = self.log.iter();
        let past = past.take_while(|(then, _)| self.is_past(*then, at));
        used - past.map(|(_, weight)| weight).sum::<f64>()
    }

    /// What one takes for used who sees a rolling window's usage come back a little late.
    fn used_as_counted(&mut self, at: f64) -> f64 {
        if self.limit.unit == Unit::AtOnce {
            return self.sum;
        }
        let late = if self.limit.ends.is_none() {
            self.seconds * LATE
        } else {
            0.0
        };
        while let Some((then, weight)) = self.log.front().copied() {
            if !self.is_past(then, at - late) {
                break;
            }
            self.sum -= weight;
            self.log.pop_front();
        }
        self.sum
    }

    /// Whether what was then counts no more.
    fn is_past(&self, then: f64, at: f64) -> bool {
        match self.window(at) {
            Some(window) => self.window(then) != Some(window),
            None => then <= at - self.seconds,
        }
    }

    /// What it refused in this window.
    fn refused(&mut self, at: f64) -> f64 {
        let front = |refused: &VecDeque<(f64, f64)>| refused.front().copied();
        while front(&self.refused).is_some_and(|(then, _)| self.is_past(then, at)) {
            self.refused.pop_front();
        }
        self.refused.iter().map(|(_, weight)| weight).sum()
    }

    /// What is left of one that refills.
    fn level(&self, at: f64) -> Option<f64> {
        let (then, level) = self.filled?;
        let amount = self.limit.amount as f64;
        Some((level + (at - then) * amount / self.seconds).min(amount))
    }

    fn takes(&mut self, weight: f64, at: f64) -> bool {
        match self.level(at) {
            Some(level) => weight <= level,
            None => self.used(at) + weight <= self.limit.amount as f64 + 1e-9,
        }
    }

    /// Whether it has room for this in the eyes of one who counts what is sent.
    fn has_room(&mut self, weight: f64, at: f64) -> bool {
        let weight = weight + self.refused(at);
        match self.level(at) {
            // What it reports is rounded, so one more must fit.
            Some(level) => weight + 1.0 <= level,
            None => self.used_as_counted(at) + weight <= self.limit.amount as f64 + 1e-9,
        }
    }

    fn add(&mut self, weight: f64, at: f64) {
        if let Some(level) = self.level(at) {
            self.filled = Some((at, level - weight));
        } else {
            self.sum += weight;
            self.log.push_back((at, weight));
        }
    }

    /// How long until it accepts this much.
    fn wait(&mut self, weight: f64, at: f64) -> f64 {
        let amount = self.limit.amount as f64;
        if let Some(level) = self.level(at) {
            return (weight - level).max(0.0) * self.seconds / amount;
        }
        let mut used = self.used(at);
        if let Some(ends) = self.limit.ends {
            let end = if self.limit.per == Per::Month {
                f64::MAX
            } else {
                (self.window(at).unwrap() + 1) as f64 * self.seconds - offset(ends) - START
            };
            return end - at;
        }
        let inside = self.log.iter().filter(|(then, _)| !self.is_past(*then, at));
        for (then, weight_then) in inside {
            used -= weight_then;
            if used + weight <= amount {
                return then + self.seconds - at;
            }
        }
        self.seconds
    }
}

/// What quota headers say: unit, window, limit, left, seconds to the reset.
pub type Header = (Unit, Per, u64, u64, f64);

/// Why a request is refused.
#[derive(Clone, Debug)]
pub struct Refused {
    pub limit: Limit,
    pub wait: f64,
    pub used: f64,
    /// It never fits.
    pub too_large: bool,
}

/// One provider's own books. Its models are known by their places.
pub struct Truth {
    meters: Vec<Meter>,
    /// The meters of each model.
    of_model: Vec<Vec<usize>>,
}

impl Truth {
    pub fn new(limits: &[Limit], models: &[&str], fills_up: bool) -> Self {
        let mut truth = Self {
            meters: Vec::new(),
            of_model: vec![Vec::new(); models.len()],
        };
        for limit in limits {
            let mut shared = None;
            for (own, model) in zip(&mut truth.of_model, models) {
                let patterns = &limit.models;
                if !patterns.is_empty() && !patterns.iter().any(|p| fits(p, model)) {
                    continue;
                }
                let mut new = || {
                    truth.meters.push(Meter::new(limit.clone(), fills_up));
                    truth.meters.len() - 1
                };
                own.push(match limit.of {
                    Counted::Model => new(),
                    Counted::Account | Counted::Address => *shared.get_or_insert_with(new),
                });
            }
        }
        truth
    }

    fn each(&mut self, model: usize, mut with: impl FnMut(&mut Meter)) {
        for meter in &self.of_model[model] {
            with(&mut self.meters[*meter]);
        }
    }

    /// Whether it would accept this, and if not, because of which limit.
    pub fn refuses(&mut self, model: usize, weight: Weight, at: f64) -> Option<Refused> {
        let mut refused: Option<Refused> = None;
        self.each(model, |meter| {
            let weight = weight.of(meter.limit.unit);
            if meter.takes(weight, at) {
                return;
            }
            let wait = meter.wait(weight, at);
            if refused.as_ref().is_none_or(|other| other.wait <= wait) {
                refused = Some(Refused {
                    limit: meter.limit.clone(),
                    wait,
                    used: match meter.level(at) {
                        Some(level) => meter.limit.amount as f64 - level,
                        None => meter.used(at),
                    },
                    too_large: weight > meter.limit.amount as f64,
                });
            }
        });
        refused
    }

    /// It has refused this. Some providers count what they refuse, and no answer says which, so a failed attempt
    /// counts (spec §10.5): an account has no more room than is left after all that was sent. The limit that
    /// refused it says how much is used where it refills, and so that it left this out.
    pub fn has_refused(&mut self, model: usize, weight: Weight, by: &Limit, at: f64) {
        self.each(model, |meter| {
            let is_told = meter.filled.is_some() && meter.limit == *by;
            if meter.limit.unit != Unit::AtOnce && !is_told {
                meter.refused.push_back((at, weight.of(meter.limit.unit)));
            }
        });
    }

    /// Whether it has room for this beyond all that was sent to it.
    pub fn is_idle(&mut self, model: usize, weight: Weight, at: f64) -> bool {
        let mut is_idle = true;
        self.each(model, |meter| {
            is_idle &= meter.has_room(weight.of(meter.limit.unit), at);
        });
        is_idle
    }

    /// Limit and use of the account's day.
    pub fn day(&mut self, model: usize, at: f64) -> (u64, u64) {
        let mut day = None;
        self.each(model, |meter| {
            if meter.limit.per == Per::Day {
                day = Some((meter.limit.amount, meter.used(at) as u64));
            }
        });
        day.unwrap()
    }

    pub fn take(&mut self, model: usize, weight: Weight, at: f64) {
        self.each(model, |meter| meter.add(weight.of(meter.limit.unit), at));
    }

    /// It has ended, and its answer had this many tokens beyond what was counted before.
    pub fn ends(&mut self, model: usize, tokens_out: f64, at: f64) {
        let answer = Weight {
            tokens_in: 0.0,
            tokens_out,
        };
        self.each(model, |meter| match meter.limit.unit {
            Unit::AtOnce => meter.sum -= 1.0,
            Unit::Requests => {}
            unit @ (Unit::Tokens | Unit::TokensIn | Unit::TokensOut | Unit::Neurons) => {
                meter.add(answer.of(unit), at);
            }
        });
    }

    /// Groq's: requests of the day, tokens of the minute.
    pub fn headers(&mut self, model: usize, at: f64) -> Vec<Header> {
        let mut told = Vec::new();
        self.each(model, |meter| {
            let Limit {
                unit, per, amount, ..
            } = meter.limit;
            let is_told = matches!(
                (unit, per),
                (Unit::Requests, Per::Day) | (Unit::Tokens, Per::Minute)
            );
            if let (Some(level), true) = (meter.level(at), is_told) {
                let reset = (amount as f64 - level) / amount as f64 * meter.seconds;
                told.push((unit, per, amount, level.max(0.0) as u64, reset));
            }
        });
        told
    }
}

fn fits(pattern: &str, model: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == model,
        Some((front, back)) => model.starts_with(front) && model.ends_with(back),
    }
}
