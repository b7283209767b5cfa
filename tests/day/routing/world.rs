//! A seeded world: accounts, models that misbehave over time, and the requests of one user.
//!
//! It is a pure function of scenario and seed, and what an attempt comes to is one of the model,
//! the moment, the request and how often this request asked this model, not of who routes: every
//! router meets the same luck, and one that knows everything can be computed. Times are seconds
//! from the start of the episode.

use free_llm_proxy::model::Wish;
use free_llm_proxy::replay;
pub use free_llm_proxy::replay::NEVER;

use super::dice::Dice;
use super::scenarios::Scenario;

/// How an attempt fails before its first token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 of the model's provider.
    Limited,
    /// 503.
    Unavailable,
    /// 502.
    BadGateway,
    /// An error inside a 200.
    OkError,
    /// A 200 without an answer.
    Empty,
    /// 4 to 12 s of silence, then 502.
    Late,
    /// Until the router gives up.
    Silent,
    /// The model has left for good: 404.
    Gone,
    /// It takes no tools, whatever its list says: 404.
    NoTools,
}

/// What a 429 says of how long to wait.
#[derive(Clone, Copy, Debug)]
pub enum Advice {
    Nothing,
    /// Until the spell ends, rounded up to 10 s.
    Exact,
    /// So many seconds, right or wrong.
    Seconds(f64),
}

#[derive(Clone, Copy, Debug)]
pub enum Effect {
    Fails(Fault, Advice),
    /// The median of the seconds added to the first token.
    Slow(f64),
    /// Answers end in their middle.
    Cuts,
}

/// A time in which this befalls an attempt, with this probability (slowness always does).
#[derive(Clone, Copy, Debug)]
pub struct Spell {
    pub start: f64,
    pub end: f64,
    pub effect: Effect,
    pub probability: f64,
}

#[derive(Debug)]
pub struct Model {
    /// From 1.
    pub rank: usize,
    pub account: usize,
    /// What the list says. All else is hidden from routers.
    pub tools: bool,
    pub refuses_tools: bool,
    /// Median seconds to the first token of an empty prompt, and sigma of their logarithm.
    pub first_token: f64,
    pub sigma: f64,
    /// The logarithm of a factor to that, by minute.
    pub wander: Vec<f64>,
    pub tokens_per_second: f64,
    pub prompt_tokens_per_second: f64,
    /// The probability of a stray failure.
    pub stray: f64,
    pub gone_from: f64,
    /// By start.
    pub spells: Vec<Spell>,
    /// Seconds of the longest of them.
    pub longest: f64,
}

/// A key with a quota of its own. Refused attempts count.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// In a calendar minute.
    pub per_minute: u32,
    /// What is left of the day at the start, if the day is limited.
    pub day_left: Option<u32>,
    /// The day's quota is used up elsewhere at this moment.
    pub exhausted_from: f64,
}

/// An account's day, where it is limited at all.
pub const A_DAY: u32 = 1000;

#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub at: f64,
    pub session: Option<u32>,
    pub tools: bool,
    pub stream: bool,
    pub prompt_tokens: f64,
    pub output_tokens: f64,
}

impl Request {
    /// What a router sees of it.
    pub fn plain(&self) -> replay::Request {
        replay::Request {
            at: self.at,
            session: self.session,
            tools: self.tools,
            stream: self.stream,
            wish: Wish::Auto,
            prompt_tokens: self.prompt_tokens as u64,
        }
    }
}

/// What an attempt comes to, the account's quota apart. Seconds since it began.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    Fails {
        fault: Fault,
        /// Never, if it is silent.
        after: f64,
        retry_after: Option<f64>,
    },
    Speaks {
        first: f64,
        /// The end of the answer, or where it breaks off.
        total: f64,
        breaks: bool,
    },
}

#[derive(Debug)]
pub struct World {
    pub dice: Dice,
    pub minutes: u32,
    pub accounts: Vec<Account>,
    /// By rank.
    pub models: Vec<Model>,
    /// By time.
    pub requests: Vec<Request>,
    /// Of each request with each model: four from the unit interval, two standard normal.
    luck: Vec<[f64; 4]>,
    noise: Vec<[f64; 2]>,
}

/// What a provider's prompt cache saves of the reading, within so many seconds of the session's last
/// answer from the same model.
pub const CACHE_SAVES: f64 = 0.8;

