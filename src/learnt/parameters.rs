//! The settings of spec §11 with their defaults, and how a request's wish changes them.

use crate::model::Wish;

/// What one place in the ranking is worth to `auto:best`, in seconds (spec §11.6).
const BEST: f64 = 8.0;

/// The same for `auto:fast`.
const FAST: f64 = 0.5;

/// `ROUTING`: how the candidates of a tier are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By what a request would cost there.
    #[default]
    Balanced,
    /// By rank, whatever has been learnt.
    Rank,
}

impl Order {
    /// The order for a request with this wish, given this setting (spec §11.6).
    #[must_use]
    pub fn of(self, wish: Wish) -> Self {
        match wish {
            Wish::Auto => self,
            Wish::Best | Wish::Fast => Self::Balanced,
            Wish::Rank => Self::Rank,
        }
    }
}

/// The constants of the formulas, all in seconds; the defaults are those of spec §11.1, which did best
/// against a simulated free tier.
///
/// All are finite and none is negative; divisors and arguments of logarithms are above zero. The settings
/// parser ensures that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// `RANK_WORTH_SEC`: what one place in the ranking is worth.
    pub rank_worth: f64,
    /// `LEARN_HALF_LIFE_SEC`: the time after which an observation counts half. Above zero.
    pub half_life: f64,
    /// `LEARN_HALF_LIFE_MAX_SEC`: the longest half-life that costly findings lead to. Never below `half_life`.
    pub half_life_max: f64,
    /// `LEARN_SLOW_SEC`: a first event that takes longer is a costly finding.
    pub slow: f64,
    /// `LEARN_SLOW_FAILURE_SEC`: so is a failure that takes longer than this.
    pub slow_failure: f64,
    /// `LEARN_SLOW_EVERY_SEC`: at most one costly finding counts per this long.
    pub slow_every: f64,
    /// `LEARN_PRIOR_TTFT_SEC`: the assumed time to first token of an unknown candidate. Above zero.
    pub prior_ttft: f64,
    /// `LEARN_FAILURE_SEC`: what a failure costs beyond the time it takes.
    pub failure: f64,
    /// `LEARN_TIGHT_SEC`: what it costs on top when the account's quota is nearly used up.
    pub tight: f64,
    /// `LEARN_BREAK_SEC`: what an answer that breaks off costs.
    pub broken: f64,
    /// `LEARN_BREAK_HALF_LIFE_SEC`: the half-life of evidence about breaks. Above zero.
    pub break_half_life: f64,
    /// `LEARN_STICKY_SEC`: the discount for the candidate that gave a session's last answer.
    pub sticky: f64,
    /// `LEARN_STICKY_ACCOUNT_SEC`: the discount for its account.
    pub sticky_account: f64,
    /// `LEARN_STICKY_FOR_SEC`: how long these discounts last.
    pub sticky_for: f64,
    /// `LEARN_FIRST_REST_SEC`: the first rest when the failure did not say how long.
    pub first_rest: f64,
    /// `LEARN_LIMIT_MIN_SEC`: the least time given for a first token.
    pub limit_min: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            rank_worth: 2.0,
            half_life: 60.0,
            half_life_max: 480.0,
            slow: 3.75,
            slow_failure: 3.0,
            slow_every: 20.0,
            prior_ttft: 1.5,
            failure: 1.0,
            tight: 10.0,
            broken: 45.0,
            break_half_life: 1800.0,
            sticky: 1.5,
            sticky_account: 1.0,
            sticky_for: 600.0,
            first_rest: 5.0,
            limit_min: 5.0,
        }
    }
}

impl Parameters {
    /// What one place in the ranking is worth to a request with this wish, in seconds (spec §11.6).
    #[must_use]
    pub fn rank_worth(&self, wish: Wish) -> f64 {
        match wish {
            Wish::Auto | Wish::Rank => self.rank_worth,
            Wish::Best => BEST,
            Wish::Fast => FAST,
        }
    }
}
