//! A proxy's walk in virtual time: one router plays one world. Times are in seconds from the world's start.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::{Answer, Record, Sessions, Settings, Told};
use crate::model::Wish;

/// Later than everything.
pub const NEVER: f64 = f64::INFINITY;

/// What is played: candidates, and the requests to serve.
pub trait World {
    /// How many requests there are.
    fn requests(&self) -> usize;

    /// A request by its number; the first is 0.
    fn request(&self, number: usize) -> Request;

    /// How many candidates there are.
    fn candidates(&self) -> usize;

    /// How many accounts they belong to.
    fn accounts(&self) -> usize;

    /// The account of a candidate.
    fn account(&self, candidate: usize) -> usize;

    /// The candidates that can serve a request according to their lists, best first, in their places when it
    /// came.
    fn able(&mut self, request: usize) -> Vec<(usize, Place)>;

    /// A candidate's place in the order at this moment.
    fn place(&self, candidate: usize, now: f64) -> Place;

    /// The outcome of an attempt that begins now. `nth`: how often this request has asked this candidate;
    /// `is_warm`: it gave the session's last answer a short while ago.
    fn asks(&mut self, attempt: &Attempt, nth: usize, is_warm: bool) -> Outcome;
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// When it comes.
    pub at: f64,
    /// Its session, if it has one.
    pub session: Option<u32>,
    /// It has tools.
    pub tools: bool,
    /// It asks for a stream.
    pub stream: bool,
    /// Its wish for another order.
    pub wish: Wish,
    /// The size of its prompt, in tokens.
    pub prompt_tokens: u64,
}

/// A candidate's place in the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The tier: 0 is asked first.
    pub tier: u32,
    /// How many models are ahead of it there.
    pub place: u32,
    /// Its rank among all, from 1.
    pub rank: u32,
}

/// An attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// The request's number.
    pub request: usize,
    /// The candidate it asks.
    pub candidate: usize,
    /// Through which account.
    pub account: usize,
    /// The request asks for a stream.
    pub stream: bool,
    /// The size of the prompt, in tokens.
    pub prompt_tokens: u64,
    /// When it begins.
    pub at: f64,
}

/// The outcome of an attempt. Times are in seconds since it began.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It fails.
    Fails {
        /// [`NEVER`], if it is silent.
        after: f64,
        /// How it fails.
        failure: Failure,
    },
    /// It answers.
    Speaks {
        /// The first token.
        first: f64,
        /// The end of the answer, or where it breaks off.
        total: f64,
        /// It breaks off.
        breaks: bool,
    },
}

/// How an attempt fails before there is an answer.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// The account refuses everything until then.
    Account {
        /// When it stops refusing.
        until: f64,
    },
    /// The router gave up sooner than it would have had to.
    Late,
    /// It does not take tools, whatever its list says.
    Lacks,
    /// It refuses this request, which says nothing about any other.
    Refused,
    /// It is gone for good, or for an hour.
    Gone,
    /// The model is failing.
    Model {
        /// The rest that follows.
        rest: Rest,
    },
}

/// The rest that follows from a failure.
#[derive(Clone, Copy, Debug)]
pub enum Rest {
    /// None.
    No,
    /// As long as the upstream says, in seconds.
    Told(f64),
    /// The upstream does not say how long.
    Unadvised {
        /// It was a 429.
        is_limited: bool,
    },
}

/// A request in progress.
#[derive(Debug)]
pub struct Walk {
    /// The request's number.
    pub number: usize,
    /// The request.
    pub request: Request,
    /// The candidates that can serve it, best first, each in its place; none before it begins and after its end.
    pub able: Vec<(usize, Place)>,
    /// The candidates it has asked.
    pub tried: Vec<usize>,
}

/// A router's next step for a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// Ask this candidate.
    Ask(usize),
    /// Look again in this many seconds.
    Wait(f64),
    /// There is no candidate to ask or to wait for.
    GiveUp,
}

/// Chooses candidates, and is told how attempts at them end.
pub trait Router {
    /// Chooses the next step.
    fn choose(&mut self, walk: &Walk, now: f64) -> Choice;

    /// An attempt begins.
    fn begins(&mut self, attempt: &Attempt, now: f64);

    /// The limit on its time to the first token, in seconds, if it is below `UPSTREAM_TIMEOUT_SEC`.
    fn limit(&mut self, _attempt: &Attempt, _walk: &Walk, _now: f64) -> Option<f64> {
        None
    }

    /// The attempt has failed before there was an answer.
    fn fails(&mut self, attempt: &Attempt, failure: Failure, now: f64);

    /// Its first token has arrived, or a complete plain answer.
    fn speaks(&mut self, attempt: &Attempt, now: f64);

    /// An answer that had begun has ended.
    fn ends(&mut self, attempt: &Attempt, broken: bool, now: f64);
}

