//! An answer that has begun and of which nothing has gone to the client yet.
//!
//! `StreamAnswer::commit`, in `committed`, is the way on.

use std::sync::Arc;

use bytes::Bytes;

use super::heard::Heard;
use super::learning::Learning;
use crate::answer::{AnswerHead, Mender, Usage};
use crate::model::Candidate;
use crate::registry::Drawn;
use crate::request::Dropped;
use crate::sse::Framer;
use crate::telemetry::Attempt;
use crate::upstream::{AnswerBody, ConnectError};
use crate::verdict::Failure;

/// An answer that may still be let go of.
#[derive(Debug)]
pub enum Opened {
    /// Whole, and known to be a completion.
    Plain(PlainAnswer),
    /// A stream whose first useful event is here.
    Stream(Box<StreamAnswer>),
}

impl Opened {
    /// The model stopped at once and said nothing: another may have more to say.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.silent,
            Self::Stream(stream) => stream.silent,
        }
    }

    /// What its provider was not sent of the request (spec §10.6).
    #[must_use]
    pub fn dropped(&self) -> &Dropped {
        match self {
            Self::Plain(plain) => &plain.dropped,
            Self::Stream(stream) => &stream.dropped,
        }
    }

    /// The same, with what it has drawn from quotas: a whole answer settles that at once, a stream with
    /// its end.
    pub(super) fn with_drawn(mut self, mut drawn: Drawn) -> Self {
        match &mut self {
            Self::Plain(plain) => {
                drawn.answered(plain.usage, plain.body.len());
            }
            Self::Stream(stream) => stream.drawn = Some(drawn),
        }
        self
    }

    /// The same, with what it has taught until now: a whole answer ends that, a stream teaches more with
    /// its end.
    pub(super) fn teaching(mut self, mut learning: Learning, prompt_tokens: u64) -> Self {
        match &mut self {
            Self::Plain(_) => learning.plain_answer(),
            Self::Stream(stream) => {
                learning.first_event(prompt_tokens);
                stream.learning = Some(learning);
            }
        }
        self
    }

    /// The answer to a request from which this was left out.
    pub(super) fn without(mut self, dropped: Dropped) -> Self {
        match &mut self {
            Self::Plain(plain) => plain.dropped = dropped,
            Self::Stream(stream) => stream.dropped = dropped,
        }
        self
    }
}

/// What a walk has found.
#[derive(Debug)]
pub struct Answer {
    /// The answer.
    pub opened: Opened,
    /// The attempt that brought it, which ends with it; `None` where that was written down already.
    pub attempt: Option<Attempt>,
}

/// Why a model that was to be asked gives no answer.
pub(super) enum Unanswered {
    /// There was no connection: the model was never asked.
    Unreached(ConnectError),
    /// The attempt failed.
    Failed(Failure),
    /// It was ended, as its first token took too long (spec §11.3).
    Late(Failure),
}

/// A whole plain answer.
#[derive(Debug)]
pub struct PlainAnswer {
    /// Who gave it.
    pub candidate: Arc<Candidate>,
    /// Its headers.
    pub head: AnswerHead,
    /// Its JSON, as it came.
    pub body: Bytes,
    /// What it used, where it says so.
    pub usage: Usage,
    /// What its provider was not sent of the request.
    pub dropped: Dropped,
    /// It says nothing but `stop`.
    pub(super) silent: bool,
}

/// The beginning of a streamed answer.
#[derive(Debug)]
pub struct StreamAnswer {
    /// Who gives it.
    pub candidate: Arc<Candidate>,
    /// Its headers.
    pub head: AnswerHead,
    /// What its provider was not sent of the request.
    pub dropped: Dropped,
    pub(super) body: AnswerBody,
    pub(super) framer: Framer,
    /// What comes out of `framer` is mended by this, where its provider's answers have to be.
    pub(super) mender: Option<Box<Mender>>,
    /// All that came up to the first useful event, and that one: mended already.
    pub(super) held: Bytes,
    /// How many events are in it; the others are comments.
    pub(super) events: u64,
    /// The useful one has a finish reason.
    pub(super) finished: bool,
    /// It says nothing but `stop`.
    pub(super) silent: bool,
    /// What it used, where that is known before its end.
    pub(super) usage: Usage,
    /// What it has drawn from quotas.
    pub(super) drawn: Option<Drawn>,
    /// What its end teaches.
    pub(super) learning: Option<Learning>,
    /// What it is judged by from here on.
    pub(super) heard: Box<Heard>,
}
