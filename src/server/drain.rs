//! How every open connection is told that the proxy stops (spec §8).
//!
//! Each connection has a flag and a waker of its own, and a list holds them: a stop walks the
//! list once, so that no request has to look at anything that others look at too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::phases::Phases;

/// The open connections, and whether they are to end.
#[derive(Debug, Default)]
pub(super) struct Drain {
    begun: AtomicBool,
    next: AtomicU64,
    /// A std lock, held for an insert, or for the one walk of a stop.
    open: Mutex<HashMap<u64, Phases>>,
}

impl Drain {
    /// Whether the proxy stops.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// From now on idle and half-sent connections close, and the others do once they are idle.
    pub(super) fn begin(&self) {
        let open = self.lock();
        self.begun.store(true, Ordering::Relaxed);
        open.values().for_each(Phases::drain);
    }

    /// What is still open ends now, with an error.
    pub(super) fn cut(&self) {
        self.lock().values().for_each(Phases::cut);
    }

    /// Keeps a connection on the list while the guard lives.
    pub(super) fn list(&self, phases: &Phases) -> Listed<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.lock();
        if self.has_begun() {
            phases.drain();
        }
        open.insert(number, phases.clone());
        Listed {
            drain: self,
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Phases>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place on the list.
#[derive(Debug)]
pub(super) struct Listed<'a> {
    drain: &'a Drain,
    number: u64,
}

impl std::ops::Drop for Listed<'_> {
    fn drop(&mut self) {
        self.drain.lock().remove(&self.number);
    }
}
