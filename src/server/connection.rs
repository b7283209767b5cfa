//! One client connection: a socket under hyper that knows which phase the connection is in.
//!
//! hyper's own header timer cannot tell an idle connection from a slow head, and its own error
//! answers are empty. Both are fixed here, below hyper: the limits of spec §6 hold for every phase,
//! and bytes that are not a request get the usual error shape too.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderValue, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::access::dress;
use super::error::ProxyError;
use super::phases::{BUSY, FLUSHING, HEAD, IDLE, Phases};
use super::request_id;
use crate::config::{AllowOrigins, Limits};

/// How long a peer may go on sending what will not be read, so that it can read our answer before
/// its connection is reset.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// How far to read ahead in order to notice a peer that leaves: enough for a next request, unless
/// that is large.
const READ_AHEAD: usize = 256 * 1024;

/// hyper's answer to a head that is too large, and to a length that does not fit any number.
const TOO_LARGE: StatusCode = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;

/// Within [`BUSY`]: the request's body is awaited. Only the timer treats it as a phase.
const BODY: u8 = u8::MAX - 1;

/// No phase: the timer is not running.
const NONE: u8 = u8::MAX;

/// The socket that hyper gets.
pub(super) struct Guarded<S> {
    socket: S,
    phases: Phases,
    /// The phase that `timer` was set for.
    timed: u8,
    timer: Pin<Box<Sleep>>,
    idle: Duration,
    header: Duration,
    body: Duration,
    max_body_bytes: usize,
    /// Read from the socket, but not yet by hyper.
    ahead: BytesMut,
    /// hyper has been waiting for more to read since it last flushed, so it would notice the peer
    /// leaving.
    awaited: bool,
    /// Part of an answer has been written, and more may follow: the next write does not start a new
    /// one.
    mid_answer: bool,
    /// Our answer, sent instead of one of hyper's.
    instead: Bytes,
    /// When the peer last accepted some of what is written.
    taken: Instant,
    /// Runs while the peer accepts nothing of what is written.
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: bool,
    cors: AllowOrigins,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Guarded<S> {
    pub(super) fn new(socket: S, phases: Phases, limits: &Limits, cors: &AllowOrigins) -> Self {
        let timer = Box::pin(sleep_until(Instant::now() + limits.idle_timeout));
        Self {
            socket,
            phases,
            timed: IDLE,
            timer,
            idle: limits.idle_timeout,
            header: limits.header_timeout,
            body: limits.body_idle_timeout,
            max_body_bytes: limits.max_body_bytes,
            ahead: BytesMut::new(),
            awaited: false,
            mid_answer: false,
            instead: Bytes::new(),
            taken: Instant::now(),
            stalled: None,
            lingering: false,
            cors: cors.clone(),
        }
    }

    /// Ready once the connection has been idle, in a head, or silent in a body for too long.
    fn poll_timer(&mut self, cx: &mut Context<'_>, phase: u8) -> Poll<()> {
        if self.timed != phase {
            self.timed = phase;
            let limit = match phase {
                HEAD => self.header,
                BODY => self.body,
                _ => self.idle,
            };
            let now = Instant::now();
            if phase == IDLE {
                self.phases.idles(now);
            }
            self.timer.as_mut().reset(now + limit);
        }
        ready!(self.timer.as_mut().poll(cx));
        // A slow reader of a long answer is not idle.
        let due = self.taken + self.idle;
        if phase == IDLE && due > Instant::now() {
            self.timer.as_mut().reset(due);
            return self.timer.as_mut().poll(cx);
        }
        Poll::Ready(())
    }

    /// Cuts off a peer that has accepted nothing for as long as a connection may be idle: it would
    /// keep an upstream busy for no one.
    fn watch_writes(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.mid_answer = true;
            self.stalled = None;
            self.taken = Instant::now();
            return written;
        }
        let idle = self.idle;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(idle)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads the next bytes into `buf`, starting with what was read ahead.
    fn poll_socket(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buf);
        }
        let some = self.ahead.split_to(self.ahead.len().min(buf.remaining()));
        buf.put_slice(&some);
        Poll::Ready(Ok(()))
    }

    /// hyper does not notice a peer that leaves while it holds bytes of a next request (or a stray
    /// line end), so that is checked here by reading a little ahead.
    fn notice_leaving(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if std::mem::take(&mut self.awaited) {
            return Ok(());
        }
        let mut scratch = [0_u8; 1024];
        // Until nothing more is available: only then will the next bytes, or the end, wake us.
        while self.ahead.len() < READ_AHEAD {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.socket).poll_read(cx, &mut buf)? {
                Poll::Ready(()) if buf.filled().is_empty() => {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Poll::Ready(()) => self.ahead.extend_from_slice(buf.filled()),
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether this write could be an answer of hyper's own: it starts one, and no request is being
    /// answered.
    fn may_be_hypers_own(&self) -> bool {
        !self.mid_answer && self.phases.get() != BUSY
    }

    /// Sends one of our error answers instead of hyper's.
    fn say_instead(&mut self, error: &ProxyError) {
        self.instead = in_bytes(error, self.phases.origin().as_ref(), &self.cors);
        self.phases.body_left_unread();
    }

    /// Writes out what replaces hyper's answer.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let n = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.instead))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.advance(n);
        }
        Poll::Ready(Ok(()))
    }
}

