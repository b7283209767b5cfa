//! The phase of one client connection, shared by the socket below hyper and the service above it.
//!
//! Facts and bookkeeping only: `connection` acts on them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use http::HeaderValue;
use tokio::time::Instant;

/// No connection keeps a head buffer larger than this from one request to the next.
const HEAD_KEPT: usize = 8 * 1024;

/// The end of a head.
const BLANK: &[u8] = b"\r\n\r\n";

/// Nothing of a next request has arrived.
pub(super) const IDLE: u8 = 0;
/// Part of a head has arrived.
pub(super) const HEAD: u8 = 1;
/// A request is being answered.
pub(super) const BUSY: u8 = 2;
/// The answer is complete, but not all of it has been written to the socket.
pub(super) const FLUSHING: u8 = 3;
/// The phase of one connection, shared by the socket below hyper and the service above it.
#[derive(Clone, Debug)]
pub(super) struct Phases(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: AtomicU8,
    /// Since when it has been idle, in nanoseconds of the process.
    idle_since: AtomicU64,
    /// Its place is needed for another connection.
    dismissed: AtomicBool,
    draining: AtomicBool,
    cut: AtomicBool,
    unread: AtomicBool,
    /// The body of the request is awaited.
    receiving: AtomicBool,
    /// It was awaited for too long.
    late: AtomicBool,
    /// `head` belongs to the next request.
    fresh: AtomicBool,
    /// A next head has begun in the bytes that hyper holds.
    pipelined: AtomicBool,
    /// The connection's task, woken to drain.
    task: AtomicWaker,
    /// The bytes of the head that is being read. A std lock, held for a copy.
    head: Mutex<Vec<u8>>,
}

impl Phases {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            phase: AtomicU8::new(IDLE),
            idle_since: AtomicU64::new(nanos(Instant::now())),
            dismissed: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            receiving: AtomicBool::new(false),
            late: AtomicBool::new(false),
            fresh: AtomicBool::new(false),
            pipelined: AtomicBool::new(false),
            task: AtomicWaker::new(),
            head: Mutex::new(Vec::new()),
        }))
    }

    /// Marks it as idle.
    pub(super) fn idles(&self, now: Instant) {
        self.0.idle_since.store(nanos(now), Ordering::Relaxed);
    }

    /// Since when it has been idle; `None` if it is not, or is about to be closed.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let is_idle = self.get() == IDLE && !self.is_dismissed();
        is_idle.then(|| self.0.idle_since.load(Ordering::Relaxed))
    }

    /// Closes it as soon as it is idle: at once, unless a request has just arrived.
    pub(super) fn dismiss(&self) {
        self.0.dismissed.store(true, Ordering::Relaxed);
        self.0.task.wake();
    }

    /// Whether it is to be closed as soon as it is idle.
    pub(super) fn is_dismissed(&self) -> bool {
        self.0.dismissed.load(Ordering::Relaxed)
    }

    /// A head is complete and its request is being answered, until the guard is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.0.phase.store(BUSY, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// The request's body is awaited as long as the guard lives.
    pub(super) fn receiving(&self) -> Receiving {
        self.0.late.store(false, Ordering::Relaxed);
        self.0.receiving.store(true, Ordering::Relaxed);
        Receiving(self.clone())
    }

    /// Whether a body is awaited.
    pub(super) fn is_receiving(&self) -> bool {
        self.0.receiving.load(Ordering::Relaxed)
    }

    /// Marks the body as late: the peer has been silent for too long within it.
    pub(super) fn body_is_late(&self) {
        self.0.late.store(true, Ordering::Relaxed);
    }

    /// Whether the body is late.
    pub(super) fn is_late(&self) -> bool {
        self.0.late.load(Ordering::Relaxed)
    }

    /// Notes that the answer goes out although the request's body was not read to its end.
    pub(super) fn body_left_unread(&self) {
        self.0.unread.store(true, Ordering::Relaxed);
    }

    /// From now on an idle or half-sent connection is closed.
    pub(super) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        self.0.task.wake();
    }

    /// Runs the connection so that it learns at once when it is to drain or is cut off.
    pub(super) async fn watched<T>(&self, mut connection: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|cx| {
            self.0.task.register(cx.waker());
            connection.as_mut().poll(cx)
        })
        .await
    }

    /// Runs something that belongs to the connection's task until it is done, or has to wait while
    /// `stop` holds.
    pub(super) async fn unless<T>(
        &self,
        stop: impl Fn(&Self) -> bool,
        mut work: impl Future<Output = T> + Unpin,
    ) -> Option<T> {
        poll_fn(|cx| match Pin::new(&mut work).poll(cx) {
            Poll::Pending if stop(self) => Poll::Ready(None),
            poll @ (Poll::Ready(_) | Poll::Pending) => poll.map(Some),
        })
        .await
    }

    /// The time for draining is over: what is open still ends properly, and at once.
    pub(super) fn cut(&self) {
        self.0.cut.store(true, Ordering::Relaxed);
        self.0.task.wake();
    }

    /// Whether what is open must end.
    pub(super) fn is_cut(&self) -> bool {
        self.0.cut.load(Ordering::Relaxed)
    }

    /// Whether the head of the current request had both `Content-Length` and `Transfer-Encoding`,
    /// of which hyper shows only one: two interpretations of where the request ends. A pipelined
    /// head was not seen here; hyper then closes the connection after it, which RFC 9112 §6.3
    /// allows as well.
    pub(super) fn is_ambiguous(&self) -> bool {
        let head = self.0.head.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.fresh.load(Ordering::Relaxed) && header(&head, b"content-length").is_some()
    }

    /// Whether the head declares a body longer than this, even one that does not fit any number.
    pub(super) fn declares_more_than(&self, limit: usize) -> bool {
        let head = self.0.head.lock().unwrap_or_else(PoisonError::into_inner);
        let length = header(&head, b"content-length")
            .unwrap_or_default()
            .trim_ascii();
        let number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
        number && declared(&head).is_none_or(|length| length > limit)
    }

    /// The `Origin` of the head that is being read, as far as it has arrived.
    pub(super) fn origin(&self) -> Option<HeaderValue> {
        let head = self.0.head.lock().unwrap_or_else(PoisonError::into_inner);
        HeaderValue::from_bytes(header(&head, b"origin")?.trim_ascii()).ok()
    }

    /// The head has been handled.
    pub(super) fn head_is_read(&self) {
        self.0.fresh.store(false, Ordering::Relaxed);
    }

    /// Whether the connection is to be closed as soon as it is not busy.
    pub(super) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// Whether a request's body was not read to its end.
    pub(super) fn is_unread(&self) -> bool {
        self.0.unread.load(Ordering::Relaxed)
    }

    /// The whole answer has been written to the socket; returns the phase that follows.
    pub(super) fn flushed(&self) -> u8 {
        let next = if self.0.pipelined.swap(false, Ordering::Relaxed) {
            HEAD
        } else {
            IDLE
        };
        self.0.phase.store(next, Ordering::Relaxed);
        next
    }

    /// Part of a head has arrived.
    pub(super) fn in_head(&self) {
        self.0.phase.store(HEAD, Ordering::Relaxed);
    }

    /// The current phase.
    pub(super) fn get(&self) -> u8 {
        self.0.phase.load(Ordering::Relaxed)
    }

    /// Keeps what arrives of a head, up to its blank line.
    pub(super) fn keep_head(&self, bytes: &[u8], new: bool) {
        let mut head = self.0.head.lock().unwrap_or_else(PoisonError::into_inner);
        if new {
            self.0.fresh.store(true, Ordering::Relaxed);
            head.clear();
            head.shrink_to(HEAD_KEPT);
        }
        // The blank line may begin in what came before. What follows it is body, perhaps a large
        // one, and is not copied.
        let before = head.len();
        let seam = before.saturating_sub(3);
        head.extend_from_slice(bytes.get(..3).unwrap_or(bytes));
        let end = match memchr::memmem::find(head.get(seam..).unwrap_or_default(), BLANK) {
            Some(at) => Some(seam + at),
            None => memchr::memmem::find(bytes, BLANK).map(|at| before + at),
        };
        head.truncate(before);
        let kept = end.map_or(bytes.len(), |end| end.saturating_sub(before));
        head.extend_from_slice(bytes.get(..kept).unwrap_or(bytes));
        if let Some(end) = end {
            let behind = before + bytes.len() - (end + BLANK.len());
            head.truncate(end);
            let chunked = header(&head, b"transfer-encoding").is_some();
            let pipelined = !chunked && behind > declared(&head).unwrap_or(0);
            self.0.pipelined.store(pipelined, Ordering::Relaxed);
        }
    }
}

