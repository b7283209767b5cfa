//! Ten episodes of 40 minutes, and a day, which is longer and played on fewer seeds.

use super::blocks::*;
use super::world::*;

pub struct Scenario {
    pub name: &'static str,
    /// How long it is.
    pub minutes: u32,
    /// On how many seeds it is played.
    pub seeds: u32,
    pub fill: fn(&mut World),
}

const fn episode(name: &'static str, fill: fn(&mut World)) -> Scenario {
    Scenario {
        name,
        minutes: 40,
        seeds: 40,
        fill,
    }
}

pub const EPISODES: [Scenario; 10] = [
    episode("calm", calm),
    episode("storm", storm),
    episode("drift", drift),
    episode("flaky", flaky),
    episode("breaks", breaks),
    episode("morning", morning),
    episode("dead", dead),
    episode("two", two),
    episode("mixed", mixed),
    episode("ration", ration),
];

pub const DAY: Scenario = Scenario {
    name: "day",
    minutes: 1440,
    seeds: 10,
    fill: day,
};

/// Stray errors and wandering latency.
fn calm(world: &mut World) {
    one_account(world);
    usual(world);
}

/// 429s half of the time on the best three, 20 to 35% on the others.
fn storm(world: &mut World) {
    one_account(world);
    for model in 0..12 {
        let share = match world.models[model].rank {
            ..=3 => 0.5,
            4..=6 => 0.35,
            _ => 0.2,
        };
        rate_limits(world, model, share);
    }
    usual(world);
}

/// The best takes 8 s to speak for 12 minutes, later 15 s for 6; the second takes 0.6 s; the others
/// have slow spells.
fn drift(world: &mut World) {
    one_account(world);
    let start = 6.0 + 4.0 * world.dice.unit();
    world.models[1].first_token = 0.6;
    let best = &mut world.models[0];
    best.first_token = 0.8;
    best.spell(start, 12.0, Effect::Slow(7.2), 1.0);
    best.spell(start + 18.0, 6.0, Effect::Slow(14.0), 1.0);
    for model in 1..12 {
        slow_spells(world, model, 0.10);
    }
    usual(world);
}

/// The best fails 3 of 10 at random: quick errors (2), late or silent ones (1).
fn flaky(world: &mut World) {
    one_account(world);
    let minutes = f64::from(world.minutes);
    let best = &mut world.models[0];
    for (fault, probability) in [
        (Fault::BadGateway, 0.06),
        (Fault::Unavailable, 0.05),
        (Fault::OkError, 0.05),
        (Fault::Empty, 0.04),
        (Fault::Late, 0.04),
        (Fault::Silent, 0.06),
    ] {
        best.spell(0.0, minutes, fails(fault), probability);
    }
    world.models[1].spell(0.0, minutes, fails(Fault::BadGateway), 0.05);
    usual(world);
}

/// Answers end in their middle: 12% of the best's, 8% of the second's, 1% of the third's.
fn breaks(world: &mut World) {
    one_account(world);
    let minutes = f64::from(world.minutes);
    for model in &mut world.models {
        // Drawn for each, used or not.
        let other = 0.02 + 0.04 * world.dice.unit();
        let probability = match model.rank {
            1 => 0.12,
            2 => 0.08,
            3 => 0.01,
            4 => 0.05,
            _ => other,
        };
        model.spell(0.0, minutes, Effect::Cuts, probability);
    }
    usual(world);
}

/// Two agents, chat and batches at once: the 20 a minute are the bottleneck, and an attempt that fails
/// costs an answer.
fn morning(world: &mut World) {
    one_account(world);
    for model in 0..12 {
        let popular = world.models[model].rank <= 4;
        rate_limits(world, model, if popular { 0.3 } else { 0.12 });
        outages(world, model, 0.04);
    }
    let mut sessions = 0;
    agent(world, 2.0, world.end(), &mut sessions, 9.0);
    agent(world, 40.0, world.end(), &mut sessions, 12.0);
    chat(world, 2.0);
    batch(world, 4.0, 12.0, 1.5);
}

/// Half of the list is gone, silent or down for good; the second dies on the way.
fn dead(world: &mut World) {
    one_account(world);
    let minutes = f64::from(world.minutes);
    for rank in [1, 4, 8, 10] {
        world.models[rank - 1].gone_from = 0.0;
    }
    world.models[2].spell(0.0, minutes, fails(Fault::Silent), 1.0);
    world.models[5].spell(0.0, minutes, fails(Fault::Unavailable), 1.0);
    world.models[1].gone_from = (12.0 + 10.0 * world.dice.unit()) * 60.0;
    for model in 0..12 {
        rate_limits(world, model, 0.08);
    }
    usual(world);
}

/// Two providers; the day of the first one's account ends after 10 minutes.
fn two(world: &mut World) {
    world.accounts.push(Account {
        exhausted_from: (8.0 + 4.0 * world.dice.unit()) * 60.0,
        ..ACCOUNT
    });
    world.accounts.push(Account {
        per_minute: 30,
        ..ACCOUNT
    });
    models(world, 0, (1..=12).step_by(2));
    models(world, 1, (2..=12).step_by(2));
    world.models.sort_by_key(|model| model.rank);
    for model in 0..12 {
        rate_limits(world, model, 0.15);
        slow_spells(world, model, 0.05);
    }
    usual(world);
}

/// All of it at the rates of a bad afternoon.
fn mixed(world: &mut World) {
    one_account(world);
    troubles(world, 1.0);
    usual(world);
}

/// A bad afternoon on the last of the day's quota: 8% more than there are requests.
fn ration(world: &mut World) {
    mixed(world);
    let left = 1.08 * world.requests.len() as f64;
    world.accounts[0].day_left = Some(left as u32);
}

/// 24 hours on a quota of 1000 for about 1050 requests: mornings, evenings, a dead night.
fn day(world: &mut World) {
    one_account(world);
    world.accounts[0].day_left = Some(A_DAY);
    troubles(world, 0.7);
    let mut sessions = 0;
    for (from, to) in [
        (8.5, 10.2),
        (11.0, 12.4),
        (14.0, 16.0),
        (17.0, 18.0),
        (20.5, 22.0),
    ] {
        let start = from * 3600.0 + 600.0 * world.dice.unit();
        agent(world, start, to * 3600.0, &mut sessions, 28.0);
    }
    chat(world, 0.10);
    batch(world, 150.0, 8.0, 3.0);
    thin(world);
}
