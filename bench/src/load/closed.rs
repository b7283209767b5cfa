//! Closed loop: every connection sends its next request as soon as it has its answer. It shows a
//! proxy's maximum throughput, and says nothing about latency.

use anyhow::Result;

use super::pool::Pool;
use crate::clock::{self, Nanos};

/// A closed loop in progress.
pub(crate) struct Closed<'p> {
    pool: &'p mut Pool,
    /// Answers so far.
    pub(crate) answers: u64,
    /// Those of them that were not a complete 200.
    pub(crate) errors: u64,
}

impl<'p> Closed<'p> {
    /// A loop over this many connections.
    pub(crate) fn new(pool: &'p mut Pool, connections: usize) -> Result<Self> {
        while pool.len() < connections {
            pool.connect()?;
        }
        Ok(Self {
            pool,
            answers: 0,
            errors: 0,
        })
    }

    /// Keeps all connections busy until this moment.
    pub(crate) fn run_until(&mut self, moment: Nanos) -> Result<()> {
        loop {
            while let Some(at) = self.pool.take_idle() {
                self.pool.begin(at, clock::now())?;
            }
            self.pool.turn(moment)?;
            self.count();
            if clock::now() >= moment {
                return Ok(());
            }
        }
    }

    /// Waits for the outstanding answers, at most until this moment. What has not arrived by then
    /// is an error.
    pub(crate) fn finish(&mut self, limit: Nanos) -> Result<()> {
        while self.pool.busy() > 0 && clock::now() < limit {
            self.pool.turn(limit)?;
            self.count();
        }
        self.errors += self.pool.busy() as u64;
        Ok(())
    }

    fn count(&mut self) {
        for finished in self.pool.finished.drain(..) {
            self.answers += 1;
            self.errors += u64::from(!finished.ok);
        }
    }
}
