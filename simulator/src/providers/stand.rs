//! Providers for Rust tests: on a local socket, with what a test needs of them.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::accounts::Account;
use super::row::{Addresses, Provider, addresses};
use super::script::ProviderScript;
use crate::Simulator;
use crate::record::{Seen, Tally};
use crate::script::{Plan, PlanEnd, Script};
use crate::step::Step;

/// Running providers. Dropping them ends them.
pub struct Providers {
    /// The simulator that plays them: its script, its clock and its record.
    pub simulator: Simulator,
    /// Where they are: `http://127.0.0.1:1234`.
    pub origin: String,
    script: Script,
    _tasks: JoinSet<()>,
}

impl Providers {
    /// Starts with this script for the providers; those not in it answer well.
    ///
    /// # Errors
    ///
    /// There is no port to listen on.
    pub async fn start(script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let simulator = Simulator::new(script.clone());
        let serving = simulator.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { serving.serve(listener).await });
        Ok(Self {
            simulator,
            origin,
            script,
            _tasks: tasks,
        })
    }

    /// Where this provider is, if there is one of this name.
    #[must_use]
    pub fn addresses(&self, provider: &str) -> Option<Addresses> {
        addresses(&self.origin, provider)
    }

    /// Its accounts, as the script or its file has them.
    #[must_use]
    pub fn accounts(&self, provider: &str) -> &[Account] {
        accounts(&self.script, provider)
    }

    /// All keys that it accepts, account by account.
    pub fn keys(&self, provider: &str) -> impl Iterator<Item = &str> {
        let accounts = self.accounts(provider).iter();
        accounts.flat_map(|account| &account.keys).map(|key| &**key)
    }

    /// The next `times` requests for this model there get the recorded error of this name; then
    /// everything is well again.
    pub fn fail(&self, provider: &str, model: &str, case: &str, times: usize) {
        let plan = Plan::from(vec![Step::case(case); times]).then(PlanEnd::Ok);
        self.simulator.set_offer(provider, model, plan);
    }

    /// The requests that came to this provider, oldest first (of the last 10,000 to all).
    #[must_use]
    pub fn seen(&self, provider: &str) -> Vec<Seen> {
        let mut seen = self.simulator.requests();
        seen.retain(|seen| seen.provider.as_deref() == Some(provider));
        seen
    }

    /// What an account was asked for and how it answered.
    #[must_use]
    pub fn tally(&self, provider: &str, account: &str) -> Tally {
        let who = (provider.to_owned(), account.to_owned());
        self.simulator.tally().remove(&who).unwrap_or_default()
    }
}

/// The accounts of this provider, as the script or its file has them.
fn accounts<'s>(script: &'s Script, provider: &str) -> &'s [Account] {
    match script.providers.get(provider) {
        Some(ProviderScript { accounts, .. }) if !accounts.is_empty() => accounts,
        Some(_) | None => Provider::named(provider).map_or(&[], |row| &row.accounts),
    }
}
