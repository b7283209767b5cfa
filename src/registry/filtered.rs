//! What the needs of requests rule out, found once for each snapshot: of a thousand offers hundreds lack
//! something, and requests of one kind rule out the same ones.

use std::collections::HashMap;
use std::sync::Arc;

use super::Snapshot;
use crate::model::{Capability, Offer};

/// The offers found so far, by the needs that rule them out.
#[derive(Debug, Default)]
pub(super) struct FilteredOut {
    /// The snapshot that the offers are from.
    snapshot: Option<Arc<Snapshot>>,
    by_needs: HashMap<Vec<Capability>, Arc<[Arc<Offer>]>>,
}

impl FilteredOut {
    /// The offers of a snapshot that these needs rule out; `find` finds them if they are not known yet.
    pub(super) fn of(
        &mut self,
        snapshot: &Arc<Snapshot>,
        needs: &[Capability],
        find: impl FnOnce() -> Vec<Arc<Offer>>,
    ) -> Arc<[Arc<Offer>]> {
        let is_it = |known: &Arc<Snapshot>| Arc::ptr_eq(known, snapshot);
        if !self.snapshot.as_ref().is_some_and(is_it) {
            self.forget();
            self.snapshot = Some(Arc::clone(snapshot));
        }
        if let Some(known) = self.by_needs.get(needs) {
            return Arc::clone(known);
        }
        let found: Arc<[_]> = find().into();
        self.by_needs.insert(needs.to_vec(), Arc::clone(&found));
        found
    }

    /// More is known about what an offer can do.
    pub(super) fn forget(&mut self) {
        self.by_needs.clear();
        self.snapshot = None;
    }
}
