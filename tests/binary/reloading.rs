//! §12.2: settings that change while the program runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::SystemTime;

use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::{Script, Step};

use crate::program::{PROXY_KEY, Program, Serving, UPSTREAM_KEY};
use crate::upstream::Outside;

/// Settings of one's own in a file, and these.
fn settings(outside: &Outside, more: &str) -> String {
    format!(
        "OPENROUTER_API_KEY={UPSTREAM_KEY}\nPROXY_API_KEY={PROXY_KEY}\nHOST=127.0.0.1\nPORT=0\nROUTING=rank\n\
         MODELS_LIST_URL={}\nUPSTREAM_BASE_URL={}\n{more}",
        outside.list_url(),
        outside.base_url()
    )
}

/// The program with these settings in its `.env`.
fn program(outside: &Outside, more: &str) -> Program {
    Program::new("").file(".env", &settings(outside, more))
}

async fn chat(serving: &Serving) -> u16 {
    let answer = serving.chat(&json!({"messages": []})).await;
    answer.status().as_u16()
}

async fn state(serving: &Serving) -> Value {
    let url = format!("http://{}/admin/state", serving.address);
    let asked = Serving::client().get(url).bearer_auth(PROXY_KEY);
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["settings"].clone()
}

fn lines(serving: &Serving, event: &str) -> Vec<Value> {
    let lines = serving.stdout.all();
    let lines = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == event).collect()
}

#[tokio::test]
async fn s12_2_a_wrong_key_is_mended_in_the_file_and_the_next_request_is_answered() {
    let outside = Outside::with(Script {
        upstream_key: Some(UPSTREAM_KEY.to_owned()),
        ..Script::new()
    })
    .await;
    let wrong = "sk-or-v1-yesterdays-key-that-was-deleted";
    let right = settings(&outside, "");
    let started = Program::new("").file(".env", &right.replace(UPSTREAM_KEY, wrong));
    let dir = std::sync::Arc::clone(&started.dir);
    let serving = started.ready().await;
    assert_eq!(chat(&serving).await, 502);
    fs::write(dir.path().join(".env"), &right).unwrap();
    let told = serving.logged("settings_reloaded").await;
    assert_eq!(told["changed"], json!(["OPENROUTER_API_KEY"]), "{told}");
    assert_eq!(told["needs_restart"], json!([]), "{told}");
    assert_eq!(chat(&serving).await, 200);
    let found = lines(&serving, "account_found");
    assert_eq!(found.len(), 2, "one at the start, one with the new key");
    let said = serving.stdout.all().concat();
    assert!(
        !said.contains(UPSTREAM_KEY) && !said.contains(wrong),
        "{said}"
    );
}

