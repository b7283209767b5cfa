//! `ROUTING` and a request's wish: the program's own rules for order, rests and first-token limits.

use std::collections::HashMap;
use std::time::Duration;

use super::{Manners, Moments, Rests};
use crate::clock::Now;
use crate::learnt::{
    Circumstances, Cost, Evidence, Fades, FirstTokenLimit, Order, Parameters, Pins, SessionKey,
    Sticks, Through, cost_at_least, cost_of_one, first_token_limit,
};
use crate::model::{Candidate, Subject, Wish};
use crate::replay::{Attempt, Choice, Failure, Place, Request, Router, Settings, Walk, World};

/// What is known about the accounts' quotas.
pub trait Quotas {
    /// Counts an attempt, however it ends.
    fn draws(&mut self, candidate: usize, now: f64);

    /// How near a candidate's quotas are to their limits, 0 to 1.
    fn tight(&self, candidate: usize, now: f64) -> f64;

    /// The share left of its account's daily quota, 0 to 1, if known.
    fn day_left(&self, candidate: usize, now: f64) -> Option<f64>;
}

/// Which parts of the order by cost are in use: all, except when the effect of each is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// None of them, which is the order by rank.
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

/// Chooses by the order that the setting and a request's wish give: by what a request would cost, or by rank.
#[derive(Debug)]
pub struct OwnRules<Q> {
    order: Order,
    /// Of the order by cost.
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
    /// By request.
    asks: Vec<Asks>,
}

/// What a request asks for, as far as the order depends on it.
#[derive(Clone, Copy, Debug)]
struct Asks {
    session: Option<SessionKey>,
    wish: Wish,
    /// The limit on the first token has ended an attempt.
    is_limited: bool,
}

impl<Q: Quotas> OwnRules<Q> {
    /// Knows nothing yet but the quotas.
    #[must_use]
    pub fn new(
        world: &impl World,
        candidates: Vec<Candidate>,
        quotas: Q,
        moments: Moments,
        settings: &Settings,
        (order, parts): (Order, Parts),
    ) -> Self {
        let mut settings = *settings;
        if !parts.forgiving {
            settings.parameters.half_life_max = settings.parameters.half_life;
        }
        let asks = |n| {
            let Request { session, wish, .. } = world.request(n);
            Asks {
                session: session.map(SessionKey::numbered),
                wish,
                is_limited: false,
            }
        };
        let known = Evidence::new(&settings.parameters, moments.at(0.0));
        Self {
            order,
            parts,
            settings,
            moments,
            manners: Manners::new(world, &settings),
            evidence: vec![known; world.candidates()],
            quotas,
            pins: Pins::default(),
            asks: (0..world.requests()).map(asks).collect(),
            elsewhere: elsewhere(&candidates),
            candidates,
        }
    }

    /// The parts in use for a request.
    fn parts(&self, request: usize) -> Parts {
        match self.order.of(self.asks[request].wish) {
            Order::Balanced => self.parts,
            Order::Rank => Parts::NONE,
        }
    }

    fn rests(&self, request: usize) -> Rests {
        if self.parts(request).rests {
            Rests::Growing(self.moments)
        } else {
            Rests::Fixed
        }
    }

    /// Which of these a request would cost least; they stand in their order.
    fn cheapest(
        &self,
        able: impl Iterator<Item = (usize, Place)>,
        walk: &Walk,
        now: f64,
    ) -> Option<usize> {
        let asks = self.asks[walk.number];
        let parameters = &self.settings.parameters;
        let rank_worth = parameters.rank_worth(asks.wish);
        let pin = asks.session.and_then(|session| self.pins.of(session));
        let at = self.moments.at(now);
        let mut fades = Fades::at(at);
        let mut best: Option<(f64, usize)> = None;
        for (candidate, Place { place, .. }) in able {
            let least = cost_at_least(place, rank_worth, pin.is_some(), parameters);
            if best.is_some_and(|(cost, _)| self.parts == Parts::ALL && cost <= least) {
                break;
            }
            let sticks = pin.map(|pin| pin.sticks(&self.candidates[candidate], parameters, at));
            let circumstances = Circumstances {
                place,
                rank_worth,
                tight: self.quotas.tight(candidate, now),
                sticks: sticks.unwrap_or(Sticks::No),
            };
            let evidence = Some(&self.evidence[candidate]);
            let cost = cost_of_one(evidence, circumstances, parameters, &mut fades);
            let cost = self.parts.of(&cost);
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
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

impl Parts {
    /// What a request costs by the parts in use.
    fn of(self, cost: &Cost) -> f64 {
        [
            (true, cost.place),
            (self.first_token, cost.first_token),
            (self.failures, cost.failures),
            (self.quota, cost.quota),
            (self.breaks, cost.breaks),
            (self.sessions, -cost.session),
        ]
        .iter()
        .filter_map(|(used, part)| used.then_some(part))
        .sum()
    }
}

/// By candidate: those of the same offer through other accounts.
fn elsewhere(candidates: &[Candidate]) -> Vec<Vec<usize>> {
    let mut of_model: HashMap<&Subject, Vec<usize>> = HashMap::new();
    for (n, candidate) in candidates.iter().enumerate() {
        of_model.entry(candidate.model()).or_default().push(n);
    }
    let others = |(n, candidate): (usize, &Candidate)| {
        let all = of_model.get(candidate.model()).into_iter().flatten();
        all.copied().filter(|other| *other != n).collect()
    };
    candidates.iter().enumerate().map(others).collect()
}

impl<Q: Quotas> Router for OwnRules<Q> {
    fn choose(&mut self, walk: &Walk, now: f64) -> Choice {
        let mut able = self.manners.able(walk, now).peekable();
        let Some((first, Place { tier, .. })) = able.peek().copied() else {
            return self.manners.idle(walk, now);
        };
        let chosen = match self.order.of(self.asks[walk.number].wish) {
            Order::Rank => None,
            Order::Balanced => {
                let of_tier = able.take_while(|(_, place)| place.tier == tier);
                self.cheapest(of_tier, walk, now)
            }
        };
        Choice::Ask(chosen.unwrap_or(first))
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
            has_ended_one: self.asks[attempt.request].is_limited,
            is_last: self.manners.able(walk, now).next().is_none(),
            day_left: self.quotas.day_left(attempt.candidate, now),
        };
        if !(self.parts(attempt.request).limit && limit.applies()) {
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
                self.asks[attempt.request].is_limited = true;
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
        let rests = self.rests(attempt.request);
        self.manners.fails(attempt, failure, rests, now);
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
        if let Some(session) = self.asks[attempt.request].session {
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
        if broken && !self.parts(attempt.request).breaks {
            let rests = self.rests(attempt.request);
            self.manners.breaks(attempt, rests, now);
        }
    }
}
