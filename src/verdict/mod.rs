//! The result of an attempt: the vocabulary that log, metrics and rests share. Pure.

mod because;

use std::time::{Duration, Instant, SystemTime};

pub use because::{Because, OutOf};
use serde::{Deserialize, Serialize};

use crate::answer::{AnswerHead, PassedAnswer};
use crate::ledger::Stated;
use crate::model::Capability;
use crate::redact::Redacted;
use crate::request::{FieldName, Routing};

/// How an attempt ended, as log lines and metrics spell it (spec §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The model answered.
    Success,
    /// 429.
    RateLimited,
    /// The upstream refused our key.
    UpstreamAuthError,
    /// The client's request is at fault.
    ClientError,
    /// The client left during the attempt.
    ClientDisconnected,
    /// Every other failure.
    UpstreamError,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::RateLimited,
        Self::UpstreamAuthError,
        Self::ClientError,
        Self::ClientDisconnected,
        Self::UpstreamError,
    ];

    /// The spelling dashboards depend on.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::RateLimited => "rate_limited",
            Self::UpstreamAuthError => "upstream_auth_error",
            Self::ClientError => "client_error",
            Self::ClientDisconnected => "client_disconnected",
            Self::UpstreamError => "upstream_error",
        }
    }
}

/// What a failure concerns, which decides what happens next (spec §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every model would say the same: the client gets the answer unchanged.
    Request,
    /// This offer through this account; the same model elsewhere, or through another account, may
    /// succeed.
    Candidate,
    /// The model through every account of its provider.
    Model,
    /// No free model of this account will answer.
    Account(AccountLimit),
    /// Its key is refused: the operator must act.
    Key,
    /// The provider, for all accounts (a region it does not serve).
    Provider,
}

/// Why a whole account gets no answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountLimit {
    /// The free requests of the minute are used up.
    Minute,
    /// The free requests of the day are used up.
    Day,
    /// Another quota of the account is used up: the hour's, the week's, the month's, or one with an
    /// unknown window.
    Quota,
    /// There is no credit left, which blocks free models too.
    Credit,
    /// Its key is refused.
    Key,
}

impl AccountLimit {
    /// As logs, metrics and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Day => "day",
            Self::Quota => "quota",
            Self::Credit => "credit",
            Self::Key => "key",
        }
    }
}

/// What a refusal teaches about the model beyond this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// It cannot do this, whatever the lists say; remembered until the next list.
    Lacks(Capability),
    /// The prompt is too long for it: only models with a larger context are tried next.
    TooLong {
        /// The window that the answer names, in tokens.
        window: Option<u64>,
    },
    /// It may refuse this field, whose name the answer says is unknown: a request without it will
    /// show (spec §10.6).
    Refuses(FieldName),
    /// The request alone exceeds a limit on tokens. Its context window is another matter: any other
    /// offer may accept the request.
    OverLimit,
}

/// The free requests of the period, as reported by the upstream in a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FreeRequests {
    /// How many there are.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// When they are back, where that is reported beside them.
    pub resets_at: Option<SystemTime>,
}

/// How long to leave a model alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Not at all.
    None,
    /// For this long.
    For(Duration),
    /// Nothing said how long: no longer than this, which is how long it is by the ranking's order.
    Unadvised(Duration),
    /// The same, where rests grow (spec §11.2).
    Growing {
        /// How long at first.
        first: Duration,
        /// How long at the most.
        ceiling: Duration,
        /// When the attempt began that failed.
        began: Instant,
    },
    /// Until a date, which holds across a suspend (spec §4.3).
    Until(SystemTime),
    /// Until the list is read again.
    UntilNextList,
    /// Twice as long as the last time, if that did not help.
    Doubling {
        /// How long at first.
        first: Duration,
        /// The maximum.
        most: Duration,
    },
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The term in log and metric.
    pub outcome: Outcome,
    /// What it concerns.
    pub scope: Scope,
    /// How long to leave the model (or the account) alone.
    pub rest: Rest,
    /// The upstream's HTTP status, or the one that an error inside a 200 means.
    pub status: Option<u16>,
    /// What exactly went wrong, for the operator.
    pub cause: Cause,
    /// What it teaches about the model.
    pub lesson: Option<Lesson>,
    /// The request's own routing may have caused it: it says nothing about anything else (spec
    /// §4.5).
    pub owed: bool,
    /// What it says about the account's free requests.
    pub free_requests: Option<FreeRequests>,
    /// The quota that it names, for the ledger.
    pub quota: Option<Box<Stated>>,
    /// The upstream's own answer, if the client may get it.
    pub answer: Option<Box<PassedAnswer>>,
}

