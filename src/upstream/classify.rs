//! Whose fault a failed answer is, and how long to leave the model alone (spec §4.2, §9.1).
//!
//! Pure: status, headers, body and `now` go in, a [`Failure`] comes out.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::RETRY_AFTER;

use super::passed;
use super::retry_after::asked;
use super::verdict::{Cause, Failure, Outcome, Rest, Scope};
use crate::clock::Now;
use crate::config::Secret;
use crate::json::{self, Raw};

/// What the verdicts depend on beside the answer itself.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `RATE_LIMIT_COOLDOWN_SEC`: for a 429 that names no wait.
    pub rate_limit_cooldown: Duration,
    /// `GENERIC_ERROR_COOLDOWN_SEC`: for every other failure of a model.
    pub generic_error_cooldown: Duration,
    /// The key that must not come down, whatever the upstream echoes.
    pub upstream_key: Secret,
}

impl Rules {
    /// The verdict on an answer that is an error by its status, or by an error inside a 200
    /// that stands for `status`.
    #[must_use]
    pub fn classify(
        &self,
        status: u16,
        headers: &HeaderMap,
        body: &Bytes,
        cause: Cause,
        now: Now,
    ) -> Failure {
        let error = Raw::parse(body, json::MAX_DEPTH)
            .ok()
            .and_then(|body| body.get("error"));
        let asked = || asked(headers, error, now);
        let generic = Rest::For(self.generic_error_cooldown);
        let (outcome, scope, rest) = match status {
            429 => (
                Outcome::RateLimited,
                Scope::Model,
                asked().unwrap_or(Rest::For(self.rate_limit_cooldown)),
            ),
            503 => (
                Outcome::UpstreamError,
                Scope::Model,
                asked().unwrap_or(generic),
            ),
            401 | 403 => (Outcome::UpstreamAuthError, Scope::Key, Rest::None),
            400..=499 => (Outcome::ClientError, Scope::Request, Rest::None),
            _ => (Outcome::UpstreamError, Scope::Model, generic),
        };
        let answer = (scope == Scope::Request)
            .then(|| passed::answer(status, body, headers.get(RETRY_AFTER), &self.upstream_key));
        Failure {
            outcome,
            scope,
            rest,
            status: Some(status),
            cause,
            answer,
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
            answer: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use super::*;

    fn rules() -> Rules {
        Rules {
            rate_limit_cooldown: Duration::from_secs(300),
            generic_error_cooldown: Duration::from_secs(60),
            upstream_key: Secret::new("sk-or-v1-0123456789"),
        }
    }

    #[test]
    fn s4_2_the_status_decides_outcome_scope_and_rest() {
        use Outcome::{ClientError, RateLimited, UpstreamAuthError, UpstreamError};
        use Scope::{Key, Model, Request};
        let now = Now {
            steady: Instant::now(),
            wall: SystemTime::UNIX_EPOCH,
        };
        let rest = |n| Rest::For(Duration::from_secs(n));
        #[rustfmt::skip]
        let rows = [
            // status  Retry-After  outcome            scope    rest
            (429,      None,        RateLimited,       Model,   rest(300)),
            (429,      Some("7"),   RateLimited,       Model,   rest(7)),
            (503,      None,        UpstreamError,     Model,   rest(60)),
            (503,      Some("7"),   UpstreamError,     Model,   rest(7)),
            (500,      None,        UpstreamError,     Model,   rest(60)),
            (500,      Some("7"),   UpstreamError,     Model,   rest(60)),
            (502,      None,        UpstreamError,     Model,   rest(60)),
            (504,      None,        UpstreamError,     Model,   rest(60)),
            (524,      None,        UpstreamError,     Model,   rest(60)),
            (529,      None,        UpstreamError,     Model,   rest(60)),
            (302,      None,        UpstreamError,     Model,   rest(60)),
            (401,      None,        UpstreamAuthError, Key,     Rest::None),
            (403,      None,        UpstreamAuthError, Key,     Rest::None),
            (400,      None,        ClientError,       Request, Rest::None),
            (413,      None,        ClientError,       Request, Rest::None),
            (422,      Some("7"),   ClientError,       Request, Rest::None),
        ];
        for (status, retry_after, outcome, scope, rest) in rows {
            let headers = retry_after
                .map(|v| (RETRY_AFTER, v.parse().unwrap()))
                .into_iter()
                .collect();
            let failure = rules().classify(
                status,
                &headers,
                &Bytes::from_static(b"{}"),
                Cause::Status,
                now,
            );
            assert_eq!(
                (failure.outcome, failure.scope, failure.rest),
                (outcome, scope, rest),
                "{status}"
            );
            assert_eq!(failure.status, Some(status));
            assert_eq!(failure.answer.is_some(), scope == Request);
        }
    }
}
