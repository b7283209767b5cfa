//! The failure that led to a rest, for people who ask why.

use std::time::SystemTime;

use super::{AccountLimit, Cause, Failure, FreeRequests, Outcome, Scope};
use crate::answer::PassedAnswer;
use crate::clock::Now;
use crate::model::ModelId;

/// Which model failed, how, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// The model that was asked.
    pub model: ModelId,
    /// The log's term for it.
    pub outcome: Outcome,
    /// The upstream's status, if there was one.
    pub status: Option<u16>,
    /// What exactly went wrong.
    pub cause: Cause,
    /// When.
    pub at: SystemTime,
    /// A quota is used up, whatever the status: the account's, or one of the model's only.
    pub of_quota: bool,
    /// What the account is out of, if the account failed.
    pub out_of: Option<OutOf>,
}

/// Why an account gets no answers, and what to answer meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOf {
    /// What is used up.
    pub limit: AccountLimit,
    /// The upstream's own answer, which is repeated (out of credit).
    pub answer: Option<PassedAnswer>,
    /// The free requests of the period, if reported.
    pub free_requests: Option<FreeRequests>,
}

impl OutOf {
    /// What a failure says an account is out of; `None` if it is not an account's.
    #[must_use]
    pub fn of(failure: &Failure) -> Option<Self> {
        let limit = match failure.scope {
            Scope::Account(limit) => limit,
            Scope::Key => AccountLimit::Key,
            Scope::Request | Scope::Candidate | Scope::Model | Scope::Provider => return None,
        };
        Some(Self {
            limit,
            answer: failure.answer.as_deref().cloned(),
            free_requests: failure.free_requests,
        })
    }
}

impl Because {
    /// The part of a failure that is remembered.
    #[must_use]
    pub fn of(model: &ModelId, failure: &Failure, now: Now) -> Self {
        Self {
            model: model.clone(),
            outcome: failure.outcome,
            status: failure.status,
            cause: failure.cause,
            at: now.wall,
            of_quota: failure.outcome == Outcome::RateLimited || failure.quota.is_some(),
            out_of: OutOf::of(failure),
        }
    }

    /// What the account is out of.
    #[must_use]
    pub fn limit(&self) -> Option<AccountLimit> {
        self.out_of.as_ref().map(|out| out.limit)
    }

    /// A few words of our own: the upstream's are not stored anywhere.
    #[must_use]
    pub fn in_words(&self) -> String {
        let what = match (self.outcome, self.cause) {
            (Outcome::RateLimited, _) => "rate limited",
            (_, Cause::Status) => "an error status",
            (_, Cause::Broken) => "the connection broke",
            (_, Cause::Timeout) => "no answer in time",
            (_, Cause::Late) => "its first token was late",
            (_, Cause::Idle) => "silence in the middle of an answer",
            (_, Cause::Overrun) => "an answer that took too long",
            (_, Cause::Redirect) => "a redirect, which is not followed",
            (_, Cause::ErrorInside) => "an error inside the answer",
            (_, Cause::NotACompletion) => "an answer that is not a completion",
            (_, Cause::Silent) => "an empty answer",
            (_, Cause::NotJson) => "an answer that is not JSON",
            (_, Cause::TooLarge) => "an answer that is too large",
            (_, Cause::CutShort) => "an answer that broke off",
            (_, Cause::ShuttingDown) => "the proxy was stopping",
        };
        // A 200 is not an explanation.
        match self.status.filter(|status| *status >= 300) {
            Some(status) => format!("{what} (HTTP {status})"),
            None => what.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_a_rest_says_why_in_a_few_words() {
        #[rustfmt::skip]
        let rows = [
            (Outcome::RateLimited,   Some(429), Cause::Status,      "rate limited (HTTP 429)"),
            (Outcome::RateLimited,   Some(429), Cause::ErrorInside, "rate limited (HTTP 429)"),
            (Outcome::UpstreamError, Some(503), Cause::Status,      "an error status (HTTP 503)"),
            (Outcome::UpstreamError, Some(502), Cause::ErrorInside, "an error inside the answer (HTTP 502)"),
            (Outcome::UpstreamError, Some(200), Cause::NotJson,     "an answer that is not JSON"),
            (Outcome::UpstreamError, None,      Cause::Timeout,     "no answer in time"),
        ];
        for (outcome, status, cause, expected) in rows {
            let because = Because {
                model: ModelId::try_from("a").unwrap(),
                outcome,
                status,
                cause,
                at: SystemTime::UNIX_EPOCH,
                of_quota: outcome == Outcome::RateLimited,
                out_of: None,
            };
            assert_eq!(because.in_words(), expected);
        }
    }
}
