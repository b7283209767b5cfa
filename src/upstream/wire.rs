//! One connection to the outside: a socket, or a pipe to a simulator in the same process.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

/// A connection below TLS.
#[derive(Debug)]
pub struct Wire {
    io: Io,
    past: Past,
}

#[derive(Debug)]
enum Io {
    Socket(TcpStream),
    Pipe(DuplexStream),
}

/// What a connection has been through. One that served before and then dies in silence had
/// gone stale in the pool, which is nobody's failure.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(Arc<Events>);

#[derive(Debug, Default)]
struct Events {
    served: AtomicBool,
    /// Something was read since the last write.
    heard: AtomicBool,
}

impl Past {
    /// It has brought an answer.
    pub(super) fn has_served(&self) {
        self.0.served.store(true, Ordering::Relaxed);
    }

    /// Whether it served before, and said nothing to the last request.
    pub(super) fn is_stale(&self) -> bool {
        self.0.served.load(Ordering::Relaxed) && !self.0.heard.load(Ordering::Relaxed)
    }

    /// Whether it served before. Over HTTP/2 silence tells nothing: others write in between, and
    /// a server moves its windows on before it has looked at a request.
    pub(super) fn served(&self) -> bool {
        self.0.served.load(Ordering::Relaxed)
    }

    fn heard(&self, something: bool) {
        self.0.heard.store(something, Ordering::Relaxed);
    }
}

impl From<TcpStream> for Wire {
    fn from(socket: TcpStream) -> Self {
        Self {
            io: Io::Socket(socket),
            past: Past::default(),
        }
    }
}

impl From<DuplexStream> for Wire {
    fn from(pipe: DuplexStream) -> Self {
        Self {
            io: Io::Pipe(pipe),
            past: Past::default(),
        }
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.past.clone())
    }
}

macro_rules! each {
    ($wire:expr, $io:ident => $call:expr) => {
        match &mut $wire.get_mut().io {
            Io::Socket($io) => $call,
            Io::Pipe($io) => $call,
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = each!(self.as_mut(), io => Pin::new(io).poll_read(cx, buf));
        if buf.filled().len() > before {
            self.past.heard(true);
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.past.heard(false);
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.past.heard(false);
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
