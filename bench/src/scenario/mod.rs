//! What is done to each target, and which figures come of it.

mod latency;
mod saturated;

use std::time::Duration;

use anyhow::Result;

use crate::figure::Figure;
use crate::target::{Stand, Target};

/// One scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What it shows, in a sentence.
    pub(crate) about: &'static str,
    run: Run,
}

enum Run {
    Saturated { body_bytes: usize, chunks: u32 },
    Latency { rate: u64 },
}

/// What one measurement of one target gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) figures: Vec<Figure>,
    /// Requests that failed, and the first reason.
    pub(crate) errors: u64,
    pub(crate) trouble: Option<String>,
    /// Something a reader must know of these figures.
    pub(crate) note: Option<String>,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) quick: bool,
}

impl Pace {
    /// The one length or, for a quick run, the other.
    pub(crate) fn of(self, full_ms: u64, quick_ms: u64) -> Duration {
        Duration::from_millis(if self.quick { quick_ms } else { full_ms })
    }
}

const KB: usize = 1000;

/// All scenarios, in the order of the report.
#[rustfmt::skip]
pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "plain-1k", run: Run::Saturated { body_bytes: KB, chunks: 0 },
        about: "32 connections as fast as they can: a 1 KB request, a plain answer of 0.5 KB" },
    Scenario { name: "plain-200k", run: Run::Saturated { body_bytes: 200 * KB, chunks: 0 },
        about: "the same with a request of 200 KB, as a coding agent sends it" },
    Scenario { name: "stream-1k", run: Run::Saturated { body_bytes: KB, chunks: 20 },
        about: "32 connections as fast as they can: a 1 KB request, a stream of 20 events in a burst" },
    Scenario { name: "stream-200k", run: Run::Saturated { body_bytes: 200 * KB, chunks: 20 },
        about: "the same with a request of 200 KB" },
    Scenario { name: "latency-50", run: Run::Latency { rate: 50 },
        about: "50 plain requests of 1 KB a second, each due at its moment; from due to the whole answer" },
    Scenario { name: "latency-2000", run: Run::Latency { rate: 2000 },
        about: "the same with 2,000 a second" },
];

impl Scenario {
    /// Measures one target; `None` if the scenario has nothing to say of it.
    pub(crate) fn measure(
        &self,
        stand: &mut Stand,
        target: &Target,
        pace: Pace,
    ) -> Result<Option<Outcome>> {
        match self.run {
            Run::Saturated { body_bytes, chunks } => {
                saturated::measure(stand, target, body_bytes, chunks, pace).map(Some)
            }
            Run::Latency { rate } => latency::measure(stand, target, rate, pace).map(Some),
        }
    }
}
