//! What a bucket is told about its state from outside: by an answer's headers, the key endpoint or a refusal.

use std::time::{Duration, SystemTime};

use super::{Bucket, share};
use crate::ledger::beyond::Beyond;
use crate::ledger::time::{Moment, Until};
use crate::ledger::{FreeDay, Unit};

/// A bucket's state as reported from outside.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) struct Told {
    /// How much is used, by everything that draws from it.
    pub(in crate::ledger) used: u64,
    /// The part of that drawn by the request whose answer reported it.
    pub(in crate::ledger) own: u64,
    /// When all of it is back, if reported.
    pub(in crate::ledger) reset: Option<Duration>,
    /// It comes back steadily until then.
    pub(in crate::ledger) steadily: bool,
}

/// A bucket's state as a refusal reports it.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) struct Refused {
    pub(in crate::ledger) limit: u64,
    /// `None`: roughly all of it.
    pub(in crate::ledger) used: Option<u64>,
    /// What the refused request would have drawn.
    pub(in crate::ledger) own: u64,
    /// How long until it returns, if known.
    pub(in crate::ledger) wait: Option<Duration>,
}

impl Bucket {
    /// An answer's quota headers, or the key endpoint, reported how much is used.
    pub(in crate::ledger) fn believe(&mut self, told: Told, at: Moment) {
        let others_under_way = self.pending.saturating_sub(told.own);
        let believed = told.used.saturating_add(others_under_way);
        let until = match told.reset {
            Some(reset) => {
                // By then everything is back, whenever we used it. A set limit counts what we sent ourselves.
                if !self.numbers.is_set() {
                    let settled = self.count.used(at).saturating_sub(self.pending);
                    self.count.give_back(settled, at);
                }
                Until::Running(at.running.saturating_add(reset))
            }
            None => self.count.window_ends(at),
        };
        let ours = self.count.used(at);
        self.beyond = Beyond::new(believed.saturating_sub(ours), until);
        if told.steadily || self.refills(told, at) {
            self.beyond = self.beyond.map(|others| others.refilling(at));
        }
        if !self.numbers.is_set() {
            let too_many = ours.saturating_sub(believed);
            self.count.give_back(too_many, at);
        }
        self.tidy(at);
    }

    /// Whether the provider refills it continuously, as Groq and Cerebras do: the reset that it reports is then
    /// the part of the window that refilling the used amount takes.
    fn refills(&self, told: Told, at: Moment) -> bool {
        let (Some((used, _)), Some(reset)) = (self.share_of(told.used, at), told.reset) else {
            return false;
        };
        let expected = self.kind.per.length().as_secs_f64() * used;
        let apart = (reset.as_secs_f64() - expected).abs();
        self.kind.ends.is_none() && apart <= 1.0 + 0.02 * expected
    }

    /// At least this much of this window is used; a higher count that is already known stays.
    fn at_least(&mut self, used: u64, until: Option<Duration>, at: Moment) {
        let until = match until {
            Some(until) => Until::Running(at.running.saturating_add(until)),
            None => self.count.window_ends(at),
        };
        if used > self.used(at) {
            let others = used.saturating_sub(self.count.used(at));
            self.beyond = Beyond::new(others, until);
        }
        self.tidy(at);
    }

