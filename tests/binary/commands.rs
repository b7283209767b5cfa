//! §8: `--help`, `--version`, `init`, `completions`, `health`.

use std::os::unix::fs::PermissionsExt as _;

use free_llm_proxy::config::SETTINGS;
use serde_json::json;
use simulator::Script;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::program::{Program, Serving, UPSTREAM_KEY};
use crate::upstream::Outside;

#[tokio::test]
async fn s8_help_names_every_setting_and_no_value_of_the_environment() {
    let secret = |name: &str| format!("value-of-{}", name.to_lowercase());
    for arguments in [
        "serve --help",
        "help settings",
        "settings",
        "--help",
        "help",
    ] {
        let program = SETTINGS
            .iter()
            .fold(Program::new(arguments), |program, setting| {
                program.env(setting.name, &secret(setting.name))
            });
        let ran = program.run().await;
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{arguments}"
        );
        assert!(!ran.stdout.contains("value-of-"), "{}", ran.stdout);
        if arguments.ends_with("help") && !arguments.starts_with("serve") {
            assert!(ran.stdout.contains("free-llm-proxy help settings"));
            continue;
        }
        for setting in SETTINGS.iter().filter(|s| s.group.is_shown()) {
            let spelt = match setting.flag() {
                Some(flag) => format!("--{flag} "),
                None => setting.name.to_owned(),
            };
            assert!(ran.stdout.contains(&spelt), "{spelt} in {}", ran.stdout);
        }
    }
    let ran = Program::new("--help").run().await;
    for command in [
        "serve",
        "demo",
        "check",
        "status",
        "explain",
        "replay",
        "health",
        "init",
        "providers",
        "key",
        "setup",
        "launch",
        "settings",
        "completions",
        "help",
    ] {
        let line = format!("  {command} ");
        assert!(ran.stdout.contains(&line), "{command} in {}", ran.stdout);
    }
}

#[tokio::test]
async fn s8_version_is_the_packages() {
    let ran = Program::new("--version").run().await;
    let expected = format!("free-llm-proxy {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ran.code, ran.stdout), (Some(0), expected));
}

#[tokio::test]
async fn s8_init_writes_a_file_that_serves() {
    let outside = Outside::with(Script::new()).await;
    let program = Program::new("init").env("OPENROUTER_API_KEY", UPSTREAM_KEY);
    let dir = std::sync::Arc::clone(&program.dir);
    let ran = program.run().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let path = dir.path().join(".env");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = std::fs::read_to_string(&path).unwrap();
    let key = text
        .lines()
        .find_map(|line| line.strip_prefix("PROXY_API_KEY="))
        .unwrap();
    assert!(key.len() > 30, "a key that nobody guesses");
    assert!(ran.stdout.contains("/ui"), "it names the page: {ran:?}");
    assert!(
        !ran.stdout.contains(key) && !ran.stdout.contains(UPSTREAM_KEY),
        "{}",
        ran.stdout
    );
    let serving = Program::within(&dir, "")
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .env("MODELS_LIST_URL", &outside.list_url())
        .env("UPSTREAM_BASE_URL", &outside.base_url())
        .ready()
        .await;
    let url = format!("http://{}/v1/chat/completions", serving.address);
    let request = Serving::client().post(url).bearer_auth(key);
    let answer = request.json(&json!({"messages": []})).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let sent = outside.simulator.requests().pop().unwrap();
    let bearer = format!("Bearer {UPSTREAM_KEY}");
    assert_eq!(sent.headers["authorization"], bearer.as_str());
}

#[tokio::test]
async fn s8_init_never_writes_over_a_file_and_never_the_same_key() {
    let program = Program::new("init").file(".env", "PORT=1\n");
    let path = program.dir.path().join(".env");
    let dir = std::sync::Arc::clone(&program.dir);
    let ran = program.run().await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains(".env"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "PORT=1\n");
    let mut texts = std::collections::HashSet::new();
    for _ in 0..2 {
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Program::within(&dir, "init").run().await.code, Some(0));
        texts.insert(std::fs::read_to_string(&path).unwrap());
    }
    assert_eq!(texts.len(), 2);
    let ran = Program::within(&dir, "").run().await;
    assert_eq!(
        ran.code,
        Some(2),
        "the upstream's key is still to be filled in"
    );
    assert!(ran.stderr.starts_with("OPENROUTER_API_KEY"), "{ran:?}");
}

#[tokio::test]
async fn s8_completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = Program::new(&format!("completions {shell}")).run().await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(ran.stdout.contains("models-refresh-sec"), "{shell}");
    }
}

#[tokio::test]
async fn s8_health_is_0_for_a_proxy_that_lives_and_1_for_anything_else() {
    // A proxy without a list is alive, too; and no key is needed to see that.
    let outside = Outside::with(Script::new()).await;
    let serving = outside
        .program("")
        .env("MODELS_LIST_URL", "http://127.0.0.1:9/")
        .serve()
        .await;
    let port = serving.address.port().to_string();
    for host in ["127.0.0.1", "0.0.0.0", "localhost"] {
        let ran = Program::new("health")
            .env("HOST", host)
            .env("PORT", &port)
            .run()
            .await;
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{host}: {ran:?}"
        );
    }
    drop(serving);
    #[rustfmt::skip]
    let rows = [
        ("is ill",             Some("HTTP/1.1 503 Service Unavailable\r\n\r\n")),
        ("is not an HTTP server",  Some("SSH-2.0-OpenSSH_9.9\r\n")),
        ("hangs up",           Some("")),
        ("is not there",       None),
    ];
    for (what, says) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut tasks = JoinSet::new();
        match says {
            None => drop(listener),
            Some(says) => {
                tasks.spawn(async move {
                    while let Ok((mut socket, _)) = listener.accept().await {
                        drop(socket.read(&mut [0; 1024]).await);
                        drop(socket.write_all(says.as_bytes()).await);
                    }
                });
            }
        }
        let ran = Program::new("health")
            .env("HOST", "127.0.0.1")
            .env("PORT", &port)
            .run()
            .await;
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(1), ""),
            "it {what}: {ran:?}"
        );
        assert!(ran.stderr.contains(&port), "{ran:?}");
    }
    let ran = Program::new("health").env("PORT", "x").run().await;
    assert_eq!(ran.code, Some(2), "{ran:?}");
}
