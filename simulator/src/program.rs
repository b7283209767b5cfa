//! A script being played: which attempt has reached which step.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::act::Act;
use crate::providers::Quotas;
use crate::script::{Greeting, Plan, Script};
use crate::step::Step;

/// What has its own count of attempts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Model(String),
    Account,
    List,
    Catalogue,
    Key,
    Connections,
    /// Something at a provider: `model ...`, `account ...`, `list`, `key`.
    Provider(String, String),
}

type Cache = HashMap<(usize, bool), HashMap<String, Arc<[Act]>>>;

/// A script and how far it has got. Replaced as a whole; its locks are held for a lookup only.
pub(super) struct Program {
    pub(super) script: Script,
    attempts: Mutex<BTreeMap<Slot, usize>>,
    cache: Mutex<Cache>,
    /// What the accounts of providers have used.
    pub(super) quotas: Arc<Quotas>,
}

impl Program {
    pub(super) fn new(script: Script) -> Self {
        Self {
            script,
            attempts: Mutex::default(),
            cache: Mutex::default(),
            quotas: Arc::default(),
        }
    }

    /// The same script changed, keeping its position except in `slot`.
    pub(super) fn changed(&self, slot: &Slot, change: impl FnOnce(&mut Script)) -> Self {
        let mut attempts = self
            .attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        attempts.remove(slot);
        let mut script = self.script.clone();
        change(&mut script);
        Self {
            script,
            attempts: Mutex::new(attempts),
            cache: Mutex::default(),
            quotas: Arc::clone(&self.quotas),
        }
    }

    /// The next step of a plan. None: a good answer.
    fn next<'p, T>(&self, slot: impl FnOnce() -> Slot, plan: &'p Plan<T>) -> Option<&'p T> {
        if plan.steps.len() == 1 && plan.at(1).is_some() {
            return plan.at(0);
        }
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = attempts.entry(slot()).or_default();
        *attempt += 1;
        plan.at(*attempt - 1)
    }

    pub(super) fn model(&self, id: &str) -> Option<&Step> {
        let is_free = id.ends_with(":free") || id == "openrouter/free";
        if is_free && !self.script.account.steps.is_empty() {
            return self.next(|| Slot::Account, &self.script.account);
        }
        let plan = self.script.models.get(id).unwrap_or(&self.script.default);
        self.next(|| Slot::Model(id.to_owned()), plan)
    }

    /// The next step of something at a provider.
    pub(super) fn provider<'p>(
        &self,
        provider: &str,
        what: &str,
        plan: &'p Plan<Step>,
    ) -> Option<&'p Step> {
        let slot = || Slot::Provider(provider.to_owned(), what.to_owned());
        self.next(slot, plan)
    }

    pub(super) fn list(&self) -> Option<&Step> {
        self.next(|| Slot::List, &self.script.list)
    }

    /// The step of the last read of the list, or of the first if there was none.
    pub(super) fn listed(&self) -> Option<&Step> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let read = attempts.get(&Slot::List).copied().unwrap_or_default();
        self.script.list.at(read.saturating_sub(1))
    }

    pub(super) fn catalogue(&self) -> Option<&Step> {
        self.next(|| Slot::Catalogue, &self.script.catalogue)
    }

    pub(super) fn key(&self) -> Option<&Step> {
        self.next(|| Slot::Key, &self.script.key)
    }

    pub(super) fn greeting(&self) -> Greeting {
        let greeting = self.next(|| Slot::Connections, &self.script.connections);
        greeting.copied().unwrap_or(Greeting::Ok)
    }

    /// The acts of a step that never change, built once for each model.
    pub(super) fn cached(
        &self,
        step: &Step,
        model: &str,
        streamed: bool,
        make: impl FnOnce() -> Vec<Act>,
    ) -> Arc<[Act]> {
        let key = (std::ptr::from_ref(step).addr(), streamed);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let models = cache.entry(key).or_default();
        if let Some(acts) = models.get(model) {
            return Arc::clone(acts);
        }
        let acts: Arc<[Act]> = make().into();
        models.insert(model.to_owned(), Arc::clone(&acts));
        acts
    }
}
