//! §12.1: where settings come from, and what someone else's folder cannot do with them.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use simulator::Script;
use tempfile::TempDir;

use crate::program::{PROXY_KEY, Program, Ran, Serving, UPSTREAM_KEY};
use crate::upstream::Outside;

/// The keys, as in a file.
fn keys() -> String {
    format!("OPENROUTER_API_KEY={UPSTREAM_KEY}\nPROXY_API_KEY={PROXY_KEY}\n")
}

/// A home with this file of settings.
fn home(settings: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/free-llm-proxy");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("env"), settings).unwrap();
    home
}

fn at(home: &Path, arguments: &str) -> Program {
    Program::new(arguments).env("HOME", home.to_str().unwrap())
}

#[tokio::test]
async fn s12_1_the_users_file_serves_every_command_in_every_folder() {
    let outside = Outside::with(Script::new()).await;
    let served = format!(
        "{}MODELS_LIST_URL={}\nUPSTREAM_BASE_URL={}\nHOST=127.0.0.1\n",
        keys(),
        outside.list_url(),
        outside.base_url()
    );
    let first = home(&format!("{served}PORT=0\n"));
    let serving = at(first.path(), "").ready().await;
    let answer = serving.chat(&json!({"messages": []})).await;
    assert_eq!(answer.status(), 200);
    let second = home(&format!("{served}PORT={}\n", serving.address.port()));
    let bin = second.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    script(&bin.join("qwen"), "echo \"launched at $OPENAI_BASE_URL\"");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let address = serving.address.to_string();
    #[rustfmt::skip]
    let rows = [
        ("check",          "Everything works."),
        ("health",         "healthy"),
        ("status",         "Requests are being answered"),
        ("explain -f b",   "Needs: nothing special"),
        ("setup qwen",     address.as_str()),
        ("launch qwen",    address.as_str()),
    ];
    for (arguments, expected) in rows {
        let program = at(second.path(), arguments).env("PATH", &path);
        let ran = program.file("b", r#"{"messages":[]}"#).run().await;
        assert_eq!(ran.code, Some(0), "{arguments}: {ran:?}");
        assert!(ran.stdout.contains(expected), "{arguments}: {ran:?}");
    }
    // Wherever XDG_CONFIG_HOME says.
    let moved = second.path().join("elsewhere");
    std::fs::rename(second.path().join(".config"), &moved).unwrap();
    let program = at(second.path(), "status").env("XDG_CONFIG_HOME", moved.to_str().unwrap());
    assert_eq!(program.run().await.code, Some(0));
}

#[tokio::test]
async fn s12_1_a_named_file_replaces_the_others() {
    let ports = |folder: &str, arguments: &str, user: &str| {
        let home = home(user);
        let program = at(home.path(), arguments).file(".env", folder);
        let dir = Arc::clone(&program.dir);
        std::fs::write(dir.path().join("named"), "PORT=1005\n").unwrap();
        async move {
            let ran = program.run().await;
            drop(home);
            ran.stdout + &ran.stderr
        }
    };
    #[rustfmt::skip]
    let rows = [
        // .env                           arguments                       the user's     asked
        ("ALLOW_PAID=1\nPORT=1003",       "health",                       "PORT=1004",   "127.0.0.1:1003"),
        ("PORT=1003",                     "health",                       "PORT=1004",   "127.0.0.1:1004"),
        ("ALLOW_PAID=1\nPORT=1003",       "health --env-file named",      "PORT=1004",   "127.0.0.1:1005"),
        ("",                              "--env-file named health",      "HOST=127.0.0.2", "127.0.0.1:1005"),
        ("",                              "health --env-file named --port 1006", "",     "127.0.0.1:1006"),
    ];
    for (folder, arguments, user, asked) in rows {
        let told = ports(folder, arguments, user).await;
        assert!(
            told.contains(&format!("http://{asked}/health")),
            "{arguments}: {told}"
        );
    }
    #[rustfmt::skip]
    let rows = [
        ("gone",  "gone is not there"),
        (".",     ". cannot be read: "),
    ];
    for (file, expected) in rows {
        let ran = Program::with_keys(&format!("--env-file {file}"))
            .run()
            .await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.starts_with(expected), "{ran:?}");
    }
}