impl World {
    pub fn new(scenario: &Scenario, seed: u32) -> Self {
        let number = scenario.name.bytes().rev().fold(0_u64, |number, letter| {
            (number * 31 + u64::from(letter)) % (1 << 31)
        });
        let mut world = Self {
            dice: Dice::new(seed, number as u32),
            minutes: scenario.minutes,
            accounts: Vec::new(),
            models: Vec::new(),
            requests: Vec::new(),
            luck: Vec::new(),
            noise: Vec::new(),
        };
        (scenario.fill)(&mut world);
        world.models.sort_by_key(|model| model.rank);
        world.requests.sort_by(|a, b| a.at.total_cmp(&b.at));
        for model in &mut world.models {
            model.spells.sort_by(|a, b| a.start.total_cmp(&b.start));
            let lengths = model.spells.iter().map(|spell| spell.end - spell.start);
            model.longest = lengths.fold(0.0, f64::max);
        }
        let pairs = world.requests.len() * world.models.len();
        let dice = &mut world.dice;
        world.luck = (0..pairs).map(|_| [(); 4].map(|()| dice.unit())).collect();
        world.noise = (0..pairs)
            .map(|_| [(); 2].map(|()| dice.normal()))
            .collect();
        world
    }

    /// Seconds.
    pub fn end(&self) -> f64 {
        f64::from(self.minutes) * 60.0
    }

    /// What this attempt comes to, if the account lets it pass. `nth`: how often this request has
    /// asked this model; `cached`: the provider has read the session's prompt before.
    pub fn outcome(
        &self,
        model: usize,
        now: f64,
        request: usize,
        nth: usize,
        cached: bool,
    ) -> Outcome {
        let row = (request + 7919 * nth) % self.requests.len();
        let luck = self.luck[row * self.models.len() + model];
        let noise = self.noise[row * self.models.len() + model];
        let (model, request) = (&self.models[model], &self.requests[request]);
        let fails = |fault, retry_after| Outcome::Fails {
            fault,
            after: match fault {
                Fault::Silent => NEVER,
                Fault::Late => 4.0 + 8.0 * luck[3],
                _ => 0.12 + 0.5 * luck[3] * luck[3],
            },
            retry_after,
        };
        if now >= model.gone_from {
            return fails(Fault::Gone, None);
        }
        if request.tools && (model.refuses_tools || !model.tools) {
            return fails(Fault::NoTools, None);
        }
        let (mut slow, mut cuts, mut passed) = (0.0, 0.0_f64, 0.0);
        for spell in model.spells_at(now) {
            match spell.effect {
                Effect::Slow(median) => slow += median * (0.4 * noise[1]).exp(),
                Effect::Cuts => cuts = cuts.max(spell.probability),
                Effect::Fails(fault, advice) => {
                    if (passed..passed + spell.probability).contains(&luck[0]) {
                        return fails(fault, advice.seconds(spell.end - now));
                    }
                    if passed < 1.0 {
                        passed += spell.probability;
                    }
                }
            }
        }
        if luck[1] < model.stray {
            const STRAY: [Fault; 5] = [
                Fault::BadGateway,
                Fault::Unavailable,
                Fault::OkError,
                Fault::Empty,
                Fault::Late,
            ];
            return fails(STRAY[(luck[2] * 4.999) as usize], None);
        }
        let first = model.first_token * (model.sigma * noise[0] + model.wander_at(now)).exp()
            + slow
            + model.reading(request, cached);
        let tokens_per_second = model.tokens_per_second / if slow > 0.0 { 1.3 } else { 1.0 };
        let writing = request.output_tokens / tokens_per_second;
        let breaks = luck[2] < cuts;
        let part = if breaks { 0.1 + 0.8 * luck[3] } else { 1.0 };
        Outcome::Speaks {
            first,
            total: first + writing * part,
            breaks,
        }
    }
}

impl Model {
    /// The spells of this moment, the latest first: that one decides.
    pub fn spells_at(&self, now: f64) -> impl Iterator<Item = &Spell> {
        let begun = self.spells.partition_point(|spell| spell.start <= now);
        let latest = self.spells.iter().take(begun).rev();
        let may_last = latest.take_while(move |spell| spell.start >= now - self.longest);
        may_last.filter(move |spell| now < spell.end)
    }

    pub fn wander_at(&self, now: f64) -> f64 {
        let minute = (now / 60.0) as usize;
        self.wander[minute.min(self.wander.len() - 1)]
    }

    /// Seconds that it takes to read the prompt.
    pub fn reading(&self, request: &Request, cached: bool) -> f64 {
        let whole = request.prompt_tokens / self.prompt_tokens_per_second;
        if cached {
            whole * (1.0 - CACHE_SAVES)
        } else {
            whole
        }
    }
}

impl Advice {
    fn seconds(self, left: f64) -> Option<f64> {
        match self {
            Self::Nothing => None,
            Self::Exact => Some(((left / 10.0).ceil() * 10.0).max(10.0)),
            Self::Seconds(seconds) => Some(seconds),
        }
    }
}
