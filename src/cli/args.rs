//! Commands and flags. The flags are made from the table of settings.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{EnumValueParser, PossibleValuesParser, TypedValueParser as _};
use clap::{Arg, ArgAction, ArgMatches};
use clap_complete::Shell;

use super::launch::Launch;
use super::setup::{Mode, Setup};
use super::status::Show;
use crate::agents::Agent;
use crate::config::{Group, Preset, SETTINGS, Setting};

const NAME: &str = "free-llm-proxy";

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the proxy. What is done when nothing is said.
    Serve,
    /// Run it on top of a simulated list and upstream.
    Demo,
    /// Ask the ranking and the upstream whether all is well.
    Check,
    /// Ask the running proxy whether it lives.
    Health,
    /// Show what the running proxy tells of itself.
    Status(Show),
    /// Ask the running proxy what would become of a request.
    Explain {
        /// Where the request's body is; stdin if nowhere.
        file: Option<PathBuf>,
        /// In the proxy's own words.
        json: bool,
    },
    /// Write a `.env`.
    Init,
    /// Write an agent's settings.
    Setup(Setup),
    /// Run an agent without writing any.
    Launch(Launch),
    /// Print a completion script.
    Completions(Shell),
}

/// A command line that made sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What to do.
    pub command: Command,
    /// The settings that were given as flags, by the names of their variables, for
    /// [`crate::config::Sources::gather`].
    pub flags: Vec<(&'static str, String)>,
}

/// Reads a command line, the program's own name first.
///
/// # Errors
///
/// clap's own message: of what is wrong (its `exit` ends with 2), or the text that `--help` or
/// `--version` asked for (0).
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, clap::Error> {
    let matches = app().try_get_matches_from(args)?;
    let command = match matches.subcommand() {
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
        Some(("init", _)) => Command::Init,
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
    })
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
    let command = |name: &'static str, about: &'static str| clap::Command::new(name).about(about);
    let shell = Arg::new("shell")
        .required(true)
        .value_parser(EnumValueParser::<Shell>::new());
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .help(help)
            .action(ArgAction::SetTrue)
    };
    let json = || switch("json", "Print what the proxy answers, as JSON");
    let watch =
        switch("watch", "Draw it again at each event, and each second").conflicts_with("json");
    let file = Arg::new("file")
        .short('f')
        .long("file")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("Where the request's body is [default: stdin]");
    clap::Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .after_help(after_help())
        .disable_help_subcommand(true)
        .args(SETTINGS.iter().filter_map(arg))
        .subcommands([
            command("serve", "Run the proxy (the default)"),
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
                "Ask the running proxy whether it lives, for container probes",
            ),
            command(
                "status",
                "Show who answers, who rests and how the last requests went",
            )
            .args([watch, json()]),
            command(
                "explain",
                "Ask the running proxy what would become of a chat request, and why",
            )
            .args([file, json()]),
            command("init", "Write the proxy's own .env, with a fresh proxy key"),
            command(
                "setup",
                "Write an agent's settings, so that it finds the proxy",
            )
            .args([
                agent(),
                url(),
                Arg::new("dry-run")
                    .long("dry-run")
                    .action(ArgAction::SetTrue)
                    .conflicts_with("write")
                    .help(
                        "Only show what would be written; so it is too where nobody can be asked",
                    ),
                Arg::new("write")
                    .long("write")
                    .visible_alias("yes")
                    .action(ArgAction::SetTrue)
                    .help("Write without asking"),
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
                    .help("What the agent itself gets"),
            ]),
            command("completions", "Print a completion script for a shell").arg(shell),
        ])
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
        .help("Where the proxy is found, if not where HOST and PORT say")
}

fn arg(setting: &Setting) -> Option<Arg> {
    let default = match setting.preset {
        Preset::Text(text) => format!(" [default: {text}]"),
        Preset::Same(other) => format!(" [default: {other}]"),
        Preset::Required(_) | Preset::None => String::new(),
    };
    let unit = setting
        .name
        .rsplit('_')
        .next()
        .filter(|unit| ["SEC", "BYTES", "URL"].contains(unit));
    Some(
        Arg::new(setting.name)
            .long(setting.flag()?)
            .value_name(unit.unwrap_or("VALUE"))
            .help(format!("{}{default}", setting.meaning))
            .help_heading(setting.group.title())
            .global(true),
    )
}

