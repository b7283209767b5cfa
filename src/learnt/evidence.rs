//! What is known about one candidate from the attempts made at it (spec §11.1).

use std::time::{Duration, Instant};

use super::Parameters;
use super::fading::{Fades, Fading, fade};
use super::limit::Times;
use super::silent::Silent;
use crate::clock::Now;
use crate::verdict::{Cause, Failure, Lesson, Outcome, Rest, Scope};

/// The most first tokens remembered.
const FIRSTS: f64 = 2.0;

/// The most successes and failures remembered, taken together.
const TRIES: f64 = 4.0;

/// Longer than any attempt may take.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The account through which something was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// The candidate's own.
    Its,
    /// Another account at the same provider: it counts half.
    Another,
}

impl Through {
    fn weight(self) -> f64 {
        match self {
            Self::Its => 1.0,
            Self::Another => 0.5,
        }
    }
}

/// What is known about a candidate. Of bounded size: decaying sums, not samples.
///
/// Each attempt [begins](Self::began) and then ends in exactly one way: with a first event (after which its
/// stream [completes](Self::whole) or [breaks off](Self::broke)), with a plain answer, with a failure, or
/// without any information. Its start is a time on the steady clock.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Everything below except breaks has decayed up to this moment.
    at: Now,
    /// In seconds. Costly findings lengthen it.
    half_life: f64,
    /// The last costly finding that counted.
    found: Option<Now>,
    /// Seconds to the first useful event, of streamed attempts.
    firsts: Fading,
    times: Times,
    /// Failures among all attempts.
    failures: Fading,
    /// How long failures took, in seconds.
    failed_after: Fading,
    breaks_at: Now,
    /// Answers that broke off, among all that began.
    breaks: Fading,
    silent: Silent,
    silent_elsewhere: Silent,
}

/// What of it outlives the process.
pub(super) struct Parts {
    pub(super) at: Now,
    pub(super) half_life: f64,
    pub(super) found: Option<Now>,
    pub(super) firsts: Fading,
    pub(super) times: Times,
    pub(super) failures: Fading,
    pub(super) failed_after: Fading,
    pub(super) breaks_at: Now,
    pub(super) breaks: Fading,
}

/// The means of what is known, at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Means {
    /// Seconds to the first useful event.
    pub(super) ttft: f64,
    /// How long the oldest silent attempt has been waiting, in seconds.
    pub(super) silent_for: f64,
    /// The share of failures, below 1.
    pub(super) pf: f64,
    /// How long a failure takes, in seconds.
    pub(super) tf: f64,
    /// The share of answers that break off.
    pub(super) pb: f64,
}

impl Means {
    const MOST_FAILURES: f64 = 0.95;

    /// For a candidate about which nothing is known.
    pub(super) fn unknown(parameters: &Parameters) -> Self {
        let none = Fading::default();
        Self::of(none, none, none, none, parameters)
    }

    fn of(
        firsts: Fading,
        failures: Fading,
        failed_after: Fading,
        breaks: Fading,
        parameters: &Parameters,
    ) -> Self {
        Self {
            ttft: firsts.mean(parameters.prior_ttft, 1.0),
            silent_for: 0.0,
            pf: failures.mean(0.03, 1.0).min(Self::MOST_FAILURES),
            tf: failed_after.mean(1.0, 1.0),
            pb: breaks.mean(0.0, 3.0),
        }
    }
}

impl Evidence {
    /// For a candidate that has not been asked yet.
    #[must_use]
    pub fn new(parameters: &Parameters, now: Now) -> Self {
        Self {
            at: now,
            half_life: parameters.half_life,
            found: None,
            firsts: Fading::default(),
            times: Times::default(),
            failures: Fading::default(),
            failed_after: Fading::default(),
            breaks_at: now,
            breaks: Fading::default(),
            silent: Silent::default(),
            silent_elsewhere: Silent::default(),
        }
    }

