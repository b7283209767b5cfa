//! One connection to an origin: HTTP/1.1, or HTTP/2.
//!
//! The pool chooses the connection for a request; `send` handles the request on it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::{self, TrySendError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::task::TaskTracker;

use super::driver::Driver;
use super::unreachable::{ConnectError, Unreachable};
use super::wire::{Past, Wire};
use crate::request::UpstreamBody;

/// How many streams one HTTP/2 connection carries before the next is opened, if the server allows
/// that many (RFC 9113 §6.5.2 recommends at least this).
pub(super) const STREAMS: u16 = 100;

/// How much of a stream may be buffered unread. At a round trip of 150 ms that is 1.7 MB a second, a
/// hundred times what a fast model writes; and it is what a client that stops reading costs in memory.
pub(super) const STREAM_WINDOW: u32 = 256 * 1024;

/// How much of all streams may be buffered unread: as much as all of them together, so that one
/// that is not read stalls only itself. It must not grow, or that would no longer hold.
pub(super) const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS as u32;

/// An HTTP/1.1 connection, used by one request at a time.
pub(super) struct Http1 {
    sender: conn::http1::SendRequest<UpstreamBody>,
    driver: Driver,
    pub(super) past: Past,
}

/// An HTTP/2 connection. Clones are the same one.
#[derive(Clone)]
pub(super) struct Http2 {
    pub(super) sender: conn::http2::SendRequest<UpstreamBody>,
    pub(super) past: Past,
    /// Each request holds a clone.
    pub(super) streams: Arc<()>,
    /// How many streams the server allows.
    allowed: Arc<AtomicUsize>,
}

/// A connection on which a request may be sent.
pub(super) enum Connection {
    Http1(Http1),
    Http2(Http2),
}

impl Connection {
    /// HTTP over a connection that has just opened; `tasks` owns its task.
    pub(super) async fn over(wire: Wire, tasks: &TaskTracker) -> Result<Self, ConnectError> {
        let broken = |error: hyper::Error| ConnectError::new(Unreachable::Reset, &error);
        let (past, is_http2) = (wire.past(), wire.is_http2());
        let io = TokioIo::new(wire);
        if !is_http2 {
            let (sender, connection) = conn::http1::handshake(io).await.map_err(broken)?;
            let driver = Driver::new(connection);
            return Ok(Self::Http1(Http1 {
                sender,
                driver,
                past,
            }));
        }
        let (sender, mut connection) = conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            // A connection that was asleep with its laptop is found dead soon after waking.
            .keep_alive_interval(Duration::from_secs(5))
            .keep_alive_timeout(Duration::from_secs(5))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            // Until the server has said how many it allows, the request that opened it has it to
            // itself.
            .initial_max_send_streams(1)
            .handshake(io)
            .await
            .map_err(broken)?;
        let http2 = Http2 {
            sender,
            past,
            streams: Arc::new(()),
            allowed: Arc::new(AtomicUsize::new(1)),
        };
        let allowed = Arc::clone(&http2.allowed);
        tasks.spawn(poll_fn(move |cx| {
            let ended = Pin::new(&mut connection).poll(cx).map(drop);
            allowed.store(connection.current_max_send_streams(), Ordering::Relaxed);
            ended
        }));
        Ok(Self::Http2(http2))
    }
}

impl Http1 {
    pub(super) async fn send(
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

    /// Whether it can take a request, as far as is known now.
    pub(super) fn is_free(&mut self) -> bool {
        self.driver.settles() && self.sender.is_ready()
    }
}

impl Http2 {
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
