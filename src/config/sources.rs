//! Where settings come from: flags, then the environment, then `.env` in the working directory,
//! then the file in the user's home directory; `--env-file` replaces the last two (spec §12.1).
//!
//! The only reader of the process environment, which is never changed.

mod layer;

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::accounts::{self, Standing};
use super::dotenv::{self, Odd};
use super::env_file::{self, Found};
use super::near::{self, near};
use super::table;
use super::trust::{Set, Source, misled};
use super::{Config, ConfigError, Door, OutboundProxy, SETTINGS, file, read};
use crate::redact::Secret;
use crate::replay::Settings;
pub(super) use layer::Layer;
use layer::is_known;

/// The layers, read once, in order of precedence. A problem found on the way is kept until
/// [`Sources::config`] can report it together with the others.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub(super) layers: Vec<Layer>,
    no_color: bool,
    problems: Vec<String>,
    warnings: Vec<String>,
    /// Why the working directory's `.env` does not count.
    passed_over: Option<&'static str>,
    /// `--env-file`.
    pub(super) env_file: Option<PathBuf>,
    /// Where files of settings were looked for.
    pub(super) searched: Vec<PathBuf>,
    /// `CONFIG_FILE`, and what is wrong with it.
    pub(super) file: file::File,
}

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

    /// From one source only, which is trusted like a file of ours.
    pub(super) fn of(lookup: impl Fn(&str) -> Option<String>) -> Self {
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

    /// The value of this name of the table.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.layer_of(name)?.values.get(name).cloned()
    }

    /// The value of this name of the table in the real environment only.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&str> {
        let mut layers = self.layers.iter();
        let layer = layers.find(|layer| layer.source == Source::Environment)?;
        layer.values.get(name).map(String::as_str)
    }

    /// The source that sets this name of the table.
    #[must_use]
    pub fn source_of(&self, name: &str) -> Option<Source> {
        Some(self.layer_of(name)?.source)
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

    /// The outbound proxy only.
    ///
    /// # Errors
    ///
    /// What is wrong with its variables.
    pub fn outbound_proxy(&self) -> Result<OutboundProxy, ConfigError> {
        read::outbound_proxy(|name| self.get(name))
    }

    /// What a replay follows, for a proxy with so many accounts.
    ///
    /// # Errors
    ///
    /// What is wrong with these settings.
    pub fn replaying(&self, accounts: usize) -> Result<Settings, ConfigError> {
        read::replaying(|name| self.get(name), accounts)
    }

    /// Whether `NO_COLOR` is set, see <https://no-color.org>: not a setting of ours, but the user's
    /// wish for every program.
    #[must_use]
    pub fn wants_no_color(&self) -> bool {
        self.no_color
    }

    /// All settings.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, including the sources themselves.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let read = self.read();
        let outward = SETTINGS.iter().filter(|setting| setting.leads_out());
        let outward = outward.filter_map(|setting| self.set_by(setting.name));
        let found = read.found.iter().map(Set::of);
        let keys: Vec<_> = found.chain(self.set_by("PROXY_API_KEY")).collect();
        let ids = read.with_id.iter().map(|(_, id)| Set::of(id));
        let files = keys.iter().cloned().chain(ids).filter(|set| set.is_file);
        // Not an address, but a file that another person's folder would cause to be written.
        let trace = self.set_by("TRACE_FILE");
        let keeps = |state: &str| {
            let state = state.trim();
            !state.is_empty() && !state.eq_ignore_ascii_case("memory")
        };
        let state = self.set_by("STATE");
        let state = state.filter(|_| self.get("STATE").is_some_and(|state| keeps(&state)));
        let addresses: Vec<_> = outward.chain(files).chain(trace).chain(state).collect();
        let mut problems = misled(&keys, &addresses);
        // An account id is part of an address, of its own key's only.
        for (key, id) in &read.with_id {
            let misled = misled(&[Set::of(key)], &[Set::of(id)]);
            let is_news = |problem: &String| !problems.contains(problem);
            let news: Vec<_> = misled.into_iter().filter(is_news).collect();
            problems.extend(news);
        }
        problems.extend(self.file.problems.iter().cloned());
        let config = self.told_together(problems, read.config)?;
        Ok(Config {
            warnings: [self.warnings.clone(), config.warnings].concat(),
            state: config.state.below(std::env::home_dir()),
            ..config
        })
    }

    /// The standing of every provider, whatever else is wrong with the settings; and what is wrong
    /// with the providers' settings.
    #[must_use]
    pub fn providers(&self) -> (Vec<Standing>, Vec<String>) {
        let read = self.read();
        let problems = [self.file.problems.clone(), read.problems].concat();
        (read.standings, problems)
    }

    fn read(&self) -> read::Read {
        self.beside(|beside| read::config(|name| self.get(name), beside))
    }

    /// What is read besides the settings of the table.
    fn beside<T>(&self, read: impl FnOnce(&read::Beside<'_>) -> T) -> T {
        let layers: Vec<_> = self.layers.iter().map(Layer::keys).collect();
        read(&read::Beside {
            layers: &layers,
            read: &env_file::of_a_key,
            file: &self.file.says,
            file_is: &self.file.is,
        })
    }

    /// Where clients find the proxy that these settings describe, and the first key to it; `url` is
    /// its address if it is reached by another way than directly.
    ///
    /// # Errors
    ///
    /// As [`Sources::config`], for these settings only.
    pub fn door(&self, url: Option<&str>) -> Result<Door, ConfigError> {
        let misled = match url {
            Some(_) => Vec::new(),
            None => self.misled_home(),
        };
        let door = self.beside(|beside| read::door(|name| self.get(name), beside, url));
        self.told_together(misled, door)
    }

    /// Where the proxy that these settings describe listens, and the first key to it.
    ///
    /// # Errors
    ///
    /// As [`Sources::config`], for these settings only.
    pub fn running(&self) -> Result<(SocketAddr, Secret), ConfigError> {
        let running = self.beside(|beside| read::running(|name| self.get(name), beside));
        self.told_together(self.misled_home(), running)
    }

    /// A client sends the proxy's key to where the proxy should be listening.
    fn misled_home(&self) -> Vec<String> {
        let home = ["HOST", "PORT"].into_iter();
        let home: Vec<_> = home.filter_map(|name| self.set_by(name)).collect();
        let key = self.set_by("PROXY_API_KEY").or_else(|| {
            let named = !self.file.says.clients.is_empty();
            named.then(|| Set::of(&self.file.is))
        });
        misled(key.as_slice(), &home)
    }

    /// The source that sets this name of the table.
    fn set_by(&self, name: &'static str) -> Option<Set> {
        let layer = self.layer_of(name)?;
        let is_file = layer.from_files.contains(&name);
        Some(Set {
            name: if is_file {
                format!("{name}_FILE")
            } else {
                name.to_owned()
            },
            source: layer.source,
            place: layer.name.clone(),
            is_file,
        })
    }

    /// The contents of `PROXY_API_KEY_FILE` count as `PROXY_API_KEY`, with the same source.
    fn read_door_key(&mut self) {
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

    fn layer_of(&self, name: &str) -> Option<&Layer> {
        let mut layers = self.layers.iter();
        layers.find(|layer| layer.values.contains_key(name))
    }

    fn told_together<T>(
        &self,
        misled: Vec<String>,
        read: Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let mut problems = [self.problems.clone(), misled].concat();
        match read {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => {}
            Err(error) => {
                // What is wrong with the file that should contain it has been reported.
                let is_said = |problem: &String| {
                    let names_file = |said: &String| said.contains("PROXY_API_KEY_FILE");
                    problem.starts_with("PROXY_API_KEY is ") && problems.iter().any(names_file)
                };
                let told = error.into_problems().into_iter();
                let told: Vec<_> = told.filter(|problem| !is_said(problem)).collect();
                problems.extend(told);
                let passed_over = self
                    .passed_over
                    .map(|why| format!(".env in this folder {why}, so nothing was taken from it"));
                problems.extend(passed_over);
            }
        }
        Err(ConfigError::new(problems))
    }

    fn read_environment(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
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

    fn read_file(&mut self, source: Source, name: &str, found: Found) {
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

    /// Whether a setting, or a provider's key in any spelling, is set.
    fn has(&self, name: &str) -> bool {
        self.layers.iter().any(|layer| {
            let mut keys = layer.keys.keys();
            layer.values.contains_key(name) || keys.any(|key| accounts::key_name(key).base == name)
        })
    }

    /// Names that were probably meant to be a setting's; one that `CONFIG_FILE` refers to is meant
    /// as it is.
    fn look_for_slips(&mut self) {
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
}

impl Config {
    /// Reads every setting through `lookup`, which is called with names of the table and with the
    /// base names of providers' keys.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Sources::of(lookup).config()
    }

    /// The same with a `CONFIG_FILE` of this text.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    pub fn read_with_file(
        lookup: impl Fn(&str) -> Option<String>,
        text: &str,
    ) -> Result<Self, ConfigError> {
        Sources::of(lookup).with_file(text).config()
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

#[cfg(test)]
pub(super) mod tests;
