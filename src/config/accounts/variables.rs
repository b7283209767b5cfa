//! The variables with keys, from all sources: which one takes precedence, and the contents of files
//! that they name (spec §10.1, §12.1). Pure except for `read`, which is passed in.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::trust::Source;
use super::names::{self, Which, file_twin, key_name};
use crate::redact::looks_like_key;

/// The variables of one source that may contain keys, by name.
#[derive(Clone)]
pub(in crate::config) struct Layer {
    /// Which source.
    pub source: Source,
    /// Its name in a sentence.
    pub name: String,
    /// Name and text.
    pub texts: BTreeMap<String, String>,
}

impl std::fmt::Debug for Layer {
    /// Names only: the texts are keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.texts.keys()).finish()
    }
}

/// Where a key was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, such as `GROQ_API_KEY_2` or `GROQ_API_KEY_FILE`; for a file named in
    /// `CONFIG_FILE`, that file's path.
    pub name: String,
    /// The source that set it.
    pub source: Source,
    /// The source's name in a sentence: `.env`, `the environment`.
    pub place: String,
}

impl Variable {
    /// Whether it names a file that contains the key.
    #[must_use]
    pub fn is_file(&self) -> bool {
        key_name(&self.name).is_file
    }
}

/// A variable that is set, with its resolved text.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::config) struct Found {
    pub variable: Variable,
    pub which: Which,
    pub text: String,
}

/// All sources, in order of precedence.
pub(in crate::config) struct Variables<'a> {
    pub layers: &'a [Layer],
    /// The text of a file, or the end of a sentence that says why there is none.
    pub read: &'a dyn Fn(&Path) -> Result<String, String>,
}

/// Whether the real environment's variables count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Environment {
    Counts,
    PassedOver,
}

