//! What the record of a request is told about the candidate it asks (spec §11.7).

use std::sync::Arc;

use super::progress::Progress;
use super::walk::Walker;
use crate::model::Candidate;
use crate::registry::Snapshot;
use crate::request::ChatRequest;
use crate::telemetry::Chosen;

impl Walker {
    /// A candidate's place for the request that asks it, and whether it departs from the session's pin.
    pub(super) fn chosen(
        &self,
        snapshot: Option<&Snapshot>,
        candidate: &Arc<Candidate>,
        request: &ChatRequest,
        progress: &Progress,
    ) -> Chosen {
        let preference = self.wants(request, progress).preference;
        let place = |list| preference.place_of(candidate, list, &request.needs);
        let pin = progress.pin.as_ref();
        Chosen {
            place: snapshot.and_then(place),
            switches: pin.is_some_and(|pin| !pin.is_of(candidate)),
        }
    }
}
