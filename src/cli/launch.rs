//! `launch`: an agent runs on the proxy, with nothing written to disk.

use std::ffi::OsString;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::setup::no_door;
use super::{Ending, say, window};
use crate::agents::merge::said;
use crate::agents::{About, Agent, OfProject};
use crate::config::{Door, Sources, foreign_variable, text_in_folder};

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
    if let Some(problem) = about.of_project.as_ref().and_then(led_away) {
        say::problem(format_args!("{}: {problem}", about.title));
        return Ending::Fault;
    }
    let door = window::asked(door);
    let direct = direct(&door.base, |name| {
        foreign_variable(name).and_then(|hosts| hosts.into_string().ok())
    });
    let command = command(about, &door, direct.as_deref(), &launch.arguments);
    replace_by(about, command)
}

/// Why a file of the working directory's would take the run elsewhere; a run in the home directory
/// finds the user's own there.
fn led_away(file: &OfProject) -> Option<String> {
    let here = Path::new(file.path);
    let home = foreign_variable("HOME").map(|home| Path::new(&home).join(file.path));
    let is_own = home.and_then(|home| Some(home.canonicalize().ok()? == here.canonicalize().ok()?));
    if is_own == Some(true) {
        return None;
    }
    let path = file.path;
    let said = match text_in_folder(here)? {
        Ok(text) => said(file.format, &text).map_err(|refusal| refusal.to_string()),
        Err(why) => Err(why.to_owned()),
    };
    match said {
        Ok(said) => (file.leads_away)(&said).map(|name| {
            format!(
                "`{name}` in {path} of this folder wins over what launch says, and could take the run and \
                 the proxy's key elsewhere. Move that file away, or start somewhere else"
            )
        }),
        Err(why) => Some(format!(
            "{path} of this folder {why}, so it is not known where it would take the proxy's key"
        )),
    }
}

/// The hosts that the agent must reach without an outbound proxy: those that the environment names,
/// and ours where TLS does not guard the key on the way.
fn direct(base: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let url: http::Uri = base.parse().ok()?;
    let host = url.host().filter(|_| url.scheme_str() == Some("http"))?;
    let mut hosts = variable("NO_PROXY").or_else(|| variable("no_proxy"));
    // Readers do not agree on how an IPv6 address stands there.
    for host in [host.trim_matches(['[', ']']), host] {
        let named = |hosts: &str| {
            hosts
                .split(',')
                .map(str::trim)
                .any(|h| h == host || h == "*")
        };
        hosts = match hosts {
            Some(hosts) if named(&hosts) => Some(hosts),
            Some(hosts) => Some(format!("{hosts},{host}")),
            None => Some(host.to_owned()),
        };
    }
    hosts
}

/// Keys of the proxy's own: no agent needs them.
const OURS: [&str; 2] = ["OPENROUTER_API_KEY", "PROXY_API_KEY"];

fn command(about: &About, door: &Door, direct: Option<&str>, arguments: &[OsString]) -> Command {
    let run = (about.launch)(door, direct);
    let mut command = Command::new(about.program);
    for name in run.without.iter().chain(&OURS) {
        command.env_remove(name);
    }
    command
        .args(run.arguments)
        .args(arguments)
        .envs(run.variables);
    for name in ["NO_PROXY", "no_proxy"] {
        command.envs(direct.map(|hosts| (name, hosts)));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_b21_the_proxy_is_reached_directly() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<&str>, Option<&str>)] = &[
            ("http://127.0.0.1:8080",   None,                    Some("127.0.0.1")),
            ("http://127.0.0.1:8080",   Some("a.test"),          Some("a.test,127.0.0.1")),
            ("http://127.0.0.1:8080",   Some("a, 127.0.0.1"),    Some("a, 127.0.0.1")),
            ("http://127.0.0.1:8080",   Some("*"),               Some("*")),
            ("http://[::1]:8080",       None,                    Some("::1,[::1]")),
            ("http://proxy.test/free",  None,                    Some("proxy.test")),
            ("https://proxy.test",      Some("a.test"),          None),
        ];
        for (base, set, expected) in rows {
            for name in ["NO_PROXY", "no_proxy"] {
                let variable = |asked: &str| set.filter(|_| asked == name).map(str::to_owned);
                assert_eq!(
                    direct(base, variable).as_deref(),
                    *expected,
                    "{base} {set:?}"
                );
            }
        }
    }
}
