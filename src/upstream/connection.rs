//! One connection to an origin, and what it says to a request.
//!
//! Which connection a request gets, and how long one is kept, is the pool's affair.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::client::{Answered, SendError};
use super::driver::Driver;
use super::lease::{AnswerBody, Lease};
use super::pool::Pool;
use super::unreachable::{ConnectError, Unreachable};
use super::wire::{Past, Wire};
use crate::request::UpstreamBody;

/// How many streams one HTTP/2 connection carries before the next is opened, if the server allows
/// as many (RFC 9113 §6.5.2 asks it to).
const STREAMS: u16 = 100;

/// How much of a stream may lie here unread. At 150 ms to the server and back that is 1.7 MB a
/// second, a hundred times what a fast model writes; and it is what a reader that does not read
/// costs in memory.
const STREAM_WINDOW: u32 = 256 * 1024;

/// How much of all streams may lie here unread. As much as all of them may leave unread together,
/// so that one that is not read stops itself and no other; it must not grow, as then it would not
/// be.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS as u32;

/// A connection that dies so soon after a request was sent, without a word, had died before: the
/// other side has not seen the request. Later it may have worked on it.
const UNSEEN: Duration = Duration::from_secs(1);

/// An HTTP/1.1 connection, in the hands of one request at a time.
pub(super) struct One {
    sender: http1::SendRequest<UpstreamBody>,
    driver: Driver,
    past: Past,
}

/// An HTTP/2 connection. Clones are the same one.
#[derive(Clone)]
pub(super) struct Many {
    sender: http2::SendRequest<UpstreamBody>,
    past: Past,
    /// Each request holds a clone.
    streams: Arc<()>,
    /// How many streams the server allows.
    allowed: Arc<AtomicUsize>,
}

/// A connection that a request may be sent on.
pub(super) enum Way {
    One(One),
    Many(Many),
}

/// A request that no answer came to.
pub(super) struct Unanswered {
    pub(super) error: SendError,
    /// Nothing of it went out, or the server did not look at it.
    pub(super) unsent: bool,
    /// The connection had served before and died at once, without a word: no one's failure.
    pub(super) stale: bool,
}

impl Unanswered {
    /// Whether the other side cannot have seen it, on a connection that there was.
    pub(super) fn may_be_sent_again(&self) -> bool {
        let is_connected = !matches!(self.error, SendError::Connect(_));
        is_connected && (self.unsent || self.stale)
    }
}

/// A request that has just been sent.
struct Sent {
    at: Instant,
    /// What had been heard until then, of a connection that had served before.
    heard: Option<u64>,
}

impl Sent {
    fn now(past: &Past) -> Self {
        Self {
            at: Instant::now(),
            heard: past.served().then(|| past.heard()),
        }
    }

    /// Whether the connection, which has died, had done so before.
    fn is_stale(&self, past: &Past) -> bool {
        self.heard == Some(past.heard()) && self.at.elapsed() < UNSEEN
    }
}

