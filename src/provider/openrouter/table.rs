//! What OpenRouter's errors imply: `docs/upstream.md` §4-§6 as one table.

use std::time::Duration;

use super::{ErrorBody, Named};
use crate::model::ModelId;
use crate::provider::bound::Bound;
use crate::provider::ruling::{KEY_REST, Ruling, doubling};
use crate::verdict::{AccountLimit, Rest, Scope};

/// A model that serves only coding agents does so for months.
const HARNESS_REST: Duration = Duration::from_secs(6 * 3600);

/// What a ruling takes from the settings and from the waits in the answer.
pub(in crate::provider) struct Usual<F> {
    /// `RATE_LIMIT_COOLDOWN_SEC`.
    pub(in crate::provider) rate_limit: Duration,
    /// `GENERIC_ERROR_COOLDOWN_SEC`.
    pub(in crate::provider) generic: Duration,
    /// The wait that the answer gives, as far as the window of a used-up quota bears it out.
    pub(in crate::provider) asked: F,
}

impl ErrorBody<'_> {
    /// The ruling on an answer with this status and body.
    pub(in crate::provider) fn ruling(
        &self,
        model: &ModelId,
        status: u16,
        usual: &Usual<impl Fn(Option<Bound>) -> Option<Rest>>,
    ) -> Ruling {
        let generic = Rest::Unadvised(usual.generic);
        let rate_limit = Rest::Unadvised(usual.rate_limit);
        let named = self.named(model);
        let asked = || (usual.asked)(named.and_then(Named::bound));
        let account = |limit| Ruling::of(Scope::Account(limit), asked().unwrap_or(rate_limit));
        let key = |rest| Ruling::of(Scope::Key, rest);
        match (status, named) {
            (429, Some(Named::FreeMinute)) => account(AccountLimit::Minute),
            (429, Some(Named::FreeDay)) => account(AccountLimit::Day),
            (429, _) => Ruling::model(asked().unwrap_or(rate_limit)),
            (402, _) => {
                let rest = asked().unwrap_or_else(|| doubling(usual.rate_limit));
                Ruling::of(Scope::Account(AccountLimit::Credit), rest)
            }
            (401, _) => key(KEY_REST),
            (400..=499, Some(Named::Request)) => Ruling::request(),
            (408, _) => Ruling::model(generic),
            (400 | 403 | 404, Some(Named::Gone)) => Ruling::model(Rest::UntilNextList),
            (400 | 404, Some(Named::Lacks(capability))) => Ruling::lacks(capability),
            (400 | 404 | 413 | 422, Some(Named::TooLong(window))) => Ruling::too_long(window),
            (403, Some(Named::Harness)) => Ruling::model(Rest::For(HARNESS_REST)),
            (404, Some(Named::Provider)) => Ruling::model(generic),
            (400..=499, Some(Named::Provider)) => Ruling::model(Rest::None),
            (400 | 403 | 404, Some(Named::OtherModelMayDo)) => Ruling::model(Rest::None),
            // A page from an edge in front of the upstream says nothing about the key: certain prompts
            // are enough to trigger one.
            (403, _) if self.error.is_none() => key(Rest::None),
            (403, _) => key(KEY_REST),
            (404, _) => Ruling::model(generic),
            (400..=499, _) => Ruling::request(),
            (503, _) => Ruling::model(asked().unwrap_or(generic)),
            _ => Ruling::model(generic),
        }
    }
}
