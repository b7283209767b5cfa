//! What one run counts: quotas. The world knows nothing of it.

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
