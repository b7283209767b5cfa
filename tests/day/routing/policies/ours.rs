//! `ROUTING=rank`, and `ROUTING=balanced` a part at a time.

use std::time::{Duration, Instant, SystemTime};

use free_llm_proxy::clock::Now;
use free_llm_proxy::learnt::Order;
use free_llm_proxy::replay::{Moments, OwnRules, Parts};

use super::quotas::{Quotas, candidates};
use super::steps::Steps;
use crate::routing::played::{Played, waiting};
use crate::routing::world::World;

const AN_HOUR: Duration = Duration::from_secs(3600);

/// `ROUTING=rank`.
pub fn rank(world: &World, wait: f64) -> OwnRules<Quotas> {
    own_rules(world, wait, (Order::Rank, Parts::ALL))
}

/// `ROUTING=balanced`, as far as these steps go.
pub fn ours(world: &World, steps: Steps) -> OwnRules<Quotas> {
    own_rules(world, steps.wait(), (Order::Balanced, steps.parts))
}

/// The program's own rules, with nothing known but the quotas.
fn own_rules(world: &World, wait: f64, routing: (Order, Parts)) -> OwnRules<Quotas> {
    // Quotas know the time of day: episodes begin at noon, a day at its midnight.
    let hours = if world.minutes < 1440 { 12 } else { 0 };
    // Any day.
    let day = Duration::from_secs(20_000 * 86_400) + hours * AN_HOUR;
    let an_hour_before = Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + day - AN_HOUR,
    };
    let moments = Moments::from(an_hour_before.plus(AN_HOUR));
    let candidates = candidates(world);
    let quotas = Quotas::new(world, &candidates, an_hour_before, moments);
    let settings = waiting(wait);
    let played = Played::new(world);
    OwnRules::new(&played, candidates, quotas, moments, &settings, routing)
}