#[tokio::test]
async fn s12_1_another_programs_file_is_passed_over() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let foreign = "DATABASE_URL=postgres://x\nwhat is this\nKEY=\"-----BEGIN\nPORT=99999\nHTTPS_PROXY=nonsense\n";
    let program = Program::with_keys("")
        .env("PORT", &port)
        .file(".env", foreign);
    // Up to the port, which is taken: the settings are valid.
    assert_eq!(program.run().await.code, Some(1));
    let program = Program::with_keys("").env("PORT", &port);
    std::fs::create_dir(program.dir.path().join(".env")).unwrap();
    assert_eq!(program.run().await.code, Some(1));
    let ran = Program::new("").file(".env", foreign).run().await;
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.ends_with(
            "\n.env in this folder has no settings of free-llm-proxy, so nothing was taken from it\n"
        ),
        "{ran:?}"
    );
}

/// What a cloned repository would like the program to believe.
struct Trap {
    listener: TcpListener,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// There was no connection.
    #[track_caller]
    fn is_empty(&self, why: &str) {
        let came = self.listener.accept();
        assert!(
            came.as_ref()
                .is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
            "{why}: {came:?}"
        );
    }
}

#[tokio::test]
async fn s12_1_no_command_sends_a_key_to_an_address_from_a_cloned_repository() {
    let trap = Trap::set();
    let address = trap.address();
    let (ip, port) = (address.ip(), address.port());
    let upward = ["", "serve", "check"];
    let homeward = [
        "status",
        "status --watch",
        "status --json",
        "explain -f b",
        "setup qwen --write",
        "setup codex --dry-run",
        "launch qwen",
        "launch claude -- -p hi",
    ];
    #[rustfmt::skip]
    let rows: [(&[&str], String); 9] = [
        (&upward,   format!("UPSTREAM_BASE_URL=http://{address}/api/v1")),
        (&upward,   format!("MODELS_LIST_URL=http://{address}/")),
        (&upward,   format!("HTTPS_PROXY=http://{address}")),
        (&upward,   format!("https_proxy={address}")),
        (&upward,   format!("export ALL_PROXY='socks5://{address}'")),
        (&upward,   format!("\u{feff}NO_PROXY=*\r\nUPSTREAM_BASE_URL=\"http://{address}/\"\r")),
        (&homeward, format!("HOST={ip}")),
        (&homeward, format!("PORT={port}")),
        (&homeward, format!("HOST={ip}\nPORT=1\nPORT={port}")),
    ];
    for (commands, lines) in &rows {
        // With a line that makes it ours, before or after; with its own keys or without.
        for file in [
            format!("{lines}\nMODEL_FIELD=ignore\n"),
            format!("OPENROUTER_API_KEY=sk-or-v1-theirs-0123456789\n{lines}\n"),
        ] {
            for arguments in *commands {
                for by_file in [false, true] {
                    let home = home(&if by_file { keys() } else { String::new() });
                    let bin = home.path().join("bin");
                    std::fs::create_dir(&bin).unwrap();
                    for agent in ["qwen", "claude"] {
                        script(&bin.join(agent), "echo launched; env");
                    }
                    let mut program = at(home.path(), arguments)
                        .env("PATH", &format!("{}:/usr/bin:/bin", bin.display()))
                        .file(".env", &file)
                        .file("b", "{}");
                    if !by_file {
                        program = program
                            .env("OPENROUTER_API_KEY", UPSTREAM_KEY)
                            .env("PROXY_API_KEY", PROXY_KEY);
                    }
                    let ran = program.run().await;
                    let why = format!("{arguments} with {file:?}");
                    refused(&ran, &why);
                    trap.is_empty(&why);
                    assert!(!home.path().join(".qwen").exists(), "{why}");
                }
            }
        }
    }
}

/// Exit 2, with both sources named and no key.
#[track_caller]
fn refused(ran: &Ran, why: &str) {
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(2), ""),
        "{why}: {ran:?}"
    );
    assert!(
        ran.stderr.contains(" is set by .env in this folder, and "),
        "{why}: {ran:?}"
    );
    let by = ["_API_KEY by the environment", "free-llm-proxy/env: "];
    assert!(
        by.iter().any(|by| ran.stderr.contains(by)),
        "{why}: {ran:?}"
    );
    for key in [UPSTREAM_KEY, PROXY_KEY, "0123456789"] {
        assert!(!ran.stderr.contains(key), "{why}: {ran:?}");
    }
}

