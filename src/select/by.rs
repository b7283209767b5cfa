//! By what the candidates of a tier are ordered (spec §11.1).

use crate::learnt::{Parameters, Pin, Salt, SessionKey, cost_at_least};

/// By what the candidates of a tier are ordered.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// By rank, whatever is known.
    Rank,
    /// By what the request would cost there.
    Cost {
        /// What one place is worth, in seconds.
        rank_worth: f64,
        /// The figures behind the formulas.
        parameters: &'a Parameters,
        /// Who gave the last answer of the request's session.
        pin: Option<&'a Pin>,
        /// That session, and what accounts are hashed with for it.
        session: Option<(SessionKey, Salt)>,
    },
}

impl By<'_> {
    /// What no candidate of this place, or behind it, comes below.
    pub(super) fn at_least(self, place: u32) -> f64 {
        match self {
            Self::Rank => 0.0,
            Self::Cost {
                rank_worth,
                parameters,
                pin,
                ..
            } => cost_at_least(place, rank_worth, pin.is_some(), parameters),
        }
    }
}
