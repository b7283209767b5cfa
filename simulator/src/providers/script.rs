//! A script for one provider.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::accounts::Account;
use super::refusal::Refusal;
use crate::script::{Plan, plans};
use crate::step::Step;

/// What one provider does. By default everything answers well, for the accounts of its file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderScript {
    /// Its accounts; those of its file if empty.
    pub accounts: Vec<Account>,
    /// What each model does on its successive attempts. For OpenRouter, the script's own `models`.
    #[serde(deserialize_with = "plans")]
    pub models: BTreeMap<String, Plan<Step>>,
    /// What an unlisted model does; each has its own count of attempts.
    pub default: Plan<Step>,
    /// What its list does.
    pub list: Plan<Step>,
    /// What its key test does, if that is not the list.
    pub key: Plan<Step>,
    /// What is on its list instead of what its file has; a bare id becomes an entry like the first
    /// one there.
    pub entries: Option<Vec<Value>>,
    /// What it refuses in addition to its file.
    pub refuses: Vec<Refusal>,
}

impl ProviderScript {
    /// Everything answers well.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this account, instead of those of the file.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// With this plan for this model.
    #[must_use]
    pub fn model(mut self, id: impl Into<String>, plan: impl Into<Plan<Step>>) -> Self {
        self.models.insert(id.into(), plan.into());
        self
    }

    /// With this plan for the models that are not named.
    #[must_use]
    pub fn others(mut self, plan: impl Into<Plan<Step>>) -> Self {
        self.default = plan.into();
        self
    }

    /// With this plan for its list.
    #[must_use]
    pub fn list(mut self, plan: impl Into<Plan<Step>>) -> Self {
        self.list = plan.into();
        self
    }

    /// With this plan for its key test.
    #[must_use]
    pub fn key(mut self, plan: impl Into<Plan<Step>>) -> Self {
        self.key = plan.into();
        self
    }

    /// With these entries on its list: ids, or whole entries.
    #[must_use]
    pub fn entries<E: Into<Value>>(mut self, entries: impl IntoIterator<Item = E>) -> Self {
        self.entries = Some(entries.into_iter().map(Into::into).collect());
        self
    }

    /// With this refused as well.
    #[must_use]
    pub fn refuses(mut self, refusal: Refusal) -> Self {
        self.refuses.push(refusal);
        self
    }
}
