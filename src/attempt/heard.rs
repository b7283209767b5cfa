//! What an answer is judged by, besides its body: the candidate, the request, and the answer's head.

use std::sync::Arc;

use http::header::DATE;
use http::{HeaderMap, Response};

use super::Account;
use super::asking::Asking;
use crate::answer::Mender;
use crate::clock::Now;
use crate::model::{Candidate, Wish};
use crate::provider::Asked;
use crate::request::{Endpoint, Routing};
use crate::upstream::AnswerBody;

/// What an answer is judged by, besides its body.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) candidate: Arc<Candidate>,
    pub(super) account: Arc<Account>,
    pub(super) routing: Routing,
    pub(super) wish: Wish,
    pub(super) endpoint: Endpoint,
    /// What missing ids are made of; `None` if its provider's answers need no mending.
    mends: Option<Arc<str>>,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// When its head arrived, which is the moment its `Date` refers to.
    pub(super) at: Now,
}

impl Heard {
    pub(super) fn new(asking: Asking<'_>, response: Response<AnswerBody>) -> (Self, AnswerBody) {
        let Asking {
            candidate,
            account,
            request,
            request_id,
            ..
        } = asking;
        let (head, body) = response.into_parts();
        let heard = Self {
            candidate: Arc::clone(candidate),
            account: Arc::clone(account),
            routing: account.routing_of(request),
            wish: request.asked.wish(),
            endpoint: request.endpoint,
            mends: (account.provider.mends && request.endpoint == Endpoint::Chat)
                .then(|| Arc::clone(request_id)),
            status: head.status.as_u16(),
            headers: head.headers,
            at: Now::read(),
        };
        (heard, body)
    }

    /// What was asked, for the verdict.
    pub(super) fn asked(&self) -> Asked<'_> {
        self.account.asked(&self.candidate.offer.id, self.routing)
    }

    /// Mends the answer from its beginning on; `None` if it is passed on unchanged (spec §10.6).
    pub(super) fn mender(&self) -> Option<Box<Mender>> {
        let seed = self.mends.as_deref()?;
        Some(Box::new(Mender::new(seed)))
    }

    /// What still counts in mid-stream: the other headers were about the beginning.
    pub(super) fn in_mid_stream(self) -> Self {
        let date = self.headers.get(DATE).cloned();
        let headers = date.into_iter().map(|date| (DATE, date)).collect();
        Self { headers, ..self }
    }
}
