//! The connections to one origin, kept open from one request to the next.
//!
//! hyper's own connections, without the general pool of hyper-util: with one origin there is no
//! key to look up, a connection comes back with the last byte of its answer and not by a task of
//! its own, and over HTTP/2 a second connection opens where one is full.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::client::conn::{http1, http2};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use super::client::SendError;
use super::connect::{Connector, Limited};
use super::lease::{AnswerBody, Lease};
use super::wire::Past;
use crate::request::UpstreamBody;

/// How long an unused connection is kept; servers close theirs after a minute or so.
const KEPT: Duration = Duration::from_secs(90);

/// How many streams one HTTP/2 connection carries before the next is opened, if the server allows
/// as many (RFC 9113 §6.5.2 asks it to).
const STREAMS: usize = 100;

/// How many kept connections may turn out to be closed before a new one is opened.
const KEPT_TRIED: usize = 3;

/// The connections to one origin. Clones share them.
#[derive(Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Limited<HttpsConnector<Connector>>,
    origin: http::Uri,
    /// A std lock, held to take a connection or to put one back.
    open: Mutex<Open>,
    /// Owns the connections' tasks.
    tasks: TaskTracker,
}

#[derive(Default)]
struct Open {
    /// HTTP/1.1 connections without a request, the last used one at the end.
    idle: Vec<Idle>,
    /// HTTP/2 connections.
    shared: Vec<Multiplexed>,
    /// A task looks for old ones now and then.
    swept: bool,
}

struct Idle {
    one: One,
    since: Instant,
}

/// An HTTP/1.1 connection, in the hands of one request at a time.
pub(super) struct One {
    sender: http1::SendRequest<UpstreamBody>,
    past: Past,
}

/// An HTTP/2 connection. Clones are the same one.
#[derive(Clone)]
struct Many {
    sender: http2::SendRequest<UpstreamBody>,
    past: Past,
    /// Each request holds a clone.
    streams: Arc<()>,
    /// How many streams the server allows.
    allowed: Arc<AtomicUsize>,
}

struct Multiplexed {
    many: Many,
    used: Instant,
}

/// A connection that a request may be sent on.
enum Way {
    One(One),
    Many(Many),
}

/// A request that no answer came to.
pub(super) struct Unanswered {
    pub(super) error: SendError,
    /// Nothing of it went out: the connection had been closed.
    unsent: bool,
    /// The connection had served before and died without a word: nobody's failure.
    pub(super) stale: bool,
}

