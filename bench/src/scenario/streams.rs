//! Streams over warm connections: how long the target holds an event, and what each costs.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Outcome, Pace};
use crate::clock::{self, Nanos};
use crate::figure::{Figure, Quantiles};
use crate::load::{Events, Open, Pool};
use crate::request;
use crate::script::Script;
use crate::target::{Behind, Running, Stand, Target};

const STREAMS: u32 = 32;
const BODY_BYTES: usize = 1000;

/// The timing of a stream's events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    /// How many at once, each in a write of its own.
    pub(crate) burst: u32,
    /// The pause after them.
    pub(crate) gap: Duration,
}

pub(super) fn measure(
    stand: &mut Stand,
    target: &Target,
    pattern: Pattern,
    pace: Pace,
) -> Result<Outcome> {
    let running = stand.running(target, Behind::Plain)?;
    // Long enough for all of them to be open at once.
    let warm_up = Script::stream(3, Duration::from_millis(40));
    let mut pool = Pool::new(running.address, post(&running, &warm_up), true)?;
    let mut load = Open::new(&mut pool, 100_000, STREAMS.into(), STREAMS as usize);
    load.finish(load.last_due() + LIMIT)?;

    let bursts = pace.of(3000, 600).as_micros() / pattern.gap.as_micros();
    let script = Script {
        burst: pattern.burst,
        ..Script::stream(u32::try_from(bursts)? * pattern.burst, pattern.gap)
    };
    pool.set_request(post(&running, &script), true);
    pool.events = Some(Events::default());
    let tree = running.tree()?;
    let cpu = || tree.as_ref().map_or(0, |tree| tree.cpu());
    let before = cpu();
    // Spread evenly over the pause, or all events of all streams would come at once.
    let interval = clock::nanos(pattern.gap) / Nanos::from(STREAMS);
    let mut load = Open::new(&mut pool, interval, STREAMS.into(), STREAMS as usize);
    load.finish(load.last_due() + clock::nanos(pattern.gap) * u64::try_from(bursts)? + LIMIT)?;
    let errors = load.errors;
    let used = cpu() - before;

    let events = pool.events.take().unwrap_or_default();
    let expected = (STREAMS * script.chunks) as usize;
    ensure!(
        errors > 0 || events.delays.len() == expected,
        "{} events came of {expected}",
        events.delays.len()
    );
    let mut figures = Vec::new();
    if tree.is_some() {
        let micros = used as f64 / 1000.0 / events.delays.len() as f64;
        figures.push(Figure::ratio("CPU per event", "us", micros));
    }
    figures.extend(delays(events));
    Ok(Outcome {
        figures,
        errors,
        trouble: pool.trouble,
        note: None,
    })
}

/// How late events came.
pub(super) fn delays(events: Events) -> Vec<Figure> {
    let (delays, firsts) = (Quantiles::of(events.delays), Quantiles::of(events.firsts));
    vec![
        Figure::added("delay of an event p50", "us", delays.micros(0.5)),
        Figure::added("delay of an event p99", "us", delays.micros(0.99)),
        Figure::added("time to the first event p50", "us", firsts.micros(0.5)),
        Figure::added("time to the first event p99", "us", firsts.micros(0.99)),
    ]
}

fn post(running: &Running, script: &Script) -> Vec<u8> {
    running.post(&request::body(script, BODY_BYTES))
}

/// For what should have ended long before.
const LIMIT: Nanos = 5_000_000_000;
