//! Who may ask: named clients, from `PROXY_API_KEY` and `CONFIG_FILE` (spec §13). Pure; no sentence ever
//! contains a key.

use std::sync::Arc;

use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use super::accounts::door::{self, Unusable};
use crate::ledger::Limit;
use crate::model::{ClientName, Offer, fits};
use crate::provider::file::FileClient;
use crate::redact::Secret;

/// Somebody with a key to the proxy, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name.
    pub name: ClientName,
    /// What it may use, over all its requests.
    pub limits: Vec<Limit>,
    /// Patterns for the models that it may ask; none for all.
    pub models: Vec<String>,
    /// Whether it may see the page, and use `/admin/*`.
    pub admin: bool,
}

impl Client {
    /// Whether it may ask this offer: a pattern matches its public id, or its model's canonical name.
    #[must_use]
    pub fn may_ask(&self, offer: &Offer) -> bool {
        let names = [offer.public_id.as_str(), offer.canonical.as_str()];
        let mut patterns = self.models.iter();
        self.models.is_empty()
            || patterns.any(|pattern| names.iter().any(|name| fits(pattern, name)))
    }
}

/// All clients, each with its keys.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    all: Vec<Arc<Client>>,
    /// The keys, and whose each is by its place.
    keys: Vec<(Secret, usize)>,
    /// Whole entries of the variable that have a name in them: they may be keys of before.
    wholes: Vec<(Secret, usize)>,
}

/// A key of `PROXY_API_KEY`.
#[derive(Debug)]
struct Entry {
    name: Option<ClientName>,
    key: Secret,
    /// The entry as it stands, if a name is taken off it.
    whole: Option<Secret>,
}

impl Clients {
    /// The client with this key. In constant time: each key is compared, and none by its first difference.
    #[must_use]
    pub fn of(&self, token: &[u8]) -> Option<&Arc<Client>> {
        let (mut found, mut at) = (Choice::from(0), 0_u64);
        for (key, whose) in self.keys.iter().chain(&self.wholes) {
            let fits = key.expose().as_bytes().ct_eq(token);
            at.conditional_assign(&(*whose as u64), fits);
            found |= fits;
        }
        let at = usize::try_from(at).ok()?;
        bool::from(found).then(|| self.all.get(at)).flatten()
    }

    /// Every client.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.all.iter()
    }

    /// The keys, those of the variable first.
    pub fn keys(&self) -> impl Iterator<Item = &Secret> {
        self.keys.iter().map(|(key, _)| key)
    }

    /// The key that our own commands present: the first that is an admin's, else the first.
    #[must_use]
    pub fn own_key(&self) -> Option<&Secret> {
        let is_admins = |whose: usize| self.all.get(whose).is_some_and(|client| client.admin);
        let mut admins = self.keys.iter().filter(|(_, whose)| is_admins(*whose));
        let first = admins.next().or_else(|| self.keys.first());
        first.map(|(key, _)| key)
    }

    /// Those of a `PROXY_API_KEY` like this.
    #[cfg(test)]
    pub(crate) fn with_keys(text: &str) -> Self {
        read(Some(text), &[], "").unwrap().clients
    }

    /// Adds a key. An error names the other client that has it.
    fn add(&mut self, key: Secret, whose: usize) -> Result<(), String> {
        match self.keys.iter().find(|(other, _)| *other == key) {
            Some((_, other)) if *other == whose => Ok(()),
            Some((_, other)) => Err(self.name_of(*other)),
            None => {
                self.keys.push((key, whose));
                Ok(())
            }
        }
    }

    fn name_of(&self, place: usize) -> String {
        let client = self.all.get(place);
        client.map_or(String::new(), |client| client.name.to_string())
    }

    /// The place of the client with this name, which is made if there is none.
    fn place_of(&mut self, name: ClientName) -> usize {
        let known = self.all.iter().position(|client| client.name == name);
        known.unwrap_or_else(|| {
            self.all.push(Arc::new(Client {
                name,
                limits: Vec::new(),
                models: Vec::new(),
                admin: true,
            }));
            self.all.len() - 1
        })
    }
}

/// What `CONFIG_FILE` says of a client, with the text that holds its keys, and where that was found.
pub(super) struct Described<'a> {
    pub client: &'a FileClient,
    /// `None` where the file names no key.
    pub text: Option<(String, String)>,
}

/// The clients, and what is worth knowing of them.
pub(super) struct Read {
    pub clients: Clients,
    pub warnings: Vec<String>,
}