/// An error as raw bytes, for where hyper does not write it.
pub(super) fn in_bytes(
    error: &ProxyError,
    origin: Option<&HeaderValue>,
    cors: &AllowOrigins,
) -> Bytes {
    let mut response = error.response();
    dress(response.headers_mut(), origin, cors, &request_id());
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    let body = error.body();
    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
    bytes.extend_from_slice(&body);
    bytes.into()
}

/// The status of an answer made by hyper itself: its error answers have no `x-request-id`.
fn hypers_own(bytes: &[u8]) -> Option<StatusCode> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let status = StatusCode::from_bytes(status)
        .ok()
        .filter(StatusCode::is_client_error)?;
    memchr::memmem::find(bytes, b"x-request-id")
        .is_none()
        .then_some(status)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let phase = this.phases.get();
        let before = buf.filled().len();
        let read = this.poll_socket(cx, buf)?;
        this.awaited = read.is_pending();
        if read.is_ready() {
            if this.timed == BODY {
                this.timed = NONE;
            }
            let bytes = buf.filled().get(before..).unwrap_or_default();
            if phase != BUSY && !bytes.is_empty() {
                this.phases.keep_head(bytes, phase != HEAD);
                this.phases.in_head();
                if phase != HEAD {
                    this.timed = NONE;
                }
            }
            return Poll::Ready(Ok(()));
        }
        if phase == BUSY || phase == FLUSHING {
            if this.timed != BODY {
                this.timed = NONE;
            }
            return Poll::Pending;
        }
        // What has already arrived is still answered.
        if this.phases.is_draining() || (phase == IDLE && this.phases.is_dismissed()) {
            return Poll::Ready(Ok(()));
        }
        ready!(this.poll_timer(cx, phase));
        if phase == HEAD && this.instead.is_empty() {
            this.say_instead(&ProxyError::RequestTimeout);
            // If the peer does not read either, the connection is closed without a word.
            drop(this.poll_instead(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        if this.may_be_hypers_own()
            && let Some(status) = hypers_own(buf)
        {
            let limit = this.max_body_bytes;
            this.say_instead(
                &if status == TOO_LARGE && this.phases.declares_more_than(limit) {
                    ProxyError::TooLarge { limit }
                } else {
                    ProxyError::Malformed(status)
                },
            );
            if let Poll::Ready(Err(error)) = this.poll_instead(cx) {
                return Poll::Ready(Err(error));
            }
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.watch_writes(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.may_be_hypers_own() {
            let first = bufs.iter().find(|b| !b.is_empty()).map_or(&[][..], |b| b);
            if hypers_own(first).is_some() {
                return self.poll_write(cx, first);
            }
        }
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.watch_writes(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        ready!(Pin::new(&mut this.socket).poll_flush(cx))?;
        // hyper flushes the socket only when its own buffer is empty.
        this.mid_answer = false;
        if this.lingering {
            // The timer now belongs to the linger.
            return Poll::Ready(Ok(()));
        }
        let mut phase = this.phases.get();
        if phase == BUSY {
            if !this.phases.is_receiving() {
                this.notice_leaving(cx)?;
                return Poll::Ready(Ok(()));
            }
            // hyper itself reads the rest, or the end, of an awaited body. The timer is set here
            // and not where bytes are read: hyper may have looked for bytes before the service
            // wanted any, and does not look again until there are some.
            if this.poll_timer(cx, BODY).is_ready() {
                this.phases.body_is_late();
                cx.waker().wake_by_ref();
            }
            return Poll::Ready(Ok(()));
        }
        if phase == FLUSHING {
            phase = this.phases.flushed();
        }
        // hyper does not read again when an answer has ended, so the timer is set here; the next
        // read acts on it, or on a drain.
        let is_over = this.poll_timer(cx, phase).is_ready();
        let is_dismissed = phase == IDLE && this.phases.is_dismissed();
        if is_over || is_dismissed || this.phases.is_draining() {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.lingering {
            // A peer that accepts nothing more gets nothing more.
            drop(this.poll_instead(cx));
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            if !this.phases.is_unread() || this.phases.is_draining() {
                return Poll::Ready(Ok(()));
            }
            this.lingering = true;
            this.timer.as_mut().reset(Instant::now() + LINGER);
        }
        let mut scratch = [0_u8; 16 * 1024];
        loop {
            if this.timer.as_mut().poll(cx).is_ready() || this.phases.is_draining() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.socket).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
