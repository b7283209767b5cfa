//! The body of an answer on its way to a client.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

use super::phases::Busy;
use crate::answer::AnswerHead;

/// A body that is produced while it is sent.
pub(super) trait Flow: Send {
    /// The next bytes; `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;

    /// Ends it with what the client should still read; no effect once it has ended.
    fn cut(&mut self);
}

/// The body of an answer; dropping it means that the answer has ended.
pub(super) struct ReplyBody {
    content: Content,
    /// Released when the answer has ended, however it did; says when it must end.
    busy: Option<Busy>,
}

enum Content {
    Full(Bytes),
    Flowing(Box<dyn Flow>),
}

impl ReplyBody {
    pub(super) fn full(bytes: impl Into<Bytes>) -> Self {
        Self {
            content: Content::Full(bytes.into()),
            busy: None,
        }
    }

    pub(super) fn flowing(flow: impl Flow + 'static) -> Self {
        Self {
            content: Content::Flowing(Box::new(flow)),
            busy: None,
        }
    }

    /// Replaces the bytes of a body that is complete.
    pub(super) fn map_full(self, change: impl FnOnce(&Bytes) -> Bytes) -> Self {
        let content = match self.content {
            Content::Full(bytes) => Content::Full(change(&bytes)),
            flowing @ Content::Flowing(_) => flowing,
        };
        Self { content, ..self }
    }

    /// Keeps `busy` until the answer has ended.
    pub(super) fn until_end(self, busy: Busy) -> Self {
        Self {
            busy: Some(busy),
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
        let this = self.get_mut();
        let next = match &mut this.content {
            Content::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Full(bytes) => Poll::Ready(Some(std::mem::take(bytes))),
            Content::Flowing(flow) => {
                if this.busy.as_ref().is_some_and(Busy::is_cut) {
                    flow.cut();
                }
                flow.poll_next(cx)
            }
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Full(bytes) => bytes.is_empty(),
            Content::Flowing(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Flowing(_) => SizeHint::default(),
        }
    }
}

/// An answer with room for the headers that every answer gets.
pub(super) fn with_room(body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    *response.headers_mut() = HeaderMap::with_capacity(12);
    response
}

/// A 200 or another status with a JSON body.
pub(super) fn json(status: StatusCode, body: &serde_json::Value) -> Response<ReplyBody> {
    text(
        status,
        HeaderValue::from_static("application/json"),
        body.to_string(),
    )
}

/// An answer with a complete body.
pub(super) fn text(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<ReplyBody> {
    let mut response = with_room(ReplyBody::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Copies the upstream headers that are passed on; `usual` is the content type if it named none.
pub(super) fn head(headers: &mut HeaderMap, answer: &AnswerHead, usual: &'static str) {
    let usual = || HeaderValue::from_static(usual);
    headers.insert(
        CONTENT_TYPE,
        answer.content_type.clone().unwrap_or_else(usual),
    );
    let generation_id = answer.generation_id.clone();
    headers.extend(generation_id.map(|id| (HeaderName::from_static("x-generation-id"), id)));
}
