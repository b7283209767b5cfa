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
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use super::client::SendError;
use super::connect::{Connector, Limited};
use super::driver::Driver;
use super::lease::{AnswerBody, Lease};
use super::pool::Pool;
use super::wire::Past;
use crate::request::UpstreamBody;

/// How many streams one HTTP/2 connection carries before the next is opened, if the server allows
/// as many (RFC 9113 §6.5.2 asks it to).
const STREAMS: usize = 100;

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
    /// The connection had served before and died without a word: nobody's failure.
    pub(super) stale: bool,
}

impl Way {
    /// Opens a connection to the scheme and authority of `origin`; `tasks` owns its task.
    pub(super) async fn open(
        mut connector: Limited<HttpsConnector<Connector>>,
        origin: http::Uri,
        tasks: &TaskTracker,
    ) -> Result<Self, SendError> {
        let io = connector
            .call(origin)
            .await
            .map_err(|error| SendError::connecting(&*error))?;
        let connected = io.connected();
        let mut extensions = http::Extensions::new();
        connected.get_extras(&mut extensions);
        let past = extensions.get::<Past>().cloned().unwrap_or_default();
        let broken = |error: hyper::Error| SendError::broken(&error);
        if !connected.is_negotiated_h2() {
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
            .adaptive_window(true)
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

    /// Sends what `make` makes, which is told whether over HTTP/2. With the end of its answer an
    /// HTTP/1.1 connection goes back to `pool`.
    pub(super) async fn send(
        self,
        make: &impl Fn(bool) -> Request<UpstreamBody>,
        pool: &Pool,
    ) -> Result<Response<AnswerBody>, Unanswered> {
        match self {
            Self::One(mut one) => match one.send(make(false)).await {
                Ok(response) => {
                    one.past.has_served();
                    let lease = Lease::One(one, pool.clone());
                    Ok(response.map(|body| AnswerBody::new(body, lease)))
                }
                Err(error) => Err(Unanswered {
                    unsent: error.message().is_some(),
                    stale: one.past.is_stale(),
                    error: SendError::broken(error.error()),
                }),
            },
            Self::Many(mut many) => match many.sender.try_send_request(make(true)).await {
                Ok(response) => {
                    many.past.has_served();
                    let lease = Lease::Stream(many.streams);
                    Ok(response.map(|body| AnswerBody::new(body, lease)))
                }
                Err(error) => Err(Unanswered {
                    unsent: error.message().is_some() || is_refused(error.error()),
                    stale: many.past.served() && is_dead(error.error()),
                    error: SendError::broken(error.error()),
                }),
            },
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
        self.streams() < STREAMS.min(self.allowed.load(Ordering::Relaxed))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// Whether the whole connection broke, or answers no ping any more.
fn is_dead(error: &hyper::Error) -> bool {
    let mut chain = std::iter::successors(std::error::Error::source(error), |e| e.source());
    let io = |e: &(dyn std::error::Error + 'static)| {
        e.is::<std::io::Error>() || e.downcast_ref().is_some_and(h2::Error::is_io)
    };
    error.is_timeout() || chain.any(io)
}

/// Whether the server says that it has not looked at the request, which may then be sent again
/// (RFC 9113 §8.7).
fn is_refused(error: &hyper::Error) -> bool {
    let h2 = std::error::Error::source(error).and_then(|e| e.downcast_ref::<h2::Error>());
    h2.is_some_and(|error| {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let leaves = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        error.is_remote() && (refused || leaves)
    })
}
