//! How long to wait for a stream's candidate while others could be asked (spec §11.3).

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

use super::opened::{Opened, Unanswered};
use super::progress::Progress;
use super::walk::{BYTES_PER_TOKEN, Walker};
use crate::clock::Now;
use crate::learnt::{FirstTokenLimit, Order, first_token_limit};
use crate::model::Candidate;
use crate::registry::{Knowledge, Snapshot};
use crate::request::ChatRequest;
use crate::select::next;
use crate::verdict::{Cause, Failure, Rest};

impl Walker {
    /// How long this candidate has until its first useful event; `None` if only `UPSTREAM_TIMEOUT_SEC` limits
    /// it.
    pub(super) fn patience(
        &self,
        snapshot: Option<&Snapshot>,
        candidate: &Candidate,
        request: &ChatRequest,
        progress: &Progress,
    ) -> Option<Duration> {
        if self.order(request) == Order::Rank || !request.stream || progress.has_ended_one {
            return None;
        }
        let provider = &self.keyring(&candidate.account)?.under(None).provider;
        let most = self.times.at(provider).first_event;
        let tokens = request.needs.prompt_bytes() / BYTES_PER_TOKEN;
        let now = Now::read();
        let limit = snapshot?.evidences().with(candidate.index, |evidence| {
            first_token_limit(evidence, tokens, most, &self.learning, now)
        });
        (limit < most).then_some(limit)
    }

    /// Waits for an answer up to `limit` from the moment its request was `sent`. After that it gives up if the
    /// attempt may end so, and goes on waiting if not. What is `asked` stays where it is: moved, it would take
    /// its room in a walk's future several times.
    pub(super) async fn within(
        &self,
        limit: Option<Duration>,
        mut asked: Pin<&mut impl Future<Output = Result<Opened, Unanswered>>>,
        sent: &Notify,
        may_end: impl FnOnce() -> bool,
    ) -> Result<Opened, Unanswered> {
        let Some(limit) = limit else {
            return asked.await;
        };
        let over = async {
            sent.notified().await;
            sleep(limit).await;
        };
        tokio::select! {
            biased;
            answered = &mut asked => return answered,
            () = over => {}
        }
        if !may_end() {
            return asked.await;
        }
        Err(Unanswered::Late(Failure {
            rest: Rest::None,
            ..self.rules.broken(None, Cause::Late)
        }))
    }

    /// Whether its limit may end an attempt at this candidate now: another candidate is awake and could be
    /// asked in time, and its account has enough of its day left to waste a request.
    pub(super) fn may_end(
        &self,
        snapshot: Option<&Snapshot>,
        candidate: &Candidate,
        request: &ChatRequest,
        progress: &Progress,
        deadline: Instant,
    ) -> bool {
        let is_out_of_tries = progress.attempts >= self.max_attempts || Now::steady() >= deadline;
        let wants = self.wants(request, progress);
        let limit = |known: &Knowledge, now| {
            let slot = snapshot.and_then(|snapshot| snapshot.slot(candidate));
            let other = next(snapshot, wants, known, now).candidate();
            FirstTokenLimit {
                is_streamed: request.stream,
                has_ended_one: progress.has_ended_one,
                is_last: is_out_of_tries
                    || other.is_none_or(|other| known.is_unreached(other.provider(), now)),
                day_left: slot.and_then(|slot| known.ledger.day_left(slot, now)),
            }
        };
        self.registry.with_known_now(limit).applies()
    }
}
