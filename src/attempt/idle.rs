//! Measures silence within a stream.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

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