fn nanos(now: Instant) -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let since = now.saturating_duration_since(*START);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The value of a header in the raw bytes of a head.
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = head;
    loop {
        let end = memchr::memchr(b'\n', rest);
        let line = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
        if line.get(name.len()) == Some(&b':')
            && let Some((start, value)) = line.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name)
        {
            return value.get(1..);
        }
        rest = rest.get(end? + 1..)?;
    }
}

/// The declared length of the body.
fn declared(head: &[u8]) -> Option<usize> {
    std::str::from_utf8(header(head, b"content-length")?)
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// A request is being answered as long as this lives.
#[derive(Debug)]
pub(super) struct Busy(Phases);

impl Busy {
    /// Whether the answer must end now.
    pub(super) fn is_cut(&self) -> bool {
        self.0.is_cut()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.phase.store(FLUSHING, Ordering::Relaxed);
    }
}

/// A request's body is awaited as long as this lives.
#[derive(Debug)]
pub(super) struct Receiving(Phases);

impl Drop for Receiving {
    fn drop(&mut self) {
        self.0.0.receiving.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_the_head_is_kept_wherever_the_bytes_are_cut() {
        let head = "POST / HTTP/1.1\r\nContent-Length: 5\r\nOrigin: x";
        for (behind, pipelined) in [("hello", false), ("helloGET", true), ("\r\n\r\n", false)] {
            let bytes = format!("{head}\r\n\r\n{behind}").into_bytes();
            for cut in 1..bytes.len() - behind.len() {
                let phases = Phases::new();
                let (first, second) = bytes.split_at(cut);
                phases.keep_head(first, true);
                phases.keep_head(second, false);
                let kept = phases.0.head.lock().unwrap().clone();
                assert_eq!(kept, head.as_bytes(), "cut at {cut}");
                let seen = phases.0.pipelined.load(Ordering::Relaxed);
                assert_eq!(seen, pipelined, "cut at {cut}");
            }
        }
    }
}
