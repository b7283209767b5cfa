//! What is known now, in one struct that feeds `/ready`, `/metrics`, `/admin/state` and so the
//! page and the terminal.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::App;
use crate::clock::{Now, rfc3339};
use crate::model::{Capabilities, Capability, Model};
use crate::registry::{Because, Cooldowns, RestView, Snapshot, Standing};
use crate::telemetry::Gauges;
use crate::upstream::{AccountLimit, FreeRequests};

/// The state of models and account at one moment.
pub(super) struct State {
    pub(super) now: Now,
    /// The snapshot; `None` before the first.
    pub(super) list: Option<ListState>,
    pub(super) account: AccountState,
    pub(super) draining: bool,
}

pub(super) struct ListState {
    pub(super) snapshot: Arc<Snapshot>,
    /// All that may be asked, in order: the listed models, then the fallback router.
    pub(super) models: Vec<ModelState>,
}

pub(super) struct ModelState {
    pub(super) model: Arc<Model>,
    /// It is the fallback router.
    pub(super) fallback: bool,
    /// What it can do, less what it was found to lack.
    pub(super) able: Capabilities,
    pub(super) found_lacking: Vec<Capability>,
    pub(super) standing: Standing,
    pub(super) rest: Option<RestState>,
}

pub(super) struct AccountState {
    pub(super) standing: Standing,
    pub(super) rest: Option<RestState>,
    /// What is used up, while it rests.
    pub(super) limit: Option<AccountLimit>,
    pub(super) free_requests: Option<FreeRequests>,
}

/// A rest that stands.
pub(super) struct RestState {
    pub(super) until: SystemTime,
    pub(super) left: Duration,
    pub(super) until_next_list: bool,
    pub(super) because: Because,
}

impl State {
    pub(super) fn read(app: &App) -> Self {
        let now = Now::read();
        let snapshot = app.registry.snapshot();
        // A copy: a thousand models are too many to look at under the lock.
        let known = app.registry.with_cooldowns(Cooldowns::clone);
        Self::of(snapshot, &known, app.is_draining(), now)
    }

    pub(super) fn of(
        snapshot: Option<Arc<Snapshot>>,
        known: &Cooldowns,
        draining: bool,
        now: Now,
    ) -> Self {
        let account_rest = known.account_rest(now).map(|(why, _)| why);
        Self {
            now,
            list: snapshot.map(|snapshot| ListState::of(snapshot, known, now)),
            account: AccountState {
                standing: known.account(now),
                rest: known.account_view(now).map(|view| RestState::of(view, now)),
                limit: account_rest.map(|why| why.limit),
                free_requests: account_rest.and_then(|why| why.free_requests),
            },
            draining,
        }
    }

    /// Why no request could be served now; `None` if one could.
    pub(super) fn why_not_ready(&self) -> Option<String> {
        if self.draining {
            return Some("the proxy is shutting down".to_owned());
        }
        let Some(list) = &self.list else {
            return Some("the model list has not been read yet".to_owned());
        };
        if let (Some(limit), Some(rest)) = (self.account.limit, &self.account.rest) {
            let what = match limit {
                AccountLimit::Minute => "the free quota of this minute is used up",
                AccountLimit::Day => "the free quota of today is used up",
                AccountLimit::Credit => "the account is out of credit",
            };
            return Some(format!("{what}, until {}", rfc3339(rest.until)));
        }
        let rests = list.models.iter().map(|model| model.rest.as_ref());
        let somebody_is_awake = rests.clone().any(|rest| rest.is_none());
        let first_wake = rests.flatten().map(|rest| rest.left).min();
        let wakes_in = first_wake.unwrap_or_default().as_secs() + 1;
        (!somebody_is_awake)
            .then(|| format!("every model is resting; the first wakes in {wakes_in} s"))
    }

    /// The same in figures, beside how many connections are open.
    pub(super) fn gauges(&self, open_connections: usize) -> Gauges {
        let free = self.account.free_requests;
        let list = self.list.as_ref();
        Gauges {
            open_connections,
            active_models: list.map_or(0, ListState::listed),
            cooldown_models: list.map_or(0, |list| list.listed() - list.available()),
            snapshot_age_seconds: list.map(|list| list.age(self.now).as_secs_f64()),
            account_cooldown_seconds: self
                .account
                .rest
                .as_ref()
                .map_or(0.0, |rest| rest.left.as_secs_f64()),
            free_requests: free.map(|free| (free.limit.saturating_sub(free.remaining), free.limit)),
        }
    }
}

impl ListState {
    fn of(snapshot: Arc<Snapshot>, known: &Cooldowns, now: Now) -> Self {
        let listed = snapshot.models.len();
        let state = |(place, model): (usize, &Arc<Model>)| ModelState {
            model: Arc::clone(model),
            fallback: place >= listed,
            able: known.abilities(model),
            found_lacking: known.found_lacking(&model.id).to_vec(),
            standing: known.standing(&model.id, now),
            rest: known
                .rest_of(&model.id, now)
                .map(|view| RestState::of(view, now)),
        };
        let models = snapshot.candidates().enumerate().map(state).collect();
        Self { snapshot, models }
    }

    /// How many models are listed; the fallback router is none of them.
    pub(super) fn listed(&self) -> usize {
        self.snapshot.models.len()
    }

    /// How many of them do not rest.
    pub(super) fn available(&self) -> usize {
        let listed = self.models.iter().filter(|model| !model.fallback);
        listed.filter(|model| model.rest.is_none()).count()
    }

    pub(super) fn age(&self, now: Now) -> Duration {
        let age = now.wall.duration_since(self.snapshot.fetched_at);
        age.unwrap_or_default()
    }
}

impl RestState {
    pub(super) fn of(view: RestView<'_>, now: Now) -> Self {
        Self {
            until: view.wake.date(now),
            left: view.wake.left(now),
            until_next_list: view.until_next_list,
            because: view.because.clone(),
        }
    }

    /// How long it still takes, rounded up: at 0 it is over.
    pub(super) fn seconds_left(&self) -> u64 {
        self.left.as_secs() + u64::from(self.left.subsec_nanos() > 0)
    }

    /// Why, in a few words for people.
    pub(super) fn reason(&self) -> String {
        let why = self.because.in_words();
        if self.until_next_list {
            format!("gone until the next list: {why}")
        } else {
            why
        }
    }
}
