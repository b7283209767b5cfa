//! The machine: its cores, which process runs on which, and its name.

use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Which process runs on which core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// The proxy under test, alone if there are two.
    pub(crate) target: usize,
    pub(crate) upstream: usize,
    pub(crate) load: usize,
    /// How many this process may use.
    pub(crate) count: usize,
}

impl Cores {
    /// Assigns the cores that this process may use.
    pub(crate) fn share() -> Result<Self> {
        let set = sched_getaffinity(None).context("the cores cannot be told")?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|at| set.is_set(*at)).collect();
        Ok(shared(&cores))
    }

    /// What a reader must know about it.
    pub(crate) fn caveat(self) -> Option<&'static str> {
        match self.count {
            0 | 1 => Some("one core: proxy, upstream and load share it, so times are worth little"),
            2 => Some(
                "two cores: upstream and load share one, so requests/s may be their limit: \
                 see the share of its core that a proxy used",
            ),
            _ => None,
        }
    }
}

fn shared(cores: &[usize]) -> Cores {
    let at = |place: usize| cores.get(place.min(cores.len().saturating_sub(1)));
    Cores {
        load: at(0).copied().unwrap_or_default(),
        target: at(1).copied().unwrap_or_default(),
        upstream: at(if cores.len() > 2 { 2 } else { 0 })
            .copied()
            .unwrap_or_default(),
        count: cores.len(),
    }
}

/// Runs on this core from now on, as does what is started from here.
pub(crate) fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("core {core} cannot be had"))
}

/// How many files this process and its children may have open, after raising the limit as far as
/// possible.
pub(crate) fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => most,
        Err(_) => limit.current.unwrap_or(most),
    }
}

/// A program's output, on one line; `None` if it fails.
pub(crate) fn told(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    // nginx prints its version on stderr.
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let line = line.to_owned();
    output.status.success().then_some(line)
}

/// The name of the processor.
pub(crate) fn processor() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == "model name").then(|| value.trim().to_owned())
    });
    name.unwrap_or_else(|| "unknown".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_has_its_own_core_if_there_are_two() {
        #[rustfmt::skip]
        let rows: [(&[usize], [usize; 3]); 4] = [
            // cores          load, target, upstream
            (&[3],            [3, 3, 3]),
            (&[0, 1],         [0, 1, 0]),
            (&[2, 4, 6],      [2, 4, 6]),
            (&[0, 1, 2, 3],   [0, 1, 2]),
        ];
        for (cores, expected) in rows {
            let shared = shared(cores);
            assert_eq!([shared.load, shared.target, shared.upstream], expected);
        }
    }
}
