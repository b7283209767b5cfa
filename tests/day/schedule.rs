//! The day as decided in advance: a seed goes in, faults and requests come out. Pure.

use simulator::Failure;

/// Milliseconds of the day.
pub type Ms = u64;

pub const SECOND: Ms = 1000;
pub const MINUTE: Ms = 60 * SECOND;
pub const HOUR: Ms = 60 * MINUTE;
pub const DAY: Ms = 24 * HOUR;

/// The settings' defaults, which the day does not change.
pub const RATE_LIMIT_COOLDOWN: Ms = 300 * SECOND;
pub const GENERIC_COOLDOWN: Ms = 60 * SECOND;
pub const HARNESS_COOLDOWN: Ms = 6 * HOUR;
pub const UPSTREAM_TIMEOUT: Ms = 30 * SECOND;
pub const BUDGET: Ms = 120 * SECOND;
pub const MAX_ATTEMPTS: usize = 5;
pub const LONGEST_COOLDOWN: Ms = 26 * HOUR;
/// What the account may ask in a minute.
pub const A_MINUTE: u32 = 20;
/// How many models there are.
pub const MODELS: usize = 8;

/// SplitMix64: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6a09_e667_f3bc_c909)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `from` to below `to`.
    pub fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    /// At least 0, below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn chance(&mut self, of: f64) -> bool {
        self.unit() < of
    }

    /// The wait until the next of random events, this far apart on average.
    fn wait(&mut self, mean: Ms) -> Ms {
        (-(1.0 - self.unit()).ln() * mean as f64) as Ms
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.within(0, all.len() as u64) as usize]
    }
}

/// What is wrong with a model for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// A 429 by its provider, which may give a wait.
    Limited(Wait),
    /// A status or a 200 that is an error: one of the recorded answers.
    Answers(Failure),
    /// The connection ends before an answer.
    Closed,
    /// Nothing arrives (plain), or only comments (stream).
    Stalls,
    /// It answers this much later than it should.
    Slow(Ms),
    /// It has left: 404, and the ranking no longer names it.
    Gone,
    /// 404 for requests with tools, which the ranking says it supports.
    NoTools,
}

/// How a provider names the end of its 429s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    Unnamed,
    /// `Retry-After`, in seconds.
    Header,
    /// `error.metadata.retry_after_seconds`.
    Metadata,
    /// `X-RateLimit-Reset`, in epoch milliseconds.
    Reset,
    /// `Retry-After: 1000000000`.
    Absurd,
    /// `Retry-After: 0`: the fault nevertheless continues.
    Zero,
}

#[derive(Clone, Copy, Debug)]
pub struct Episode {
    pub from: Ms,
    pub to: Ms,
    pub fault: Fault,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub id: String,
    pub tools: bool,
    pub schema: bool,
    latency: Ms,
    drift: Ms,
    period: Ms,
    episodes: Vec<Episode>,
}

#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub at: Ms,
    pub stream: bool,
    pub tools: bool,
    pub schema: bool,
}

/// What happens to an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Meets {
    /// A good answer, after this long.
    Good(Ms),
    /// A failure, after this long; `until` is when that fault ends.
    Fails { fault: Fault, after: Ms, until: Ms },
}

pub struct Schedule {
    pub models: Vec<Model>,
    pub requests: Vec<Request>,
    /// The day's quota is used up from, until.
    pub quota_gone: Option<(Ms, Ms)>,
}

impl Schedule {
    /// Roughly `count` requests.
    pub fn new(seed: u64, count: u64) -> Self {
        let mut random = Random::new(seed);
        let mut models: Vec<Model> = (0..MODELS).map(|n| model(n, &mut random)).collect();
        // A provider serves several models, and takes them down together.
        for _ in 0..2 {
            let provider = random.within(0, 3) as usize;
            let from = random.within(0, DAY);
            let to = from + random.within(2 * MINUTE, 10 * MINUTE);
            let fault = random.one_of(&[
                Fault::Closed,
                Fault::Answers(Failure::BadGatewayHtml),
                Fault::Answers(Failure::Unavailable),
            ]);
            for model in models.iter_mut().skip(provider).step_by(3) {
                model.episodes.insert(0, Episode { from, to, fault });
            }
        }
        let quota_gone = random.chance(0.5).then(|| {
            let reset = random.within(4 * HOUR, DAY - HOUR);
            (reset - random.within(20 * MINUTE, 3 * HOUR), reset)
        });
        let requests = requests(&mut random, count);
        Self {
            models,
            requests,
            quota_gone,
        }
    }

    /// What happens to an attempt at this model at that time, apart from the account's quotas.
    pub fn meets(&self, model: usize, at: Ms, tools: bool) -> Meets {
        let it = &self.models[model];
        let quick = it.latency.min(400);
        let fails = |fault, after, until| Meets::Fails {
            fault,
            after,
            until,
        };
        let mut latency = it.latency + drift(it, at);
        for episode in &it.episodes {
            if !(episode.from..episode.to).contains(&at) {
                continue;
            }
            match episode.fault {
                Fault::Slow(more) => latency += more,
                Fault::NoTools if !tools => {}
                Fault::Stalls => return fails(Fault::Stalls, UPSTREAM_TIMEOUT, episode.to),
                fault => return fails(fault, quick, episode.to),
            }
        }
        if latency >= UPSTREAM_TIMEOUT {
            return fails(Fault::Slow(latency), UPSTREAM_TIMEOUT, at);
        }
        Meets::Good(latency)
    }