impl Variables<'_> {
    /// What is set under this name in all its spellings, in order of precedence.
    pub(in crate::config) fn all(
        &self,
        base: &str,
        environment: Environment,
    ) -> Result<Vec<Found>, Vec<String>> {
        let set = self.counting(environment);
        let names = set.flat_map(|layer| layer.texts.keys());
        let mut spelt: Vec<_> = names
            .map(|name| key_name(name))
            .filter(|name| name.base == base)
            .map(|name| name.which)
            .collect();
        spelt.sort_unstable();
        spelt.dedup();
        let mut found = Vec::new();
        let mut problems = Vec::new();
        for which in spelt {
            let name = match which {
                Which::Only => base.to_owned(),
                Which::Plural => format!("{base}S"),
                Which::Number(_) => names::partner(which, base),
            };
            match self.one(&name, environment) {
                Ok(one) => found.extend(one),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(found)
        } else {
            Err(problems)
        }
    }

    /// What is set under exactly this name, or in the file that its twin names; an empty text
    /// counts as unset.
    pub(in crate::config) fn one(
        &self,
        name: &str,
        environment: Environment,
    ) -> Result<Option<Found>, String> {
        let twin = file_twin(name);
        let is_set = |layer: &&Layer, name: &str| layer.texts.contains_key(name);
        let mut layers = self.counting(environment);
        let Some(layer) = layers.find(|layer| is_set(layer, name) || is_set(layer, &twin)) else {
            return Ok(None);
        };
        let text = |name: &str| {
            let text = layer.texts.get(name);
            text.map(|text| text.trim()).filter(|text| !text.is_empty())
        };
        let place = || layer.name.clone();
        let (set_as, text) = match (text(name), text(&twin)) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "{name} and {twin} are both set by {}: leave one out",
                    place()
                ));
            }
            (Some(text), None) => (name, text.to_owned()),
            (None, Some(path)) => {
                // The user's own file means the same in every folder.
                let is_users = layer.source == Source::UserFile;
                let named_in = is_users.then_some(Path::new(&layer.name));
                (twin.as_str(), self.file(&twin, path, named_in)?)
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Found {
            which: key_name(name).which,
            text,
            variable: Variable {
                name: set_as.to_owned(),
                source: layer.source,
                place: place(),
            },
        }))
    }

    /// Whether the real environment has this variable, or its twin.
    pub(in crate::config) fn environment_has(&self, name: &str) -> bool {
        let twin = file_twin(name);
        let mut layers = self.layers.iter();
        layers.any(|layer| {
            let has = |name: &str| {
                layer
                    .texts
                    .get(name)
                    .is_some_and(|text| !text.trim().is_empty())
            };
            layer.source == Source::Environment && (has(name) || has(&twin))
        })
    }

    /// The text of a file that contains a key; a relative path starts at the file that it is named
    /// in, so that the working directory cannot decide which key that is.
    pub(in crate::config) fn file(
        &self,
        named_by: &str,
        path: &str,
        named_in: Option<&Path>,
    ) -> Result<String, String> {
        if looks_like_key(path) {
            let name = names::without_file(named_by);
            return Err(format!(
                "{named_by} contains a key where the name of a file belongs: put the key into {name}, or into \
                 a file"
            ));
        }
        let beside = named_in.and_then(Path::parent).unwrap_or(Path::new(""));
        let text =
            (self.read)(&beside.join(path)).map_err(|why| format!("{named_by}={path:?} {why}"))?;
        if text.trim().is_empty() {
            return Err(format!("{named_by}={path:?} is empty: no key is in it"));
        }
        Ok(text)
    }

    fn counting(&self, environment: Environment) -> impl Iterator<Item = &Layer> {
        let layers = self.layers.iter();
        layers.filter(move |layer| {
            environment == Environment::Counts || layer.source != Source::Environment
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Set = &'static [(&'static str, &'static str)];

    fn layer(source: Source, set: Set) -> Layer {
        let texts = set.iter();
        Layer {
            source,
            name: format!("{source:?}"),
            texts: texts
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
        }
    }

    fn read(path: &Path) -> Result<String, String> {
        match path.to_str() {
            Some("/run/secrets/groq") => Ok("from-a-file-1\n".to_owned()),
            Some("/empty") => Ok("\n".to_owned()),
            _ => Err("is not there".to_owned()),
        }
    }

    #[test]
    fn s10_1_which_variables_count_and_in_which_order() {
        use Environment::{Counts, PassedOver};
        #[rustfmt::skip]
        let rows: &[(Set, Set, Environment, Set)] = &[
            // environment                .env                                         counts       found
            (&[],                         &[],                                         Counts,      &[]),
            (&[("G_KEY", "e")],           &[("G_KEY", "f")],                           Counts,      &[("G_KEY", "e")]),
            (&[("G_KEY", "e")],           &[("G_KEY", "f")],                           PassedOver,  &[("G_KEY", "f")]),
            (&[("G_KEY", "e")],           &[],                                         PassedOver,  &[]),
            (&[("G_KEY", "")],            &[("G_KEY", "f")],                           Counts,      &[]),
            (&[("G_KEY_2", "e")],         &[("G_KEY", "f")],                           Counts,      &[("G_KEY", "f"), ("G_KEY_2", "e")]),
            (&[],                         &[("G_KEY_10", "c"), ("G_KEY_9", "b"), ("G_KEYS", "a")], Counts, &[("G_KEYS", "a"), ("G_KEY_9", "b"), ("G_KEY_10", "c")]),
            (&[("G_KEY_FILE", "/run/secrets/groq")], &[("G_KEY", "f")],                Counts,      &[("G_KEY_FILE", "from-a-file-1\n")]),
            (&[("G_KEY", "e")],           &[("G_KEY_FILE", "/gone")],                  Counts,      &[("G_KEY", "e")]),
            (&[],                         &[("G_KEY_2_FILE", "/run/secrets/groq")],    Counts,      &[("G_KEY_2_FILE", "from-a-file-1\n")]),
            (&[],                         &[("G_KEY", ""), ("G_KEY_FILE", "/run/secrets/groq")], Counts, &[("G_KEY_FILE", "from-a-file-1\n")]),
            (&[],                         &[("G_KEY_FILE", "")],                       Counts,      &[]),
            (&[],                         &[("OG_KEY", "x"), ("G_KEY_X", "y")],        Counts,      &[]),
        ];
        for (environment, folder, counts, expected) in rows {
            let layers = [
                layer(Source::Environment, environment),
                layer(Source::WorkingDir, folder),
            ];
            let variables = Variables {
                layers: &layers,
                read: &read,
            };
            let found = variables.all("G_KEY", *counts).unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|found| (found.variable.name.as_str(), found.text.as_str()))
                .collect();
            assert_eq!(found, *expected, "{environment:?} {folder:?}");
            assert!(!format!("{layers:?}").contains("from-a-file"));
        }
    }

    #[test]
    fn s10_1_a_relative_path_starts_at_the_file_that_names_it() {
        let read = |path: &Path| Ok(path.display().to_string());
        #[rustfmt::skip]
        let rows = [
            (Source::UserFile,    "/home/me/env", "keys/groq",  "/home/me/keys/groq"),
            (Source::UserFile,    "/home/me/env", "/run/groq",  "/run/groq"),
            (Source::Environment, "the environment", "keys/groq", "keys/groq"),
            (Source::WorkingDir,  ".env",         "keys/groq",  "keys/groq"),
        ];
        for (source, name, path, expected) in rows {
            let layers = [Layer {
                source,
                name: name.to_owned(),
                texts: [("G_KEY_FILE".to_owned(), path.to_owned())].into(),
            }];
            let variables = Variables {
                layers: &layers,
                read: &read,
            };
            let found = variables.one("G_KEY", Environment::Counts).unwrap();
            assert_eq!(found.unwrap().text, expected, "{source:?} {path}");
        }
    }

    #[test]
    fn s10_1_a_file_without_a_key_is_an_error() {
        #[rustfmt::skip]
        let rows: &[(Set, &str)] = &[
            (&[("G_KEY_FILE", "/gone")],                    "G_KEY_FILE=\"/gone\" is not there"),
            (&[("G_KEY_FILE", "/empty")],                   "G_KEY_FILE=\"/empty\" is empty: "),
            (&[("G_KEY_2_FILE", "/gone")],                  "G_KEY_2_FILE=\"/gone\" is not there"),
            (&[("G_KEY_FILE", "gsk_0123456789abcdef0123")], "G_KEY_FILE contains a key where the name of a file belongs: put the key into G_KEY,"),
            (&[("G_KEY", "a"), ("G_KEY_FILE", "/gone")],    "G_KEY and G_KEY_FILE are both set by UserFile"),
        ];
        for (set, expected) in rows {
            let layers = [layer(Source::UserFile, set)];
            let variables = Variables {
                layers: &layers,
                read: &read,
            };
            let Err(problems) = variables.all("G_KEY", Environment::Counts) else {
                panic!("{set:?}");
            };
            assert!(problems.concat().starts_with(expected), "{problems:?}");
            assert!(!problems.concat().contains("0123456789"), "{problems:?}");
        }
    }
}