    pub(super) fn parts(&self) -> Parts {
        Parts {
            at: self.at,
            half_life: self.half_life,
            found: self.found,
            firsts: self.firsts,
            times: self.times,
            failures: self.failures,
            failed_after: self.failed_after,
            breaks_at: self.breaks_at,
            breaks: self.breaks,
        }
    }

    pub(super) fn of(parts: Parts) -> Self {
        Self {
            at: parts.at,
            half_life: parts.half_life,
            found: parts.found,
            firsts: parts.firsts,
            times: parts.times,
            failures: parts.failures,
            failed_after: parts.failed_after,
            breaks_at: parts.breaks_at,
            breaks: parts.breaks,
            silent: Silent::default(),
            silent_elsewhere: Silent::default(),
        }
    }

    /// An attempt begins; it is silent so far.
    pub fn began(&mut self, through: Through, began: Instant) {
        self.silent_through(through).add(began);
    }

    /// Its first useful event has arrived; `prompt_tokens` is an estimate.
    pub fn first_event(
        &mut self,
        through: Through,
        began: Instant,
        prompt_tokens: u64,
        parameters: &Parameters,
        now: Now,
    ) {
        let took = self.ends(through, began, now);
        self.fade_to(now);
        if through == Through::Its {
            if took > parameters.slow {
                self.costly_finding(parameters, now);
            } else {
                self.half_life = parameters.half_life;
            }
        }
        let weight = through.weight();
        self.firsts.add_within(FIRSTS, took, weight);
        self.times.add(took, prompt_tokens, weight);
        self.tried(false, through);
    }

    /// A complete plain answer has arrived.
    pub fn plain_answer(
        &mut self,
        through: Through,
        began: Instant,
        parameters: &Parameters,
        now: Now,
    ) {
        self.ends(through, began, now);
        self.fade_to(now);
        self.tried(false, through);
        self.whole(through, parameters, now);
    }

    /// It failed before its first useful event, in a way that [teaches] something.
    pub fn failed(&mut self, through: Through, began: Instant, parameters: &Parameters, now: Now) {
        let took = self.ends(through, began, now);
        self.fade_to(now);
        if through == Through::Its && took > parameters.slow_failure {
            self.costly_finding(parameters, now);
        }
        self.failed_after.add(took, through.weight());
        self.tried(true, through);
    }

    /// It ended before that without telling us anything: the client left, or the account's quota is gone.
    pub fn left(&mut self, through: Through, began: Instant) {
        self.silent_through(through).remove(began);
    }

    /// An answer that had begun broke off.
    pub fn broke(&mut self, through: Through, parameters: &Parameters, now: Now) {
        self.ended(true, through, parameters, now);
    }

    /// An answer that had begun is complete.
    pub fn whole(&mut self, through: Through, parameters: &Parameters, now: Now) {
        self.ended(false, through, parameters, now);
    }

    /// Whether so little weight is left that the candidate is as good as unknown.
    #[must_use]
    pub fn is_faded(&self, parameters: &Parameters, now: Now) -> bool {
        let is_silent = !self.silent.is_empty() || !self.silent_elsewhere.is_empty();
        !is_silent && self.has_faded(parameters, now)
    }

    /// The same of what ended.
    pub(super) fn has_faded(&self, parameters: &Parameters, now: Now) -> bool {
        const NEXT_TO_NOTHING: f64 = 1e-4;
        let left = self.left_at(now);
        let weights = [
            self.firsts.weight * left,
            self.failures.weight * left,
            self.times.weight() * left,
            self.breaks.weight * self.breaks_left_at(parameters, now),
        ];
        weights.into_iter().all(|weight| weight < NEXT_TO_NOTHING)
    }

    pub(super) fn means(&self, parameters: &Parameters, fades: &mut Fades) -> Means {
        let (now, left) = (fades.now(), fades.left(self.at, self.half_life));
        // Where nothing has broken off, that is so however much of it has faded.
        let breaks = if self.breaks.sum > 0.0 {
            self.breaks.faded(self.breaks_left_at(parameters, now))
        } else {
            self.breaks
        };
        let oldest = |silent: &Silent| {
            let age = silent.oldest(now.steady);
            age.map_or(0.0, |age| age.min(LONGEST).as_secs_f64())
        };
        let elsewhere = oldest(&self.silent_elsewhere) * Through::Another.weight();
        Means {
            silent_for: oldest(&self.silent).max(elsewhere),
            ..Means::of(
                self.firsts.faded(left),
                self.failures.faded(left),
                self.failed_after.faded(left),
                breaks,
                parameters,
            )
        }
    }

