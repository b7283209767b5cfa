//! The clients of the proxy (spec §13): who has a key to it.

use std::path::Path;

use super::super::accounts::{Environment, Variable, Variables};
use super::super::clients::{self, Clients, Described};
use super::super::table::{self, Preset};
use super::{Beside, SettingsReader};
use crate::provider::file::{FileClient, KeySource};
use crate::redact::Secret;

const NAME: &str = "PROXY_API_KEY";

/// The clients, and what was found on the way.
#[derive(Default)]
pub(super) struct Found {
    pub clients: Option<Clients>,
    pub warnings: Vec<String>,
    /// Where the keys were found that `CONFIG_FILE` names.
    pub variables: Vec<Variable>,
}

impl<F: Fn(&str) -> Option<String>> SettingsReader<F> {
    /// Everyone who may ask.
    pub(super) fn clients(&mut self, beside: &Beside<'_>) -> Found {
        let before = self.problems.len();
        let variable = self.door_keys(beside);
        let mut variables = Vec::new();
        let mut described = Vec::new();
        for client in &beside.file.clients {
            let found = client.key.as_ref().map(|key| key_text(client, key, beside));
            match found {
                None => described.push(Described { client, text: None }),
                Some(Ok((text, variable))) => {
                    let named = variable.name.clone();
                    variables.push(variable);
                    let text = Some((text, named));
                    described.push(Described { client, text });
                }
                Some(Err(problem)) => self.problems.push(problem),
            }
        }
        let read = clients::read(variable.as_deref(), &described, &beside.file_is.name);
        let mut found = Found {
            variables,
            ..Found::default()
        };
        match read {
            Ok(read) if self.problems.len() == before => {
                found.clients = Some(read.clients);
                found.warnings = read.warnings;
            }
            Ok(_) => {}
            Err(problems) => self.problems.extend(problems),
        }
        found
    }

    /// A client's key is the proxy's: inventing one would be useless. Returns the first that is an admin's, else the
    /// first. Beside the variable, a key that the file names need not be known here: the proxy may run elsewhere.
    pub(super) fn door_key(&mut self, beside: &Beside<'_>) -> Option<Secret> {
        let variable = self.given(NAME).filter(|text| !text.is_empty());
        if variable.is_none() && beside.file.clients.is_empty() {
            return self.note(
                "PROXY_API_KEY is not set: this needs the running proxy's key; put it into \
                 ~/.config/free-llm-proxy/env to have it in every folder"
                    .to_owned(),
            );
        }
        let Some(text) = variable else {
            return self.clients(beside).clients?.own_key().cloned();
        };
        let file = &beside.file_is.name;
        let read = |described: &[Described<'_>]| {
            let read = clients::read(Some(&text), described, file);
            read.map(|read| read.clients)
        };
        let named = match read(&[]) {
            Ok(named) => named,
            Err(problems) => {
                self.problems.extend(problems);
                return None;
            }
        };
        let described = beside.file.clients.iter().filter_map(|client| {
            let text = client.key.as_ref();
            let text = text.and_then(|key| key_text(client, key, beside).ok());
            let text = text.map(|(text, variable)| (text, variable.name));
            let has_key = text.is_some() || named.iter().any(|other| other.name == client.name);
            has_key.then_some(Described { client, text })
        });
        let described: Vec<_> = described.collect();
        match read(&described) {
            Ok(clients) => clients.own_key().cloned(),
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    /// The text of the variable, which is not required where the file names a client.
    fn door_keys(&mut self, beside: &Beside<'_>) -> Option<String> {
        let given = self.given(NAME);
        let Preset::Required(hint) = table::find(NAME)?.preset else {
            return given;
        };
        match given.as_deref() {
            Some("") | None if !beside.file.clients.is_empty() => None,
            None => self.note(format!("{NAME} is required: {hint}")),
            Some("") => self.note(format!("{NAME} is empty: {hint}")),
            Some(_) => given,
        }
    }
}

/// The text with a client's keys, and where it was found.
fn key_text(
    client: &FileClient,
    key: &KeySource,
    beside: &Beside<'_>,
) -> Result<(String, Variable), String> {
    let variables = Variables {
        layers: beside.layers,
        read: beside.read,
    };
    let file = beside.file_is;
    match key {
        KeySource::Env(name) => match variables.one(name, Environment::Counts)? {
            Some(found) => Ok((found.text, found.variable)),
            None => Err(format!(
                "{} line {}: {name} is not set, and the file names it as the key of client {}",
                file.name, client.line, client.name
            )),
        },
        KeySource::File(path) => {
            let at = format!("{} line {}: file", file.name, client.line);
            let text = variables.file(&at, path, Some(Path::new(&file.name)))?;
            let variable = Variable {
                name: path.clone(),
                ..file.clone()
            };
            Ok((text, variable))
        }
    }
}
