//! What a request wants of the candidates: what it needs, and in which order they are asked.

use std::sync::Arc;

use http::HeaderMap;

use super::progress::Progress;
use super::walk::Walker;
use crate::config::Client;
use crate::learnt::{Caller, Order};
use crate::model::Wish;
use crate::registry::{Rests, Snapshot};
use crate::request::ChatRequest;
use crate::select::{By, Preference, Wants, filtered_out};
use crate::telemetry::RequestRecord;

impl Walker {
    pub(super) fn wants<'a>(
        &'a self,
        request: &'a ChatRequest,
        progress: &'a Progress,
    ) -> Wants<'a> {
        Wants {
            needs: &request.needs,
            preference: Preference::new(self.model_field, &request.asked),
            out: &progress.out,
            above_context: progress.above_context,
            client: progress.client.as_deref(),
            by: By::new(
                self.routing,
                request.asked.wish(),
                &self.learning,
                progress.session.map(|session| (session, self.salt)),
                progress.pin.as_ref(),
            ),
        }
    }

    /// The caller behind these headers, which identifies the request's session. A client's sessions are its own,
    /// whichever of its keys it presents.
    #[must_use]
    pub fn caller(&self, client: &Client, headers: &HeaderMap) -> Caller {
        Caller::of(headers, client.name.as_str().as_bytes(), self.salt)
    }

    /// Whether a request's session matters. It does where this request, or by default any other, is ordered by
    /// cost: that order wants to know who answered last. It also does in a trace, even of a request in the
    /// ranking's order, so that the two orders can be compared.
    #[must_use]
    pub fn tells_sessions(&self, request: &ChatRequest) -> bool {
        let orders = [self.routing, self.order(request)];
        orders.contains(&Order::Balanced) || self.traffic.is_traced()
    }

    /// The order in which a request's candidates are asked. Its rests and its patience follow from this order
    /// too (spec §11.6).
    pub(super) fn order(&self, request: &ChatRequest) -> Order {
        self.routing.of(request.asked.wish())
    }

    /// How the candidates of a tier are ordered for a request without a session.
    #[must_use]
    pub fn by(&self) -> By<'_> {
        By::new(self.routing, Wish::Auto, &self.learning, None, None)
    }

    /// Counts the candidates that the request's needs rule out.
    pub(super) fn filter(
        &self,
        snapshot: &Arc<Snapshot>,
        request: &ChatRequest,
        record: &RequestRecord,
    ) {
        let needs = &request.needs;
        if !needs.capabilities().is_empty() {
            let find = |known: &Rests| filtered_out(snapshot, needs, known).cloned().collect();
            let capabilities = needs.capabilities();
            let out = self.registry.filtered_out(snapshot, capabilities, find);
            record.filtered_out(&out);
        }
    }
}

/// Weighs a long prompt before a candidate is chosen, not under the lock that choosing takes.
pub(super) fn weigh(snapshot: &Snapshot, request: &ChatRequest) {
    if let Some(least) = snapshot.least_context() {
        request.needs.weigh(least);
    }
}
