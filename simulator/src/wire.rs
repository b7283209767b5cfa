//! One HTTP/1.1 connection: reads whole requests, plays [`Act`]s, notices when the peer leaves.
//!
//! Written by hand because faults need control over every byte. It knows nothing of models or
//! scripts.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::act::Act;

const MAX_HEAD_BYTES: usize = 256 * 1024;
const MAX_HEADERS: usize = 256;
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;
/// How much a peer may send ahead while an answer is still being played.
const MAX_AHEAD_BYTES: usize = 64 * 1024;

/// A whole request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query, as sent.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// HTTP/1.1 or later: chunked answers are understood.
    pub(super) is_1_1: bool,
    /// Whether the peer wants to keep the connection open.
    pub(super) keep_alive: bool,
}

impl Request {
    /// The target without its query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// Why there is no further request.
#[derive(Debug)]
pub(super) enum NoRequest {
    /// The peer is gone, or never said anything.
    Gone,
    /// What it sent is not an HTTP request.
    Malformed(&'static str),
}

impl From<io::Error> for NoRequest {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// The peer left before the answer was complete.
#[derive(Debug)]
pub(super) struct Gone;

impl From<io::Error> for Gone {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// What happens to a connection once acts were played.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It may carry another request.
    Open,
    /// It is finished.
    Closed,
}

/// A connection, and what was read ahead on it.
pub(super) struct Connection<IO> {
    io: IO,
    ahead: BytesMut,
    /// Makes the coming drop a reset instead of an orderly end, if the transport can.
    arm_reset: fn(&IO),
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    pub(super) fn new(io: IO, arm_reset: fn(&IO)) -> Self {
        Self {
            io,
            ahead: BytesMut::new(),
            arm_reset,
        }
    }

    /// The next request with its whole body.
    pub(super) async fn request(&mut self) -> Result<Request, NoRequest> {
        let (mut request, length) = loop {
            if let Some((head, size)) = head(&self.ahead)? {
                self.ahead.advance(size);
                break head;
            }
            if self.ahead.len() > MAX_HEAD_BYTES {
                return Err(NoRequest::Malformed("the head is too long"));
            }
            self.more().await?;
        };
        if length != Length::Known(0) && request.headers.contains_key("expect") {
            self.io.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.body = match length {
            Length::Known(length) => self.exactly(length).await?,
            Length::Chunked => self.chunked().await?,
        };
        Ok(request)
    }

    /// Plays the acts. The peer is watched throughout: if it leaves, playing ends at once.
    pub(super) async fn play(&mut self, acts: &[Act]) -> Result<After, Gone> {
        for act in acts {
            match act {
                Act::Write(bytes) => self.write(bytes.clone()).await?,
                Act::Sleep(time) => self.watch(*time).await?,
                Act::Forever { bytes, every } => loop {
                    self.write(bytes.clone()).await?;
                    self.watch(*every).await?;
                },
                Act::Hang => loop {
                    self.watch(Duration::from_secs(86_400)).await?;
                },
                Act::Close => {
                    self.io.shutdown().await?;
                    return Ok(After::Closed);
                }
                Act::Reset => {
                    (self.arm_reset)(&self.io);
                    return Ok(After::Closed);
                }
            }
        }
        Ok(After::Open)
    }

    /// An orderly end, after everything has been sent.
    pub(super) async fn close(mut self) {
        // The peer may have closed first, which is just as good.
        drop(self.io.shutdown().await);
    }

    async fn more(&mut self) -> Result<(), NoRequest> {
        match self.io.read_buf(&mut self.ahead).await? {
            0 => Err(NoRequest::Gone),
            _ => Ok(()),
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Bytes, NoRequest> {
        if length > MAX_BODY_BYTES {
            return Err(NoRequest::Malformed("the body is too long"));
        }
        while self.ahead.len() < length {
            self.more().await?;
        }
        Ok(self.ahead.split_to(length).freeze())
    }

    async fn chunked(&mut self) -> Result<Bytes, NoRequest> {
        let mut body = BytesMut::new();
        loop {
            let size = loop {
                match httparse::parse_chunk_size(&self.ahead) {
                    Ok(httparse::Status::Complete((line, size))) => {
                        self.ahead.advance(line);
                        break usize::try_from(size).unwrap_or(usize::MAX);
                    }
                    Ok(httparse::Status::Partial) => self.more().await?,
                    Err(_) => return Err(NoRequest::Malformed("a chunk has no valid size")),
                }
            };
            if size > MAX_BODY_BYTES.saturating_sub(body.len()) {
                return Err(NoRequest::Malformed("the body is too long"));
            }
            // Trailers are not expected: the last chunk is followed by one empty line.
            let mut chunk = self.exactly(size.saturating_add(2)).await?;
            chunk.truncate(size);
            if size == 0 {
                return Ok(body.freeze());
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// Writes all of it. A peer that stopped reading is noticed when it closes.
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), Gone> {
        std::future::poll_fn(|cx| {
            while !bytes.is_empty() {
                match Pin::new(&mut self.io).poll_write(cx, &bytes) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Gone)),
                    Poll::Ready(Ok(written)) => bytes.advance(written),
                    Poll::Pending => return self.poll_gone(cx).map(Err),
                }
            }
            Pin::new(&mut self.io).poll_flush(cx).map_err(Gone::from)
        })
        .await
    }

    /// Waits, and returns early only when the peer leaves.
    async fn watch(&mut self, time: Duration) -> Result<(), Gone> {
        if time.is_zero() {
            return Ok(());
        }
        let gone = std::future::poll_fn(|cx| self.poll_gone(cx));
        match tokio::time::timeout(time, gone).await {
            Ok(gone) => Err(gone),
            Err(_elapsed) => Ok(()),
        }
    }

    /// Ready once the peer has closed. What it sends ahead is kept, up to a bound.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Gone> {
        let mut room = [0; 4096];
        while self.ahead.len() < MAX_AHEAD_BYTES {
            let mut buffer = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {
                    self.ahead.extend_from_slice(buffer.filled());
                }
                Ok(()) | Err(_) => return Poll::Ready(Gone),
            }
        }
        Poll::Pending
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
}

type Head = ((Request, Length), usize);

/// The head at the front of `bytes`, the length its body has, and its own length.
fn head(bytes: &[u8]) -> Result<Option<Head>, NoRequest> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let size = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(NoRequest::Malformed("the head is not HTTP/1")),
    };
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers: HeaderMap::with_capacity(parsed.headers.len()),
        body: Bytes::new(),
        is_1_1: parsed.version == Some(1),
        keep_alive: parsed.version == Some(1),
    };
    let mut length = Length::Known(0);
    for header in parsed.headers.iter() {
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(header.name.as_bytes()),
            HeaderValue::from_bytes(header.value),
        ) else {
            return Err(NoRequest::Malformed("a header is not valid"));
        };
        if name == http::header::CONTENT_LENGTH {
            let text = value.to_str().unwrap_or_default();
            length = Length::Known(
                text.parse()
                    .map_err(|_| NoRequest::Malformed("the length is no number"))?,
            );
        } else if name == http::header::TRANSFER_ENCODING {
            length = Length::Chunked;
        } else if name == http::header::CONNECTION {
            request.keep_alive = !value.as_bytes().eq_ignore_ascii_case(b"close");
        }
        request.headers.append(name, value);
    }
    Ok(Some(((request, length), size)))
}
