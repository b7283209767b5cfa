//! Who may call: the key, and the browser's rules (spec §3).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    AUTHORIZATION, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use subtle::ConstantTimeEq as _;

use super::REQUEST_ID_HEADER;
use super::error::ProxyError;
use super::reply::ReplyBody;
use crate::config::{AllowOrigins, Secret};

/// Anthropic's header for a key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Checks the key, in constant time against every one of ours. It stands in `Authorization:
/// Bearer`, or where there is none of that kind in `x-api-key`.
pub(super) fn check_key(headers: &HeaderMap, keys: &[Secret]) -> Result<(), ProxyError> {
    let bearer = only(headers, &AUTHORIZATION)?.and_then(bearer);
    let token = match bearer {
        Some(token) => token,
        None => only(headers, &API_KEY)?
            .map(<[u8]>::trim_ascii)
            .filter(|token| !token.is_empty())
            .ok_or(ProxyError::MissingKey)?,
    };
    let fits = keys.iter().fold(subtle::Choice::from(0), |fits, key| {
        fits | key.expose().as_bytes().ct_eq(token)
    });
    if fits.into() {
        Ok(())
    } else {
        Err(ProxyError::InvalidKey)
    }
}

/// The one value of a header. Of two, which one counts would be a guess.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, ProxyError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::as_bytes);
    match values.next() {
        None => Ok(value),
        Some(_) => Err(ProxyError::InvalidKey),
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Puts on an answer what every answer carries: the CORS headers and the request's id.
pub(super) fn dress(
    response: &mut HeaderMap,
    origin: Option<&HeaderValue>,
    allowed: &AllowOrigins,
    request_id: &str,
) {
    const EXPOSED: HeaderValue = HeaderValue::from_static(
        "x-free-llm-proxy-model, x-free-llm-proxy-attempts, x-free-llm-proxy-dropped, x-request-id, retry-after",
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
        asked.unwrap_or_else(|| HeaderValue::from_static("authorization, x-api-key, content-type")),
    );
    out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}