    /// The key endpoint reported the limit and the usage. It lags behind: what was drawn since its last report
    /// may be missing, and it does not override a refusal, unless its limit has risen or its count has fallen
    /// since then. Returns whether it did override one.
    pub(in crate::ledger) fn endpoint(&mut self, told: FreeDay, at: Moment) -> bool {
        let FreeDay { limit, used } = told;
        let ends = self.count.window_ends(at);
        let before = self.told.filter(|(_, until)| !until.is_past(at));
        let before = before.map(|(before, _)| before);
        let stated = self.numbers.stated(at);
        let is_less = before.is_some_and(|before| used < before.used);
        let is_more = stated.is_some_and(|stated| limit > stated)
            && before.is_none_or(|before| limit > before.limit);
        let gives_back = is_less || is_more;
        self.told = Some((told, ends));
        if gives_back {
            self.refused = None;
        }
        let stands = self.refused.is_some_and(|until| !until.is_past(at));
        let refused = stated.filter(|_| stands).unwrap_or(limit);
        self.numbers.until(limit.min(refused), ends);
        let since_told = self.drawn.saturating_sub(self.drawn_when_told);
        self.drawn_when_told = self.drawn;
        let ours = self.used(at).min(used.saturating_add(since_told));
        if stands {
            self.at_least(used, None, at);
        } else {
            let used = used.max(ours);
            let told = Told {
                used,
                // Everything under way is already counted.
                own: self.pending,
                reset: None,
                steadily: false,
            };
            self.believe(told, at);
        }
        gives_back && self.used(at) < limit
    }

    /// Whether a refusal's limit cannot be right because more than that succeeded in this window.
    pub(in crate::ledger) fn is_disproved(&self, limit: u64, at: Moment) -> bool {
        self.count.well(at) > limit
    }

    /// A refusal reported when this window ends; absurd dates are ignored.
    pub(in crate::ledger) fn ends_at(&mut self, end: SystemTime, at: Moment) {
        let left = end.duration_since(at.wall).unwrap_or_default();
        let is_possible = self.kind.per.lasts().is_none_or(|most| left <= most);
        if !left.is_zero() && is_possible {
            self.count.ends_at(end, at);
        }
    }

    /// A refusal reported how much of this window is used, and how long to wait. Returns whether the refused
    /// request is left out of that usage, and must not be counted once more when it ends.
    pub(in crate::ledger) fn refused(&mut self, told: Refused, at: Moment) -> bool {
        let Refused {
            limit,
            used,
            own,
            wait,
        } = told;
        let told_used = used.map(|used| used.min(limit));
        if self.kind.ends.is_some() {
            // The day's end beats a short wait.
            self.at_least(told_used.unwrap_or(limit), None, at);
            self.refused = Some(self.count.window_ends(at));
            false
        } else if let Some(wait) = wait {
            // A set limit counts whatever we sent ourselves.
            if self.numbers.is_set() {
                self.at_least(told_used.unwrap_or(limit), Some(wait), at);
                return false;
            }
            // Rolling quotas refill steadily, so that there is room for this request after the wait. Usage and
            // wait give the pace; if no usage is reported, the window's pace and the wait give the usage.
            let length = self.kind.per.length();
            let (used, back_in) = match told_used {
                Some(used) => {
                    let missing = used.saturating_add(own).saturating_sub(limit).max(1);
                    let back_in = wait.as_secs_f64() * share(used, missing);
                    let length = length.as_secs_f64();
                    // The wait for a request may be for the rest of one only: none comes back faster than a
                    // window's worth in a window.
                    let least = match self.kind.unit {
                        Unit::Requests => length * share(used, limit),
                        Unit::Tokens
                        | Unit::TokensIn
                        | Unit::TokensOut
                        | Unit::Neurons
                        | Unit::AtOnce => 0.0,
                    };
                    (used, back_in.max(least).min(length))
                }
                None => {
                    let returns = part(limit, wait.as_secs_f64() / length.as_secs_f64().max(1e-3));
                    let used = limit.saturating_sub(own).saturating_add(returns).min(limit);
                    (used, length.as_secs_f64() * share(used, limit))
                }
            };
            let told = Told {
                used,
                // It is under way until it ends, beside what is used.
                own: 0,
                reset: Some(Duration::from_secs_f64(back_in)),
                steadily: true,
            };
            self.believe(told, at);
            true
        } else {
            false
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share need not be exact, and a float cast saturates"
)]
fn part(amount: u64, share: f64) -> u64 {
    (amount as f64 * share) as u64
}
