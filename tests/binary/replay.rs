//! §11.8: a trace that the program writes, and `replay`, which plays it.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use serde_json::json;
use simulator::{Script, Step};

use crate::program::{PROXY_KEY, Program, Ran, UPSTREAM_KEY};
use crate::upstream::Outside;

const WORDS: &str = "words that nobody else is to see";

/// Fails with one line of these words.
fn failed(ran: &Ran, code: i32, words: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{ran:?}");
    assert!(ran.stderr.contains(words), "{words} in {ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
}

#[tokio::test]
async fn s11_8_what_a_proxy_wrote_is_played_again() {
    let fails = Step::status(503, &[], "");
    let script = Script::new().model("inclusionai/ling-2.6-flash:free", fails);
    let outside = Outside::with(script).await;
    let program = outside.program("").env("TRACE_FILE", "trace.jsonl");
    let dir = Arc::clone(&program.dir);
    let mut serving = program.ready().await;
    for stream in [false, true, true] {
        let body = json!({"stream": stream, "messages": [{"role": "user", "content": WORDS}]});
        let answer = serving.chat(&body).await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap();
    }
    serving.signal("TERM");
    serving.ended().await;
    let path = dir.path().join("trace.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4, "the first asked two: {text}");
    for secret in [WORDS, PROXY_KEY, UPSTREAM_KEY] {
        assert!(!text.contains(secret), "{text}");
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // No key is needed for it.
    let ran = Program::within(&dir, "replay trace.jsonl").run().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let row = |name: &str| {
        let found = ran.stdout.lines().find(|line| line.starts_with(name));
        let cells = found.unwrap().split('|').map(str::trim);
        cells.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(
        ran.stdout.starts_with("Replayed 3 requests made within "),
        "{ran:?}"
    );
    let (recorded, rank) = (row("| as recorded"), row("| rank"));
    assert_eq!(recorded[3], "100.0", "all were answered: {ran:?}");
    assert_eq!(rank[2..10], recorded[2..10], "it was rank that chose");
    assert_eq!(row("| balanced")[3], "100.0");

    // What was written before is read first.
    let older = text.lines().take(2).collect::<Vec<_>>().join("\n");
    std::fs::write(dir.path().join("trace.jsonl.2"), older).unwrap();
    let newer = text.lines().skip(2).collect::<Vec<_>>().join("\n");
    std::fs::write(&path, newer + "\n{\"trace\":1,\"ru").unwrap();
    let again = Program::within(&dir, "replay trace.jsonl").run().await;
    let of_the_table = |ran: &Ran| ran.stdout.split_once("\n\n").unwrap().1.to_owned();
    assert_eq!(of_the_table(&again), of_the_table(&ran));
    assert!(
        again
            .stdout
            .contains("Lines skipped because they are not part of a trace: 1."),
        "{again:?}"
    );
}

#[tokio::test]
async fn s11_8_a_limit_on_the_size_of_files_ends_no_proxy_and_is_said_once() {
    /// Room for one line, and not for two.
    const ROOM: u64 = 1_000;
    let outside = Outside::with(Script::new()).await;
    let program = outside.program("").env("TRACE_FILE", "trace.jsonl");
    let path = program.dir.path().join("trace.jsonl");
    let mut serving = program.ready().await;
    serving.allow_file_bytes(ROOM);
    for _ in 0..5 {
        let answer = serving.chat(&json!({"messages": []})).await;
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap();
    }
    let told = serving.logged("trace_lines_dropped").await;
    let error = told["error"].as_str().unwrap();
    assert!(error.contains("File too large"), "{told}");
    serving.signal("TERM");
    assert_eq!(serving.ended().await.code(), Some(0));
    let lines = serving.stdout.all();
    let times = lines
        .iter()
        .filter(|line| line.contains("trace_lines_dropped"));
    assert_eq!(times.count(), 1, "{lines:#?}");
    assert!(std::fs::metadata(&path).unwrap().len() <= ROOM);
}

#[tokio::test]
async fn s11_8_what_cannot_be_played_is_said_in_a_line() {
    let program = |arguments| {
        let line = json!({"trace": 1, "run": "r", "request": 1, "at_ms": 0, "session": null, "stream": true,
            "named": true, "needs": [], "prompt_tokens": 1, "ended": "unasked", "asked": null});
        Program::new(arguments)
            .file("empty", "")
            .file("letter", "Dear Sir,\n\nI remain\n")
            .file("named", &line.to_string())
            .file(
                "fine",
                &line
                    .to_string()
                    .replace("\"named\":true", "\"named\":false"),
            )
    };
    #[rustfmt::skip]
    let rows = [
        ("replay none",                         1, "none cannot be read: No such file"),
        ("replay .",                            1, ". cannot be read: "),
        ("replay /dev/null",                    1, "/dev/null cannot be read: it is not a file"),
        ("replay empty",                        1, "empty is empty: a proxy that runs with TRACE_FILE=empty fills it"),
        ("replay letter",                       1, "letter is not a trace: none of its 2 lines"),
        ("replay named",                        1, "named has no request to replay"),
        ("replay fine --learn-half-life-sec 0", 2, "LEARN_HALF_LIFE_SEC"),
    ];
    for (arguments, code, words) in rows {
        failed(&program(arguments).run().await, code, words);
    }
    let ran = program("replay fine").run().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
}

#[tokio::test]
async fn s11_8_a_trace_that_cannot_be_written_keeps_the_proxy_from_starting() {
    #[rustfmt::skip]
    let rows = [
        (".",         "must be a file, not a directory"),
        (".env",      "holds something other than a trace"),
        ("no/trace",  "cannot be written: No such file or directory"),
        ("/dev/full", "must be a file, not a directory"),
    ];
    for (path, words) in rows {
        let program = Program::with_keys("").env("TRACE_FILE", path);
        let ran = program.file(".env", "LOG_LEVEL=INFO\n").run().await;
        failed(&ran, 2, &format!("TRACE_FILE={path}: {words}"));
    }
}
