//! Drives an HTTP/1.1 connection from within the task of the request that uses it.
//!
//! With a task of its own for each connection, every piece of an answer takes two more scheduler
//! turns, and an open stream is two tasks.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::task::coop;

use super::wire::Wire;
use crate::request::UpstreamBody;

/// How often a connection is driven within one turn of the task. What remains is left to the next
/// turn, so that other tasks get theirs.
const TURNS: u8 = 4;

/// The part of a connection that reads and writes.
pub(super) struct Driver {
    /// `None` once it has ended.
    connection: Option<Box<http1::Connection<TokioIo<Wire>, UpstreamBody>>>,
    called: Arc<Called>,
    /// Wakes `called`.
    waker: Waker,
}

/// Whether the connection needs to be driven.
#[derive(Default)]
struct Called {
    /// Since it was last driven.
    yes: AtomicBool,
    /// The task is running, and will see `yes` by itself.
    present: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // One order for both flags: of a call here and a departure there, one sees the other.
        self.yes.store(true, Ordering::SeqCst);
        if !self.present.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

impl Driver {
    pub(super) fn new(connection: http1::Connection<TokioIo<Wire>, UpstreamBody>) -> Self {
        let called = Arc::new(Called {
            yes: AtomicBool::new(true),
            ..Called::default()
        });
        let waker = Waker::from(Arc::clone(&called));
        Self {
            connection: Some(Box::new(connection)),
            called,
            waker,
        }
    }

    /// Drives the connection until `look` finds something in its output. There is no other source,
    /// so `look` needs no waker.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let quiet = &mut Context::from_waker(Waker::noop());
        self.called.task.register(cx.waker());
        self.called.present.store(true, Ordering::SeqCst);
        let mut found = look(quiet);
        for _ in 0..TURNS {
            if found.is_ready() || !self.drive() {
                break;
            }
            found = look(quiet);
        }
        self.called.present.store(false, Ordering::SeqCst);
        // Without budget `look` finds nothing, whatever there is.
        let again = self.called.yes.load(Ordering::SeqCst) || !coop::has_budget_remaining();
        if found.is_pending() && again {
            cx.waker().wake_by_ref();
        }
        found
    }

    /// Whether it is open, as far as is known now. What happens to it from here on wakes no task.
    pub(super) fn settles(&mut self) -> bool {
        drop(self.called.task.take());
        self.drive();
        self.connection.is_some()
    }

    /// Drives it if needed, and returns whether it was.
    fn drive(&mut self) -> bool {
        let wanted = self.called.yes.swap(false, Ordering::SeqCst);
        if wanted && let Some(connection) = &mut self.connection {
            let cx = &mut Context::from_waker(&self.waker);
            if Pin::new(connection).poll(cx).is_ready() {
                // What went wrong has been reported to the request, or is of no concern.
                self.connection = None;
            }
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future as _, poll_fn};
    use std::pin::pin;
    use std::time::Duration;

    use http::Request;
    use http_body_util::BodyExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;
    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::upstream::{Connector, HttpClient, Origin};

    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_found_although_the_tasks_budget_ends_with_it() {
        for left in 1..=8 {
            let (origin, _upstream) = upstream(64 * 1024, &[HEAD, "2\r\nHi\r\n"].concat());
            let mut sent =
                pin!(origin.send(|_| Request::new(UpstreamBody::default()), Duration::MAX));
            // A fresh turn, with the whole budget.
            tokio::task::yield_now().await;
            let answer = poll_fn(|cx| {
                spend_all_but(left);
                sent.as_mut().poll(cx)
            });
            let begun = Instant::now();
            let answer = timeout(Duration::from_secs(1), answer).await.unwrap();
            assert_eq!(answer.unwrap().response.status(), 200);
            assert_eq!(begun.elapsed(), Duration::ZERO, "{left}: not by the timer");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_upstream_costs_no_turns() {
        let begun = [HEAD, "2\r\nHi\r\n"].concat();
        #[rustfmt::skip]
        let rows = [
            // the upstream                 a pipe of   says
            ("does not read all",           16,         ""),
            ("reads, and says nothing",     64 * 1024,  ""),
            ("stops within the head",       64 * 1024,  "HTTP/1.1 200 OK\r\n"),
            ("stops after the head",        64 * 1024,  HEAD),
            ("stops within the body",       64 * 1024,  begun.as_str()),
        ];
        for (what, pipe, says) in rows {
            let (origin, _upstream) = upstream(pipe, says);
            let mut asked = pin!(async {
                let answer = origin.send(|_| Request::new(UpstreamBody::default()), Duration::MAX);
                let mut body = answer.await.unwrap().response.into_body();
                while body.frame().await.is_some() {}
            });
            let mut turns = 0;
            let counted = poll_fn(|cx| {
                turns += 1;
                assert!(turns < 16, "{what}");
                asked.as_mut().poll(cx)
            });
            let ended = timeout(Duration::from_secs(60), counted).await;
            assert!(ended.is_err(), "{what}");
        }
    }

    /// An upstream behind pipes of this size, which sends `says` at the first byte of a request, in
    /// one write, and then neither reads nor writes.
    fn upstream(pipe: usize, says: &str) -> (Origin, JoinSet<()>) {
        let (dialled, mut dials) = mpsc::unbounded_channel::<DuplexStream>();
        let connector = Connector::memory(move || {
            let (near, far) = duplex(pipe);
            dialled.send(far).unwrap();
            Ok(near)
        });
        let says = says.to_owned();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut far = dials.recv().await.unwrap();
            far.read_u8().await.unwrap();
            far.write_all(says.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let client = HttpClient::new(connector).unwrap();
        let origin = client.origin(&http::Uri::from_static("http://upstream.test"));
        (origin, tasks)
    }

    /// Spends this turn's budget until only this much is left.
    fn spend_all_but(left: usize) {
        const BUDGET: usize = 128;
        let quiet = &mut Context::from_waker(Waker::noop());
        for _ in left..BUDGET {
            assert!(pin!(coop::consume_budget()).poll(quiet).is_ready());
        }
    }
}
