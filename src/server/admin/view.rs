//! The JSON of `/admin/state`.

mod account;
mod client;

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

pub(super) use account::{AccountView, accounts};
use client::{ClientView, clients};

use super::awake::{AwakeView, WaitingView};
use super::providers_off::{ProviderOff, providers_off};
use crate::clock::{Now, rfc3339};
use crate::condition::Shown;
use crate::live::{Charts, Figures, Finished};
use crate::model::{Capability, ModelId, ProviderId};
use crate::registry::Standing;
use crate::select::Awake;
use crate::server::state::{ListState, ModelState, RestState, State, ThroughState};
use crate::server::{App, Told};
use crate::state::Noted;
use crate::telemetry::Traffic;
use crate::verdict::Because;

/// Everything.
#[derive(Serialize)]
pub(super) struct StateView<'a> {
    now: String,
    version: &'static str,
    started_at: String,
    uptime_sec: u64,
    draining: bool,
    ready: bool,
    reason: Option<String>,
    condition: Shown,
    first_choice: Option<ModelId>,
    next: Vec<AwakeView<'a>>,
    waiting: WaitingView,
    last_answer: Option<LastAnswer>,
    open_streams: i64,
    list: Option<ListView>,
    accounts: Vec<AccountView<'a>>,
    clients: Vec<ClientView<'a>>,
    models: Vec<ModelView<'a>>,
    #[serde(serialize_with = "each")]
    requests: Vec<Arc<Finished>>,
    series: Charts,
    providers_off: Vec<ProviderOff>,
    state: KeptView<'a>,
    settings: SettingsView,
}

/// What became of changes to the settings (spec §12.2).
#[derive(Serialize)]
struct SettingsView {
    reloaded_at: Option<String>,
    needs_restart: Vec<String>,
    refused: Vec<String>,
}

#[derive(Serialize)]
struct LastAnswer {
    model: ModelId,
    at: String,
}

/// What outlives the process.
#[derive(Serialize)]
struct KeptView<'a> {
    kind: &'static str,
    path: Option<&'a Path>,
    written_at: Option<String>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct ListView {
    source: &'static str,
    fetched_at: String,
    age_sec: u64,
    models: usize,
    available: usize,
}

/// A model, in `/admin/state` and in the answer to `/admin/clear`.
#[derive(Serialize)]
pub(super) struct ModelView<'a> {
    id: &'a ModelId,
    provider: &'a ProviderId,
    canonical: &'a str,
    name: Option<&'a str>,
    rank: Option<i64>,
    fallback: bool,
    context_length: Option<u64>,
    capabilities: Vec<&'static str>,
    found_lacking: Vec<&'static str>,
    state: &'static str,
    available: bool,
    resting_until: Option<String>,
    resting_sec: Option<u64>,
    until_next_list: bool,
    reason: Option<String>,
    because: Option<BecauseView<'a>>,
    candidates: Vec<CandidateView<'a>>,
    hour: Option<Figures>,
    day: Option<Figures>,
}

/// A model through one account; the account's own state is with the accounts.
#[derive(Serialize)]
struct CandidateView<'a> {
    account: &'a str,
    state: &'static str,
    available: bool,
    resting_until: Option<String>,
    resting_sec: Option<u64>,
    until_next_list: bool,
    reason: Option<String>,
    because: Option<BecauseView<'a>>,
}

/// The failure that led to a rest.
#[derive(Serialize)]
pub(super) struct BecauseView<'a> {
    model: &'a ModelId,
    outcome: &'static str,
    status: Option<u16>,
    cause: &'static str,
    at: String,
}

impl<'a> StateView<'a> {
    /// `next`: [those](State::next) who would be asked next.
    pub(super) fn of(app: &'a App, state: &'a State, next: &'a [Awake]) -> Self {
        let now = state.now;
        let started = app.traffic.started();
        let condition = state.condition(app);
        let shown = condition.shown(&app.names, now);
        let ready = condition.is_ready();
        let models = state.list.as_ref().map_or(&[][..], |list| &list.models);
        let (requests, series, last_answer) = app
            .traffic
            .read(|live| (live.requests(), live.charts(now), live.last_answer()));
        Self {
            now: rfc3339(now.wall),
            version: env!("CARGO_PKG_VERSION"),
            started_at: rfc3339(started.wall),
            uptime_sec: uptime(started, now),
            draining: state.draining,
            ready,
            first_choice: ready.then(|| state.first_choice()).flatten(),
            next: next.iter().map(AwakeView::of).collect(),
            waiting: WaitingView::of(&state.in_line, now),
            reason: (!ready).then(|| shown.sentence.clone()),
            condition: shown,
            last_answer: last_answer.map(|(model, at)| LastAnswer {
                model,
                at: rfc3339(at),
            }),
            open_streams: app.metrics.streams_open(),
            list: state.list.as_ref().map(|list| ListView::of(list, now)),
            accounts: accounts(app, state),
            clients: clients(app, now),
            models: models
                .iter()
                .map(|model| ModelView::of(&app.traffic, model, now))
                .collect(),
            requests,
            series,
            providers_off: providers_off(app.walker.accounts().map(|account| &account.provider)),
            state: KeptView::of(&app.kept),
            settings: SettingsView::of(app.reloads.told()),
        }
    }
}

