//! The connections to one origin, kept open from one request to the next.
//!
//! hyper's own connections, without the general pool of hyper-util: with one origin there is no
//! key to look up, a connection comes back with the last byte of its answer and not by a task of
//! its own, and over HTTP/2 a second connection opens where one is full.

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

/// How many streams one HTTP/2 connection carries before the next is opened. RFC 9113 §6.5.2
/// asks servers to allow no fewer.
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

/// An HTTP/2 connection; each request holds a clone of `streams`.
struct Multiplexed {
    sender: http2::SendRequest<UpstreamBody>,
    streams: Arc<()>,
    used: Instant,
}

/// A connection that a request may be sent on.
enum Way {
    One(One),
    Multiplexed(http2::SendRequest<UpstreamBody>, Arc<()>),
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
            Way::Multiplexed(mut sender, streams) => {
                match sender.try_send_request(make(true)).await {
                    Ok(response) => {
                        let lease = Lease::Stream(streams);
                        Ok(response.map(|body| AnswerBody::new(body, lease)))
                    }
                    Err(error) => Err(Unanswered {
                        unsent: error.message().is_some(),
                        stale: false,
                        error: SendError::broken(error.error()),
                    }),
                }
            }
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
        let broken = |error: hyper::Error| SendError::broken(&error);
        if connected.is_negotiated_h2() {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                // A connection that slept with its laptop is found dead before a request meets it.
                .keep_alive_interval(Duration::from_secs(5))
                .keep_alive_timeout(Duration::from_secs(5))
                .adaptive_window(true)
                .handshake(io)
                .await
                .map_err(broken)?;
            self.shared.tasks.spawn(connection);
            return Ok(self.lock().share(sender));
        }
        let mut extensions = http::Extensions::new();
        connected.get_extras(&mut extensions);
        let past = extensions.get::<Past>().cloned().unwrap_or_default();
        let (sender, connection) = http1::handshake(io).await.map_err(broken)?;
        self.shared.tasks.spawn(connection);
        Ok(Way::One(One { sender, past }))
    }

    /// Puts a connection back whose answer has ended.
    pub(super) fn put_back(&self, one: One) {
        if !one.sender.is_closed() {
            self.lock().put(one);
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
        self.shared.retain(|multiplexed| {
            let unused = Arc::strong_count(&multiplexed.streams) == 1;
            let old = unused && multiplexed.used + KEPT < now;
            !multiplexed.sender.is_closed() && !old
        });
        let free =
            |multiplexed: &&mut Multiplexed| Arc::strong_count(&multiplexed.streams) <= STREAMS;
        if let Some(multiplexed) = self.shared.iter_mut().find(free) {
            multiplexed.used = now;
            let way = Way::Multiplexed(multiplexed.sender.clone(), multiplexed.streams.clone());
            return (Some(way), false);
        }
        // The last used one first, so that those nobody needs grow old.
        let mut busy = false;
        for at in (0..self.idle.len()).rev() {
            let Some(idle) = self.idle.get(at) else { break };
            if idle.one.sender.is_closed() || idle.since + KEPT < now {
                self.idle.remove(at);
            } else if idle.one.sender.is_ready() {
                return (Some(Way::One(self.idle.remove(at).one)), false);
            } else {
                busy = true;
            }
        }
        (None, busy)
    }

    fn put(&mut self, one: One) {
        let now = Instant::now();
        // The oldest stand in front.
        let old = |idle: &Idle| idle.one.sender.is_closed() || idle.since + KEPT < now;
        while self.idle.first().is_some_and(old) {
            self.idle.remove(0);
        }
        self.idle.push(Idle { one, since: now });
    }

    fn share(&mut self, sender: http2::SendRequest<UpstreamBody>) -> Way {
        let streams = Arc::new(());
        self.shared.push(Multiplexed {
            sender: sender.clone(),
            streams: Arc::clone(&streams),
            used: Instant::now(),
        });
        Way::Multiplexed(sender, streams)
    }
}
