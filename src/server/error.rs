//! Every error the proxy gives, in OpenAI's one shape (spec §3).
//!
//! Making a response logs nothing: what the operator needs to know is in the request record.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::accounts::Facts;
use super::reply::{self, ReplyBody};
use super::view::{INVALID, SERVER, View, retry_after};
use crate::attempt::{Refusal, Tried};
use crate::clock::rfc3339;
use crate::ledger::Over;
use crate::request::{Coding, UnknownCoding};
use crate::surface::{Invalid, Surface};

/// An answer that is an error of our own, or one of the upstream's that is passed on.
#[derive(Clone, Debug)]
pub(super) enum ProxyError {
    MissingKey,
    InvalidKey,
    /// The key is not an admin's.
    AdminsOnly,
    /// The client has used up one of its own limits.
    ClientLimited(Over),
    /// Bytes that are not an HTTP request; the status is the one hyper chose.
    Malformed(StatusCode),
    Invalid(Invalid),
    NotFound,
    ModelNotFound,
    MethodNotAllowed {
        allow: &'static str,
    },
    RequestTimeout,
    TooLarge {
        limit: usize,
    },
    /// A body with an unsupported encoding.
    UnknownCoding(UnknownCoding),
    /// A WebSocket was requested.
    NoWebSocket,
    /// The request comes from a proxy like this one, perhaps from this very one.
    Loop,
    /// The maximum number of connections is open, and none is idle.
    TooManyConnections,
    /// The client left while sending its body; no one will read this.
    ClientGone,
    ShuttingDown,
    RefreshFailed(String),
    /// `/admin/events` has the maximum number of listeners.
    TooManyListeners,
    Internal,
    Refused {
        refusal: Refusal,
        /// The account whose key is refused, if that is the reason.
        whose: Option<Arc<Facts>>,
    },
}

/// OpenAI's and Anthropic's SDKs obey it. Without it Claude Code retries ten times with a wrong
/// key, and all of them do when the upstream's key is wrong.
pub(super) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

impl ProxyError {
    fn view(&self) -> View {
        match self {
            Self::MissingKey => View::new(
                401,
                "missing_api_key",
                "authentication_error",
                "No API key. Send it as \"Authorization: Bearer <PROXY_API_KEY>\" or \"x-api-key: <PROXY_API_KEY>\".",
            ),
            Self::InvalidKey => View::new(
                401,
                "invalid_api_key",
                "authentication_error",
                "The API key is not in this proxy's PROXY_API_KEY.",
            ),
            Self::AdminsOnly => View::not_allowed(
                "This key may not see the page or use /admin/*: its client has no admin in the proxy's CONFIG_FILE.",
            ),
            Self::ClientLimited(over) => View::client_limited(over),
            Self::Malformed(status) => View::new(
                status.as_u16(),
                "invalid_request",
                INVALID,
                malformed(*status),
            ),
            Self::Invalid(invalid) => {
                let message = format!("Invalid request: {invalid}.");
                View {
                    param: invalid.param().map(str::to_owned),
                    ..View::new(400, invalid.code(), INVALID, message)
                }
            }
            Self::NotFound => View::new(
                404,
                "not_found",
                INVALID,
                "There is nothing here. Completions are at /v1/chat/completions.",
            ),
            Self::ModelNotFound => View::model_not_found(),
            Self::MethodNotAllowed { allow } => View::new(
                405,
                "method_not_allowed",
                INVALID,
                format!("This route takes {allow}."),
            ),
            Self::RequestTimeout => View::new(
                408,
                "request_timeout",
                INVALID,
                "The request did not arrive in time.",
            ),
            Self::TooLarge { limit } => View::new(
                413,
                "request_too_large",
                INVALID,
                format!("The body is larger than {limit} bytes (MAX_BODY_BYTES)."),
            ),
            Self::UnknownCoding(UnknownCoding(named)) => View::new(
                415,
                "unsupported_encoding",
                INVALID,
                format!(
                    "The body's Content-Encoding \"{named}\" is not supported. Use one of {}, or none.",
                    Coding::ALL
                ),
            ),
            Self::NoWebSocket => View::new(
                426,
                "upgrade_required",
                INVALID,
                "This proxy does not support WebSocket. POST here, with \"stream\": true for events.",
            ),
            Self::Loop => View::new(
                508,
                "loop_detected",
                SERVER,
                "The request comes from a free-llm-proxy. Requests from another one, or from this one itself, are not served: they would loop.",
            ),
            Self::TooManyConnections => View::new(
                503,
                "too_many_connections",
                SERVER,
                "Too many connections are open (MAX_CONNECTIONS). Try again in a moment.",
            ),
            Self::ClientGone => View::new(400, "invalid_request", INVALID, "The body ended early."),
            Self::ShuttingDown => {
                View::new(503, "shutting_down", SERVER, "The proxy is shutting down.")
            }
            Self::RefreshFailed(why) => View::new(
                502,
                "refresh_failed",
                SERVER,
                format!("The model list could not be read: {why}. The old one is kept."),
            ),
            Self::TooManyListeners => View::new(
                503,
                "too_many_listeners",
                SERVER,
                "Too many clients are listening to /admin/events. Close one of them.",
            ),
            Self::Internal => View::new(
                500,
                "internal_error",
                SERVER,
                "Something went wrong inside the proxy.",
            ),
            Self::Refused { refusal, whose } => View::of_refusal(refusal, whose.as_deref()),
        }
    }

