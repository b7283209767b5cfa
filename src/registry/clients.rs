//! What the clients may still ask, and who of them asks (spec §13).

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{Admitted, Registry};
use crate::clock::Now;
use crate::ledger::{AllowanceView, Allowances, Ask, Limit, Over};
use crate::model::ClientName;

impl Registry {
    /// Sets what clients may ask, and whether they share days fairly (spec §13). What they have used is kept.
    pub fn set_clients<'a>(
        &self,
        limits: impl IntoIterator<Item = (&'a ClientName, &'a [Limit])>,
        fair_share: bool,
    ) {
        let mut allowances = self.allowances();
        allowances.set(limits);
        self.has_limits
            .store(!allowances.is_empty(), Ordering::Relaxed);
        drop(allowances);
        self.lock().ledger.set_fair(fair_share);
        self.fair_share.store(fair_share, Ordering::Relaxed);
    }

    /// A client asks, and this is charged to its limits.
    ///
    /// # Errors
    ///
    /// The limit that leaves no room for it.
    pub fn admit(self: &Arc<Self>, client: &ClientName, ask: Ask) -> Result<Admitted, Over> {
        if self.fair_share.load(Ordering::Relaxed) {
            self.lock().ledger.client_asks(client, Now::read());
        }
        let debit = match self.has_limits.load(Ordering::Relaxed) {
            true => self.allowances().admit(client, ask, Now::read())?,
            false => None,
        };
        Ok(Admitted::new(Arc::clone(self), debit))
    }

    /// A client's limits, and what is used of them.
    #[must_use]
    pub fn allowance(&self, client: &ClientName, now: Now) -> Vec<AllowanceView> {
        self.allowances().of(client, now)
    }

    pub(super) fn allowances(&self) -> MutexGuard<'_, Allowances> {
        // Each change is complete in itself.
        let allowances = self.allowances.lock();
        allowances.unwrap_or_else(PoisonError::into_inner)
    }
}
