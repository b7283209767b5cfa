//! A day of requests, each walking through the candidates in order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant, SystemTime};

use free_llm_proxy::clock::Now;
use free_llm_proxy::ledger::{
    Ask, Correction, FreeDay, Headroom, Ledger, Limit, LimitSource, Refusal, Reservation, Slot,
    Terms, Unit, Used,
};
use free_llm_proxy::model::Candidate;

use super::table::{Row, candidate, rows};
use super::truth::{START, Truth, Weight};

/// How the limits are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knows {
    /// The user set them all.
    Set,
    /// The table has them, except `OpenRouter`'s.
    Default,
    /// The walk asks the provider's own books.
    Everything,
}

/// What the providers really count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// Exactly what the limits say.
    AsSet,
    /// The same, but Groq's quotas refill continuously, and it reports them.
    AsTable,
    /// Half of it at some and twice as much at others.
    Other,
}

#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub requests: u64,
    pub answered: u64,
    pub attempts: u64,
    /// 429s, and those of them because of a limit on requests or concurrency.
    pub refused: u64,
    pub refused_requests: u64,
    /// Requests that failed although some account would have accepted them.
    pub idle: u64,
    accounts: Vec<(&'static str, u64, u64, u64)>,
}

impl Figures {
    pub const HEAD: &str = "walk             requests answered attempts   429s (requests) idle";

    pub fn row(&self, name: &str) -> String {
        format!(
            "{name:<16} {:>8} {:>8} {:>8} {:>6} {:>10} {:>4}",
            self.requests,
            self.answered,
            self.attempts,
            self.refused,
            self.refused_requests,
            self.idle
        )
    }

    /// By account: answered, refused, idle; and what the other walk answered there.
    pub fn beside(&self, other: &Self) -> impl Iterator<Item = String> {
        let both = self.accounts.iter().zip(&other.accounts);
        both.map(|((name, answered, refused, idle), (_, other, ..))| {
            format!("  {name:<14} {answered:>8} {refused:>6} {idle:>4}   {other:>8}")
        })
    }
}

/// The length of the answers in progress is not known: a limit on tokens counts as free only with
/// this many to spare.
const SPARE: f64 = 2000.0;

struct Way {
    row: usize,
    model: &'static str,
    slot: Option<Slot>,
    rests_until: f64,
}

struct UnderWay {
    way: usize,
    reservation: Option<Reservation>,
    used: Used,
    /// Tokens of the answer that the provider has not counted yet.
    uncounted: f64,
}

struct Day {
    knows: Knows,
    rows: Vec<Row>,
    truths: Vec<Truth>,
    ledger: Ledger,
    ways: Vec<Way>,
    under_way: Vec<Option<UnderWay>>,
    /// When each of them ends, in milliseconds.
    ends: BinaryHeap<Reverse<(u64, usize)>>,
    figures: Figures,
    epoch: Instant,
}

struct Request {
    ask: Ask,
    noise: f64,
    answer: f64,
    lasts: f64,
}

/// Steele, Vigna: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn request(&mut self) -> Request {
        // From 400 bytes to 40 KB, mostly small.
        let prompt_bytes = (400.0 * 100_f64.powf(self.roll() * self.roll())) as u64;
        let answer = 40.0 + 760.0 * self.roll().powi(2);
        Request {
            ask: Ask {
                prompt_bytes,
                max_tokens: (self.roll() < 0.3).then_some(1000),
            },
            noise: 0.97 + 0.06 * self.roll(),
            answer,
            lasts: 1.0 + answer / 100.0 + 4.0 * self.roll(),
        }
    }
}

/// Lives one day, `busy` times as busy as the usual one.
pub fn live(knows: Knows, world: World, busy: f64) -> Figures {
    let mut day = Day::new(knows, world);
    let mut dice = Dice(7);
    let mut at = 0.0;
    let mut told_at = f64::NEG_INFINITY;
    while at < 86_400.0 {
        // Five agents by day, one by night, and a storm every hour.
        let hour = (at / 3600.0) as u64;
        let is_storm = at % 3600.0 < 300.0;
        let agents =
            if (2..14).contains(&hour) { 5.0 } else { 1.0 } * if is_storm { 3.0 } else { 1.0 };
        at += -(1.0 - dice.roll()).ln() * 20.0 / agents / busy;
        if at - told_at >= 300.0 {
            told_at = at;
            day.key_endpoint(at);
        }
        let request = dice.request();
        day.end_all_until(at);
        day.walk(&request, at);
    }
    let accounts = day.rows.iter().map(|row| row.provider);
    let sums = accounts.zip(std::mem::take(&mut day.figures.accounts));
    day.figures.accounts = sums
        .map(|(name, sums)| (name, sums.1, sums.2, sums.3))
        .collect();
    day.figures
}

