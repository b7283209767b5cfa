//! The router that knows everything.

use free_llm_proxy::replay::Sessions;

use super::counters::Quota;
use super::records::{Answer, Record, Taste, answer};
use super::world::*;

/// For each request at its arrival one attempt, at the model that gives most, if any answers whole
/// within 30 s and the quota allows. It never waits.
pub fn oracle(world: &World) -> Vec<Record> {
    let mut quotas: Vec<_> = world.accounts.iter().copied().map(Quota::new).collect();
    let mut sessions = Sessions::default();
    let mut records = Vec::with_capacity(world.requests.len());
    for (number, request) in world.requests.iter().enumerate() {
        let now = request.at;
        let mut best: Option<(f64, usize, Answer)> = None;
        for (n, model) in world.models.iter().enumerate() {
            if quotas[model.account].refuses(now).is_some() {
                continue;
            }
            let cached = sessions.is_warm(&request.plain(), n, now);
            let outcome = world.outcome(n, now, number, 0, cached);
            let Outcome::Speaks {
                first,
                total,
                breaks: false,
            } = outcome
            else {
                continue;
            };
            let wait = if request.stream { first } else { total };
            if wait > 30.0 {
                continue;
            }
            let answer = answer(world, request, &sessions, n, wait);
            let utility = answer.worth(Taste::Usual);
            if best.is_none_or(|(most, ..)| utility > most) {
                best = Some((utility, n, answer));
            }
        }
        let Some((_, model, answer)) = best else {
            records.push(Record::default());
            continue;
        };
        quotas[world.models[model].account].take(now);
        sessions.served(&request.plain(), model, now);
        records.push(Record {
            answer: Some(answer),
            attempts: 1,
            wasted: 0,
        });
    }
    records
}
