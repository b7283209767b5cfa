//! A process started here, which ends together with us whatever happens.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

use crate::clock;
use crate::machine;

/// A process and its descendants. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    watch: Watch,
}

/// What ends a process when this one is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// The kernel, however we end: `setpriv` requests that before it becomes the program. The
    /// process has a group of its own, so that its children end with it.
    Kernel,
    /// Only the terminal, which sends Ctrl-C to both of us. No other program runs first, so the
    /// start-up time is its own.
    Terminal,
}

impl Child {
    /// Starts a program on this core; its output goes into the file.
    pub(super) fn start(
        program: &Path,
        watch: Watch,
        core: usize,
        log: &Path,
        set_up: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let mut command = match watch {
            Watch::Kernel => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "TERM"]).arg(program);
                command.process_group(0);
                command
            }
            Watch::Terminal => Command::new(program),
        };
        let out = File::create(log).with_context(|| format!("no log at {}", log.display()))?;
        let again = out.try_clone().context("the log cannot be shared")?;
        command.stdin(Stdio::null()).stdout(again).stderr(out);
        set_up(&mut command);
        let process = on_core(core, || command.spawn())
            .with_context(|| format!("{} does not start", program.display()))?;
        Ok(Self { process, watch })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has ended already. It is not reaped by this, so its number stays its own.
    pub(super) fn has_ended(&self) -> bool {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let told = self.pid().map(|pid| waitid(WaitId::Pid(pid), ended));
        !matches!(told, Some(Ok(None)))
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.id()).ok().and_then(Pid::from_raw)
    }

    fn signal(&self, signal: Signal) {
        let Some(pid) = self.pid() else { return };
        let sent = match self.watch {
            Watch::Kernel => kill_process_group(pid, signal),
            Watch::Terminal => kill_process(pid, signal),
        };
        // It may have ended on its own.
        sent.ok();
    }
}

impl Child {
    /// Asks it to end, and waits at most this long.
    pub(super) fn stop(&self, limit: Duration) {
        self.signal(Signal::TERM);
        let limit = clock::now() + clock::nanos(limit);
        while !self.has_ended() && clock::now() < limit {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(3));
        self.signal(Signal::KILL);
        self.process.wait().ok();
    }
}

/// Does something on this core, and returns to the previous ones.
fn on_core<T>(core: usize, act: impl FnOnce() -> std::io::Result<T>) -> Result<T> {
    let before = rustix::thread::sched_getaffinity(None).context("the cores cannot be told")?;
    machine::pin(core)?;
    let done = act();
    rustix::thread::sched_setaffinity(None, &before).context("the cores cannot be had back")?;
    Ok(done?)
}

/// Waits until the process listens there; returns false if it ends or takes too long.
pub(super) fn listens(child: &Child, address: SocketAddr) -> bool {
    let limit = clock::now() + clock::nanos(Duration::from_secs(5));
    while TcpStream::connect(address).is_err() {
        if child.has_ended() || clock::now() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

/// A free address on loopback.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    listener.local_addr().context("a listener has no address")
}
