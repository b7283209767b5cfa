//! A day of requests, each walking from candidate to candidate until one answers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use free_llm_proxy::clock::Now;
use free_llm_proxy::learnt::Order;
use free_llm_proxy::ledger::{Correction, Counted, FreeQuota, Limit, Per, Stated, Unit, Used};
use free_llm_proxy::model::AccountId;
use free_llm_proxy::provider::Provider;
use free_llm_proxy::verdict::{AccountLimit, Cause, Failure, Lesson, Outcome, Rest, Scope};

use super::agents::{Dice, Request};
use super::figures::Figures;
use super::proxy::{Attempt, Proxy};
use super::table::{Row, rows};
use super::truth::{Refused, START, Truth, Weight};

/// Who walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walker {
    /// The program, whose user has set all limits.
    Set(Order),
    /// The program, with what its table says: of `OpenRouter` nothing.
    Default(Order),
    /// One who knows the providers' own books, and takes the first that has room.
    AllKnowing,
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

/// The program's default with several accounts (`MAX_FALLBACK_ATTEMPTS`).
const MAX_ATTEMPTS: usize = 10;

/// The length of the answers in progress is not known: a limit on tokens counts as free only with
/// this many to spare.
const SPARE: f64 = 2000.0;

/// A model at an account, by their places.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    row: usize,
    model: usize,
}

struct UnderWay {
    way: usize,
    /// The program's, with what the answer uses.
    attempt: Option<(Attempt, Used)>,
    /// Tokens of the answer that the provider has not counted yet.
    uncounted: f64,
    speaks: bool,
    ends: u64,
}

struct Day {
    rows: Vec<Row>,
    truths: Vec<Truth>,
    /// `None` of the all-knowing walk.
    proxy: Option<Proxy>,
    asks_key_endpoint: bool,
    ways: Vec<Way>,
    under_way: Vec<Option<UnderWay>>,
    /// When each of them begins to speak or ends, in milliseconds.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    figures: Figures,
    epoch: Instant,
}

/// Lives one day, `busy` times as busy as the usual one.
pub fn live(walker: Walker, world: World, busy: f64) -> Figures {
    let mut day = Day::new(walker, world);
    let mut dice = Dice(7);
    let mut at = 0.0;
    let mut told_at = f64::NEG_INFINITY;
    while at < 86_400.0 {
        at += dice.pause(at, busy);
        if at - told_at >= 300.0 {
            told_at = at;
            day.key_endpoint(at);
        }
        let request = dice.request();
        day.goes_on_until(at);
        day.walk(&request, at);
    }
    day.figures
}

impl Day {
    fn new(walker: Walker, world: World) -> Self {
        let rows = rows();
        let epoch = Instant::now();
        let truth = |(n, row)| truth(n, row, world);
        let table = |row: &Row| match walker {
            Walker::Set(_) | Walker::AllKnowing => row.set(),
            Walker::Default(_) => Arc::clone(row.provider),
        };
        let table: Vec<Arc<Provider>> = rows.iter().map(table).collect();
        let proxy = match walker {
            Walker::Set(order) | Walker::Default(order) => {
                Some(Proxy::new(order, &rows, &table, moment(epoch, 0.0)))
            }
            Walker::AllKnowing => None,
        };
        let ways =
            |(row, own): (usize, &Row)| (0..own.models.len()).map(move |model| Way { row, model });
        Self {
            truths: rows.iter().enumerate().map(truth).collect(),
            proxy,
            asks_key_endpoint: matches!(walker, Walker::Default(_)),
            ways: rows.iter().enumerate().flat_map(ways).collect(),
            under_way: Vec::new(),
            due: BinaryHeap::new(),
            figures: Figures::new(rows.iter().map(Row::name)),
            epoch,
            rows,
        }
    }

    fn now(&self, at: f64) -> Now {
        moment(self.epoch, at)
    }

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

    /// What `GET /key` says about `OpenRouter`'s day.
    fn key_endpoint(&mut self, at: f64) {
        let now = self.now(at);
        let Some(proxy) = self.proxy.as_mut().filter(|_| self.asks_key_endpoint) else {
            return;
        };
        let (limit, used) = self.truths[0].day(0, at);
        let account = AccountId::only(self.rows[0].provider.id.clone());
        let told = FreeQuota {
            per: Per::Day,
            limit,
            used,
            by_refusal: false,
        };
        proxy.is_told_of_the_day(&account, told, now);
    }

