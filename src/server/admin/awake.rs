//! Who would be asked, and what a request would cost there, for `/admin/explain` and `/admin/state`.

use serde::Serialize;

use crate::clock::{Now, rfc3339};
use crate::learnt::Cost;
use crate::model::{ModelId, ProviderId};
use crate::registry::InLine;
use crate::select::Awake;
use crate::units::whole_seconds;

/// A candidate that could be asked: the model, and the account through which it is asked.
#[derive(Serialize)]
pub(super) struct AwakeView<'a> {
    model: &'a ModelId,
    provider: &'a ProviderId,
    account: &'a str,
    place: u32,
    /// It is the fallback router, which comes after all others whatever it costs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fallback: bool,
    /// The rest is absent where the order is that of the ranking.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_sec: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_parts: Option<PartsView>,
}

/// The parts of a cost, in seconds; `session` is taken off.
#[derive(Serialize)]
struct PartsView {
    place: f64,
    first_token: f64,
    failures: f64,
    quota: f64,
    breaks: f64,
    session: f64,
}

/// The requests that wait for a candidate to return.
#[derive(Serialize)]
pub(super) struct WaitingView {
    requests: usize,
    /// When the first returns that one of them waits for, at the earliest; `null` while none waits, or
    /// where that may be at any moment.
    first_returns_at: Option<String>,
    first_returns_sec: Option<u64>,
}

impl<'a> AwakeView<'a> {
    pub(super) fn of(awake: &'a Awake) -> Self {
        let cost = awake.cost;
        Self {
            model: &awake.candidate.offer.public_id,
            provider: &awake.candidate.account.provider,
            account: &awake.candidate.account.label,
            place: awake.place,
            fallback: !awake.candidate.is_listed,
            cost_sec: cost.map(|cost| hundredths(cost.total())),
            cost: cost.map(|cost| cost.to_string()),
            cost_parts: cost.map(PartsView::of),
        }
    }
}

impl PartsView {
    fn of(cost: Cost) -> Self {
        Self {
            place: hundredths(cost.place),
            first_token: hundredths(cost.first_token),
            failures: hundredths(cost.failures),
            quota: hundredths(cost.quota),
            breaks: hundredths(cost.breaks),
            session: hundredths(cost.session),
        }
    }
}

impl WaitingView {
    pub(super) fn of(in_line: &InLine, now: Now) -> Self {
        let returns_in = in_line.first_returns_in(now).filter(|left| !left.is_zero());
        let returns_at = returns_in.and_then(|left| now.wall.checked_add(left));
        Self {
            requests: in_line.requests(),
            first_returns_at: returns_at.map(rfc3339),
            first_returns_sec: returns_in.map(whole_seconds),
        }
    }
}

fn hundredths(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}
