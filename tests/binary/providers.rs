//! §10.1: `providers`, `key add` and what `init` asks.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::program::{PROXY_KEY, Program, Ran, terminal};

/// Nothing of it except its tail is ever shown.
const KEY: &str = "gsk_hush-hush-0123456789-WXYZ";

/// A provider that accepts one key, refuses others, and is absent on a port of its own.
struct Groq {
    base: String,
    _tasks: JoinSet<()>,
}

impl Groq {
    async fn taking(key: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/openai/v1", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match socket.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let is_test = head.starts_with("GET /openai/v1/models ");
                let (status, body) = if is_test && head.contains(&format!("Bearer {key}\r\n")) {
                    ("200 OK", r#"{"object":"list","data":[]}"#)
                } else {
                    (
                        "401 Unauthorized",
                        r#"{"error":{"message":"Invalid API Key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                    )
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                     connection: close\r\n\r\n{body}",
                    body.len()
                );
                drop(socket.write_all(answer.as_bytes()).await);
            }
        });
        Self {
            base,
            _tasks: tasks,
        }
    }

    /// A home whose CONFIG_FILE has Groq at this address.
    fn home(&self) -> TempDir {
        home(&self.base)
    }
}

fn home(base: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/free-llm-proxy");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "[providers.groq]\nbase_url = \"{base}\"\n[providers.nvidia]\nbase_url = \"{base}\"\n"
    );
    std::fs::write(folder.join("config.toml"), text).unwrap();
    home
}

fn at(home: &Path, arguments: &str) -> Program {
    Program::new(arguments).env("HOME", home.to_str().unwrap())
}

#[track_caller]
fn hushed(ran: &Ran) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains("hush-hush"), "{said}");
}

#[tokio::test]
async fn s10_1_providers_are_listed_without_any_key() {
    let ran = Program::new("providers").run().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    #[rustfmt::skip]
    let rows = [
        "openrouter   off: no key: set OPENROUTER_API_KEY",
        "groq         off: no key: set GROQ_API_KEY",
        "cloudflare   off: no key: set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID",
        "kilo         off: needs no key, and is on if PROVIDERS names it (+kilo)",
        "local        off: set LOCAL_BASE_URL",
        "a key: https://console.groq.com/keys",
        "may train on prompts",
        "its day ends at midnight in California",
    ];
    for row in rows {
        assert!(ran.stdout.contains(row), "{row} in {}", ran.stdout);
    }
    let ran = Program::new("providers --json")
        .env("PROXY_API_KEY", PROXY_KEY)
        .env("GROQ_API_KEY", KEY)
        .env("PROVIDERS", "+kilo")
        .run()
        .await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    hushed(&ran);
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let all = told["providers"].as_array().unwrap();
    let on: Vec<_> = all.iter().filter(|row| row["on"] == true).collect();
    let names: Vec<_> = on
        .iter()
        .map(|row| row["provider"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["groq", "kilo"]);
    let variables = json!([{"name": "GROQ_API_KEY", "place": "the environment"}]);
    assert_eq!(on[0]["variables"], variables);
    assert_eq!(
        (&on[0]["training"], &on[1]["training"]),
        (&json!("no"), &json!("may"))
    );
    // What is wrong is reported, besides the list.
    let ran = Program::new("providers")
        .env("PROVIDERS", "grok")
        .run()
        .await;
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("did you mean groq?"), "{ran:?}");
    assert!(ran.stdout.contains("\ngroq "), "{ran:?}");
}