impl Failure {
    /// The same for a request that interferes with routing: that may be the cause of any failure.
    #[must_use]
    pub fn owed_to(self, routing: Routing) -> Self {
        if routing < Routing::Steers || !matches!(self.scope, Scope::Model | Scope::Candidate) {
            return self;
        }
        Self {
            rest: Rest::None,
            owed: true,
            ..self
        }
    }

    /// The verdict on an answer of the legacy endpoint, which says little about the model: it, or
    /// its provider, may only offer chat. If the endpoint does not exist, no other model there would
    /// change that, but another provider may; and nothing rests that may serve chat well.
    #[must_use]
    pub fn at_the_legacy_endpoint(self) -> Self {
        let of_the_model = self.owed || matches!(self.rest, Rest::None | Rest::UntilNextList);
        let (Scope::Model | Scope::Candidate, Some(status), false) =
            (self.scope, self.status, of_the_model)
        else {
            return self;
        };
        match status {
            404 | 501 if self.cause == Cause::Status => {}
            // It was asked too often, is overloaded or too slow, whatever the request.
            408 | 429 | 503 => return self,
            _ => {
                return Self {
                    rest: Rest::None,
                    owed: true,
                    ..self
                };
            }
        }
        Self {
            rest: Rest::None,
            lesson: Some(Lesson::Lacks(Capability::Completions)),
            owed: true,
            answer: Some(Box::new(no_legacy_endpoint())),
            ..self
        }
    }
}

/// The answer where no provider has legacy completions.
#[must_use]
pub fn no_legacy_endpoint() -> PassedAnswer {
    const BODY: &[u8] = br#"{"error":{"message":"The upstream does not offer legacy completions. Use /v1/chat/completions.","type":"invalid_request_error","param":null,"code":"not_available"}}"#;
    PassedAnswer {
        status: 404,
        head: AnswerHead::default(),
        body: Redacted::ours(BODY),
        retry_after: None,
    }
}

/// What exactly went wrong with an attempt. A term for the log; the client never sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The status says it all.
    Status,
    /// The connection broke before the answer was complete.
    Broken,
    /// No useful event, or no head of a plain answer, in time.
    Timeout,
    /// Its first token was late for this model, while another could be asked (spec §11.3).
    Late,
    /// Silence within an answer.
    Idle,
    /// A plain answer that was still arriving when its total time was over.
    Overrun,
    /// A redirect, which is never followed.
    Redirect,
    /// An error inside a 200.
    ErrorInside,
    /// A 200 that is not a completion.
    NotACompletion,
    /// An event or an answer that is not JSON.
    NotJson,
    /// An event, an answer or what is held back is larger than its limit.
    TooLarge,
    /// The model stopped at once and said nothing.
    Silent,
    /// A stream that ended without a finish reason and without `[DONE]`.
    CutShort,
    /// The proxy had to stop before the answer was complete.
    ShuttingDown,
}

impl Cause {
    /// The log's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Broken => "broken",
            Self::Timeout => "timeout",
            Self::Late => "late",
            Self::Idle => "idle",
            Self::Overrun => "overrun",
            Self::Redirect => "redirect",
            Self::ErrorInside => "error_inside",
            Self::NotACompletion => "not_a_completion",
            Self::NotJson => "not_json",
            Self::TooLarge => "too_large",
            Self::Silent => "empty_answer",
            Self::CutShort => "cut_short",
            Self::ShuttingDown => "shutting_down",
        }
    }
}