fn after_help() -> String {
    let variables = [Group::Keys, Group::Outbound]
        .into_iter()
        .flat_map(Group::settings);
    let list: String = variables
        .map(|s| format!("  {:<19} {}\n", s.name, s.meaning))
        .collect();
    format!(
        "Environment only:\n{list}\n\
         Every flag is also an environment variable (--models-refresh-sec is MODELS_REFRESH_SEC).\n\
         Flags win over the environment, and that over .env in the working directory.\n\
         Exit codes: 0 fine, 1 something does not work, 2 wrong settings or flags."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    type Flags = &'static [(&'static str, &'static str)];

    #[test]
    fn s6_flags_stand_before_or_behind_the_command() {
        #[rustfmt::skip]
        let rows: &[(&str, Command, Flags)] = &[
            ("",                                    Command::Serve,  &[]),
            ("serve",                               Command::Serve,  &[]),
            ("--port 1",                            Command::Serve,  &[("PORT", "1")]),
            ("--port=1 check",                      Command::Check,  &[("PORT", "1")]),
            ("demo --port 1",                       Command::Demo,   &[("PORT", "1")]),
            ("--log-level debug health --port 1",   Command::Health, &[("PORT", "1"), ("LOG_LEVEL", "debug")]),
            ("status",                              Command::Status(Show::Once),  &[]),
            ("status --watch --port 1",             Command::Status(Show::Watch), &[("PORT", "1")]),
            ("status --json",                       Command::Status(Show::Json),  &[]),
            ("explain",                             Command::Explain { file: None, json: false }, &[]),
            ("explain -f a.json --json",            Command::Explain { file: Some("a.json".into()), json: true }, &[]),
            ("init",                                Command::Init,   &[]),
            ("--models-refresh-sec 60",             Command::Serve,  &[("MODELS_REFRESH_SEC", "60")]),
            ("completions zsh",                     Command::Completions(Shell::Zsh), &[]),
            ("setup qwen --port 1",                 setup(Agent::Qwen, None, Mode::Ask),                &[("PORT", "1")]),
            ("setup codex --dry-run",               setup(Agent::Codex, None, Mode::Show),              &[]),
            ("setup --url http://h aider --write",  setup(Agent::Aider, Some("http://h"), Mode::Write), &[]),
            ("setup aider --yes",                   setup(Agent::Aider, None, Mode::Write),             &[]),
            ("launch claude",                       launch(Agent::Claude, None, &[]),                   &[]),
            ("launch --port 1 claude -- --port 2",  launch(Agent::Claude, None, &["--port", "2"]),      &[("PORT", "1")]),
            ("launch opencode --url http://h -- a", launch(Agent::Opencode, Some("http://h"), &["a"]),  &[]),
        ];
        for (line, command, flags) in rows {
            let parsed = words(line).unwrap();
            assert_eq!(parsed.command, *command, "{line}");
            let got: Vec<_> = parsed.flags.iter().map(|(k, v)| (*k, v.as_str())).collect();
            assert_eq!(got, *flags, "{line}");
        }
    }

    #[test]
    fn s6_every_setting_but_keys_and_proxies_has_a_flag() {
        for setting in SETTINGS {
            let flag = setting.name.to_lowercase().replace('_', "-");
            let parsed = words(&format!("--{flag} x"));
            let in_environment_only = matches!(setting.group, Group::Keys | Group::Outbound);
            assert_eq!(parsed.is_err(), in_environment_only, "{flag}");
        }
    }

    #[test]
    fn s6_a_bad_flag_ends_with_2_and_help_with_0() {
        #[rustfmt::skip]
        let rows = [
            ("--nonsense",                  2),
            ("nonsense",                    2),
            ("--port",                      2),
            ("--openrouter-api-key=hush",   2),
            ("--proxy-api-key hush",        2),
            ("completions",                 2),
            ("completions tcsh",            2),
            ("setup",                       2),
            ("setup nonsense",              2),
            ("setup qwen --write --dry-run", 2),
            ("launch nonsense",             2),
            ("launch qwen -p",              2),
            ("setup --help",                0),
            ("status --watch --json",       2),
            ("explain a.json",              2),
            ("--help",                      0),
            ("check --help",                0),
            ("--version",                   0),
        ];
        for (line, code) in rows {
            let error = words(line).unwrap_err();
            assert_eq!(error.exit_code(), code, "{line}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn s6_help_names_every_setting_its_default_and_no_value() {
        let help = words("--help").unwrap_err().to_string();
        for setting in SETTINGS {
            let name = setting
                .flag()
                .map_or(setting.name.to_owned(), |flag| format!("--{flag} "));
            assert!(help.contains(&name), "{name} in\n{help}");
            assert!(help.contains(setting.meaning), "{name} in\n{help}");
        }
        assert!(
            help.contains("[default: 8080]") && help.contains("[default: UPSTREAM_TIMEOUT_SEC]")
        );
    }

    #[test]
    fn s8_completion_scripts_know_flags_and_commands() {
        for shell in [
            Shell::Bash,
            Shell::Zsh,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Elvish,
        ] {
            let script = String::from_utf8(completions(shell)).unwrap();
            assert!(
                script.contains("models-refresh-sec") && script.contains("demo"),
                "{shell}"
            );
        }
    }

    #[test]
    fn an_unknown_agent_is_told_the_known_ones() {
        for command in ["setup", "launch"] {
            let message = words(&format!("{command} nonsense"))
                .unwrap_err()
                .to_string();
            for agent in Agent::ALL {
                assert!(message.contains(agent.about().name), "{message}");
            }
        }
    }

    fn setup(agent: Agent, url: Option<&str>, mode: Mode) -> Command {
        let url = url.map(str::to_owned);
        Command::Setup(Setup { agent, url, mode })
    }

    fn launch(agent: Agent, url: Option<&str>, arguments: &[&str]) -> Command {
        Command::Launch(Launch {
            agent,
            url: url.map(str::to_owned),
            arguments: arguments.iter().map(OsString::from).collect(),
        })
    }

    fn words(line: &str) -> Result<Parsed, clap::Error> {
        let line = format!("{NAME} {line}");
        parse(line.split_whitespace().map(OsString::from))
    }
}
