//! Whose fault a failed answer is, and how long to leave what alone (spec §4.2, §4.5, §10.4).
//!
//! Pure: status, headers, body and `now` go in, a [`Failure`] comes out. The status counts if the
//! body says nothing more; if the body names the cause, the body wins. First the provider's rows
//! are consulted, then OpenRouter's own wording where it applies, then the rules common to all
//! others.

use std::cell::OnceCell;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::case::Case;
use super::inside;
use super::openrouter::{ErrorBody, Usual};
use super::row::Provider;
use super::ruling::Ruling;
use super::said::ErrorSaid;
use crate::answer::{self, UpstreamError};
use crate::clock::Now;
use crate::model::ModelId;
use crate::redact::{Redactor, Secret};
use crate::request::Routing;
use crate::verdict::{AccountLimit, Cause, Failure, FreeRequests, Outcome, Rest, Scope};

/// What the verdicts depend on besides the answer itself.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `RATE_LIMIT_COOLDOWN_SEC`: for a 429 or 402 that gives no wait.
    pub rate_limit_cooldown: Duration,
    /// `GENERIC_ERROR_COOLDOWN_SEC`: for every other failure of a model.
    pub generic_error_cooldown: Duration,
    /// Removes what must never be in an error or a header, whatever an upstream echoes.
    pub redactor: Redactor,
}

/// The target of an attempt, and what about the request may explain its failure.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// The account's key, if it has one: it identifies a relay of OpenRouter (spec §10.7).
    pub key: Option<&'a Secret>,
    /// The model, by its id there.
    pub model: &'a ModelId,
    /// How far the request influences what serves it.
    pub routing: Routing,
}

/// An error answer, or an error inside a 200 with the status that it means.
#[derive(Clone, Copy)]
struct ErrorAnswer<'a> {
    status: u16,
    headers: &'a HeaderMap,
    body: &'a Bytes,
}

impl Rules {
    /// The verdict on an answer that is an error by its status, or by an error inside a 200 that
    /// means `status`. `now` is when its head arrived.
    #[must_use]
    pub fn classify(
        &self,
        whom: Asked<'_>,
        status: u16,
        headers: &HeaderMap,
        body: &Bytes,
        cause: Cause,
        now: Now,
    ) -> Failure {
        let answer = ErrorAnswer {
            status,
            headers,
            body,
        };
        let (ruling, free_requests) = self.ruling(whom, answer, now);
        let owed = ruling.may_be_owed(status, whom.routing);
        let Ruling {
            scope,
            rest,
            lesson,
            quota,
        } = if owed { ruling.owed() } else { ruling };
        let outcome = match scope {
            Scope::Key => Outcome::UpstreamAuthError,
            Scope::Request => Outcome::ClientError,
            Scope::Model | Scope::Candidate | Scope::Account(_) | Scope::Provider
                if status == 429 =>
            {
                Outcome::RateLimited
            }
            Scope::Model | Scope::Candidate | Scope::Account(_) | Scope::Provider => {
                Outcome::UpstreamError
            }
        };
        // A model that needs no rest refused this request, not every request: if all others do so
        // too, the client gets to read why.
        let refused =
            status < 500 && matches!(scope, Scope::Model | Scope::Candidate) && rest == Rest::None;
        let for_the_client = owed
            || refused
            || matches!(scope, Scope::Request | Scope::Account(AccountLimit::Credit));
        let pass = || Box::new(answer::pass(status, headers, body, &self.redactor));
        let answer = for_the_client.then(pass);
        Failure {
            outcome,
            scope,
            rest,
            status: Some(status),
            cause,
            lesson,
            owed,
            free_requests,
            quota: quota.map(Box::new),
            answer,
        }
    }

    /// The verdict on an error inside a 200: as for the status that it means, or a broken answer if
    /// that is unknown.
    #[must_use]
    pub fn error_inside(
        &self,
        whom: Asked<'_>,
        error: &UpstreamError,
        headers: &HeaderMap,
        body: &Bytes,
        now: Now,
    ) -> Failure {
        let body = error.body.as_ref().unwrap_or(body);
        let status = if whom.provider.speaks_openrouter(whom.key) {
            error.status
        } else {
            inside::status(whom.provider, whom.model, &ErrorSaid::read(body))
        };
        match status {
            Some(status) => self.classify(whom, status, headers, body, Cause::ErrorInside, now),
            None => self.broken(Some(200), Cause::ErrorInside),
        }
    }

    fn ruling(
        &self,
        whom: Asked<'_>,
        answer: ErrorAnswer<'_>,
        now: Now,
    ) -> (Ruling, Option<FreeRequests>) {
        let ErrorAnswer {
            status,
            headers,
            body,
        } = answer;
        let case = || Case {
            provider: whom.provider,
            model: whom.model,
            status,
            headers,
            said: ErrorSaid::read(body),
            now,
            rate_limit: self.rate_limit_cooldown,
            generic: self.generic_error_cooldown,
            quota: OnceCell::new(),
        };
        if !whom.provider.speaks_openrouter(whom.key) {
            return (case().ruling(), None);
        }
        let read = ErrorBody::read(body);
        let taught = (!whom.provider.errors.is_empty())
            .then(|| case().ruling_by_row())
            .flatten();
        let usual = Usual {
            rate_limit: self.rate_limit_cooldown,
            generic: self.generic_error_cooldown,
            headers,
            now,
        };
        let ruling = taught.unwrap_or_else(|| read.ruling(whom.model, status, &usual));
        let free_requests = read.free_requests(headers, now);
        (ruling.of_free_requests(free_requests, now), free_requests)
    }

    /// The verdict on an attempt without a readable answer: the model's failure.
    #[must_use]
    pub fn broken(&self, status: Option<u16>, cause: Cause) -> Failure {
        Failure {
            outcome: Outcome::UpstreamError,
            scope: Scope::Model,
            rest: Rest::Unadvised(self.generic_error_cooldown),
            status,
            cause,
            lesson: None,
            owed: false,
            free_requests: None,
            quota: None,
            answer: None,
        }
    }
}

#[cfg(test)]
mod tests;
