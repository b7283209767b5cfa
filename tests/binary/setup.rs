//! `setup` and `launch`: what they print, write and run.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use free_llm_proxy::agents::Agent;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::program::{PROXY_KEY, Program, Ran, terminal};

#[tokio::test]
async fn without_a_terminal_setup_only_shows() {
    for agent in Agent::ALL {
        let name = agent.about().name;
        for arguments in [format!("setup {name}"), format!("setup {name} --dry-run")] {
            let (ran, home) = at_home(&arguments).await;
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
            assert_eq!(files(home.path()), Vec::<String>::new());
            for said in [
                "Nothing was written",
                "<PROXY_API_KEY>",
                agent.about().start,
            ] {
                assert!(ran.stdout.contains(said), "{said} in {}", ran.stdout);
            }
            assert!(!ran.stdout.contains(PROXY_KEY), "{}", ran.stdout);
        }
    }
}

#[tokio::test]
async fn at_a_terminal_setup_asks_first() {
    for (answer, written) in [("n\n", 0), ("\n", 0), ("y\n", 2)] {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let (mut person, terminal) = terminal();
        let setup = homely(&home, "setup aider").run_at(terminal);
        let folder = home.path().to_owned();
        let person = tokio::task::spawn_blocking(move || {
            let mut said = Vec::new();
            while !said.ends_with(b"[y/N] ") {
                let mut bytes = [0; 1024];
                let count = person.read(&mut bytes).unwrap();
                said.extend_from_slice(&bytes[..count]);
            }
            assert_eq!(files(&folder), Vec::<String>::new());
            person.write_all(answer.as_bytes()).unwrap();
        });
        let (code, person) = tokio::join!(setup, person);
        person.unwrap();
        assert_eq!(code, Some(0));
        assert_eq!(files(home.path()).len(), written, "{answer:?}");
    }
}

#[tokio::test]
async fn setup_writes_once_and_for_the_owner_alone() {
    for agent in Agent::ALL {
        let name = agent.about().name;
        let (ran, home) = at_home(&format!("setup {name} --write")).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        assert!(!ran.stdout.contains(PROXY_KEY), "{}", ran.stdout);
        let written = files(home.path());
        let texts = |home: &Path| {
            written
                .iter()
                .map(|file| read(&home.join(file)))
                .collect::<Vec<_>>()
        };
        let first = texts(home.path());
        assert!(first.concat().contains(PROXY_KEY), "{first:?}");
        assert!(first.concat().contains(":8765"), "{first:?}");
        for file in &written {
            let metadata = std::fs::metadata(home.path().join(file)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{file}");
        }
        let ran = homely(&home, &format!("setup {name} --yes")).run().await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.stdout.contains("Nothing needs to be written"),
            "{}",
            ran.stdout
        );
        assert_eq!(files(home.path()), written);
        assert_eq!(texts(home.path()), first);
    }
}

