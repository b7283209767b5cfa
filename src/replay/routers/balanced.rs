//! `ROUTING=balanced`: the program's own rules for order, rests and first-token limits.

use std::time::Duration;

use super::{Manners, Moments, Rests};
use crate::clock::Now;
use crate::learnt::{
    Circumstances, Evidence, FirstTokenLimit, Parameters, Pins, SessionKey, Sticks, Through, cost,
    first_token_limit,
};
use crate::model::Candidate;
use crate::replay::{Attempt, Choice, Failure, Request, Router, Settings, Walk, World};

/// What is known about the accounts' quotas.
pub trait Quotas {
    /// Counts an attempt, however it ends.
    fn draws(&mut self, candidate: usize, now: f64);

    /// How near a candidate's quotas are to their limits, 0 to 1.
    fn tight(&self, candidate: usize, now: f64) -> f64;

    /// The share left of its account's daily quota, 0 to 1, if known.
    fn day_left(&self, candidate: usize, now: f64) -> Option<f64>;
}

/// Which parts of the order are in use: all, except when the effect of each is measured.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// Rests of unstated length grow.
    pub rests: bool,
    /// The time to the first token.
    pub first_token: bool,
    /// Failures.
    pub failures: bool,
    /// Answers that break off, which then do not cause a rest.
    pub breaks: bool,
    /// Attempts that are currently silent.
    pub silent: bool,
    /// Which candidate gave a session's last answer.
    pub sessions: bool,
    /// Costly findings are forgiven more slowly.
    pub forgiving: bool,
    /// Quota that is running low.
    pub quota: bool,
    /// The limit on a first token.
    pub limit: bool,
}

impl Parts {
    /// None of them, which is `rank`.
    pub const NONE: Self = Self {
        rests: false,
        first_token: false,
        failures: false,
        breaks: false,
        silent: false,
        sessions: false,
        forgiving: false,
        quota: false,
        limit: false,
    };

    /// All of them, as in the program.
    pub const ALL: Self = Self {
        rests: true,
        first_token: true,
        failures: true,
        breaks: true,
        silent: true,
        sessions: true,
        forgiving: true,
        quota: true,
        limit: true,
    };
}

/// Chooses the candidate where a request would cost least.
#[derive(Debug)]
pub struct Balanced<Q> {
    parts: Parts,
    settings: Settings,
    moments: Moments,
    manners: Manners,
    candidates: Vec<Candidate>,
    /// By candidate: those of the same offer through other accounts.
    elsewhere: Vec<Vec<usize>>,
    evidence: Vec<Evidence>,
    quotas: Q,
    pins: Pins,
    /// By request: its session.
    sessions: Vec<Option<SessionKey>>,
    /// By request: the limit on the first token has ended an attempt.
    limited: Vec<bool>,
}

impl<Q: Quotas> Balanced<Q> {
    /// Knows nothing yet but the quotas.
    #[must_use]
    pub fn new(
        world: &impl World,
        candidates: Vec<Candidate>,
        quotas: Q,
        moments: Moments,
        settings: &Settings,
        parts: Parts,
    ) -> Self {
        let mut settings = *settings;
        if !parts.forgiving {
            settings.parameters.half_life_max = settings.parameters.half_life;
        }
        let rests = if parts.rests {
            Rests::Growing(moments)
        } else {
            Rests::Fixed
        };
        let session = |n| {
            let Request { session, .. } = world.request(n);
            session.map(SessionKey::numbered)
        };
        let elsewhere = |(n, one): (usize, &Candidate)| {
            let others = candidates.iter().enumerate();
            let same = others.filter(|(m, other)| *m != n && other.model() == one.model());
            same.map(|(m, _)| m).collect()
        };
        let known = Evidence::new(&settings.parameters, moments.at(0.0));
        Self {
            parts,
            settings,
            moments,
            manners: Manners::new(world, rests, &settings),
            evidence: vec![known; world.candidates()],
            quotas,
            pins: Pins::default(),
            sessions: (0..world.requests()).map(session).collect(),
            limited: vec![false; world.requests()],
            elsewhere: candidates.iter().enumerate().map(elsewhere).collect(),
            candidates,
        }
    }

    /// What a request would cost at a candidate in this place, by the parts in use.
    fn cost(&self, candidate: usize, place: u32, walk: &Walk, now: f64) -> f64 {
        let (parameters, at) = (&self.settings.parameters, self.moments.at(now));
        let session = self.sessions[walk.number];
        let pin = session.and_then(|session| self.pins.of(session));
        let sticks = pin.map(|pin| pin.sticks(&self.candidates[candidate], parameters, at));
        let circumstances = Circumstances {
            place,
            rank_worth: parameters.rank_worth,
            tight: self.quotas.tight(candidate, now),
            sticks: sticks.unwrap_or(Sticks::No),
        };
        let evidence = &self.evidence[candidate];
        let cost = cost(Some(evidence), circumstances, parameters, at);
        let parts = self.parts;
        [
            (true, cost.place),
            (parts.first_token, cost.first_token),
            (parts.failures, cost.failures),
            (parts.quota, cost.quota),
            (parts.breaks, cost.breaks),
            (parts.sessions, -cost.session),
        ]
        .iter()
        .filter_map(|(used, part)| used.then_some(part))
        .sum()
    }

