//! Reads a request's body within its limits (spec §6).

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::error::ProxyError;
use crate::config::Limits;

/// The whole body, of at most `MAX_BODY_BYTES`, with no silence above `BODY_IDLE_TIMEOUT_SEC`.
pub(super) async fn read(
    mut incoming: Incoming,
    limits: &Limits,
    drain: &CancellationToken,
) -> Result<Bytes, ProxyError> {
    let limit = limits.max_body_bytes;
    let declared = incoming.size_hint().lower();
    if declared > limit as u64 {
        return Err(ProxyError::TooLarge { limit });
    }
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    loop {
        let frame = tokio::select! {
            biased;
            frame = timeout(limits.body_idle_timeout, incoming.frame()) => frame,
            // Half a request is not waited for.
            () = drain.cancelled() => return Err(ProxyError::ShuttingDown),
        };
        let frame = frame.map_err(|_| ProxyError::RequestTimeout)?;
        let data = match frame {
            None => break,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) if is_gone(&error) => return Err(ProxyError::ClientGone),
            Some(Err(_)) => return Err(ProxyError::Malformed(StatusCode::BAD_REQUEST)),
        };
        if first.len() + whole.len() + data.len() > limit {
            return Err(ProxyError::TooLarge { limit });
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            if whole.is_empty() {
                // What is declared is only believed as far as it costs little.
                whole.reserve(usize::try_from(declared).unwrap_or(0).min(1 << 20));
                whole.extend_from_slice(&std::mem::take(&mut first));
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

/// Whether the client has left, rather than sent something that is no body.
fn is_gone(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let io =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let gone = |io: &std::io::Error| {
        matches!(
            io.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
        )
    };
    error.is_incomplete_message() || error.is_canceled() || io.is_some_and(gone)
}
