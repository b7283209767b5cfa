//! Commands and flags. The flags are made from the table of settings.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{EnumValueParser, PossibleValuesParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches};
use clap_complete::Shell;

use super::init::Place;
use super::key::Add;
use super::launch::Launch;
use super::setup::{Mode, Setup};
use super::status::Show;
use crate::agents::Agent;
use crate::config::{Group, Preset, SETTINGS, Setting};

const NAME: &str = "free-llm-proxy";

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the proxy. The default.
    Serve,
    /// Run it on top of a simulated list and upstream.
    #[cfg(feature = "demo")]
    Demo,
    /// Check that the ranking and the upstream work.
    Check,
    /// Ask the running proxy whether it is alive.
    Health,
    /// Show the state of the running proxy.
    Status(Show),
    /// Ask the running proxy what would happen to a request.
    Explain {
        /// The file with the request's body; stdin if there is none.
        file: Option<PathBuf>,
        /// As the proxy's own JSON.
        json: bool,
    },
    /// Play a trace against both orders.
    Replay(PathBuf),
    /// Write a file of settings.
    Init(Place),
    /// Ask for a provider's key, test it and save it.
    KeyAdd(Add),
    /// Print every known provider.
    Providers {
        /// As JSON, for programs.
        json: bool,
    },
    /// Write an agent's settings.
    Setup(Setup),
    /// Run an agent without writing any settings.
    Launch(Launch),
    /// Print a completion script.
    Completions(Shell),
    /// Print all settings.
    Settings,
}

/// A valid command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What to do.
    pub command: Command,
    /// The settings that were given as flags, by the names of their variables, for
    /// [`crate::config::Sources::gather`].
    pub flags: Vec<(&'static str, String)>,
    /// The file to read instead of searching for one.
    pub env_file: Option<PathBuf>,
}

/// Reads a command line, the program's own name first.
///
/// # Errors
///
/// clap's own message: what is wrong (its `exit` ends with 2), or the text that `--help` or
/// `--version` asked for (0).
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, clap::Error> {
    let matches = app().try_get_matches_from(args).map_err(explained)?;
    let command = match matches.subcommand() {
        #[cfg(feature = "demo")]
        Some(("demo", _)) => Command::Demo,
        Some(("check", _)) => Command::Check,
        Some(("health", _)) => Command::Health,
        Some(("status", its)) => Command::Status(if its.get_flag("watch") {
            Show::Watch
        } else if its.get_flag("json") {
            Show::Json
        } else {
            Show::Once
        }),
        Some(("explain", its)) => Command::Explain {
            file: its.get_one("file").cloned(),
            json: its.get_flag("json"),
        },
        Some(("replay", its)) => its
            .get_one("file")
            .cloned()
            .map_or(Command::Serve, Command::Replay),
        Some(("init", its)) => Command::Init(if its.get_flag("user") {
            Place::Home
        } else {
            Place::Here
        }),
        Some(("settings", _)) => Command::Settings,
        Some(("providers", its)) => Command::Providers {
            json: its.get_flag("json"),
        },
        Some(("key", its)) => match its.subcommand() {
            Some((_, its)) => key_add(its).map_or(Command::Serve, Command::KeyAdd),
            None => Command::Serve,
        },
        Some(("completions", its)) => its
            .get_one("shell")
            .copied()
            .map_or(Command::Serve, Command::Completions),
        Some(("setup", its)) => setup(its).map_or(Command::Serve, Command::Setup),
        Some(("launch", its)) => launch(its).map_or(Command::Serve, Command::Launch),
        Some(_) | None => Command::Serve,
    };
    Ok(Parsed {
        command,
        flags: flags(&matches),
        env_file: matches.get_one("env-file").cloned(),
    })
}