/// Reads them all: `variable` is the text of `PROXY_API_KEY`, and `file` what `CONFIG_FILE` is called.
///
/// A name that stands in both is one client: what the file says of it holds for all its keys.
pub(super) fn read(
    variable: Option<&str>,
    described: &[Described<'_>],
    file: &str,
) -> Result<Read, Vec<String>> {
    let mut problems = Vec::new();
    let entries = variable
        .map_or(Ok(Vec::new()), entries)
        .unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
    let mut clients = Clients::default();
    for Described { client, .. } in described {
        clients.all.push(Arc::new(Client {
            name: client.name.clone(),
            limits: client.limits.clone(),
            models: client.models.clone(),
            admin: client.admin,
        }));
    }
    // What the file says of `default` holds for every key without a name: the next one must not be free of it.
    let first = ClientName::unnamed(1);
    let is_described = clients.all.iter().any(|client| client.name == first);
    let mut unnamed: Vec<Secret> = Vec::new();
    for entry in &entries {
        let name = match &entry.name {
            Some(name) => name.clone(),
            None if unnamed.contains(&entry.key) => continue,
            None => {
                unnamed.push(entry.key.clone());
                ClientName::unnamed(if is_described { 1 } else { unnamed.len() })
            }
        };
        let place = clients.place_of(name.clone());
        if let Err(other) = clients.add(entry.key.clone(), place) {
            problems.push(format!(
                "PROXY_API_KEY gives one key to {other} and {name}: each has its own"
            ));
        }
    }
    for (place, Described { client, text }) in described.iter().enumerate() {
        let named = || format!("{file} line {}: client {}", client.line, client.name);
        match text {
            None if clients.keys.iter().any(|(_, whose)| *whose == place) => {}
            None if variable.is_some_and(|_| !problems.is_empty()) => {}
            None => problems.push(format!(
                "{} has no key: write key = {{ env = \"SOME_KEY\" }}, or put {}:KEY into PROXY_API_KEY",
                named(),
                client.name
            )),
            Some((text, found_in)) => match door::keys(text, found_in) {
                Err(why) => problems.push(format!("{}: {found_in} {}", named(), rule(why))),
                Ok(keys) => {
                    for key in keys {
                        if let Err(other) = clients.add(key, place) {
                            problems.push(format!("{} has a key that is {other}'s too", named()));
                        }
                    }
                }
            },
        }
    }
    for entry in entries {
        let (Some(name), Some(whole)) = (entry.name, entry.whole) else {
            continue;
        };
        let place = clients.place_of(name);
        if !clients.keys().any(|key| *key == whole) {
            clients.wholes.push((whole, place));
        }
    }
    if problems.is_empty() {
        let warnings = warnings(&clients);
        Ok(Read { clients, warnings })
    } else {
        Err(problems)
    }
}

fn warnings(clients: &Clients) -> Vec<String> {
    let mut warnings = Vec::new();
    if !clients.wholes.is_empty() {
        let mut names: Vec<_> = clients
            .wholes
            .iter()
            .map(|(_, whose)| clients.name_of(*whose))
            .collect();
        names.dedup();
        warnings.push(format!(
            "PROXY_API_KEY: the part before a colon is read as a client's name ({}), the part after it as the key. \
             The whole is accepted as a key too, as it may be one from before there were names",
            names.join(", ")
        ));
    }
    if !clients.all.iter().any(|client| client.admin) {
        warnings.push(
            "no client has admin = true: nobody can see the page or use /admin/*, nor can `status` and `explain`"
                .to_owned(),
        );
    }
    warnings
}

/// The keys in the variable, each perhaps with a name before it.
fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let told = |why| format!("PROXY_API_KEY {}", rule(why));
    let parts = door::parts(text, "PROXY_API_KEY").map_err(told)?;
    if parts.is_empty() {
        return Err("PROXY_API_KEY holds no key".to_owned());
    }
    parts
        .into_iter()
        .map(|part| entry(part).map_err(told))
        .collect()
}

fn entry(part: &str) -> Result<Entry, Unusable> {
    let split = part.split_once(':');
    let named = split.and_then(|(name, key)| Some((ClientName::try_from(name).ok()?, key)));
    let Some((name, key)) = named else {
        return Ok(Entry {
            name: None,
            key: door::key(part)?,
            whole: None,
        });
    };
    Ok(Entry {
        name: Some(name),
        key: door::key(key)?,
        whole: Some(door::key(part)?),
    })
}

fn rule(why: Unusable) -> &'static str {
    match why {
        Unusable::Placeholder => {
            "is a placeholder: make one up, or let `free-llm-proxy init` do it"
        }
        Unusable::Rule(rule) => rule,
    }
}

#[cfg(test)]
mod tests;
