//! What a trace says about a request and the candidates it asks (spec §11.8).

use super::walk::{BYTES_PER_TOKEN, Walker};
use crate::learnt::SessionKey;
use crate::model::{Candidate, Capability, Place, Tier, Wish};
use crate::registry::{Knowledge, Snapshot};
use crate::request::ChatRequest;
use crate::select::Preference;
use crate::telemetry::{Asks, Stands};

impl Walker {
    pub(super) fn asks(&self, request: &ChatRequest, session: Option<SessionKey>) -> Asks {
        let needs = &request.needs;
        let names = needs.capabilities().iter().copied();
        let wish = Some(request.asked.wish()).filter(|wish| *wish != Wish::Auto);
        Asks {
            session,
            stream: request.stream,
            named: Preference::new(self.model_field, &request.asked) != Preference::None,
            wish: wish.map(Wish::as_str),
            needs: names.map(Capability::as_str).map(str::to_owned).collect(),
            prompt_tokens: needs.prompt_bytes() / BYTES_PER_TOKEN,
        }
    }

    pub(super) fn stands(
        &self,
        list: &Snapshot,
        candidate: &Candidate,
        request: &ChatRequest,
    ) -> Stands {
        let with_tools = request.needs.had_tools;
        let places = list
            .in_order(with_tools)
            .iter()
            .zip(list.places(with_tools));
        let place = places
            .filter(|(other, _)| other.index == candidate.index)
            .map(|(_, place)| *place)
            .next();
        let Place { tier, place } = place.unwrap_or(Place {
            tier: Tier::Rest,
            place: 0,
        });
        let quota = |known: &Knowledge, now| {
            let slot = list.slot(candidate)?;
            let ledger = &known.ledger;
            Some((ledger.tight(slot, now), ledger.day_left(slot, now)))
        };
        let quota = self.registry.with_known_now(quota);
        let (tight, day_left) = quota.unwrap_or_default();
        Stands {
            tier: in_figures(tier),
            place,
            tight: thousandths(tight),
            day_left: day_left.map(thousandths),
        }
    }
}

/// A share rounded to three decimals: more would say nothing.
fn thousandths(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

/// A tier as a number, by its order alone: a trace does not know `MODEL_ORDER`.
fn in_figures(tier: Tier) -> u32 {
    /// After everything that `MODEL_ORDER` can name.
    const REST: u32 = 1000;
    match tier {
        Tier::Ordered(entry) => u32::try_from(entry).map_or(REST - 1, |entry| entry.min(REST - 1)),
        Tier::Rest => REST,
        Tier::Fallback => REST + 1,
        Tier::Local => REST + 2,
    }
}
