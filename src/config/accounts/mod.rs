//! Which providers are on, and which accounts they have: from variables, files, `CONFIG_FILE` and
//! `PROVIDERS` (spec §10.1). Pure; no key ever stands in a sentence.

mod choice;
mod keys;
mod names;
mod nobody;
mod resolve;
mod split;
mod standing;
mod variables;

use std::sync::Arc;

use crate::model::AccountId;
use crate::provider::{Provider, built_in};
use crate::redact::Secret;

pub(super) use choice::Choice;
pub(super) use names::key_name;
pub use names::next_name;
pub(super) use resolve::{Asked, Resolved, resolve};
pub use split::pasted;
pub use standing::{Off, Standing};
pub use variables::Variable;
pub(super) use variables::{Environment, Layer, Variables};

/// Whether a variable may hold a key or an account id, whoever's it is.
pub(super) fn may_hold_key(name: &str) -> bool {
    names::is_keys(name) || is_provider_variable(name)
}

/// Whether a variable is a built-in provider's key or account id, in any spelling, or names the file
/// that holds the proxy's own key.
pub(super) fn is_provider_variable(name: &str) -> bool {
    let base = key_name(name).base;
    name == "PROXY_API_KEY_FILE" || plain_names().any(|known| known == base)
}

/// The plain names of built-in providers' keys and account ids.
pub(super) fn plain_names() -> impl Iterator<Item = &'static str> {
    let rows = built_in().iter();
    let names = rows.flat_map(|row| row.key_names.iter().chain(&row.account_id_name));
    names.map(String::as_str)
}

/// A provider under one key, or under none.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its provider and its label: `groq`, `groq#2`, or what `CONFIG_FILE` calls it.
    pub id: AccountId,
    /// Its provider's row, with what the file changes of it.
    pub provider: Arc<Provider>,
    /// The key, where it has one.
    pub key: Option<Secret>,
    /// The account id that goes with the key, where the provider takes one. Not to be shown.
    pub account_id: Option<Secret>,
    /// Where the key was found; `None` without a key.
    pub variable: Option<Variable>,
    /// The key does not begin as the provider's usually do. A hint, never a reason to refuse it.
    pub odd_shape: bool,
    /// Further keys that `CONFIG_FILE` gives the same label: they share what the account may use.
    pub spares: Vec<(Secret, Variable)>,
}

impl Account {
    /// The address that paths are put behind.
    #[must_use]
    pub fn base_url(&self) -> String {
        let id = self.account_id.as_ref().map(Secret::expose);
        self.provider
            .base_for(id)
            .unwrap_or_else(|| self.provider.base_url.clone())
    }

    /// All its keys, and its account id: what must be cut from texts.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let spares = self.spares.iter().map(|(key, _)| key);
        self.key.iter().chain(&self.account_id).chain(spares)
    }
}
