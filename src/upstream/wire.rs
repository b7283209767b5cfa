//! One connection to the outside: a socket, or a pipe to a simulator in the same process, with or
//! without TLS over it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection as HTTP sees it.
#[derive(Debug)]
pub(super) struct Wire {
    io: Io,
    past: Past,
}

#[derive(Debug)]
enum Io {
    Socket(TcpStream),
    Pipe(DuplexStream),
    SecureSocket(Box<TlsStream<TcpStream>>),
    SecurePipe(Box<TlsStream<DuplexStream>>),
}

/// The history of a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(Arc<Events>);

#[derive(Debug, Default)]
struct Events {
    served: AtomicBool,
    /// How often something was read: of HTTP, not of TLS, which sends a closing message on a
    /// connection that it closes.
    heard: AtomicU64,
}

impl Past {
    /// It has delivered an answer.
    pub(super) fn has_served(&self) {
        self.0.served.store(true, Ordering::Relaxed);
    }

    /// Whether it has delivered an answer before.
    pub(super) fn served(&self) -> bool {
        self.0.served.load(Ordering::Relaxed)
    }

    /// Comparing two values shows whether the other side has sent anything in between.
    pub(super) fn heard(&self) -> u64 {
        self.0.heard.load(Ordering::Relaxed)
    }
}

impl Wire {
    pub(super) fn past(&self) -> Past {
        self.past.clone()
    }

    /// Whether both sides have agreed on HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        let agreed = match &self.io {
            Io::Socket(_) | Io::Pipe(_) => None,
            Io::SecureSocket(tls) => tls.get_ref().1.alpn_protocol(),
            Io::SecurePipe(tls) => tls.get_ref().1.alpn_protocol(),
        };
        agreed == Some(b"h2")
    }
}

macro_rules! from {
    ($($io:ty, $value:ident => $made:expr;)*) => {$(
        impl From<$io> for Wire {
            fn from($value: $io) -> Self {
                Self { io: $made, past: Past::default() }
            }
        }
    )*};
}

from! {
    TcpStream, socket => Io::Socket(socket);
    DuplexStream, pipe => Io::Pipe(pipe);
    TlsStream<TcpStream>, tls => Io::SecureSocket(Box::new(tls));
    TlsStream<DuplexStream>, tls => Io::SecurePipe(Box::new(tls));
}

macro_rules! each {
    ($wire:expr, $io:ident => $call:expr) => {
        match &mut $wire.get_mut().io {
            Io::Socket($io) => $call,
            Io::Pipe($io) => $call,
            Io::SecureSocket($io) => $call,
            Io::SecurePipe($io) => $call,
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
            self.past.0.heard.fetch_add(1, Ordering::Relaxed);
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
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Socket(io) => io.is_write_vectored(),
            Io::Pipe(io) => io.is_write_vectored(),
            Io::SecureSocket(io) => io.is_write_vectored(),
            Io::SecurePipe(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
