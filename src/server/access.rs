//! The browser's rules: which pages may call (spec §3).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::REQUEST_ID_HEADER;
use super::reply::ReplyBody;
use crate::config::AllowOrigins;

/// Adds what every answer carries: the CORS headers and the request's id.
pub(super) fn dress(
    response: &mut HeaderMap,
    origin: Option<&HeaderValue>,
    allowed: &AllowOrigins,
    request_id: &str,
) {
    const EXPOSED: HeaderValue = HeaderValue::from_static(
        "x-free-llm-proxy-model, x-free-llm-proxy-provider, x-free-llm-proxy-attempts, x-free-llm-proxy-dropped, x-free-llm-proxy-wish, x-request-id, retry-after",
    );
    match allowed {
        AllowOrigins::Any => {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        AllowOrigins::Listed(listed) => {
            response.append(VARY, HeaderValue::from_static("origin"));
            if let Some(origin) = origin.filter(|origin| listed.contains(origin)) {
                response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            }
        }
    }
    response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.insert(REQUEST_ID_HEADER, id);
    }
}

/// The origin of a request.
pub(super) fn origin(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ORIGIN).cloned()
}

/// A page of the public internet asks for permission to call into a private network, which is
/// usually where this proxy is.
const ASKS_PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Answers a preflight by echoing the requested headers. Access to a private network is granted to
/// named origins only, never to `*`.
pub(super) fn preflight(headers: &HeaderMap, allowed: &AllowOrigins) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::full(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let out = response.headers_mut();
    out.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, POST, OPTIONS"),
    );
    let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    out.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        asked.unwrap_or_else(|| HeaderValue::from_static("authorization, x-api-key, content-type")),
    );
    out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    let is_named = match (allowed, headers.get(ORIGIN)) {
        (AllowOrigins::Listed(listed), Some(origin)) => listed.contains(origin),
        (AllowOrigins::Any | AllowOrigins::Listed(_), _) => false,
    };
    if is_named && headers.get(ASKS_PRIVATE).is_some_and(|asks| asks == "true") {
        out.insert(ALLOW_PRIVATE, HeaderValue::from_static("true"));
    }
    response
}
