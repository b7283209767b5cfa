//! What became of one request, and what that is worth.

/// The answer to a request, be it a part of one.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The model's, from 1.
    pub rank: u32,
    /// Seconds to the first token; of a plain answer, to its end.
    pub wait: f64,
    /// The session's last answer was another candidate's.
    pub switched: bool,
    /// It ended in its middle.
    pub broken: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// None: it failed.
    pub answer: Option<Answer>,
    /// How many candidates it asked.
    pub attempts: u32,
    /// Attempts of which an earlier answer had said that they would fail.
    pub wasted: u32,
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

impl Answer {
    /// Points of 100, for the whole of it: quality by rank, less the wait (50 at most) and a change of
    /// model within a session.
    #[must_use]
    pub fn worth(&self, taste: Taste) -> f64 {
        let a_second = match taste {
            Taste::Hasty => 8.0,
            Taste::Usual => 2.0,
            Taste::Patient => 0.5,
        };
        let quality = (100.0 - 4.0 * (f64::from(self.rank) - 1.0)).max(30.0);
        let change = if self.switched { 2.0 } else { 0.0 };
        quality - (a_second * self.wait).min(50.0) - change
    }
}

impl Record {
    /// What the request came to; a broken answer is worth nothing.
    #[must_use]
    pub fn worth(&self, taste: Taste) -> f64 {
        let whole = self.answer.filter(|answer| !answer.broken);
        whole.map_or(0.0, |answer| answer.worth(taste))
    }
}
