//! Open loop: requests are due at fixed moments, whether or not earlier answers have arrived, and
//! latency counts from the moment a request was due. A proxy that stalls is therefore charged for
//! every request that had to wait, which rules out coordinated omission.

use anyhow::Result;

use super::pool::Pool;
use crate::clock::{self, Nanos};

/// The requests that are due, and their results.
pub(crate) struct Open<'p> {
    pool: &'p mut Pool,
    start: Nanos,
    interval: Nanos,
    count: u64,
    /// How many requests have been sent.
    sent: u64,
    /// No more are opened: a request that finds none idle waits, and its wait counts.
    most_connections: usize,
    /// From being due to the end of the answer, in nanoseconds.
    pub(crate) latencies: Vec<Nanos>,
    /// Answers that were not a complete 200, or never arrived.
    pub(crate) errors: u64,
}

impl<'p> Open<'p> {
    /// `count` requests, one every `interval`, the first of them soon.
    pub(crate) fn new(
        pool: &'p mut Pool,
        interval: Nanos,
        count: u64,
        most_connections: usize,
    ) -> Self {
        Self {
            pool,
            start: clock::now() + 1_000_000,
            interval,
            count,
            sent: 0,
            most_connections,
            latencies: Vec::new(),
            errors: 0,
        }
    }

    /// When the last request is due.
    pub(crate) fn last_due(&self) -> Nanos {
        self.start + self.interval * self.count.saturating_sub(1)
    }

    /// The pool it uses.
    pub(crate) fn pool(&mut self) -> &mut Pool {
        self.pool
    }

    /// Sends what is due and receives what arrives, until this moment.
    pub(crate) fn run_until(&mut self, moment: Nanos) -> Result<()> {
        while clock::now() < moment {
            let next = self.send_due()?;
            self.pool.turn(next.min(moment))?;
            self.count();
        }
        Ok(())
    }

    /// Continues until all answers have arrived, at most until this moment. What has not arrived by
    /// then is an error, and counts with the delay it has so far.
    pub(crate) fn finish(&mut self, limit: Nanos) -> Result<()> {
        while (self.sent < self.count || self.pool.busy() > 0) && clock::now() < limit {
            let next = self.send_due()?;
            self.pool.turn(next.min(limit))?;
            self.count();
        }
        let never_sent = (self.sent..self.count).map(|nth| self.start + self.interval * nth);
        let late: Vec<Nanos> = self.pool.due().chain(never_sent).collect();
        let now = clock::now();
        self.errors += late.len() as u64;
        self.latencies
            .extend(late.iter().map(|due| now.saturating_sub(*due)));
        Ok(())
    }

    /// Sends what is due; returns when the next request is due.
    fn send_due(&mut self) -> Result<Nanos> {
        while self.sent < self.count {
            let due = self.start + self.interval * self.sent;
            if due > clock::now() {
                return Ok(due);
            }
            let Some(at) = self.idle()? else {
                break;
            };
            self.pool.begin(at, due)?;
            self.sent += 1;
        }
        Ok(Nanos::MAX)
    }

    fn idle(&mut self) -> Result<Option<usize>> {
        if self.pool.busy() == self.pool.len() && self.pool.len() < self.most_connections {
            self.pool.connect()?;
        }
        Ok(self.pool.take_idle())
    }

    fn count(&mut self) {
        for finished in self.pool.finished.drain(..) {
            self.errors += u64::from(!finished.ok);
            self.latencies
                .push(finished.ended.saturating_sub(finished.due));
        }
    }
}
