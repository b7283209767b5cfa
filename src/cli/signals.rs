//! What signals do to a running proxy (spec §8): some stop it, the others are ignored.

use std::sync::Arc;

use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::Exit;
use crate::config::LogLevel;
use crate::telemetry::Log;

/// These would end the process at once, and mean nothing here: a write beyond a limit on the size of files fails,
/// as on a full disk. Linux, macOS and the BSDs have the same numbers for `SIGXFSZ`, `SIGVTALRM` and `SIGPROF`.
fn meaningless() -> [SignalKind; 8] {
    [
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
        SignalKind::alarm(),
        SignalKind::pipe(),
        SignalKind::io(),
        SignalKind::from_raw(25),
        SignalKind::from_raw(26),
        SignalKind::from_raw(27),
    ]
}

/// Reports the first SIGTERM, SIGINT or SIGHUP; a second one ends the process at once. Without a controlling terminal,
/// SIGHUP notifies `reload` instead, if there is anybody to notify (spec §12.2).
pub(super) fn stop(
    log: Log,
    reload: Option<Arc<Notify>>,
    tasks: &mut JoinSet<()>,
) -> std::io::Result<watch::Receiver<bool>> {
    for kind in meaningless() {
        // Once it has been listened for, it does nothing for as long as the process lives.
        drop(signal(kind)?);
    }
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = hangup()?;
    if let (Some(reload), false) = (reload, has_terminal()) {
        let mut asked = hangup.take();
        tasks.spawn(async move {
            loop {
                came(&mut asked).await;
                reload.notify_one();
            }
        });
    }
    let (tell, stop) = watch::channel(false);
    tasks.spawn(async move {
        for second in [false, true] {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
                // A closing terminal sends it, and the shell in it may send it again.
                () = came(&mut hangup), if !second => {}
            }
            if second {
                std::process::exit(i32::from(Exit::Fault.code()));
            }
            log.emit(LogLevel::Info, "stopping", &json!({}));
            tell.send_replace(true);
        }
    });
    Ok(stop)
}

/// Whether the process has a controlling terminal, which sends SIGHUP when it closes.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// A program started with `nohup` is meant to outlive the terminal.
fn hangup() -> std::io::Result<Option<Signal>> {
    let kind = SignalKind::hangup();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if is_ignored(&status, kind.as_raw_value()) {
        return Ok(None);
    }
    signal(kind).map(Some)
}

/// Reads Linux's status of a process; elsewhere there is none, and nothing counts as ignored.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

async fn came(signal: &mut Option<Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_linux_reports_which_signals_are_ignored() {
        #[rustfmt::skip]
        let rows = [
            ("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0\n", 1,  true),
            ("SigIgn:\t0000000000001001\n",                                                  13, true),
            ("SigIgn:\t0000000000001000\n",                                                  1,  false),
            ("SigIgn:\tzz\n",                                                                1,  false),
            ("",                                                                              1,  false),
        ];
        for (status, signal, expected) in rows {
            assert_eq!(is_ignored(status, signal), expected, "{status:?} {signal}");
        }
    }
}
