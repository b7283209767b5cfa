//! `ROUTING=rank`: the best that is able and awake.

use super::manners::{Manners, Rests};
use super::{Attempt, Choice, Failure, Router, Walk};
use crate::routing::world::World;

pub struct Rank(Manners);

impl Rank {
    pub fn new(world: &World) -> Self {
        Self(Manners::new(world, Rests::Fixed, 0.0))
    }
}

impl Router for Rank {
    fn choose(&mut self, walk: &Walk, now: f64) -> Choice {
        let able = self.0.able(walk, now);
        able.first()
            .map_or_else(|| self.0.idle(walk, now), |best| Choice::Ask(*best))
    }

    fn begins(&mut self, attempt: &Attempt, _walk: &Walk, _now: f64) {
        self.0.begins(attempt);
    }

    fn fails(&mut self, attempt: &Attempt, failure: Failure, now: f64) {
        self.0.fails(attempt, failure, now);
    }

    fn speaks(&mut self, attempt: &Attempt, _now: f64) {
        self.0.speaks(attempt);
    }

    fn ends(&mut self, attempt: &Attempt, broken: bool, now: f64) {
        if broken {
            self.0.breaks(attempt, now);
        }
    }
}
