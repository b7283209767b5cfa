//! `ROUTING=balanced`: the program's own rules of order, rest and patience, in place of rank.

use std::time::Duration;

use free_llm_proxy::clock::Now;
use free_llm_proxy::learnt::{
    Caller, Circumstances, Evidence, FirstTokenLimit, Parameters, Pins, Salt, SessionKey, Sticks,
    Through, cost, first_token_limit,
};
use free_llm_proxy::model::Candidate;
use free_llm_proxy::request::Opening;
use http::{HeaderMap, HeaderValue};

use super::clock::Clock;
use super::manners::{Manners, Rests};
use super::quotas::{Quotas, candidates};
use super::steps::Steps;
use super::{Attempt, Choice, Failure, Router, TIMEOUT, Walk};
use crate::routing::world::*;

pub struct Ours {
    steps: Steps,
    parameters: Parameters,
    clock: Clock,
    manners: Manners,
    candidates: Vec<Candidate>,
    evidence: Vec<Evidence>,
    quotas: Quotas,
    pins: Pins,
    /// By request.
    sessions: Vec<Option<SessionKey>>,
    /// By request: an attempt has ended by the first-token limit.
    limited: Vec<bool>,
}

impl Ours {
    pub fn new(world: &World, steps: Steps) -> Self {
        let mut parameters = Parameters::default();
        if !steps.forgiving {
            parameters.half_life_max = parameters.half_life;
        }
        let clock = Clock::of(world);
        let candidates = candidates(world);
        let (start, hold) = (clock.at(0.0), if steps.hold { 20.0 } else { 0.0 });
        let rests = if steps.rests {
            Rests::Growing(clock)
        } else {
            Rests::Fixed
        };
        Self {
            steps,
            parameters,
            clock,
            manners: Manners::new(world, rests, hold),
            evidence: vec![Evidence::new(&parameters, start); world.models.len()],
            quotas: Quotas::new(world, &candidates, clock.before()),
            candidates,
            pins: Pins::default(),
            sessions: world.requests.iter().map(session).collect(),
            limited: vec![false; world.requests.len()],
        }
    }

    /// What it would cost, by the parts in use.
    fn cost(&self, model: usize, walk: &Walk, now: Now) -> f64 {
        let session = self.sessions[walk.number];
        let pin = session.and_then(|session| self.pins.of(session));
        let candidate = &self.candidates[model];
        let sticks = pin.map(|pin| pin.sticks(candidate, &self.parameters, now));
        let slot = self.quotas.slots[model];
        let circumstances = Circumstances {
            place: model as u32,
            rank_worth: self.parameters.rank_worth,
            tight: self.quotas.ledger.tight(slot, now),
            sticks: sticks.unwrap_or(Sticks::No),
        };
        let parts = cost(
            Some(&self.evidence[model]),
            circumstances,
            &self.parameters,
            now,
        );
        let steps = self.steps;
        [
            (true, parts.place),
            (steps.first_token, parts.first_token),
            (steps.failures, parts.failures),
            (steps.quota, parts.quota),
            (steps.breaks, parts.breaks),
            (steps.sessions, -parts.session),
        ]
        .iter()
        .filter_map(|(used, part)| used.then_some(part))
        .sum()
    }
}

impl Router for Ours {
    fn choose(&mut self, walk: &Walk, now: f64) -> Choice {
        let able = self.manners.able(walk, now);
        let at = self.clock.at(now);
        let costs = able
            .iter()
            .map(|model| (self.cost(*model, walk, at), *model));
        let least = costs.min_by(|a, b| a.0.total_cmp(&b.0));
        least.map_or_else(
            || self.manners.idle(walk, now),
            |(_, model)| Choice::Ask(model),
        )
    }

    fn begins(&mut self, attempt: &Attempt, _walk: &Walk, now: f64) {
        let now = self.clock.at(now);
        self.manners.begins(attempt);
        self.quotas.draw(attempt.model, now);
        if self.steps.silent {
            self.evidence[attempt.model].began(Through::Its, now.steady);
        }
    }

    fn limit(&mut self, attempt: &Attempt, walk: &Walk, now: f64) -> f64 {
        let at = self.clock.at(now);
        let limit = FirstTokenLimit {
            is_streamed: attempt.stream,
            has_ended_one: self.limited[attempt.request],
            is_last: self.manners.able(walk, now).is_empty(),
            day_left: self
                .quotas
                .ledger
                .day_left(self.quotas.slots[attempt.model], at),
        };
        if !(self.steps.limit && limit.applies()) {
            return TIMEOUT;
        }
        let evidence = Some(&self.evidence[attempt.model]);
        let timeout = Duration::from_secs_f64(TIMEOUT);
        let tokens = attempt.prompt_tokens;
        first_token_limit(evidence, tokens, timeout, &self.parameters, at).as_secs_f64()
    }

    fn fails(&mut self, attempt: &Attempt, failure: Failure, now: f64) {
        let (began, at) = (self.clock.at(attempt.at).steady, self.clock.at(now));
        let evidence = &mut self.evidence[attempt.model];
        match failure {
            Failure::Limit => {
                self.limited[attempt.request] = true;
                evidence.failed(Through::Its, began, &self.parameters, at);
            }
            Failure::Account { .. }
            | Failure::Model {
                fault: Fault::Gone | Fault::NoTools,
                ..
            } => evidence.left(Through::Its, began),
            Failure::Model { .. } => {
                evidence.failed(Through::Its, began, &self.parameters, at);
            }
        }
        self.manners.fails(attempt, failure, now);
    }

    fn speaks(&mut self, attempt: &Attempt, now: f64) {
        let (began, at) = (self.clock.at(attempt.at).steady, self.clock.at(now));
        self.manners.speaks(attempt);
        let (evidence, parameters) = (&mut self.evidence[attempt.model], &self.parameters);
        if attempt.stream {
            let tokens = attempt.prompt_tokens;
            evidence.first_event(Through::Its, began, tokens, parameters, at);
        } else {
            evidence.plain_answer(Through::Its, began, parameters, at);
        }
        if let Some(session) = self.sessions[attempt.request] {
            self.pins.set(session, &self.candidates[attempt.model], at);
        }
    }

    fn ends(&mut self, attempt: &Attempt, broken: bool, now: f64) {
        let at = self.clock.at(now);
        let evidence = &mut self.evidence[attempt.model];
        if broken {
            evidence.broke(Through::Its, &self.parameters, at);
        } else if attempt.stream {
            evidence.whole(Through::Its, &self.parameters, at);
        }
        if broken && !self.steps.breaks {
            self.manners.breaks(attempt, now);
        }
    }
}

/// The session as its header tells it.
fn session(request: &Request) -> Option<SessionKey> {
    let named = HeaderValue::from(request.session?);
    let headers = HeaderMap::from_iter([("x-session-id".parse().unwrap(), named)]);
    Caller::of(&headers, b"", Salt::new([7; 16])).session(&Opening::default())
}
