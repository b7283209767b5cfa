//! The cost of starting and of being idle: time, memory, and the size of the binary.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{Outcome, Pace};
use crate::clock::{self, Nanos};
use crate::figure::{Figure, median};
use crate::load::{Closed, Pool};
use crate::request;
use crate::script::Script;
use crate::target::{Behind, Kind, Stand, Target};
use crate::usage::Tree;

const STARTS: usize = 5;
const CONNECTIONS: usize = 32;
const BODY_BYTES: usize = 200_000;

/// Ours only: nginx has nothing like a first read of the list.
pub(super) fn measure(stand: &mut Stand, target: &Target, pace: Pace) -> Result<Option<Outcome>> {
    let Kind::Ours(binary) = &target.kind else {
        return Ok(None);
    };
    let mut times = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..STARTS {
        let start = clock::now();
        let (child, address) = stand.start_unwatched(binary)?;
        until_healthy(address)?;
        times.push((clock::now() - start) as f64 / 1e6);
        memory.push(Tree::under(child.id())?.memory().now as f64 / 1e6);
    }
    let running = stand.start(target, Behind::Plain)?;
    let tree = running.tree()?.context("it has no process")?;
    std::thread::sleep(pace.of(2000, 500));
    let idle = tree.memory().now as f64 / 1e6;

    let request = running.post(&request::body(&Script::PLAIN, BODY_BYTES));
    let mut pool = Pool::new(running.address, request, false)?;
    let mut load = Closed::new(&mut pool, CONNECTIONS)?;
    load.run_until(clock::now() + clock::nanos(pace.of(2000, 500)))?;
    load.finish(clock::now() + LIMIT)?;
    let errors = load.errors;
    let (peak, after) = (
        tree.memory().peak as f64 / 1e6,
        tree.memory().now as f64 / 1e6,
    );

    let start = "start to the first 200 of /health";
    Ok(Some(Outcome {
        figures: vec![
            Figure::ratio(start, "ms", median(&times).unwrap_or_default()),
            Figure::ratio("memory then", "MB", median(&memory).unwrap_or_default()),
            Figure::ratio("memory when idle", "MB", idle),
            Figure::ratio("peak under 32 requests of 200 KB at once", "MB", peak),
            Figure::ratio("memory behind them", "MB", after),
            Figure::ratio(
                "binary, stripped",
                "MB",
                stripped(binary, stand.work())? as f64 / 1e6,
            ),
        ],
        errors,
        trouble: pool.trouble,
        note: None,
    }))
}

const LIMIT: Nanos = 10_000_000_000;

fn until_healthy(address: SocketAddr) -> Result<()> {
    use std::io::{Read as _, Write as _};
    let limit = clock::now() + LIMIT;
    let mut socket = loop {
        match std::net::TcpStream::connect(address) {
            Ok(socket) => break socket,
            Err(_) if clock::now() < limit => std::thread::sleep(Duration::from_micros(50)),
            Err(error) => return Err(error).context("nobody listens"),
        }
    };
    socket.set_nodelay(true)?;
    write!(socket, "GET /health HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut head = [0; "HTTP/1.1 200".len()];
    socket.read_exact(&mut head)?;
    if head != *b"HTTP/1.1 200" {
        bail!("/health answers {}", String::from_utf8_lossy(&head));
    }
    Ok(())
}

/// The size of the binary without its symbols.
fn stripped(binary: &Path, work: &Path) -> Result<u64> {
    let copy = work.join("stripped");
    let done = Command::new("strip")
        .arg("-o")
        .arg(&copy)
        .arg(binary)
        .status();
    // Without binutils, or if it is a script: as it is.
    let measured = if done.is_ok_and(|status| status.success()) {
        &copy
    } else {
        binary
    };
    Ok(fs::metadata(measured).context("the binary is gone")?.len())
}
