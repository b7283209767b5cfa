//! Knows the true state of every model at the moment, but not the dice: the limit of what can be
//! learnt. It asks again at once when the dice fall badly.

use free_llm_proxy::replay::{Attempt, Choice, Failure, Manners, Rests, Router, Sessions, Walk};

use crate::routing::played::{Played, waiting};
use crate::routing::world::*;

pub struct Informed<'w> {
    manners: Manners,
    world: &'w World,
    sessions: Sessions,
}

impl<'w> Informed<'w> {
    pub fn new(world: &'w World) -> Self {
        let mut manners = Manners::new(&Played::new(world), &waiting(0.0));
        for (n, model) in world.models.iter().enumerate() {
            if model.refuses_tools {
                manners.lacks_tools(n);
            }
        }
        Self {
            manners,
            world,
            sessions: Sessions::default(),
        }
    }

    /// What the request would cost there, in seconds; none where it would fail.
    fn cost(&self, n: usize, request: &Request, now: f64) -> Option<f64> {
        let model = &self.world.models[n];
        if now >= model.gone_from {
            return None;
        }
        let (mut well, mut slow, mut cuts, mut failing) = (1.0, 0.0, 0.0_f64, 0.0);
        for spell in model.spells_at(now) {
            match spell.effect {
                Effect::Slow(median) => slow += median,
                Effect::Cuts => cuts = cuts.max(spell.probability),
                Effect::Fails(fault, _) => {
                    well -= spell.probability;
                    failing += spell.probability
                        * match fault {
                            Fault::Silent => 30.0,
                            Fault::Late => 8.0,
                            _ => 0.3,
                        };
                }
            }
        }
        if well <= 0.02 {
            return None;
        }
        let cached = self.sessions.is_warm(&request.plain(), n, now);
        let wait =
            model.first_token * model.wander_at(now).exp() + slow + model.reading(request, cached);
        let place = 2.0 * (model.rank as f64 - 1.0);
        let change = if self.sessions.switched(&request.plain(), n) {
            1.0
        } else {
            0.0
        };
        Some(wait + place + (failing + 1.0 - well) / well + 45.0 * cuts + change)
    }
}

impl Router for Informed<'_> {
    fn choose(&mut self, walk: &Walk, now: f64) -> Choice {
        let able: Vec<_> = self.manners.able(walk, now).map(|(n, _)| n).collect();
        let request = &self.world.requests[walk.number];
        let cost = |n: usize| Some((self.cost(n, request, now)?, n));
        let costs = able.iter().filter_map(|n| cost(*n));
        let least = costs.min_by(|a, b| a.0.total_cmp(&b.0));
        match (least, able.first()) {
            (Some((_, n)), _) => Choice::Ask(n),
            (None, Some(best)) => Choice::Ask(*best),
            (None, None) => self.manners.idle(walk, now),
        }
    }

    fn begins(&mut self, attempt: &Attempt, _now: f64) {
        self.manners.begins(attempt);
    }

    fn fails(&mut self, attempt: &Attempt, failure: Failure, now: f64) {
        self.manners.fails(attempt, failure, Rests::None, now);
    }

    fn speaks(&mut self, attempt: &Attempt, now: f64) {
        self.manners.speaks(attempt);
        let request = self.world.requests[attempt.request].plain();
        self.sessions.served(&request, attempt.candidate, now);
    }

    fn ends(&mut self, _attempt: &Attempt, _broken: bool, _now: f64) {}
}
