//! An answer that has begun, with nothing sent to the client yet.
//!
//! `StreamAnswer::commit`, in `committed`, takes it from there.

use std::sync::Arc;

use bytes::Bytes;

use super::heard::Heard;
use super::learning::Learning;
use crate::answer::{AnswerHead, Mender, Usage};
use crate::model::Candidate;
use crate::registry::{Admitted, Drawn};
use crate::request::Dropped;
use crate::sse::Framer;
use crate::telemetry::Attempt;
use crate::upstream::{AnswerBody, ConnectError};
use crate::verdict::Failure;

/// An answer that can still be given up for another.
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

    /// What was left out of the request that its provider was sent (spec §10.6).
    #[must_use]
    pub fn dropped(&self) -> &Dropped {
        match self {
            Self::Plain(plain) => &plain.dropped,
            Self::Stream(stream) => &stream.dropped,
        }
    }

    /// The same, with what it has drawn from quotas: a plain answer settles that at once, a stream when it
    /// ends.
    pub(super) fn with_drawn(mut self, mut drawn: Drawn) -> Self {
        match &mut self {
            Self::Plain(plain) => {
                drawn.answered(plain.usage, plain.body.len());
            }
            Self::Stream(stream) => stream.drawn = Some(drawn),
        }
        self
    }

    /// The same, which was held back and is now the request's answer: what it uses, its client has used too.
    pub(super) fn answers(mut self, client: Admitted) -> Self {
        match &mut self {
            Self::Plain(plain) => client.answered(plain.usage, plain.body.len()),
            Self::Stream(stream) => {
                stream.drawn = stream.drawn.take().map(|drawn| drawn.answers(client));
            }
        }
        self
    }

    /// The same, with what it has taught so far: a plain answer completes that, a stream teaches more when it
    /// ends.
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

    /// The same, with what was left out of its request.
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
    /// The attempt that brought it, which ends with it; `None` if it is recorded already.
    pub attempt: Option<Attempt>,
}

/// Why a candidate gives no answer.
pub(super) enum Unanswered {
    /// There was no connection: the model was never asked.
    Unreached(ConnectError),
    /// The attempt failed.
    Failed(Failure),
    /// It was ended because its first token took too long (spec §11.3).
    Late(Failure),
}

/// A whole plain answer.
#[derive(Debug)]
pub struct PlainAnswer {
    /// The candidate that gave it.
    pub candidate: Arc<Candidate>,
    /// Its headers.
    pub head: AnswerHead,
    /// Its body, which is JSON.
    pub body: Bytes,
    /// What it used, if it says so.
    pub usage: Usage,
    /// What its provider was not sent of the request.
    pub dropped: Dropped,
    /// It says nothing but `stop`.
    pub(super) silent: bool,
}

/// The beginning of a streamed answer.
#[derive(Debug)]
pub struct StreamAnswer {
    /// The candidate that gives it.
    pub candidate: Arc<Candidate>,
    /// Its headers.
    pub head: AnswerHead,
    /// What its provider was not sent of the request.
    pub dropped: Dropped,
    pub(super) body: AnswerBody,
    pub(super) framer: Framer,
    /// Mends what comes out of `framer`, if its provider's answers need it.
    pub(super) mender: Option<Box<Mender>>,
    /// Everything up to and including the first useful event, mended already.
    pub(super) held: Bytes,
    /// How many events it holds; the rest are comments.
    pub(super) events: u64,
    /// Whether the useful event has a finish reason.
    pub(super) finished: bool,
    /// It says nothing but `stop`.
    pub(super) silent: bool,
    /// What it used, if that is known before its end.
    pub(super) usage: Usage,
    /// What it has drawn from quotas.
    pub(super) drawn: Option<Drawn>,
    /// What its end teaches.
    pub(super) learning: Option<Learning>,
    /// What it is judged by from here on.
    pub(super) heard: Box<Heard>,
}
