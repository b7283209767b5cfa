//! The body of an answer on its way to a client.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

use super::aloud::Aloud;
use crate::attempt::Committed;

/// The body of an answer; when it is dropped, the answer has ended.
pub(super) struct ReplyBody {
    kind: Kind,
    /// Told when the answer has ended, however it did.
    _end: Option<Box<dyn Send>>,
}

enum Kind {
    Full(Bytes),
    Stream(Box<Committed>),
    Aloud(Box<Aloud>),
}

impl ReplyBody {
    pub(super) fn full(bytes: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Full(bytes.into()),
            _end: None,
        }
    }

    pub(super) fn stream(committed: Committed) -> Self {
        Self {
            kind: Kind::Stream(Box::new(committed)),
            _end: None,
        }
    }

    pub(super) fn aloud(aloud: Aloud) -> Self {
        Self {
            kind: Kind::Aloud(Box::new(aloud)),
            _end: None,
        }
    }

    /// Keeps `guard` until the answer has ended.
    pub(super) fn until_end(self, guard: impl Send + 'static) -> Self {
        Self {
            _end: Some(Box::new(guard)),
            ..self
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut self.get_mut().kind {
            Kind::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(Some(std::mem::take(bytes))),
            Kind::Stream(committed) => committed.poll_next(cx),
            Kind::Aloud(aloud) => aloud.poll_next(cx),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Stream(_) | Kind::Aloud(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(_) | Kind::Aloud(_) => SizeHint::default(),
        }
    }
}

/// A 200 or another status with a JSON body.
pub(super) fn json(status: StatusCode, body: &serde_json::Value) -> Response<ReplyBody> {
    text(
        status,
        HeaderValue::from_static("application/json"),
        body.to_string(),
    )
}

/// An answer that is all there.
pub(super) fn text(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
