//! The resources used by a process and its children, from /proc.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::clock::Nanos;

/// A process and all its descendants.
#[derive(Clone, Debug)]
pub(crate) struct Tree(Vec<u32>);

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) now: u64,
    /// The most it ever was.
    pub(crate) peak: u64,
}

impl Tree {
    /// The current tree below this process.
    pub(crate) fn under(root: u32) -> Result<Self> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc").context("no /proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // A process that has ended in the meantime has no file any more.
            if let Some(parent) = parent(&Path::new("/proc").join(&name)) {
                parents.push((pid, parent));
            }
        }
        Ok(Self(descendants(root, &parents)))
    }

    /// The CPU time, user and system, of its threads.
    pub(crate) fn cpu(&self) -> Nanos {
        let tasks = self.0.iter().filter_map(|pid| {
            let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
            let times = threads.filter_map(|thread| {
                let stat = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
                stat.split(' ').next()?.parse::<Nanos>().ok()
            });
            Some(times.sum::<Nanos>())
        });
        tasks.sum()
    }

    /// The memory of its processes. Shared memory counts for each.
    pub(crate) fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for pid in &self.0 {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            memory.now += kilobytes(&status, "VmRSS:") * 1024;
            memory.peak += kilobytes(&status, "VmHWM:") * 1024;
        }
        memory
    }
}

/// The fourth field of `stat`, counted from after the name, which may contain anything.
fn parent(process: &Path) -> Option<u32> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

fn descendants(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut all = vec![root];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        let children = parents.iter().filter(|(_, of)| *of == parent);
        all.extend(children.map(|(pid, _)| *pid));
        at += 1;
    }
    all
}

fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_a_process_and_all_under_it() {
        let parents = [(2, 1), (3, 2), (4, 1), (5, 4), (6, 3)];
        assert_eq!(descendants(2, &parents), [2, 3, 6]);
        assert_eq!(descendants(9, &parents), [9]);
    }

    #[test]
    fn our_own_usage_is_reported() {
        let tree = Tree::under(std::process::id()).expect("a tree");
        let memory = tree.memory();
        assert!(memory.now > 0 && memory.peak >= memory.now);
        assert!(tree.cpu() > 0);
        assert_eq!(
            kilobytes("VmHWM:\t    5120 kB\nVmRSS: 7 kB", "VmHWM:"),
            5120
        );
    }
}