    /// Its times to the first useful event, and what is left of their weight.
    pub(super) fn times_at(&self, now: Now) -> (&Times, f64) {
        (&self.times, self.left_at(now))
    }

    /// The weight left of its attempts.
    #[cfg(test)]
    pub(super) fn weight_at(&self, now: Now) -> f64 {
        self.failures.weight * self.left_at(now)
    }

    fn left_at(&self, now: Now) -> f64 {
        fade(now.since(self.at).as_secs_f64(), self.half_life)
    }

    fn breaks_left_at(&self, parameters: &Parameters, now: Now) -> f64 {
        let elapsed = now.since(self.breaks_at).as_secs_f64();
        fade(elapsed, parameters.break_half_life)
    }

    fn silent_through(&mut self, through: Through) -> &mut Silent {
        match through {
            Through::Its => &mut self.silent,
            Through::Another => &mut self.silent_elsewhere,
        }
    }

    /// Ends its silence, and returns how long that lasted, in seconds.
    fn ends(&mut self, through: Through, began: Instant, now: Now) -> f64 {
        self.left(through, began);
        let took = now.steady.saturating_duration_since(began);
        took.min(LONGEST).as_secs_f64()
    }

    fn fade_to(&mut self, now: Now) {
        let left = self.left_at(now);
        self.firsts = self.firsts.faded(left);
        self.times.fade(left);
        self.failures = self.failures.faded(left);
        self.failed_after = self.failed_after.faded(left);
        self.at = now;
    }

    /// A candidate that keeps turning out bad is forgiven more and more slowly.
    fn costly_finding(&mut self, parameters: &Parameters, now: Now) {
        let is_new = |found: Now| now.since(found).as_secs_f64() > parameters.slow_every;
        if self.found.is_none_or(is_new) {
            self.half_life = (2.0 * self.half_life).min(parameters.half_life_max);
            self.found = Some(now);
        }
    }

    fn tried(&mut self, has_failed: bool, through: Through) {
        self.failures
            .add(f64::from(u8::from(has_failed)), through.weight());
        self.failures = self.failures.at_most(TRIES);
    }

    fn ended(&mut self, is_broken: bool, through: Through, parameters: &Parameters, now: Now) {
        let left = self.breaks_left_at(parameters, now);
        self.breaks = self.breaks.faded(left);
        self.breaks_at = now;
        self.breaks
            .add(f64::from(u8::from(is_broken)), through.weight());
    }
}

/// Whether a failure before the first useful event says something about its candidate. Those of scope
/// *model* and *candidate* do; those of an account, a key, a removed model or a missing ability do not, nor
/// those that the request, its client or our own shutdown caused.
#[must_use]
pub fn teaches(failure: &Failure) -> bool {
    let of_the_candidate = match failure.scope {
        Scope::Model | Scope::Candidate => true,
        Scope::Request | Scope::Account(_) | Scope::Key | Scope::Provider => false,
    };
    let of_the_upstream = match failure.outcome {
        Outcome::RateLimited | Outcome::UpstreamError => true,
        Outcome::Success
        | Outcome::UpstreamAuthError
        | Outcome::ClientError
        | Outcome::ClientDisconnected => false,
    };
    let is_gone = failure.rest == Rest::UntilNextList;
    let of_the_request = match failure.lesson {
        Some(
            Lesson::Lacks(_) | Lesson::TooLong { .. } | Lesson::Refuses(_) | Lesson::OverLimit,
        ) => true,
        None => failure.owed,
    };
    let is_our_end = failure.cause == Cause::ShuttingDown;
    of_the_candidate && of_the_upstream && !is_gone && !of_the_request && !is_our_end
}
