use super::*;

type Flags = &'static [(&'static str, &'static str)];

#[test]
fn s6_flags_may_come_before_or_after_the_command() {
    #[rustfmt::skip]
    let rows: &[(&str, Command, Flags)] = &[
        ("",                                    Command::Serve,  &[]),
        ("serve",                               Command::Serve,  &[]),
        ("--port 1",                            Command::Serve,  &[("PORT", "1")]),
        ("--port=1 check",                      Command::Check,  &[("PORT", "1")]),
        #[cfg(feature = "demo")]
        ("demo --port 1",                       Command::Demo,   &[("PORT", "1")]),
        ("--log-level debug health --port 1",   Command::Health, &[("PORT", "1"), ("LOG_LEVEL", "debug")]),
        ("status",                              Command::Status(Show::Once),  &[]),
        ("status --watch --port 1",             Command::Status(Show::Watch), &[("PORT", "1")]),
        ("status --json",                       Command::Status(Show::Json),  &[]),
        ("explain",                             Command::Explain { file: None, json: false }, &[]),
        ("explain -f a.json --json",            Command::Explain { file: Some("a.json".into()), json: true }, &[]),
        ("replay a.jsonl --rank-worth-sec 4",   Command::Replay("a.jsonl".into()), &[("RANK_WORTH_SEC", "4")]),
        ("init",                                Command::Init(Place::Here), &[]),
        ("init --user",                         Command::Init(Place::Home), &[]),
        ("settings",                            Command::Settings, &[]),
        ("serve --port 1",                      Command::Serve,  &[("PORT", "1")]),
        ("--port 1 serve --log-level debug",    Command::Serve,  &[("PORT", "1"), ("LOG_LEVEL", "debug")]),
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
fn s6_every_setting_except_keys_and_proxies_has_a_flag() {
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
        ("replay",                      2),
        ("replay a b",                  2),
        ("--help",                      0),
        ("check --help",                0),
        ("help",                        0),
        ("help status",                 0),
        ("help nonsense",               2),
        ("--version",                   0),
    ];
    for (line, code) in rows {
        let error = words(line).unwrap_err();
        assert_eq!(error.exit_code(), code, "{line}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}

#[test]
fn s8_the_list_of_settings_shows_defaults_and_no_values() {
    let helps = [
        words("serve --help").unwrap_err().to_string(),
        words("help serve").unwrap_err().to_string(),
        words("help settings").unwrap_err().to_string(),
        words("settings --help").unwrap_err().to_string(),
        super::settings(),
    ];
    for help in helps {
        for setting in SETTINGS {
            let name = setting
                .flag()
                .map_or(setting.name.to_owned(), |flag| format!("--{flag} "));
            let is_shown = setting.group.is_shown();
            assert_eq!(help.contains(&name), is_shown, "{name} in\n{help}");
            assert_eq!(
                help.contains(setting.meaning),
                is_shown,
                "{name} in\n{help}"
            );
        }
        assert!(help.contains("docs/routing.md"));
        assert!(!help.contains("VALUE") && help.contains("--request-budget-sec <SECONDS>"));
        assert!(help.contains("[default: 8080]"));
        assert!(help.contains("[default: UPSTREAM_TIMEOUT_SEC]"));
    }
}

#[test]
fn s8_a_commands_help_shows_its_own_options_and_one_line_on_settings() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        ("",            &["--env-file <FILE>", "--version", "  status ", "  init ", "Exit codes"]),
        #[cfg(feature = "demo")]
        ("demo",        &["--env-file <FILE>"]),
        ("check",       &["--env-file <FILE>"]),
        ("health",      &["--env-file <FILE>"]),
        ("status",      &["--watch", "--json", "q ends it"]),
        ("explain",     &["--file <FILE>", "--json"]),
        ("replay",      &["<FILE>", "FILE.1 to FILE.3"]),
        ("init",        &["--user"]),
        ("setup",       &["--dry-run", "--write", "--url <URL>", "possible values: qwen"]),
        ("launch",      &["--url <URL>", "[ARGS]..."]),
        ("completions", &["possible values: bash"]),
    ];
    for (command, expected) in rows {
        let helps = [
            words(&format!("{command} --help")).unwrap_err().to_string(),
            words(&format!("help {command}")).unwrap_err().to_string(),
        ];
        for help in helps {
            for part in *expected {
                assert!(help.contains(part), "{part} in\n{help}");
            }
            assert_eq!(help.matches("help settings").count(), 1, "{help}");
            assert!(
                !help.contains("--port") && !help.contains("--max-"),
                "{help}"
            );
        }
    }
}

#[test]
fn s8_the_error_for_a_key_flag_says_where_keys_go() {
    #[rustfmt::skip]
    let rows = [
        ("--openrouter-api-key hush",          "keys have no flag"),
        ("--openrouter-api-key=hush",          "keys have no flag"),
        ("check --proxy-api-key=hush",         "keys have no flag"),
        ("launch qwen --api-key hush",         "keys have no flag"),
        ("--key hush",                         "keys have no flag"),
        ("--https-proxy=http://me:hush@proxy", "an outbound proxy has no flag"),
        ("--all-proxy hush",                   "an outbound proxy has no flag"),
        ("--prot 1",                           "'--port'"),
    ];
    for (line, expected) in rows {
        let error = words(line).unwrap_err();
        let told = error.to_string();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(told.contains(expected), "{expected} in\n{told}");
        assert!(!told.contains("hush"), "{told}");
    }
    let told = words("--proxy-api-key x").unwrap_err().to_string();
    assert!(told.contains("PROXY_API_KEY") && told.contains("free-llm-proxy init"));
}

#[test]
fn s12_1_env_file_may_come_before_or_after_the_command() {
    for line in [
        "--env-file a serve",
        "check --env-file a",
        "launch qwen --env-file=a -- --env-file b",
    ] {
        let file = words(line).unwrap().env_file;
        assert_eq!(file, Some(PathBuf::from("a")), "{line}");
    }
    assert_eq!(words("status").unwrap().env_file, None);
    assert_eq!(words("--env-file").unwrap_err().exit_code(), 2);
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
            script.contains("models-refresh-sec") && script.contains("explain"),
            "{shell}"
        );
    }
}

#[test]
fn the_error_for_an_unknown_agent_lists_the_known_ones() {
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
