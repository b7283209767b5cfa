//! What one source sets: its settings by the table's names, the variables that may contain keys,
//! and unknown names.

use std::collections::{BTreeMap, HashMap};

use super::super::accounts;
use super::super::table::{self, SETTINGS};
use super::super::trust::Source;

/// What one source sets.
#[derive(Clone)]
pub(in crate::config) struct Layer {
    pub source: Source,
    /// Its name in a sentence.
    pub name: String,
    /// By the table's names.
    pub values: HashMap<&'static str, String>,
    /// The variables that may contain keys, and account ids, by their own names.
    pub keys: BTreeMap<String, String>,
    /// The settings whose value is in a file that this source names (`PROXY_API_KEY_FILE`).
    pub from_files: Vec<&'static str>,
    /// The unknown names, with line numbers if from a file.
    pub strange: Vec<(Option<usize>, String)>,
}

impl Layer {
    pub(in crate::config) fn new(source: Source, name: &str) -> Self {
        Self {
            source,
            name: name.to_owned(),
            values: HashMap::new(),
            keys: BTreeMap::new(),
            from_files: Vec::new(),
            strange: Vec::new(),
        }
    }

    pub(super) fn keys(&self) -> accounts::Layer {
        accounts::Layer {
            source: self.source,
            name: self.name.clone(),
            texts: self.keys.clone(),
        }
    }

    /// Takes these variables; of two spellings of a setting, the first in the table counts.
    pub(super) fn take(&mut self, mut variables: HashMap<String, String>) {
        let keys = variables
            .iter()
            .filter(|(name, _)| accounts::may_hold_key(name));
        self.keys = keys
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect();
        for setting in SETTINGS {
            let mut spellings = setting.spellings();
            if let Some(value) = spellings.find_map(|name| variables.remove(&name)) {
                self.values.insert(setting.name, value);
            }
        }
        let mut strange: Vec<_> = variables
            .into_keys()
            .filter(|name| !is_known(name))
            .map(|name| (None, name))
            .collect();
        strange.sort();
        self.strange = strange;
    }
}

impl std::fmt::Debug for Layer {
    /// Names only: values may be keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// Whether a variable with this name is a setting, or a provider's key or account id in some
/// spelling.
pub(super) fn is_known(name: &str) -> bool {
    table::spelt(name).is_some() || accounts::is_provider_variable(name)
}
