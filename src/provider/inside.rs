//! The status that an error inside a 200 means, at a provider other than OpenRouter: its body
//! usually has none of its own (spec §4.4).
//!
//! Pure.

use super::case::{is_gone, says_that_the_key_is_dead};
use super::quota::is_about_a_limit;
use super::row::Provider;
use super::said::ErrorSaid;
use super::size;
use crate::model::ModelId;

/// Words of a field, and the status of an error with one of them; the first match counts.
const MARKS: [(&[&str], u16); 8] = [
    (
        &[
            "rate_limit_exceeded",
            "rate_limited",
            "rate_limit_error",
            "too_many_requests",
            "resource_exhausted",
            "insufficient_quota",
            "too_many_tokens_error",
            "token_quota_exceeded",
            "service_tier_capacity_exceeded",
        ],
        429,
    ),
    (
        &[
            "payment_required",
            "payment_required_error",
            "insufficient_credits",
        ],
        402,
    ),
    (
        &["unauthorized", "authentication_error", "unauthenticated"],
        401,
    ),
    (&["permission_denied", "forbidden"], 403),
    (&["not_found", "not_found_error"], 404),
    (
        &[
            "unavailable",
            "overloaded",
            "overloaded_error",
            "service_unavailable",
            "internal_server_error",
        ],
        503,
    ),
    (&["server_error", "internal", "internal_error"], 500),
    (
        &[
            "invalid_argument",
            "failed_precondition",
            "invalid_request_error",
            "tool_use_failed",
        ],
        400,
    ),
];

/// Beginnings of messages that are sufficient on their own, and their status.
const BEGINNINGS: [(&str, u16); 8] = [
    ("invalid api token", 401),
    ("authentication error", 401),
    ("authentication failed", 401),
    ("unauthorized", 401),
    ("payment required", 402),
    ("insufficient balance", 402),
    ("insufficient credits", 402),
    ("user location is not supported", 400),
];

/// The status that the error means; `None` if nothing about it is known.
pub(super) fn status(provider: &Provider, model: &ModelId, said: &ErrorSaid<'_>) -> Option<u16> {
    said.status()
        .or_else(|| {
            let row = provider.errors.iter().find(|row| row.fits(None, said))?;
            Some(row.status.unwrap_or_else(|| row.means.usual_status()))
        })
        .or_else(|| of_size_or_limit(said))
        .or_else(|| says_that_the_key_is_dead(said).then_some(401))
        .or_else(|| is_gone(said, model).then_some(404))
        .or_else(|| {
            let mut marks = MARKS.iter();
            let fits = marks.find(|(words, _)| said.is_any_of(words))?;
            Some(fits.1)
        })
        .or_else(|| {
            let mut beginnings = BEGINNINGS.iter();
            let fits = beginnings.find(|(words, _)| said.begins(words))?;
            Some(fits.1)
        })
}

fn of_size_or_limit(said: &ErrorSaid<'_>) -> Option<u16> {
    if said.begins("request too large for model") {
        Some(413)
    } else if is_about_a_limit(&said.message) {
        Some(429)
    } else {
        size::too_long(said).map(|_| 400)
    }
}
