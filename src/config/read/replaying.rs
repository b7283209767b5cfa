//! The settings that a replay follows, without any account (spec §11.8).

use super::{ATTEMPTS_OF_SEVERAL, SettingsReader};
use crate::config::ConfigError;
use crate::config::value::{count, period, seconds, seconds_or_zero};
use crate::replay::Settings;

/// Those of a proxy with so many accounts.
pub(in crate::config) fn replaying(
    lookup: impl Fn(&str) -> Option<String>,
    accounts: usize,
) -> Result<Settings, ConfigError> {
    let mut reader = SettingsReader {
        lookup,
        problems: Vec::new(),
    };
    let settings = reader.replaying(accounts);
    reader.end(settings)
}

impl<F: Fn(&str) -> Option<String>> SettingsReader<F> {
    fn replaying(&mut self, accounts: usize) -> Option<Settings> {
        let parameters = self.learning();
        let attempts = self.attempts(accounts);
        let budget = self.get("REQUEST_BUDGET_SEC", seconds);
        let timeout = self.get("UPSTREAM_TIMEOUT_SEC", seconds);
        let wait = self.get("WAIT_SEC", period);
        let rate_limited = self.get("RATE_LIMIT_COOLDOWN_SEC", seconds_or_zero);
        let otherwise = self.get("GENERIC_ERROR_COOLDOWN_SEC", seconds_or_zero);
        Some(Settings {
            parameters: parameters?,
            attempts: attempts?,
            budget: budget?.as_secs_f64(),
            timeout: timeout?.as_secs_f64(),
            wait: wait?.unwrap_or_default().as_secs_f64(),
            rate_limited: rate_limited?.as_secs_f64(),
            otherwise: otherwise?.as_secs_f64(),
        })
    }

    /// How many candidates a request asks at most, with so many accounts.
    pub(super) fn attempts(&mut self, accounts: usize) -> Option<usize> {
        match self.given("MAX_FALLBACK_ATTEMPTS") {
            None if accounts > 1 => Some(ATTEMPTS_OF_SEVERAL),
            None | Some(_) => self.get("MAX_FALLBACK_ATTEMPTS", count),
        }
    }
}
