//! A dry run of the walk: what would become of a request now. Nothing is asked, nothing claimed.

use std::sync::Arc;

use super::Refusal;
use super::progress::Progress;
use super::refusal::{Walked, nobody_left};
use super::walk::Walker;
use crate::clock::Now;
use crate::config::ModelField;
use crate::model::Candidate;
use crate::registry::{Knowledge, Snapshot};
use crate::request::ChatRequest;
use crate::select::{Awake, LeftOut, Next, Why, awake, left_out, next};

/// What would become of a request.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// In a word: `candidates`, `probing`, `all_cooling`, `account_resting`, `exhausted`,
    /// `none_capable`, `not_listed`, `no_snapshot`.
    pub selection: &'static str,
    /// Who would be asked, in this order.
    pub candidates: Vec<Awake>,
    /// Who would not, and why.
    pub left_out: Vec<(Arc<Candidate>, LeftOut)>,
    /// How many of the candidates would be asked at the most.
    pub max_attempts: usize,
    /// What its `model` counts for.
    pub model_field: ModelField,
    /// What it would be told at once, where there is nobody to ask or to wait for.
    pub refusal: Option<Refusal>,
}

impl Walker {
    /// What would become of this request, by what is `known` now.
    #[must_use]
    pub fn explain(
        &self,
        snapshot: Option<&Snapshot>,
        request: &ChatRequest,
        known: &Knowledge,
        now: Now,
    ) -> Explanation {
        let progress = Progress::default();
        let wants = self.wants(request, &progress);
        let walked = Walked {
            wants,
            told: None,
            last: None,
            unreached: None,
            attempts: &[],
        };
        let nobody = || nobody_left(snapshot, walked, known, now).err();
        let (selection, refusal) = match next(snapshot, wants, known, now) {
            Next::Ask(_) => ("candidates", None),
            Next::Wait { .. } => ("probing", None),
            Next::None(Why::NoneCapable { missing }) => {
                ("none_capable", Some(Refusal::none_capable(missing)))
            }
            Next::None(Why::NotListed) => ("not_listed", Some(Refusal::ModelNotFound)),
            Next::None(Why::NoSnapshot) => ("no_snapshot", Some(Refusal::NotReady)),
            Next::None(Why::Exhausted) => ("exhausted", nobody()),
            Next::None(Why::Resting { .. }) => match nobody() {
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
            candidates,
            left_out,
            max_attempts: self.max_attempts,
            model_field: self.model_field,
            refusal,
        }
    }
}
