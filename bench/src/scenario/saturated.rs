//! As many requests as the target can take: what one costs it.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, Pace};
use crate::clock;
use crate::figure::Figure;
use crate::load::{Closed, Pool};
use crate::request;
use crate::script::Script;
use crate::target::{Behind, Stand, Target};

const CONNECTIONS: usize = 32;

pub(super) fn measure(
    stand: &mut Stand,
    target: &Target,
    body_bytes: usize,
    chunks: u32,
    pace: Pace,
) -> Result<Outcome> {
    let running = stand.running(target, Behind::Plain)?;
    let script = Script::stream(chunks, Duration::ZERO);
    let request = running.post(&request::body(&script, body_bytes));
    let mut pool = Pool::new(running.address, request, chunks > 0)?;
    let mut load = Closed::new(&mut pool, CONNECTIONS)?;

    load.run_until(clock::now() + clock::nanos(pace.of(500, 250)))?;
    let tree = running.tree()?;
    let cpu = || tree.as_ref().map_or(0, |tree| tree.cpu());
    let (cpu_before, answers_before, start) = (cpu(), load.answers, clock::now());
    load.run_until(start + clock::nanos(pace.of(3000, 600)))?;
    let (cpu, answers, end) = (cpu(), load.answers, clock::now());
    load.finish(end + clock::nanos(Duration::from_secs(10)))?;

    let answers = (answers - answers_before) as f64;
    let (cpu, time) = ((cpu - cpu_before) as f64, (end - start) as f64);
    let mut figures = Vec::new();
    if tree.is_some() {
        let micros = cpu / 1000.0 / answers;
        figures.push(Figure::ratio("CPU per request", "us", micros));
    }
    figures.push(Figure::ratio("requests", "1/s", answers / time * 1e9));
    if tree.is_some() {
        figures.push(Figure::alone("its core in use", "%", cpu / time * 100.0));
    }
    let errors = load.errors;
    Ok(Outcome {
        figures,
        errors,
        trouble: pool.trouble,
        note: None,
    })
}
