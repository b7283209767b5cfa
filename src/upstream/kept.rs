//! The idle connections to one origin.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::coop;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::connection::{Connection, Http1, Http2};

/// How long an unused connection is kept; servers close theirs after a minute or so.
pub(super) const KEPT: Duration = Duration::from_secs(90);

/// The open connections. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Kept {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// A std lock, held to take a connection or to put one back.
    open: Mutex<Open>,
    /// Owns the task that looks for old ones.
    tasks: TaskTracker,
}

#[derive(Default)]
struct Open {
    /// HTTP/1.1 connections without a request, the most recently used at the end.
    idle: VecDeque<Idle>,
    /// HTTP/2 connections.
    shared: Vec<Multiplexed>,
    /// A task looks for old ones from time to time.
    swept: bool,
}

struct Idle {
    http1: Http1,
    since: Instant,
}

struct Multiplexed {
    http2: Http2,
    used: Instant,
}

impl Kept {
    /// A connection that was open when last checked.
    pub(super) fn take(&self) -> Option<Connection> {
        self.lock().take()
    }

    /// Shares a connection that has just opened.
    pub(super) fn share(&self, http2: Http2) {
        let used = Instant::now();
        self.lock().shared.push(Multiplexed { http2, used });
        self.sweep();
    }

    /// How many idle HTTP/1.1 connections there are.
    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.lock().idle.len()
    }

    /// Ensures that unused connections are closed even if there are no more requests.
    fn sweep(&self) {
        if std::mem::replace(&mut self.lock().swept, true) {
            return;
        }
        let shared = Arc::downgrade(&self.shared);
        // Once a task's budget is spent, a closed connection looks like an open one.
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

    /// Puts back a connection whose answer has ended.
    pub(super) fn put_back(&self, mut http1: Http1) {
        if http1.is_free() {
            let since = Instant::now();
            self.lock().idle.push_back(Idle { http1, since });
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
    /// A connection that was open when last checked.
    fn take(&mut self) -> Option<Connection> {
        let now = Instant::now();
        self.drop_old(now);
        let free = |multiplexed: &&mut Multiplexed| multiplexed.http2.has_room();
        if let Some(multiplexed) = self.shared.iter_mut().find(free) {
            multiplexed.used = now;
            return Some(Connection::Http2(multiplexed.http2.clone()));
        }
        // The most recently used first, so that surplus ones grow old.
        self.idle
            .pop_back()
            .map(|idle| Connection::Http1(idle.http1))
    }

    /// Drops connections that have not been used for long, and shared ones that are closed.
    fn drop_old(&mut self, now: Instant) {
        let old = |since: Instant| since + KEPT <= now;
        while self.idle.front().is_some_and(|idle| old(idle.since)) {
            self.idle.pop_front();
        }
        self.shared.retain(|multiplexed| {
            let unused = multiplexed.http2.streams() == 0;
            !(multiplexed.http2.is_closed() || unused && old(multiplexed.used))
        });
    }

    /// Drops what the other side has closed.
    fn drop_closed(&mut self) {
        self.idle.retain_mut(|idle| idle.http1.is_free());
    }
}