#[tokio::test]
async fn setup_keeps_what_was_there_and_a_backup_of_it() {
    let old = "{\n  // mine\n  \"ui\": {\"scale\": 1.50},\n  \"model\": {\"name\": \"other\"}\n}\n";
    let home = Arc::new(tempfile::tempdir().unwrap());
    let folder = home.path().join("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("settings.json"), old).unwrap();
    let program = homely(&home, "setup qwen --write --url https://proxy.example/v1");
    let ran = program
        .env("QWEN_HOME", folder.to_str().unwrap())
        .run()
        .await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(
        ran.stdout.contains("model.name has a different value now"),
        "{}",
        ran.stdout
    );
    let files = files(&folder);
    let backup = files.iter().find(|file| file.ends_with(".bak")).unwrap();
    assert_eq!((files.len(), read(&folder.join(backup)).as_str()), (2, old));
    assert!(ran.stdout.contains(backup), "{}", ran.stdout);
    let new = read(&folder.join("settings.json"));
    for part in [
        "// mine",
        "{\"scale\": 1.50}",
        "\"name\": \"auto\"",
        "https://proxy.example/v1",
    ] {
        assert!(new.contains(part), "{part} in {new}");
    }
}

#[tokio::test]
async fn setup_leaves_alone_what_it_cannot_change_and_says_what_to_put_in() {
    #[rustfmt::skip]
    let rows = [
        ("claude", ".claude/settings.json", "{\"env\": hush}",                    "is not valid JSON: line 1"),
        ("codex",  ".codex/.env",           "hush hush\n",                        "has a line that is not NAME=value"),
        ("aider",  ".aider.conf.yml",       "model: [hush]\n",                    "has a list as `model`"),
    ];
    for (agent, path, text, expected) in rows {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let file = home.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        let ran = homely(&home, &format!("setup {agent} --write")).run().await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(
            ran.stderr.contains(expected) && ran.stderr.contains("<PROXY_API_KEY>"),
            "{ran:?}"
        );
        assert!(
            !ran.stderr.contains("hush") && !ran.stderr.contains(PROXY_KEY),
            "{ran:?}"
        );
        assert_eq!(
            (files(home.path()), read(&file)),
            (vec![path.to_owned()], text.to_owned())
        );
    }
}

#[tokio::test]
async fn setup_refuses_a_key_that_the_agent_would_read_as_something_else() {
    #[rustfmt::skip]
    let rows = [
        ("qwen",     "hush-$HOME-1",      "Qwen Code: the PROXY_API_KEY has something like $NAME in it"),
        ("qwen",     "hush-${HOME}",      "Qwen Code: the PROXY_API_KEY has something like $NAME in it"),
        ("opencode", "hush-{env:HOME}",   "opencode: the PROXY_API_KEY has something like {env:NAME} in it"),
        ("opencode", "hush-{file:/x}",    "opencode: the PROXY_API_KEY has something like {file:PATH} in it"),
    ];
    for (agent, key, expected) in rows {
        for mode in ["", "--dry-run", "--write"] {
            let home = Arc::new(tempfile::tempdir().unwrap());
            let setup = homely(&home, &format!("setup {agent} {mode}"));
            let ran = setup.env("PROXY_API_KEY", key).run().await;
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
            assert!(ran.stderr.starts_with(expected), "{expected} in {ran:?}");
            assert!(!ran.stderr.contains("hush"), "{ran:?}");
            assert_eq!(files(home.path()), Vec::<String>::new());
        }
    }
    // To others the same letters are a key.
    let home = Arc::new(tempfile::tempdir().unwrap());
    let setup = homely(&home, "setup claude --write").env("PROXY_API_KEY", "hush-$HOME");
    assert_eq!(setup.run().await.code, Some(0));
}

#[tokio::test]
async fn setup_says_what_it_needs_to_know() {
    #[rustfmt::skip]
    let rows = [
        ("setup qwen",               "PROXY_API_KEY", 2, "PROXY_API_KEY is not set"),
        ("setup qwen --port 0",      "",              2, "PORT is 0"),
        ("setup qwen --url x",       "",              2, "--url \"x\": must be"),
        ("setup qwen",               "HOME",          1, "Qwen Code: HOME is not set"),
        ("setup nonsense",           "",              2, "possible values: qwen, claude, codex, opencode, aider, openwebui"),
        ("launch nonsense",          "",              2, "possible values: qwen"),
        ("launch qwen --port 0",     "",              2, "PORT is 0"),
        ("launch qwen",              "PROXY_API_KEY", 2, "PROXY_API_KEY is not set"),
    ];
    for (arguments, without, code, expected) in rows {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let ran = homely(&home, arguments).without(without).run().await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{expected} in {ran:?}");
    }
}

#[tokio::test]
async fn launch_is_the_agent_with_the_key_in_its_environment_alone() {
    let (_proxy, port) = somebody().await;
    for agent in Agent::ALL {
        let about = agent.about();
        let home = Arc::new(tempfile::tempdir().unwrap());
        install(&home, about.program, "echo \"$$ $*\"; env; exit 42");
        let program = homely(
            &home,
            &format!("launch {} --port {port} -- --mine --port 9", about.name),
        );
        let program = program.env("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef");
        let ran = program.env("ANTHROPIC_API_KEY", "sk-ant-x").run().await;
        assert!(
            !ran.stdout.contains("sk-or-v1-"),
            "the upstream's key stays here: {}",
            ran.stdout
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(42), ""), "{ran:?}");
        let (argv, environment) = ran.stdout.split_once('\n').unwrap();
        assert!(
            argv.ends_with("--mine --port 9") && !argv.contains(PROXY_KEY),
            "{argv}"
        );
        assert!(environment.contains(PROXY_KEY), "{environment}");
        assert!(
            ran.stdout.contains(&format!("127.0.0.1:{port}")),
            "{}",
            ran.stdout
        );
        let competes = environment.contains("ANTHROPIC_API_KEY=");
        assert_eq!(competes, agent != Agent::Claude, "{environment}");
        assert_eq!(files(home.path()), [format!("bin/{}", about.program)]);
    }
}

