//! §12.3: what outlives the program, whatever happens to its file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Plan, PlanEnd, Script, Step};
use tempfile::TempDir;

use crate::program::{PROXY_KEY, Program, Ran, Serving, UPSTREAM_KEY};
use crate::upstream::Outside;

const WORDS: &str = "words that nobody else is to see";
const FIRST: &str = "inclusionai/ling-2.6-flash:free";

/// Asks once.
async fn ask(serving: &Serving) {
    let body = json!({"messages": [{"role": "user", "content": WORDS}]});
    let answer = serving.chat(&body).await;
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap();
}

async fn state(serving: &Serving) -> Value {
    let url = format!("http://{}/admin/state", serving.address);
    let request = Serving::client().get(url).bearer_auth(PROXY_KEY);
    request.send().await.unwrap().json().await.unwrap()
}

fn model<'a>(state: &'a Value, id: &str) -> &'a Value {
    let mut models = state["models"].as_array().unwrap().iter();
    models.find(|model| model["id"] == id).unwrap()
}

/// Stops it, and waits until it has.
async fn stop(mut serving: Serving) {
    serving.signal("TERM");
    assert_eq!(serving.ended().await.code(), Some(0));
}

/// The program in this folder, with its state in `state` there.
fn kept(outside: &Outside, dir: &Arc<TempDir>) -> Program {
    let program = Program::within(dir, "")
        .env("OPENROUTER_API_KEY", UPSTREAM_KEY)
        .env("PROXY_API_KEY", PROXY_KEY)
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .env("ROUTING", "rank")
        .env("MODELS_LIST_URL", &outside.list_url())
        .env("UPSTREAM_BASE_URL", &outside.base_url());
    program.env("STATE", "file:state")
}

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

/// The first model is limited for ten minutes.
async fn limited() -> Outside {
    let limited = Step::status(429, &[("Retry-After", "600")], "");
    Outside::with(Script::new().model(FIRST, Plan::from([limited]).then(PlanEnd::Ok))).await
}

#[tokio::test]
async fn s12_3_a_rest_outlives_a_restart_and_no_secret_is_in_the_file() {
    let (outside, dir) = (limited().await, folder());
    let file = dir.path().join("state");
    let serving = kept(&outside, &dir).ready().await;
    ask(&serving).await;
    let known = state(&serving).await;
    assert_eq!(known["state"]["kind"], "file");
    assert_eq!(known["state"]["problem"], Value::Null);
    assert!(known["state"]["written_at"].is_string(), "{known}");
    stop(serving).await;
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("free-llm-proxy state 1\n{"), "{text}");
    for secret in [WORDS, PROXY_KEY, UPSTREAM_KEY, "WXYZ"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let serving = kept(&outside, &dir).ready().await;
    let known = state(&serving).await;
    assert_eq!(model(&known, FIRST)["state"], "resting");
    let left = model(&known, FIRST)["resting_sec"].as_u64().unwrap();
    assert!((500..=600).contains(&left), "{left}");
    let because = &model(&known, FIRST)["because"];
    assert_eq!(because["outcome"], "rate_limited", "{because}");
    let asked = outside.simulator.models_asked().len();
    ask(&serving).await;
    let newly = outside.simulator.models_asked().split_off(asked);
    assert!(!newly.contains(&FIRST.to_owned()), "{newly:?}");
    stop(serving).await;

    // The rest is the model's, by whatever account; what the account has used is not another's.
    let other = kept(&outside, &dir).env("OPENROUTER_API_KEY", "sk-or-v1-another-key-0123456789");
    let serving = other.ready().await;
    assert_eq!(model(&state(&serving).await, FIRST)["state"], "resting");
    stop(serving).await;
}

#[tokio::test]
async fn s12_3_a_file_that_cannot_be_kept_ends_it_with_the_reason() {
    let outside = Outside::with(Script::new()).await;
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("letter"), "a letter").unwrap();
    fs::create_dir(at("folder")).unwrap();
    std::os::unix::fs::symlink("letter", at("link")).unwrap();
    let taken = kept(&outside, &dir)
        .env("STATE", "file:taken")
        .ready()
        .await;
    #[rustfmt::skip]
    let rows = [
        ("file:letter",       "STATE=file:letter: holds something other than our state"),
        ("file:link",         "STATE=file:link: holds something other than our state"),
        ("file:folder",       "STATE=file:folder: is not a file"),
        ("file:letter/state", "STATE=file:letter/state: cannot be written: Not a directory"),
        ("file:/proc/state",  "STATE=file:/proc/state: cannot be written: "),
        ("file:taken",        "STATE=file:taken: is being used by another free-llm-proxy"),
        ("file:",             "STATE=\"file:\": names no file"),
        ("redis://localhost", "STATE=\"redis://localhost\": a shared store is not supported yet"),
        ("disk",              "STATE=\"disk\": must be memory, or file: and a path"),
    ];
    for (setting, expected) in rows {
        let Ran { code, stderr, .. } = kept(&outside, &dir).env("STATE", setting).run().await;
        assert_eq!(code, Some(2), "{setting}: {stderr}");
        assert!(stderr.contains(expected), "{setting}: {stderr}");
    }
    assert_eq!(fs::read(at("letter")).unwrap(), b"a letter");
    stop(taken).await;
}

