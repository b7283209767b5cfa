//! Routers. None of them sees what the world hides, but for `Informed`.

mod clock;
mod informed;
mod manners;
mod ours;
mod quotas;
mod rank;
mod steps;

use super::world::{Fault, Request};

pub use informed::Informed;
pub use ours::Ours;
pub use rank::Rank;
pub use steps::Steps;

/// A request on its way: what it wants, and whom it has asked.
#[derive(Debug)]
pub struct Walk<'w> {
    pub number: usize,
    pub request: &'w Request,
    pub tried: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub request: usize,
    pub model: usize,
    pub account: usize,
    pub stream: bool,
    pub prompt_tokens: u64,
    /// When it began.
    pub at: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    Ask(usize),
    /// Look again in so many seconds.
    Wait(f64),
    GiveUp,
}

#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// The account refuses until then.
    Account { until: f64 },
    /// The router gave up sooner than a whole [`TIMEOUT`].
    Limit,
    /// Silence counts from where the router gave up.
    Model {
        fault: Fault,
        retry_after: Option<f64>,
    },
}

/// `UPSTREAM_TIMEOUT_SEC`, which is `PLAIN_TIMEOUT_SEC` here.
pub const TIMEOUT: f64 = 30.0;

/// Orders candidates, and hears what became of them.
pub trait Router {
    fn choose(&mut self, walk: &Walk, now: f64) -> Choice;

    fn begins(&mut self, attempt: &Attempt, walk: &Walk, now: f64);

    /// Seconds to the first token; of a plain answer, to its end.
    fn limit(&mut self, _attempt: &Attempt, _walk: &Walk, _now: f64) -> f64 {
        TIMEOUT
    }

    fn fails(&mut self, attempt: &Attempt, failure: Failure, now: f64);

    /// The first token, or a whole plain answer.
    fn speaks(&mut self, attempt: &Attempt, now: f64);

    /// The end of an answer that had begun.
    fn ends(&mut self, attempt: &Attempt, broken: bool, now: f64);
}
