//! The part of a proxy's settings that a replay uses.

use crate::learnt::Parameters;

/// The settings of a replay, durations in seconds; the defaults are the program's.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `RANK_WORTH_SEC` and `LEARN_...`.
    pub parameters: Parameters,
    /// `MAX_FALLBACK_ATTEMPTS`.
    pub attempts: usize,
    /// `REQUEST_BUDGET_SEC`.
    pub budget: f64,
    /// `UPSTREAM_TIMEOUT_SEC`.
    pub timeout: f64,
    /// `WAIT_SEC`; 0 means never.
    pub wait: f64,
    /// `RATE_LIMIT_COOLDOWN_SEC`.
    pub rate_limited: f64,
    /// `GENERIC_ERROR_COOLDOWN_SEC`.
    pub otherwise: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parameters: Parameters::default(),
            attempts: 5,
            budget: 120.0,
            timeout: 30.0,
            wait: 20.0,
            rate_limited: 300.0,
            otherwise: 60.0,
        }
    }
}
