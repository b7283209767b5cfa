//! A proxy's walk in virtual time: one router plays one world.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::counters::{Quota, Sessions};
use super::policies::{Attempt, Choice, Failure, Router, TIMEOUT, Walk};
use super::records::{Answer, Record};
use super::world::*;

/// The program's defaults: `MAX_ATTEMPTS`, `REQUEST_BUDGET_SEC`.
const MAX_ATTEMPTS: usize = 5;
const BUDGET: f64 = 120.0;

/// How long an account takes to refuse.
pub const REFUSAL: f64 = 0.15;

/// What became of every request of this world with this router.
pub fn play<'w>(world: &'w World, router: impl Router + 'w) -> Vec<Record> {
    let walks = world.requests.iter().enumerate();
    let walks = walks.map(|(number, request)| Walk {
        number,
        request,
        tried: Vec::new(),
    });
    let mut play = Play {
        world,
        router,
        now: 0.0,
        queue: BinaryHeap::new(),
        scheduled: 0,
        quotas: world.accounts.iter().copied().map(Quota::new).collect(),
        told: Told::new(world),
        sessions: Sessions::default(),
        walks: walks.collect(),
        records: vec![Record::default(); world.requests.len()],
    };
    for (number, request) in world.requests.iter().enumerate() {
        play.at(request.at, Event::Steps(number));
    }
    while let Some(Reverse(due)) = play.queue.pop() {
        play.now = due.at;
        play.happens(due.event);
    }
    play.records
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// This request's walk goes on.
    Steps(usize),
    Fails(Attempt, Failure),
    /// The attempt speaks; its answer ends later, whole or broken.
    Speaks(Attempt, f64, bool),
    Ends(Attempt, bool),
}

struct Play<'w, R> {
    world: &'w World,
    router: R,
    now: f64,
    queue: BinaryHeap<Reverse<Due>>,
    scheduled: u64,
    quotas: Vec<Quota>,
    told: Told,
    sessions: Sessions,
    walks: Vec<Walk<'w>>,
    records: Vec<Record>,
}

impl<R: Router> Play<'_, R> {
    fn at(&mut self, at: f64, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse(Due {
            at,
            nth: self.scheduled,
            event,
        }));
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Steps(number) => self.step(number),
            Event::Fails(attempt, failure) => {
                self.told.hears(&attempt, failure, self.now);
                self.router.fails(&attempt, failure, self.now);
                self.step(attempt.request);
            }
            Event::Speaks(attempt, end, broken) => {
                let request = &self.world.requests[attempt.request];
                let rank = self.world.models[attempt.model].rank;
                let wait = self.now - request.at;
                let answer = Answer::new(request, &self.sessions, attempt.model, rank, wait);
                self.records[attempt.request].answer = Some(Answer { broken, ..answer });
                self.sessions.served(request, attempt.model, self.now);
                self.router.speaks(&attempt, self.now);
                self.at(end, Event::Ends(attempt, broken));
            }
            Event::Ends(attempt, broken) => self.router.ends(&attempt, broken, self.now),
        }
    }

    /// The next attempt of this request, a pause, or the end of it.
    fn step(&mut self, number: usize) {
        let walk = &self.walks[number];
        let deadline = walk.request.at + BUDGET;
        if walk.tried.len() >= MAX_ATTEMPTS || self.now >= deadline {
            return;
        }
        match self.router.choose(walk, self.now) {
            Choice::Ask(model) => self.ask(number, model),
            Choice::Wait(seconds) if self.now + seconds <= deadline => {
                self.at(self.now + seconds.max(0.05), Event::Steps(number));
            }
            Choice::Wait(_) | Choice::GiveUp => {}
        }
    }

    fn ask(&mut self, number: usize, model: usize) {
        let (world, now) = (self.world, self.now);
        let request = &world.requests[number];
        let tried = &mut self.walks[number].tried;
        let nth = tried.iter().filter(|tried| **tried == model).count();
        tried.push(model);
        let attempt = Attempt {
            request: number,
            model,
            account: world.models[model].account,
            stream: request.stream,
            prompt_tokens: request.prompt_tokens as u64,
            at: now,
        };
        let record = &mut self.records[number];
        record.attempts += 1;
        record.wasted += u32::from(self.told.would_fail(&attempt, request, now));
        self.router.begins(&attempt, &self.walks[number], now);
        if let Some(until) = self.quotas[attempt.account].take(now) {
            let refused = Event::Fails(attempt, Failure::Account { until });
            return self.at(now + REFUSAL, refused);
        }
        let cached = self.sessions.cached(request, model, now);
        let (known, event) = match world.outcome(model, now, number, nth, cached) {
            Outcome::Fails {
                fault,
                after,
                retry_after,
            } => {
                let failure = Failure::Model { fault, retry_after };
                (after, Event::Fails(attempt, failure))
            }
            Outcome::Speaks {
                total,
                breaks: true,
                ..
            } if !request.stream => {
                let failure = Failure::Model {
                    fault: Fault::Cut,
                    retry_after: None,
                };
                (total, Event::Fails(attempt, failure))
            }
            Outcome::Speaks {
                first,
                total,
                breaks,
            } => {
                let known = if request.stream { first } else { total };
                (known, Event::Speaks(attempt, now + total, breaks))
            }
        };
        let limit = self.router.limit(&attempt, &self.walks[number], now);
        if known <= limit {
            self.at(now + known, event);
        } else {
            let silent = Failure::Model {
                fault: Fault::Silent,
                retry_after: None,
            };
            let failure = if limit < TIMEOUT {
                Failure::Limit
            } else {
                silent
            };
            self.at(now + limit, Event::Fails(attempt, failure));
        }
    }
}

/// What earlier answers said would fail.
pub struct Told {
    models: Vec<f64>,
    accounts: Vec<f64>,
    no_tools: Vec<bool>,
}

impl Told {
    pub fn new(world: &World) -> Self {
        Self {
            models: vec![0.0; world.models.len()],
            accounts: vec![0.0; world.accounts.len()],
            no_tools: vec![false; world.models.len()],
        }
    }

    pub fn would_fail(&self, attempt: &Attempt, request: &Request, now: f64) -> bool {
        now < self.models[attempt.model]
            || now < self.accounts[attempt.account]
            || (request.tools && self.no_tools[attempt.model])
    }

    pub fn hears(&mut self, attempt: &Attempt, failure: Failure, now: f64) {
        let model = &mut self.models[attempt.model];
        match failure {
            Failure::Limit => {}
            Failure::Account { until } => {
                let account = &mut self.accounts[attempt.account];
                *account = account.max(until);
            }
            Failure::Model {
                fault: Fault::Gone, ..
            } => *model = NEVER,
            Failure::Model {
                fault: Fault::NoTools,
                ..
            } => self.no_tools[attempt.model] = true,
            Failure::Model { retry_after, .. } => {
                *model = model.max(now + retry_after.unwrap_or(0.0));
            }
        }
    }
}

/// Events of one moment happen in the order in which they were scheduled.
#[derive(Debug)]
struct Due {
    at: f64,
    nth: u64,
    event: Event,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        let moment = self.at.total_cmp(&other.at);
        moment.then(self.nth.cmp(&other.nth))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}