    /// Records an observation of a candidate, and of the same offer through other accounts.
    fn learns(
        &mut self,
        attempt: &Attempt,
        now: f64,
        learn: impl Fn(&mut Evidence, Through, &Parameters, Now),
    ) {
        let (parameters, at) = (self.settings.parameters, self.moments.at(now));
        let own = &mut self.evidence[attempt.candidate];
        learn(own, Through::Its, &parameters, at);
        for other in &self.elsewhere[attempt.candidate] {
            learn(
                &mut self.evidence[*other],
                Through::Another,
                &parameters,
                at,
            );
        }
    }
}

impl<Q: Quotas> Router for Balanced<Q> {
    fn choose(&mut self, walk: &Walk, world: &impl World, now: f64) -> Choice {
        let able = self.manners.able(walk, now);
        let placed = able.iter().map(|n| (*n, world.place(*n, now)));
        let first = able.first().map(|best| world.place(*best, now).tier);
        let of_tier = placed.filter(|(_, place)| Some(place.tier) == first);
        let costs = of_tier.map(|(n, place)| (self.cost(n, place.place, walk, now), n));
        let least = costs.min_by(|a, b| a.0.total_cmp(&b.0));
        least.map_or_else(|| self.manners.idle(walk, now), |(_, n)| Choice::Ask(n))
    }

    fn begins(&mut self, attempt: &Attempt, now: f64) {
        self.manners.begins(attempt);
        self.quotas.draws(attempt.candidate, now);
        if self.parts.silent {
            self.learns(attempt, now, |evidence, through, _, at| {
                evidence.began(through, at.steady);
            });
        }
    }

    fn limit(&mut self, attempt: &Attempt, walk: &Walk, now: f64) -> Option<f64> {
        let limit = FirstTokenLimit {
            is_streamed: attempt.stream,
            has_ended_one: self.limited[attempt.request],
            is_last: self.manners.able(walk, now).is_empty(),
            day_left: self.quotas.day_left(attempt.candidate, now),
        };
        if !(self.parts.limit && limit.applies()) {
            return None;
        }
        let evidence = Some(&self.evidence[attempt.candidate]);
        let timeout = Duration::try_from_secs_f64(self.settings.timeout).unwrap_or(Duration::MAX);
        let (tokens, parameters) = (attempt.prompt_tokens, &self.settings.parameters);
        let at = self.moments.at(now);
        Some(first_token_limit(evidence, tokens, timeout, parameters, at).as_secs_f64())
    }

    fn fails(&mut self, attempt: &Attempt, failure: Failure, now: f64) {
        let began = self.moments.at(attempt.at).steady;
        let teaches = match failure {
            Failure::Late => {
                self.limited[attempt.request] = true;
                true
            }
            Failure::Model { .. } => true,
            Failure::Account { .. } | Failure::Gone | Failure::Lacks | Failure::Refused => false,
        };
        self.learns(attempt, now, |evidence, through, parameters, at| {
            if teaches {
                evidence.failed(through, began, parameters, at);
            } else {
                evidence.left(through, began);
            }
        });
        self.manners.fails(attempt, failure, now);
    }

    fn speaks(&mut self, attempt: &Attempt, now: f64) {
        let began = self.moments.at(attempt.at).steady;
        let Attempt {
            stream,
            prompt_tokens,
            ..
        } = *attempt;
        self.manners.speaks(attempt);
        self.learns(attempt, now, |evidence, through, parameters, at| {
            if stream {
                evidence.first_event(through, began, prompt_tokens, parameters, at);
            } else {
                evidence.plain_answer(through, began, parameters, at);
            }
        });
        if let Some(session) = self.sessions[attempt.request] {
            let candidate = &self.candidates[attempt.candidate];
            self.pins.set(session, candidate, self.moments.at(now));
        }
    }

    fn ends(&mut self, attempt: &Attempt, broken: bool, now: f64) {
        let stream = attempt.stream;
        self.learns(attempt, now, |evidence, through, parameters, at| {
            if broken {
                evidence.broke(through, parameters, at);
            } else if stream {
                evidence.whole(through, parameters, at);
            }
        });
        if broken && !self.parts.breaks {
            self.manners.breaks(attempt, now);
        }
    }
}
