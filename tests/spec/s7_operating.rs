//! §7, as the operator reads it: `docs/operating.md` describes every metric, log event and error
//! code and no other, and the dashboard and the alerts ask only for what `/metrics` gives.
//!
//! The reference comes from the program: metrics from a proxy that has seen everything, events and
//! codes from the places in the source that produce them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use free_llm_proxy::upstream::Unreachable;
use free_llm_proxy::verdict::{Cause, Outcome};
use serde_json::Value;
use simulator::{Failure, Step};

use crate::rig::{Rig, abc};
use crate::s3_long_waits;

const MANUAL: &str = "docs/operating.md";
const DASHBOARD: &str = "deploy/grafana/free-llm-proxy.json";

#[tokio::test]
async fn s7_the_manual_describes_every_metric_with_its_labels() {
    let served = served().await;
    let described: BTreeMap<String, BTreeSet<String>> = rows("## Metrics")
        .iter()
        .map(|name| match name.split_once('{') {
            Some((name, labels)) => {
                let labels = labels.trim_end_matches('}').split(',');
                (name.to_owned(), labels.map(ToOwned::to_owned).collect())
            }
            None => (name.clone(), BTreeSet::new()),
        })
        .collect();
    assert_eq!(described, served);
    asks_for_what_is_served(MANUAL, &read(MANUAL), &served);
}

#[tokio::test]
async fn s7_dashboard_and_alerts_ask_only_for_what_is_served() {
    let served = served().await;
    let mut askers = 0;
    for path in files(&root().join("deploy"), &["json", "yml"]) {
        let text = fs::read_to_string(&path).unwrap().replace("\\\"", "\"");
        let asked = asks_for_what_is_served(&path.display().to_string(), &text, &served);
        askers += usize::from(!asked.is_empty());
    }
    assert_eq!(askers, 3, "the dashboard, the alerts and their tests");
}

#[test]
fn s7_the_dashboard_can_be_imported_anywhere() {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    assert_eq!(dashboard["id"], Value::Null, "the importing side gives one");
    let variable = &dashboard["templating"]["list"][0];
    assert_eq!(
        (variable["name"].as_str(), variable["type"].as_str()),
        (Some("datasource"), Some("datasource"))
    );
    let mut places = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{target}");
        }
        let at = &panel["gridPos"];
        for x in 0..at["w"].as_u64().unwrap() {
            for y in 0..at["h"].as_u64().unwrap() {
                let cell = (at["x"].as_u64().unwrap() + x, at["y"].as_u64().unwrap() + y);
                assert!(
                    cell.0 < 24 && places.insert(cell),
                    "{cell:?} is taken: {panel}"
                );
            }
        }
    }
}

#[test]
fn s7_the_manual_describes_every_log_event() {
    let mut events = BTreeSet::new();
    for (path, code) in source() {
        for (at, call) in code.match_indices(".emit(") {
            let event = second_argument(&code, at + call.len());
            events.insert(event.unwrap_or_else(|| panic!("{path}: an event without a name")));
        }
        // With its own time before them, and the log's own event: it cannot queue what it says
        // about a full queue.
        for (at, call) in code
            .match_indices(".emit_at(")
            .chain(code.match_indices("= line("))
        {
            let at = at + call.len();
            let later = code.get(at..).unwrap().split_once(',').unwrap().0.len();
            events.extend(second_argument(&code, at + later + 1));
        }
    }
    assert_eq!(rows("## Log events"), events);
}

#[test]
fn s7_the_manual_describes_every_error_code() {
    let mut codes = BTreeSet::new();
    for (path, code) in source() {
        // `server` writes them as `View::new(status, "code", ...)`,
        let made_by = match path.as_str() {
            "src/server/error.rs" => Some("View::new("),
            "src/server/view.rs" => Some("Self::new("),
            _ => None,
        };
        for (at, call) in made_by
            .iter()
            .flat_map(|made_by| code.match_indices(made_by))
        {
            codes.extend(second_argument(&code, at + call.len()));
        }
        // the refusals of a body in `fn code`,
        for (at, _) in code.match_indices("fn code(") {
            let body = code.get(at..).unwrap().split("\n    }").next().unwrap();
            codes.extend(body.split('"').skip(1).step_by(2).map(ToOwned::to_owned));
        }
        // and prebuilt bodies as `"code":"..."`.
        for (at, mark) in code.match_indices("\"code\":\"") {
            let value = code.get(at + mark.len()..).unwrap();
            let word = value.split('"').next().filter(|word| is_word(word));
            codes.extend(word.map(ToOwned::to_owned));
        }
    }
    for known in ["missing_api_key", "invalid_json", "not_available"] {
        assert!(codes.contains(known), "{known} is found: {codes:?}");
    }
    // Those of a stream that broke (§5), and of a refusal without a code of its own (§4.2).
    codes.extend([
        Outcome::RateLimited.as_str().to_owned(),
        Outcome::UpstreamError.as_str().to_owned(),
        Cause::ShuttingDown.as_str().to_owned(),
        "upstream_<status>".to_owned(),
    ]);
    assert_eq!(rows("## Error codes"), codes);
}

