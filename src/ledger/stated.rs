//! A quota as an error names it.

use std::time::SystemTime;

use super::{Counted, Per, Refusal, Unit};
use crate::clock::Now;

/// What an error says of a quota: for a limit that is *stated*, or *learnt* where only its window is
/// named (spec §10.5). It comes from outside, and is bounded where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated {
    /// How much the limit is, where the error says so; neither zero nor more than [`Stated::MOST`].
    pub amount: Option<u64>,
    /// Of what, where it says so.
    pub unit: Option<Unit>,
    /// Within which window.
    pub per: Per,
    /// Who shares it: as the error says, else as the provider's limits do, else each model.
    pub of: Counted,
    /// When it returns, where that is known.
    pub until: Option<SystemTime>,
}

impl Stated {
    /// No limit is larger: a larger number is not believed.
    pub const MOST: u64 = 1_000_000_000_000;

    /// The same as the ledger takes it, where it says what is counted. `spent` is false where one request
    /// was too large for it.
    #[must_use]
    pub fn refusal(&self, spent: bool, now: Now) -> Option<Refusal> {
        let wait = self
            .until
            .map(|until| until.duration_since(now.wall).unwrap_or_default());
        Some(Refusal {
            unit: self.unit?,
            per: self.per,
            of: self.of,
            limit: self.amount,
            used: None,
            spent,
            wait,
        })
    }

    /// Whether a limit may be so much.
    #[must_use]
    pub fn is_plausible(amount: u64) -> bool {
        (1..=Self::MOST).contains(&amount)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn s10_5_what_the_ledger_takes_of_a_quota_that_an_error_names() {
        let now = Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_942_400),
        };
        let stated = Stated {
            amount: Some(8000),
            unit: Some(Unit::Tokens),
            per: Per::Minute,
            of: Counted::Model,
            until: Some(now.wall + Duration::from_secs(42)),
        };
        let refusal = stated.refusal(true, now).unwrap();
        assert_eq!(refusal.limit, Some(8000));
        assert_eq!(refusal.wait, Some(Duration::from_secs(42)));
        assert!(refusal.spent);
        let past = Stated {
            until: Some(SystemTime::UNIX_EPOCH),
            ..stated
        };
        let wait = past.refusal(false, now).unwrap().wait;
        assert_eq!(wait, Some(Duration::ZERO));
        let of_nothing = Stated {
            unit: None,
            ..stated
        };
        assert_eq!(of_nothing.refusal(true, now), None);
    }
}
