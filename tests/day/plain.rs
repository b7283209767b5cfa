//! The plain policy on the same day, as a small model: rank and cooldown, and the status alone.
//!
//! Every 429 and 404 is blamed on the model, as is a 5xx or silence, each with its default
//! cooldown; other 4xx end the request. What an answer names (a wait, a quota, a missing
//! capability) is not read, and there are no probes. It does know that a 200 can be an error.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use simulator::Failure;

use super::knowledge::{Knowledge, Probing, Tells, tells};
use super::schedule::*;
use super::world::limited;

#[derive(Clone, Copy, Debug, Default)]
pub struct Plain {
    pub answered: u64,
    pub attempts: u64,
    pub wasted: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    List,
    Next {
        request: usize,
    },
    Ends {
        request: usize,
        model: usize,
        said: Said,
    },
}

/// The result of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Good,
    Final,
    Rest(Ms),
}

pub fn plain(schedule: &Schedule) -> Plain {
    let requests = &schedule.requests;
    let mut plain = Plain::default();
    let mut known = Knowledge::default();
    let mut minute = (0, 0);
    let mut awake = [0; MODELS];
    let mut listed = [true; MODELS];
    let mut tried = vec![Vec::new(); requests.len()];
    let mut told: Vec<Option<Tells>> = vec![None; requests.len()];
    let mut events: BinaryHeap<_> = (0..24).map(|h| Reverse((h * HOUR, Event::List))).collect();
    let begin = |(n, r): (usize, &Request)| Reverse((r.at, Event::Next { request: n }));
    events.extend(requests.iter().enumerate().map(begin));
    while let Some(Reverse((now, event))) = events.pop() {
        match event {
            Event::List => {
                for (n, listed) in listed.iter_mut().enumerate() {
                    *listed = schedule.lists(n, now);
                }
                known.new_list(|n| schedule.lists(n, now));
            }
            Event::Next { request } => {
                let asked = &requests[request];
                let may = |m: &usize| {
                    let able = listed[*m] && schedule.is_capable(*m, asked);
                    able && awake[*m] <= now && !tried[request].contains(m)
                };
                let left = tried[request].len() < MAX_ATTEMPTS && now - asked.at < BUDGET;
                let Some(model) = (0..MODELS).find(may).filter(|_| left) else {
                    continue;
                };
                tried[request].push(model);
                plain.attempts += 1;
                let rests = known.account_rests(now) || known.rests(model, now, asked.tools);
                let (after, said, tell) =
                    if let Some((_, reset)) = limited(schedule, &mut minute, now) {
                        let rest = Said::Rest(now + 80 + RATE_LIMIT_COOLDOWN);
                        (80, rest, Some(Tells::Account(reset)))
                    } else {
                        match schedule.meets(model, now, asked.tools) {
                            Meets::Good(latency) => (latency, Said::Good, None),
                            Meets::Fails {
                                fault,
                                after,
                                until,
                            } => {
                                let at = now + after;
                                (after, said(fault, at), Some(tells(fault, at, until)))
                            }
                        }
                    };
                // What is known to be resting may work anyway: that attempt is not wasted.
                plain.wasted += u64::from(rests && said != Said::Good);
                told[request] = tell;
                let ends = Event::Ends {
                    request,
                    model,
                    said,
                };
                events.push(Reverse((now + after, ends)));
            }
            Event::Ends {
                request,
                model,
                said,
            } => {
                known.ends(model, Probing::default(), now, told[request]);
                match said {
                    Said::Good => plain.answered += 1,
                    Said::Final => {}
                    Said::Rest(until) => {
                        awake[model] = awake[model].max(until);
                        events.push(Reverse((now, Event::Next { request })));
                    }
                }
            }
        }
    }
    plain
}

fn said(fault: Fault, now: Ms) -> Said {
    match fault {
        Fault::Limited(_) | Fault::Answers(Failure::OkError) => {
            Said::Rest(now + RATE_LIMIT_COOLDOWN)
        }
        Fault::Answers(Failure::Harness | Failure::ProviderRefused | Failure::TimedOut) => {
            Said::Final
        }
        Fault::Answers(_)
        | Fault::Closed
        | Fault::Stalls
        | Fault::Slow(_)
        | Fault::Gone
        | Fault::NoTools => Said::Rest(now + GENERIC_COOLDOWN),
    }
}
