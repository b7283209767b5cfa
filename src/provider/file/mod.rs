//! Reads `CONFIG_FILE` (spec §10.1), and the built-in rows, which have the same form and a few
//! additional members. Pure: a text goes in, providers come out, or every error with its line.
//!
//! No file is opened here, no variable is read and no key seen: keys are only named.

mod clients;
mod errors;
mod fields;
mod keys;
mod limits;
mod members;
mod mistake;
mod models;
mod tree;

use std::sync::Arc;

pub use clients::FileClient;
pub use keys::{KeyRef, KeySource, is_key_name};
pub use mistake::Mistake;

use super::row::Provider;
use crate::ledger::LimitSource;
use crate::model::ProviderId;
use mistake::{Notes, did_you_mean, shown};
use tree::Member;

/// A larger file is not one of ours.
const MAX_BYTES: usize = 1 << 20;

/// The contents of a file.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    /// The providers that it names, in order: new ones, and known ones including what it changes
    /// about them.
    pub providers: Vec<FileProvider>,
    /// The clients that it names, in order.
    pub clients: Vec<FileClient>,
}

/// A provider that a file names.
#[derive(Clone, Debug)]
pub struct FileProvider {
    /// The whole row: what is built in, overridden by the file.
    pub provider: Arc<Provider>,
    /// Where its keys are, replacing what variables gave; `None` if the file does not say.
    pub keys: Option<Vec<KeyRef>>,
    /// The line with an address for it, if there is one: a key from a less trusted source must not
    /// be sent there (spec §12.1).
    pub address_line: Option<usize>,
    /// The line that names it first.
    pub line: usize,
}

impl ConfigFile {
    /// What it says about one provider.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&FileProvider> {
        let mut all = self.providers.iter();
        all.find(|named| named.provider.id.as_str() == name)
    }

    /// Whether it refers to this variable as a key.
    #[must_use]
    pub fn refers_to(&self, variable: &str) -> bool {
        let mut keys = self
            .providers
            .iter()
            .flat_map(|named| named.keys.iter().flatten());
        keys.any(|key| matches!(&key.from, KeySource::Env(name) if name == variable))
    }
}

/// Where a text comes from.
#[derive(Clone, Copy, Debug)]
enum Whose<'a> {
    /// The built-in table: every provider is new, and more members are allowed.
    Ours,
    /// The user's file, which changes these built-in rows or adds to them.
    Users(&'a [Arc<Provider>]),
}

/// Reads a user's file, which changes what is built in or adds to it.
///
/// # Errors
///
/// Everything that is wrong, by line. Nothing quotes a key, or any other value that could be one.
pub fn read(text: &[u8], built_in: &[Arc<Provider>]) -> Result<ConfigFile, Vec<Mistake>> {
    read_as(text, Whose::Users(built_in))
}

/// Reads built-in rows.
pub(super) fn read_rows(text: &str) -> Result<Vec<Provider>, Vec<Mistake>> {
    let file = read_as(text.as_bytes(), Whose::Ours)?;
    let rows = file.providers.into_iter();
    Ok(rows.map(|row| Arc::unwrap_or_clone(row.provider)).collect())
}

fn read_as(text: &[u8], whose: Whose<'_>) -> Result<ConfigFile, Vec<Mistake>> {
    let alone = |mistake| vec![mistake];
    let members = tree::parse(decoded(text).map_err(alone)?).map_err(alone)?;
    let mut notes = Notes::default();
    let mut file = ConfigFile::default();
    for member in &members {
        match member.name.as_str() {
            "providers" => file.read_providers(member, whose, &mut notes),
            // An error may belong to a provider that comes further down.
            "errors" => {}
            "clients" if !whose.is_ours() => {
                file.clients = clients::clients(member, whose, &mut notes);
            }
            _ => notes.note(member.unknown("the file", &["providers", "errors", "clients"])),
        }
    }
    for member in members.iter().filter(|member| member.name == "errors") {
        file.read_errors(member, whose, &mut notes);
    }
    notes.end(file)
}

