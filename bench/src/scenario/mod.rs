//! What is done to each target, and which figures result.

mod crowd;
mod failover;
mod latency;
mod saturated;
mod start;
mod streams;
mod surfaces;
mod tls;

use std::time::Duration;

use anyhow::Result;

use crate::figure::Figure;
use crate::script::Script;
use crate::target::{Stand, Target};
use saturated::Load;
use streams::Pattern;

/// One scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What it shows, in a sentence.
    pub(crate) about: &'static str,
    run: Run,
}

enum Run {
    Saturated(Load),
    Latency { rate: u64 },
    Streams(Pattern),
    Crowd { streams: u64 },
    Failover,
    Surfaces(Script),
    Tls,
    Start,
}

/// The result of one measurement of one target.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) figures: Vec<Figure>,
    /// Requests that failed, and the first reason.
    pub(crate) errors: u64,
    pub(crate) trouble: Option<String>,
    /// Something a reader must know about these figures.
    pub(crate) note: Option<String>,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) quick: bool,
}

impl Pace {
    /// The first duration or, for a quick run, the second.
    pub(crate) fn of(self, full_ms: u64, quick_ms: u64) -> Duration {
        Duration::from_millis(if self.quick { quick_ms } else { full_ms })
    }
}

const KB: usize = 1000;
/// Twenty events in a burst.
const STREAM: Script = Script::stream(20, Duration::ZERO);

/// All scenarios, in the order of the report.
#[rustfmt::skip]
pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "plain-1k", run: Run::Saturated(Load { body_bytes: KB, answer: Script::PLAIN }),
        about: "32 connections as fast as they can: a 1 KB request, a plain answer of 0.5 KB" },
    Scenario { name: "plain-200k", run: Run::Saturated(Load { body_bytes: 200 * KB, answer: Script::PLAIN }),
        about: "32 connections as fast as they can: a 200 KB request, a plain answer of 0.5 KB" },
    Scenario { name: "stream-1k", run: Run::Saturated(Load { body_bytes: KB, answer: STREAM }),
        about: "32 connections as fast as they can: a 1 KB request, a stream of 20 events, each in a write of its own" },
    Scenario { name: "stream-1k-one-write", run: Run::Saturated(Load { body_bytes: KB, answer: STREAM.in_one_write() }),
        about: "32 connections as fast as they can: a 1 KB request, a stream of 20 events in one write" },
    Scenario { name: "stream-200k", run: Run::Saturated(Load { body_bytes: 200 * KB, answer: STREAM }),
        about: "32 connections as fast as they can: a 200 KB request, a stream of 20 events, each in a write of its own" },
    Scenario { name: "latency-50", run: Run::Latency { rate: 50 },
        about: "50 plain requests of 1 KB a second, from the moment each is due to its whole answer" },
    Scenario { name: "latency-2000", run: Run::Latency { rate: 2000 },
        about: "2,000 plain requests of 1 KB a second, from the moment each is due to its whole answer" },
    Scenario { name: "paced-20ms", run: Run::Streams(Pattern { burst: 1, gap: Duration::from_millis(20) }),
        about: "32 streams over warm connections, each with an event every 20 ms" },
    Scenario { name: "paced-5ms", run: Run::Streams(Pattern { burst: 1, gap: Duration::from_millis(5) }),
        about: "32 streams over warm connections, each with an event every 5 ms" },
    Scenario { name: "burst", run: Run::Streams(Pattern { burst: 20, gap: Duration::from_millis(50) }),
        about: "32 streams over warm connections, each with 20 events in a row every 50 ms" },
    Scenario { name: "open-1000", run: Run::Crowd { streams: 1000 },
        about: "1,000 streams open at once, each with an event a second" },
    Scenario { name: "open-10000", run: Run::Crowd { streams: 10_000 },
        about: "10,000 streams open at once, each with an event a second" },
    Scenario { name: "failover", run: Run::Failover,
        about: "plain requests of 1 KB, once with a best model that serves and once with one that answers 429 to each" },
    Scenario { name: "surfaces", run: Run::Surfaces(STREAM),
        about: "as stream-1k, in the words of chat completions, Responses and Messages, one after the other" },
    Scenario { name: "surfaces-one-write", run: Run::Surfaces(STREAM.in_one_write()),
        about: "the same with the 20 events in one write" },
    Scenario { name: "tls", run: Run::Tls,
        about: "plain requests of 1 KB to an upstream behind TLS, over connections that are kept and over new ones" },
    Scenario { name: "start", run: Run::Start,
        about: "from the start of the process to its first answer, and the memory it takes from then on" },
];

impl Scenario {
    /// Measures one target; `None` if the scenario does not apply to it.
    pub(crate) fn measure(
        &self,
        stand: &mut Stand,
        target: &Target,
        pace: Pace,
    ) -> Result<Option<Outcome>> {
        match self.run {
            Run::Saturated(load) => saturated::measure(stand, target, load, pace).map(Some),
            Run::Latency { rate } => latency::measure(stand, target, rate, pace).map(Some),
            Run::Streams(pattern) => streams::measure(stand, target, pattern, pace).map(Some),
            Run::Crowd { streams } => crowd::measure(stand, target, streams, pace).map(Some),
            Run::Failover => failover::measure(stand, target, pace),
            Run::Surfaces(answer) => surfaces::measure(stand, target, answer, pace),
            Run::Tls => tls::measure(stand, target, pace),
            Run::Start => start::measure(stand, target, pace),
        }
    }
}
