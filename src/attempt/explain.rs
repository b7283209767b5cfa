//! A dry run of the walk: what would happen to a request now. Nothing is asked, nothing claimed.

use std::sync::Arc;
use std::time::Duration;

use super::Refusal;
use super::refusal::{Walked, none_left};
use super::walk::Walker;
use crate::clock::Now;
use crate::config::{Client, ModelField};
use crate::learnt::SessionKey;
use crate::model::Candidate;
use crate::registry::{InLine, Knowledge, Snapshot};
use crate::request::ChatRequest;
use crate::select::{Awake, LeftOut, Next, Why, awake, left_out, next};

/// What would happen to a request.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// In a word: `candidates`, `waiting`, `probing`, `all_cooling`, `account_resting`, `exhausted`,
    /// `none_capable`, `not_listed`, `not_allowed`, `no_snapshot`.
    pub selection: &'static str,
    /// How long, at least, it would wait for its turn, if no candidate can be asked before.
    pub waits: Option<Duration>,
    /// The candidates that would be asked, in this order.
    pub candidates: Vec<Awake>,
    /// The candidates that would not, and why.
    pub left_out: Vec<(Arc<Candidate>, LeftOut)>,
    /// How many of the candidates would be asked at most.
    pub max_attempts: usize,
    /// How its `model` field is treated.
    pub model_field: ModelField,
    /// What it would be told at once, if there is no candidate to ask or to wait for.
    pub refusal: Option<Refusal>,
}

impl Walker {
    /// What would happen to this request of a client and its session, by what is `known` now and what is ahead of it `in_line`.
    #[must_use]
    pub fn explain(
        &self,
        snapshot: Option<&Snapshot>,
        request: &ChatRequest,
        (client, session): (Arc<Client>, Option<SessionKey>),
        (known, in_line): (&Knowledge, &InLine),
        now: Now,
    ) -> Explanation {
        let progress = self.begins(client, session);
        let wants = self.wants(request, &progress);
        let walked = Walked {
            wants,
            told: None,
            last: None,
            unreached: None,
            attempts: &[],
        };
        let refused = || none_left(snapshot, walked, known, now).err();
        let next = next(snapshot, wants, known, now);
        let turn = match (snapshot, &next) {
            (Some(list), Next::None(Why::Resting { .. } | Why::Exhausted)) => {
                let until = now.plus(self.times.wait.unwrap_or_default()).steady;
                let budget = now.plus(self.times.budget).steady;
                let waiter = self.waiter(request, Vec::new(), &progress, (until, budget));
                in_line.turn(&waiter, known, list, now)
            }
            (_, Next::Ask(_) | Next::Wait { .. } | Next::None(_)) => Err(None),
        };
        let (selection, refusal) = match next {
            Next::None(_) if turn.is_ok() => ("waiting", None),
            Next::Ask(_) => ("candidates", None),
            Next::Wait { .. } => ("probing", None),
            Next::None(Why::NoneCapable { missing }) => {
                ("none_capable", Some(Refusal::none_capable(missing)))
            }
            Next::None(Why::NotListed) => ("not_listed", Some(Refusal::ModelNotFound)),
            Next::None(Why::NotAllowed) => ("not_allowed", Some(Refusal::NotAllowed)),
            Next::None(Why::NoSnapshot) => ("no_snapshot", Some(Refusal::NotReady)),
            Next::None(Why::Exhausted) => ("exhausted", refused()),
            Next::None(Why::Resting { .. }) => match refused() {
                refusal @ Some(Refusal::AllUnavailable { .. }) => ("all_cooling", refusal),
                refusal => ("account_resting", refusal),
            },
        };
        let of = |snapshot| {
            let left_out = left_out(snapshot, wants, known, now);
            (awake(snapshot, wants, known, now), left_out)
        };
        let (candidates, left_out) = snapshot.map(of).unwrap_or_default();
        Explanation {
            selection,
            waits: turn.ok(),
            candidates,
            left_out,
            max_attempts: self.max_attempts,
            model_field: self.model_field,
            refusal: refusal.map(|refusal| refusal.no_sooner_than(turn.err().flatten(), now)),
        }
    }
}
