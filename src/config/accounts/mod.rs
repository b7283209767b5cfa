//! Which providers are on, and which accounts they have: from variables, files, `CONFIG_FILE` and
//! `PROVIDERS` (spec §10.1). Pure; no sentence ever contains a key.

mod choice;
pub(super) mod door;
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
pub use choice::meant_provider;
pub use names::next_name;
pub(super) use names::{KeyName, key_name, without_file};
pub(super) use resolve::{Asked, Resolved, resolve};
pub use split::{is_odd, pasted};
pub use standing::{Off, Standing};
pub use variables::Variable;
pub(super) use variables::{Environment, Layer, Variables};

/// Whether a variable may contain a key or an account id of any provider.
pub(super) fn may_hold_key(name: &str) -> bool {
    names::is_keys(name) || is_provider_variable(name)
}

/// Whether a variable is a built-in provider's key or account id, in any spelling, or names the
/// file that contains the proxy's own key.
pub(super) fn is_provider_variable(name: &str) -> bool {
    let base = key_name(name).base;
    name == "PROXY_API_KEY_FILE" || plain_names().any(|known| known == base)
}

/// The base names of built-in providers' keys and account ids.
pub(super) fn plain_names() -> impl Iterator<Item = &'static str> {
    let rows = built_in().iter();
    let names = rows.flat_map(|row| row.key_names.iter().chain(&row.account_id_name));
    names.map(String::as_str)
}

/// A provider with one key, or without.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its provider and its label: `groq`, `groq#2`, or its name in `CONFIG_FILE`.
    pub id: AccountId,
    /// Its provider's row, with what the file changes about it.
    pub provider: Arc<Provider>,
    /// The key, if it has one.
    pub key: Option<Secret>,
    /// The account id that goes with the key, if the provider needs one. Not to be shown.
    pub account_id: Option<Secret>,
    /// Where the key was found; `None` without a key.
    pub variable: Option<Variable>,
    /// The key does not start as the provider's usually do. A hint, never a reason to refuse it.
    pub odd_shape: bool,
    /// Further keys to which `CONFIG_FILE` gives the same label: they share the account's quota,
    /// and replace its key when that is refused.
    pub spares: Vec<Spare>,
}

/// A further key of an account.
#[derive(Clone, Debug)]
pub struct Spare {
    /// The key.
    pub key: Secret,
    /// The account id that goes with it.
    pub account_id: Option<Secret>,
    /// Where it was found.
    pub variable: Variable,
    /// See [`Account::odd_shape`].
    pub odd_shape: bool,
}

impl Account {
    /// The address to which paths are appended.
    #[must_use]
    pub fn base_url(&self) -> String {
        let id = self.account_id.as_ref().map(Secret::expose);
        self.provider
            .base_for(id)
            .unwrap_or_else(|| self.provider.base_url.clone())
    }

    /// The account once for each of its keys, in the order of the file; just itself if it has one
    /// key, or none.
    pub fn under_each_key(&self) -> impl Iterator<Item = Self> {
        let own = Self {
            spares: Vec::new(),
            ..self.clone()
        };
        let spares = self.spares.iter().map(|spare| Self {
            id: self.id.clone(),
            provider: Arc::clone(&self.provider),
            key: Some(spare.key.clone()),
            account_id: spare.account_id.clone(),
            variable: Some(spare.variable.clone()),
            odd_shape: spare.odd_shape,
            spares: Vec::new(),
        });
        std::iter::once(own).chain(spares)
    }

    /// All its keys and account ids: what must be redacted from texts.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let spares = self.spares.iter();
        let spares = spares.flat_map(|spare| [&spare.key].into_iter().chain(&spare.account_id));
        self.key.iter().chain(&self.account_id).chain(spares)
    }
}
