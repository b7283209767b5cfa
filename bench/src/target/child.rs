//! A process that was started here, and ends with us whatever happens.

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

/// A process, and what it has started. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    watch: Watch,
}

/// Who ends a process when this one is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// The kernel, however we end: `setpriv` asks for it before it becomes the program. The
    /// process has a group of its own, so that those it starts end with it.
    Kernel,
    /// Nobody but the terminal, whose Ctrl-C it gets beside us. Nothing stands before the program,
    /// so the time it takes to start is its own.
    Terminal,
}

impl Child {
    /// Starts a program on this core; what it prints goes into the file.
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

    /// Whether it has ended already. It is not reaped by that, so its number stays its own.
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
        // It may have ended by itself.
        sent.ok();
    }
}

impl Child {
    /// Asks it to end, and gives it so long.
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

/// Does something on this core, and comes back to where it was.
fn on_core<T>(core: usize, act: impl FnOnce() -> std::io::Result<T>) -> Result<T> {
    let before = rustix::thread::sched_getaffinity(None).context("the cores cannot be told")?;
    machine::pin(core)?;
    let done = act();
    rustix::thread::sched_setaffinity(None, &before).context("the cores cannot be had back")?;
    Ok(done?)
}

/// Waits until the process listens there; answers false if it ends or takes too long.
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

/// An address on loopback that nobody listens on.
pub(super) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    listener.local_addr().context("a listener has no address")
}