/// The text without the byte order mark that some editors put first.
fn decoded(text: &[u8]) -> Result<&str, Mistake> {
    if text.len() > MAX_BYTES {
        let sentence = format!("is larger than {MAX_BYTES} bytes");
        return Err(Mistake::new(1, "the file", sentence));
    }
    let read = std::str::from_utf8(text).map_err(|error| {
        let before = text.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        Mistake::new(line, "the file", "is not UTF-8")
    })?;
    Ok(read.strip_prefix('\u{feff}').unwrap_or(read))
}

impl ConfigFile {
    fn read_providers(&mut self, member: &Member, whose: Whose<'_>, notes: &mut Notes) {
        let named = notes.keep(member.members()).unwrap_or_default();
        for member in named {
            let known = notes.keep(whose.known(&member.name, member.line));
            let members = notes.keep(member.members());
            if let (Some(known), Some(members)) = (known, members) {
                let line = member.line;
                self.providers
                    .push(members::provider(known, members, whose, line, notes));
            }
        }
    }

    /// What it defines takes precedence over what is built in, in its own order.
    fn read_errors(&mut self, member: &Member, whose: Whose<'_>, notes: &mut Notes) {
        let rows = notes.keep(member.list()).unwrap_or_default();
        for row in rows.iter().rev() {
            let Some((provider, error)) = notes.keep(errors::error(row, whose)) else {
                continue;
            };
            let line = row.line;
            if let Some(named) = notes.keep(self.taught(provider, whose, line)) {
                Arc::make_mut(&mut named.provider).errors.insert(0, error);
            }
        }
    }

    /// The provider of an error.
    fn taught(
        &mut self,
        member: &Member,
        whose: Whose<'_>,
        line: usize,
    ) -> Result<&mut FileProvider, Mistake> {
        let name = member.text()?;
        let is_it = |named: &FileProvider| named.provider.id.as_str() == name;
        let at = self.providers.iter().position(is_it);
        let at = match at {
            Some(at) => at,
            None => {
                let mut all = whose.names();
                all.extend(
                    self.providers
                        .iter()
                        .map(|named| named.provider.id.as_str()),
                );
                let provider = whose.find(name).ok_or_else(|| {
                    Mistake::new(
                        member.node.line,
                        shown(name),
                        format!(
                            "is neither a built-in provider nor one that the file defines{}",
                            did_you_mean(name, &all)
                        ),
                    )
                })?;
                self.providers.push(FileProvider {
                    provider: Arc::clone(provider),
                    keys: None,
                    address_line: None,
                    line,
                });
                self.providers.len() - 1
            }
        };
        self.providers.get_mut(at).ok_or_else(|| {
            Mistake::new(line, shown(name), "is not a provider that the file defines")
        })
    }
}

impl<'a> Whose<'a> {
    fn is_ours(self) -> bool {
        matches!(self, Self::Ours)
    }

    /// The rows that the text changes.
    fn rows(self) -> &'a [Arc<Provider>] {
        match self {
            Self::Ours => &[],
            Self::Users(built_in) => built_in,
        }
    }

    fn names(self) -> Vec<&'a str> {
        self.rows().iter().map(|row| row.id.as_str()).collect()
    }

    fn find(self, name: &str) -> Option<&'a Arc<Provider>> {
        self.rows().iter().find(|row| row.id.as_str() == name)
    }

    /// What is known about a provider before the text adds to it.
    fn known(self, name: &str, line: usize) -> Result<Provider, Mistake> {
        if let Some(provider) = self.find(name) {
            return Ok(Provider::clone(provider));
        }
        let id = ProviderId::try_from(name)
            .map_err(|error| Mistake::new(line, shown(name), format!("cannot be one: {error}")))?;
        Ok(Provider::unknown(id, !self.is_ours()))
    }

    /// How certain the limits of such a text are.
    fn source(self) -> LimitSource {
        match self {
            Self::Ours => LimitSource::Default,
            Self::Users(_) => LimitSource::Set,
        }
    }
}

#[cfg(test)]
mod tests;
