//! The body that goes upstream: slices of the client's, with `model` set.

use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::json::Member;
use crate::model::ModelId;

/// OpenRouter's own routing fields: they would leave the free list behind our back (spec §3.1).
pub(super) const REMOVED: [&str; 2] = ["models", "route"];

/// The changes to a body, found while it is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Edits {
    /// The value of `model`, if there is one.
    model: Option<Range<usize>>,
    /// Where the first member starts.
    first: Option<usize>,
    /// The members to leave out, each with the comma that belongs to it.
    cuts: Vec<Range<usize>>,
    /// The end of the last member that stays, and whether one precedes the current member.
    kept_end: Option<usize>,
    /// A cut at the front, waiting for the start of the first member that stays.
    leading: Option<usize>,
}

impl Edits {
    /// Looks at the next member.
    pub(super) fn see(&mut self, member: &Member<'_>) {
        self.first.get_or_insert(member.start);
        if REMOVED.contains(&member.key.as_ref()) {
            match self.kept_end {
                // After a member that stays: the comma before it is removed too.
                Some(end) => self.cuts.push(end..member.end),
                None => self.leading = self.leading.or(Some(member.start)),
            }
            if let Some(end) = &mut self.kept_end {
                *end = member.end;
            }
            return;
        }
        if let Some(from) = self.leading.take() {
            self.cuts.push(from..member.start);
        }
        if member.key == "model" {
            self.model = Some(member.value_start..member.end);
        }
        self.kept_end = Some(member.end);
    }

    /// Cuts the body into what goes upstream. A body without any member has no `messages` and never
    /// gets here.
    pub(super) fn apply(&self, bytes: &Bytes, model: &ModelId) -> UpstreamBody {
        let mut parts = Vec::with_capacity(3 + self.cuts.len());
        let id = |around: [&str; 2]| Bytes::from([around[0], model.as_str(), around[1]].concat());
        let mut at = 0;
        let mut copy = |parts: &mut Vec<Bytes>, to: usize, next: usize| {
            if at < to {
                parts.push(bytes.slice(at..to));
            }
            at = next;
        };
        let set = match &self.model {
            Some(value) => (value.clone(), id(["\"", "\""])),
            None => {
                let first = self.first.unwrap_or(1);
                (first..first, id(["\"model\":\"", "\","]))
            }
        };
        let mut set = Some(set);
        for cut in self.cuts.iter().cloned().map(Some).chain([None]) {
            let from = cut.as_ref().map_or(bytes.len(), |cut| cut.start);
            if let Some((value, text)) = set.take_if(|(value, _)| value.start <= from) {
                copy(&mut parts, value.start, value.end);
                parts.push(text);
            }
            copy(&mut parts, from, cut.map_or(from, |cut| cut.end));
        }
        UpstreamBody::of(parts)
    }
}

/// A request body made of slices; cloning it copies nothing.
#[derive(Clone, Debug, Default)]
pub struct UpstreamBody {
    parts: Arc<[Bytes]>,
    sent: usize,
}

impl From<Bytes> for UpstreamBody {
    fn from(whole: Bytes) -> Self {
        Self {
            parts: [whole].into(),
            sent: 0,
        }
    }
}

impl UpstreamBody {
    /// The body made of these pieces.
    pub(super) fn of(parts: Vec<Bytes>) -> Self {
        Self {
            parts: parts.into(),
            sent: 0,
        }
    }

    fn left(&self) -> &[Bytes] {
        self.parts.get(self.sent..).unwrap_or_default()
    }
}

impl http_body::Body for UpstreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.left().first().cloned();
        self.sent += 1;
        Poll::Ready(next.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left().iter().map(|part| part.len() as u64).sum())
    }
}
