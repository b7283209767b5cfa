//! An error of a provider other than OpenRouter, and its classification by the rules common to all
//! (spec §10.4, reference §7).
//!
//! Pure. What only one provider says is in its row: nothing here names a provider.

use std::cell::OnceCell;
use std::time::Duration;

use http::HeaderMap;

use super::bound::Bound;
use super::quota::{self, Quota};
use super::row::{Means, Provider};
use super::ruling::{KEY_REST, Ruling};
use super::said::ErrorSaid;
use super::size;
use super::wait;
use crate::clock::Now;
use crate::ledger::Unit;
use crate::model::{Capability, ModelId};
use crate::verdict::{Rest, Scope};

/// An error, and everything that a ruling on it depends on.
pub(super) struct Case<'a> {
    pub(super) provider: &'a Provider,
    pub(super) model: &'a ModelId,
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    pub(super) said: ErrorSaid<'a>,
    pub(super) now: Now,
    /// `RATE_LIMIT_COOLDOWN_SEC`.
    pub(super) rate_limit: Duration,
    /// `GENERIC_ERROR_COOLDOWN_SEC`.
    pub(super) generic: Duration,
    pub(super) quota: OnceCell<Quota>,
}

impl Case<'_> {
    /// The ruling: by the first of the provider's rows that matches, else by the common rules.
    pub(super) fn ruling(&self) -> Ruling {
        self.ruling_by_row().unwrap_or_else(|| self.common())
    }

    /// The ruling of the first row that matches.
    pub(super) fn ruling_by_row(&self) -> Option<Ruling> {
        let mut rows = self.provider.errors.iter();
        let row = rows.find(|row| row.fits(Some(self.status), &self.said))?;
        Some(self.of_row(row))
    }

    fn common(&self) -> Ruling {
        let generic = Rest::Unadvised(self.generic);
        let said = &self.said;
        match self.status {
            429 if self.quota().is_nothing => Ruling::candidate(Rest::UntilNextList),
            429 => match self.quota().per {
                Some(per) => self.spent(per),
                None => Ruling::candidate(self.wait_or_usual(self.quota().unit)),
            },
            402 => self.account_out(),
            401 => Ruling::of(Scope::Key, KEY_REST),
            400 | 403 if says_that_the_key_is_dead(said) => Ruling::of(Scope::Key, KEY_REST),
            408 => Ruling::model(generic),
            410 => Ruling::model(Rest::UntilNextList),
            400 | 403 | 451 if said.begins("user location is not supported") => {
                self.of_means(Means::Region)
            }
            400 | 413 | 422 if size::too_long(said).is_some() => self.too_large(),
            400 | 404 | 422 if is_gone(said, self.model) => Ruling::model(Rest::UntilNextList),
            404 => Ruling::model(generic),
            // llama.cpp has no image reader for a model and says so with a 500.
            status => match lacks(said, self.model) {
                Some(capability) => Ruling::lacks(capability),
                None if (400..500).contains(&status) => Ruling::model(Rest::None),
                // An overload, or an outage: it says nothing of a quota, whatever wait it names.
                None => Ruling::model(generic),
            },
        }
    }

    /// The quota that the error names.
    pub(super) fn quota(&self) -> Quota {
        *self.quota.get_or_init(|| quota::named(&self.said))
    }

    /// The wait that the error states, for a quota with this unit and window.
    pub(super) fn stated(&self, unit: Option<Unit>, of: Option<Bound>) -> Option<Rest> {
        wait::stated(self.headers, &self.said, unit, of, self.now)
    }

    /// The same, or the usual one of a rate limit.
    pub(super) fn wait_or_usual(&self, unit: Option<Unit>) -> Rest {
        self.stated(unit, None)
            .unwrap_or(Rest::Unadvised(self.rate_limit))
    }
}

/// Whether an error says in its own field, or in its first words, that the key is refused.
pub(super) fn says_that_the_key_is_dead(said: &ErrorSaid<'_>) -> bool {
    const MARKS: [&str; 4] = [
        "api_key_invalid",
        "invalid_api_key",
        "wrong_api_key",
        "unauthenticated",
    ];
    const WORDS: [&str; 4] = [
        "api key not valid",
        "api key expired",
        "invalid api key",
        "incorrect api key",
    ];
    said.is_any_of(&MARKS) || WORDS.iter().any(|words| said.begins(words))
}

/// Whether the model is withdrawn, or was never there.
pub(super) fn is_gone(said: &ErrorSaid<'_>, model: &ModelId) -> bool {
    const MARKS: [&str; 7] = [
        "model_decommissioned",
        "model_not_found",
        "model_deprecated",
        "model_unavailable",
        "model_not_available",
        "discontinued_free_model",
        "not_found_model",
    ];
    const WORDS: [&str; 3] = ["no such model", "unknown model", "model not found"];
    const BEHIND: [&str; 5] = [
        "has been decommissioned",
        "has reached its end of life",
        "does not exist",
        "is not found",
        "was deprecated",
    ];
    let about = about(said, model).unwrap_or_default();
    said.is_any_of(&MARKS)
        || WORDS.iter().any(|words| said.begins(words))
        || BEHIND.iter().any(|words| about.starts_with(words))
}

/// What the model was found to lack.
fn lacks(said: &ErrorSaid<'_>, model: &ModelId) -> Option<Capability> {
    const WORDS: [(&str, Capability); 4] = [
        ("image", Capability::Images),
        ("tool use", Capability::Tools),
        ("tools", Capability::Tools),
        ("function calling", Capability::Tools),
    ];
    const WHOLE: [(&str, Capability); 2] = [
        ("image input is not supported", Capability::Images),
        ("tools param requires --jinja", Capability::Tools),
    ];
    if let Some((_, lacks)) = WHOLE.iter().find(|(words, _)| said.begins(words)) {
        return Some(*lacks);
    }
    let about = about(said, model).or_else(|| said.message.strip_prefix("this model "))?;
    let what = about.strip_prefix("does not support ")?;
    WORDS
        .into_iter()
        .find_map(|(words, lacks)| what.starts_with(words).then_some(lacks))
}

/// What the message says about the model, if it begins with its id: bare, quoted, or after `the
/// model`, `models/` or the name of Ollama's registry.
fn about<'a>(said: &'a ErrorSaid<'_>, model: &ModelId) -> Option<&'a str> {
    let quote = |c: char| matches!(c, '\'' | '"' | '`');
    let message = said.message.as_str();
    let message = message.strip_prefix("the ").unwrap_or(message);
    let message = message.strip_prefix("model ").unwrap_or(message);
    let message = message.trim_start_matches(quote);
    let message = message.strip_prefix("models/").unwrap_or(message);
    let message = message
        .strip_prefix("registry.ollama.ai/library/")
        .unwrap_or(message);
    let behind = message.strip_prefix(model.as_str().to_lowercase().as_str())?;
    behind.trim_start_matches(quote).strip_prefix(' ')
}
