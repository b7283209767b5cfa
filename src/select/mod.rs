//! Which models may serve this request, best first (spec §4.1, §4.2, §9.5, §9.8).
//!
//! Pure: a snapshot, what the request wants, what is known of health and `now` go in, a
//! [`Selection`] comes out. No clock, no lock, no log line, no I/O in this room.

mod explain;
mod unavailable;

use std::sync::Arc;
use std::time::Duration;

pub use explain::{LeftOut, left_out};
pub use unavailable::Unavailable;

use crate::clock::Now;
use crate::config::ModelField;
use crate::model::{Capability, Model, ModelId};
use crate::registry::{Cooldowns, Snapshot, Standing};
use crate::request::{Needs, Wish};

/// What may be tried, or exactly why there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Able and awake, best first. Never empty.
    Candidates(Vec<Arc<Model>>),
    /// Nobody is awake, and somebody is being probed: wait for how that ends, or for who wakes.
    Probing {
        /// Until the first of those who rest wakes, or one more may probe the account.
        wakes_in: Option<Duration>,
    },
    /// Able models exist, and all of them are resting: 503 with `Retry-After`.
    AllCooling {
        /// Until the first of them wakes.
        wakes_in: Duration,
    },
    /// The whole account rests; [`Cooldowns::account_rest`] says why.
    AccountResting,
    /// Every able model has been tried.
    Exhausted,
    /// No listed model can do this; waiting will not help: 400.
    NoneCapable {
        /// The needs that no model has or, if each has some model, all of them together.
        missing: Vec<Capability>,
    },
    /// `MODEL_FIELD=pin`, and the named model is not in the snapshot: 404.
    NotListed,
    /// No list has been read yet: 503.
    NoSnapshot,
}

impl Selection {
    /// Who is asked next, if anybody is.
    #[must_use]
    pub fn first(&self) -> Option<&Arc<Model>> {
        match self {
            Self::Candidates(models) => models.first(),
            Self::Probing { .. }
            | Self::AllCooling { .. }
            | Self::AccountResting
            | Self::Exhausted
            | Self::NoneCapable { .. }
            | Self::NotListed
            | Self::NoSnapshot => None,
        }
    }
}

/// What a request wants, and how far it has come.
#[derive(Clone, Copy, Debug)]
pub struct Wants<'a> {
    /// What a model must be able to do.
    pub needs: &'a Needs,
    /// What its own `model` field comes to.
    pub preference: Preference<'a>,
    /// The models that have been asked.
    pub tried: &'a [ModelId],
    /// A model with this context found the prompt too long: only larger ones follow.
    pub above_context: Option<u64>,
}

