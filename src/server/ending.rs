//! The result of a walk, and how the record of its request ends.

use std::pin::Pin;

use super::error::ProxyError;
use crate::attempt::{Answer, Refusal};
use crate::request::InvalidRequest;
use crate::surface::Invalid;
use crate::telemetry::{Ending, RequestRecord};

/// The result of a walk.
pub(super) struct Walked {
    pub(super) record: RequestRecord,
    pub(super) result: Result<Answer, ProxyError>,
}

/// A walk in progress, as a future that owns all it needs.
pub(super) type Walk = Pin<Box<dyn Future<Output = Walked> + Send>>;

/// Records how a request that got an error ended; `in_stream` if its 200 had gone out before.
pub(super) fn ends(record: &mut RequestRecord, error: &ProxyError, in_stream: bool) {
    let status = if in_stream { 200 } else { error.status() };
    let mid_stream_error = in_stream.then(|| error.code());
    record.failed_with(error.reason());
    let ending = if record.attempt_count() == 0 && !is_unreachable(error) {
        Ending::Rejected {
            status,
            mid_stream_error,
            reason: error.reason(),
            error: place(error),
        }
    } else if let ProxyError::Refused {
        refusal: Refusal::UpstreamAuth { .. },
        whose,
    } = error
    {
        Ending::UpstreamKey {
            status,
            mid_stream_error,
            key_tail: (whose.as_ref()).and_then(|facts| facts.key.as_ref()?.tail.clone()),
        }
    } else if let (
        ProxyError::Refused {
            refusal: Refusal::Passed(_),
            ..
        },
        false,
    ) = (error, in_stream)
    {
        Ending::Answered { status }
    } else {
        Ending::Failed {
            status,
            mid_stream_error,
        }
    };
    record.ends(ending);
}

/// Whether the upstream could not be reached: not an attempt, and yet a failure on our side.
fn is_unreachable(error: &ProxyError) -> bool {
    let ProxyError::Refused { refusal, .. } = error else {
        return false;
    };
    matches!(refusal, Refusal::Unreachable { .. })
}

/// Where a body stops being JSON.
fn place(error: &ProxyError) -> Option<String> {
    if let ProxyError::Invalid(Invalid::Body(InvalidRequest::Json(place))) = error {
        Some(place.to_string())
    } else {
        None
    }
}