#[tokio::test]
async fn an_agent_is_told_how_much_the_models_of_the_running_proxy_hold() {
    for (window, told) in [("65536", "65536"), ("null", "131072")] {
        let (_proxy, port) =
            answers(&format!(r#"{{"id":"auto","context_length":{window}}}"#)).await;
        let home = Arc::new(tempfile::tempdir().unwrap());
        let ran = homely(&home, &format!("setup codex --write --port {port}"))
            .run()
            .await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let settings = read(&home.path().join(".codex/config.toml"));
        assert!(
            settings.contains(&format!("model_context_window = {told}\n")),
            "{settings}"
        );
        install(&home, "codex", "echo \"$*\"");
        let ran = homely(&home, &format!("launch codex --port {port}"))
            .run()
            .await;
        assert!(
            ran.stdout
                .contains(&format!("model_context_window={told}\n")),
            "{ran:?}"
        );
    }
}

#[tokio::test]
async fn launch_clears_what_would_lead_the_agent_elsewhere_and_setup_tells_of_it() {
    let (_proxy, port) = somebody().await;
    let home = Arc::new(tempfile::tempdir().unwrap());
    install(&home, "claude", "echo \"$*\"; env");
    let around = |arguments: &str| {
        homely(&home, &format!("{arguments} --port {port}"))
            .env("CLAUDE_CODE_USE_BEDROCK", "1")
            .env("CLAUDE_CODE_OAUTH_TOKEN", "another's")
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "example.org")
    };
    let ran = around("launch claude").run().await;
    for gone in [
        "CLAUDE_CODE_USE_BEDROCK=1",
        "another's",
        "NO_PROXY=example.org\n",
    ] {
        assert!(!ran.stdout.contains(gone), "{gone} in {}", ran.stdout);
    }
    for there in [
        "\"CLAUDE_CODE_USE_BEDROCK\":\"\"",
        "\nNO_PROXY=example.org,127.0.0.1\n",
        "\nno_proxy=example.org,127.0.0.1\n",
        "\nHTTP_PROXY=http://127.0.0.1:9\n",
    ] {
        assert!(ran.stdout.contains(there), "{there} in {}", ran.stdout);
    }
    let ran = around("setup claude").run().await;
    for told in [
        "CLAUDE_CODE_USE_BEDROCK is set in the environment",
        "set NO_PROXY=example.org,127.0.0.1.",
    ] {
        assert!(ran.stdout.contains(told), "{told} in {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("another's"), "{}", ran.stdout);
}

#[tokio::test]
async fn launch_says_what_is_missing() {
    let (_proxy, port) = somebody().await;
    for agent in Agent::ALL {
        let about = agent.about();
        let home = Arc::new(tempfile::tempdir().unwrap());
        let ran = homely(&home, &format!("launch {} --port {port}", about.name))
            .run()
            .await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(
            ran.stderr.contains("is not installed") && ran.stderr.contains(about.install),
            "{ran:?}"
        );
    }
    let home = Arc::new(tempfile::tempdir().unwrap());
    install(&home, "qwen", "exit 0");
    let ran = homely(&home, "launch qwen --port 9").run().await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr.contains("nothing listens at http://127.0.0.1:9"),
        "{ran:?}"
    );
    #[rustfmt::skip]
    let rows = [
        // address               web proxy              exit
        ("http://127.0.0.1:9",   "",                    1),
        ("http://127.0.0.1:9",   "http://127.0.0.1:9",  1),
        ("https://127.0.0.1:9",  "",                    1),
        // What is behind it cannot be seen from here.
        ("https://127.0.0.1:9",  "http://127.0.0.1:9",  0),
    ];
    for (address, web_proxy, code) in rows {
        let launch = homely(&home, &format!("launch qwen --url {address}"));
        let launch = match web_proxy {
            "" => launch,
            _ => launch.env("HTTPS_PROXY", web_proxy),
        };
        let ran = launch.run().await;
        assert_eq!(ran.code, Some(code), "{address} {web_proxy}: {ran:?}");
        let told = format!("nothing listens at {address}: is that the address");
        assert_eq!(ran.stderr.contains(&told), code == 1, "{ran:?}");
    }
}

/// A port with a listener.
async fn somebody() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A port where every request gets this JSON.
async fn answers(json: &str) -> (JoinSet<()>, u16) {
    let (listener, port) = somebody().await;
    let length = json.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{json}");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = [0; 4096];
            // A peer that only checks for a listener sends nothing.
            if client.read(&mut head).await.is_ok_and(|count| count > 0) {
                client.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (tasks, port)
}

async fn at_home(arguments: &str) -> (Ran, Arc<TempDir>) {
    let home = Arc::new(tempfile::tempdir().unwrap());
    (homely(&home, arguments).run().await, home)
}

/// With the key, and with its directory as home and working directory.
fn homely(home: &Arc<TempDir>, arguments: &str) -> Program {
    let bin = home.path().join("bin").display().to_string();
    Program::within(home, arguments)
        .env("HOME", home.path().to_str().unwrap())
        .env("PATH", &format!("{bin}:/usr/bin:/bin"))
        .env("PROXY_API_KEY", PROXY_KEY)
        .env("HOST", "127.0.0.1")
        .env("PORT", "8765")
}

/// A program of this name that does this.
fn install(home: &TempDir, name: &str, script: &str) {
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let path = bin.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// All files under this folder, by their paths in it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(
                files(&entry.path())
                    .into_iter()
                    .map(|file| format!("{name}/{file}")),
            );
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
