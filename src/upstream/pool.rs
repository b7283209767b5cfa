//! The connections to one origin, kept open from one request to the next.
//!
//! hyper's own connections, without the general pool of hyper-util: with one origin there is no
//! key to look up, a connection comes back with the last byte of its answer and not by a task of
//! its own, and over HTTP/2 a second connection opens where one is full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Request;
use tokio::task::coop;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::client::Answered;
use super::connect::{Connector, Tls};
use super::connection::{Many, One, Unanswered, Way};
use super::unreachable::ConnectError;
use crate::request::UpstreamBody;

/// How long an unused connection is kept; servers close theirs after a minute or so.
const KEPT: Duration = Duration::from_secs(90);

/// How many kept connections may turn out to be closed before a new one is opened.
const KEPT_TRIED: usize = 3;

/// The connections to one origin. Clones share them.
#[derive(Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    tls: Tls,
    origin: http::Uri,
    /// A std lock, held to take a connection or to put one back.
    open: Mutex<Open>,
    /// Owns the connections' tasks.
    tasks: TaskTracker,
}

#[derive(Default)]
struct Open {
    /// HTTP/1.1 connections without a request, the last used one at the end.
    idle: VecDeque<Idle>,
    /// HTTP/2 connections.
    shared: Vec<Multiplexed>,
    /// A task looks for old ones now and then.
    swept: bool,
}

struct Idle {
    one: One,
    since: Instant,
}

struct Multiplexed {
    many: Many,
    used: Instant,
}

impl Pool {
    /// A pool of connections to the scheme and authority of `origin`, which open through
    /// `connector`.
    pub(super) fn new(connector: Connector, tls: Tls, origin: http::Uri) -> Self {
        let shared = Shared {
            connector,
            tls,
            origin,
            open: Mutex::default(),
            tasks: TaskTracker::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Sends what `make` makes; it is told whether over HTTP/2. With `fresh`, on a new connection.
    /// On a connection the answer's head has `limit`.
    pub(super) async fn send(
        &self,
        make: &impl Fn(bool) -> Request<UpstreamBody>,
        limit: Duration,
        fresh: bool,
    ) -> Result<Answered, Unanswered> {
        for _ in 0..if fresh { 0 } else { KEPT_TRIED } {
            let Some(way) = self.lock().take() else {
                break;
            };
            match way.send(make, self, limit).await {
                Err(Unanswered { unsent: true, .. }) => {}
                answered => return answered,
            }
        }
        // Boxed: rare, and with TLS and HTTP/2 in it ten times as large as all the rest of a request.
        let way = Box::pin(self.connect()).await;
        let way = way.map_err(|error| Unanswered {
            error: error.into(),
            unsent: true,
            stale: false,
        })?;
        way.send(make, self, limit).await
    }

    async fn connect(&self) -> Result<Way, ConnectError> {
        let Shared {
            connector,
            tls,
            origin,
            tasks,
            ..
        } = &*self.shared;
        let way = Way::over(connector.open(origin, tls).await?, tasks).await?;
        if let Way::Many(many) = &way {
            self.lock().shared.push(Multiplexed {
                many: many.clone(),
                used: Instant::now(),
            });
            self.sweep();
        }
        Ok(way)
    }

    /// Sees to it that connections nobody uses are closed although nobody comes by.
    fn sweep(&self) {
        if std::mem::replace(&mut self.lock().swept, true) {
            return;
        }
        let shared = Arc::downgrade(&self.shared);
        // Beyond a task's budget a closed connection looks like an open one.
        self.shared.tasks.spawn(coop::unconstrained(async move {
            loop {
                tokio::time::sleep(KEPT / 3).await;
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
                open.drop_old(Instant::now());
                open.drop_closed();
                if open.idle.is_empty() && open.shared.is_empty() {
                    open.swept = false;
                    return;
                }
            }
        }));
    }

    /// Puts a connection back whose answer has ended.
    pub(super) fn put_back(&self, mut one: One) {
        if one.is_free() {
            let since = Instant::now();
            self.lock().idle.push_back(Idle { one, since });
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
    /// A connection that was open when it was last looked at.
    fn take(&mut self) -> Option<Way> {
        let now = Instant::now();
        self.drop_old(now);
        let free = |multiplexed: &&mut Multiplexed| multiplexed.many.has_room();
        if let Some(multiplexed) = self.shared.iter_mut().find(free) {
            multiplexed.used = now;
            return Some(Way::Many(multiplexed.many.clone()));
        }
        // The last used one first, so that those nobody needs grow old.
        self.idle.pop_back().map(|idle| Way::One(idle.one))
    }

    /// Lets go of connections that nobody has used for long, and of shared ones that are closed.
    fn drop_old(&mut self, now: Instant) {
        let old = |since: Instant| since + KEPT <= now;
        while self.idle.front().is_some_and(|idle| old(idle.since)) {
            self.idle.pop_front();
        }
        self.shared.retain(|multiplexed| {
            let unused = multiplexed.many.streams() == 0;
            !(multiplexed.many.is_closed() || unused && old(multiplexed.used))
        });
    }

    /// Lets go of what the other side has closed.
    fn drop_closed(&mut self) {
        self.idle.retain_mut(|idle| idle.one.is_free());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::mpsc;

    use super::*;
    use crate::upstream::HttpClient;

    #[tokio::test(start_paused = true)]
    async fn what_the_other_side_has_closed_goes_with_the_next_sweep() {
        // More than a task's budget suffices to look at.
        const MANY: usize = 200;
        let (pool, mut dials) = pool();
        let far = answered_at_once(&pool, &mut dials, MANY).await;
        assert_eq!(pool.lock().idle.len(), MANY, "nobody has looked yet");
        drop(far);
        tokio::time::sleep(KEPT / 2).await;
        assert_eq!(pool.lock().idle.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn closed_connections_that_were_kept_cost_a_request_nothing() {
        for kept in [1, KEPT_TRIED, KEPT_TRIED + 1, 3 * KEPT_TRIED] {
            let (pool, mut dials) = pool();
            drop(answered_at_once(&pool, &mut dials, kept).await);
            assert_eq!(pool.lock().idle.len(), kept, "nobody has looked yet");
            answered_at_once(&pool, &mut dials, 1).await;
        }
    }

    /// A pool, and the other ends of the connections that it opens.
    fn pool() -> (Pool, mpsc::UnboundedReceiver<DuplexStream>) {
        let (dialled, dials) = mpsc::unbounded_channel();
        let connector = Connector::memory(move || {
            let (near, far) = duplex(1024);
            dialled.send(far).unwrap();
            Ok(near)
        });
        let client = HttpClient::new(connector).unwrap();
        let origin = http::Uri::from_static("http://upstream.test");
        (client.origin(&origin).pool, dials)
    }

    /// So many requests at a time, each on a new connection, and each answered. The other ends
    /// stay open for as long as they are held.
    async fn answered_at_once(
        pool: &Pool,
        dials: &mut mpsc::UnboundedReceiver<DuplexStream>,
        many: usize,
    ) -> Vec<DuplexStream> {
        let make = |_| Request::new(UpstreamBody::default());
        let requests = join_all((0..many).map(|_| pool.send(&make, KEPT, false)));
        let answers = async {
            let mut opened = Vec::new();
            for _ in 0..many {
                let mut far = dials.recv().await.unwrap();
                far.read_u8().await.unwrap();
                opened.push(far);
            }
            for far in &mut opened {
                far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                    .await
                    .unwrap();
            }
            opened
        };
        let (answered, opened) = tokio::join!(requests, answers);
        assert!(answered.iter().all(Result::is_ok));
        opened
    }
}
