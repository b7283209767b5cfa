//! Measures silence in a stream: the upstream's, and how much of it the client has to sit through.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// What the silence has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The client should hear that the stream is alive.
    Felt,
    /// The upstream has been silent for too long.
    Over,
}

/// Runs out when nothing has been heard for a while. Hearing something is cheap: the one timer is moved
/// only when it fires.
#[derive(Debug)]
pub(super) struct Idle {
    limit: Duration,
    /// How long the client is left without a sign of life; `None` is for ever.
    period: Option<Duration>,
    heard: Instant,
    /// When the client was last told that the stream is alive; it counts only if later than `heard`.
    told: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    pub(super) fn new(limit: Duration, period: Option<Duration>) -> Self {
        let heard = Instant::now();
        let first = period.map_or(limit, |period| period.min(limit));
        Self {
            limit,
            period,
            heard,
            told: heard,
            timer: Box::pin(sleep_until(heard + first)),
        }
    }

    /// Does not count the time since `since`, in which nothing was read.
    pub(super) fn forgive(&mut self, since: Instant) {
        self.heard += since.elapsed();
    }

    /// Something was heard.
    pub(super) fn touch(&mut self) {
        self.heard = Instant::now();
    }

    /// Whether the silence is too long already.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.over()
    }

    fn over(&self) -> Instant {
        self.heard + self.limit
    }

    fn felt(&self) -> Option<Instant> {
        let since = self.heard.max(self.told);
        self.period.map(|period| since + period)
    }

    /// Ready once the silence is felt, again each period, and when it is too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Silence> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let (now, over) = (Instant::now(), self.over());
            if now >= over {
                return Poll::Ready(Silence::Over);
            }
            let is_felt = self.felt().is_some_and(|felt| now >= felt);
            if is_felt {
                self.told = now;
            }
            let next = self.felt().map_or(over, |felt| felt.min(over));
            self.timer.as_mut().reset(next);
            if is_felt {
                return Poll::Ready(Silence::Felt);
            }
        }
    }
}