#[tokio::test]
async fn s10_1_a_key_is_asked_for_tested_and_written_down() {
    let groq = Groq::taking(KEY).await;
    let home = groq.home();
    const OURS: &str = "# mine\nPROXY_API_KEY=proxy-key-for-tests\nMODEL_FIELD=pin\n";
    const OTHERS: &str = "DATABASE_URL=postgres://x\n";
    let odd = format!("  export GROQ_API_KEY='{KEY}'\r\n");
    let plain = format!("{KEY}\n");
    let with_key = format!("{OURS}GROQ_API_KEY={KEY}\n");
    let with_other = format!("{OURS}GROQ_API_KEY=gsk_another-012345\n");
    let with_both = format!("{with_other}GROQ_API_KEY_2={KEY}\n");
    #[rustfmt::skip]
    let rows: Vec<(&str, &str, i32, &str, &str)> = vec![
        // .env            what is typed              exit  .env then           said
        (OURS,             plain.as_str(),            0,    &with_key,          "Groq accepts the key (key tail is ...WXYZ (len=29))."),
        (OURS,             odd.as_str(),              0,    &with_key,          "Wrote GROQ_API_KEY to .env; only you can read it."),
        (&with_other,      plain.as_str(),            0,    &with_both,         "Wrote GROQ_API_KEY_2 to .env"),
        (&with_key,        plain.as_str(),            0,    &with_key,          ".env already has it, as GROQ_API_KEY."),
        (OURS,             "gsk_hush-hush-wrong-012", 1,    OURS,               "Groq refuses the key (key tail is ...-012 (len=23)) with HTTP 401: nothing was written. Create one at https://console.groq.com/keys"),
        (OURS,             "gsk_...",                 1,    OURS,               "that is a placeholder, not a key; nothing was written"),
        (OURS,             "hush-hush, really now",   1,    OURS,               "nothing was written"),
        (OURS,             "",                        1,    OURS,               "no key was given; nothing was written"),
    ];
    for (before, typed, code, then, said) in rows {
        let program = at(home.path(), "key add groq").file(".env", before);
        let path = program.dir.path().join(".env");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let dir = Arc::clone(&program.dir);
        let ran = program.typed(typed).await;
        assert_eq!(ran.code, Some(code), "{typed:?}: {ran:?}");
        assert!(
            format!("{}{}", ran.stdout, ran.stderr).contains(said),
            "{said}\n{ran:?}"
        );
        hushed(&ran);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), then);
        if before != then {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert!(ran.stdout.contains("Groq is on."), "{ran:?}");
        }
        drop(dir);
    }
    // Another program's file stays unchanged, and the one in the home directory is written; if
    // there is none, one is created.
    let program = at(home.path(), "key add groq").file(".env", OTHERS);
    let dir = Arc::clone(&program.dir);
    let ran = program.typed(&plain).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        std::fs::read_to_string(dir.path().join(".env")).unwrap(),
        OTHERS
    );
    let made = home.path().join(".config/free-llm-proxy/env");
    let text = std::fs::read_to_string(&made).unwrap();
    assert!(text.contains(&format!("\nGROQ_API_KEY={KEY}\n")), "{text}");
    assert!(text.contains("\nPROXY_API_KEY=sk-proxy-"), "{text}");
    assert_eq!(
        std::fs::metadata(&made).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

/// What it says of a key that could not be tested, and of one that looks odd besides.
const UNTESTED: &str = "could not be tested: Groq cannot be reached (";
const ODD: &str = "It does not look like one of theirs, which begin with gsk_.";

#[tokio::test]
async fn s10_1_without_a_terminal_a_key_that_could_not_be_tested_is_written_and_it_is_said() {
    let home = home("http://127.0.0.1:9/openai/v1");
    for (key, is_odd) in [(KEY, false), ("odd-hush-hush-0123456789", true)] {
        let program = at(home.path(), "key add groq");
        let dir = Arc::clone(&program.dir);
        let ran = program.typed(key).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
        assert!(ran.stdout.contains(UNTESTED), "{ran:?}");
        assert_eq!(ran.stdout.contains(ODD), is_odd, "{ran:?}");
        hushed(&ran);
        let text = std::fs::read_to_string(dir.path().join(".env")).unwrap();
        assert!(text.contains(key) && text.contains("PROXY_API_KEY=sk-proxy-"));
    }
}

#[tokio::test]
async fn s10_1_at_a_terminal_a_person_decides_about_a_key_that_could_not_be_tested() {
    let groq = Groq::taking(KEY).await;
    let (home, away) = (groq.home(), home("http://127.0.0.1:9/openai/v1"));
    const QUESTION: &str = "Write it all the same? [y/N]";
    const OTHER: &str = "odd-hush-hush-0123456789";
    #[rustfmt::skip]
    let rows = [
        // provider           key                             answer          exit  written
        (&away, "groq",       KEY,                            Some("y\n"),   0,    true),
        (&away, "groq",       KEY,                            Some("\n"),    1,    false),
        (&away, "groq",       OTHER,                          Some("no\n"),  1,    false),
        (&away, "groq",       OTHER,                          Some("YES\n"), 0,    true),
        (&home, "groq",       KEY,                            None,           0,    true),
        // Only a chat request would tell, so only its shape is known.
        (&home, "nvidia",     OTHER,                          Some("n\n"),   1,    false),
        (&home, "nvidia",     "nvapi-hush-hush-0123456789",   None,           0,    true),
    ];
    for (home, provider, key, answer, code, written) in rows {
        let program =
            at(home.path(), &format!("key add {provider}")).file(".env", "PROXY_API_KEY=x\n");
        let dir = Arc::clone(&program.dir);
        let mut answers = vec![("Key of ", format!("{key}\n"))];
        answers.extend(answer.map(|answer| (QUESTION, answer.to_owned())));
        let (ended, said) = at_terminal(program, answers).await;
        assert_eq!(ended, Some(code), "{provider} {answer:?}: {said}");
        assert_eq!(said.contains(QUESTION), answer.is_some(), "{said}");
        assert_eq!(
            said.contains("It does not look like"),
            key == OTHER,
            "{said}"
        );
        assert!(!said.contains("hush"), "{said}");
        let text = std::fs::read_to_string(dir.path().join(".env")).unwrap();
        assert_eq!(text.contains(key), written, "{provider} {answer:?}");
    }
}

#[tokio::test]
async fn s10_1_a_typed_key_is_sent_to_no_address_from_a_folder() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = trap.local_addr().unwrap();
    let settings = format!("PROXY_API_KEY=x\nUPSTREAM_BASE_URL=http://{address}/api/v1\n");
    let ran = Program::new("key add openrouter")
        .file(".env", &settings)
        .typed("sk-or-v1-hush-hush-0123")
        .await;
    assert!(
        ran.stdout
            .contains("UPSTREAM_BASE_URL is set by the .env in this folder"),
        "{ran:?}"
    );
    hushed(&ran);
    let waiting = std::future::ready(());
    tokio::select! {
        biased;
        _ = trap.accept() => panic!("it went there"),
        () = waiting => {}
    }
}

