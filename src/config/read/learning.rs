//! The figures behind the learnt order (spec §11.1).

use super::SettingsReader;
use crate::config::value::{seconds, seconds_or_zero};
use crate::learnt::Parameters;

impl<F: Fn(&str) -> Option<String>> SettingsReader<F> {
    /// All of them, each checked.
    pub(super) fn learning(&mut self) -> Option<Parameters> {
        let mut any = |name| {
            let read = self.get(name, seconds_or_zero);
            read.map(|length| length.as_secs_f64())
        };
        let rank_worth = any("RANK_WORTH_SEC");
        let slow = any("LEARN_SLOW_SEC");
        let slow_failure = any("LEARN_SLOW_FAILURE_SEC");
        let slow_every = any("LEARN_SLOW_EVERY_SEC");
        let failure = any("LEARN_FAILURE_SEC");
        let tight = any("LEARN_TIGHT_SEC");
        let broken = any("LEARN_BREAK_SEC");
        let sticky = any("LEARN_STICKY_SEC");
        let sticky_account = any("LEARN_STICKY_ACCOUNT_SEC");
        let sticky_for = any("LEARN_STICKY_FOR_SEC");
        let first_rest = any("LEARN_FIRST_REST_SEC");
        let limit_min = any("LEARN_LIMIT_MIN_SEC");
        // What divides, and what a logarithm is taken of.
        let mut above_0 = |name| {
            let read = self.get(name, seconds);
            read.map(|length| length.as_secs_f64())
        };
        let half_life = above_0("LEARN_HALF_LIFE_SEC");
        let half_life_max = above_0("LEARN_HALF_LIFE_MAX_SEC");
        let prior_ttft = above_0("LEARN_PRIOR_TTFT_SEC");
        let break_half_life = above_0("LEARN_BREAK_HALF_LIFE_SEC");
        Some(Parameters {
            rank_worth: rank_worth?,
            half_life: half_life?,
            half_life_max: half_life_max?.max(half_life?),
            slow: slow?,
            slow_failure: slow_failure?,
            slow_every: slow_every?,
            prior_ttft: prior_ttft?,
            failure: failure?,
            tight: tight?,
            broken: broken?,
            break_half_life: break_half_life?,
            sticky: sticky?,
            sticky_account: sticky_account?,
            sticky_for: sticky_for?,
            first_rest: first_rest?,
            limit_min: limit_min?,
        })
    }
}