#[test]
fn s7_the_manual_describes_every_cause() {
    let verdict = read("src/verdict/mod.rs");
    let (_, causes) = verdict.split_once("impl Cause {").unwrap();
    let causes = causes.split("\n}").next().unwrap();
    let causes = causes.split('"').skip(1).step_by(2);
    let causes: BTreeSet<_> = causes.map(ToOwned::to_owned).collect();
    assert_eq!(rows("## Causes of failed attempts"), causes);
    let unreachable = Unreachable::ALL.iter().map(|why| why.as_str().to_owned());
    assert_eq!(
        rows("## Causes of failed connections"),
        unreachable.collect()
    );
}

/// Every metric that `/metrics` gives, with its labels.
async fn served() -> BTreeMap<String, BTreeSet<String>> {
    // The day's end may be near.
    let settings = [("LONG_WAIT_SEC", "1"), ("ROUTING", "balanced")];
    let rig = Rig::with(abc(), &settings).await;
    for body in [Rig::hello(), Rig::hello_stream()] {
        assert_eq!(rig.chat(&body).await.status, 200);
    }
    // Free requests are only reported in a refusal, and only some clients are sent a different
    // status.
    rig.simulator
        .set_script(abc().others(Step::failure(Failure::DailyLimit)));
    let (path, client) = s3_long_waits::QWEN;
    let body = Rig::hello().to_string();
    let refused = rig
        .send("POST", path, &[("user-agent", client)], body)
        .await;
    assert_eq!(refused.status, 402);
    let text = rig.get("/metrics").await.text();
    let named = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let named = named.map(|line| line.split(' ').next().unwrap().to_owned());
    let mut served: BTreeMap<_, BTreeSet<String>> =
        named.map(|name| (name, BTreeSet::new())).collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, labels) = line.split_once('{').unwrap_or((line, ""));
        let name = family(series.split(' ').next().unwrap());
        let labels = labels.split("=\"").filter_map(|before| {
            let label = before.rsplit(['"', ',']).next()?;
            (!label.is_empty() && is_word(label)).then(|| label.to_owned())
        });
        let labels = labels.filter(|label| label != "le").collect::<Vec<_>>();
        served.get_mut(name).unwrap().extend(labels);
    }
    served
}

/// Fails unless each metric in `text`, and each label used with it in braces, is served; returns
/// the metrics it names.
fn asks_for_what_is_served(
    place: &str,
    text: &str,
    served: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<String> {
    let mut asked = BTreeSet::new();
    for (at, _) in text.match_indices("freellm_") {
        let rest = text.get(at..).unwrap();
        let end = rest.find(|c: char| !is_word(&c.to_string())).unwrap();
        let (name, behind) = rest.split_at(end);
        let name = family(name);
        let labels = served.get(name);
        let labels = labels.unwrap_or_else(|| panic!("{place}: no metric {name}"));
        let matchers = behind.strip_prefix('{').and_then(|b| b.split('}').next());
        for matcher in matchers.unwrap_or_default().split(',') {
            let label = matcher.split(['=', '!']).next().unwrap();
            assert!(
                ["", "job", "instance", "le"].contains(&label) || labels.contains(label),
                "{place}: {name} has no label {label}"
            );
        }
        asked.insert(name.to_owned());
    }
    asked
}

/// The metric to which a histogram's series belongs.
fn family(series: &str) -> &str {
    ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|suffix| series.strip_suffix(suffix))
        .unwrap_or(series)
}

fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What the tables below a heading of the manual describe: the words in code of each first cell.
fn rows(heading: &str) -> BTreeSet<String> {
    let manual = read(MANUAL);
    let (_, section) = manual.split_once(&format!("{heading}\n")).expect(heading);
    let section = section.split("\n## ").next().unwrap();
    let mut words = BTreeSet::new();
    for row in section.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cell = row.split(" | ").next().unwrap();
        for word in cell.split('`').skip(1).step_by(2) {
            assert!(words.insert(word.to_owned()), "{word} has two rows");
        }
    }
    words
}

/// The second argument of a call, if it is a word in quotes.
fn second_argument(code: &str, at: usize) -> Option<String> {
    let (first, second) = code.get(at..)?.split_once(',')?;
    if first.contains([';', '{']) {
        return None;
    }
    let word = second.trim_start().strip_prefix('"')?.split('"').next()?;
    Some(word.to_owned())
}

/// The program's source, without tests.
fn source() -> Vec<(String, String)> {
    let files = files(&root().join("src"), &["rs"]).into_iter();
    let files = files.map(|path| {
        let short = path.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        (short, code.to_owned())
    });
    files.filter(|(path, _)| !path.contains("tests")).collect()
}

fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, endings));
        } else if path
            .extension()
            .is_some_and(|ending| endings.iter().any(|e| ending == *e))
        {
            found.push(path);
        }
    }
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
