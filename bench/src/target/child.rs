//! A process that was started here, and ends with us whatever happens.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock;
use crate::machine;

/// A process in a group of its own. Dropping it ends the group.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
}

impl Child {
    /// Starts a program on this core; what it prints goes into the file.
    ///
    /// `setpriv` has the kernel end it when we end, were it by SIGKILL.
    pub(crate) fn start(
        program: &Path,
        core: usize,
        log: &Path,
        set_up: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]).arg(program);
        let out = File::create(log).with_context(|| format!("no log at {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0);
        set_up(&mut command);
        let process = on_core(core, || command.spawn())
            .with_context(|| format!("{} does not start", program.display()))?;
        Ok(Self { process })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has ended already.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        if let Some(group) = group {
            // It may have ended by itself.
            kill_process_group(group, signal).ok();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let limit = clock::now() + clock::nanos(Duration::from_secs(3));
        while !self.has_ended() && clock::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.signal(Signal::KILL);
        self.process.wait().ok();
    }
}

/// Does something on this core, and comes back to where it was.
fn on_core<T>(core: usize, act: impl FnOnce() -> std::io::Result<T>) -> Result<T> {
    let before = rustix::thread::sched_getaffinity(None).context("the cores cannot be told")?;
    machine::pin(core)?;
    let done = act();
    rustix::thread::sched_setaffinity(None, &before).context("the cores cannot be had back")?;
    Ok(done?)
}

/// An address on loopback that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    listener.local_addr().context("a listener has no address")
}
