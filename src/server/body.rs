//! Reads a request's body within its limits (spec §6), and decompresses it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::error::ProxyError;
use super::phases::Phases;
use crate::config::Limits;
use crate::request::{Coding, InvalidRequest, UnknownCoding, Unpackable};

/// A body may take this long, plus a second for every [`SLOWEST`] bytes: a client that sends a byte
/// now and then is never silent, and would hold its connection for ever.
const PATIENCE: Duration = Duration::from_secs(600);
const SLOWEST: u64 = 8 * 1024;

/// A request body on its way in, and how it is compressed.
pub(super) struct Sent {
    incoming: Incoming,
    coding: Result<Option<Coding>, UnknownCoding>,
}

impl From<Request<Incoming>> for Sent {
    fn from(request: Request<Incoming>) -> Self {
        let named = request.headers().get_all(CONTENT_ENCODING).iter();
        Self {
            coding: Coding::of(named.map(HeaderValue::as_bytes)),
            incoming: request.into_body(),
        }
    }
}

/// The whole body, decompressed. Neither what arrives nor the result may be larger than
/// `MAX_BODY_BYTES`.
pub(super) async fn read(
    sent: Sent,
    limits: &Limits,
    phases: &Phases,
) -> Result<Bytes, ProxyError> {
    let coding = sent.coding.map_err(|coding| {
        phases.body_left_unread();
        ProxyError::UnknownCoding(coding)
    })?;
    let bytes = whole(sent.incoming, limits, phases)
        .await
        .inspect_err(|_| phases.body_left_unread())?;
    match coding {
        None => Ok(bytes),
        Some(coding) => unpack(coding, bytes, limits.max_body_bytes).await,
    }
}

/// On a thread of its own: the amount of work cannot be told from the size of what arrived.
async fn unpack(coding: Coding, packed: Bytes, limit: usize) -> Result<Bytes, ProxyError> {
    let unpacked = tokio::task::spawn_blocking(move || coding.unpack(&packed, limit)).await;
    match unpacked {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Unpackable::TooLarge)) => Err(ProxyError::TooLarge { limit }),
        Ok(Err(Unpackable::Broken)) => {
            Err(ProxyError::Invalid(InvalidRequest::Packed(coding).into()))
        }
        Err(_) => Err(ProxyError::Internal),
    }
}

/// The bytes that arrive, at most `MAX_BODY_BYTES`, with no silence longer than
/// `BODY_IDLE_TIMEOUT_SEC` (which the socket measures), and at [`SLOWEST`] once [`PATIENCE`] is
/// over.
async fn whole(
    mut incoming: Incoming,
    limits: &Limits,
    phases: &Phases,
) -> Result<Bytes, ProxyError> {
    let limit = limits.max_body_bytes;
    let declared = incoming.size_hint().lower();
    if declared > limit as u64 {
        return Err(ProxyError::TooLarge { limit });
    }
    let _receiving = phases.receiving();
    let mut begun = None;
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while !incoming.is_end_stream() {
        // Half a request is not waited for.
        let stop = |phases: &Phases| phases.is_draining() || phases.is_late();
        let Some(frame) = phases.unless(stop, incoming.frame()).await else {
            return Err(if phases.is_late() {
                ProxyError::RequestTimeout
            } else {
                ProxyError::ShuttingDown
            });
        };
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
            let begun = *begun.get_or_insert_with(Instant::now);
            let so_far = (first.len() + whole.len()) as u64;
            if begun.elapsed() > PATIENCE + Duration::from_secs(so_far / SLOWEST) {
                return Err(ProxyError::RequestTimeout);
            }
            if whole.is_empty() {
                // A declared length is trusted only as far as that costs little.
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

/// Whether the client has left, as opposed to sending something that is not a body.
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
