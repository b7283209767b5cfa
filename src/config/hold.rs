//! What of new settings waits for a restart (spec §12.2): listeners, threads, whether anything may cost money, and
//! where keys go. A key that the user has put here for one address is not sent to another because a file has changed.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::sources::Layer;
use super::{Account, Config, SETTINGS, Setting, Sources};
use crate::model::{KeyMark, ProviderId};
use crate::provider::Provider;
use crate::redact::Secret;

impl Sources {
    /// The same settings, with what only a restart changes as it was at the start; and the names of that.
    #[must_use]
    pub fn holding(&self, started: &Self) -> (Self, Vec<String>) {
        let mut held = self.clone();
        let mut top: Vec<Layer> = Vec::new();
        let mut waits = Vec::new();
        let names = SETTINGS
            .iter()
            .filter(|setting| setting.waits_for_restart());
        for setting in names.filter(|setting| self.text_of(setting) != started.text_of(setting)) {
            waits.push(setting.name.to_owned());
            for layer in &mut held.layers {
                layer.values.remove(setting.name);
            }
            let before = started.layers.iter();
            let set = before.filter_map(|layer| Some((layer, layer.values.get(setting.name)?)));
            for (layer, text) in set.take(1) {
                // It is trusted as far as it was.
                let mut own = Layer::new(layer.source, &layer.name);
                own.values.insert(setting.name, text.clone());
                top.push(own);
            }
        }
        held.layers.splice(0..0, top);
        (held, waits)
    }

    /// What counts, whether it is set or a default.
    fn text_of(&self, setting: &Setting) -> Option<String> {
        let set = self.get(setting.name).map(|text| text.trim().to_owned());
        let set = set.filter(|text| !text.is_empty());
        set.or_else(|| setting.default_text().map(str::to_owned))
    }
}

impl Config {
    /// The same settings, in which no key goes anywhere else than it has gone so far: a provider at which one would
    /// stays as it is in `running`, or off. Returns what waits for a restart because of that.
    ///
    /// # Errors
    /// If nobody is left.
    pub fn holding(
        mut self,
        running: &Self,
        gone: &Destinations,
    ) -> Result<(Self, Vec<String>), String> {
        let strays = |account: &Account| {
            let mut keys = account.under_each_key();
            keys.any(|under| gone.has_elsewhere(&under))
        };
        let strays: BTreeSet<ProviderId> = self
            .accounts
            .iter()
            .filter(|account| strays(account))
            .map(|account| account.id.provider.clone())
            .collect();
        for id in &strays {
            self.hold(id, running);
        }
        let waits: Vec<_> = strays.iter().map(address_of).collect();
        if self.accounts.is_empty() {
            let waits = waits.join(", ");
            return Err(format!(
                "{waits} needs a restart, and no other account is on"
            ));
        }
        Ok((self, waits))
    }

    /// A provider as it runs, with those of its accounts and their spare keys that are still there.
    fn hold(&mut self, id: &ProviderId, running: &Self) {
        let of = |config: &Self| {
            let accounts = config.accounts.iter();
            let own = accounts.filter(|account| account.id.provider == *id);
            own.cloned().collect::<Vec<_>>()
        };
        let still = of(self);
        let still: Vec<_> = still.iter().flat_map(Account::under_each_key).collect();
        let has = |key: Option<&Secret>| still.iter().any(|account| account.key.as_ref() == key);
        let mut own: Vec<_> = of(running);
        own.retain(|account| has(account.key.as_ref()));
        for account in &mut own {
            account.spares.retain(|spare| has(Some(&spare.key)));
        }
        let mut rows = running.providers.iter();
        let row: Option<&Arc<Provider>> = rows.find(|row| row.id == *id && !own.is_empty());
        let place = self
            .accounts
            .iter()
            .position(|account| account.id.provider == *id);
        self.accounts.retain(|account| account.id.provider != *id);
        let place = place.unwrap_or_default().min(self.accounts.len());
        self.accounts.splice(place..place, own);
        match row {
            Some(row) => {
                for other in self.providers.iter_mut().filter(|other| other.id == *id) {
                    *other = Arc::clone(row);
                }
            }
            None => self.providers.retain(|other| other.id != *id),
        }
        if id.is_openrouter() {
            self.upstream_base_url = running.upstream_base_url.clone();
            let first = self
                .accounts
                .iter()
                .find(|account| account.id.provider == *id);
            let key = first.and_then(|account| account.key.clone());
            self.upstream_key = key.unwrap_or_else(|| Secret::new(""));
        }
    }
}

/// Where each key has gone since the process started: one whose provider is off for a while is still the user's, put
/// here for one address.
#[derive(Clone, Debug, Default)]
pub struct Destinations(BTreeMap<KeyMark, BTreeSet<String>>);

impl Destinations {
    /// The keys of these settings are in use.
    pub fn note(&mut self, config: &Config) {
        for account in config.accounts.iter().flat_map(Account::under_each_key) {
            if let Some(key) = &account.key {
                let known = self.0.entry(KeyMark::of([key.expose()])).or_default();
                known.extend(addresses(&account));
            }
        }
    }

    /// Whether this account's key has gone somewhere, and not to this account's address.
    fn has_elsewhere(&self, account: &Account) -> bool {
        let key = account.key.as_ref();
        let known = key.and_then(|key| self.0.get(&KeyMark::of([key.expose()])));
        known.is_some_and(|known| addresses(account).iter().any(|at| !known.contains(at)))
    }
}

/// Where an account's key goes.
fn addresses(account: &Account) -> Vec<String> {
    let id = account.account_id.as_ref().map(Secret::expose);
    let row = &account.provider;
    let list = row.list_for(id).filter(|_| row.list.with_key);
    std::iter::once(account.base_url()).chain(list).collect()
}

/// What sets a provider's address.
fn address_of(id: &ProviderId) -> String {
    match id.as_str() {
        ProviderId::OPENROUTER => "UPSTREAM_BASE_URL".to_owned(),
        ProviderId::LOCAL => "LOCAL_BASE_URL".to_owned(),
        id => format!("the address of {id}"),
    }
}