    fn goes_on_until(&mut self, at: f64) {
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
                if let (Some(proxy), Some((attempt, used))) = (&mut self.proxy, one.attempt) {
                    proxy.is_answered(attempt, used, now);
                }
            } else {
                if let (Some(proxy), Some((attempt, _))) = (&self.proxy, &one.attempt) {
                    proxy.hears(attempt, now);
                }
                one.speaks = true;
                self.due.push(Reverse((one.ends, which)));
                self.under_way[which] = Some(one);
            }
        }
    }

    fn walk(&mut self, request: &Request, at: f64) {
        self.figures.requests += 1;
        let answered = match self.proxy.take() {
            None => self.walk_knowingly(request, at),
            Some(mut proxy) => {
                let answered = self.walk_as_the_program(&mut proxy, request, at);
                self.proxy = Some(proxy);
                answered
            }
        };
        if answered {
            self.figures.answered += 1;
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

    fn walk_knowingly(&mut self, request: &Request, at: f64) -> bool {
        let first = (0..self.ways.len()).find(|way| {
            let weight = self.whole(*way, request);
            let Way { row, model } = self.ways[*way];
            self.truths[row].refuses(model, weight, at).is_none()
        });
        if let Some(way) = first {
            self.figures.attempts += 1;
            self.is_taken(way, request, None, at);
        }
        first.is_some()
    }

    fn walk_as_the_program(&mut self, proxy: &mut Proxy, request: &Request, at: f64) -> bool {
        let now = self.now(at);
        let mut out = Vec::new();
        for _ in 0..MAX_ATTEMPTS {
            let Some(way) = proxy.next(request.needs, &out, now) else {
                return false;
            };
            self.figures.attempts += 1;
            let attempt = proxy.asks(way, request.needs, &mut out, now);
            let (Way { row, model }, weight) = (self.ways[way], self.weight(way, request));
            if let Some(refused) = self.truths[row].refuses(model, weight, at) {
                self.truths[row].has_refused(model, weight, at);
                let failure = self.refused(row, &refused, now);
                proxy.is_refused(attempt, &failure, &mut out, now);
                continue;
            }
            let told = self.is_taken(way, request, Some(attempt), at);
            let one = self.under_way.last().and_then(Option::as_ref);
            if let Some((attempt, _)) = one.and_then(|one| one.attempt.as_ref()) {
                proxy.is_told(attempt, &told, now);
            }
            return true;
        }
        false
    }

    /// The way takes the request; returns what its headers say.
    fn is_taken(
        &mut self,
        way: usize,
        request: &Request,
        attempt: Option<Attempt>,
        at: f64,
    ) -> Vec<Correction> {
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
            attempt: attempt.map(|attempt| (attempt, used)),
            uncounted: request.answer.floor() - weight.tokens_out,
            speaks: false,
            ends: millis(at + request.lasts),
        }));
        let is_told = self.rows[row].tells;
        let told = is_told.then(|| self.truths[row].headers(model, at));
        let correction = |(unit, per, limit, left, reset): (_, _, _, _, f64)| Correction {
            unit,
            per,
            of: None,
            limit: Some(limit),
            remaining: Some(left),
            reset: Some(Duration::from_secs_f64(reset.ceil().max(1.0))),
        };
        told.into_iter().flatten().map(correction).collect()
    }

    /// Counts a refusal; the verdict on it.
    fn refused(&mut self, row: usize, refused: &Refused, now: Now) -> Failure {
        let Limit {
            unit,
            per,
            of,
            amount,
            ends,
            ..
        } = refused.limit;
        self.figures.refused += 1;
        self.figures.accounts[row].refused += 1;
        let is_counted = matches!(unit, Unit::Requests | Unit::AtOnce);
        self.figures.refused_requests += u64::from(is_counted);
        // A day that rolls rests its account for RATE_LIMIT_COOLDOWN_SEC at least.
        let is_rolling_day = per == Per::Day && ends.is_none();
        let least = if is_rolling_day { 300.0 } else { 1.0 };
        let wait = Duration::from_secs_f64(refused.wait.max(least));
        let name = self.rows[row].name();
        let says_numbers = matches!(name, "groq" | "gemini" | "openrouter");
        let stated = Stated {
            amount: says_numbers.then_some(amount),
            used: (name == "groq").then_some(amount.min(refused.used as u64)),
            unit: Some(unit),
            per,
            of,
            until: (!refused.too_large).then(|| now.plus(wait).wall),
        };
        let limit = match per {
            Per::Minute => AccountLimit::Minute,
            Per::Day => AccountLimit::Day,
            Per::Moment | Per::Second | Per::Hour | Per::Hours(_) | Per::Week | Per::Month => {
                AccountLimit::Quota
            }
        };
        let (rest, lesson) = match refused.too_large {
            true => (Rest::None, Some(Lesson::OverLimit)),
            false => (Rest::For(wait), None),
        };
        Failure {
            outcome: Outcome::RateLimited,
            scope: match of {
                Counted::Model => Scope::Candidate,
                Counted::Account | Counted::Address => Scope::Account(limit),
            },
            rest,
            status: Some(429),
            cause: Cause::Status,
            lesson,
            owed: false,
            free_requests: None,
            quota: Some(Box::new(stated)),
            answer: None,
        }
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

fn moment(epoch: Instant, at: f64) -> Now {
    Now {
        steady: epoch + Duration::from_secs_f64(at),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs_f64(START + at),
    }
}
