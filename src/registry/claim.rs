//! A request's hold on the model it asks (spec §9.8).

use std::sync::Arc;

use super::Registry;
use crate::model::ModelId;

/// Held while a model is asked. After a rest the holder is the probe, and others wait for how
/// it ends; dropping the claim lets the next one probe.
#[derive(Debug)]
pub struct Claim {
    registry: Arc<Registry>,
    id: ModelId,
    /// The numbers of the probe that it is: of the model, of the account.
    probes: [Option<u64>; 2],
}

impl Claim {
    pub(super) fn new(registry: Arc<Registry>, id: ModelId, probes: [Option<u64>; 2]) -> Self {
        Self {
            registry,
            id,
            probes,
        }
    }

    /// The model, and so the account, answers again.
    pub fn is_well(mut self) {
        self.end(true, true);
    }

    /// The account answers again; the model rests anew.
    pub fn account_is_well(mut self) {
        self.end(false, true);
    }

    fn end(&mut self, model_well: bool, account_well: bool) {
        let [model, account] = std::mem::take(&mut self.probes);
        if model.is_some() || account.is_some() {
            self.registry.change(|cooldowns| {
                if let Some(number) = model {
                    cooldowns.probed(&self.id, number, model_well);
                }
                if let Some(number) = account {
                    cooldowns.account_probed(number, account_well);
                }
            });
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end(false, false);
    }
}
