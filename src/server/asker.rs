//! How the client at hand is sent an error (spec §3, long waits): in the error's own form, or in
//! the one that makes that client show it, where a retry would only keep a person waiting in
//! silence.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::App;
use super::error::{ProxyError, SHOULD_RETRY};
use super::reply::ReplyBody;
use super::view::retry_after;
use crate::answer::PassedAnswer;
use crate::attempt::{Refusal, Rendering};
use crate::clients::{self, Frame, Known, Own};
use crate::json::{self, Raw};
use crate::surface::{Surface, sentence};

/// The client that asks for a completion, as far as it affects the form of an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker(Option<&'static Known>);

impl Asker {
    pub(super) fn of(surface: Surface, headers: &HeaderMap) -> Self {
        let agent = headers.get(USER_AGENT).and_then(|v| v.to_str().ok());
        Self(clients::known(surface, agent.unwrap_or_default()))
    }
}

/// When what is missing becomes available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returns {
    /// At once, or nothing is missing: the request is at fault.
    Now,
    /// In this many seconds.
    In(u64),
    /// Once a person has done something.
    WhenMended,
}

impl App {
    /// An error before the first byte.
    pub(super) fn refuse(&self, asker: Asker, error: &ProxyError) -> Response<ReplyBody> {
        let mut response = error.response();
        if !self.is_long(error) {
            return response;
        }
        // The SDKs obey it, so that the person sees the error now.
        let headers = response.headers_mut();
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        let body = error.body();
        let own = Own {
            status: error.status(),
            body: &String::from_utf8_lossy(&body),
            message: &message(&body),
        };
        let retold = asker.0.and_then(|client| client.retold(&own));
        let Some(retold) = retold else {
            return response;
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(status) = StatusCode::from_u16(retold.status) {
            *response.status_mut() = status;
        }
        response.map(|_| ReplyBody::full(retold.body))
    }

    /// An error in a stream that has been waiting aloud.
    pub(super) fn refuse_in_stream(
        &self,
        asker: Asker,
        error: &ProxyError,
        rendering: &mut Rendering,
    ) -> Bytes {
        let body = error.body();
        match asker.0.filter(|_| self.is_long(error)) {
            Some(client) => {
                rendering.failed_as(client.body(&message(&body)).as_bytes(), client.frame)
            }
            None => rendering.failed_as(&body, Frame::Plain),
        }
    }

    fn is_long(&self, error: &ProxyError) -> bool {
        match returns(error, self.registry.first_list_failed()) {
            Returns::Now => false,
            Returns::In(seconds) => self
                .long_wait
                .is_some_and(|limit| seconds > limit.as_secs()),
            Returns::WhenMended => true,
        }
    }
}

/// `unlisted`: there is no list, and reading one has failed.
fn returns(error: &ProxyError, unlisted: bool) -> Returns {
    match error {
        ProxyError::MissingKey | ProxyError::InvalidKey | ProxyError::AdminsOnly => {
            Returns::WhenMended
        }
        ProxyError::ClientLimited(over) => Returns::In(retry_after(over)),
        ProxyError::Refused { refusal, .. } => match refusal {
            Refusal::UpstreamAuth { .. } | Refusal::NotAllowed => Returns::WhenMended,
            Refusal::Unreachable { why, .. } if why.is_settled() => Returns::WhenMended,
            Refusal::Unreachable { .. } => Returns::In(1),
            Refusal::Passed(answer) if answer.status == 402 => credit_returns(answer),
            Refusal::AllUnavailable { retry_after, .. }
            | Refusal::AccountLimited { retry_after, .. }
            | Refusal::ShareUsed { retry_after } => Returns::In(*retry_after),
            Refusal::NotReady if unlisted => Returns::WhenMended,
            Refusal::NotReady
            | Refusal::Passed(_)
            | Refusal::ModelNotFound
            | Refusal::NoCapableModel { .. } => Returns::Now,
        },
        ProxyError::Malformed(_)
        | ProxyError::Invalid(_)
        | ProxyError::NotFound
        | ProxyError::ModelNotFound
        | ProxyError::MethodNotAllowed { .. }
        | ProxyError::RequestTimeout
        | ProxyError::TooLarge { .. }
        | ProxyError::ClientGone
        | ProxyError::ShuttingDown
        | ProxyError::RefreshFailed(_)
        | ProxyError::TooManyListeners
        | ProxyError::UnknownCoding(_)
        | ProxyError::NoWebSocket
        | ProxyError::Loop
        | ProxyError::TooManyConnections
        | ProxyError::Internal => Returns::Now,
    }
}

/// Being out of credit takes a person to fix; too many requests in flight gives a time when it is
/// over.
fn credit_returns(answer: &PassedAnswer) -> Returns {
    let told = Raw::parse(answer.body.bytes(), json::MAX_DEPTH).ok();
    let metadata = told.and_then(|told| told.get("error")?.get("metadata"));
    let names_it = metadata.is_some_and(|metadata| metadata.get("retry_after_seconds").is_some());
    let seconds = answer
        .retry_after
        .as_ref()
        .and_then(|v| v.to_str().ok()?.parse().ok());
    match seconds {
        Some(seconds) if names_it => Returns::In(seconds),
        _ => Returns::WhenMended,
    }
}

/// The message in an error's body, ours or the upstream's.
fn message(body: &[u8]) -> String {
    let error = Raw::parse(body, json::MAX_DEPTH)
        .ok()
        .and_then(|body| body.get("error"));
    error
        .and_then(sentence)
        .unwrap_or_else(|| "The request failed.".to_owned())
}