    /// The error's code, which the log gives as the reason.
    pub(super) fn code(&self) -> &'static str {
        self.view().code
    }

    /// The same for the log, where an error of the upstream's has a code derived from its status.
    pub(super) fn reason(&self) -> Cow<'static, str> {
        if let Self::Refused {
            refusal: Refusal::Passed(answer),
            ..
        } = self
        {
            return format!("upstream_{}", answer.status).into();
        }
        self.code().into()
    }

    /// The status it is answered with.
    pub(super) fn status(&self) -> u16 {
        self.view().status
    }

    /// The body: the one shape, or the upstream's own error as it came.
    pub(super) fn body(&self) -> Bytes {
        if let Self::Refused {
            refusal: Refusal::Passed(answer),
            ..
        } = self
        {
            return answer.body.bytes().clone();
        }
        let View {
            code,
            kind,
            message,
            param,
            ..
        } = self.view();
        let mut error = json!({"message": message, "type": kind, "param": param, "code": code});
        if let Self::Refused {
            refusal: Refusal::AllUnavailable { tried, .. } | Refusal::Unreachable { tried, .. },
            ..
        } = self
        {
            error["attempts"] = tried.iter().map(attempt).collect();
        }
        json!({ "error": error }).to_string().into()
    }

    pub(super) fn response(&self) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody::full(self.body()));
        *response.status_mut() =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self {
            Self::MissingKey | Self::InvalidKey => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            Self::Refused {
                refusal: Refusal::UpstreamAuth { .. },
                ..
            } => {
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            Self::MethodNotAllowed { allow } => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::UnknownCoding(_) => {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(Coding::ALL));
            }
            // RFC 9110 §15.5.22 requires naming the supported protocol.
            Self::NoWebSocket => {
                headers.insert(UPGRADE, HeaderValue::from_static("HTTP/1.1"));
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            }
            Self::TooManyConnections => {
                headers.insert(RETRY_AFTER, HeaderValue::from(1));
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Malformed(_)
            | Self::RequestTimeout
            | Self::TooLarge { .. }
            | Self::ClientGone
            | Self::ShuttingDown => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::Refused {
                refusal:
                    Refusal::AllUnavailable { retry_after, .. }
                    | Refusal::AccountLimited { retry_after, .. }
                    | Refusal::ShareUsed { retry_after },
                ..
            } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            Self::ClientLimited(over) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(retry_after(over)));
            }
            Self::Refused {
                refusal: Refusal::NotReady | Refusal::Unreachable { .. },
                ..
            } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(1));
            }
            Self::Refused {
                refusal: Refusal::Passed(answer),
                ..
            } => {
                reply::head(headers, &answer.head, "application/json");
                headers.extend(answer.retry_after.clone().map(|v| (RETRY_AFTER, v)));
            }
            Self::Invalid(_)
            | Self::AdminsOnly
            | Self::Loop
            | Self::NotFound
            | Self::ModelNotFound
            | Self::RefreshFailed(_)
            | Self::TooManyListeners
            | Self::Internal
            | Self::Refused {
                refusal:
                    Refusal::ModelNotFound | Refusal::NotAllowed | Refusal::NoCapableModel { .. },
                ..
            } => {}
        }
        response
    }
}

/// An error in the shape of the API that the client speaks.
pub(super) fn in_shape(
    response: Response<ReplyBody>,
    surface: Surface,
    request_id: &str,
) -> Response<ReplyBody> {
    let status = response.status();
    if surface != Surface::Messages || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = body.map_full(|body| surface.error(status.as_u16(), body, request_id));
    Response::from_parts(head, body)
}

fn malformed(status: StatusCode) -> &'static str {
    match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "The request's head is larger than 64 KB, or has more than 100 lines."
        }
        StatusCode::URI_TOO_LONG => "The request's path is too long.",
        _ => "This is not a well-formed HTTP/1.1 request.",
    }
}

fn attempt(tried: &Tried) -> serde_json::Value {
    json!({
        "model": tried.model,
        "outcome": tried.outcome.as_str(),
        "status": tried.status,
        "available_at": tried.available_at.map(rfc3339),
    })
}
