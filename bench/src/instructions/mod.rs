//! How many instructions the hot paths take, and a whole request through the proxy: numbers that do
//! not depend on the machine's load, so that a regression shows in a review.
//!
//! Of a hot path the one function is counted that repeats it. A proxy is measured twice, with few requests
//! and with many; the difference excludes its start.

mod callgrind;
mod ledger;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::load::{Open, Pool};
use crate::machine::{self, Cores};
use crate::request::Api;
use crate::say;
use crate::script::Script;
use crate::target::Stand;
use callgrind::Callgrind;
use ledger::{Count, Ledger};

/// The command line. `bench/instructions` fills in the paths.
#[derive(Debug, Default)]
struct Options {
    /// The program that runs the hot paths.
    paths: PathBuf,
    proxy: PathBuf,
    /// The committed counts.
    ledger: PathBuf,
    work: PathBuf,
    save: bool,
    check: bool,
    words: Vec<String>,
}

const HELP: &str = "\
bench/instructions [--check] [--save] [WORD...]

Counts instructions, of all or of those operations with one of these words in their names.

  --check   fails where an operation takes over 5 % more than committed
  --save    writes bench/instructions.txt";

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut path = || {
                arguments
                    .next()
                    .map(PathBuf::from)
                    .context("a path is missing")
            };
            match argument.as_str() {
                "--paths" => options.paths = path()?,
                "--proxy" => options.proxy = path()?,
                "--ledger" => options.ledger = path()?,
                "--work" => options.work = path()?,
                "--save" => options.save = true,
                "--check" => options.check = true,
                other if other.starts_with('-') => bail!("there is no option {other}\n\n{HELP}"),
                word => options.words.push(word.to_owned()),
            }
        }
        ensure!(
            !options.save || options.words.is_empty(),
            "--save saves all"
        );
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word))
    }
}

/// Counts and reports; returns whether all counts are within bounds.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<bool> {
    let options = Options::read(arguments)?;
    std::fs::create_dir_all(&options.work)?;
    let work = options.work.canonicalize()?;
    let callgrind = Callgrind::new(&work);
    let mut counts = paths(&callgrind, &options)?;
    counts.extend(requests(&callgrind, &options, work)?);

    let committed = Ledger::read(&options.ledger)?;
    say::line(committed.table(&counts));
    if options.save {
        std::fs::write(&options.ledger, Ledger::of(&counts).text())?;
    }
    let worse = committed.regressions(&counts);
    if options.check && !worse.is_empty() {
        bail!("over 5 % more than committed: {}", worse.join(", "));
    }
    Ok(true)
}

/// What repeats a hot path in the program that runs them, as callgrind spells it.
const REPEAT: &str = "instructions::repeat*";

/// The hot paths through the pure modules.
fn paths(callgrind: &Callgrind, options: &Options) -> Result<Vec<Count>> {
    let listed = Command::new(&options.paths).output().context("no paths")?;
    ensure!(listed.status.success(), "the paths cannot be gone");
    let listed = String::from_utf8(listed.stdout).context("the paths have no names")?;
    let mut counts = Vec::new();
    for line in listed.lines() {
        let (name, bytes) = line.split_once('\t').context("a path without its bytes")?;
        let bytes: u64 = bytes.parse().context("a path without its bytes")?;
        if !options.wants(name) {
            continue;
        }
        say::progress(name);
        let times = if bytes > 100_000 { 10 } else { 200 };
        let arguments = [name, &times.to_string()];
        let counted = callgrind.run(&options.paths, &arguments, REPEAT)?;
        counts.push(Count {
            name: name.to_owned(),
            instructions: counted / times,
            bytes,
        });
    }
    Ok(counts)
}

/// A request through the proxy.
struct Whole {
    name: &'static str,
    api: Api,
    script: Script,
    body_bytes: usize,
    /// The proxy writes a trace (`TRACE_FILE`).
    is_traced: bool,
    /// The number of repetitions: few, and many.
    times: (u64, u64),
}

/// Events arrive one by one, as from a model; or all in one write, since the number of reads for a
/// burst is a matter of chance.
fn wholes() -> [Whole; 7] {
    let together = Script::stream(20, Duration::ZERO).in_one_write();
    let whole = |name, script, body_bytes, times| Whole {
        name,
        api: Api::Chat,
        script,
        body_bytes,
        is_traced: false,
        times,
    };
    let one_by_one = Script::stream(20, Duration::from_millis(10));
    let translated = |name, api| Whole {
        api,
        ..whole(name, one_by_one, 1000, (10, 50))
    };
    [
        whole("request/plain, 1 KB", Script::PLAIN, 1000, (50, 550)),
        Whole {
            is_traced: true,
            ..whole(
                "request/plain, 1 KB, traced",
                Script::PLAIN,
                1000,
                (50, 550),
            )
        },
        whole("request/plain, 200 KB", Script::PLAIN, 200_000, (20, 120)),
        whole(
            "request/stream, 20 events in one write",
            together,
            1000,
            (50, 550),
        ),
        whole(
            "request/stream, 20 events one by one",
            one_by_one,
            1000,
            (10, 50),
        ),
        translated("request/stream, 20 events, responses", Api::Responses),
        translated("request/stream, 20 events, messages", Api::Messages),
    ]
}

fn requests(callgrind: &Callgrind, options: &Options, work: PathBuf) -> Result<Vec<Count>> {
    let cores = Cores::share()?;
    machine::pin(cores.load)?;
    let mut stand = Stand::set_up(work, cores, machine::raise_open_files())?;
    let mut counts = Vec::new();
    for whole in wholes() {
        if !options.wants(whole.name) {
            continue;
        }
        say::progress(whole.name);
        let mut count = |times| ask(&mut stand, callgrind, &options.proxy, &whole, times);
        let (few, many) = whole.times;
        counts.push(Count {
            name: whole.name.to_owned(),
            instructions: per_time((few, count(few)?), (many, count(many)?)),
            bytes: 0,
        });
    }
    Ok(counts)
}

/// Sends this many requests one after the other; returns what the proxy took from start to end.
fn ask(
    stand: &mut Stand,
    callgrind: &Callgrind,
    proxy: &Path,
    whole: &Whole,
    times: u64,
) -> Result<u64> {
    let running = stand.start_under(&callgrind.words(), proxy, whole.is_traced)?;
    let request = running.post_in(whole.api, &whole.script, whole.body_bytes);
    let mut pool = Pool::new(running.address, request, whole.script.chunks > 0)?;
    // All due at once, over one connection.
    let mut load = Open::new(&mut pool, 0, times, 1);
    load.finish(load.last_due() + 120_000_000_000)?;
    ensure!(
        load.errors == 0,
        "{} requests failed: {:?}",
        load.errors,
        pool.trouble
    );
    drop(pool);
    running.stop();
    callgrind.counted()
}

/// The cost of one request, from the counts of few and of many.
fn per_time((few, with_few): (u64, u64), (many, with_many): (u64, u64)) -> u64 {
    with_many.saturating_sub(with_few) / (many - few)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_is_counted_without_the_start() {
        assert_eq!(per_time((10, 1500), (110, 6500)), 50);
    }
}
