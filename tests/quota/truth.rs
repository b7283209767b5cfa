//! What the providers really count: every request with its time, by separate plain arithmetic.

use std::collections::{HashMap, VecDeque};

use free_llm_proxy::ledger::{Counted, Ends, Limit, Per, Unit};

/// 2026-11-17 06:00 UTC: midnight in California is two hours later, in UTC eighteen.
pub const START: f64 = 1_794_895_200.0;

/// One limit, for one of those that share it.
struct Meter {
    limit: Limit,
    seconds: f64,
    log: VecDeque<(f64, f64)>,
    sum: f64,
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
        let now = self.window(at);
        while let Some((then, weight)) = self.log.front().copied() {
            let is_over = match now {
                Some(_) => self.window(then) != now,
                None => then <= at - self.seconds,
            };
            if !is_over {
                break;
            }
            self.sum -= weight;
            self.log.pop_front();
        }
        self.sum
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
        for (then, weight_then) in &self.log {
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

/// One provider's own books.
pub struct Truth {
    limits: Vec<Limit>,
    fills_up: bool,
    meters: HashMap<(String, usize), Meter>,
}

impl Truth {
    pub fn new(limits: Vec<Limit>, fills_up: bool) -> Self {
        Self {
            limits,
            fills_up,
            meters: HashMap::new(),
        }
    }

    fn each<T>(&mut self, model: &str, mut with: impl FnMut(&mut Meter) -> T) -> Vec<T> {
        let limits = self.limits.iter().enumerate();
        let of_model = limits.filter(|(_, limit)| limit.models.iter().all(|p| fits(p, model)));
        let of_model: Vec<_> = of_model.map(|(n, limit)| (n, limit.clone())).collect();
        let fills_up = self.fills_up;
        of_model
            .into_iter()
            .map(|(n, limit)| {
                let whose = match limit.of {
                    Counted::Model => model,
                    Counted::Account | Counted::Address => "*",
                };
                let meter = self.meters.entry((whose.into(), n));
                with(meter.or_insert_with(|| Meter::new(limit, fills_up)))
            })
            .collect()
    }

    /// Whether it would accept this, and if not, because of which limit.
    pub fn refuses(&mut self, model: &str, weight: Weight, at: f64) -> Option<Refused> {
        let refused = self.each(model, |meter| {
            let weight = weight.of(meter.limit.unit);
            (!meter.takes(weight, at)).then(|| Refused {
                limit: meter.limit.clone(),
                wait: meter.wait(weight, at),
                used: match meter.level(at) {
                    Some(level) => meter.limit.amount as f64 - level,
                    None => meter.used(at),
                },
                too_large: weight > meter.limit.amount as f64,
            })
        });
        let refused = refused.into_iter().flatten();
        refused.max_by(|a, b| a.wait.total_cmp(&b.wait))
    }

    /// Limit and use of the account's day.
    pub fn day(&mut self, model: &str, at: f64) -> (u64, u64) {
        let days = self.each(model, |meter| {
            let used = meter.used(at) as u64;
            (meter.limit.per == Per::Day).then_some((meter.limit.amount, used))
        });
        days.into_iter().flatten().next().unwrap()
    }

    pub fn take(&mut self, model: &str, weight: Weight, at: f64) {
        self.each(model, |meter| meter.add(weight.of(meter.limit.unit), at));
    }

    /// It has ended, and its answer had this many tokens beyond what was counted before.
    pub fn ends(&mut self, model: &str, tokens_out: f64, at: f64) {
        let none = Weight {
            tokens_in: 0.0,
            tokens_out: 0.0,
        };
        let answer = Weight { tokens_out, ..none };
        self.each(model, |meter| {
            let unit = meter.limit.unit;
            match unit {
                Unit::AtOnce => meter.sum -= 1.0,
                Unit::Requests => {}
                Unit::Tokens | Unit::TokensIn | Unit::TokensOut | Unit::Neurons => {
                    meter.add(answer.of(unit) - none.of(unit), at)
                }
            }
        });
    }

    /// Groq's: requests of the day, tokens of the minute.
    pub fn headers(&mut self, model: &str, at: f64) -> Vec<Header> {
        let told = self.each(model, |meter| {
            let level = meter.level(at)?;
            let Limit {
                unit, per, amount, ..
            } = meter.limit;
            let is_told = matches!(
                (unit, per),
                (Unit::Requests, Per::Day) | (Unit::Tokens, Per::Minute)
            );
            let reset = (amount as f64 - level) / amount as f64 * meter.seconds;
            is_told.then_some((unit, per, amount, level.max(0.0) as u64, reset))
        });
        told.into_iter().flatten().collect()
    }
}

fn fits(pattern: &str, model: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == model,
        Some((front, back)) => model.starts_with(front) && model.ends_with(back),
    }
}
