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
    probes_model: bool,
    probes_account: bool,
}

impl Claim {
    pub(super) fn new(
        registry: Arc<Registry>,
        id: ModelId,
        probes_model: bool,
        probes_account: bool,
    ) -> Self {
        Self {
            registry,
            id,
            probes_model,
            probes_account,
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
        let (model, account) = (
            std::mem::take(&mut self.probes_model),
            std::mem::take(&mut self.probes_account),
        );
        if model || account {
            self.registry.change(|cooldowns| {
                if model {
                    cooldowns.probed(&self.id, model_well);
                }
                if account {
                    cooldowns.account_probed(account_well);
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
