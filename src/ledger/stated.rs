//! A quota as an error names it.

use std::time::SystemTime;

use super::{Counted, Per, Unit};

/// What an error says about a quota: its limit is *stated*, or *learnt* if only the window is named
/// (spec §10.5). It comes from outside, and is bounded where it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The limit, if the error gives it; neither zero nor more than [`Stated::MOST`].
    pub amount: Option<u64>,
    /// How much of it is used, if the error or its headers say so; no more than the amount.
    pub used: Option<u64>,
    /// Both are from headers, which may raise a stated limit as well as lower it.
    pub by_header: bool,
    /// What is counted, if the error says so.
    pub unit: Option<Unit>,
    /// Within which window.
    pub per: Per,
    /// Who shares it: as the error says, otherwise as the provider's limits say, otherwise each model.
    pub of: Counted,
    /// The earliest it can be back: at the end of the wait that the error states, or of a window whose end is
    /// known.
    pub until: Option<SystemTime>,
    /// When its window ends, if its headers say so.
    pub resets_at: Option<SystemTime>,
}

impl Stated {
    /// The largest limit that is believed.
    pub const MOST: u64 = 1_000_000_000_000;

    /// Whether this can be a limit.
    #[must_use]
    pub fn is_plausible(amount: u64) -> bool {
        (1..=Self::MOST).contains(&amount)
    }
}
