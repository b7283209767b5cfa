//! What a day came to.

use std::iter::zip;

#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub requests: u64,
    pub answered: u64,
    pub attempts: u64,
    /// 429s, and those of them because of a limit on requests or concurrency.
    pub refused: u64,
    pub refused_requests: u64,
    /// Requests that failed although some account would have accepted them.
    pub idle: u64,
    pub accounts: Vec<Account>,
}

/// The same of one account.
#[derive(Clone, Debug)]
pub struct Account {
    pub provider: &'static str,
    pub answered: u64,
    pub refused: u64,
    pub idle: u64,
}

impl Figures {
    pub const HEAD: &str =
        "walk                      requests answered attempts   429s (requests) idle  of the most";

    pub fn new(providers: impl Iterator<Item = &'static str>) -> Self {
        let account = |provider| Account {
            provider,
            answered: 0,
            refused: 0,
            idle: 0,
        };
        Self {
            accounts: providers.map(account).collect(),
            ..Self::default()
        }
    }

    pub fn row(&self, name: &str) -> String {
        format!(
            "{name:<25} {:>8} {:>8} {:>8} {:>6} {:>10} {:>4}",
            self.requests,
            self.answered,
            self.attempts,
            self.refused,
            self.refused_requests,
            self.idle
        )
    }

    /// By account: answered, refused, idle; and what the other walk answered there.
    pub fn beside(&self, other: &Self) -> impl Iterator<Item = String> {
        let line = |(ours, other): (&Account, &Account)| {
            let Account {
                provider,
                answered,
                refused,
                idle,
            } = ours;
            let there = other.answered;
            format!("  {provider:<14} {answered:>8} {refused:>6} {idle:>4}   {there:>8}")
        };
        zip(&self.accounts, &other.accounts).map(line)
    }
}