/// The answer to a flag for a key says where keys go.
fn explained(error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let name = flag.trim_start_matches('-').to_ascii_uppercase();
    let name = name.split('=').next().unwrap_or_default().replace('-', "_");
    let mut outbound = Group::Outbound.settings();
    let mut words = name.split('_');
    let told = if outbound.any(|setting| setting.name == name) {
        format!(
            "an outbound proxy has no flag, since it may hold a password and others can see flags in the \
             process list: set {name} in the environment or in .env"
        )
    } else if words.any(|word| ["KEY", "KEYS", "APIKEY", "TOKEN"].contains(&word)) {
        "keys have no flag, since others can see flags in the process list: put OPENROUTER_API_KEY \
         and PROXY_API_KEY into .env (`free-llm-proxy init` writes one, `free-llm-proxy key add` puts keys \
         into it) or into the environment"
            .to_owned()
    } else {
        return error;
    };
    clap::Error::raw(ErrorKind::UnknownArgument, told + "\n").with_cmd(&app())
}

/// The output of `settings`.
#[must_use]
pub fn settings() -> String {
    let mut app = app();
    app.build();
    let settings = app.find_subcommand_mut("settings");
    settings.map_or(String::new(), |settings| settings.render_help().to_string())
}

/// The completion script for this shell.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut app(), NAME, &mut script);
    script
}

fn setup(its: &ArgMatches) -> Option<Setup> {
    Some(Setup {
        agent: *its.get_one("agent")?,
        url: its.get_one("url").cloned(),
        mode: match (its.get_flag("dry-run"), its.get_flag("write")) {
            (true, _) => Mode::Show,
            (false, true) => Mode::Write,
            (false, false) => Mode::Ask,
        },
    })
}

fn launch(its: &ArgMatches) -> Option<Launch> {
    let arguments = its.get_many::<OsString>("arguments");
    Some(Launch {
        agent: *its.get_one("agent")?,
        url: its.get_one("url").cloned(),
        arguments: arguments.into_iter().flatten().cloned().collect(),
    })
}

fn key_add(its: &ArgMatches) -> Option<Add> {
    Some(Add {
        provider: its.get_one::<String>("provider")?.clone(),
        too_much: its.contains_id("rest"),
        env_file: its.get_one("env-file").cloned(),
    })
}

fn flags(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    let with_flag = SETTINGS.iter().filter(|setting| setting.flag().is_some());
    with_flag
        .filter_map(|setting| {
            let value = matches.get_one::<String>(setting.name)?;
            Some((setting.name, value.clone()))
        })
        .collect()
}

