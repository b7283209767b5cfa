//! Reads keys as they are pressed while something is drawn: without Enter, and without showing
//! them.
//!
//! However that ends, by a key, an error, a panic or a signal, the terminal is restored; the same
//! goes for when the program is stopped (Ctrl-Z).

use std::io::{self, stdin};
use std::time::Duration;

use rustix::io::{Errno, ioctl_fionread};
use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};

/// A terminal in raw mode until this is dropped.
#[derive(Debug)]
pub(super) struct Keys {
    found: Termios,
    signals: Signals,
}

#[derive(Debug)]
struct Signals {
    interrupt: Listener,
    quit: Listener,
    terminate: Listener,
    hangup: Listener,
    stop: Listener,
    go_on: Listener,
}

/// Why reading keys ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By `q`, or because the terminal is gone.
    AsWished,
    /// By this signal.
    Signalled(i32),
}

impl Keys {
    /// Takes over the keys of stdin; `None` if it is not a terminal.
    pub(super) fn take() -> Option<Self> {
        if !isatty(stdin()) {
            return None;
        }
        let keys = Self {
            found: tcgetattr(stdin()).ok()?,
            // Listened for before the terminal is changed.
            signals: Signals::listen().ok()?,
        };
        keys.grab();
        Some(keys)
    }

    /// Waits for `q`, or for a signal that ends the program.
    pub(super) async fn ended(&mut self) -> Ended {
        let by = |signal: Signal| Ended::Signalled(signal.as_raw());
        loop {
            tokio::select! {
                pressed = pressed() => match pressed {
                    Ok(keys) if !keys.contains(&b'q') => {}
                    Ok(_) | Err(_) => return Ended::AsWished,
                },
                _ = self.signals.interrupt.recv() => return by(Signal::INT),
                _ = self.signals.quit.recv() => return by(Signal::QUIT),
                _ = self.signals.terminate.recv() => return by(Signal::TERM),
                _ = self.signals.hangup.recv() => return by(Signal::HUP),
                _ = self.signals.stop.recv() => {
                    self.give_back();
                    kill_process(getpid(), Signal::STOP).ok();
                    self.grab();
                }
                _ = self.signals.go_on.recv() => self.grab(),
            }
        }
    }

    fn grab(&self) {
        let mut wanted = self.found.clone();
        wanted
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        wanted.special_codes[SpecialCodeIndex::VMIN] = 1;
        wanted.special_codes[SpecialCodeIndex::VTIME] = 0;
        set(OptionalActions::Now, &wanted);
    }

    /// What was typed and not read must not become a command for the shell.
    fn give_back(&self) {
        set(OptionalActions::Flush, &self.found);
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let listen = |kind: Signal| signal(SignalKind::from_raw(kind.as_raw()));
        Ok(Self {
            interrupt: listen(Signal::INT)?,
            quit: listen(Signal::QUIT)?,
            terminate: listen(Signal::TERM)?,
            hangup: listen(Signal::HUP)?,
            stop: listen(Signal::TSTP)?,
            go_on: listen(Signal::CONT)?,
        })
    }
}

/// A process that changes or reads its terminal from the background is stopped.
fn is_in_front() -> bool {
    // A terminal that is not the controlling one has no foreground.
    tcgetpgrp(stdin()).map_or(true, |front| front == getpgrp())
}

fn set(when: OptionalActions, modes: &Termios) {
    if is_in_front() {
        // A terminal that is gone needs nothing.
        tcsetattr(stdin(), when, modes).ok();
    }
}

/// The keys that were pressed. They are polled: a blocking read could not be abandoned.
async fn pressed() -> Result<Vec<u8>, Errno> {
    const MOMENT: Duration = Duration::from_millis(50);
    loop {
        tokio::time::sleep(MOMENT).await;
        if is_in_front() && ioctl_fionread(stdin())? > 0 {
            let mut keys = vec![0; 64];
            let count = rustix::io::read(stdin(), &mut keys)?;
            keys.truncate(count);
            return Ok(keys);
        }
    }
}