#[tokio::test]
async fn s10_1_a_key_on_the_command_line_is_refused_and_not_repeated() {
    #[rustfmt::skip]
    let rows = [
        ("key add groq gsk_hush-hush-0123456789",        "does not belong on the command line"),
        ("key add gsk_hush-hush-0123456789",             "does not belong on the command line"),
        ("key add groq -- gsk_hush-hush-0123456789",     "does not belong on the command line"),
        ("key add groq --key=gsk_hush-hush-0123456789",  "keys have no flag"),
        ("key add grok",                                 "grok: there is no such provider; did you mean groq?"),
        ("key add nobody",                               "`free-llm-proxy providers` lists them"),
        ("key add",                                      "<PROVIDER>"),
    ];
    for (arguments, expected) in rows {
        let ran = Program::new(arguments).run().await;
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(2), ""),
            "{arguments}: {ran:?}"
        );
        assert!(ran.stderr.contains(expected), "{arguments}: {ran:?}");
        hushed(&ran);
    }
}

/// Answers these questions as they come, and returns everything the terminal showed.
fn answer(mut person: std::fs::File, answers: Vec<(&'static str, String)>) -> String {
    let mut said = Vec::new();
    let mut seen = 0;
    for (question, answer) in answers {
        loop {
            let text = String::from_utf8_lossy(&said).into_owned();
            if let Some(at) = text.get(seen..).and_then(|rest| rest.find(question)) {
                seen += at + question.len();
                break;
            }
            let mut bytes = [0; 1024];
            let count = person.read(&mut bytes).unwrap();
            said.extend_from_slice(&bytes[..count]);
        }
        person.write_all(answer.as_bytes()).unwrap();
    }
    let mut bytes = [0; 1024];
    // A terminal whose program has ended ends with an error.
    while let Ok(count @ 1..) = person.read(&mut bytes) {
        said.extend_from_slice(&bytes[..count]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

async fn at_terminal(
    program: Program,
    answers: Vec<(&'static str, String)>,
) -> (Option<i32>, String) {
    let (person, terminal) = terminal();
    let ran = program.run_at(terminal);
    let person = tokio::task::spawn_blocking(move || answer(person, answers));
    let (code, said) = tokio::join!(ran, person);
    (code, said.unwrap())
}

#[tokio::test]
async fn s10_1_a_key_that_is_typed_at_a_terminal_is_not_shown() {
    let groq = Groq::taking(KEY).await;
    let home = groq.home();
    #[rustfmt::skip]
    let rows = [
        // what is typed                               exit  written
        (format!("{KEY}\n"),                           0,    true),
        (format!("wrong\x15{}x\x7f\r", KEY),           0,    true),
        ("hush-hush\x03".to_owned(),                   1,    false),
        ("\x04".to_owned(),                            1,    false),
        ("\n".to_owned(),                              1,    false),
    ];
    for (typed, expected, written) in rows {
        let program = at(home.path(), "key add groq").file(".env", "PROXY_API_KEY=x\n");
        let path = program.dir.path().join(".env");
        let dir = Arc::clone(&program.dir);
        let (code, said) = at_terminal(program, vec![("Key of Groq", typed.clone())]).await;
        assert_eq!(code, Some(expected), "{typed:?}: {said}");
        assert!(!said.contains("hush"), "{said}");
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            text.contains(&format!("GROQ_API_KEY={KEY}\n")),
            written,
            "{typed:?}"
        );
        drop(dir);
    }
}

#[tokio::test]
async fn s10_1_init_asks_which_keys_there_are() {
    let cloudflare = "cf-hush-hush-0123456789".to_owned();
    let answers = vec![
        ("> ", "groq, nobody cloudfare\n".to_owned()),
        // Told at once, not after all the keys.
        ("did you mean cloudflare?", String::new()),
        ("> ", "cloudflare gemini\n".to_owned()),
        ("Key of Groq", format!("{KEY}\n")),
        ("Key of Cloudflare", format!("{cloudflare}\n")),
        ("CLOUDFLARE_ACCOUNT_ID", "0123abcd\n".to_owned()),
        ("Key of Google", "\n".to_owned()),
    ];
    let program = Program::new("init");
    let dir = Arc::clone(&program.dir);
    let (code, said) = at_terminal(program, answers).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("hush"), "{said}");
    assert!(said.contains("nobody: there is no such provider"), "{said}");
    let text = std::fs::read_to_string(dir.path().join(".env")).unwrap();
    for line in [
        format!("GROQ_API_KEY={KEY}"),
        format!("CLOUDFLARE_API_TOKEN={cloudflare}"),
        "CLOUDFLARE_ACCOUNT_ID=0123abcd".to_owned(),
        "#GEMINI_API_KEY=".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    let ran = Program::within(&dir, "providers --json").run().await;
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let on = told["providers"].as_array().unwrap().iter();
    let on: Vec<_> = on
        .filter(|row| row["on"] == true)
        .map(|row| &row["provider"])
        .collect();
    assert_eq!(on, ["groq", "cloudflare"]);
    // Without a terminal no questions are asked.
    let ran = Program::new("init").run().await;
    assert_eq!(ran.code, Some(0));
    assert!(!ran.stdout.contains("have a key for"), "{ran:?}");
}

#[tokio::test]
async fn s10_1_init_takes_a_key_that_is_pasted_where_a_name_belongs() {
    let answers = vec![
        ("> ", format!("{KEY} sk-anybodys-0123456789\n")),
        ("That is a key of Groq: taken.", String::new()),
        ("it does not tell whose", String::new()),
        ("> ", "\n".to_owned()),
    ];
    let program = Program::new("init");
    let dir = Arc::clone(&program.dir);
    let (code, said) = at_terminal(program, answers).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("It has GROQ_API_KEY from what you typed."),
        "{said}"
    );
    assert!(
        !said.contains("Key of"),
        "it is not asked for again: {said}"
    );
    assert!(said.contains("/v1 with the PROXY_API_KEY") && !said.contains("/api/v1"));
    let text = std::fs::read_to_string(dir.path().join(".env")).unwrap();
    let line = format!("GROQ_API_KEY={KEY}");
    assert!(text.lines().any(|found| found == line), "{text}");
    assert!(!text.contains("anybodys"), "{text}");
    // What is not written ends with 1.
    let (code, said) = at_terminal(
        Program::new("init"),
        vec![
            ("> ", "groq\n".to_owned()),
            ("Key of Groq", "\x03".to_owned()),
        ],
    )
    .await;
    assert_eq!(code, Some(1), "{said}");
}

#[tokio::test]
async fn s10_8_check_has_a_line_for_every_key() {
    let groq = Groq::taking(KEY).await;
    let home = groq.home();
    #[rustfmt::skip]
    let rows = [
        // settings                                                       exit  said
        (format!("GROQ_API_KEY={KEY}"),                                   "ok    groq: GROQ_API_KEY in .env (key tail is ...WXYZ (len=29)) works; limits (default): 1,000 requests"),
        ("GROQ_API_KEY=gsk_hush-hush-wrong".to_owned(),                   "BAD   groq: GROQ_API_KEY in .env (key tail is ...rong (len=19)) is refused (HTTP 401). Create one at https://console.groq.com/keys"),
        (format!("GROQ_API_KEY='{KEY} gsk_hush-hush-wrong'"),             "BAD   groq#2: GROQ_API_KEY in .env (key tail is ...rong (len=19)) is refused"),
        (format!("GROQ_API_KEY={KEY}\nLOCAL_BASE_URL={}\nLOCAL_API_KEY={KEY}\nLOCAL_CONCURRENCY=3", groq.base), "limits (set): 3 at once; (default): what your own machine can do"),
        ("LOCAL_BASE_URL=http://127.0.0.1:9/v1".to_owned(),               "BAD   local: http://127.0.0.1:9 cannot be reached"),
    ];
    for (settings, expected) in rows {
        let ran = at(home.path(), "check")
            .file(
                ".env",
                &format!("PROXY_API_KEY=proxy-key-for-tests\n{settings}\n"),
            )
            .env("MODELS_LIST_URL", "http://127.0.0.1:9/list")
            // Through which nothing on this machine is asked.
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .run()
            .await;
        let code = i32::from(expected.starts_with("BAD"));
        assert!(ran.stdout.contains(expected), "{expected}\n{ran:?}");
        assert!(ran.stdout.contains("warn  the ranking at"), "{ran:?}");
        assert_eq!(ran.code, Some(code), "{ran:?}");
        hushed(&ran);
    }
}
