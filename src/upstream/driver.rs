//! Drives an HTTP/1.1 connection from within the task of the request that has it.
//!
//! With a task of its own for each connection, every piece of an answer is two more turns of the
//! scheduler, and an open stream is two tasks.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use hyper::client::conn::http1;
use hyper_rustls::HttpsConnector;
use tower_service::Service;

use super::connect::Connector;
use crate::request::UpstreamBody;

/// What a connector opens.
type Io = <HttpsConnector<Connector> as Service<http::Uri>>::Response;

/// How often a connection is driven within one turn of the task. What it has then is the next
/// turn's, so that others have theirs.
const TURNS: u8 = 4;

/// The part of a connection that reads and writes.
pub(super) struct Driver {
    /// `None` once it has ended.
    connection: Option<Box<http1::Connection<Io, UpstreamBody>>>,
    called: Arc<Called>,
    /// Wakes `called`.
    waker: Waker,
}

/// Whether the connection wants to be driven.
#[derive(Default)]
struct Called {
    /// Since it was last driven.
    yes: AtomicBool,
    /// The task is at it, and will see `yes` by itself.
    present: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // One order for both flags: of who calls here and who leaves there, one sees the other.
        self.yes.store(true, Ordering::SeqCst);
        if !self.present.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

impl Driver {
    pub(super) fn new(connection: http1::Connection<Io, UpstreamBody>) -> Self {
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

    /// Drives the connection until `look` finds something in what comes of it. Nothing comes
    /// otherwise, so `look` needs to wake nobody.
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
        if found.is_pending() && self.called.yes.load(Ordering::SeqCst) {
            cx.waker().wake_by_ref();
        }
        found
    }

    /// Whether it is open, of what is known now. Nobody is woken by what happens to it from here.
    pub(super) fn settles(&mut self) -> bool {
        drop(self.called.task.take());
        self.drive();
        self.connection.is_some()
    }

    /// Drives it, if it wants to be, and answers whether it did.
    fn drive(&mut self) -> bool {
        let wanted = self.called.yes.swap(false, Ordering::SeqCst);
        if wanted && let Some(connection) = &mut self.connection {
            let cx = &mut Context::from_waker(&self.waker);
            if Pin::new(connection).poll(cx).is_ready() {
                // What went wrong has been said to the request, or concerns nobody.
                self.connection = None;
            }
        }
        wanted
    }
}
