//! The connections to one origin, kept open from one request to the next.
//!
//! hyper's own connections, without the general pool of hyper-util: with one origin there is no key
//! to look up, a connection comes back with the last byte of its answer and not through a task of
//! its own, and over HTTP/2 a second connection is opened when one is full.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use tokio_util::task::TaskTracker;

use super::connect::{Connector, Tls};
use super::connection::Connection;
use super::kept::Kept;
use super::send::{Answered, Unanswered, send};
use super::unreachable::ConnectError;
use crate::request::UpstreamBody;

/// How many kept connections may turn out to be closed before a new one is opened.
const KEPT_TRIED: usize = 3;

/// The connections to one origin. Clones share them.
#[derive(Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    kept: Kept,
}

struct Shared {
    connector: Connector,
    tls: Tls,
    origin: http::Uri,
    /// Owns the connections' tasks.
    tasks: TaskTracker,
}

impl Pool {
    /// A pool of connections to the scheme and authority of `origin`, opened through `connector`.
    pub(super) fn new(connector: Connector, tls: Tls, origin: http::Uri) -> Self {
        let shared = Shared {
            connector,
            tls,
            origin,
            tasks: TaskTracker::new(),
        };
        Self {
            shared: Arc::new(shared),
            kept: Kept::default(),
        }
    }

    /// Sends what `make` builds, given whether it goes over HTTP/2. With `fresh`, on a new
    /// connection. Once there is a connection, the head of the answer may take `limit`.
    pub(super) async fn send(
        &self,
        make: &impl Fn(bool) -> Request<UpstreamBody>,
        limit: Duration,
        fresh: bool,
    ) -> Result<Answered, Unanswered> {
        for _ in 0..if fresh { 0 } else { KEPT_TRIED } {
            let Some(connection) = self.kept.take() else {
                break;
            };
            match send(connection, make, &self.kept, limit).await {
                Err(Unanswered { unsent: true, .. }) => {}
                answered => return answered,
            }
        }
        // Boxed: rare, and with TLS and HTTP/2 in it ten times as large as the rest of a request.
        let connected = Box::pin(self.connect()).await;
        let connection = connected.map_err(|error| Unanswered {
            error: error.into(),
            unsent: true,
            stale: false,
        })?;
        send(connection, make, &self.kept, limit).await
    }

    async fn connect(&self) -> Result<Connection, ConnectError> {
        let Shared {
            connector,
            tls,
            origin,
            tasks,
        } = &*self.shared;
        let wire = connector.open(origin, tls).await?;
        let connection = Connection::over(wire, tasks).await?;
        if let Connection::Http2(http2) = &connection {
            self.kept.share(http2.clone());
        }
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::mpsc;

    use super::*;
    use crate::upstream::HttpClient;
    use crate::upstream::kept::KEPT;

    #[tokio::test(start_paused = true)]
    async fn what_the_other_side_has_closed_goes_with_the_next_sweep() {
        // More than one task's budget allows to check.
        const MANY: usize = 200;
        let (pool, mut dials) = pool();
        let far = answered_at_once(&pool, &mut dials, MANY).await;
        assert_eq!(pool.kept.idle(), MANY, "not checked yet");
        drop(far);
        tokio::time::sleep(KEPT / 2).await;
        assert_eq!(pool.kept.idle(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn closed_connections_that_were_kept_cost_a_request_nothing() {
        for kept in [1, KEPT_TRIED, KEPT_TRIED + 1, 3 * KEPT_TRIED] {
            let (pool, mut dials) = pool();
            drop(answered_at_once(&pool, &mut dials, kept).await);
            assert_eq!(pool.kept.idle(), kept, "not checked yet");
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

    /// This many requests at a time, each on a new connection, and each answered. The other ends
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