/// What a request's own `model` comes to under `MODEL_FIELD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference<'a> {
    /// The proxy chooses.
    None,
    /// This one first, if it is there.
    First(&'a str),
    /// This one alone.
    Only(&'a str),
}

impl<'a> Preference<'a> {
    /// Applies the setting to what the request says.
    #[must_use]
    pub fn new(setting: ModelField, wish: &'a Wish) -> Self {
        match (setting, wish) {
            (_, Wish::Auto) | (ModelField::Ignore, Wish::Named(_)) => Self::None,
            (ModelField::Prefer, Wish::Named(name)) => Self::First(name),
            (ModelField::Pin, Wish::Named(name)) => Self::Only(name),
        }
    }

    /// The models it leaves, in their order.
    fn of(self, snapshot: &Snapshot) -> Vec<&Arc<Model>> {
        match self {
            Self::None => snapshot.candidates().collect(),
            Self::First(name) => {
                let mut models: Vec<_> = snapshot.candidates().collect();
                if snapshot.model(name).is_some() {
                    models.sort_by_key(|model| model.id.as_str() != name);
                }
                models
            }
            Self::Only(name) => snapshot.model(name).into_iter().collect(),
        }
    }
}

/// Chooses the candidates for one request.
#[must_use]
pub fn select(
    snapshot: Option<&Snapshot>,
    wants: Wants<'_>,
    cooldowns: &Cooldowns,
    now: Now,
) -> Selection {
    let Some(snapshot) = snapshot else {
        return Selection::NoSnapshot;
    };
    let listed = wants.preference.of(snapshot);
    if listed.is_empty() {
        return Selection::NotListed;
    }
    let able = able(&listed, wants.needs, cooldowns);
    if able.is_empty() {
        return Selection::NoneCapable {
            missing: missing(&listed, wants.needs, cooldowns),
        };
    }
    match cooldowns.account(now) {
        Standing::Resting(_) => return Selection::AccountResting,
        Standing::Probing => {
            // A probe that hangs must not hold everybody: one more goes, to the next model.
            let late_in = cooldowns.next_account_probe_in(now);
            if !late_in.is_zero() {
                return Selection::Probing {
                    wakes_in: Some(late_in),
                };
            }
        }
        Standing::Awake => {}
    }
    let untried = |model: &&Arc<Model>| !wants.tried.contains(&model.id);
    let left: Vec<_> = large_enough(&able, wants)
        .into_iter()
        .filter(untried)
        .collect();
    among(&left, cooldowns, now)
}

/// The models of the snapshot that the needs rule out (for `filtered_out`).
#[must_use]
pub fn filtered_out(snapshot: &Snapshot, needs: &Needs, cooldowns: &Cooldowns) -> Vec<ModelId> {
    let unable = |model: &&Arc<Model>| !needs.met_by(cooldowns.abilities(model));
    snapshot
        .models
        .iter()
        .filter(unable)
        .map(|model| model.id.clone())
        .collect()
}

/// Those that can do what the request needs.
fn able<'s>(
    listed: &[&'s Arc<Model>],
    needs: &Needs,
    cooldowns: &Cooldowns,
) -> Vec<&'s Arc<Model>> {
    let able = |model: &&Arc<Model>| needs.met_by(cooldowns.abilities(model));
    listed.iter().copied().filter(able).collect()
}

/// Those whose context can hold the prompt. If none is known to, the largest is asked: the
/// prompt's tokens are only guessed here.
fn large_enough<'s>(able: &[&'s Arc<Model>], wants: Wants<'_>) -> Vec<&'s Arc<Model>> {
    let above = |model: &&Arc<Model>| {
        wants
            .above_context
            .is_none_or(|limit| model.context_length.is_some_and(|length| length > limit))
    };
    let holds = |model: &&Arc<Model>| {
        model
            .context_length
            .is_none_or(|length| wants.needs.fits_into(length))
    };
    let fitting: Vec<_> = able.iter().copied().filter(holds).filter(above).collect();
    if !fitting.is_empty() {
        return fitting;
    }
    // By rank among the largest: `max_by_key` would take the last of them.
    let largest = able.iter().filter_map(|model| model.context_length).max();
    able.iter()
        .copied()
        .filter(above)
        .find(|model| model.context_length == largest)
        .into_iter()
        .collect()
}

fn among(models: &[&Arc<Model>], cooldowns: &Cooldowns, now: Now) -> Selection {
    let mut awake = Vec::with_capacity(models.len());
    let mut probing = false;
    let mut wakes_in: Option<Duration> = None;
    for model in models {
        match cooldowns.standing(&model.id, now) {
            Standing::Awake if cooldowns.probes_account(&model.id) => probing = true,
            Standing::Awake => awake.push(Arc::clone(model)),
            Standing::Probing => probing = true,
            Standing::Resting(wake) => {
                let left = wake.left(now);
                wakes_in = Some(wakes_in.map_or(left, |first| first.min(left)));
            }
        }
    }
    match (awake.is_empty(), probing, wakes_in) {
        (false, _, _) => Selection::Candidates(awake),
        (true, true, wakes_in) => Selection::Probing { wakes_in },
        (true, false, Some(wakes_in)) => Selection::AllCooling { wakes_in },
        (true, false, None) => Selection::Exhausted,
    }
}

fn missing(models: &[&Arc<Model>], needs: &Needs, cooldowns: &Cooldowns) -> Vec<Capability> {
    let nobody_has = |need: &Capability| {
        !models
            .iter()
            .any(|model| cooldowns.abilities(model).allows(*need))
    };
    let missing: Vec<_> = needs
        .capabilities()
        .iter()
        .copied()
        .filter(nobody_has)
        .collect();
    if missing.is_empty() {
        needs.capabilities().to_vec()
    } else {
        missing
    }
}

#[cfg(test)]
mod tests;
