//! One provider's keys: found, paired with their account ids, each once. Pure.

use std::collections::HashMap;
use std::path::Path;

use super::names::{key_name, partner};
use super::split::{self, Unusable};
use super::variables::{Environment, Found, Variable, Variables};
use crate::provider::Provider;
use crate::provider::file::{KeyRef, KeySource};
use crate::redact::Secret;

/// A key, and its context.
#[derive(Clone)]
pub(super) struct Key {
    pub key: Secret,
    pub account_id: Option<OwnId>,
    pub variable: Variable,
    /// The name of its account in `CONFIG_FILE`.
    pub label: Option<String>,
}

/// The account id that goes with a key.
#[derive(Clone)]
pub(super) struct OwnId {
    pub id: Secret,
    pub variable: Variable,
}

/// The keys found, and what is wrong with them.
#[derive(Default)]
pub(super) struct Keys {
    pub keys: Vec<Key>,
    pub problems: Vec<String>,
    pub warnings: Vec<String>,
}

/// Where to look for keys of this provider.
pub(super) struct Search<'a> {
    pub provider: &'a Provider,
    pub variables: &'a Variables<'a>,
    pub environment: Environment,
    /// Variables that other programs also use count.
    pub with_shared: bool,
}

impl Search<'_> {
    /// The keys in variables.
    pub(super) fn by_name(&self) -> Keys {
        let mut out = Keys::default();
        for base in self.names() {
            match self.variables.all(base, self.environment) {
                Ok(found) => {
                    for found in found {
                        self.take(found, None, &mut out);
                    }
                }
                Err(problems) => out.problems.extend(problems),
            }
        }
        out.each_once(self.provider);
        if out.keys.is_empty() && out.problems.is_empty() {
            out.warnings.extend(self.half_a_pair());
        }
        out
    }

    /// The keys that `CONFIG_FILE` refers to.
    pub(super) fn by_file(&self, refs: &[KeyRef], file: &Variable) -> Keys {
        let mut out = Keys::default();
        for named in refs {
            let found = match &named.from {
                KeySource::Env(name) => match self.variables.one(name, Environment::Counts) {
                    Ok(Some(found)) => Ok(found),
                    Ok(None) => Err(format!(
                        "{} line {}: {name} is not set, and the file names it as a key of {}",
                        file.name, named.line, self.provider.id
                    )),
                    Err(problem) => Err(problem),
                },
                KeySource::File(path) => {
                    let at = format!("{} line {}: file", file.name, named.line);
                    let named_in = Some(Path::new(&file.name));
                    let text = self.variables.file(&at, path, named_in);
                    text.map(|text| Found {
                        which: key_name("").which,
                        text,
                        variable: Variable {
                            name: path.clone(),
                            ..file.clone()
                        },
                    })
                }
            };
            match found {
                Ok(found) => self.take(found, named.account.as_deref(), &mut out),
                Err(problem) => out.problems.push(problem),
            }
        }
        out.each_once(self.provider);
        out
    }

    /// The names that count for it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.provider.key_names.iter();
        let shared = &self.provider.shared_names;
        names
            .filter(move |name| self.with_shared || !shared.contains(name))
            .map(String::as_str)
    }

    fn take(&self, found: Found, label: Option<&str>, out: &mut Keys) {
        let name = &found.variable.name;
        let base = super::names::without_file(name);
        let keys = match split::keys(&found.text, base, self.provider.key_prefix.as_deref()) {
            Ok(keys) => keys,
            Err(why) => {
                out.problems.push(self.refusal(name, why));
                return;
            }
        };
        for (nth, key) in keys.into_iter().enumerate() {
            match self.account_id(&found, nth) {
                Ok(account_id) => out.keys.push(Key {
                    key,
                    account_id,
                    variable: found.variable.clone(),
                    label: label.map(str::to_owned),
                }),
                Err(problem) if out.problems.contains(&problem) => {}
                Err(problem) => out.problems.push(problem),
            }
        }
    }

    fn refusal(&self, name: &str, why: Unusable) -> String {
        match why {
            Unusable::Rule(rule) => format!("{name} {rule}"),
            Unusable::Placeholder if self.provider.sign_up.is_empty() => {
                format!("{name} is a placeholder: put the key there, or leave it out")
            }
            Unusable::Placeholder => {
                let sign_up = &self.provider.sign_up;
                format!("{name} is a placeholder: create a key at {sign_up}, or take the line out")
            }
        }
    }

    /// The account id with the key's own number, else the first; of several in one variable, the
    /// one at the key's position.
    fn account_id(&self, found: &Found, nth: usize) -> Result<Option<OwnId>, String> {
        let (Some(id_name), true) = (
            &self.provider.account_id_name,
            self.provider.takes_account_id(),
        ) else {
            return Ok(None);
        };
        let own_name = partner(found.which, id_name);
        let own = self.variables.one(&own_name, Environment::Counts)?;
        let own = match own {
            Some(own) => Some(own),
            None => {
                let all = self.variables.all(id_name, Environment::Counts);
                let all = all.map_err(|problems| problems.join("; "))?;
                all.into_iter().next()
            }
        };
        let name = &found.variable.name;
        let Some(own) = own else {
            let also = if own_name == *id_name {
                String::new()
            } else {
                format!(", or {id_name} for all")
            };
            return Err(format!(
                "{name} needs the account id that goes with it: set {own_name}{also}"
            ));
        };
        let mut ids = split::account_ids(&own.text, id_name).map_err(|why| match why {
            Unusable::Rule(rule) => format!("{} {rule}", own.variable.name),
            Unusable::Placeholder => format!("{} is a placeholder", own.variable.name),
        })?;
        let nth = if nth < ids.len() { nth } else { 0 };
        if ids.is_empty() {
            return Err(format!("{} contains no account id", own.variable.name));
        }
        Ok(Some(OwnId {
            id: ids.swap_remove(nth),
            variable: own.variable,
        }))
    }

    fn half_a_pair(&self) -> Option<String> {
        let id_name = self.provider.account_id_name.as_ref()?;
        let found = self.variables.all(id_name, Environment::PassedOver).ok()?;
        let id = &found.first()?.variable;
        let key = self.provider.key_names.first()?;
        Some(format!(
            "{} is set by {}, but no {key}, and {} needs both",
            id.name, id.place, self.provider.name
        ))
    }
}