#[tokio::test]
async fn s12_1_launch_starts_no_agent_that_a_projects_file_would_lead_away() {
    let evil = r#"{"modelProviders": {"openai": [{"id": "auto", "baseUrl": "http://evil.test"}]}}"#;
    #[rustfmt::skip]
    let rows = [
        (evil,                     Some("`modelProviders` in .qwen/settings.json of this folder wins")),
        ("{ hush",                 Some("is not valid JSON")),
        (r#"{"ui": {}}"#,          None),
    ];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for (text, expected) in rows {
        let home = home(&keys());
        let bin = home.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        script(&bin.join("qwen"), "echo \"launched, $NO_PROXY, $no_proxy\"");
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let launch = || {
            let program = at(home.path(), &format!("launch qwen --url {url}"));
            program.env("PATH", &path).env("NO_PROXY", "a.test")
        };
        let program = launch();
        let dir = Arc::clone(&program.dir);
        let folder = dir.path().join(".qwen");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("settings.json"), text).unwrap();
        let ran = program.run().await;
        let launched = "launched, a.test,127.0.0.1, a.test,127.0.0.1\n";
        match expected {
            None => assert_eq!(ran.stdout, launched, "{ran:?}"),
            Some(expected) => {
                assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
                assert!(ran.stderr.contains(expected), "{ran:?}");
                assert!(!ran.stderr.contains("hush"), "{ran:?}");
            }
        }
        // In the home directory it is the user's own.
        std::fs::rename(&folder, home.path().join(".qwen")).unwrap();
        let own = Arc::new(home);
        let program = Program::within(&own, &format!("launch qwen --url {url}"));
        let program = program
            .env("HOME", own.path().to_str().unwrap())
            .env("PATH", &path);
        assert_eq!(
            program.run().await.stdout,
            "launched, 127.0.0.1, 127.0.0.1\n"
        );
    }
}

#[tokio::test]
async fn s12_1_a_cloned_repository_draws_no_variable_into_what_it_sends() {
    let trap = Trap::set();
    let address = trap.address();
    #[rustfmt::skip]
    let rows = [
        ("OPENROUTER_API_KEY=$OTHER_TOKEN",                     format!("UPSTREAM_BASE_URL=http://{address}")),
        ("OPENROUTER_API_KEY=\"${OTHER_TOKEN}\"",               format!("UPSTREAM_BASE_URL=http://{address}")),
        ("OPENROUTER_API_KEY=sk-or-v1-theirs",                  format!("MODELS_LIST_URL=http://{address}/${{OTHER_TOKEN}}")),
    ];
    for (key, line) in rows {
        for command in ["", "check"] {
            let file = format!("{key}\nPROXY_API_KEY=theirs\n{line}\n");
            let program = Program::new(command)
                .env("OTHER_TOKEN", "hush")
                .file(".env", &file);
            let ran = program.run().await;
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (Some(2), ""),
                "{file}: {ran:?}"
            );
            assert!(ran.stderr.contains("has a $NAME in its value"), "{ran:?}");
            assert!(!ran.stderr.contains("hush"), "{ran:?}");
            trap.is_empty(&file);
        }
    }
}

#[tokio::test]
async fn s12_1_a_folder_that_is_trusted_by_name_serves() {
    let outside = Outside::with(Script::new()).await;
    let file = format!(
        "PROXY_API_KEY={PROXY_KEY}\nMODELS_LIST_URL={}\nUPSTREAM_BASE_URL={}\nHOST=127.0.0.1\nPORT=0\n",
        outside.list_url(),
        outside.base_url()
    );
    let with_key = |arguments| {
        let program = Program::new(arguments).file(".env", &file);
        program.env("OPENROUTER_API_KEY", UPSTREAM_KEY)
    };
    refused(&with_key("serve").run().await, "by default");
    let serving = with_key("serve --env-file .env").ready().await;
    assert_eq!(serving.chat(&json!({"messages": []})).await.status(), 200);
}

