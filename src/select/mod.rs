//! Which models may serve this request, best first (spec §4.1, §4.2).
//!
//! Pure: a snapshot, the request's needs, the rests and `now` go in, a [`Selection`] comes
//! out. No clock, no lock, no log line, no I/O in this room.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;
use crate::config::ModelField;
use crate::model::{Capability, Model, ModelId};
use crate::registry::{Cooldowns, Snapshot};
use crate::request::{Needs, Wish};

/// What may be tried, or exactly why there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Able and awake, best first. Never empty.
    Candidates(Vec<Arc<Model>>),
    /// Able models exist, and all of them are resting: 503 with `Retry-After`.
    AllCooling {
        /// Until the first of them wakes.
        wakes_in: Duration,
    },
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

/// A selection, and the models that the needs ruled out (for `filtered_out`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// What may be tried.
    pub selection: Selection,
    /// The models of the snapshot that cannot do what is needed.
    pub filtered_out: Vec<ModelId>,
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
}

/// Chooses the candidates for one request.
#[must_use]
pub fn select(
    snapshot: Option<&Snapshot>,
    needs: &Needs,
    preference: Preference<'_>,
    cooldowns: &Cooldowns,
    now: Now,
) -> Selected {
    let none = |selection| Selected {
        selection,
        filtered_out: Vec::new(),
    };
    let Some(snapshot) = snapshot else {
        return none(Selection::NoSnapshot);
    };
    let listed: Vec<&Arc<Model>> = match preference {
        Preference::None | Preference::First(_) => snapshot.models.iter().collect(),
        Preference::Only(name) => snapshot.model(name).into_iter().collect(),
    };
    if listed.is_empty() {
        return none(Selection::NotListed);
    }
    let (mut able, unable): (Vec<_>, Vec<_>) = listed
        .iter()
        .copied()
        .partition(|model| needs.met_by(model.capabilities));
    if let Preference::First(name) = preference {
        able.sort_by_key(|model| model.id.as_str() != name);
    }
    let filtered_out = unable.iter().map(|model| model.id.clone()).collect();
    let selection = if able.is_empty() {
        Selection::NoneCapable {
            missing: missing(&listed, needs),
        }
    } else {
        match first_wake(&able, cooldowns, now) {
            Some(wakes_in) => Selection::AllCooling { wakes_in },
            None => Selection::Candidates(
                able.into_iter()
                    .filter(|model| cooldowns.wake(&model.id, now).is_none())
                    .cloned()
                    .collect(),
            ),
        }
    };
    Selected {
        selection,
        filtered_out,
    }
}

/// How long until the first of them wakes; `None` if one is awake.
fn first_wake(models: &[&Arc<Model>], cooldowns: &Cooldowns, now: Now) -> Option<Duration> {
    let waits: Option<Vec<Duration>> = models
        .iter()
        .map(|model| cooldowns.wake(&model.id, now).map(|wake| wake.left(now)))
        .collect();
    waits?.into_iter().min()
}

fn missing(models: &[&Arc<Model>], needs: &Needs) -> Vec<Capability> {
    let nobody_has = |need: &Capability| !models.iter().any(|model| model.capabilities.has(*need));
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
