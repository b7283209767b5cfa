//! A day at the providers: what each has taken and still takes, and what a walk from candidate to
//! candidate comes to there.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant, SystemTime};

use free_llm_proxy::clock::Now;
use free_llm_proxy::ledger::{Correction, FreeDay, Unit, Used};
use free_llm_proxy::model::AccountId;

use super::agents::Request;
use super::figures::Figures;
use super::proxy::{Attempt, Proxy};
use super::table::Row;
use super::truth::{Refused, START, Truth, Weight};
use super::verdict::verdict;

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

/// The program's default with several accounts (`MAX_FALLBACK_ATTEMPTS`).
const MAX_ATTEMPTS: usize = 10;

/// The length of the answers in progress is not known: a limit on tokens counts as free only with
/// this many to spare.
const SPARE: f64 = 2000.0;

/// A model at an account, by their places.
#[derive(Clone, Copy)]
struct Way {
    row: usize,
    model: usize,
}

struct UnderWay {
    way: usize,
    /// What the whole of it uses.
    used: Used,
    /// Of a proxy that walks here.
    attempt: Option<Attempt>,
    /// Tokens of the answer that the provider has not counted yet.
    uncounted: f64,
    speaks: bool,
    ends: u64,
}

pub struct Day {
    rows: Vec<Row>,
    truths: Vec<Truth>,
    ways: Vec<Way>,
    under_way: Vec<Option<UnderWay>>,
    /// When each of them begins to speak or ends, in milliseconds.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    pub figures: Figures,
    epoch: Instant,
}

