//! A quota as an error names it.

use std::time::SystemTime;

use super::{Counted, Per, Unit};

/// What an error says of a quota: for a limit that is *stated*, or *learnt* where only its window is
/// named (spec §10.5). It comes from outside, and is bounded where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated {
    /// How much the limit is, where the error says so; neither zero nor more than [`Stated::MOST`].
    pub amount: Option<u64>,
    /// How much of it is used, where the error or its headers say so; no more than the amount.
    pub used: Option<u64>,
    /// Both are from headers, which raise what was stated as well as they lower it.
    pub by_header: bool,
    /// Of what, where it says so.
    pub unit: Option<Unit>,
    /// Within which window.
    pub per: Per,
    /// Who shares it: as the error says, else as the provider's limits do, else each model.
    pub of: Counted,
    /// How long it is gone at the least: to the end of a wait that the error states, or of a window whose
    /// end is known.
    pub until: Option<SystemTime>,
    /// When its window ends, where its headers say so.
    pub resets_at: Option<SystemTime>,
}

impl Stated {
    /// No limit is larger: a larger number is not believed.
    pub const MOST: u64 = 1_000_000_000_000;

    /// Whether a limit may be so much.
    #[must_use]
    pub fn is_plausible(amount: u64) -> bool {
        (1..=Self::MOST).contains(&amount)
    }
}
