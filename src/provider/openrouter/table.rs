//! What OpenRouter's errors imply: `docs/upstream.md` §4-§6 as one table.

use std::time::Duration;

use http::HeaderMap;

use super::{ErrorBody, Named, bound};
use crate::clock::Now;
use crate::ledger::{Ends, Per, next_end};
use crate::model::ModelId;
use crate::provider::retry_after::{asked, told_reset};
use crate::provider::ruling::{KEY_REST, Ruling, doubling};
use crate::verdict::{AccountLimit, Rest, Scope};

/// A model that serves only coding agents does so for months.
const HARNESS_REST: Duration = Duration::from_secs(6 * 3600);

/// What a ruling takes from the settings and from the answer's headers.
pub(in crate::provider) struct Usual<'a> {
    /// `RATE_LIMIT_COOLDOWN_SEC`.
    pub(in crate::provider) rate_limit: Duration,
    /// `GENERIC_ERROR_COOLDOWN_SEC`.
    pub(in crate::provider) generic: Duration,
    /// The answer's headers, which may give a wait.
    pub(in crate::provider) headers: &'a HeaderMap,
    /// When it came.
    pub(in crate::provider) now: Now,
}

impl ErrorBody<'_> {
    /// The ruling on an answer with this status and body.
    pub(in crate::provider) fn ruling(
        &self,
        model: &ModelId,
        status: u16,
        usual: &Usual<'_>,
    ) -> Ruling {
        let generic = Rest::Unadvised(usual.generic);
        let rate_limit = Rest::Unadvised(usual.rate_limit);
        let bound = self.account.and_then(bound);
        let asked = || asked(usual.headers, self.error, bound, usual.now);
        let key = |rest| Ruling::of(Scope::Key, rest);
        // A cause is looked for only where it decides anything: most errors are rate limits and outages.
        match status {
            429 => match self.account {
                // A day marker beats a short wait; a reset beside it is the day's end (spec §10.5).
                Some(AccountLimit::Day) => {
                    let reset = told_reset(usual.headers, self.error, bound, usual.now);
                    let midnight = || Rest::Until(next_end(Per::Day, Ends::Utc, usual.now.wall));
                    let rest = reset.unwrap_or_else(midnight);
                    Ruling::of(Scope::Account(AccountLimit::Day), rest)
                }
                Some(limit) => Ruling::of(Scope::Account(limit), asked().unwrap_or(rate_limit)),
                None => Ruling::model(asked().unwrap_or(rate_limit)),
            },
            402 => {
                let rest = asked().unwrap_or_else(|| doubling(usual.rate_limit));
                Ruling::of(Scope::Account(AccountLimit::Credit), rest)
            }
            401 => key(KEY_REST),
            400..=499 => match (status, self.named(model)) {
                (_, Some(Named::Request)) => Ruling::request(),
                (408, _) => Ruling::model(generic),
                (400 | 403 | 404, Some(Named::Gone)) => Ruling::model(Rest::UntilNextList),
                (400 | 404, Some(Named::Lacks(capability))) => Ruling::lacks(capability),
                (400 | 404 | 413 | 422, Some(Named::TooLong(window))) => Ruling::too_long(window),
                (403, Some(Named::Harness)) => Ruling::model(Rest::For(HARNESS_REST)),
                (404, Some(Named::Provider)) => Ruling::model(generic),
                (_, Some(Named::Provider)) => Ruling::model(Rest::None),
                (400 | 403 | 404, Some(Named::OtherModelMayDo)) => Ruling::model(Rest::None),
                // A page from an edge in front of the upstream says nothing about the key: certain prompts
                // are enough to trigger one.
                (403, _) if self.error.is_none() => key(Rest::None),
                (403, _) => key(KEY_REST),
                (404, _) => Ruling::model(generic),
                _ => Ruling::request(),
            },
            503 => Ruling::model(asked().unwrap_or(generic)),
            _ => Ruling::model(generic),
        }
    }
}
