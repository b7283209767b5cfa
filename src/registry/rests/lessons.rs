//! What offers were found to lack, which fields they were found to refuse, and which window they have named
//! (spec §4.5, §10.4, §10.6): by the offer, through whatever account, until the next list.

use crate::model::{Capability, Subject, SubjectMap};
use crate::request::FieldName;

/// The most fields remembered for one offer: an upstream could name a new one with each answer.
const MOST_FIELDS: usize = 32;

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct Lessons(pub(super) SubjectMap<Learnt>);

/// What one offer has taught.
#[derive(Clone, Debug, Default)]
pub(super) struct Learnt {
    pub(super) lacks: Vec<Capability>,
    pub(super) refuses: Vec<FieldName>,
    pub(super) window: Option<u64>,
}

impl Lessons {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn lacks(&self, model: &Subject) -> &[Capability] {
        self.0.get(model).map_or(&[], |learnt| &learnt.lacks)
    }

    pub(super) fn refuses(&self, model: &Subject) -> &[FieldName] {
        self.0.get(model).map_or(&[], |learnt| &learnt.refuses)
    }

    /// The window that an offer has named.
    pub(super) fn window(&self, model: &Subject) -> Option<u64> {
        self.0.get(model)?.window
    }

    /// An offer names its window: of several, the smallest counts.
    pub(super) fn name_window(&mut self, model: &Subject, window: u64) {
        let known = &mut self.0.entry(model.clone()).or_default().window;
        *known = Some(known.map_or(window, |known| known.min(window)));
    }

    /// An offer, or all of a provider, cannot do something.
    pub(super) fn lack(&mut self, model: &Subject, capability: Capability) {
        let known = &mut self.0.entry(model.clone()).or_default().lacks;
        if !known.contains(&capability) {
            known.push(capability);
        }
    }

    /// An offer refuses a field.
    pub(super) fn refuse(&mut self, model: &Subject, field: FieldName) {
        let known = &mut self.0.entry(model.clone()).or_default().refuses;
        if !known.contains(&field) && known.len() < MOST_FIELDS {
            known.push(field);
        }
    }

    pub(super) fn forget(&mut self, model: &Subject) {
        self.0.remove(model);
    }

    pub(super) fn retain(&mut self, stays: impl Fn(&Subject) -> bool) {
        self.0.retain(|subject, _| stays(subject));
    }

    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }
}