/// The result of every request of this world with this router.
pub fn play<W: World, R: Router>(world: &mut W, router: R, settings: &Settings) -> Vec<Record> {
    let walks = (0..world.requests()).map(|number| Walk {
        number,
        request: world.request(number),
        able: Vec::new(),
        tried: Vec::new(),
    });
    let walks: Vec<_> = walks.collect();
    let mut play = Play {
        router,
        settings: *settings,
        now: 0.0,
        queue: BinaryHeap::new(),
        scheduled: 0,
        told: Told::new(world),
        sessions: Sessions::default(),
        records: vec![Record::default(); walks.len()],
        walks,
        world,
    };
    for number in 0..play.walks.len() {
        play.at(play.walks[number].request.at, Event::Steps(number));
    }
    while let Some(Reverse(due)) = play.queue.pop() {
        play.now = due.at;
        play.happens(due.event);
    }
    play.records
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// This request's walk continues.
    Steps(usize),
    Fails(Attempt, Failure),
    /// The attempt answers; the answer ends later, complete or broken off.
    Speaks(Attempt, f64, bool),
    Ends(Attempt, bool),
}

struct Play<'w, W, R> {
    world: &'w mut W,
    router: R,
    settings: Settings,
    now: f64,
    queue: BinaryHeap<Reverse<Due>>,
    scheduled: u64,
    told: Told,
    sessions: Sessions,
    walks: Vec<Walk>,
    records: Vec<Record>,
}

impl<W: World, R: Router> Play<'_, W, R> {
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
                let request = self.walks[attempt.request].request;
                let rank = self.world.place(attempt.candidate, attempt.at).rank;
                let answer = Answer {
                    rank,
                    wait: self.now - request.at,
                    switched: self.sessions.switched(&request, attempt.candidate),
                    broken,
                };
                self.records[attempt.request].answer = Some(answer);
                self.ended(attempt.request);
                self.sessions.served(&request, attempt.candidate, self.now);
                self.router.speaks(&attempt, self.now);
                self.at(end, Event::Ends(attempt, broken));
            }
            Event::Ends(attempt, broken) => self.router.ends(&attempt, broken, self.now),
        }
    }

    /// Takes this request's next step: an attempt, a pause, or the end.
    fn step(&mut self, number: usize) {
        let walk = &mut self.walks[number];
        let deadline = walk.request.at + self.settings.budget;
        if walk.tried.len() >= self.settings.attempts || self.now >= deadline {
            return self.ended(number);
        }
        if walk.tried.is_empty() && walk.able.is_empty() {
            walk.able = self.world.able(number);
        }
        match self.router.choose(walk, self.now) {
            Choice::Ask(candidate) => self.ask(number, candidate),
            Choice::Wait(seconds) if self.now + seconds <= deadline => {
                self.at(self.now + seconds.max(0.05), Event::Steps(number));
            }
            Choice::Wait(_) | Choice::GiveUp => self.ended(number),
        }
    }

    /// A request asks nobody any more: it makes room for those to come.
    fn ended(&mut self, number: usize) {
        self.walks[number].able = Vec::new();
    }

    fn ask(&mut self, number: usize, candidate: usize) {
        let now = self.now;
        let Walk { request, tried, .. } = &mut self.walks[number];
        let request = *request;
        let nth = tried.iter().filter(|tried| **tried == candidate).count();
        tried.push(candidate);
        let attempt = Attempt {
            request: number,
            candidate,
            account: self.world.account(candidate),
            stream: request.stream,
            prompt_tokens: request.prompt_tokens,
            at: now,
        };
        let record = &mut self.records[number];
        record.attempts += 1;
        record.wasted += u32::from(self.told.would_fail(&attempt, &request, now));
        self.router.begins(&attempt, now);
        let is_warm = self.sessions.is_warm(&request, candidate, now);
        let not_well = Failure::Model {
            rest: Rest::Unadvised { is_limited: false },
        };
        let (known, event) = match self.world.asks(&attempt, nth, is_warm) {
            Outcome::Fails { after, failure } => (after, Event::Fails(attempt, failure)),
            Outcome::Speaks {
                total,
                breaks: true,
                ..
            } if !request.stream => (total, Event::Fails(attempt, not_well)),
            Outcome::Speaks {
                first,
                total,
                breaks,
            } => {
                let known = if request.stream { first } else { total };
                (known, Event::Speaks(attempt, now + total, breaks))
            }
        };
        let timeout = self.settings.timeout;
        let limit = self.router.limit(&attempt, &self.walks[number], now);
        let limit = limit.filter(|limit| *limit < timeout);
        let (after, event) = match limit {
            Some(limit) if known > limit => (limit, Event::Fails(attempt, Failure::Late)),
            None if known > timeout => (timeout, Event::Fails(attempt, not_well)),
            Some(_) | None => (known, event),
        };
        self.at(now + after, event);
    }
}

/// Simultaneous events happen in the order in which they were scheduled.
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