    /// Whether the day's quota is used up.
    pub fn is_quota_gone(&self, at: Ms) -> bool {
        self.quota_gone
            .is_some_and(|(from, to)| (from..to).contains(&at))
    }

    /// Whether the ranking names this model.
    pub fn lists(&self, model: usize, at: Ms) -> bool {
        let gone = |e: &Episode| e.fault == Fault::Gone && (e.from..e.to).contains(&at);
        !self.models[model].episodes.iter().any(gone)
    }

    /// Whether the ranking says that it can serve this request.
    pub fn is_capable(&self, model: usize, request: &Request) -> bool {
        let it = &self.models[model];
        (it.tools || !request.tools) && (it.schema || !request.schema)
    }

    /// Which requests an all-knowing router answers: at their own time, with one attempt.
    pub fn oracle(&self) -> Vec<bool> {
        let mut minute = (0, 0);
        let answers = |request: &Request| {
            let this = request.at / MINUTE;
            if minute.0 != this {
                minute = (this, 0);
            }
            let good = (0..MODELS).any(|m| {
                let meets = self.meets(m, request.at, request.tools);
                self.is_capable(m, request) && matches!(meets, Meets::Good(_))
            });
            let answered = good && minute.1 < A_MINUTE && !self.is_quota_gone(request.at);
            minute.1 += u32::from(answered);
            answered
        };
        self.requests.iter().map(answers).collect()
    }
}

fn drift(model: &Model, at: Ms) -> Ms {
    let turn = (at % model.period) as f64 / model.period as f64 * std::f64::consts::TAU;
    ((1.0 - turn.cos()) / 2.0 * model.drift as f64) as Ms
}

fn model(n: usize, random: &mut Random) -> Model {
    let mut episodes = Vec::new();
    let mut at = random.wait(2 * HOUR);
    while at < DAY {
        let (fault, mean) = fault(random);
        let to = at + 30 * SECOND + random.wait(mean);
        episodes.push(Episode {
            from: at,
            to,
            fault,
        });
        at = to + random.wait(5 * HOUR / 2);
    }
    Model {
        id: format!("maker-{}/model-{n}:free", n % 3),
        // The first four and the sixth support tools, three of them schemas.
        tools: n < 4 || n == 5,
        schema: n.is_multiple_of(2),
        latency: random.within(300, 4000),
        drift: random.within(0, 8000),
        period: random.within(HOUR, 8 * HOUR),
        episodes,
    }
}

fn fault(random: &mut Random) -> (Fault, Ms) {
    let wait = random.one_of(&[
        Wait::Unnamed,
        Wait::Unnamed,
        Wait::Header,
        Wait::Metadata,
        Wait::Reset,
        Wait::Zero,
    ]);
    let status = random.one_of(&[
        Failure::Internal,
        Failure::BadGateway,
        Failure::BadGatewayHtml,
        Failure::Unavailable,
        Failure::GatewayTimeout,
        Failure::EdgeTimeout,
        Failure::Overloaded,
        Failure::TimedOut,
        Failure::ProviderRefused,
    ]);
    let inside = random.one_of(&[
        Failure::OkError,
        Failure::OkErrorBadGateway,
        Failure::OkErrorWord,
        Failure::OkNoChoices,
        Failure::OkZeroTokens,
        Failure::OkHtml,
        Failure::OkEmpty,
        Failure::OkInvalidJson,
    ]);
    match random.within(0, 100) {
        0..30 => (Fault::Limited(wait), 12 * MINUTE),
        30..31 => (Fault::Limited(Wait::Absurd), 12 * MINUTE),
        31..47 => (Fault::Answers(status), 6 * MINUTE),
        47..60 => (Fault::Answers(inside), 6 * MINUTE),
        60..66 => (Fault::Closed, 5 * MINUTE),
        66..74 => (Fault::Stalls, 4 * MINUTE),
        74..88 => (Fault::Slow(random.within(5, 45) * SECOND), 30 * MINUTE),
        88..93 => (Fault::Gone, 5 * HOUR),
        93..97 => (Fault::NoTools, 3 * HOUR),
        _ => (Fault::Answers(Failure::Harness), HOUR),
    }
}

/// Sessions of work with quiet times in between, and bursts that reach the quota per minute.
fn requests(random: &mut Random, count: u64) -> Vec<Request> {
    let mut all = Vec::new();
    let mean = DAY / count;
    let mut at = 0;
    while at < DAY {
        let busy = !(at / (HOUR / 2)).is_multiple_of(3);
        at += random.wait(if busy { mean * 4 / 5 } else { mean * 3 / 2 });
        let burst = random.chance(0.6 / count as f64 * 5.0);
        for n in 0..if burst { 26 } else { 1 } {
            if n > 0 {
                at += random.wait(SECOND);
            }
            let tools = random.chance(0.4);
            all.push(Request {
                at,
                stream: random.chance(0.5),
                tools,
                schema: random.chance(if tools { 0.05 } else { 0.15 }),
            });
        }
    }
    all.retain(|request| request.at < DAY);
    all
}
