//! One connection to the outside: a socket, or a pipe to a simulator in the same process.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;

/// A connection below TLS.
#[derive(Debug)]
pub struct Wire {
    io: Io,
    used: Used,
}

#[derive(Debug)]
enum Io {
    Socket(TokioIo<TcpStream>),
    Pipe(TokioIo<DuplexStream>),
}

/// Whether a connection has brought an answer before. One that dies on its next use had gone
/// stale in the pool, which is nobody's failure.
#[derive(Clone, Debug, Default)]
pub(super) struct Used(Arc<AtomicBool>);

impl Used {
    pub(super) fn mark(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_marked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl From<TokioIo<TcpStream>> for Wire {
    fn from(socket: TokioIo<TcpStream>) -> Self {
        Self {
            io: Io::Socket(socket),
            used: Used::default(),
        }
    }
}

impl From<DuplexStream> for Wire {
    fn from(pipe: DuplexStream) -> Self {
        Self {
            io: Io::Pipe(TokioIo::new(pipe)),
            used: Used::default(),
        }
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.used.clone())
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

impl hyper::rt::Read for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl hyper::rt::Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }
}
