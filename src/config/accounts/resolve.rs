//! Which providers are on, why the others are not, and the resulting accounts. Pure.

use std::sync::Arc;

use super::choice::Choice;
use super::keys::{Key, Keys, Search};
use super::nobody::nobody;
use super::split;
use super::standing::{Off, Standing};
use super::variables::{Environment, Variable, Variables};
use super::{Account, Spare};
use crate::model::{AccountId, KeyMark, ProviderId};
use crate::provider::file::ConfigFile;
use crate::provider::{Provider, Training};

/// What decides, besides the keys.
pub(in crate::config) struct Asked<'a> {
    /// Every known provider, with what the file changes about it, in the order of spec §10.1.
    pub providers: Vec<Arc<Provider>>,
    /// `CONFIG_FILE`.
    pub file: &'a ConfigFile,
    /// Where that file is, and how far it is trusted.
    pub file_is: Variable,
    /// `PROVIDERS`.
    pub choice: &'a Choice,
    /// `ALLOW_PAID`.
    pub allow_paid: bool,
    /// `TRAINING` is `refuse`.
    pub refuse_training: bool,
}

/// The result.
#[derive(Default)]
pub(in crate::config) struct Resolved {
    pub standings: Vec<Standing>,
    pub accounts: Vec<Account>,
    /// The keys that an account id goes with, as part of the address: where both were found.
    pub with_id: Vec<(Variable, Variable)>,
    pub problems: Vec<String>,
    /// The message if no account is left and nothing else is wrong.
    pub nobody: Option<String>,
    pub warnings: Vec<String>,
}

/// Finds every provider's keys and turns them into accounts.
pub(in crate::config) fn resolve(asked: &Asked<'_>, variables: &Variables<'_>) -> Resolved {
    let mut out = Resolved::default();
    let in_environment = variables.environment_has("PROXY_API_KEY");
    for provider in &asked.providers {
        let mut standing = Stand {
            asked,
            variables,
            provider,
            in_environment,
            out: &mut out,
        };
        let stands = standing.stand();
        out.standings.push(stands);
    }
    let last = |standing: &Standing| {
        let id = &standing.provider.id;
        (id.as_str() == ProviderId::LOCAL, asked.choice.place(id))
    };
    // Both sorts are stable: what has no position keeps its own.
    out.standings.sort_by_key(last);
    out.accounts.sort_by_key(|account| {
        let mut standings = out.standings.iter();
        standings.position(|standing| standing.provider.id == account.id.provider)
    });
    if out.accounts.is_empty() && out.problems.is_empty() {
        out.nobody = Some(nobody(
            &asked.providers,
            asked.choice,
            asked.refuse_training,
            variables,
            &out.standings,
        ));
    }
    out
}

/// A provider being resolved.
struct Stand<'a> {
    asked: &'a Asked<'a>,
    variables: &'a Variables<'a>,
    provider: &'a Arc<Provider>,
    in_environment: bool,
    out: &'a mut Resolved,
}

