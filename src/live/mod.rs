//! What real traffic shows about models and requests: figures of the last hour and day, and the
//! last requests.
//!
//! Pure: `now` is passed in, and `telemetry` holds the lock around it. However long it runs and
//! whatever models come and go, it uses no more than some 4 MB, and 200 KB with a usual list.
//! Nothing is decided by it, and it contains nothing of the content of a request or an answer.

mod figures;
mod finished;
mod histogram;
mod series;
mod streak;
mod window;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

pub use figures::{Attempted, Attempts, Figures};
pub use finished::{AttemptRecord, Finished, RequestOutcome};
pub use series::{Charts, Columns};
pub use streak::{How, Streak};

use crate::clock::Now;
use crate::model::ModelId;
use figures::Seen;
use series::Series;

/// For how many models figures are kept: the most recently asked.
pub const MAX_MODELS: usize = 256;
/// How many requests are kept.
pub const MAX_REQUESTS: usize = 50;
/// How many attempts are kept of each: the last ones.
pub const MAX_TRAIL: usize = 20;

/// Everything that is kept.
#[derive(Clone, Debug, Default)]
pub struct Live {
    models: HashMap<ModelId, Seen>,
    series: Series,
    requests: VecDeque<Arc<Finished>>,
    last_answer: Option<(ModelId, SystemTime)>,
    /// The failures since the last good answer.
    streak: Option<Streak>,
    /// How many requests have ended.
    ended: u64,
}

impl Live {
    /// An attempt has ended.
    pub fn attempt(&mut self, model: &ModelId, attempt: Attempted, now: Now) {
        let now = now.unix_seconds();
        match self.models.get_mut(model) {
            Some(seen) => seen.add(attempt, now),
            None => {
                self.make_room();
                let mut seen = Seen::default();
                seen.add(attempt, now);
                self.models.insert(model.clone(), seen);
            }
        }
    }

    /// A request has ended. Returns the one that is dropped in exchange.
    pub fn request(&mut self, request: Arc<Finished>, now: Now) -> Option<Arc<Finished>> {
        let seconds = now.unix_seconds();
        self.ended += 1;
        self.series.add(request.outcome, request.ttft_ms, seconds);
        if let (RequestOutcome::Answered, Some(model)) = (request.outcome, &request.chosen_model) {
            self.last_answer = Some((model.clone(), request.at));
        }
        streak::add(&mut self.streak, &request);
        let oldest = if self.requests.len() < MAX_REQUESTS {
            None
        } else {
            self.requests.pop_front()
        };
        self.requests.push_back(request);
        oldest
    }

    /// The figures of a model for the hour and the day ending now; `None` if it was not asked.
    #[must_use]
    pub fn figures(&self, model: &ModelId, now: Now) -> [Option<Figures>; 2] {
        let seen = self.models.get(model);
        seen.map_or([None, None], |seen| seen.figures(now.unix_seconds()))
    }

    /// The columns of the charts.
    #[must_use]
    pub fn charts(&self, now: Now) -> Charts {
        self.series.charts(now.unix_seconds())
    }

    /// The last requests, newest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Arc<Finished>> {
        self.requests.iter().rev().cloned().collect()
    }

    /// Which model gave the last good answer, and when.
    #[must_use]
    pub fn last_answer(&self) -> Option<(ModelId, SystemTime)> {
        self.last_answer.clone()
    }

    /// The failures since the last good answer, if the last requests failed.
    #[must_use]
    pub fn streak(&self) -> Option<Streak> {
        self.streak
    }

    /// How many requests have ended since the start, whether anybody was asked for them or not.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Forgets the models that left the list.
    pub fn retain_models(&mut self, stays: impl Fn(&str) -> bool) {
        self.models.retain(|id, _| stays(id.as_str()));
    }

    /// Makes room for one more model.
    fn make_room(&mut self) {
        if self.models.len() < MAX_MODELS {
            return;
        }
        let oldest = self.models.iter().min_by_key(|(_, seen)| seen.last);
        if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
            self.models.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
