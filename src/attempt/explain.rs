//! A dry run of the walk: what would become of a request now. Nothing is asked, nothing claimed.

use std::sync::Arc;

use super::Refusal;
use super::refusal::account_refusal;
use super::walk::{Progress, Walker};
use crate::clock::Now;
use crate::config::ModelField;
use crate::model::Model;
use crate::registry::{Cooldowns, Snapshot};
use crate::request::ChatRequest;
use crate::select::{LeftOut, Selection, left_out, select};

/// What would become of a request.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Who would be asked, or why nobody.
    pub selection: Selection,
    /// Who would not, and why.
    pub left_out: Vec<(Arc<Model>, LeftOut)>,
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
        known: &Cooldowns,
        now: Now,
    ) -> Explanation {
        let progress = Progress::default();
        let wants = self.wants(request, &progress);
        let selection = select(snapshot, wants, known, now);
        let left_out = snapshot.map(|snapshot| left_out(snapshot, wants, known, now));
        let refusal = match &selection {
            Selection::Candidates(_) | Selection::Probing { .. } => None,
            Selection::AccountResting => account_refusal(known, now),
            Selection::NoneCapable { missing } => Some(Refusal::NoCapableModel {
                missing: missing.clone(),
            }),
            Selection::NotListed => Some(Refusal::ModelNotFound),
            Selection::NoSnapshot => Some(Refusal::NotReady),
            Selection::AllCooling { .. } | Selection::Exhausted => {
                Some(self.nothing_left(snapshot, request, &progress, &[]))
            }
        };
        Explanation {
            selection,
            left_out: left_out.unwrap_or_default(),
            max_attempts: self.max_attempts,
            model_field: self.model_field,
            refusal,
        }
    }
}
