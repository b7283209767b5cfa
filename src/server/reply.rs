//! The body of an answer on its way to a client.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

use crate::attempt::Committed;
use crate::upstream::AnswerHead;

/// A body that is made while it goes out.
pub(super) trait Flow: Send {
    /// The next bytes; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

impl Flow for Committed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Committed::poll_next(self, cx)
    }
}

/// The body of an answer; when it is dropped, the answer has ended.
pub(super) struct ReplyBody {
    kind: Kind,
    /// Told when the answer has ended, however it did.
    _end: Option<Box<dyn Send>>,
}

enum Kind {
    Full(Bytes),
    Flowing(Box<dyn Flow>),
}

impl ReplyBody {
    pub(super) fn full(bytes: impl Into<Bytes>) -> Self {
        Self {
            kind: Kind::Full(bytes.into()),
            _end: None,
        }
    }

    pub(super) fn flowing(flow: impl Flow + 'static) -> Self {
        Self {
            kind: Kind::Flowing(Box::new(flow)),
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
            Kind::Flowing(flow) => flow.poll_next(cx),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Flowing(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Flowing(_) => SizeHint::default(),
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

/// Puts back what comes back of the upstream's headers; `usual` is the content type where it
/// named none.
pub(super) fn head(headers: &mut HeaderMap, answer: &AnswerHead, usual: &'static str) {
    let usual = || HeaderValue::from_static(usual);
    headers.insert(
        CONTENT_TYPE,
        answer.content_type.clone().unwrap_or_else(usual),
    );
    let generation_id = answer.generation_id.clone();
    headers.extend(generation_id.map(|id| (HeaderName::from_static("x-generation-id"), id)));
}
