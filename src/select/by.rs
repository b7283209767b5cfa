//! By what the candidates of a tier are ordered (spec §11.1).

use crate::learnt::{Order, Parameters, Pin, Salt, SessionKey, cost_at_least};
use crate::model::Wish;

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

impl<'a> By<'a> {
    /// Where `routing` is the setting: for a request with this wish, of this session, whose last answer
    /// came from there.
    #[must_use]
    pub fn new(
        routing: Order,
        wish: Wish,
        parameters: &'a Parameters,
        session: Option<(SessionKey, Salt)>,
        pin: Option<&'a Pin>,
    ) -> Self {
        match routing.of(wish) {
            Order::Rank => Self::Rank,
            Order::Balanced => Self::Cost {
                rank_worth: parameters.rank_worth(wish),
                parameters,
                pin,
                session,
            },
        }
    }

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

    /// What decides through which account the session starts that would ask the cheapest, which costs that;
    /// `None` where it is the cheapest: there is no session, or the account has answered it.
    pub(super) fn start(self, cost: f64, sticks: bool) -> Option<Start> {
        let Self::Cost {
            session: Some((session, salt)),
            parameters,
            ..
        } = self
        else {
            return None;
        };
        (!sticks).then_some(Start {
            session,
            salt,
            most: cost + parameters.sticky_account,
        })
    }
}

/// What decides through which account a session starts.
pub(super) struct Start {
    pub(super) session: SessionKey,
    pub(super) salt: Salt,
    /// What it may cost there.
    pub(super) most: f64,
}
