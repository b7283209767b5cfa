//! What scenarios are made of: accounts, models, kinds of trouble, kinds of use.

use super::dice::Dice;
use super::world::*;

/// An account of 20 a minute and no limit of the day.
pub const ACCOUNT: Account = Account {
    per_minute: 20,
    day_left: None,
    exhausted_from: NEVER,
};

/// Twelve models, two without tools and one that says it has them; latency wanders with a time constant
/// of ten minutes.
pub fn models(world: &mut World, account: usize, ranks: impl Iterator<Item = usize>) {
    let dice = &mut world.dice;
    for rank in ranks {
        let mut at = 0.0;
        let wander = (0..world.minutes + 10).map(|_| {
            at = 0.905 * at + 0.25 * (1.0 - 0.905_f64 * 0.905).sqrt() * dice.normal();
            at
        });
        let wander = wander.collect();
        world.models.push(Model {
            rank,
            account,
            tools: rank != 5 && rank != 11,
            refuses_tools: rank == 7,
            first_token: (0.9_f64.ln() + 0.4 * dice.normal()).exp().clamp(0.35, 3.0),
            sigma: 0.25 + 0.2 * dice.unit(),
            wander,
            tokens_per_second: 30.0 + 90.0 * dice.unit(),
            prompt_tokens_per_second: 8000.0 + 22000.0 * dice.unit(),
            stray: 0.002 + 0.006 * dice.unit(),
            gone_from: NEVER,
            spells: Vec::new(),
            longest: 0.0,
        });
    }
}

/// One account, and all models with it.
pub fn one_account(world: &mut World) {
    world.accounts.push(ACCOUNT);
    models(world, 0, 1..=12);
}

pub fn fails(fault: Fault) -> Effect {
    Effect::Fails(fault, Advice::Nothing)
}

impl Model {
    /// A spell from this minute on, so many minutes long.
    pub fn spell(&mut self, start: f64, minutes: f64, effect: Effect, probability: f64) {
        self.spells.push(Spell {
            start: start * 60.0,
            end: (start + minutes) * 60.0,
            effect,
            probability,
        });
    }
}

/// Spells that cover about this share of the model's time, of this many minutes in the median.
pub fn renewals(
    world: &mut World,
    model: usize,
    share: f64,
    minutes: f64,
    mut effect: impl FnMut(&mut Dice) -> (Effect, f64),
) {
    const SIGMA: f64 = 0.7;
    let end = world.end();
    let (dice, model) = (&mut world.dice, &mut world.models[model]);
    let mean = minutes * (SIGMA * SIGMA / 2.0).exp();
    let gap = mean * (1.0 - share) / share.max(1e-6) * 60.0;
    let mut start = gap * dice.exponential() * 0.7;
    while start < end {
        let long = minutes * (SIGMA * dice.normal()).exp() * 60.0;
        let (effect, probability) = effect(dice);
        model.spells.push(Spell {
            start,
            end: start + long,
            effect,
            probability,
        });
        start += long + gap * dice.exponential();
    }
}

/// Certain in three of five spells.
fn often(dice: &mut Dice) -> f64 {
    if dice.unit() < 0.6 {
        1.0
    } else {
        0.4 + 0.5 * dice.unit()
    }
}

/// 429s of the provider behind the model: shared pools, often partial, with whatever advice.
pub fn rate_limits(world: &mut World, model: usize, share: f64) {
    renewals(world, model, share, 3.0, |dice| {
        let advice = match dice.unit() {
            drawn if drawn < 0.4 => Advice::Nothing,
            drawn if drawn < 0.6 => Advice::Exact,
            _ => Advice::Seconds(f64::from(10 * (1 + dice.below(6)))),
        };
        (Effect::Fails(Fault::Limited, advice), often(dice))
    });
}

pub fn outages(world: &mut World, model: usize, share: f64) {
    renewals(world, model, share, 4.0, |dice| {
        let fault = dice.one_of(&[
            (Fault::Unavailable, 0.3),
            (Fault::BadGateway, 0.25),
            (Fault::Silent, 0.15),
            (Fault::Late, 0.1),
            (Fault::OkError, 0.12),
            (Fault::Empty, 0.08),
        ]);
        (fails(fault), often(dice))
    });
}

/// 5 to 30 s more to the first token.
pub fn slow_spells(world: &mut World, model: usize, share: f64) {
    renewals(world, model, share, 5.0, |dice| {
        let median = (5.0_f64.ln() + dice.unit() * (30.0_f64 / 5.0).ln()).exp();
        (Effect::Slow(median), 1.0)
    });
}

pub fn cuts(world: &mut World, model: usize, share: f64, probability: f64) {
    renewals(world, model, share, 8.0, |_| (Effect::Cuts, probability));
}

