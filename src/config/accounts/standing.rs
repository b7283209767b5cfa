//! How a provider stands: on or off, and why. Pure.

use std::sync::Arc;

use super::variables::Variable;
use crate::provider::Provider;

/// How a provider stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its row.
    pub provider: Arc<Provider>,
    /// Why it is off; `None` where it is on.
    pub off: Option<Off>,
    /// Where its keys were found.
    pub variables: Vec<Variable>,
}

/// Why a provider is not on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Off {
    /// There is no key.
    NoKey,
    /// It is on only where `PROVIDERS` names it.
    Unnamed,
    /// Its only key stands in variables that other programs use too.
    Shared(Vec<String>),
    /// Its only key stands in variables of the environment that may be meant for other programs.
    Elsewhere(Vec<String>),
    /// `PROVIDERS` does not have it.
    Barred,
    /// What is asked under its key is billed, and `ALLOW_PAID` is off.
    Billed,
    /// It may train on prompts, and `TRAINING` is `refuse`.
    Trains,
    /// `LOCAL_BASE_URL` is not set.
    NoAddress,
    /// Its settings are wrong.
    Mistake,
}
