//! Counts instructions: the same work always takes the same number, whatever else the machine is
//! doing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Counts a program's instructions, into this file.
pub(super) struct Callgrind {
    counts: PathBuf,
}

impl Callgrind {
    pub(super) fn new(work: &Path) -> Self {
        Self {
            counts: work.join("callgrind.out"),
        }
    }

    /// The arguments to put before a program.
    pub(super) fn words(&self) -> Vec<String> {
        let out = format!("--callgrind-out-file={}", self.counts.display());
        vec!["valgrind".into(), "--tool=callgrind".into(), out]
    }

    /// How many instructions the program that has just ended took.
    pub(super) fn counted(&self) -> Result<u64> {
        let text = fs::read_to_string(&self.counts).context("callgrind has counted nothing")?;
        fs::remove_file(&self.counts).context("the counts stay")?;
        total(&text).context("callgrind's counts have no total")
    }

    /// Runs a program to its end; returns how many instructions this function of it took, with all that
    /// it calls.
    pub(super) fn run(&self, program: &Path, arguments: &[&str], function: &str) -> Result<u64> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).args(self.words());
        command.arg(format!("--toggle-collect={function}"));
        command.arg(program).args(arguments);
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        let status = quiet.status().context("valgrind does not start")?;
        ensure!(
            status.success(),
            "{} fails under valgrind",
            program.display()
        );
        let counted = self.counted()?;
        ensure!(counted > 0, "{function} is not found, or does nothing");
        Ok(counted)
    }
}

fn total(text: &str) -> Option<u64> {
    let total = text.lines().find_map(|line| line.strip_prefix("totals:"))?;
    total.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found() {
        let text = "events: Ir\nsummary: 12\n\nfn=(1)\n1 12\n\ntotals: 1234\n";
        assert_eq!(total(text), Some(1234));
        assert_eq!(total("summary: 12"), None);
    }
}