impl SettingsView {
    fn of(told: Told) -> Self {
        Self {
            reloaded_at: told.reloaded_at.map(rfc3339),
            needs_restart: told.needs_restart,
            refused: told.refused,
        }
    }
}

/// By the wall clock: the other one stops while a laptop sleeps.
fn uptime(started: Now, now: Now) -> u64 {
    let steady = now.steady.saturating_duration_since(started.steady);
    now.wall
        .duration_since(started.wall)
        .unwrap_or(steady)
        .as_secs()
}

impl<'a> KeptView<'a> {
    fn of(kept: &'a Noted) -> Self {
        Self {
            kind: kept.kind(),
            path: kept.path.as_deref(),
            written_at: kept.written_at().map(rfc3339),
            problem: kept.problem(),
        }
    }
}

impl ListView {
    fn of(list: &ListState, now: Now) -> Self {
        Self {
            source: list.snapshot.source.as_str(),
            fetched_at: rfc3339(list.snapshot.fetched_at),
            age_sec: list.age(now).as_secs(),
            models: list.listed(),
            available: list.available(),
        }
    }
}

impl<'a> ModelView<'a> {
    pub(super) fn of(traffic: &Traffic, state: &'a ModelState, now: Now) -> Self {
        let offer = &state.offer;
        let rest = state.rest.as_ref();
        // The lock is taken for each model separately: requests get in between.
        let [hour, day] = traffic.read(|live| live.figures(&offer.public_id, now));
        let able = Capability::ALL.into_iter().filter(|c| state.able.has(*c));
        Self {
            id: &offer.public_id,
            provider: &offer.provider,
            canonical: offer.canonical.as_str(),
            name: offer.name.as_deref(),
            rank: offer.rank,
            fallback: state.fallback,
            context_length: offer.context_length,
            capabilities: able.map(Capability::as_str).collect(),
            found_lacking: state.found_lacking.iter().map(|c| c.as_str()).collect(),
            state: in_a_word(state.standing),
            available: state.is_available(),
            resting_until: rest.map(|rest| rfc3339(rest.until)),
            resting_sec: rest.map(RestState::seconds_left),
            until_next_list: rest.is_some_and(|rest| rest.until_next_list),
            reason: rest.map(RestState::reason),
            because: rest.map(|rest| BecauseView::of(&rest.because)),
            candidates: state.through.iter().map(CandidateView::of).collect(),
            hour,
            day,
        }
    }
}

impl<'a> CandidateView<'a> {
    fn of(through: &'a ThroughState) -> Self {
        let rest = through.rest.as_ref();
        Self {
            account: &through.account.label,
            state: in_a_word(through.standing),
            available: through.is_available,
            resting_until: rest.map(|rest| rfc3339(rest.until)),
            resting_sec: rest.map(RestState::seconds_left),
            until_next_list: rest.is_some_and(|rest| rest.until_next_list),
            reason: rest.map(RestState::reason),
            because: rest.map(|rest| BecauseView::of(&rest.because)),
        }
    }
}

impl<'a> BecauseView<'a> {
    pub(super) fn of(because: &'a Because) -> Self {
        Self {
            model: &because.model,
            outcome: because.outcome.as_str(),
            status: because.status,
            cause: because.cause.as_str(),
            at: rfc3339(because.at),
        }
    }
}

fn in_a_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Awake => "awake",
        Standing::Resting(_) => "resting",
        Standing::Probing => "probing",
    }
}

fn each<S: serde::Serializer>(requests: &[Arc<Finished>], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(requests.iter().map(|request| &**request))
}

/// A moment in an event.
pub(super) fn moment<S: serde::Serializer>(at: &SystemTime, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&rfc3339(*at))
}
