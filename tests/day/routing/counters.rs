//! What one run counts: quotas, and who served a session last. The world knows nothing of it.

use std::collections::HashMap;

use super::world::*;

/// An account's counters.
#[derive(Debug)]
pub struct Quota {
    account: Account,
    minute: u64,
    in_minute: u32,
    in_day: u32,
}

impl Quota {
    pub fn new(account: Account) -> Self {
        Self {
            account,
            minute: 0,
            in_minute: 0,
            in_day: 0,
        }
    }

    /// Counts an attempt; until when the account refuses, if it does.
    pub fn take(&mut self, now: f64) -> Option<f64> {
        let minute = (now / 60.0) as u64;
        if minute != self.minute {
            (self.minute, self.in_minute) = (minute, 0);
        }
        let refused = self.refuses(now);
        self.in_minute += 1;
        self.in_day += 1;
        refused
    }

    /// What is left of the day, where it is limited.
    pub fn day_left(&self) -> Option<u32> {
        Some(self.account.day_left?.saturating_sub(self.in_day))
    }

    /// Until when an attempt would be refused, if it would.
    pub fn refuses(&self, now: f64) -> Option<f64> {
        let minute = (now / 60.0) as u64;
        let spent = self
            .account
            .day_left
            .is_some_and(|left| self.in_day >= left);
        if spent || now >= self.account.exhausted_from {
            return Some(NEVER);
        }
        let used = if minute == self.minute {
            self.in_minute
        } else {
            0
        };
        (used >= self.account.per_minute).then_some((minute + 1) as f64 * 60.0)
    }
}

/// How long a provider's prompt cache remembers a session, in seconds.
const CACHE_FOR: f64 = 300.0;

/// The model of each session's last answer, and its moment.
#[derive(Debug, Default)]
pub struct Sessions(HashMap<u32, (usize, f64)>);

impl Sessions {
    pub fn last(&self, request: &Request) -> Option<(usize, f64)> {
        self.0.get(&request.session?).copied()
    }

    /// Whether the model has read this session's prompt lately.
    pub fn cached(&self, request: &Request, model: usize, now: f64) -> bool {
        let last = self.last(request);
        last.is_some_and(|(last, at)| last == model && now - at < CACHE_FOR)
    }

    /// Whether an answer of this model's is a change for the session.
    pub fn switched(&self, request: &Request, model: usize) -> bool {
        self.last(request).is_some_and(|(last, _)| last != model)
    }

    pub fn served(&mut self, request: &Request, model: usize, now: f64) {
        if let Some(session) = request.session {
            self.0.insert(session, (model, now));
        }
    }
}
