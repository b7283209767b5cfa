//! A request's place in the queue, and the queue's timekeeper (spec §11.5).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::timeout_at;

use super::queue::{AtEnd, Entry, Granted, Joined};
use super::{Claim, Drawn, Held, Registry, Snapshot, Waiter};
use crate::clock::Now;

/// What became of a request that would wait.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a request and taken apart at once"
)]
pub enum Wait {
    /// It need not: there is a candidate to ask.
    Not(Turn),
    /// It waits.
    In(Place),
    /// No candidate returns in its time. If the requests ahead are why: how long until its turn would come.
    TooLong(Option<Duration>),
}

/// What a request that has waited asks.
#[derive(Debug)]
pub struct Turn {
    /// The current list, which may not be the one that it came with.
    pub list: Arc<Snapshot>,
    /// The hold on the candidate.
    pub claim: Claim,
    /// What it has drawn.
    pub drawn: Drawn,
}

/// A place in the queue. Dropping it leaves the queue, and hands on what it was granted.
#[derive(Debug)]
pub struct Place {
    registry: Arc<Registry>,
    kind: u64,
    until: Instant,
    budget: Instant,
    entry: Entry,
}

impl Place {
    /// Waits for its turn; `None` if that does not come in time.
    pub async fn turn(mut self) -> Option<Turn> {
        let told = match timeout_at(self.until.into(), &mut self.entry.told).await {
            Ok(told) => told,
            Err(_) => {
                self.at_end().await?;
                let told = timeout_at(self.budget.into(), &mut self.entry.told).await;
                told.ok()?
            }
        };
        Some(self.registry.turn(told.ok()??))
    }

    /// Its time is over; `None` if it has to leave.
    async fn at_end(&self) -> Option<()> {
        loop {
            let list = self.registry.snapshot()?;
            let end = {
                let (kind, ticket, now) = (self.kind, self.entry.ticket, Now::read());
                let mut held = self.registry.lock();
                self.registry.serve(&mut held, now);
                held.has_changed = true;
                let Held { known, queue, .. } = &mut *held;
                queue.at_end(kind, ticket, known, &list, now)
            };
            match end {
                AtEnd::Stays => return Some(()),
                AtEnd::Leaves => return None,
                AtEnd::LooksAgain => yield_now().await,
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.registry.lock();
        held.has_changed = true;
        let Held { known, queue, .. } = &mut *held;
        queue.leave(self.kind, self.entry.ticket, known);
        let told: &mut oneshot::Receiver<_> = &mut self.entry.told;
        told.close();
        if let Ok(Some(granted)) = told.try_recv() {
            held.take_back(granted, Now::read());
            self.registry.lets_go(held);
        } else {
            self.registry.stirred.notify_one();
        }
        self.registry.changes.send_replace(());
    }
}

impl Registry {
    /// A request that finds no candidate awake would wait for its turn.
    pub fn wait(self: &Arc<Self>, waiter: Waiter) -> Wait {
        let Some(list) = self.snapshot() else {
            return Wait::TooLong(None);
        };
        let (kind, until, budget) = (waiter.kind, waiter.until, waiter.budget);
        let mut held = self.lock();
        let now = Now::read();
        self.serve(&mut held, now);
        held.has_changed = true;
        let Held { known, queue, .. } = &mut *held;
        match queue.join(waiter, known, &list, now) {
            Joined::Asks(granted) => Wait::Not(self.turn(*granted)),
            Joined::Refused(turn_in) => Wait::TooLong(turn_in),
            Joined::Waits(entry) => {
                self.stirred.notify_one();
                self.changes.send_replace(());
                Wait::In(Place {
                    registry: Arc::clone(self),
                    kind,
                    until,
                    budget,
                    entry,
                })
            }
        }
    }

    fn turn(self: &Arc<Self>, granted: Granted) -> Turn {
        let Granted {
            list,
            candidate,
            key,
            probe,
            reservation,
        } = granted;
        Turn {
            list,
            claim: Claim::new(Arc::clone(self), candidate, key, probe),
            drawn: Drawn::new(Arc::clone(self), reservation),
        }
    }

    /// Lets waiting requests look when it is time, as long as there are any; `None` if that is being done already.
    /// One timer is enough for all of them.
    pub fn keep_time(self: &Arc<Self>) -> Option<impl Future<Output = ()> + use<>> {
        let mut held = self.lock();
        if std::mem::replace(&mut held.queue.has_keeper, true) {
            return None;
        }
        drop(held);
        let registry = Arc::clone(self);
        Some(async move {
            loop {
                let now = Now::read();
                let due = {
                    let mut held = registry.lock();
                    registry.serve(&mut held, now);
                    if held.queue.is_empty() {
                        held.queue.has_keeper = false;
                        return;
                    }
                    held.queue.due(now)
                };
                let stirred = registry.stirred.notified();
                match due {
                    Some(due) if due <= now.steady => yield_now().await,
                    Some(due) => drop(timeout_at(due.into(), stirred).await),
                    None => stirred.await,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests;