/// How a file comes to contain something else, in a folder with `.env` or with what the row begins with.
type Way = fn(&Path, &Outside);

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[tokio::test]
async fn s12_2_every_way_to_change_a_file_is_noticed() {
    let attempts = |count| format!("MAX_FALLBACK_ATTEMPTS={count}\n");
    let kubernetes: Way = |dir, outside| {
        for version in ["1", "2"] {
            fs::create_dir(dir.join(format!("..v{version}"))).unwrap();
            let text = settings(outside, &format!("MAX_FALLBACK_ATTEMPTS={version}\n"));
            write(&dir.join(format!("..v{version}/.env")), &text);
        }
        symlink("..v1", dir.join("..data")).unwrap();
        fs::remove_file(dir.join(".env")).ok();
        symlink("..data/.env", dir.join(".env")).unwrap();
    };
    #[rustfmt::skip]
    let rows: Vec<(&str, Way, Way, &str)> = vec![
        // what                  before                            the change      what has changed
        ("written",              |_, _| {}, |dir, outside| {
            write(&dir.join(".env"), &settings(outside, "MAX_FALLBACK_ATTEMPTS=2\n"));
        }, "MAX_FALLBACK_ATTEMPTS"),
        ("moved into its place", |_, _| {}, |dir, outside| {
            write(&dir.join("new"), &settings(outside, "MAX_FALLBACK_ATTEMPTS=2\n"));
            fs::rename(dir.join("new"), dir.join(".env")).unwrap();
        }, "MAX_FALLBACK_ATTEMPTS"),
        ("same length and time", |_, _| {}, |dir, outside| {
            let path = dir.join(".env");
            let time = fs::metadata(&path).and_then(|is| is.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            write(&path, &settings(outside, "MAX_FALLBACK_ATTEMPTS=2\n"));
            fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        }, "MAX_FALLBACK_ATTEMPTS"),
        ("a link two up swapped", kubernetes, |dir, _| {
            symlink("..v2", dir.join("..new")).unwrap();
            fs::rename(dir.join("..new"), dir.join("..data")).unwrap();
        }, "MAX_FALLBACK_ATTEMPTS"),
        ("a file of a key",      |dir, outside| {
            let folder = dir.join(".config/free-llm-proxy");
            fs::create_dir_all(&folder).unwrap();
            write(&folder.join("key"), PROXY_KEY);
            let text = settings(outside, "PROXY_API_KEY_FILE=key\n");
            write(&folder.join("env"), &text.replace(&format!("PROXY_API_KEY={PROXY_KEY}\n"), ""));
            fs::remove_file(dir.join(".env")).unwrap();
        }, |dir, _| {
            write(&dir.join(".config/free-llm-proxy/key"), &format!("{PROXY_KEY},another-key-for-tests"));
        }, "PROXY_API_KEY PROXY_API_KEY_FILE"),
        ("a file that appears",  |dir, _| fs::create_dir_all(dir.join(".config/free-llm-proxy")).unwrap(), |dir, _| {
            write(&dir.join(".config/free-llm-proxy/config.toml"), "[[errors]]\nprovider = 'groq'\nmatch = 'x'\nmeans = 'overloaded'\n");
        }, "CONFIG_FILE"),
        ("one that vanishes",    |dir, _| {
            fs::create_dir_all(dir.join(".config/free-llm-proxy")).unwrap();
            write(&dir.join(".config/free-llm-proxy/env"), "MODEL_FIELD=pin\n");
        }, |dir, _| fs::remove_file(dir.join(".config/free-llm-proxy/env")).unwrap(), "MODEL_FIELD"),
        ("in place of a folder", |dir, outside| {
            fs::create_dir_all(dir.join(".config/free-llm-proxy")).unwrap();
            write(&dir.join(".config/free-llm-proxy/env"), &settings(outside, ""));
            fs::remove_file(dir.join(".env")).unwrap();
            fs::create_dir(dir.join(".env")).unwrap();
        }, |dir, _| {
            fs::remove_dir(dir.join(".env")).unwrap();
            write(&dir.join(".env"), "MODEL_FIELD=prefer\n");
        }, "MODEL_FIELD"),
    ];
    let outside = &Outside::with(Script::new()).await;
    let text = &settings(outside, &attempts(1));
    let runs = rows
        .into_iter()
        .map(|(what, before, change, changed)| async move {
            let program = Program::new("").file(".env", text);
            let dir = std::sync::Arc::clone(&program.dir);
            before(dir.path(), outside);
            let home = dir.path().to_str().unwrap();
            let serving = program.env("HOME", home).ready().await;
            change(dir.path(), outside);
            let told = serving.logged("settings_reloaded").await;
            let names: Vec<_> = changed.split(' ').collect();
            assert_eq!(told["changed"], json!(names), "{what}: {told}");
            assert_eq!(told["shadowed"], json!({}), "{what}: {told}");
            assert_eq!(chat(&serving).await, 200, "{what}");
            assert_eq!(
                lines(&serving, "settings_refused"),
                [Value::Null; 0],
                "{what}"
            );
        });
    join_all(runs).await;
}

#[tokio::test]
async fn s12_2_a_change_that_does_not_check_out_changes_nothing_and_is_said_once() {
    #[rustfmt::skip]
    let rows = [
        // what is written                       why it is refused
        ("",                                     ".env is empty now"),
        ("\n \n",                                ".env is empty now"),
        ("PROXY_API_KEY=a-key-and-nothing-else", "OPENROUTER_API_KEY"),
        ("MODEL_FIELD=perhaps",                  "MODEL_FIELD=\"perhaps\""),
    ];
    let outside = &Outside::with(Script::new()).await;
    let runs = rows.into_iter().map(|(text, why)| async move {
        let program = program(outside, "");
        let path = program.dir.path().join(".env");
        let serving = program.ready().await;
        let is_whole = text.contains("MODEL_FIELD");
        let before = settings(outside, "");
        write(
            &path,
            &if is_whole {
                before.clone() + text
            } else {
                text.to_owned()
            },
        );
        let told = serving.logged("settings_refused").await;
        assert!(
            told["problems"]
                .to_string()
                .contains(&why.replace('"', "\\\"")),
            "{text:?}: {told}"
        );
        assert_eq!(chat(&serving).await, 200, "{text:?}");
        let refused = state(&serving).await;
        assert_eq!(refused["refused"], told["problems"], "{text:?}");
        // As before, but for a line: mended.
        write(&path, &(before + "MAX_FALLBACK_ATTEMPTS=3\n"));
        let told = serving.logged("settings_reloaded").await;
        assert_eq!(
            told["changed"],
            json!(["MAX_FALLBACK_ATTEMPTS"]),
            "{text:?}"
        );
        assert_eq!(state(&serving).await["refused"], json!([]), "{text:?}");
        assert_eq!(lines(&serving, "settings_refused").len(), 1, "{text:?}");
    });
    join_all(runs).await;
}

#[tokio::test]
async fn s12_2_what_waits_for_a_restart_and_what_is_shadowed_is_named() {
    let [one, other] = [
        Outside::with(Script::new()).await,
        Outside::with(Script::new()).await,
    ];
    let (one, other) = (&one, &other);
    #[rustfmt::skip]
    let rows = [
        // before       after                              changed                         waits for a restart
        ("",            "METRICS_ADDR=127.0.0.1:1\n",      "METRICS_ADDR",                 "METRICS_ADDR"),
        ("",            "WORKER_THREADS=1\nNO_PROXY=x\n",  "NO_PROXY WORKER_THREADS",      "NO_PROXY WORKER_THREADS"),
        ("",            "ALLOW_PAID=on\nMODEL_FIELD=pin\n", "ALLOW_PAID MODEL_FIELD",      "ALLOW_PAID"),
        ("ALLOW_PAID=on\n", "",                            "ALLOW_PAID",                   "ALLOW_PAID"),
        ("",            "TRACE_FILE=t\n",                  "TRACE_FILE",                   "TRACE_FILE"),
        ("",            "elsewhere",                       "UPSTREAM_BASE_URL",            "UPSTREAM_BASE_URL"),
        // An unset default, said.
        ("",            "ALLOW_PAID=false\n",              "ALLOW_PAID",                   ""),
    ];
    let runs = rows
        .into_iter()
        .map(|(before, after, changed, waits)| async move {
            let program = program(one, before);
            let path = program.dir.path().join(".env");
            let serving = program.ready().await;
            let text = match after {
                "elsewhere" => settings(one, "").replace(&one.base_url(), &other.base_url()),
                after => settings(one, after),
            };
            write(&path, &text);
            let told = serving.logged("settings_reloaded").await;
            let names = |names: &str| json!(names.split_whitespace().collect::<Vec<_>>());
            assert_eq!(told["changed"], names(changed), "{after}: {told}");
            let mut expected = told["needs_restart"].clone();
            if let Some(list) = expected.as_array_mut() {
                list.sort_by_key(Value::to_string);
            }
            assert_eq!(expected, names(waits), "{after}: {told}");
            assert_eq!(
                state(&serving).await["needs_restart"],
                told["needs_restart"]
            );
            assert_eq!(chat(&serving).await, 200, "{after}");
            let seen = other.simulator.models_asked();
            assert_eq!(seen, [""; 0], "no key went elsewhere");
        });
    join_all(runs).await;
    let shadowed = program(one, "").env("MODEL_FIELD", "prefer");
    let path = shadowed.dir.path().join(".env");
    let serving = shadowed.ready().await;
    write(&path, &settings(one, "MODEL_FIELD=pin\n"));
    let told = serving.logged("settings_reloaded").await;
    assert_eq!(told["changed"], json!([]), "{told}");
    assert_eq!(
        told["shadowed"],
        json!({"MODEL_FIELD": "the environment"}),
        "{told}"
    );
}

#[tokio::test]
async fn s12_2_a_hangup_without_a_terminal_looks_at_once_and_the_log_level_follows() {
    let fails = Step::status(500, &[], "no");
    let outside = Outside::with(Script::new().account(fails)).await;
    let program = program(&outside, "").without_terminal();
    let path = program.dir.path().join(".env");
    let mut serving = program.ready().await;
    serving.signal("HUP");
    let told = serving.logged("settings_reloaded").await;
    assert_eq!(told["changed"], json!([]), "{told}");
    chat(&serving).await;
    assert_eq!(lines(&serving, "attempt_failed"), [Value::Null; 0]);
    write(&path, &settings(&outside, "LOG_LEVEL=DEBUG\n"));
    let is_it = |line: &str| line.contains("\"LOG_LEVEL\"").then_some(());
    serving.stdout.find(is_it).await;
    chat(&serving).await;
    serving.logged("attempt_failed").await;
    serving.signal("TERM");
    assert_eq!(serving.ended().await.code(), Some(0));
}
