//! Who may call: the key, and the browser's rules (spec §3).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    AUTHORIZATION, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use subtle::ConstantTimeEq as _;

use super::REQUEST_ID_HEADER;
use super::error::ProxyError;
use super::reply::ReplyBody;
use crate::config::{AllowOrigins, Secret};

/// Checks `Authorization: Bearer <key>` against every key, in constant time.
pub(super) fn check_key(headers: &HeaderMap, keys: &[Secret]) -> Result<(), ProxyError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(ProxyError::MissingKey)?;
    if values.next().is_some() {
        return Err(ProxyError::InvalidKey);
    }
    let (scheme, token) = value
        .as_bytes()
        .split_at_checked(7)
        .ok_or(ProxyError::MissingKey)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return Err(ProxyError::MissingKey);
    }
    let token = token.trim_ascii();
    if token.is_empty() {
        return Err(ProxyError::MissingKey);
    }
    let fits = keys.iter().fold(subtle::Choice::from(0), |fits, key| {
        fits | key.expose().as_bytes().ct_eq(token)
    });
    if fits.into() {
        Ok(())
    } else {
        Err(ProxyError::InvalidKey)
    }
}

/// Puts on an answer what every answer carries: the CORS headers and the request's id.
pub(super) fn dress(
    response: &mut HeaderMap,
    origin: Option<&HeaderValue>,
    allowed: &AllowOrigins,
    request_id: &str,
) {
    const EXPOSED: HeaderValue = HeaderValue::from_static(
        "x-free-llm-proxy-model, x-free-llm-proxy-attempts, x-request-id, retry-after",
    );
    match allowed {
        AllowOrigins::Any => {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
        AllowOrigins::Listed(listed) => {
            response.insert(VARY, HeaderValue::from_static("origin"));
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

/// Answers a preflight: the asked headers are echoed.
pub(super) fn preflight(headers: &HeaderMap) -> Response<ReplyBody> {
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
        asked.unwrap_or_else(|| HeaderValue::from_static("authorization, content-type")),
    );
    out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}
