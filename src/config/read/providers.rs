//! The settings of providers, and the resulting accounts.

use std::net::SocketAddr;

use super::super::accounts::{self, Account, Asked, Choice, Resolved, Variables};
use super::super::value::{boolean, count, refuses_training, seconds};
use super::super::{address, rows};
use super::{Beside, SettingsReader};
use crate::model::ProviderId;

impl<F: Fn(&str) -> Option<String>> SettingsReader<F> {
    /// Which providers are on, with which accounts.
    pub(super) fn accounts(&mut self, beside: &Beside<'_>) -> Resolved {
        let openrouter = self.given("UPSTREAM_BASE_URL");
        let openrouter = openrouter.and_then(|_| self.get("UPSTREAM_BASE_URL", address::base_url));
        let local = rows::Local {
            base_url: self.get("LOCAL_BASE_URL", address::base_url),
            at_once: rows::Value {
                value: self.get("LOCAL_CONCURRENCY", count),
                is_set: self.given("LOCAL_CONCURRENCY").is_some(),
            },
            timeout: rows::Value {
                value: self.get("LOCAL_TIMEOUT_SEC", seconds),
                is_set: self.given("LOCAL_TIMEOUT_SEC").is_some(),
            },
        };
        let providers = rows::all(beside.file, openrouter.as_ref(), &local);
        let allow_paid = self.get("ALLOW_PAID", boolean).unwrap_or_default();
        let training = self.get("TRAINING", refuses_training);
        let choice = self.given("PROVIDERS").map(|text| {
            let known: Vec<_> = providers.iter().map(|row| row.id.clone()).collect();
            Choice::read(&text, &known)
        });
        let choice = match choice {
            None => Some(Choice::default()),
            Some(Ok(choice)) => Some(choice),
            Some(Err(problems)) => {
                self.problems.extend(problems);
                None
            }
        };
        let is_chosen = choice.is_some();
        let asked = Asked {
            providers,
            file: beside.file,
            file_is: beside.file_is.clone(),
            choice: &choice.unwrap_or_default(),
            allow_paid,
            refuse_training: training.unwrap_or_default(),
        };
        let variables = Variables {
            layers: beside.layers,
            read: beside.read,
        };
        let mut resolved = accounts::resolve(&asked, &variables);
        // If it is unclear which providers PROVIDERS means, it is no news that none is left.
        resolved.nobody = resolved.nobody.filter(|_| is_chosen);
        resolved
    }

    /// A provider that is this proxy itself would ask itself endlessly.
    pub(super) fn lead_elsewhere(
        &mut self,
        accounts: &[Account],
        listeners: impl Iterator<Item = SocketAddr>,
    ) {
        let listeners: Vec<_> = listeners.collect();
        let mut said = Vec::new();
        for account in accounts {
            let base = account.base_url();
            let is_ours = |listener: &&SocketAddr| address::leads_to(&base, **listener);
            let id = account.id.provider.as_str();
            let Some(listener) = listeners
                .iter()
                .find(is_ours)
                .filter(|_| !said.contains(&id))
            else {
                continue;
            };
            said.push(id);
            let name = match id {
                ProviderId::OPENROUTER => "UPSTREAM_BASE_URL".to_owned(),
                ProviderId::LOCAL => "LOCAL_BASE_URL".to_owned(),
                id => format!("the base_url of {id}"),
            };
            self.problems.push(format!(
                "{name} leads to this proxy itself, which listens at {listener}: it would ask itself \
                 without end"
            ));
        }
    }
}