impl Stand<'_> {
    fn stand(&mut self) -> Standing {
        let found = self.find();
        let mut variables: Vec<_> = found.keys.iter().map(|key| key.variable.clone()).collect();
        variables.dedup();
        let decided = self.decide(found);
        Standing {
            provider: match &decided {
                Ok(counted) => Arc::clone(counted),
                Err(_) => Arc::clone(self.provider),
            },
            off: decided.err(),
            variables,
        }
    }

    fn is_named(&self) -> bool {
        self.asked.choice.names(&self.provider.id)
    }

    fn is_local(&self) -> bool {
        self.provider.id.as_str() == ProviderId::LOCAL
    }

    fn find(&self) -> Keys {
        let search = self.search(self.environment(), self.is_named());
        let file = self.asked.file.get(self.provider.id.as_str());
        match file.and_then(|named| named.keys.as_ref()) {
            Some(refs) => search.by_file(refs, &self.asked.file_is),
            None => search.by_name(),
        }
    }

    fn search(&self, environment: Environment, with_shared: bool) -> Search<'_> {
        Search {
            provider: self.provider,
            variables: self.variables,
            environment,
            with_shared,
        }
    }

    /// People's shells contain keys for other programs.
    fn environment(&self) -> Environment {
        let is_ours = self.provider.id.is_openrouter() || self.is_local();
        if is_ours || self.in_environment || self.is_named() {
            Environment::Counts
        } else {
            Environment::PassedOver
        }
    }

    /// Creates its accounts and returns the provider as they are counted there, or says why it has
    /// none.
    fn decide(&mut self, found: Keys) -> Result<Arc<Provider>, Off> {
        let provider = self.provider;
        if self.asked.choice.bars(&provider.id) {
            return Err(Off::Barred);
        }
        if provider.base_url.is_empty() {
            if self.is_named() {
                self.out.problems.push(format!(
                    "PROVIDERS names {}, whose address is not set: set LOCAL_BASE_URL",
                    provider.id
                ));
            }
            return Err(Off::NoAddress);
        }
        self.out.warnings.extend(found.warnings);
        if !found.problems.is_empty() {
            self.out.problems.extend(found.problems);
            return Err(Off::Mistake);
        }
        let keys = self.affordable(found.keys)?;
        let needs_no_key = provider.keyless || provider.custom;
        if keys.is_empty() && !needs_no_key {
            return Err(self.without_key());
        }
        let is_there = provider.custom || self.is_local();
        // A key of its own enables even a provider that needs none.
        let only_named = provider.only_when_named && !provider.keyless;
        let needs_name = only_named || (keys.is_empty() && !is_there);
        if needs_name && !self.is_named() {
            return Err(Off::Unnamed);
        }
        if self.asked.refuse_training && provider.training != Training::No {
            if self.is_named() {
                self.out.warnings.push(format!(
                    "PROVIDERS names {}, which may train on prompts: TRAINING=refuse leaves it out",
                    provider.id
                ));
            }
            return Err(Off::Trains);
        }
        let counted = match keys.is_empty() {
            true => Arc::clone(provider),
            false => Arc::clone(provider).with_key(),
        };
        let with_id = keys.iter().filter_map(|key| {
            let id = key.account_id.as_ref()?;
            Some((key.variable.clone(), id.variable.clone()))
        });
        self.out.with_id.extend(with_id);
        self.out.accounts.extend(accounts(&counted, keys));
        Ok(counted)
    }

    /// The keys that may be used: a billed one only if that is allowed.
    fn affordable(&mut self, keys: Vec<Key>) -> Result<Vec<Key>, Off> {
        let provider = self.provider;
        let (Some(first), true, false) = (keys.first(), provider.billed, self.asked.allow_paid)
        else {
            return Ok(keys);
        };
        let name = &first.variable.name;
        let billed = format!(
            "{name} is left out: what {} answers under a key is billed, and ALLOW_PAID is off",
            provider.name
        );
        match (self.is_named(), provider.keyless) {
            (true, false) => {
                let id = &provider.id;
                self.out.problems.push(format!(
                    "PROVIDERS names {id}, whose key ({name}) is billed: set ALLOW_PAID=on too, or leave it \
                     out"
                ));
                Err(Off::Billed)
            }
            (true, true) => {
                self.out.warnings.push(billed);
                Ok(Vec::new())
            }
            (false, _) => {
                self.out.warnings.push(billed);
                Err(Off::Billed)
            }
        }
    }

    /// Why a provider that needs a key has none.
    fn without_key(&mut self) -> Off {
        let provider = self.provider;
        if self.is_named() {
            let id = &provider.id;
            let hint = match provider.key_name() {
                Some(name) if provider.sign_up.is_empty() => format!("set {name}"),
                Some(name) => format!("set {name} (create one at {})", provider.sign_up),
                None => "name one in CONFIG_FILE".to_owned(),
            };
            self.out
                .problems
                .push(format!("PROVIDERS names {id}, which has no key: {hint}"));
            return Off::NoKey;
        }
        if self
            .asked
            .file
            .get(provider.id.as_str())
            .is_some_and(|named| named.keys.is_some())
        {
            return Off::NoKey;
        }
        let named = |environment, with_shared| {
            let found = self.search(environment, with_shared).by_name().keys;
            let names = found.into_iter().map(|key| key.variable.name);
            let mut names: Vec<_> = names.collect();
            names.dedup();
            names
        };
        let elsewhere = named(Environment::Counts, false);
        let shared = named(Environment::Counts, true);
        match (elsewhere.is_empty(), shared.is_empty()) {
            (false, _) => Off::Elsewhere(elsewhere),
            (true, false) => Off::Shared(shared),
            (true, true) => Off::NoKey,
        }
    }
}

/// One account for each key, or one for all keys of a label; without a key just one, which is another at another
/// address.
fn accounts(provider: &Arc<Provider>, keys: Vec<Key>) -> Vec<Account> {
    let account = |label: &str| Account {
        id: AccountId::new(provider.id.clone(), label).with(KeyMark::of([&*provider.base_url])),
        provider: Arc::clone(provider),
        key: None,
        account_id: None,
        variable: None,
        odd_shape: false,
        spares: Vec::new(),
    };
    if keys.is_empty() {
        return vec![account(provider.id.as_str())];
    }
    let mut accounts: Vec<Account> = Vec::new();
    let given: Vec<_> = keys.iter().filter_map(|key| key.label.clone()).collect();
    for key in keys {
        let same = |account: &&mut Account| key.label.as_deref() == Some(&account.id.label);
        if let Some(account) = accounts.iter_mut().find(same) {
            account.spares.push(Spare {
                odd_shape: split::is_odd(&key.key, provider.key_prefix.as_deref()),
                key: key.key,
                account_id: key.account_id.map(|own| own.id),
                variable: key.variable,
            });
            continue;
        }
        let label = key.label.clone().unwrap_or_else(|| {
            let taken = |label: &String| {
                given.contains(label) || accounts.iter().any(|other| *other.id.label == **label)
            };
            free_label(provider.id.as_str(), accounts.len(), taken)
        });
        let account = account(&label);
        let with_it = key.account_id.as_ref().map(|own| own.id.expose());
        let mark = KeyMark::of([key.key.expose()].into_iter().chain(with_it));
        accounts.push(Account {
            id: account.id.clone().with(mark),
            odd_shape: split::is_odd(&key.key, provider.key_prefix.as_deref()),
            key: Some(key.key),
            account_id: key.account_id.map(|own| own.id),
            variable: Some(key.variable),
            ..account
        });
    }
    accounts
}

/// `groq`, `groq#2`, ...: the first that no account of the file uses.
fn free_label(provider: &str, before: usize, is_taken: impl Fn(&String) -> bool) -> String {
    let numbered = (before..).map(|number| match number {
        0 => provider.to_owned(),
        _ => format!("{provider}#{}", number + 1),
    });
    let mut free = numbered.filter(|label| !is_taken(label));
    free.next().unwrap_or_default()
}