impl Pool {
    /// A pool of connections to the scheme and authority of `origin`, which open through
    /// `connector`.
    pub(super) fn new(connector: Limited<HttpsConnector<Connector>>, origin: http::Uri) -> Self {
        let shared = Shared {
            connector,
            origin,
            open: Mutex::default(),
            tasks: TaskTracker::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Sends what `make` makes; it is told whether over HTTP/2. With `fresh`, on a new connection.
    pub(super) async fn send(
        &self,
        make: &impl Fn(bool) -> Request<UpstreamBody>,
        fresh: bool,
    ) -> Result<Response<AnswerBody>, Unanswered> {
        for _ in 0..if fresh { 0 } else { KEPT_TRIED } {
            let Some(way) = self.waiting().await else {
                break;
            };
            match self.send_on(way, make).await {
                Err(Unanswered { unsent: true, .. }) => {}
                answered => return answered,
            }
        }
        // Boxed: rare, and with TLS and HTTP/2 in it ten times as large as all the rest of a request.
        let way = Box::pin(self.connect()).await;
        let way = way.map_err(|error| Unanswered {
            error,
            unsent: true,
            stale: false,
        })?;
        self.send_on(way, make).await
    }

    async fn send_on(
        &self,
        way: Way,
        make: &impl Fn(bool) -> Request<UpstreamBody>,
    ) -> Result<Response<AnswerBody>, Unanswered> {
        match way {
            Way::One(mut one) => match one.sender.try_send_request(make(false)).await {
                Ok(response) => {
                    one.past.has_served();
                    let lease = Lease::One(one, self.clone());
                    Ok(response.map(|body| AnswerBody::new(body, lease)))
                }
                Err(error) => Err(Unanswered {
                    unsent: error.message().is_some(),
                    stale: one.past.is_stale(),
                    error: SendError::broken(error.error()),
                }),
            },
            Way::Many(mut many) => match many.sender.try_send_request(make(true)).await {
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

    /// A connection that is open. One whose answer has just ended may need a turn of its task.
    async fn waiting(&self) -> Option<Way> {
        let (way, busy) = self.lock().take();
        if way.is_none() && busy {
            tokio::task::yield_now().await;
            return self.lock().take().0;
        }
        way
    }

    async fn connect(&self) -> Result<Way, SendError> {
        let mut connector = self.shared.connector.clone();
        let io = connector
            .call(self.shared.origin.clone())
            .await
            .map_err(|error| SendError::connecting(&*error))?;
        let connected = io.connected();
        let mut extensions = http::Extensions::new();
        connected.get_extras(&mut extensions);
        let past = extensions.get::<Past>().cloned().unwrap_or_default();
        let broken = |error: hyper::Error| SendError::broken(&error);
        if connected.is_negotiated_h2() {
            let (sender, mut connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                // A connection that slept with its laptop is found dead soon after it woke.
                .keep_alive_interval(Duration::from_secs(5))
                .keep_alive_timeout(Duration::from_secs(5))
                .adaptive_window(true)
                .handshake(io)
                .await
                .map_err(broken)?;
            let many = Many {
                sender,
                past,
                streams: Arc::new(()),
                allowed: Arc::new(AtomicUsize::new(STREAMS)),
            };
            let allowed = Arc::clone(&many.allowed);
            self.shared.tasks.spawn(poll_fn(move |cx| {
                let ended = Pin::new(&mut connection).poll(cx).map(drop);
                allowed.store(connection.current_max_send_streams(), Ordering::Relaxed);
                ended
            }));
            self.lock().shared.push(Multiplexed {
                many: many.clone(),
                used: Instant::now(),
            });
            self.sweep();
            return Ok(Way::Many(many));
        }
        let (sender, connection) = http1::handshake(io).await.map_err(broken)?;
        self.shared.tasks.spawn(connection);
        Ok(Way::One(One { sender, past }))
    }

    /// Sees to it that connections nobody uses are closed although nobody comes by.
    fn sweep(&self) {
        if std::mem::replace(&mut self.lock().swept, true) {
            return;
        }
        let shared = Arc::downgrade(&self.shared);
        self.shared.tasks.spawn(async move {
            loop {
                tokio::time::sleep(KEPT / 3).await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
                open.drop_old(Instant::now());
                if open.idle.is_empty() && open.shared.is_empty() {
                    open.swept = false;
                    return;
                }
            }
        });
    }

    /// Puts a connection back whose answer has ended.
    pub(super) fn put_back(&self, one: One) {
        if !one.sender.is_closed() {
            let since = Instant::now();
            self.lock().idle.push(Idle { one, since });
            self.sweep();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// A connection that is ready, and whether there are others that soon will be.
    fn take(&mut self) -> (Option<Way>, bool) {
        let now = Instant::now();
        self.drop_old(now);
        let free = |multiplexed: &&mut Multiplexed| multiplexed.many.has_room();
        if let Some(multiplexed) = self.shared.iter_mut().find(free) {
            multiplexed.used = now;
            return (Some(Way::Many(multiplexed.many.clone())), false);
        }
        // The last used one first, so that those nobody needs grow old.
        match self
            .idle
            .iter()
            .rposition(|idle| idle.one.sender.is_ready())
        {
            Some(at) => (Some(Way::One(self.idle.remove(at).one)), false),
            None => (None, !self.idle.is_empty()),
        }
    }

    /// Lets go of connections that are closed, or that nobody has used for long.
    fn drop_old(&mut self, now: Instant) {
        let old = |since: Instant| since + KEPT <= now;
        self.idle
            .retain(|idle| !(idle.one.sender.is_closed() || old(idle.since)));
        self.shared.retain(|multiplexed| {
            let unused = multiplexed.many.streams() == 0;
            !(multiplexed.many.sender.is_closed() || unused && old(multiplexed.used))
        });
    }
}

impl Many {
    /// How many requests it carries.
    fn streams(&self) -> usize {
        Arc::strong_count(&self.streams) - 1
    }

    fn has_room(&self) -> bool {
        self.streams() < STREAMS.min(self.allowed.load(Ordering::Relaxed))
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