impl Day {
    fn new(knows: Knows, world: World) -> Self {
        let rows = rows();
        let truth = |(n, row): (usize, &Row)| {
            let mut limits = row.limits.clone();
            if world == World::Other {
                for limit in &mut limits {
                    let is_counted = limit.unit == Unit::Requests;
                    limit.amount = match n % 3 {
                        0 if is_counted => (limit.amount / 2).max(1),
                        1 => limit.amount * 2,
                        _ => limit.amount,
                    };
                }
            }
            Truth::new(limits, row.tells && world != World::AsSet)
        };
        let truths = rows.iter().enumerate().map(truth).collect();
        let mut day = Self {
            knows,
            truths,
            ledger: Ledger::default(),
            ways: Vec::new(),
            under_way: Vec::new(),
            ends: BinaryHeap::new(),
            figures: Figures {
                accounts: vec![("", 0, 0, 0); rows.len()],
                ..Figures::default()
            },
            epoch: Instant::now(),
            rows,
        };
        for (n, row) in day.rows.iter().enumerate() {
            let way = |model: &&'static str| Way {
                row: n,
                model,
                slot: None,
                rests_until: 0.0,
            };
            day.ways.extend(row.models.iter().map(way));
        }
        day.list();
        day
    }

    fn list(&mut self) {
        let known: Vec<Vec<Limit>> = self.rows.iter().map(|row| self.known(row)).collect();
        let candidates: Vec<(Candidate, usize)> = self
            .ways
            .iter()
            .map(|way| (candidate(self.rows[way.row].provider, way.model), way.row))
            .collect();
        let terms = |row: usize| Terms {
            limits: &known[row],
            counts_max_tokens: self.rows[row].counts_max_tokens,
            day_ends: None,
        };
        let listed = candidates.iter().map(|(one, row)| (one, terms(*row)));
        let now = self.now(0.0);
        let slots = self.ledger.list(listed, now);
        for (way, slot) in self.ways.iter_mut().zip(slots) {
            way.slot = Some(slot);
        }
    }

    fn known(&self, row: &Row) -> Vec<Limit> {
        let source = match self.knows {
            Knows::Set | Knows::Everything => LimitSource::Set,
            Knows::Default if row.provider == "openrouter" => return Vec::new(),
            Knows::Default => LimitSource::Default,
        };
        let limits = row.limits.iter().cloned();
        limits.map(|limit| Limit { source, ..limit }).collect()
    }

    fn now(&self, at: f64) -> Now {
        Now {
            steady: self.epoch + Duration::from_secs_f64(at),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs_f64(START + at),
        }
    }

    fn weight(&self, way: usize, request: &Request) -> Weight {
        let row = &self.rows[self.ways[way].row];
        let bytes = request.ask.prompt_bytes as f64;
        let promised = request.ask.max_tokens.filter(|_| row.counts_max_tokens);
        Weight {
            tokens_in: (bytes / 4.0 * row.tokens_per_4_bytes * request.noise).ceil(),
            tokens_out: promised.unwrap_or(0) as f64,
        }
    }

    /// The same including the whole answer, and what those in progress there will still use.
    fn whole(&self, way: usize, request: &Request) -> Weight {
        let there = self.ways[way].model;
        let under_way = self.ends.iter();
        let under_way = under_way.filter_map(|Reverse((_, which))| self.under_way[*which].as_ref());
        let same = under_way.filter(|one| self.ways[one.way].model == there);
        let uncounted: f64 = same.map(|one| one.uncounted.max(0.0)).sum();
        let weight = self.weight(way, request);
        Weight {
            tokens_out: weight.tokens_out.max(request.answer) + uncounted,
            ..weight
        }
    }

    /// What `GET /key` says about `OpenRouter`'s day.
    fn key_endpoint(&mut self, at: f64) {
        if self.knows != Knows::Default {
            return;
        }
        let (limit, used) = self.truths[0].day("a:free", at);
        let account = candidate("openrouter", "a:free").account;
        let told = FreeDay { limit, used };
        let now = self.now(at);
        self.ledger.told_free_day(&account, told, now);
    }

    fn end_all_until(&mut self, at: f64) {
        while let Some(Reverse((end, which))) = self.ends.peek().copied() {
            if end as f64 / 1000.0 > at {
                return;
            }
            self.ends.pop();
            let Some(ended) = self.under_way[which].take() else {
                continue;
            };
            let way = &self.ways[ended.way];
            self.truths[way.row].ends(way.model, ended.uncounted, end as f64 / 1000.0);
            if let Some(reservation) = ended.reservation {
                let now = self.now(end as f64 / 1000.0);
                self.ledger.settle(reservation, ended.used, true, now);
            }
        }
    }

    /// Asks the candidates with headroom, in order; after them those that may have some.
    fn walk(&mut self, request: &Request, at: f64) {
        self.figures.requests += 1;
        let mut tried = vec![false; self.ways.len()];
        loop {
            let mut next = |behind| {
                (0..self.ways.len())
                    .find(|way| !tried[*way] && self.may_ask(*way, request, at, behind))
            };
            let Some(way) = next(false).or_else(|| next(true)) else {
                break;
            };
            tried[way] = true;
            if self.attempt(way, request, at) {
                self.figures.answered += 1;
                return;
            }
        }
        let would_take = (0..self.ways.len()).find(|way| {
            let way = *way;
            let mut weight = self.whole(way, request);
            weight.tokens_out += SPARE;
            let Way { row, model, .. } = self.ways[way];
            self.truths[row].refuses(model, weight, at).is_none()
        });
        if let Some(way) = would_take {
            self.figures.idle += 1;
            self.figures.accounts[self.ways[way].row].3 += 1;
        }
    }

    fn may_ask(&mut self, way: usize, request: &Request, at: f64, behind: bool) -> bool {
        let Way {
            row,
            model,
            slot,
            rests_until,
        } = self.ways[way];
        if self.knows == Knows::Everything {
            let weight = self.whole(way, request);
            return self.truths[row].refuses(model, weight, at).is_none();
        }
        if rests_until > at {
            return false;
        }
        let headroom = self
            .ledger
            .headroom(slot.unwrap(), || request.ask, self.now(at));
        match headroom {
            Headroom::Free => true,
            Headroom::Behind { .. } => behind,
            Headroom::Busy { .. } | Headroom::Out { .. } | Headroom::TooLarge { .. } => false,
        }
    }

    fn attempt(&mut self, way: usize, request: &Request, at: f64) -> bool {
        let now = self.now(at);
        let weight = self.weight(way, request);
        let Way {
            row, model, slot, ..
        } = self.ways[way];
        let reservation = self.ledger.reserve(slot.unwrap(), request.ask, now);
        self.figures.attempts += 1;
        if let Some(refused) = self.truths[row].refuses(model, weight, at) {
            self.figures.refused += 1;
            self.figures.accounts[row].2 += 1;
            let is_counted = matches!(refused.limit.unit, Unit::Requests | Unit::AtOnce);
            self.figures.refused_requests += u64::from(is_counted);
            let Limit {
                unit,
                per,
                of,
                amount,
                ends,
                ..
            } = refused.limit;
            let says_numbers = matches!(self.rows[row].provider, "groq" | "gemini" | "openrouter");
            let refusal = Refusal {
                unit,
                per,
                of,
                limit: says_numbers.then_some(amount),
                used: (self.rows[row].provider == "groq").then_some(refused.used as u64),
                spent: !refused.too_large,
                wait: ends
                    .is_none()
                    .then(|| Duration::from_secs_f64(refused.wait)),
                resets_at: None,
                by_header: self.rows[row].provider == "openrouter",
            };
            self.ledger.refused(&reservation, refusal, now);
            self.ledger
                .settle(reservation, Used::Received { bytes: 0 }, false, now);
            if !refused.too_large {
                self.ways[way].rests_until = at + refused.wait.clamp(1.0, 3600.0);
            }
            return false;
        }
        self.truths[row].take(model, weight, at);
        self.figures.accounts[row].1 += 1;
        if self.rows[row].tells {
            let told = self.truths[row].headers(model, at).into_iter();
            let corrections: Vec<_> = told
                .map(|(unit, per, limit, left, reset)| Correction {
                    unit,
                    per,
                    of: None,
                    limit: Some(limit),
                    remaining: Some(left),
                    reset: Some(Duration::from_secs_f64(reset.ceil().max(1.0))),
                })
                .collect();
            self.ledger.correct(&reservation, &corrections, now);
        }
        let used = Used::Told {
            tokens_in: weight.tokens_in as u64,
            tokens_out: request.answer as u64,
        };
        self.ends.push(Reverse((
            ((at + request.lasts) * 1000.0) as u64,
            self.under_way.len(),
        )));
        self.under_way.push(Some(UnderWay {
            way,
            reservation: Some(reservation),
            used,
            uncounted: request.answer.floor() - weight.tokens_out,
        }));
        true
    }
}
