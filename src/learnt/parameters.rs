//! The settings of spec §11, with its defaults, and what a wish makes of them.

use crate::model::Wish;

/// What one place is worth to `auto:best`, in seconds (spec §11.6).
const BEST: f64 = 8.0;

/// The same to `auto:fast`.
const FAST: f64 = 0.5;

/// `ROUTING`: by what the candidates of a tier are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By what a request would cost there.
    #[default]
    Balanced,
    /// By rank, whatever happens.
    Rank,
}

impl Order {
    /// The order of a request with this wish, where this is the setting (spec §11.6).
    #[must_use]
    pub fn of(self, wish: Wish) -> Self {
        match wish {
            Wish::Auto => self,
            Wish::Best | Wish::Fast => Self::Balanced,
            Wish::Rank => Self::Rank,
        }
    }
}

/// The figures behind the formulas, all of them seconds; the defaults are those of spec §11.1, which a
/// simulated free tier showed to be best.
///
/// All are finite and none is negative; those that divide, or of which a logarithm is taken, are above
/// zero: the reader of the settings sees to that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// `RANK_WORTH_SEC`: what one place is worth.
    pub rank_worth: f64,
    /// `LEARN_HALF_LIFE_SEC`: after so long what was seen counts half. Above zero.
    pub half_life: f64,
    /// `LEARN_HALF_LIFE_MAX_SEC`: how far costly findings stretch it. Never below `half_life`.
    pub half_life_max: f64,
    /// `LEARN_SLOW_SEC`: a first event that takes longer is a costly finding.
    pub slow: f64,
    /// `LEARN_SLOW_FAILURE_SEC`: so is a failure that took longer.
    pub slow_failure: f64,
    /// `LEARN_SLOW_EVERY_SEC`: one costly finding counts in so long.
    pub slow_every: f64,
    /// `LEARN_PRIOR_TTFT_SEC`: the first token of a candidate of which nothing is known. Above zero.
    pub prior_ttft: f64,
    /// `LEARN_FAILURE_SEC`: what a failure costs beyond the time it takes.
    pub failure: f64,
    /// `LEARN_TIGHT_SEC`: what it costs more where the account's quota is nearly used up.
    pub tight: f64,
    /// `LEARN_BREAK_SEC`: what an answer that breaks off costs.
    pub broken: f64,
    /// `LEARN_BREAK_HALF_LIFE_SEC`: the half-life of what is known of breaks. Above zero.
    pub break_half_life: f64,
    /// `LEARN_STICKY_SEC`: what is taken off for the candidate that gave a session's last answer.
    pub sticky: f64,
    /// `LEARN_STICKY_ACCOUNT_SEC`: what is taken off for its account.
    pub sticky_account: f64,
    /// `LEARN_STICKY_FOR_SEC`: for so long.
    pub sticky_for: f64,
    /// `LEARN_FIRST_REST_SEC`: the first rest that nothing advised.
    pub first_rest: f64,
    /// `LEARN_LIMIT_MIN_SEC`: the least time that a first token is given.
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
    /// What one place is worth to a request with this wish, in seconds (spec §11.6).
    #[must_use]
    pub fn rank_worth(&self, wish: Wish) -> f64 {
        match wish {
            Wish::Auto | Wish::Rank => self.rank_worth,
            Wish::Best => BEST,
            Wish::Fast => FAST,
        }
    }
}
