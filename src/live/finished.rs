//! What is kept of a request that ended. There is nowhere to put its content.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::clock::rfc3339;
use crate::model::{AccountId, ClientName, ModelId, ProviderId};
use crate::upstream::Unreachable;
use crate::verdict::{Cause, Outcome};

/// One attempt, as the log and the last requests show it.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptRecord {
    /// The model that was asked, by its public id.
    pub model: ModelId,
    /// The provider.
    pub provider: ProviderId,
    /// The account.
    pub account: AccountId,
    /// Models before it in its tier.
    pub place: Option<u32>,
    /// The session's last answer came from another candidate.
    #[serde(skip)]
    pub switches: bool,
    /// How it ended.
    #[serde(serialize_with = "outcome")]
    pub outcome: Outcome,
    /// The upstream's status, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What exactly went wrong.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "cause")]
    pub cause: Option<Cause>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Until when the model now rests.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "some_date")]
    pub cooldown_until: Option<SystemTime>,
}

/// How a request ended, for the charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// A good answer.
    Answered,
    /// An error came in the middle of the stream.
    Broken,
    /// A 5xx, the 402 of an account that is out of credit, or a refusal by every model for which
    /// the request is not to blame.
    Failed,
    /// A 4xx, and the request was at fault.
    ClientError,
    /// The client left.
    ClientLeft,
}

impl RequestOutcome {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Answered,
        Self::Broken,
        Self::Failed,
        Self::ClientError,
        Self::ClientLeft,
    ];

    /// The outcome for a status; `broken` if an error followed a status that had been sent,
    /// `refused` if it is an upstream refusal for which the request is not to blame.
    #[must_use]
    pub fn of(status: u16, broken: bool, refused: bool) -> Self {
        match status {
            _ if broken => Self::Broken,
            499 => Self::ClientLeft,
            402 | 500.. => Self::Failed,
            400.. if refused => Self::Failed,
            400.. => Self::ClientError,
            _ => Self::Answered,
        }
    }

    /// As spelt in the state.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Broken => "broken",
            Self::Failed => "failed",
            Self::ClientError => "client_error",
            Self::ClientLeft => "client_left",
        }
    }
}

/// A request that ended.
#[derive(Clone, Debug, Serialize)]
pub struct Finished {
    /// The log's.
    pub request_id: String,
    /// Whose it was.
    pub client: ClientName,
    /// When it ended.
    #[serde(serialize_with = "date")]
    pub at: SystemTime,
    /// How it ended.
    #[serde(serialize_with = "request_outcome")]
    pub outcome: RequestOutcome,
    /// The status that the client got.
    pub status: u16,
    /// The code of the error, if it ended in one of ours.
    pub code: Option<Cow<'static, str>>,
    /// The model that answered, or had begun to.
    pub chosen_model: Option<ModelId>,
    /// A stream was asked for.
    pub stream: bool,
    /// From the request's head to the end of its answer, in milliseconds.
    pub duration_ms: u64,
    /// From there to the first useful event of a stream, in milliseconds.
    pub ttft_ms: Option<u64>,
    /// The length of the answer, if it reported its usage.
    pub completion_tokens: Option<u64>,
    /// Events that went to the client.
    pub chunks_emitted: u64,
    /// It had tools.
    pub had_tools: bool,
    /// It had a `response_format`.
    pub had_response_format: bool,
    /// Why the upstream could not be reached, if that ended the request.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "unreachable_cause"
    )]
    pub unreachable: Option<Unreachable>,
    /// How many attempts were made.
    pub attempt_count: usize,
    /// The last of them, in order.
    pub attempts: Vec<AttemptRecord>,
}

fn outcome<S: Serializer>(outcome: &Outcome, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(outcome.as_str())
}

fn request_outcome<S: Serializer>(outcome: &RequestOutcome, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(outcome.as_str())
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn cause<S: Serializer>(cause: &Option<Cause>, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(cause.map_or("", Cause::as_str))
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn unreachable_cause<S: Serializer>(why: &Option<Unreachable>, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(why.map_or("", Unreachable::as_str))
}

fn date<S: Serializer>(at: &SystemTime, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&rfc3339(*at))
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn some_date<S: Serializer>(at: &Option<SystemTime>, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&at.map(rfc3339).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_a_request_ends_in_one_of_five_ways() {
        use RequestOutcome::{Answered, Broken, ClientError, ClientLeft, Failed};
        #[rustfmt::skip]
        let rows = [
            // status, broken, refused
            (200, false, false, Answered),
            (200, true,  false, Broken),
            (400, false, false, ClientError),
            (404, false, false, ClientError),
            (404, false, true,  Failed),
            (402, false, false, Failed),
            (499, false, false, ClientLeft),
            (499, false, true,  ClientLeft),
            (500, false, false, Failed),
            (503, false, true,  Failed),
        ];
        for (status, broken, refused, expected) in rows {
            let outcome = RequestOutcome::of(status, broken, refused);
            assert_eq!(outcome, expected, "{status}");
        }
    }
}