#[tokio::test]
async fn s12_1_a_slip_of_the_hand_is_named() {
    let file = "PROXY_API_KEY=x\nOPENROUTER_API_KYE=hush\n";
    let ran = Program::new("check").file(".env", file).run().await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stderr.starts_with(
            ".env line 2: OPENROUTER_API_KYE is not a setting; did you mean OPENROUTER_API_KEY?\n"
        ),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains("hush"), "{ran:?}");
    // In the environment it may be another program's: a warning, at start and in `check`.
    let outside = Outside::with(Script::new()).await;
    let slipped = |arguments| outside.program(arguments).env("REQUEST_BUDGETSEC", "hush");
    let sentence =
        "the environment: REQUEST_BUDGETSEC is not a setting; did you mean REQUEST_BUDGET_SEC?";
    let ran = slipped("check").run().await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.stdout.contains(&format!("warn  {sentence}\n")),
        "{ran:?}"
    );
    let serving = slipped("").serve().await;
    let logged = serving.logged("settings_warning").await;
    assert_eq!(
        (&logged["level"], &logged["warning"]),
        (&json!("WARNING"), &json!(sentence))
    );
}

#[tokio::test]
async fn s12_1_init_writes_the_users_file_for_every_folder() {
    let home = tempfile::tempdir().unwrap();
    let init = || at(home.path(), "init --user").env("OPENROUTER_API_KEY", UPSTREAM_KEY);
    let path = home.path().join(".config/free-llm-proxy/env");
    let ran = init().run().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.contains(path.to_str().unwrap()), "{ran:?}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let text = std::fs::read_to_string(&path).unwrap();
    let key = text
        .lines()
        .find_map(|line| line.strip_prefix("PROXY_API_KEY="))
        .unwrap();
    assert!(!ran.stdout.contains(key), "{ran:?}");
    // It is enough, from wherever.
    let outside = Outside::with(Script::new()).await;
    let serving = at(home.path(), "")
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .env("MODELS_LIST_URL", &outside.list_url())
        .env("UPSTREAM_BASE_URL", &outside.base_url())
        .ready()
        .await;
    let url = format!("http://{}/v1/models", serving.address);
    let asked = Serving::client().get(url).bearer_auth(key);
    assert_eq!(asked.send().await.unwrap().status(), 200);
    // Never over an existing one, and never without a home.
    let ran = init().run().await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let ran = Program::new("init --user").run().await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("HOME"), "{ran:?}");
}

#[tokio::test]
async fn s12_1_compose_runs_it_on_the_env_file_of_a_folder_that_it_cannot_write() {
    let compose = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose.yaml");
    let compose = std::fs::read_to_string(compose).unwrap();
    let line = |start: &str| {
        let mut lines = compose.lines().map(str::trim);
        let line = lines.find_map(|line| line.strip_prefix(start));
        line.unwrap_or_else(|| panic!("{start} in {compose}"))
    };
    assert_eq!(line("- ./"), ":/settings:ro");
    assert!(!compose.contains("env_file"));
    let entrypoint: Vec<String> = serde_json::from_str(line("entrypoint: ")).unwrap();
    let (program, arguments) = entrypoint.split_first().unwrap();
    assert_eq!(program, "/free-llm-proxy");
    // The same arguments where the folder is the working directory.
    let arguments = arguments.join(" ").replace("/settings/", "");
    let outside = Outside::with(Script::new()).await;
    let file = format!(
        "{}MODELS_LIST_URL={}\nUPSTREAM_BASE_URL={}\nPORT=1\n",
        keys(),
        outside.list_url(),
        outside.base_url()
    );
    let inside = |command: &str| {
        let program = Program::new(&format!("{arguments} {command}")).file(".env", &file);
        program.env("HOST", "127.0.0.1").env("PORT", "0")
    };
    let serving = inside("").ready().await;
    assert_eq!(serving.chat(&json!({"messages": []})).await.status(), 200);
    assert_eq!(inside("check").run().await.code, Some(0));
}

/// A program that does this.
fn script(path: &Path, does: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{does}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
