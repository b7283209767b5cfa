//! A plain answer on its way, and whether it is still alive.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::idle::Idle;
use crate::upstream::AnswerBody;
use crate::verdict::Cause;

/// The body of a plain answer, and how long it has been silent. Anything that arrives is a sign of life,
/// blank lines and comments included.
pub(super) struct Listened {
    body: AnswerBody,
    idle: Idle,
    /// Whether too long a silence ends it.
    may_end: bool,
    has_begun: bool,
}

impl Listened {
    /// With `may_end`, a silence of `limit` ends it with [`Cause::Idle`].
    pub(super) fn new(body: AnswerBody, limit: Duration, may_end: bool) -> Self {
        Self {
            body,
            idle: Idle::new(limit, None),
            may_end,
            has_begun: false,
        }
    }

    /// Whether something has arrived and the body has not stalled.
    pub(super) fn flows(&self) -> bool {
        self.has_begun && !self.idle.is_over()
    }

    /// Whether a silence has ended it.
    pub(super) fn is_cut(&self) -> bool {
        self.may_end && self.idle.is_over()
    }
}

impl Body for Listened {
    type Data = Bytes;
    type Error = Cause;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.idle.touch();
                this.has_begun |= matches!(&frame, Some(Ok(frame)) if frame.is_data());
                Poll::Ready(frame.map(|frame| frame.map_err(|_| Cause::Broken)))
            }
            Poll::Pending if this.may_end && this.idle.poll(cx).is_ready() => {
                Poll::Ready(Some(Err(Cause::Idle)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
