//! Measures silence: within a stream, and within a plain answer.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::upstream::{AnswerBody, Cause};

/// Runs out when nothing was heard for a while. Hearing something is cheap: the timer itself
/// moves only when it fires.
#[derive(Debug)]
pub(super) struct Idle {
    limit: Duration,
    heard: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    pub(super) fn new(limit: Duration) -> Self {
        let heard = Instant::now();
        Self {
            limit,
            heard,
            timer: Box::pin(sleep_until(heard + limit)),
        }
    }

    /// The clock stood still since `since`: nobody listened.
    pub(super) fn forgive(&mut self, since: Instant) {
        self.heard += since.elapsed();
    }

    /// Something was heard.
    pub(super) fn touch(&mut self) {
        self.heard = Instant::now();
    }

    /// Whether the silence is too long already.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.heard + self.limit
    }

    /// Ready once the silence is too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            let due = self.heard + self.limit;
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }
}

/// The body of a plain answer, and how long it has been silent. Whatever comes is a sign of life,
/// blank lines and comments too.
pub(super) struct Listened {
    body: AnswerBody,
    idle: Idle,
    /// A silence that is too long ends it.
    may_end: bool,
    has_begun: bool,
}

impl Listened {
    /// With `may_end`, a silence of `limit` ends it with [`Cause::Idle`].
    pub(super) fn new(body: AnswerBody, limit: Duration, may_end: bool) -> Self {
        Self {
            body,
            idle: Idle::new(limit),
            may_end,
            has_begun: false,
        }
    }

    /// Whether something has come, and nothing keeps more from coming.
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