fn app() -> clap::Command {
    let command = |name: &'static str, about: &'static str| {
        clap::Command::new(name)
            .about(about)
            .after_help(ABOUT_SETTINGS)
    };
    let all_settings = |name, about| {
        command(name, about)
            .args(SETTINGS.iter().filter_map(arg))
            .after_help(after_settings())
    };
    let shell = Arg::new("shell")
        .required(true)
        .value_parser(EnumValueParser::<Shell>::new());
    let json = || switch("json", "Print the proxy's answer as JSON");
    let watch = switch(
        "watch",
        "Draw it again at each event, and each second; q ends it",
    );
    let file = Arg::new("file")
        .short('f')
        .long("file")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("Where the request's body is [default: stdin]");
    let env_file = Arg::new("env-file")
        .long("env-file")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .help("Read settings from this file, and from no other");
    clap::Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .after_help(format!(
            "{ABOUT_SETTINGS}\n\
             Exit codes: 0 fine, 1 something does not work, 2 wrong settings or flags."
        ))
        .arg(env_file)
        // Every command accepts them; only the two that are about them show them.
        .args(
            SETTINGS
                .iter()
                .filter_map(|setting| Some(arg(setting)?.global(true).hide(true))),
        )
        .subcommands([
            all_settings("serve", "Run the proxy (the default)"),
            #[cfg(feature = "demo")]
            command(
                "demo",
                "Run it without keys or network, on a simulated list and upstream",
            ),
            command(
                "check",
                "Ask the ranking and the upstream whether everything works",
            ),
            command(
                "health",
                "Ask the running proxy whether it is alive, for container probes",
            ),
            command(
                "status",
                "Show which models answer, which rest and how the last requests went",
            )
            .args([watch.conflicts_with("json"), json()]),
            command(
                "explain",
                "Ask the running proxy what would happen to a chat request, and why",
            )
            .args([file, json()]),
            command(
                "replay",
                "Play a trace (TRACE_FILE) against both settings of ROUTING, and print a table",
            )
            .arg(
                Arg::new("file")
                    .value_name("FILE")
                    .value_parser(clap::value_parser!(PathBuf))
                    .required(true)
                    .help("The trace; FILE.1 to FILE.3 beside it are read with it"),
            ),
            command("init", "Write the proxy's own .env, with a fresh proxy key").arg(switch(
                "user",
                "Write it into the home directory instead, for use in every folder",
            )),
            command(
                "providers",
                "List the providers: which are on, what each offers, where to get a key",
            )
            .arg(switch("json", "Print them as JSON")),
            command("key", "Add a provider's key to .env")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(
                    command(
                        "add",
                        "Ask for a key without showing it, test it, and write it into .env",
                    )
                    .args([
                        Arg::new("provider")
                            .value_name("PROVIDER")
                            .required(true)
                            .help("Whose key: `free-llm-proxy providers` lists them"),
                        // Catches stray arguments, so that an error message does not repeat them.
                        Arg::new("rest").num_args(0..).hide(true),
                    ]),
                ),
            command(
                "setup",
                "Write an agent's settings, so that it finds the proxy",
            )
            .args([
                agent(),
                url(),
                switch(
                    "dry-run",
                    "Only show what would be written (the default without a terminal)",
                )
                .conflicts_with("write"),
                switch("write", "Write without asking").visible_alias("yes"),
            ]),
            command(
                "launch",
                "Run an agent on the proxy, without writing any settings",
            )
            .args([
                agent(),
                url(),
                Arg::new("arguments")
                    .value_name("ARGS")
                    .value_parser(clap::value_parser!(OsString))
                    .num_args(0..)
                    .last(true)
                    .help("Arguments for the agent itself"),
            ]),
            all_settings("settings", "List all settings and their defaults"),
            command("completions", "Print a completion script for a shell").arg(shell),
        ])
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

fn agent() -> Arg {
    let names = Agent::ALL.map(|agent| agent.about().name);
    Arg::new("agent")
        .required(true)
        .value_parser(
            PossibleValuesParser::new(names)
                .try_map(|name| Agent::named(&name).ok_or("there is no such agent")),
        )
        .help("Which one")
}

fn url() -> Arg {
    Arg::new("url")
        .long("url")
        .value_name("URL")
        .help("Where the proxy is, if not where HOST and PORT say")
}

fn arg(setting: &Setting) -> Option<Arg> {
    let default = match setting.preset {
        Preset::Text(text) => format!(" [default: {text}]"),
        Preset::Same(other) => format!(" [default: {other}]"),
        Preset::Required(_) | Preset::None => String::new(),
    };
    Some(
        Arg::new(setting.name)
            .long(setting.flag()?)
            .value_name(setting.takes())
            .help(format!("{}{default}", setting.meaning))
            .help_heading(setting.group.title())
            .hide(!setting.group.is_shown()),
    )
}

/// The one line about settings.
const ABOUT_SETTINGS: &str =
    "Settings, as flags, variables or lines of a .env: `free-llm-proxy help settings` lists them.";

fn after_settings() -> String {
    let variables = [Group::Keys, Group::Outbound]
        .into_iter()
        .flat_map(Group::settings);
    let list: String = variables
        .map(|s| format!("  {:<19} {}\n", s.name, s.meaning))
        .collect();
    format!(
        "Without a flag, since others can see flags in the process list:\n{list}\n\
         Every flag is also an environment variable (--models-refresh-sec is MODELS_REFRESH_SEC).\n\
         Flags win over the environment, that over .env in the working directory, and that over\n\
         ~/.config/free-llm-proxy/env.\n\
         RANK_WORTH_SEC and LEARN_..., for measuring how candidates are chosen, are in docs/routing.md."
    )
}

#[cfg(test)]
mod tests;
