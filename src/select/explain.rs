//! Why a model is no candidate: the rules of [`select`](super::select), asked of each model.
//!
//! The same functions decide as there; a property of the tests holds the two together.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Wants, able, large_enough};
use crate::clock::Now;
use crate::model::{Capability, Model, ModelId};
use crate::registry::{Cooldowns, Snapshot, Standing};

/// What keeps a model from being a candidate: the first of the rules that does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// `MODEL_FIELD=pin`, and the request names another.
    NotWanted,
    /// It cannot do all that the request needs.
    Lacks(Vec<Capability>),
    /// Its context is too small for the prompt.
    TooSmall {
        /// How many tokens the prompt has at the least.
        needs: u64,
        /// How many the model can hold.
        has: u64,
    },
    /// It has been asked already.
    Tried,
    /// The whole account rests, or is being probed.
    Account,
    /// It rests; [`Cooldowns::rest_of`] says why.
    Resting,
    /// Its rest is over, and another request is finding out whether that helped.
    Probing,
}

/// The models of the snapshot that are no candidates now, in its order, each with the reason.
#[must_use]
pub fn left_out(
    snapshot: &Snapshot,
    wants: Wants<'_>,
    cooldowns: &Cooldowns,
    now: Now,
) -> Vec<(Arc<Model>, LeftOut)> {
    let ids = |models: &[&Arc<Model>]| -> HashSet<ModelId> {
        models.iter().map(|model| model.id.clone()).collect()
    };
    let listed = wants.preference.of(snapshot);
    let able = able(&listed, wants.needs, cooldowns);
    let (listed, fitting) = (ids(&listed), ids(&large_enough(&able, wants)));
    let able = ids(&able);
    let account_awake = match cooldowns.account(now) {
        Standing::Awake => true,
        Standing::Probing => cooldowns.next_account_probe_in(now).is_zero(),
        Standing::Resting(_) => false,
    };
    let why = |model: &Model| {
        if !listed.contains(&model.id) {
            return Some(LeftOut::NotWanted);
        }
        if !able.contains(&model.id) {
            let unmet = wants.needs.unmet_by(cooldowns.abilities(model));
            return Some(LeftOut::Lacks(unmet.collect()));
        }
        if !fitting.contains(&model.id) {
            return Some(LeftOut::TooSmall {
                needs: wants.needs.prompt_tokens(),
                has: model.context_length.unwrap_or_default(),
            });
        }
        if wants.tried.contains(&model.id) {
            return Some(LeftOut::Tried);
        }
        match cooldowns.standing(&model.id, now) {
            Standing::Resting(_) => Some(LeftOut::Resting),
            Standing::Probing => Some(LeftOut::Probing),
            Standing::Awake if !account_awake => Some(LeftOut::Account),
            Standing::Awake => cooldowns
                .probes_account(&model.id)
                .then_some(LeftOut::Probing),
        }
    };
    let with_reason = |model: &Arc<Model>| Some((Arc::clone(model), why(model)?));
    snapshot.candidates().filter_map(with_reason).collect()
}