/// A bad afternoon's trouble of every kind, times `scale`.
pub fn troubles(world: &mut World, scale: f64) {
    let models = world.models.len();
    for model in 0..models {
        let popular = if world.models[model].rank <= 3 {
            1.5
        } else {
            1.0
        };
        rate_limits(world, model, 0.16 * popular * scale);
        outages(world, model, 0.07 * scale);
        slow_spells(world, model, 0.08 * scale);
        let probability = 0.05 + 0.15 * world.dice.unit();
        cuts(world, model, 0.10 * scale, probability);
    }
    // A provider takes four down at once.
    let mut at = 0.0;
    loop {
        at += 60.0 * 45.0 / scale * world.dice.exponential();
        if at >= world.end() {
            break;
        }
        let fault =
            [Fault::Unavailable, Fault::BadGateway, Fault::Silent][world.dice.below(3) as usize];
        for model in world.dice.sample::<4>(models as u32) {
            let minutes = 2.0 + 6.0 * world.dice.unit();
            world.models[model].spell(at / 60.0, minutes, fails(fault), 1.0);
        }
    }
    // One leaves for good.
    let leaves = world.dice.below(models as u32) as usize;
    world.models[leaves].gone_from = world.end() * (0.2 + 0.7 * world.dice.unit());
}

fn add(world: &mut World, request: Request) {
    if request.at < world.end() - 5.0 {
        let prompt_tokens = request.prompt_tokens.floor();
        let output_tokens = request.output_tokens.floor().max(8.0);
        world.requests.push(Request {
            prompt_tokens,
            output_tokens,
            ..request
        });
    }
}

/// One coding session after another: turns with tools, a prompt that grows, `gap` seconds between them.
pub fn agent(world: &mut World, start: f64, end: f64, sessions: &mut u32, gap: f64) {
    let mut at = start;
    while at < end {
        *sessions += 1;
        let mut prompt_tokens: f64 = 3000.0 + 5000.0 * world.dice.unit();
        for _ in 0..(8.0 + 26.0 * world.dice.unit()) as u32 {
            let output_tokens = 40.0 + 300.0 * world.dice.unit().powi(2);
            let turn = Request {
                at,
                session: Some(*sessions),
                tools: true,
                stream: true,
                prompt_tokens,
                output_tokens,
            };
            add(world, turn);
            let more = 2500.0 * world.dice.unit().powi(2);
            prompt_tokens = (prompt_tokens + 300.0 + more).min(60000.0);
            at += (gap * (0.7 * world.dice.normal()).exp() * 0.78).max(1.0);
            if at > end {
                return;
            }
        }
        at += 20.0 + 100.0 * world.dice.unit();
    }
}

pub fn chat(world: &mut World, per_minute: f64) {
    let mut at = 0.0;
    loop {
        at += 60.0 / per_minute * world.dice.exponential();
        if at >= world.end() {
            return;
        }
        let asked = Request {
            at,
            session: None,
            tools: false,
            stream: true,
            prompt_tokens: 150.0 + 3000.0 * world.dice.unit().powi(3),
            output_tokens: 80.0 + 700.0 * world.dice.unit(),
        };
        add(world, asked);
    }
}

/// Bursts of plain requests, `gap` seconds apart.
pub fn batch(world: &mut World, every_minutes: f64, size: f64, gap: f64) {
    let mut at = 0.0;
    loop {
        at += 60.0 * every_minutes * world.dice.exponential();
        if at >= world.end() {
            return;
        }
        for n in 0..(size * (0.5 + world.dice.unit())) as u32 {
            let asked = Request {
                at: at + f64::from(n) * gap * (0.5 + world.dice.unit()),
                session: None,
                tools: false,
                stream: false,
                prompt_tokens: 100.0 + 800.0 * world.dice.unit(),
                output_tokens: 20.0 + 120.0 * world.dice.unit(),
            };
            add(world, asked);
        }
    }
}

/// About 7 requests a minute: an agent, chat, bursts.
pub fn usual(world: &mut World) {
    agent(world, 3.0, world.end(), &mut 0, 9.0);
    chat(world, 1.6);
    batch(world, 9.0, 8.0, 3.0);
    thin(world);
}

/// At most 15 arrivals a calendar minute: more would only test the quota.
pub fn thin(world: &mut World) {
    world.requests.sort_by(|a, b| a.at.total_cmp(&b.at));
    let (mut minute, mut seen) = (0, 0);
    world.requests.retain(|request| {
        let this = (request.at / 60.0) as u64;
        if this != minute {
            (minute, seen) = (this, 0);
        }
        seen += 1;
        seen <= 15
    });
}
