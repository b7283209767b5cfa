//! The report: the conditions, all tables, and the samples as JSON beside it.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::machine::{self, Cores};
use crate::rounds::Sample;
use crate::scenario::Scenario;
use crate::table::{self, Columns};
use crate::target::{Kind, Target};

/// What is needed to reproduce it.
pub(crate) struct Setting {
    lines: Vec<(String, String)>,
    pub(crate) cores: Cores,
}

impl Setting {
    pub(crate) fn look(targets: &[Target], cores: Cores, rounds: usize, quick: bool) -> Self {
        let told = |program: &str, arguments: &[&str]| {
            machine::told(program, arguments).unwrap_or_else(|| "unknown".into())
        };
        let mut lines = vec![
            ("date".into(), told("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
            ("processor".into(), machine::processor()),
            (
                "cores".into(),
                format!(
                    "{} in use: proxy on {}, upstream on {}, load on {}",
                    cores.count, cores.target, cores.upstream, cores.load
                ),
            ),
            ("kernel".into(), told("uname", &["-sr"])),
            (
                "rounds".into(),
                format!(
                    "{rounds}{}",
                    if quick {
                        ", quick: worth nothing but as proof that it runs"
                    } else {
                        ""
                    }
                ),
            ),
        ];
        for target in targets {
            let version = match &target.kind {
                Kind::Direct => continue,
                Kind::Nginx => told("nginx", &["-v"]),
                Kind::Peer(peer) => peer.version().unwrap_or_else(|| "unknown".into()),
                Kind::Ours(binary) => {
                    let path = binary.display().to_string();
                    format!("{} at {path}", told(&path, &["--version"]))
                }
            };
            lines.push((target.name.clone(), version));
        }
        Self { lines, cores }
    }
}

/// The whole report as Markdown.
pub(crate) fn markdown(
    setting: &Setting,
    scenarios: &[&'static Scenario],
    samples: &[Sample],
    targets: &[Target],
) -> String {
    let all: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let ours: Vec<&str> = targets
        .iter()
        .filter(|target| matches!(target.kind, Kind::Ours(_)))
        .map(|target| target.name.as_str())
        .collect();
    let columns = Columns::of(all.clone(), &ours);
    let mut text = String::from("## Benchmarks\n\n");
    for (name, value) in &setting.lines {
        text.push_str(&format!("- {name}: {value}\n"));
    }
    text.push_str(
        "\nA target's column has the median of its rounds. Behind it, `a : b` is the median of what both had in \
         the same round, and in brackets the least and the most of any round. Times with a sign are what \
         a target adds to the direct way, without a proxy.\n\n",
    );
    if let Some(caveat) = setting.cores.caveat() {
        text.push_str(&format!("**Note**: {caveat}.\n\n"));
    }
    for scenario in scenarios {
        text.push_str(&table::of(scenario, samples, &columns));
        text.push('\n');
    }
    let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name).collect();
    text.push_str(&format!(
        "Compared: {} in {}.\n",
        all.join(", "),
        names.join(", ")
    ));
    text
}

/// Writes report and samples into this directory.
pub(crate) fn save(
    directory: &Path,
    markdown: &str,
    setting: &Setting,
    samples: &[Sample],
) -> Result<()> {
    let about: serde_json::Map<String, Value> = setting
        .lines
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let samples: Vec<Value> = samples.iter().map(raw).collect();
    let samples = serde_json::to_string_pretty(&json!({"about": about, "samples": samples}))?;
    for (name, text) in [("results.md", markdown), ("results.json", &samples)] {
        let path = directory.join(name);
        std::fs::write(&path, text)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

fn raw(sample: &Sample) -> Value {
    let figures: Vec<Value> = sample
        .figures
        .iter()
        .map(|figure| json!({"name": figure.name, "unit": figure.unit, "value": figure.value}))
        .collect();
    json!({
        "scenario": sample.scenario, "target": sample.target, "round": sample.round + 1,
        "errors": sample.errors, "trouble": sample.trouble, "note": sample.note, "figures": figures,
    })
}
