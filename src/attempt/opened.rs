//! An answer that has begun and of which nothing has gone to the client yet.
//!
//! `StreamAnswer::commit`, in `committed`, is the way on.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Incoming;

use crate::model::Model;
use crate::sse::Framer;

/// An answer that may still be let go of.
#[derive(Debug)]
pub enum Opened {
    /// Whole, and known to be a completion.
    Plain(PlainAnswer),
    /// A stream whose first useful event is here.
    Stream(StreamAnswer),
}

/// What comes back of the upstream's headers (spec §9.7).
#[derive(Clone, Debug, Default)]
pub struct AnswerHead {
    /// `Content-Type`.
    pub content_type: Option<HeaderValue>,
    /// `X-Generation-Id`.
    pub generation_id: Option<HeaderValue>,
}

/// OpenRouter's id of an answer.
pub(super) const GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");

impl AnswerHead {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            content_type: headers.get(CONTENT_TYPE).cloned(),
            generation_id: headers.get(GENERATION_ID).cloned(),
        }
    }
}

/// A whole plain answer.
#[derive(Debug)]
pub struct PlainAnswer {
    /// Who gave it.
    pub model: Arc<Model>,
    /// Its headers.
    pub head: AnswerHead,
    /// Its JSON, as it came.
    pub body: Bytes,
}

/// The beginning of a streamed answer.
#[derive(Debug)]
pub struct StreamAnswer {
    /// Who gives it.
    pub model: Arc<Model>,
    /// Its headers.
    pub head: AnswerHead,
    pub(super) body: Incoming,
    pub(super) framer: Framer,
    /// The events up to the first useful one.
    pub(super) held: VecDeque<Bytes>,
    /// The useful one has a finish reason.
    pub(super) finished: bool,
}
