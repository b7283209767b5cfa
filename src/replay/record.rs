//! The result of one request, and its utility.

/// The answer to a request, complete or broken off.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The model's, from 1.
    pub rank: u32,
    /// Seconds to the first token or, for a plain answer, to its end.
    pub wait: f64,
    /// The session's last answer came from another candidate.
    pub switched: bool,
    /// It broke off.
    pub broken: bool,
}

/// The result of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// `None`: it failed.
    pub answer: Option<Answer>,
    /// How many candidates it asked.
    pub attempts: u32,
    /// Attempts that were bound to fail, by what an earlier answer had said.
    pub wasted: u32,
}

/// How much a rank counts relative to a wait.
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
    /// Its utility if complete, in points out of 100: quality by rank, minus the wait (50 at most) and a change
    /// of model within a session.
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
    /// The request's utility; an answer that broke off is worth nothing.
    #[must_use]
    pub fn worth(&self, taste: Taste) -> f64 {
        let whole = self.answer.filter(|answer| !answer.broken);
        whole.map_or(0.0, |answer| answer.worth(taste))
    }
}