#[tokio::test]
async fn s12_3_what_cannot_be_read_is_put_aside_with_a_warning() {
    let outside = limited().await;
    let whole = {
        let dir = folder();
        let serving = kept(&outside, &dir).ready().await;
        ask(&serving).await;
        stop(serving).await;
        fs::read_to_string(dir.path().join("state")).unwrap()
    };
    #[rustfmt::skip]
    let rows = [
        (whole.split_at(whole.len() / 2).0.to_owned(),  "is damaged"),
        ("free-llm-proxy state 1\n\u{0}\u{1}".to_owned(), "is damaged"),
        (whole.replacen("state 1", "state 2", 1),       "was written by a newer version (2)"),
    ];
    for (text, expected) in rows {
        let dir = folder();
        fs::write(dir.path().join("state"), &text).unwrap();
        let serving = kept(&outside, &dir).ready().await;
        let told = serving.logged("state_unreadable").await;
        assert_eq!(told["level"], "WARNING");
        let error = told["error"].as_str().unwrap();
        assert!(error.starts_with(expected), "{error}");
        let aside = told["put_aside"].as_str().unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), text);
        stop(serving).await;
        assert!(is_whole(dir.path()), "it is written anew");
    }
}

/// Whether the file there can be read, or is not there yet.
fn is_whole(dir: &Path) -> bool {
    let Ok(text) = fs::read_to_string(dir.join("state")) else {
        return true;
    };
    let Some(json) = text.strip_prefix("free-llm-proxy state 1\n") else {
        return text.is_empty();
    };
    serde_json::from_str::<Value>(json).is_ok()
}

/// Wherever it is in what it does.
#[tokio::test]
async fn s12_3_a_program_that_is_killed_leaves_a_file_that_can_be_read() {
    let (outside, dir) = (limited().await, folder());
    let first = kept(&outside, &dir).ready().await;
    ask(&first).await;
    stop(first).await;
    let mut kills = 0;
    for round in 0..40_u64 {
        let mut serving = kept(&outside, &dir).start(([127, 0, 0, 1], 0).into());
        // It writes once when it starts, and again when it is told to stop.
        if round % 2 == 0 {
            serving.logged("serving").await;
            serving.signal("TERM");
        }
        let pause = if round % 2 == 0 { 300 } else { 3_000 };
        tokio::time::sleep(Duration::from_micros(round * pause)).await;
        if serving.runs() {
            serving.signal("KILL");
            kills += 1;
        }
        serving.ended().await;
        assert!(is_whole(dir.path()), "after kill {round}");
    }
    assert!(kills > 10, "{kills}");
    let serving = kept(&outside, &dir).ready().await;
    assert_eq!(model(&state(&serving).await, FIRST)["state"], "resting");
    assert!(!dir.path().join("state.bad").exists());
    stop(serving).await;
    let left = fs::read_dir(dir.path()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let litter: Vec<_> = left.filter(|name| name.ends_with(".tmp")).collect();
    assert_eq!(litter, [""; 0], "the next one sweeps");
}

/// As on a full disk: files may not grow beyond what they are.
#[tokio::test]
async fn s12_3_a_full_disk_keeps_the_file_from_before_and_is_told_once() {
    let (outside, dir) = (limited().await, folder());
    let serving = kept(&outside, &dir).ignoring("XFSZ").ready().await;
    let before = fs::read(dir.path().join("state")).unwrap();
    serving.allow_bytes(64);
    ask(&serving).await;
    let mut serving = serving;
    serving.signal("TERM");
    serving.logged("state_not_written").await;
    assert_eq!(serving.ended().await.code(), Some(0));
    let told = serving.stdout.all();
    let told = told
        .iter()
        .filter(|line| line.contains("state_not_written"));
    assert_eq!(told.count(), 1);
    assert_eq!(fs::read(dir.path().join("state")).unwrap(), before);
    let left = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "nothing half written");
}

#[tokio::test]
async fn s12_3_the_file_follows_a_key_that_is_changed_while_it_runs() {
    const OTHER: &str = "sk-or-v1-another-key-for-tests-ABCD";
    let (outside, dir) = (limited().await, folder());
    let settings = |key: &str| {
        let text = format!("OPENROUTER_API_KEY={key}\nPROXY_API_KEY={PROXY_KEY}\n");
        fs::write(dir.path().join(".env"), text).unwrap();
    };
    let serve = || {
        let program = kept(&outside, &dir).without("OPENROUTER_API_KEY");
        program.without("PROXY_API_KEY").env("STATE", "file:state")
    };
    let digest = || {
        let text = fs::read_to_string(dir.path().join("state")).unwrap();
        let (_, json) = text.split_once('\n').unwrap();
        let json: Value = serde_json::from_str(json).unwrap();
        json["accounts"][0]["keys"][0].as_str().unwrap().to_owned()
    };
    settings(UPSTREAM_KEY);
    let serving = serve().env("HOST", "127.0.0.1").ready().await;
    let first = digest();
    settings(OTHER);
    serving.logged("settings_reloaded").await;
    stop(serving).await;
    let second = digest();
    assert_ne!(first, second);
    let serving = serve().ready().await;
    assert_eq!(digest(), second, "by the same salt");
    stop(serving).await;
}
