//! As many requests as the target can take: the cost of one.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, Pace};
use crate::clock;
use crate::figure::Figure;
use crate::load::{Closed, Pool};
use crate::request::Api;
use crate::script::Script;
use crate::target::{Behind, Running, Stand, Target};

const CONNECTIONS: usize = 32;

/// What is asked, over and over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) body_bytes: usize,
    pub(super) answer: Script,
}

/// What a target did at its limit.
pub(super) struct Cost {
    /// CPU time per request; `None` for the direct connection, which has no process of its own.
    pub(super) micros: Option<f64>,
    a_second: f64,
    /// The share of one core that it used.
    in_use: f64,
    pub(super) errors: u64,
    pub(super) trouble: Option<String>,
}

pub(super) fn measure(
    stand: &mut Stand,
    target: &Target,
    load: Load,
    pace: Pace,
) -> Result<Outcome> {
    let running = stand.running(target, Behind::Plain)?;
    let cost = cost(&running, Api::Chat, &load.answer, load.body_bytes, pace)?;
    let mut figures = Vec::new();
    if let Some(micros) = cost.micros {
        figures.push(Figure::ratio("CPU per request", "us", micros));
    }
    figures.push(Figure::ratio("requests", "1/s", cost.a_second));
    if cost.micros.is_some() {
        let percent = cost.in_use * 100.0;
        figures.push(Figure::alone("its core in use", "%", percent));
    }
    Ok(Outcome {
        figures,
        errors: cost.errors,
        trouble: cost.trouble,
        note: None,
    })
}

/// Sends this request over and over.
pub(super) fn cost(
    running: &Running,
    api: Api,
    script: &Script,
    body_bytes: usize,
    pace: Pace,
) -> Result<Cost> {
    let request = running.post_in(api, script, body_bytes);
    let mut pool = Pool::new(running.address, request, script.chunks > 0)?;
    let mut load = Closed::new(&mut pool, CONNECTIONS)?;

    load.run_until(clock::now() + clock::nanos(pace.of(500, 250)))?;
    let tree = running.tree()?;
    let cpu = || tree.as_ref().map_or(0, |tree| tree.cpu());
    let (cpu_before, answers_before, start) = (cpu(), load.answers, clock::now());
    load.run_until(start + clock::nanos(pace.of(3000, 500)))?;
    let (cpu, answers, end) = (cpu(), load.answers, clock::now());
    load.finish(end + clock::nanos(Duration::from_secs(10)))?;

    let answers = (answers - answers_before) as f64;
    let (used, time) = ((cpu - cpu_before) as f64, (end - start) as f64);
    Ok(Cost {
        micros: tree.map(|_| used / 1e3 / answers),
        a_second: answers / time * 1e9,
        in_use: used / time,
        errors: load.errors,
        trouble: pool.trouble,
    })
}
