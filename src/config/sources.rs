//! Where settings come from: flags, then the environment, then `.env` in the working directory.
//!
//! The one reader of the process environment, which is never changed.

use std::collections::HashMap;
use std::env::VarError;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

use super::{Config, ConfigError, Door, SETTINGS};

/// The layers, read once. A problem on the way waits until [`Sources::config`] can tell it
/// together with the others.
#[derive(Debug, Default)]
pub struct Sources {
    flags: Layer,
    environment: Layer,
    file: Layer,
    no_color: bool,
    problems: Vec<String>,
}

/// Values by the table's names.
#[derive(Default)]
struct Layer(HashMap<&'static str, String>);

impl Sources {
    /// Reads the environment and `.env`, under these flags (by the names of their variables).
    #[must_use]
    pub fn gather(flags: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut sources = Self {
            flags: Layer(flags.into_iter().collect()),
            ..Self::default()
        };
        sources.read_environment(variable);
        sources.no_color = variable("NO_COLOR").is_ok_and(|value| !value.is_empty());
        match std::fs::read(Path::new(".env")) {
            Ok(bytes) => sources.read_file(&bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => sources
                .problems
                .push(format!(".env cannot be read: {error}")),
        }
        sources
    }

    /// What is set under this name of the table.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let layers = [&self.flags, &self.environment, &self.file];
        layers
            .into_iter()
            .find_map(|layer| layer.0.get(name).cloned())
    }

    /// What the real environment alone has under this name of the table.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&str> {
        self.environment.0.get(name).map(String::as_str)
    }

    /// Whether `NO_COLOR` is set, as <https://no-color.org> has it: no setting, but the user's
    /// wish for every program.
    #[must_use]
    pub fn wants_no_color(&self) -> bool {
        self.no_color
    }

    /// All settings.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with the sources themselves too.
    pub fn config(&self) -> Result<Config, ConfigError> {
        self.config_with(|name| self.get(name))
    }

    /// All settings, through a lookup that may put its own values over or under
    /// [`Sources::get`].
    ///
    /// # Errors
    ///
    /// As [`Sources::config`].
    pub fn config_with(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Config, ConfigError> {
        self.told_together(Config::read(lookup))
    }

    /// Where clients find the proxy that these settings describe; see [`super::door`].
    ///
    /// # Errors
    ///
    /// As [`Sources::config`], of these settings alone.
    pub fn door(&self, url: Option<&str>) -> Result<Door, ConfigError> {
        self.told_together(super::door(|name| self.get(name), url))
    }

    fn told_together<T>(&self, read: Result<T, ConfigError>) -> Result<T, ConfigError> {
        if self.problems.is_empty() {
            return read;
        }
        let others = read
            .err()
            .map(ConfigError::into_problems)
            .unwrap_or_default();
        Err(ConfigError::new(
            self.problems.iter().cloned().chain(others).collect(),
        ))
    }

    fn read_environment(&mut self, variable: impl Fn(&str) -> Result<String, VarError>) {
        for setting in SETTINGS {
            for spelling in setting.spellings() {
                match variable(&spelling) {
                    Ok(value) => {
                        self.environment.0.entry(setting.name).or_insert(value);
                    }
                    Err(VarError::NotPresent) => {}
                    Err(VarError::NotUnicode(_)) => {
                        self.problems.push(format!("{spelling} is not UTF-8 text"));
                    }
                }
            }
        }
    }

    fn read_file(&mut self, bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.problems.push(".env is not UTF-8 text".to_owned());
            return;
        };
        // The parser wants a last line's end, and does not know the mark that some editors
        // put first.
        let text = format!("{}\n", text.trim_start_matches('\u{feff}'));
        let mut values = HashMap::new();
        for line in dotenvy::from_read_iter(text.as_bytes()) {
            match line {
                Ok((name, value)) => {
                    values.insert(name, value);
                }
                Err(error) => self.problems.push(complaint(&text, &error)),
            }
        }
        for setting in SETTINGS {
            let value = setting
                .spellings()
                .find_map(|spelling| values.remove(&spelling));
            if let Some(value) = value {
                self.file.0.insert(setting.name, value);
            }
        }
    }
}

/// The line's number, and nothing of its text: it may hold a key.
fn complaint(text: &str, error: &dotenvy::Error) -> String {
    let number = match error {
        dotenvy::Error::LineParse(line, _) => line_number(text, line),
        dotenvy::Error::Io(_) | dotenvy::Error::EnvVar(_) | _ => None,
    };
    let place = number.map_or_else(|| ".env".to_owned(), |number| format!(".env line {number}"));
    format!(
        "{place} is not NAME=value (a value with spaces, quotes, # or \\ stands in single quotes)"
    )
}

/// Where the parser's complaint stands, counted from 1. It names a whole line or only the
/// value, without a comment or blanks behind it; an open quote takes all that follows along.
fn line_number(text: &str, named: &str) -> Option<usize> {
    let ends = |rest: &str| {
        let rest = rest.trim_start_matches([' ', '\t']);
        rest.is_empty() || rest.starts_with(['\n', '\r', '#'])
    };
    let is_it = |start: usize| {
        let line = text.get(start..).unwrap_or_default();
        let value = line
            .split_once('=')
            .filter(|(name, _)| !name.contains('\n'))
            .map(|(_, value)| value.trim_start());
        [Some(line), value]
            .into_iter()
            .flatten()
            .any(|part| part.strip_prefix(named).is_some_and(ends))
    };
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    starts
        .zip(1..)
        .find_map(|(start, number)| is_it(start).then_some(number))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one reader of the environment"
)]
fn variable(name: &str) -> Result<String, VarError> {
    std::env::var(name)
}

