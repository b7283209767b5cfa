//! What `setup` prints. It contains no key: neither ours nor one that a file held before.

use std::fmt::Write as _;
use std::path::Path;

use super::Change;
use super::file::File;
use crate::agents::About;
use crate::agents::merge::Refusal;
use crate::config::Door;

/// What is to be written where.
pub(super) fn plan(about: &About, door: &Door, changes: &[Change]) -> String {
    let mut out = format!("{} at {}\n", about.title, door.base);
    for change in changes {
        let path = change.file.path().display();
        let state = match (change.file.text(), change.is_none()) {
            (_, true) => "is as it should be",
            (None, false) => "will be created, readable only by you",
            (Some(_), false) => "will be changed; everything else in it stays as it is",
        };
        out += &format!("\n{path} {state}:\n\n{}", indented(&change.shown));
        if !change.merged.replaced.is_empty() {
            out.push('\n');
        }
        for name in &change.merged.replaced {
            out += &format!("  {name} has a different value now\n");
        }
    }
    out
}

/// Why a file cannot be changed, and what a person must add to it.
pub(super) fn refused(file: &File, refusal: &Refusal, shown: &str) -> String {
    format!(
        "{} {refusal}. Nothing was written. Fix it, or add this to it yourself:\n\n{}",
        file.path().display(),
        indented(shown)
    )
}

/// Why a value cannot be used in the agent's settings. It may be a key, so it is not quoted.
pub(super) fn unfit(about: &About, name: &str, what: &str) -> String {
    format!(
        "{}: the {name} has something like {what} in it, which it would replace by something else \
         when it reads its settings. Nothing was written: the {name} must do without",
        about.title
    )
}

/// What was done to one file.
pub(super) fn written(file: &File, backup: Option<&Path>) -> String {
    let mut out = format!("Wrote {}", file.path().display());
    if let Some(backup) = backup {
        out += &format!("; the previous version is kept in {}", backup.display());
    }
    if let Some(mode) = file.open_to_others() {
        // Writing into a `String` does not fail.
        write!(
            out,
            "\n  Others can read it (mode {mode:o}), and the key in it: chmod 600 it"
        )
        .ok();
    }
    out
}

/// What to do next.
pub(super) fn next_steps(about: &About, door: &Door, open: bool) -> String {
    let asleep = if open {
        String::new()
    } else {
        format!(
            "\nNothing is listening at {} yet: run `free-llm-proxy serve` first.\n",
            door.base
        )
    };
    format!(
        "{asleep}\nStart it with:\n\n  {}\n\n{}",
        about.start, about.note
    )
}

fn indented(text: &str) -> String {
    let lines = text.lines();
    lines
        .map(|line| format!("  {line}").trim_end().to_owned() + "\n")
        .collect()
}