impl Way {
    /// HTTP over a connection that has just opened; `tasks` owns its task.
    pub(super) async fn over(wire: Wire, tasks: &TaskTracker) -> Result<Self, ConnectError> {
        let broken = |error: hyper::Error| ConnectError::new(Unreachable::Reset, &error);
        let (past, is_http2) = (wire.past(), wire.is_http2());
        let io = TokioIo::new(wire);
        if !is_http2 {
            let (sender, connection) = http1::handshake(io).await.map_err(broken)?;
            let driver = Driver::new(connection);
            return Ok(Self::One(One {
                sender,
                driver,
                past,
            }));
        }
        let (sender, mut connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            // A connection that slept with its laptop is found dead soon after it woke.
            .keep_alive_interval(Duration::from_secs(5))
            .keep_alive_timeout(Duration::from_secs(5))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            // Until the server has said how many it allows, the request that opened it is alone.
            .initial_max_send_streams(1)
            .handshake(io)
            .await
            .map_err(broken)?;
        let many = Many {
            sender,
            past,
            streams: Arc::new(()),
            allowed: Arc::new(AtomicUsize::new(1)),
        };
        let allowed = Arc::clone(&many.allowed);
        tasks.spawn(poll_fn(move |cx| {
            let ended = Pin::new(&mut connection).poll(cx).map(drop);
            allowed.store(connection.current_max_send_streams(), Ordering::Relaxed);
            ended
        }));
        Ok(Self::Many(many))
    }

    /// Sends what `make` makes, which is told whether over HTTP/2; the answer's head has `limit`.
    /// With the end of its answer an HTTP/1.1 connection goes back to `pool`.
    pub(super) async fn send(
        self,
        make: &impl Fn(bool) -> Request<UpstreamBody>,
        pool: &Pool,
        limit: Duration,
    ) -> Result<Answered, Unanswered> {
        timeout(limit, self.send_at_leisure(make, pool))
            .await
            .unwrap_or(Err(Unanswered {
                error: SendError::Late,
                unsent: false,
                stale: false,
            }))
    }

    async fn send_at_leisure(
        self,
        make: &impl Fn(bool) -> Request<UpstreamBody>,
        pool: &Pool,
    ) -> Result<Answered, Unanswered> {
        match self {
            Self::One(mut one) => {
                let sent = Sent::now(&one.past);
                match one.send(make(false)).await {
                    Ok(response) => {
                        one.past.has_served();
                        let lease = Lease::One(one, pool.clone());
                        Ok(Answered {
                            response: response.map(|body| AnswerBody::new(body, lease)),
                            asked_at: sent.at,
                        })
                    }
                    Err(error) => Err(Unanswered {
                        unsent: error.message().is_some(),
                        stale: sent.is_stale(&one.past),
                        error: SendError::broken(error.error()),
                    }),
                }
            }
            Self::Many(mut many) => {
                let sent = Sent::now(&many.past);
                match many.sender.try_send_request(make(true)).await {
                    Ok(response) => {
                        many.past.has_served();
                        let lease = Lease::Stream(many.streams);
                        Ok(Answered {
                            response: response.map(|body| AnswerBody::new(body, lease)),
                            asked_at: sent.at,
                        })
                    }
                    Err(error) => Err(Unanswered {
                        unsent: error.message().is_some() || is_refused(error.error()),
                        stale: is_dead(error.error()) && sent.is_stale(&many.past),
                        error: SendError::broken(error.error()),
                    }),
                }
            }
        }
    }
}

impl One {
    async fn send(
        &mut self,
        request: Request<UpstreamBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<UpstreamBody>>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|cx| self.driver.poll(cx, |cx| answer.as_mut().poll(cx))).await
    }

    pub(super) fn poll_frame(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let look = |cx: &mut Context<'_>| Pin::new(&mut *incoming).poll_frame(cx);
        self.driver.poll(cx, look)
    }

    /// Whether it can take a request, of what is known now.
    pub(super) fn is_free(&mut self) -> bool {
        self.driver.settles() && self.sender.is_ready()
    }
}

impl Many {
    /// How many requests it carries.
    pub(super) fn streams(&self) -> usize {
        Arc::strong_count(&self.streams) - 1
    }

    pub(super) fn has_room(&self) -> bool {
        self.streams() < usize::from(STREAMS).min(self.allowed.load(Ordering::Relaxed))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// Whether the whole connection broke.
fn is_dead(error: &hyper::Error) -> bool {
    let mut chain = std::iter::successors(std::error::Error::source(error), |e| e.source());
    chain.any(|e| e.is::<std::io::Error>() || e.downcast_ref().is_some_and(h2::Error::is_io))
}

/// Whether the server says that it has not looked at the request, which may then be sent again
/// (RFC 9113 §8.7). A GOAWAY is an error of those streams alone that lie above the one it names.
fn is_refused(error: &hyper::Error) -> bool {
    let h2 = std::error::Error::source(error).and_then(|e| e.downcast_ref::<h2::Error>());
    h2.is_some_and(|error| {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (refused || error.is_go_away())
    })
}

#[cfg(test)]
mod tests;
