//! How the candidates of a tier are ordered (spec §11.1).

use crate::learnt::{Order, Parameters, Pin, Salt, SessionKey, cost_at_least};
use crate::model::Wish;

/// How the candidates of a tier are ordered.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// By rank, whatever is known.
    Rank,
    /// By what the request would cost at each.
    Cost {
        /// What one place is worth, in seconds.
        rank_worth: f64,
        /// The figures behind the formulas.
        parameters: &'a Parameters,
        /// The candidate that gave the last answer of the request's session.
        pin: Option<&'a Pin>,
        /// That session, and the salt that accounts are hashed with for it.
        session: Option<(SessionKey, Salt)>,
    },
}

impl<'a> By<'a> {
    /// The order under the setting `routing` for a request with this wish, of this session, whose last answer
    /// came from `pin`.
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

    /// The least that a candidate at this place or a later one can cost.
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

    /// What decides the account a session starts on, where the cheapest candidate costs that; `None` if it is
    /// that candidate's: there is no session, or that account has answered it before.
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

/// What decides the account a session starts on.
pub(super) struct Start {
    pub(super) session: SessionKey,
    pub(super) salt: Salt,
    /// The most it may cost there.
    pub(super) most: f64,
}
