//! The best model answers 429 to every request: the cost of moving on to the next one.
//!
//! It asks for a rest of zero, so that the next request meets it again.

use anyhow::{Result, ensure};

use super::latency::at_rate;
use super::saturated::cost;
use super::{Outcome, Pace};
use crate::figure::Figure;
use crate::request::Api;
use crate::script::Script;
use crate::target::{Behind, Kind, Stand, Target};

const BODY_BYTES: usize = 1000;
const RATE: u64 = 200;
/// Where our proxy reports how many models it tried.
const ATTEMPTS: &str = "x-free-llm-proxy-attempts";

/// Only for a proxy that knows about models.
pub(super) fn measure(stand: &mut Stand, target: &Target, pace: Pace) -> Result<Option<Outcome>> {
    if !matches!(target.kind, Kind::Ours(_)) {
        return Ok(None);
    }
    let mut figures = Vec::new();
    let mut errors = 0;
    let mut trouble = None;
    let mut all = Vec::new();
    for (behind, attempts, [cpu, p50, p99]) in
        [(Behind::Plain, "1", WITHOUT), (Behind::Limited, "2", WITH)]
    {
        let running = stand.running(target, behind)?;
        let tried = running.header(&Script::PLAIN, ATTEMPTS)?;
        ensure!(
            tried.as_deref() == Some(attempts),
            "{ATTEMPTS} is {tried:?}, not {attempts}"
        );
        let cost = cost(&running, Api::Chat, &Script::PLAIN, BODY_BYTES, pace)?;
        let times = at_rate(&running, &Script::PLAIN, RATE, pace)?;
        let tried = running.header(&Script::PLAIN, ATTEMPTS)?;
        ensure!(
            tried.as_deref() == Some(attempts),
            "{ATTEMPTS} is {tried:?}, not {attempts}"
        );
        let micros = cost.micros.unwrap_or_default();
        let (half, most) = (times.quantiles.micros(0.5), times.quantiles.micros(0.99));
        all.push([micros, half]);
        figures.push(Figure::ratio(cpu, "us", micros));
        figures.push(Figure::ratio(p50, "us", half));
        figures.push(Figure::ratio(p99, "us", most));
        errors += cost.errors + times.errors;
        trouble = trouble.or(cost.trouble).or(times.trouble);
    }
    if let [without, with] = all.as_slice() {
        for ((name, with), without) in MORE.into_iter().zip(with).zip(without) {
            figures.push(Figure::ratio(name, "us", with - without));
        }
    }
    Ok(Some(Outcome {
        figures,
        errors,
        trouble,
        note: None,
    }))
}

const WITHOUT: [&str; 3] = [
    "CPU per request, first model serves",
    "latency p50 at 200/s, first model serves",
    "latency p99 at 200/s, first model serves",
];
const WITH: [&str; 3] = [
    "CPU per request, first model answers 429",
    "latency p50 at 200/s, first model answers 429",
    "latency p99 at 200/s, first model answers 429",
];
const MORE: [&str; 2] = ["CPU of the failover", "latency p50 of the failover"];
