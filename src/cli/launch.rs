//! `launch`: an agent runs on the proxy, with nothing written to disk.

use std::ffi::OsString;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::process::Command;
use std::time::Duration;

use super::setup::no_door;
use super::{Ending, say, window};
use crate::agents::{About, Agent};
use crate::config::{Door, Sources};

/// What to launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The agent.
    pub agent: Agent,
    /// Where the proxy is found, if not where the settings say.
    pub url: Option<String>,
    /// What the agent itself gets.
    pub arguments: Vec<OsString>,
}

/// Becomes the agent. It comes back only where that fails.
#[must_use]
pub fn run(sources: &Sources, launch: &Launch) -> Ending {
    let door = match sources.door(launch.url.as_deref()) {
        Ok(door) => door,
        Err(error) => {
            say::problem(no_door(&error));
            return Ending::Settings;
        }
    };
    // An agent with a screen of its own would wipe a warning away.
    if launch.url.is_none() && !is_open(&door) {
        say::problem(format_args!(
            "nothing listens at {}: start `free-llm-proxy serve` first, or say with --url where \
             the proxy is",
            door.base
        ));
        return Ending::Fault;
    }
    let about = launch.agent.about();
    let door = window::asked(door);
    replace_by(about, command(about, &door, &launch.arguments))
}

/// Keys of the proxy's own: no agent needs them.
const OURS: [&str; 2] = ["OPENROUTER_API_KEY", "PROXY_API_KEY"];

fn command(about: &About, door: &Door, arguments: &[OsString]) -> Command {
    let run = (about.launch)(door);
    let mut command = Command::new(about.program);
    for name in run.without.iter().chain(&OURS) {
        command.env_remove(name);
    }
    command
        .args(run.arguments)
        .args(arguments)
        .envs(run.variables);
    command
}

/// The agent takes this process over, so that its signals, its terminal and its ending are its own.
#[cfg(unix)]
fn replace_by(about: &About, mut command: Command) -> Ending {
    failed(
        about,
        &std::os::unix::process::CommandExt::exec(&mut command),
    )
}

#[cfg(not(unix))]
fn replace_by(about: &About, mut command: Command) -> Ending {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => failed(about, &error),
    }
}

fn failed(about: &About, error: &io::Error) -> Ending {
    let (title, program) = (about.title, about.program);
    if error.kind() == io::ErrorKind::NotFound {
        say::problem(format_args!(
            "{title} is not installed: there is no `{program}` in PATH, or what it runs on is \
             missing\n  {}",
            about.install
        ));
    } else {
        say::problem(format_args!("`{program}` cannot be run: {error}"));
    }
    Ending::Fault
}

/// Whether somebody listens there.
pub(super) fn is_open(door: &Door) -> bool {
    const LIMIT: Duration = Duration::from_secs(1);
    let Ok(url) = door.base.parse::<http::Uri>() else {
        return false;
    };
    let port = url.port_u16().unwrap_or(match url.scheme_str() {
        Some("https") => 443,
        _ => 80,
    });
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let addresses = (host, port).to_socket_addrs().into_iter().flatten();
    addresses
        .into_iter()
        .any(|address| TcpStream::connect_timeout(&address, LIMIT).is_ok())
}
