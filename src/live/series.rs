//! The outcomes of all requests over time: the columns of the charts.

use serde::Serialize;

use super::finished::RequestOutcome;
use super::histogram::Histogram;
use super::window::Window;
use crate::clock::rfc3339;

/// The counts of one step.
#[derive(Clone, Debug, Default)]
struct Tally {
    outcomes: [u32; RequestOutcome::ALL.len()],
    ttft: Histogram,
}

/// The counts behind the charts.
#[derive(Clone, Debug)]
pub(super) struct Series {
    hour: Window<Tally>,
    day: Window<Tally>,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            hour: Window::new(60, 60),
            day: Window::new(900, 96),
        }
    }
}

/// The charts' columns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Charts {
    /// The last hour, by the minute.
    pub hour: Columns,
    /// The last day, by the quarter of an hour.
    pub day: Columns,
}

/// The columns of one chart, oldest first; the last is the current step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Columns {
    /// The length of a step, in seconds.
    pub step_sec: u64,
    /// When the first step began.
    pub from: String,
    /// How many requests ended in [`RequestOutcome::Answered`].
    pub answered: Vec<u32>,
    /// In [`RequestOutcome::Broken`].
    pub broken: Vec<u32>,
    /// In [`RequestOutcome::Failed`].
    pub failed: Vec<u32>,
    /// In [`RequestOutcome::ClientError`].
    pub client_error: Vec<u32>,
    /// In [`RequestOutcome::ClientLeft`].
    pub client_left: Vec<u32>,
    /// Half of the streams began within this many milliseconds.
    pub ttft_p50_ms: Vec<Option<u64>>,
    /// 95% did.
    pub ttft_p95_ms: Vec<Option<u64>>,
}

impl Series {
    pub(super) fn add(&mut self, outcome: RequestOutcome, ttft_ms: Option<u64>, now: u64) {
        for window in [&mut self.hour, &mut self.day] {
            let tally = window.at(now);
            if let Some(count) = tally.outcomes.get_mut(outcome as usize) {
                *count = count.saturating_add(1);
            }
            if let Some(ms) = ttft_ms {
                tally.ttft.add(ms);
            }
        }
    }

    pub(super) fn charts(&self, now: u64) -> Charts {
        Charts {
            hour: columns(&self.hour, now),
            day: columns(&self.day, now),
        }
    }
}

fn columns(window: &Window<Tally>, now: u64) -> Columns {
    let steps = window.steps();
    let mut counts = RequestOutcome::ALL.map(|_| vec![0; steps]);
    let mut percentiles = [50, 95].map(|percent| (percent, vec![None; steps]));
    for (place, tally) in window.until(now) {
        for (column, count) in counts.iter_mut().zip(tally.outcomes) {
            if let Some(cell) = column.get_mut(place) {
                *cell = count;
            }
        }
        for (percent, column) in &mut percentiles {
            if let Some(cell) = column.get_mut(place) {
                *cell = tally.ttft.percentile(*percent);
            }
        }
    }
    let from = std::time::Duration::from_secs(window.begin(now));
    let [answered, broken, failed, client_error, client_left] = counts;
    let [(_, ttft_p50_ms), (_, ttft_p95_ms)] = percentiles;
    Columns {
        step_sec: window.step(),
        from: rfc3339(std::time::SystemTime::UNIX_EPOCH + from),
        answered,
        broken,
        failed,
        client_error,
        client_left,
        ttft_p50_ms,
        ttft_p95_ms,
    }
}
