//! A trace of this world, as a proxy would have written it, and what its replay makes of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use free_llm_proxy::clock::Now;
use free_llm_proxy::model::Candidate;
use free_llm_proxy::replay::{
    self, Attempt, Choice, Failure, Figures, Record, Rest, Router, Settings, Tally, Trace, Walk,
    play,
};
use free_llm_proxy::trace::{Asked, Ended, Line, Rests, VERSION, Whom};

use super::played::{Played, waiting};
use super::policies::{Steps, candidates, ours, rank};
use super::world::World;

/// The replay is of a proxy as it is.
const WAIT: f64 = 20.0;

/// Who is asked first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Routing {
    Rank,
    Balanced,
}

/// What a router comes to in the world itself.
pub fn in_the_world(world: &World, routing: Routing) -> Figures {
    figures(world, &plays(world, routing).0)
}

/// What both come to by a trace that was written while this one chose: `rank`, `balanced`.
pub fn by_its_trace(world: &World, routing: Routing) -> [Figures; 2] {
    let (_, lines) = plays(world, routing);
    let mut trace = Trace::default();
    for line in lines {
        trace.take(&serde_json::to_vec(&line).unwrap());
    }
    let trace = trace.ordered();
    assert_eq!(trace.read().skipped, 0);
    let [_, rank, balanced] = replay::rows(&trace, &waiting(WAIT), Now::read());
    [rank.1, balanced.1]
}

fn figures(world: &World, records: &[Record]) -> Figures {
    let mut tally = Tally::default();
    for (request, record) in world.requests.iter().zip(records) {
        tally.add(&request.plain(), record, true);
    }
    tally.figures()
}

/// What becomes of the world's requests, and the lines of it.
fn plays(world: &World, routing: Routing) -> (Vec<Record>, Vec<Line>) {
    let settings = waiting(WAIT);
    match routing {
        Routing::Rank => recorded(world, rank(world, WAIT), &settings),
        Routing::Balanced => recorded(world, ours(world, Steps::ALL), &settings),
    }
}

fn recorded(world: &World, router: impl Router, settings: &Settings) -> (Vec<Record>, Vec<Line>) {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let recording = Recording {
        world,
        router,
        candidates: candidates(world),
        numbers: vec![0; world.requests.len()],
        begun: HashMap::new(),
        lines: Rc::clone(&lines),
    };
    let records = play(&mut Played::new(world), recording, settings);
    let mut lines = lines.take();
    for (n, record) in records.iter().enumerate() {
        if record.attempts == 0 {
            lines.push(line(world, n, Ended::Unasked));
        }
    }
    (records, lines)
}

/// A router that is watched.
struct Recording<'w, R> {
    world: &'w World,
    router: R,
    candidates: Vec<Candidate>,
    /// By request: attempts until now.
    numbers: Vec<u32>,
    /// By request and candidate: the attempt's number, and its first token.
    begun: HashMap<(usize, usize), (u32, Option<u64>)>,
    lines: Rc<RefCell<Vec<Line>>>,
}

fn line(world: &World, number: usize, ended: Ended) -> Line {
    let request = &world.requests[number];
    let tools = request.tools.then(|| "tools".to_owned());
    Line {
        version: VERSION,
        run: "world".to_owned(),
        request: number as u64,
        at_ms: 1_795_622_400_000 + millis(request.at),
        session: request.session.map(|session| session.to_string()),
        stream: request.stream,
        named: false,
        wish: None,
        needs: tools.into_iter().collect(),
        prompt_tokens: request.prompt_tokens as u64,
        ended,
        asked: None,
    }
}

fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

impl<R> Recording<'_, R> {
    fn writes(&self, attempt: &Attempt, ended: Ended, now: f64, change: impl FnOnce(&mut Asked)) {
        let request = &self.world.requests[attempt.request];
        let candidate = &self.candidates[attempt.candidate];
        let (number, first_ms) = self.begun[&(attempt.request, attempt.candidate)];
        let mut asked = Asked {
            number,
            after_ms: millis(attempt.at - request.at),
            offer: candidate.offer.public_id.to_string(),
            provider: candidate.account.provider.to_string(),
            account: candidate.account.label.to_string(),
            tier: 1000,
            place: attempt.candidate as u32,
            context: None,
            tight: 0.0,
            day_left: None,
            first_ms,
            total_ms: millis(now - attempt.at),
            prompt_tokens: None,
            output_tokens: (ended == Ended::Whole).then_some(request.output_tokens as u64),
            status: None,
            cause: None,
            scope: None,
            teaches: false,
            by_limit: false,
            rests: Rests::No,
            wait_ms: None,
        };
        change(&mut asked);
        self.lines.borrow_mut().push(Line {
            asked: Some(asked),
            ..line(self.world, attempt.request, ended)
        });
    }
}

impl<R: Router> Router for Recording<'_, R> {
    fn choose(&mut self, walk: &Walk, now: f64) -> Choice {
        self.router.choose(walk, now)
    }

    fn begins(&mut self, attempt: &Attempt, now: f64) {
        let number = &mut self.numbers[attempt.request];
        *number += 1;
        let begun = (attempt.request, attempt.candidate);
        self.begun.insert(begun, (*number, None));
        self.router.begins(attempt, now);
    }

    fn limit(&mut self, attempt: &Attempt, walk: &Walk, now: f64) -> Option<f64> {
        self.router.limit(attempt, walk, now)
    }

    fn fails(&mut self, attempt: &Attempt, failure: Failure, now: f64) {
        let ended = match failure {
            Failure::Lacks | Failure::Refused => Ended::Refused,
            _ => Ended::Failed,
        };
        self.writes(attempt, ended, now, |asked| {
            asked.scope = Some(Whom::Model);
            match failure {
                Failure::Account { until } => {
                    asked.scope = Some(Whom::Account);
                    asked.rests = Rests::Told;
                    asked.wait_ms = Some(millis((until - now).min(93_600.0)));
                }
                Failure::Late => (asked.by_limit, asked.teaches) = (true, true),
                Failure::Gone => asked.rests = Rests::Gone,
                Failure::Lacks | Failure::Refused => {}
                Failure::Model { rest } => {
                    asked.teaches = true;
                    match rest {
                        Rest::No => {}
                        Rest::Told(seconds) => {
                            asked.status = Some(429);
                            asked.rests = Rests::Told;
                            asked.wait_ms = Some(millis(seconds));
                        }
                        Rest::Unadvised { is_limited } => {
                            asked.status = is_limited.then_some(429);
                            asked.rests = Rests::Unadvised;
                        }
                    }
                }
            }
        });
        self.router.fails(attempt, failure, now);
    }

    fn speaks(&mut self, attempt: &Attempt, now: f64) {
        if attempt.stream {
            let begun = (attempt.request, attempt.candidate);
            self.begun.get_mut(&begun).unwrap().1 = Some(millis(now - attempt.at));
        }
        self.router.speaks(attempt, now);
    }

    fn ends(&mut self, attempt: &Attempt, broken: bool, now: f64) {
        let ended = if broken { Ended::Broken } else { Ended::Whole };
        self.writes(attempt, ended, now, |_| {});
        self.router.ends(attempt, broken, now);
    }
}