impl Day {
    pub fn new(rows: Vec<Row>, world: World) -> Self {
        let truth = |(n, row)| truth(n, row, world);
        let ways =
            |(row, own): (usize, &Row)| (0..own.models.len()).map(move |model| Way { row, model });
        Self {
            truths: rows.iter().enumerate().map(truth).collect(),
            ways: rows.iter().enumerate().flat_map(ways).collect(),
            under_way: Vec::new(),
            due: BinaryHeap::new(),
            figures: Figures::new(rows.iter().map(Row::name)),
            epoch: Instant::now(),
            rows,
        }
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The moment of this second.
    pub fn now(&self, at: f64) -> Now {
        Now {
            steady: self.epoch + Duration::from_secs_f64(at),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs_f64(START + at),
        }
    }

    /// The place of this model at this provider among all ways.
    pub fn way(&self, provider: &str, model: &str) -> usize {
        let is_it = |way: &Way| {
            let row = &self.rows[way.row];
            row.name() == provider && row.models[way.model] == model
        };
        self.ways.iter().position(is_it).unwrap()
    }

    /// What it costs when it is sent.
    fn weight(&self, way: usize, request: &Request) -> Weight {
        let row = &self.rows[self.ways[way].row];
        let bytes = request.needs.prompt_bytes() as f64;
        let promised = request.needs.longest_answer();
        let promised = promised.filter(|_| row.provider.counts_max_tokens);
        Weight {
            tokens_in: (bytes / 4.0 * row.tokens_per_4_bytes * request.noise).ceil(),
            tokens_out: promised.unwrap_or(0) as f64,
        }
    }

    /// The same including the whole answer, and what those in progress there will still use.
    fn whole(&self, way: usize, request: &Request) -> Weight {
        let under_way = self.due.iter();
        let under_way = under_way.filter_map(|Reverse((_, which))| self.under_way[*which].as_ref());
        let same = under_way.filter(|one| one.way == way);
        let uncounted: f64 = same.map(|one| one.uncounted.max(0.0)).sum();
        let weight = self.weight(way, request);
        Weight {
            tokens_out: weight.tokens_out.max(request.answer) + uncounted,
            ..weight
        }
    }

    /// Answers begin and end.
    pub fn goes_on_until(&mut self, at: f64, mut proxy: Option<&mut Proxy>) {
        while let Some(Reverse((due, which))) = self.due.peek().copied() {
            let due = due as f64 / 1000.0;
            if due > at {
                return;
            }
            self.due.pop();
            let now = self.now(due);
            let Some(mut one) = self.under_way[which].take() else {
                continue;
            };
            let Way { row, model } = self.ways[one.way];
            if one.speaks {
                self.truths[row].ends(model, one.uncounted, due);
                if let (Some(proxy), Some(attempt)) = (&mut proxy, one.attempt) {
                    proxy.is_answered(attempt, one.used, now);
                }
            } else {
                if let (Some(proxy), Some(attempt)) = (&proxy, &one.attempt) {
                    proxy.hears(attempt, now);
                }
                one.speaks = true;
                self.due.push(Reverse((one.ends, which)));
                self.under_way[which] = Some(one);
            }
        }
    }

    /// One who knows all the books takes the first way that has room.
    pub fn walk_knowingly(&mut self, request: &Request, at: f64) {
        let first = (0..self.ways.len()).find(|way| {
            let weight = self.whole(*way, request);
            let Way { row, model } = self.ways[*way];
            self.truths[row].refuses(model, weight, at).is_none()
        });
        if let Some(way) = first {
            self.figures.attempts += 1;
            self.takes(way, request, at);
        }
        self.ends(first.is_some(), request, at);
    }

    /// The program asks whom it chooses, one after the other.
    pub fn walk(&mut self, proxy: &mut Proxy, request: &Request, at: f64) {
        let answered = self.is_answered(proxy, request, at);
        self.ends(answered, request, at);
    }

    fn is_answered(&mut self, proxy: &mut Proxy, request: &Request, at: f64) -> bool {
        let now = self.now(at);
        let mut out = Vec::new();
        for _ in 0..MAX_ATTEMPTS {
            let Some(way) = proxy.next(request.needs, &out, now) else {
                return false;
            };
            let attempt = proxy.asks(way, request.needs, &mut out, now);
            if let Some(refused) = self.refuses(way, request, at) {
                let provider = self.rows[self.ways[way].row].name();
                let failure = verdict(provider, &refused, now);
                proxy.is_refused(attempt, &failure, &mut out, now);
            } else {
                self.takes(way, request, at);
                proxy.is_told(&attempt, &self.headers(way, at), now);
                if let Some(Some(one)) = self.under_way.last_mut() {
                    one.attempt = Some(attempt);
                }
                return true;
            }
        }
        false
    }

    /// The way is asked, and may refuse.
    pub fn refuses(&mut self, way: usize, request: &Request, at: f64) -> Option<Refused> {
        self.figures.attempts += 1;
        let (Way { row, model }, weight) = (self.ways[way], self.weight(way, request));
        let refused = self.truths[row].refuses(model, weight, at)?;
        self.truths[row].has_refused(model, weight, &refused.limit, at);
        self.figures.refused += 1;
        self.figures.accounts[row].refused += 1;
        let is_counted = matches!(refused.limit.unit, Unit::Requests | Unit::AtOnce);
        self.figures.refused_requests += u64::from(is_counted);
        Some(refused)
    }

    /// The way takes the request, and will answer.
    pub fn takes(&mut self, way: usize, request: &Request, at: f64) {
        let weight = self.weight(way, request);
        let Way { row, model } = self.ways[way];
        self.truths[row].take(model, weight, at);
        self.figures.accounts[row].answered += 1;
        let used = Used::Told {
            tokens_in: weight.tokens_in as u64,
            tokens_out: request.answer as u64,
        };
        let millis = |seconds: f64| (seconds * 1000.0) as u64;
        let speaks_at = millis(at + request.speaks_after);
        self.due.push(Reverse((speaks_at, self.under_way.len())));
        self.under_way.push(Some(UnderWay {
            way,
            used,
            attempt: None,
            uncounted: request.answer.floor() - weight.tokens_out,
            speaks: false,
            ends: millis(at + request.lasts),
        }));
    }

    /// What the headers of its answer say.
    fn headers(&mut self, way: usize, at: f64) -> Vec<Correction> {
        let Way { row, model } = self.ways[way];
        if !self.rows[row].tells {
            return Vec::new();
        }
        let told = self.truths[row].headers(model, at).into_iter();
        let correction = |(unit, per, limit, left, reset): (_, _, _, _, f64)| Correction {
            unit,
            per,
            of: None,
            limit: Some(limit),
            remaining: Some(left),
            reset: Some(Duration::from_secs_f64(reset.ceil().max(1.0))),
        };
        told.map(correction).collect()
    }

    /// A request has its answer, or gives up: then an account that would take it is idle.
    pub fn ends(&mut self, answered: bool, request: &Request, at: f64) {
        self.figures.requests += 1;
        self.figures.answered += u64::from(answered);
        if answered {
            return;
        }
        let idle = (0..self.ways.len()).find(|way| {
            let mut weight = self.whole(*way, request);
            weight.tokens_out += SPARE;
            let Way { row, model } = self.ways[*way];
            self.truths[row].is_idle(model, weight, at)
        });
        if let Some(way) = idle {
            self.figures.idle += 1;
            self.figures.accounts[self.ways[way].row].idle += 1;
        }
    }

    /// What `GET /key` says about the day of the first account, `OpenRouter`'s.
    pub fn key_endpoint(&mut self, at: f64) -> (AccountId, FreeDay) {
        let (limit, used) = self.truths[0].day(0, at);
        let account = AccountId::only(self.rows[0].provider.id.clone());
        let told = FreeDay { limit, used };
        (account, told)
    }
}

/// The books of the account of the `n`th row.
fn truth(n: usize, row: &Row, world: World) -> Truth {
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
    Truth::new(&limits, row.models, row.tells && world != World::AsSet)
}
