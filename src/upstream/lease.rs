//! The body of an upstream's answer, which returns its connection when it has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Http1;
use super::kept::Kept;

/// An answer's share of its connection.
pub(super) enum Lease {
    /// All of it, until the answer has ended.
    Http1(Http1, Kept),
    /// One stream of many.
    Stream(#[expect(dead_code, reason = "counted, not read")] Arc<()>),
}

/// The body of an answer. Dropping it before its end closes the connection (HTTP/1.1) or resets its
/// stream (HTTP/2).
pub struct AnswerBody {
    /// `None` once all of it has been read.
    incoming: Option<Incoming>,
    lease: Option<Lease>,
}

impl AnswerBody {
    pub(super) fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self {
            incoming: Some(incoming),
            lease: Some(lease),
        };
        body.look_for_the_end();
        body
    }

    /// The body of an answer that has been read completely.
    #[must_use]
    pub fn ended() -> Self {
        Self {
            incoming: None,
            lease: None,
        }
    }

    /// Whether more of it may be held by another task, which needs a turn to pass it on.
    pub fn is_handed_on(&self) -> bool {
        matches!(self.lease, Some(Lease::Stream(_)))
    }

    fn look_for_the_end(&mut self) {
        if self.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        match self.lease.take() {
            Some(Lease::Http1(http1, kept)) => kept.put_back(http1),
            Some(Lease::Stream(_)) | None => {}
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(incoming) = &mut this.incoming else {
            return Poll::Ready(None);
        };
        let frame = match &mut this.lease {
            Some(Lease::Http1(http1, _)) => http1.poll_frame(incoming, cx),
            Some(Lease::Stream(_)) | None => Pin::new(incoming).poll_frame(cx),
        };
        match &frame {
            Poll::Ready(None) => this.end(),
            Poll::Ready(Some(Ok(_))) => this.look_for_the_end(),
            Poll::Ready(Some(Err(_))) => this.lease = None,
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.incoming.as_ref().map(Body::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

impl std::fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnswerBody")
    }
}