/// A variable that is no setting of ours but belongs to the system or to another program, such
/// as `HOME`; an empty one counts as none.
#[must_use]
pub fn foreign_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

impl std::fmt::Debug for Layer {
    /// Names only: values may be keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Set = &'static [(&'static str, &'static str)];

    #[test]
    fn s6_flags_win_over_the_environment_and_that_over_the_file() {
        #[rustfmt::skip]
        let rows: &[(Set, Set, &str, Option<&str>)] = &[
            // flags              environment            .env           PORT
            (&[("PORT", "1")],    &[("PORT", "2")],      "PORT=3",      Some("1")),
            (&[],                 &[("PORT", "2")],      "PORT=3",      Some("2")),
            (&[],                 &[("PORT", "")],       "PORT=3",      Some("")),
            (&[],                 &[],                   "PORT=3",      Some("3")),
            (&[],                 &[],                   "",            None),
        ];
        for (flags, environment, file, expected) in rows {
            let sources = layers(flags, environment, file);
            assert_eq!(sources.get("PORT").as_deref(), *expected);
            assert!(sources.problems.is_empty());
        }
    }

    #[test]
    fn s6_outbound_proxies_may_be_lower_case_and_the_environment_still_wins() {
        let sources = layers(&[], &[("https_proxy", "http://a")], "HTTPS_PROXY=http://b");
        assert_eq!(sources.get("HTTPS_PROXY").as_deref(), Some("http://a"));
        let sources = layers(
            &[],
            &[("all_proxy", "http://a"), ("ALL_PROXY", "http://b")],
            "",
        );
        assert_eq!(sources.get("ALL_PROXY").as_deref(), Some("http://b"));
        let sources = layers(&[], &[("port", "1")], "port=2");
        assert_eq!(sources.get("PORT"), None);
    }

    #[test]
    fn s6_the_file_is_read_as_people_write_it() {
        #[rustfmt::skip]
        let rows = [
            ("PORT=1",                           Some("1")),
            ("PORT=1 ",                          Some("1")),
            ("PORT=1\r\nHOST=::1\r\n",           Some("1")),
            ("\u{feff}PORT=1",                   Some("1")),
            ("export PORT=1",                    Some("1")),
            ("PORT = 1 # why not",               Some("1")),
            ("PORT=\"1\"",                       Some("1")),
            ("# PORT=1",                         None),
            ("PORT=1\nPORT=2",                   Some("2")),
            ("PORT=",                            Some("")),
            ("OTHER=1",                          None),
        ];
        for (file, expected) in rows {
            let sources = layers(&[], &[], file);
            assert_eq!(sources.get("PORT").as_deref(), expected, "{file:?}");
            assert!(sources.problems.is_empty(), "{:?}", sources.problems);
        }
    }

    #[test]
    fn s6_a_malformed_line_is_named_and_not_shown() {
        #[rustfmt::skip]
        let rows = [
            ("PORT=1\n\nhush hush\nHOST=::1",          ".env line 3 is not NAME=value"),
            ("PORT=1\nOPENROUTER_TITLE=hush hush  ",  ".env line 2 is not NAME=value"),
            ("PORT=1\r\nPORT\r\n",                    ".env line 2 is not NAME=value"),
            ("PORT=1\nhush hush # why\n",             ".env line 2 is not NAME=value"),
            ("PORT=1\nPROXY_API_KEY='hush\nHOST=x",   ".env line 2 is not NAME=value"),
        ];
        for (file, expected) in rows {
            let sources = layers(&[], &[], file);
            assert_eq!(sources.problems.len(), 1, "{:?}", sources.problems);
            let message = sources.config().unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
            assert!(
                message.contains("OPENROUTER_API_KEY is required"),
                "{message}"
            );
            assert!(!message.contains("hush") && !format!("{sources:?}").contains("hush"));
        }
        let mut sources = Sources::default();
        sources.read_file(&[0xff]);
        assert_eq!(sources.problems, [".env is not UTF-8 text"]);
    }

    #[test]
    fn s6_a_variable_that_is_not_text_is_named() {
        let mut sources = Sources::default();
        sources.read_environment(|name| match name {
            "PORT" => Err(VarError::NotUnicode(OsString::new())),
            _ => Err(VarError::NotPresent),
        });
        let message = sources.config().unwrap_err().to_string();
        assert!(message.starts_with("PORT is not UTF-8 text\n"), "{message}");
    }

    #[test]
    fn s8_a_demo_puts_its_own_values_over_the_sources() {
        let sources = layers(&[], &[("PORT", "9000")], "");
        let demo = |name: &str| match name {
            "OPENROUTER_API_KEY" | "PROXY_API_KEY" => Some("sk-demo".to_owned()),
            _ => sources.get(name),
        };
        assert_eq!(sources.config_with(demo).unwrap().port, 9000);
    }

    fn layers(flags: &[(&'static str, &str)], environment: &[(&str, &str)], file: &str) -> Sources {
        let flags = flags
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let mut sources = Sources {
            flags: Layer(flags),
            ..Sources::default()
        };
        sources.read_environment(|name| {
            let found = environment.iter().find(|(set, _)| *set == name);
            found
                .map(|(_, value)| (*value).to_owned())
                .ok_or(VarError::NotPresent)
        });
        sources.read_file(file.as_bytes());
        sources
    }
}
