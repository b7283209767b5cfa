//! What became of one request, and what that is worth.

use super::counters::Sessions;
use super::world::Request;

/// A request that was answered, be it in part.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub rank: usize,
    /// Seconds to the first token; of a plain answer, to its end.
    pub wait: f64,
    /// The session's last answer was another model's.
    pub switched: bool,
    /// It ended in its middle.
    pub broken: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// None: it failed.
    pub answer: Option<Answer>,
    pub attempts: u32,
    /// Attempts to a model or account that an earlier answer had said would fail.
    pub wasted: u32,
}

impl Answer {
    pub fn new(
        request: &Request,
        sessions: &Sessions,
        model: usize,
        rank: usize,
        wait: f64,
    ) -> Self {
        Self {
            rank,
            wait,
            switched: sessions.switched(request, model),
            broken: false,
        }
    }

    /// Points of 100, for the whole of it: quality by rank, less the wait (50 at most) and a change of
    /// model within a session.
    pub fn worth(&self, taste: Taste) -> f64 {
        let a_second = match taste {
            Taste::Hasty => 8.0,
            Taste::Usual => 2.0,
            Taste::Patient => 0.5,
        };
        let quality = (100.0 - 4.0 * (self.rank as f64 - 1.0)).max(30.0);
        let change = if self.switched { 2.0 } else { 0.0 };
        quality - (a_second * self.wait).min(50.0) - change
    }
}

/// How much a rank counts beside a wait.
#[derive(Clone, Copy, Debug)]
pub enum Taste {
    /// As much as 0.5 s.
    Hasty,
    /// As much as 2 s.
    Usual,
    /// As much as 8 s.
    Patient,
}

impl Record {
    /// What the request came to; a broken answer is worth nothing.
    pub fn worth(&self, taste: Taste) -> f64 {
        let whole = self.answer.filter(|answer| !answer.broken);
        whole.map_or(0.0, |answer| answer.worth(taste))
    }
}

/// With the usual taste.
pub fn utility(record: &Record) -> f64 {
    record.worth(Taste::Usual)
}
