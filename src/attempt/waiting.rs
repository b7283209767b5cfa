//! Waiting for the first candidate to wake (spec §11.5).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Instant;

use super::choice::{With, choose};
use super::progress::Progress;
use super::walk::Walker;
use crate::clock::Now;
use crate::registry::{Knowledge, Look, Sight, Snapshot, Turn, Wait, Waiter};
use crate::request::ChatRequest;
use crate::select::{By, Next, Out, Preference, Wants, first_return, next, within_reach};
use crate::telemetry::RequestRecord;

impl Walker {
    /// No candidate can be asked now, or other requests come first: waits until it is the request's turn at a
    /// candidate that returns, if that is in time. A candidate that a quota ruled out may be asked once more.
    pub(super) async fn waits(
        &self,
        request: &ChatRequest,
        progress: &mut Progress,
        record: &mut RequestRecord,
        deadline: Instant,
    ) -> Option<Turn> {
        let wait = self.times.wait.unwrap_or_default();
        let until = record.started().checked_add(wait)?;
        let out = if Now::steady() < until {
            progress.out_for_good()
        } else {
            progress.out.clone()
        };
        let waiter = self.waiter(request, out.clone(), progress, (until, deadline));
        let turn = match self.registry.wait(waiter) {
            Wait::Not(turn) => turn,
            Wait::TooLong(turn_in) => {
                progress.turn_in = turn_in;
                return None;
            }
            Wait::In(place) => {
                if let Some(keeper) = self.registry.keep_time() {
                    self.tasks.spawn(keeper);
                }
                record.waits();
                let Some(turn) = place.turn().await else {
                    record.waited_in_vain();
                    return None;
                };
                record.has_waited();
                turn
            }
        };
        let candidate = turn.claim.candidate();
        progress.out = out;
        progress.asks(candidate);
        let was_unreached =
            |known: &crate::registry::Rests| known.was_unreached(candidate.provider());
        progress.was_unreached = self.registry.with_rests(was_unreached);
        Some(turn)
    }

    /// The request as the queue sees it: it waits until `until`, within its `budget`.
    pub(super) fn waiter(
        &self,
        request: &ChatRequest,
        out: Vec<Out>,
        progress: &Progress,
        (until, budget): (Instant, Instant),
    ) -> Waiter {
        Waiter {
            kind: self.kind(request, &out, progress),
            look: self.eyes(request, out, progress),
            until: until.min(budget),
            budget,
        }
    }

    /// Requests of the same kind can be served by the same candidates and draw amounts within an eighth of each
    /// other: it is enough that the first of them looks.
    fn kind(&self, request: &ChatRequest, out: &[Out], progress: &Progress) -> u64 {
        let wants = Wants {
            out,
            ..self.wants(request, progress)
        };
        let (needs, ask) = (wants.needs, wants.ask());
        let mut kind = DefaultHasher::new();
        (needs.capabilities(), needs.had_tools).hash(&mut kind);
        (class(ask.prompt_bytes), ask.max_tokens.map(class)).hash(&mut kind);
        (wants.preference, out, wants.above_context).hash(&mut kind);
        // Each may have a share of its own left.
        wants.client.map(|client| &client.name).hash(&mut kind);
        if let Some(list) = self.registry.snapshot() {
            let reach = |known: &Knowledge, now| {
                let reach = within_reach(&list, wants, known, now);
                reach.for_each(|candidate| candidate.index.hash(&mut kind));
            };
            self.registry.with_known_now(reach);
        }
        kind.finish()
    }

    /// How a request looks for a candidate while it waits: as a walk does, on the list current at the time.
    fn eyes(&self, request: &ChatRequest, out: Vec<Out>, progress: &Progress) -> Look {
        let (needs, asked) = (request.needs.clone(), request.asked.clone());
        let above_context = progress.above_context;
        let (model_field, routing, learning) = (self.model_field, self.routing, self.learning);
        let (session, pin) = (progress.session, progress.pin.clone());
        let client = progress.client.clone();
        let session = session.map(|session| (session, self.salt));
        let (accounts, traffic) = (self.accounts.clone(), Arc::clone(&self.traffic));
        Box::new(move |list: &Snapshot, known: &Knowledge, ahead, now| {
            let wants = Wants {
                needs: &needs,
                preference: Preference::new(model_field, &asked),
                out: &out,
                above_context,
                client: client.as_deref(),
                by: By::new(routing, asked.wish(), &learning, session, pin.as_ref()),
            };
            if let (0, Next::Ask(candidate)) = (ahead, next(Some(list), wants, known, now)) {
                let with = With {
                    accounts: &accounts,
                    traffic: &traffic,
                };
                return Sight::Ask(choose(list, wants, candidate, known, now, with));
            }
            first_return(list, wants, known, ahead, now).map_or(Sight::Never, Sight::Wait)
        })
    }
}

/// A size to within an eighth: its four leading bits, and how many follow.
fn class(size: u64) -> (u64, u32) {
    let follow = size.checked_ilog2().unwrap_or(0).saturating_sub(3);
    (size >> follow, follow)
}
