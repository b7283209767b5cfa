//! Requests at a fixed rate: how much time the target adds to each.

use std::time::Duration;

use anyhow::Result;

use super::{Outcome, Pace};
use crate::clock;
use crate::figure::{Figure, Quantiles};
use crate::load::{Closed, Open, Pool};
use crate::request;
use crate::script::Script;
use crate::target::{Behind, Running, Stand, Target};

const BODY_BYTES: usize = 1000;
/// A target that falls behind has this many requests in progress, and the others wait.
const MOST_CONNECTIONS: usize = 512;

/// How long requests took.
pub(super) struct Times {
    pub(super) quantiles: Quantiles,
    /// The target could not keep up with the rate.
    fell_behind: bool,
    pub(super) errors: u64,
    pub(super) trouble: Option<String>,
}

pub(super) fn measure(
    stand: &mut Stand,
    target: &Target,
    rate: u64,
    pace: Pace,
) -> Result<Outcome> {
    let running = stand.running(target, Behind::Plain)?;
    let times = at_rate(&running, &Script::PLAIN, rate, pace)?;
    Ok(Outcome {
        figures: vec![
            Figure::added("latency p50", "us", times.quantiles.micros(0.5)),
            Figure::added("latency p99", "us", times.quantiles.micros(0.99)),
        ],
        errors: times.errors,
        trouble: times.trouble,
        note: times
            .fell_behind
            .then(|| format!("it cannot keep up with {rate} requests a second")),
    })
}

/// Asks for this answer `rate` times a second.
pub(super) fn at_rate(running: &Running, script: &Script, rate: u64, pace: Pace) -> Result<Times> {
    let request = running.post(&request::body(script, BODY_BYTES));
    let mut pool = Pool::new(running.address, request, script.chunks > 0)?;
    warm(&mut pool)?;

    let interval = 1_000_000_000 / rate;
    let length = clock::nanos(pace.of(6000, 1000));
    let mut load = Open::new(&mut pool, interval, length / interval, MOST_CONNECTIONS);
    let last_due = load.last_due();
    load.finish(last_due + clock::nanos(Duration::from_secs(2)))?;

    let late = clock::now().saturating_sub(last_due);
    let times = Times {
        quantiles: Quantiles::of(std::mem::take(&mut load.latencies)),
        fell_behind: late > clock::nanos(Duration::from_millis(200)),
        errors: load.errors,
        trouble: pool.trouble.take(),
    };
    drop(pool);
    if times.fell_behind {
        // Its remaining work must not slow down the next measurement.
        running.until_calm()?;
    }
    Ok(times)
}

/// Opens the connections that are about to be needed, on both sides of the target.
fn warm(pool: &mut Pool) -> Result<()> {
    let mut load = Closed::new(pool, 8)?;
    load.run_until(clock::now() + clock::nanos(Duration::from_millis(50)))?;
    load.finish(clock::now() + clock::nanos(Duration::from_secs(10)))
}
