//! `launch`: runs an agent on the proxy, without writing anything to disk.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;

use super::{Exit, door, say};
use crate::agents::merge::said;
use crate::agents::{About, Agent, OfProject, elsewhere};
use crate::config::{Door, Sources, foreign_variable, text_in_folder};

/// What to launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The agent.
    pub agent: Agent,
    /// Where the proxy is, if not where the settings say.
    pub url: Option<String>,
    /// The agent's own arguments.
    pub arguments: Vec<OsString>,
}

/// Becomes the agent. Returns only if that fails.
#[must_use]
pub fn run(sources: &Sources, launch: &Launch) -> Exit {
    let door = match sources.door(launch.url.as_deref()) {
        Ok(door) => door,
        Err(error) => {
            say::problem(door::unknown(&error));
            return Exit::Settings;
        }
    };
    // An agent that clears the screen would wipe a warning away.
    if !door::may_be_behind_a_web_proxy(&door) && !door::is_open(&door) {
        let what_to_do = match launch.url {
            Some(_) => "is that the address, and does the proxy run?",
            None => "start `free-llm-proxy serve` first, or say with --url where the proxy is",
        };
        say::problem(format_args!(
            "nothing listens at {}: {what_to_do}",
            door.base
        ));
        return Exit::Fault;
    }
    let about = launch.agent.about();
    if let Some(problem) = about.of_project.as_ref().and_then(led_away) {
        say::problem(format_args!("{}: {problem}", about.title));
        return Exit::Fault;
    }
    let door = door::with_window(door);
    let direct = door::direct(&door);
    let command = command(about, &door, direct.as_deref(), &launch.arguments);
    replace_by(about, command)
}

/// Why a file in the working directory would redirect the run; in the home directory it is the
/// user's own.
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
            "{path} of this folder {why}, so it is unclear where it would send the proxy's key"
        )),
    }
}

/// The proxy's own keys: no agent needs them.
const OURS: [&str; 2] = ["OPENROUTER_API_KEY", "PROXY_API_KEY"];

fn command(about: &About, door: &Door, direct: Option<&str>, arguments: &[OsString]) -> Command {
    let run = (about.launch)(door, direct);
    let mut command = Command::new(about.program);
    for name in run.without.iter().chain(about.elsewhere).chain(&OURS) {
        command.env_remove(name);
    }
    command
        .args(run.arguments)
        .args(arguments)
        .envs(run.variables);
    for name in elsewhere::NO_PROXY {
        command.envs(direct.map(|hosts| (name, hosts)));
    }
    command
}

/// The agent replaces this process, so that signals, the terminal and the exit status are its own.
#[cfg(unix)]
fn replace_by(about: &About, mut command: Command) -> Exit {
    failed(
        about,
        &std::os::unix::process::CommandExt::exec(&mut command),
    )
}

#[cfg(not(unix))]
fn replace_by(about: &About, mut command: Command) -> Exit {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => failed(about, &error),
    }
}

fn failed(about: &About, error: &io::Error) -> Exit {
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
    Exit::Fault
}
