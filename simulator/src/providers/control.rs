//! What a test changes in running providers: their plans, and the clock of their quotas.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::script::ProviderScript;
use crate::Simulator;
use crate::clock::Now;
use crate::program::Slot;
use crate::script::Plan;
use crate::step::Step;

impl Simulator {
    /// Follows this plan for this model at this provider, from its beginning; everything else
    /// continues.
    pub fn set_offer(&self, provider: &str, id: &str, plan: impl Into<Plan<Step>>) {
        if provider == "openrouter" {
            return self.set_model(id, plan);
        }
        let plan = plan.into();
        self.set_provider(provider, &format!("model {id}"), |script| {
            script.models.insert(id.to_owned(), plan.clone());
        });
    }

    /// Follows this plan for this provider's list, from its beginning; everything else continues.
    pub fn set_provider_list(&self, provider: &str, plan: impl Into<Plan<Step>>) {
        let plan = plan.into();
        self.set_provider(provider, "list", |script| script.list = plan.clone());
    }

    /// Changes what this provider does; quotas and everything else continue.
    pub fn change_provider(&self, provider: &str, change: impl Fn(&mut ProviderScript)) {
        self.set_provider(provider, "", change);
    }

    fn set_provider(&self, provider: &str, what: &str, change: impl Fn(&mut ProviderScript)) {
        let slot = Slot::Provider(provider.to_owned(), what.to_owned());
        self.change(&slot, |script| {
            change(script.providers.entry(provider.to_owned()).or_default());
        });
    }

    /// The simulator's wall clock, by which it counts quotas and writes dates.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.read_clock().wall
    }

    /// Sets that clock, backwards too; it runs on from there.
    pub fn set_clock(&self, wall: SystemTime) {
        let real = Now::read().wall;
        let ahead = match wall.duration_since(real) {
            Ok(ahead) => millis(ahead),
            Err(behind) => millis(behind.duration()).saturating_neg(),
        };
        self.shared.ahead.store(ahead, Ordering::Relaxed);
    }

    /// Moves that clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.ahead.fetch_add(millis(by), Ordering::Relaxed);
    }

    pub(crate) fn read_clock(&self) -> Now {
        Now::read().ahead(self.shared.ahead.load(Ordering::Relaxed))
    }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
