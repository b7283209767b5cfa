//! Whose fault a failed answer is, and how long to leave the model alone (spec §4.2, §9.2).
//!
//! Pure: status, headers, body and `now` go in, a [`Failure`] comes out. The status is what
//! counts where the body says nothing more; where the body names the cause, the body wins.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::error_body::{ErrorBody, Named};
use super::retry_after::asked;
use crate::answer;
use crate::clock::Now;
use crate::model::{Capability, ModelId};
use crate::redact::Secret;
use crate::request::Routing;
use crate::verdict::{AccountLimit, Cause, Failure, Lesson, Outcome, Rest, Scope};

/// What the verdicts depend on beside the answer itself.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `RATE_LIMIT_COOLDOWN_SEC`: for a 429 or 402 that names no wait.
    pub rate_limit_cooldown: Duration,
    /// `GENERIC_ERROR_COOLDOWN_SEC`: for every other failure of a model.
    pub generic_error_cooldown: Duration,
    /// The key that must not come down, whatever the upstream echoes.
    pub upstream_key: Secret,
}

/// A model that serves only coding agents does so for months.
const HARNESS_REST: Duration = Duration::from_secs(6 * 3600);

/// A refused key: how long it is left alone at first, and at the most (spec §10.4).
const KEY_REST: Rest = Rest::Doubling {
    first: Duration::from_secs(60),
    most: Duration::from_secs(3600),
};

/// Whom an attempt asked, and what of that may be behind its failure.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The model.
    pub model: &'a ModelId,
    /// How far the request goes into who serves it.
    pub routing: Routing,
}

/// Scope, rest and lesson: what a row of the tables decides.
struct Row {
    scope: Scope,
    rest: Rest,
    lesson: Option<Lesson>,
}

impl Row {
    fn model(rest: Rest) -> Self {
        Self {
            scope: Scope::Model,
            rest,
            lesson: None,
        }
    }

    fn lacks(capability: Capability) -> Self {
        Self {
            lesson: Some(Lesson::Lacks(capability)),
            ..Self::model(Rest::None)
        }
    }

    fn beyond_the_model(scope: Scope) -> Self {
        Self {
            scope,
            rest: Rest::None,
            lesson: None,
        }
    }

    /// Whether an answer with this status may be owed to the request's own routing. The quota is
    /// the account's whatever a request asks for, and a 401 the key's.
    fn may_be_owed(&self, status: u16, routing: Routing) -> bool {
        let of_the_upstream = match self.scope {
            Scope::Model | Scope::Candidate | Scope::Account(AccountLimit::Credit) => true,
            Scope::Key => status == 403,
            Scope::Request | Scope::Account(_) | Scope::Provider => false,
        };
        of_the_upstream
            && match routing {
                Routing::Ours => false,
                Routing::Asks => matches!(status, 503 | 400..=407 | 409..=428 | 430..=499),
                Routing::Steers => true,
            }
    }

    /// What is left of it then: this request goes on to the next model, and no other is touched.
    fn owed(self) -> Self {
        Self {
            scope: Scope::Model,
            rest: Rest::None,
            lesson: self.lesson.filter(|lesson| *lesson == Lesson::TooLong),
        }
    }
}

impl Rules {
    /// The verdict on an answer that is an error by its status, or by an error inside a 200 that
    /// stands for `status`. `now` is when its head arrived.
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
        let read = ErrorBody::read(body);
        let asked = || asked(headers, read.error, now);
        let row = self.row(whom.model, status, &read, asked);
        let owed = row.may_be_owed(status, whom.routing);
        let Row {
            scope,
            rest,
            lesson,
        } = if owed { row.owed() } else { row };
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
        // A model that needs no rest refused this request, not every request: if all others do
        // so too, the client gets to read why.
        let refused = status < 500 && scope == Scope::Model && rest == Rest::None;
        let for_the_client = owed
            || refused
            || matches!(scope, Scope::Request | Scope::Account(AccountLimit::Credit));
        let answer =
            for_the_client.then(|| answer::pass(status, headers, body, &self.upstream_key));
        let free_requests = read.free_requests(headers);
        Failure {
            outcome,
            scope,
            rest,
            status: Some(status),
            cause,
            lesson,
            owed,
            free_requests,
            answer,
        }
    }

    fn row(
        &self,
        model: &ModelId,
        status: u16,
        body: &ErrorBody<'_>,
        asked: impl Fn() -> Option<Rest>,
    ) -> Row {
        let generic = Rest::For(self.generic_error_cooldown);
        let rate_limit = Rest::For(self.rate_limit_cooldown);
        let account = |limit| Row {
            scope: Scope::Account(limit),
            rest: asked().unwrap_or(rate_limit),
            lesson: None,
        };
        let key = |rest| Row {
            scope: Scope::Key,
            rest,
            lesson: None,
        };
        match (status, body.named(model)) {
            (429, Some(Named::FreeMinute)) => account(AccountLimit::Minute),
            (429, Some(Named::FreeDay)) => account(AccountLimit::Day),
            (429, _) => Row::model(asked().unwrap_or(rate_limit)),
            (402, _) => account(AccountLimit::Credit),
            (401, _) => key(KEY_REST),
            (400..=499, Some(Named::Request)) => Row::beyond_the_model(Scope::Request),
            (408, _) => Row::model(generic),
            (400 | 403 | 404, Some(Named::Gone)) => Row::model(Rest::UntilNextList),
            (400 | 404, Some(Named::Lacks(capability))) => Row::lacks(capability),
            (400 | 404 | 413 | 422, Some(Named::TooLong)) => Row {
                lesson: Some(Lesson::TooLong),
                ..Row::model(Rest::None)
            },
            (403, Some(Named::Harness)) => Row::model(Rest::For(HARNESS_REST)),
            (404, Some(Named::Provider)) => Row::model(generic),
            (400..=499, Some(Named::Provider)) => Row::model(Rest::None),
            (400 | 403 | 404, Some(Named::OtherModelMayDo)) => Row::model(Rest::None),
            // The page of an edge before the upstream says nothing of the key: some prompts are
            // enough for one.
            (403, _) if body.error.is_none() => key(Rest::None),
            (403, _) => key(KEY_REST),
            (404, _) => Row::model(generic),
            (400..=499, _) => Row::beyond_the_model(Scope::Request),
            (503, _) => Row::model(asked().unwrap_or(generic)),
            _ => Row::model(generic),
        }
    }

    /// The verdict on an attempt that brought no readable answer: the model's failure.
    #[must_use]
    pub fn broken(&self, status: Option<u16>, cause: Cause) -> Failure {
        Failure {
            outcome: Outcome::UpstreamError,
            scope: Scope::Model,
            rest: Rest::For(self.generic_error_cooldown),
            status,
            cause,
            lesson: None,
            owed: false,
            free_requests: None,
            answer: None,
        }
    }
}

#[cfg(test)]
mod tests;
