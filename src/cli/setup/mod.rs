//! `setup`: an agent's settings, shown, asked about and written.
//!
//! What belongs in which file is decided in [`crate::agents`]; `file` changes a file safely.
//! Everything is worked out before the first byte is written, so that a file that cannot be changed
//! leaves the others untouched too.

mod file;
mod show;

use super::{Exit, ask, door, say};
use crate::agents::merge::{Format, Merged, merge};
use crate::agents::{About, Agent, Edit, Places, elsewhere};
use crate::clock::Now;
use crate::config::{Door, Sources, foreign_variable};
use crate::redact::Secret;
use file::File;

/// What to set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The agent.
    pub agent: Agent,
    /// Where the proxy is, if not where the settings say.
    pub url: Option<String>,
    /// Whether to write.
    pub mode: Mode,
}

/// Whether `setup` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It shows, and asks; without a person to ask, it only shows.
    Ask,
    /// It only shows.
    Show,
    /// It shows, and writes.
    Write,
}

/// A file, and its new content.
struct Change {
    file: File,
    format: Format,
    merged: Merged,
    /// What is put into it, as far as it may be shown.
    shown: String,
}

/// Shows what the agent needs, and writes it if wanted.
#[must_use]
pub fn run(sources: &Sources, setup: &Setup) -> Exit {
    let door = match sources.door(setup.url.as_deref()) {
        Ok(door) => door::with_window(door),
        Err(error) => {
            say::problem(door::unknown(&error));
            return Exit::Settings;
        }
    };
    let about = setup.agent.about();
    let changes = match changes(about, &door) {
        Ok(changes) => changes,
        Err(problem) => {
            say::problem(problem);
            return Exit::Fault;
        }
    };
    say::line(show::plan(about, &door, &changes));
    if changes.iter().all(Change::is_none) {
        say::line("Nothing needs to be written.");
    } else if !wanted(setup) {
        say::line("Nothing was written: --write does it.");
    } else if let Err(problem) = write(&changes) {
        say::problem(problem);
        return Exit::Fault;
    }
    let settings: Vec<_> = changes.iter().filter_map(Change::before).collect();
    for found in elsewhere::found(
        about,
        door::direct(&door).as_deref(),
        &foreign_variable,
        &settings,
    ) {
        say::line(format_args!("\n{found}."));
    }
    say::line(show::next_steps(about, &door, door::is_open(&door)));
    Exit::Fine
}

fn changes(about: &About, door: &Door) -> Result<Vec<Change>, String> {
    let written = [
        ("PROXY_API_KEY", door.key.expose()),
        ("address", &door.base),
    ];
    for (name, value) in written {
        if let Some(what) = (about.replaces)(value) {
            return Err(show::unfit(about, name, what));
        }
    }
    let places = Places::new(&foreign_variable);
    let edits = |door: &Door| {
        (about.edits)(door, &places).map_err(|error| format!("{}: {error}", about.title))
    };
    // No key is printed, so what is shown is the same template with a blank instead.
    let blank = Door {
        key: Secret::new("<PROXY_API_KEY>"),
        ..door.clone()
    };
    let shown = edits(&blank)?;
    let edits = edits(door)?;
    edits
        .into_iter()
        .zip(shown)
        .map(|(edit, shown)| change(edit, &shown))
        .collect()
}

fn change(edit: Edit, shown: &Edit) -> Result<Change, String> {
    let shown = merge(shown.format, "", &shown.content)
        .map(|merged| merged.text)
        .unwrap_or_default();
    let file = File::find(edit.places)?;
    let text = file.text().unwrap_or_default();
    match merge(edit.format, text, &edit.content) {
        Ok(merged) => Ok(Change {
            file,
            format: edit.format,
            merged,
            shown,
        }),
        Err(refusal) => Err(show::refused(&file, &refusal, &shown)),
    }
}

impl Change {
    /// The file's text before the change.
    fn before(&self) -> Option<(Format, &str)> {
        Some((self.format, self.file.text()?))
    }

    fn is_none(&self) -> bool {
        self.file.text() == Some(&self.merged.text)
    }
}

fn wanted(setup: &Setup) -> bool {
    match setup.mode {
        Mode::Show => false,
        Mode::Write => true,
        Mode::Ask => ask::has_person() && ask::agreed("Write this?").unwrap_or_default(),
    }
}

fn write(changes: &[Change]) -> Result<(), String> {
    let now = Now::read().wall;
    for change in changes.iter().filter(|change| !change.is_none()) {
        let backup = change.file.replace(&change.merged.text, now)?;
        say::line(show::written(&change.file, backup.as_deref()));
    }
    Ok(())
}
