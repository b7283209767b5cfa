//! Many slow streams open at once: the cost of holding them.

use std::time::Duration;

use anyhow::Result;

use super::streams::delays;
use super::{Outcome, Pace};
use crate::clock::{self, Nanos};
use crate::figure::Figure;
use crate::load::{Events, Open, Pool};
use crate::request;
use crate::script::Script;
use crate::target::{Behind, Stand, Target};

const SECOND: Nanos = 1_000_000_000;
const BODY_BYTES: usize = 1000;
/// Between the last request and the first look.
const SETTLE: Nanos = SECOND / 2;
/// This many streams are opened a second: slow enough to cost no target more than half a core.
const A_SECOND: u64 = 2000;
/// Each stream has an event a second.
const GAP: Duration = Duration::from_secs(1);

pub(super) fn measure(
    stand: &mut Stand,
    target: &Target,
    streams: u64,
    pace: Pace,
) -> Result<Outcome> {
    let (streams, note) = within(streams, stand.open_files, pace);
    // A fresh one, so that its peak belongs to this scenario.
    let running = stand.start(target, Behind::Plain)?;
    let hold = clock::nanos(pace.of(5000, 1000));
    let opening = streams * SECOND / A_SECOND;
    // The first stream lasts until the last one has been held long enough.
    let chunks = (opening + SETTLE + hold).div_ceil(SECOND) + 1;
    let script = Script::stream(u32::try_from(chunks)?, GAP);
    let request = running.post(&request::body(&script, BODY_BYTES));
    let tree = running.tree()?;
    let memory_before = tree.as_ref().map_or(0, |tree| tree.memory().now);
    let cpu = || tree.as_ref().map_or(0, |tree| tree.cpu());

    let mut pool = Pool::new(running.address, request, true)?;
    let most = usize::try_from(streams)?;
    let mut load = Open::new(&mut pool, SECOND / A_SECOND, streams, most);
    let all_open = load.last_due() + SETTLE;
    load.run_until(all_open)?;
    load.pool().events = Some(Events::default());
    let (before, start) = (cpu(), clock::now());
    load.run_until(all_open + hold)?;
    let (used, time) = (cpu() - before, clock::now() - start);
    let events = load.pool().events.take().unwrap_or_default();
    let held = load.pool().busy();
    load.finish(all_open + clock::nanos(GAP) * (chunks + 5))?;
    let errors = load.errors;

    let mut figures = vec![Figure::alone("streams held", "at once", held as f64)];
    if let Some(tree) = &tree {
        let (used, peak) = (used as f64, tree.memory().peak);
        let per_stream = peak.saturating_sub(memory_before) as f64 / streams as f64;
        figures.extend([
            Figure::ratio("peak memory", "MB", peak as f64 / 1e6),
            Figure::ratio("memory per stream", "KB", per_stream / 1e3),
            Figure::ratio("its core in use", "%", used / time as f64 * 100.0),
            Figure::ratio(
                "CPU per event",
                "us",
                used / 1e3 / events.delays.len() as f64,
            ),
        ]);
    }
    // The first events came before all were open.
    figures.extend(delays(events).into_iter().take(2));
    Ok(Outcome {
        figures,
        errors,
        trouble: pool.trouble,
        note,
    })
}

/// As many of these streams as possible, and why not all of them.
fn within(streams: u64, open_files: u64, pace: Pace) -> (u64, Option<String>) {
    // A proxy has a socket on both sides of each stream, plus some other files.
    let possible = open_files.saturating_sub(200) / 2;
    let quick = if pace.quick { 2000 } else { streams };
    let most = possible.min(quick).min(streams);
    let why = if possible < quick {
        format!("{most} streams: no process may have more than {open_files} files open")
    } else {
        format!("{most} streams: it is a quick run")
    };
    (most, (most < streams).then_some(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_streams_than_can_be_had() {
        #[rustfmt::skip]
        let rows = [
            // wanted, files,   quick   held   why
            (10_000,   65_536,  false,  10_000, None),
            (10_000,   20_000,  false,  9900,   Some("9900 streams: no process may have more than 20000 files open")),
            (10_000,   65_536,  true,   2000,   Some("2000 streams: it is a quick run")),
            (1000,     65_536,  true,   1000,   None),
            (1000,     1024,    true,   412,    Some("412 streams: no process may have more than 1024 files open")),
        ];
        for (wanted, files, quick, held, why) in rows {
            let (streams, note) = within(wanted, files, Pace { quick });
            assert_eq!((streams, note.as_deref()), (held, why));
        }
    }
}
