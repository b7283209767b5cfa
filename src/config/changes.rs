//! How settings differ from those before them (spec §12.2): by name, never by value. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::accounts::key_name;
use super::sources::Layer;
use super::trust::Source;
use super::{Account, Config, Seen, Sources};

/// What has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The names of what has, and counts.
    pub changed: Vec<String>,
    /// The names of what has, but is set by a higher source too; and which that is.
    pub shadowed: BTreeMap<String, String>,
}

impl Sources {
    /// What has changed since `before`; `config` is what has become of these.
    #[must_use]
    pub fn changes(&self, seen: &Seen, config: &Config, before: (&Self, &Seen)) -> Changes {
        let (before, seen_before) = before;
        let mut changes = Changes::default();
        for source in [Source::EnvFile, Source::WorkingDir, Source::UserFile] {
            let of = |sources: &Self| names(sources.layers.iter().find(|l| l.source == source));
            let (now, then) = (of(self), of(before));
            let all: BTreeSet<_> = now.keys().chain(then.keys()).collect();
            for name in all
                .into_iter()
                .filter(|name| now.get(*name) != then.get(*name))
            {
                match self.above(source, name, config) {
                    Some(other) => drop(changes.shadowed.insert(name.clone(), other)),
                    None => changes.changed.push(name.clone()),
                }
            }
        }
        let files = seen
            .has_other_config_file(seen_before)
            .then_some("CONFIG_FILE");
        let files = files.into_iter().chain(seen.other_keys(seen_before));
        changes.changed.extend(files.map(str::to_owned));
        changes.changed.sort();
        changes.changed.dedup();
        changes
    }

    /// The source above this one that sets the same, if that counts.
    fn above(&self, source: Source, name: &str, config: &Config) -> Option<String> {
        let above = self
            .layers
            .iter()
            .take_while(|layer| layer.source != source);
        let sets = |layer: &&Layer| {
            let is_it = |other: &String| other == name || key_name(other) == twin(name);
            let is_set = layer.values.contains_key(name) || layer.keys.keys().any(is_it);
            is_set && (layer.values.contains_key(name) || counts(layer, config))
        };
        above.filter(sets).map(|layer| layer.name.clone()).next()
    }
}

/// The same name with `_FILE`, or without it.
fn twin(name: &str) -> super::accounts::KeyName<'_> {
    let mut twin = key_name(name);
    twin.is_file = !twin.is_file;
    twin
}

/// People's shells hold keys for other programs: one there counts only if an account has it.
fn counts(layer: &Layer, config: &Config) -> bool {
    let accounts = config.accounts.iter().flat_map(Account::under_each_key);
    let mut found = accounts.filter_map(|account| account.variable);
    layer.source != Source::Environment || found.any(|found| found.source == layer.source)
}

/// What a source sets, by name.
fn names(layer: Option<&Layer>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    if let Some(layer) = layer {
        let keys = layer.keys.iter().map(|(name, text)| (name.clone(), text));
        let values = layer
            .values
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text));
        names.extend(keys.chain(values).map(|(name, text)| (name, text.clone())));
    }
    names
}
