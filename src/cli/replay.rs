//! `replay`: plays a trace against `rank` and `balanced`, and prints what would have come of it.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::{Exit, say};
use crate::clock::Now;
use crate::config::Sources;
use crate::replay::{Trace, report};
use crate::trace::older;

/// Reads the trace in `file`, the older files beside it first, and prints the table.
pub fn run(sources: &Sources, file: &Path) -> Exit {
    let mut trace = Trace::default();
    let older: Vec<PathBuf> = older(file).filter(|older| older.is_file()).collect();
    let files = older.iter().rev().map(PathBuf::as_path);
    for file in files.chain([file]) {
        if let Err(error) = read(file, &mut trace) {
            say::problem(format_args!("{} cannot be read: {error}", file.display()));
            return Exit::Fault;
        }
    }
    let trace = trace.ordered();
    if trace.requests() == 0 {
        say::problem(nothing(&trace, file));
        return Exit::Fault;
    }
    match sources.replaying(trace.accounts()) {
        Ok(settings) => {
            say::line(report(&trace, &settings, Now::read()));
            Exit::Fine
        }
        Err(error) => {
            say::problem(error);
            Exit::Settings
        }
    }
}

/// Why there is nothing to play.
fn nothing(trace: &Trace, file: &Path) -> String {
    let (read, file) = (trace.read(), file.display());
    match (read.lines, read.skipped) {
        (0, 0) => format!("{file} is empty: a proxy that runs with TRACE_FILE={file} fills it"),
        (0, lines) => format!(
            "{file} is not a trace: none of its {lines} lines is one that a proxy with TRACE_FILE writes"
        ),
        (_, _) => format!(
            "{file} has no request to replay: each one named its model, was refused or cancelled by its client, or is incomplete"
        ),
    }
}

/// Takes a file's lines.
fn read(file: &Path, trace: &mut Trace) -> io::Result<()> {
    let file = File::open(file)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    trace.take_all(BufReader::new(file))
}