impl Keys {
    /// The same key twice is one account, under the label that either has; under two different
    /// labels it is an error.
    fn each_once(&mut self, provider: &Provider) {
        let mut place: HashMap<(String, Option<String>), usize> = HashMap::new();
        let mut once: Vec<Key> = Vec::new();
        for key in std::mem::take(&mut self.keys) {
            let id = key
                .account_id
                .as_ref()
                .map(|own| own.id.expose().to_owned());
            let seen = (key.key.expose().to_owned(), id);
            let Some(before) = place.get(&seen).and_then(|place| once.get_mut(*place)) else {
                place.insert(seen, once.len());
                once.push(key);
                continue;
            };
            let (name, other) = (&key.variable.name, &before.variable.name);
            let what = if name == other {
                format!("{name} holds the same key twice")
            } else {
                format!("{name} and {other} hold the same key")
            };
            let id = &provider.id;
            match (before.label.clone(), key.label) {
                (Some(one), Some(two)) if one != two => self.problems.push(format!(
                    "{what} of {id} under two account names, {one} and {two}: a key belongs to one account"
                )),
                (None, Some(label)) | (Some(label), None) => {
                    self.warnings.push(format!(
                        "{what} of {id}, once without an account name: it counts once, as {label}"
                    ));
                    before.label = Some(label);
                }
                (None, None) | (Some(_), Some(_)) => {
                    self.warnings.push(format!("{what} of {id}: it counts once"));
                }
            }
        }
        self.keys = once;
    }
}
