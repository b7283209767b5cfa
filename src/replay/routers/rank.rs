//! `ROUTING=rank`: the best candidate that is capable and not resting.

use super::{Manners, Rests};
use crate::replay::{Attempt, Choice, Failure, Router, Settings, Walk, World};

/// Chooses the best candidate that is capable and not resting, whatever else is known about it.
#[derive(Debug)]
pub struct Rank(Manners);

impl Rank {
    /// Starts with no candidate resting.
    #[must_use]
    pub fn new(world: &impl World, settings: &Settings) -> Self {
        Self(Manners::new(world, Rests::Fixed, settings))
    }
}

impl Router for Rank {
    fn choose(&mut self, walk: &Walk, _world: &impl World, now: f64) -> Choice {
        let able = self.0.able(walk, now);
        able.first()
            .map_or_else(|| self.0.idle(walk, now), |best| Choice::Ask(*best))
    }

    fn begins(&mut self, attempt: &Attempt, _now: f64) {
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
