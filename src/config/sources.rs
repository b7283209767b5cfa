//! Where settings come from: flags, then the environment, then `.env` in the working directory,
//! then the file in the user's home directory; `--env-file` replaces the last two (spec §12.1).
//!
//! Read once (`gather`); here is what they say.

mod gather;
mod layer;

use std::net::SocketAddr;
use std::path::PathBuf;

use super::accounts::Standing;
use super::trust::{Set, Source, misled};
use super::{Config, ConfigError, Door, OutboundProxy, SETTINGS, env_file, file, read};
use crate::redact::Secret;
use crate::replay::Settings;
pub use gather::{folder_file_is_ours, foreign_variable, user_file};
pub(super) use layer::Layer;

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

#[cfg(test)]
pub(super) mod tests;
