//! Reads the sources: the process environment and the files, layer upon layer, and looks for slips in them.
//!
//! The only reader of the process environment, which is never changed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Sources;
use super::layer::{Layer, is_known};
use crate::config::dotenv::{self, Odd};
use crate::config::env_file::{self, Found};
use crate::config::near::{self, near};
use crate::config::trust::Source;
use crate::config::{SETTINGS, accounts, file, table};

impl Sources {
    /// Reads the environment and the files, under these flags (by the names of their variables).
    #[must_use]
    pub fn gather(
        flags: impl IntoIterator<Item = (&'static str, String)>,
        env_file: Option<&Path>,
    ) -> Self {
        Self::gathered(flags, env_file, env_file::chosen)
    }

    /// The same; `chosen` reads the files that the user chose.
    fn gathered(
        flags: impl IntoIterator<Item = (&'static str, String)>,
        env_file: Option<&Path>,
        chosen: impl Fn(&Path) -> Found,
    ) -> Self {
        let mut sources = Self {
            env_file: env_file.map(Path::to_owned),
            ..Self::default()
        };
        let mut top = Layer::new(Source::Flag, "a flag");
        top.values = flags.into_iter().collect();
        sources.layers.push(top);
        sources.read_environment(std::env::vars_os());
        match env_file {
            Some(path) => {
                let mut found = chosen(path);
                if found == Found::Nothing {
                    found = Found::Broken("is not there".to_owned());
                }
                sources.searched.push(path.to_owned());
                sources.read_file(Source::EnvFile, &path.display().to_string(), found);
            }
            None => {
                sources.searched.push(PathBuf::from(".env"));
                let found = env_file::in_folder(Path::new(".env"));
                sources.read_file(Source::WorkingDir, ".env", found);
                if let Some(path) = user_file() {
                    let name = path.display().to_string();
                    sources.read_file(Source::UserFile, &name, chosen(&path));
                    sources.searched.push(path);
                }
            }
        }
        sources.read_door_key();
        let named = sources.layer_of("CONFIG_FILE").map(|layer| {
            let path = layer.values.get("CONFIG_FILE").cloned();
            (path.unwrap_or_default(), layer.source, layer.name.clone())
        });
        sources.file = file::gather(named, user_file().as_deref());
        sources.look_for_slips();
        sources
    }

    /// The same flags, with environment and files as they are now.
    #[must_use]
    pub fn again(&self) -> Self {
        let top = self
            .layers
            .iter()
            .find(|layer| layer.source == Source::Flag);
        let flags = top.map(|layer| layer.values.clone());
        let flags = flags.unwrap_or_default();
        Self::gathered(flags, self.env_file.as_deref(), env_file::chosen_again)
    }

    /// From one source only, which is trusted like a file of ours.
    pub(in crate::config) fn of(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let settings = SETTINGS.iter().map(|setting| setting.name.to_owned());
        let keys = accounts::plain_names().map(str::to_owned);
        let names = settings.chain(keys);
        let values = names.filter_map(|name| Some((lookup(&name)?, name)));
        let mut layer = Layer::new(Source::EnvFile, "the settings");
        layer.take(values.map(|(value, name)| (name, value)).collect());
        Self {
            layers: vec![layer],
            ..Self::default()
        }
    }

    /// The same with these values overriding all others, with only their keys, and without
    /// `CONFIG_FILE`.
    #[must_use]
    pub fn with(&self, values: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut sources = self.clone();
        for layer in &mut sources.layers {
            layer.keys.clear();
        }
        let values = values.into_iter();
        let mut top = Layer::new(Source::Flag, "the demo");
        top.take(
            values
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        );
        sources.layers.insert(0, top);
        sources.file = file::File::default();
        sources
    }

    /// The same with a `CONFIG_FILE` of this text.
    #[must_use]
    pub fn with_file(mut self, text: &str) -> Self {
        self.file = file::of(text);
        self
    }

    pub(super) fn read_environment(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) {
        let mut values = HashMap::new();
        for (name, value) in variables {
            // A name that is not text is not ours.
            let Ok(name) = name.into_string() else {
                continue;
            };
            if name == "NO_COLOR" {
                self.no_color = !value.is_empty();
            }
            match value.into_string() {
                Ok(value) => drop(values.insert(name, value)),
                Err(_) if table::spelt(&name).is_some() => {
                    self.problems.push(format!("{name} is not UTF-8 text"));
                }
                Err(_) => {}
            }
        }
        let mut layer = Layer::new(Source::Environment, "the environment");
        layer.take(values);
        self.layers.push(layer);
    }

    pub(super) fn read_file(&mut self, source: Source, name: &str, found: Found) {
        let text = match found {
            Found::Nothing => return,
            Found::PassedOver(why) => {
                self.passed_over = Some(why);
                return;
            }
            Found::Broken(why) => {
                self.problems.push(format!("{name} {why}"));
                return;
            }
            Found::Text(text) => text,
        };
        let mut values = HashMap::new();
        let mut complaints = Vec::new();
        for (line, read) in dotenv::entries(&text) {
            match read {
                Ok((name, value)) => drop(values.insert(name.to_owned(), value)),
                Err(odd) => complaints.push(complaint(name, line, odd)),
            }
        }
        let more = complaints.len().saturating_sub(MOST_COMPLAINTS);
        complaints.truncate(MOST_COMPLAINTS);
        if more > 0 {
            complaints.push(format!("{name} has {more} more such lines"));
        }
        self.problems.extend(complaints);
        let names = dotenv::names(&text);
        let strange = names.filter(|(_, name)| !is_known(name));
        let strange = strange.map(|(line, name)| (Some(line), name.to_owned()));
        let mut layer = Layer::new(source, name);
        layer.take(values);
        layer.strange = strange.collect();
        self.layers.push(layer);
    }

    /// The contents of `PROXY_API_KEY_FILE` count as `PROXY_API_KEY`, with the same source.
    pub(super) fn read_door_key(&mut self) {
        const NAME: &str = "PROXY_API_KEY";
        let layers: Vec<_> = self.layers.iter().map(Layer::keys).collect();
        let variables = accounts::Variables {
            layers: &layers,
            read: &env_file::of_a_key,
        };
        match variables.one(NAME, accounts::Environment::Counts) {
            Ok(Some(found)) if found.variable.name != NAME => {
                let mut layers = self.layers.iter_mut();
                let named = layers.find(|layer| layer.name == found.variable.place);
                if let Some(layer) = named {
                    let text = found.text.trim().to_owned();
                    layer.values.insert(NAME, text);
                    layer.from_files.push(NAME);
                }
            }
            Ok(_) => {}
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Names that were probably meant to be a setting's; one that `CONFIG_FILE` refers to is meant
    /// as it is.
    pub(super) fn look_for_slips(&mut self) {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        for layer in &self.layers {
            for (line, name) in &layer.strange {
                if self.file.says.refers_to(accounts::without_file(name)) {
                    continue;
                }
                let Some(meant) = near(name, |name| self.has(name)) else {
                    continue;
                };
                let place = match line {
                    Some(line) => format!("{} line {line}", layer.name),
                    None => layer.name.clone(),
                };
                let told = format!("{place}: {name} is not a setting; did you mean {meant}?");
                if line.is_some() && name.len() >= near::LONG {
                    problems.push(told);
                } else {
                    warnings.push(told);
                }
            }
        }
        self.problems.extend(problems);
        self.warnings.extend(warnings);
    }

    /// Whether a setting, or a provider's key in any spelling, is set.
    fn has(&self, name: &str) -> bool {
        self.layers.iter().any(|layer| {
            let mut keys = layer.keys.keys();
            layer.values.contains_key(name) || keys.any(|key| accounts::key_name(key).base == name)
        })
    }
}

/// A file with more invalid lines than this is not a file of settings; the rest is summed up in one
/// sentence.
const MOST_COMPLAINTS: usize = 10;

/// The line's number, and nothing of its text: it may contain a key.
fn complaint(file: &str, line: usize, odd: Odd) -> String {
    let what = match odd {
        Odd::Line => {
            "is not NAME=value (a value with spaces, quotes, # or \\ goes in single quotes)"
        }
        Odd::Variable => {
            "has a $NAME in its value, which is not replaced here: write the value itself, in single \
             quotes if the $ is part of it"
        }
    };
    format!("{file} line {line} {what}")
}

/// The file of settings in the user's home directory, whether it exists or not.
#[must_use]
pub fn user_file() -> Option<PathBuf> {
    env_file::of_user(|name| foreign_variable(name).map(PathBuf::from))
}

/// Whether the working directory has a `.env`, and it is ours.
#[must_use]
pub fn folder_file_is_ours() -> bool {
    env_file::is_ours_in_folder(Path::new(".env"))
}

/// A variable that is not a setting of ours but belongs to the system or to another program, such
/// as `HOME`; an empty one counts as absent.
#[must_use]
pub fn foreign_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
