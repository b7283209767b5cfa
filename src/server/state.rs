//! What is known now, in one struct that feeds `/ready` and `/metrics`.

use std::time::{Duration, SystemTime};

use super::App;
use crate::clock::Now;
use crate::registry::{Source, Standing};
use crate::telemetry::Gauges;
use crate::upstream::{AccountLimit, FreeRequests};

/// The state of models and account at one moment.
pub(super) struct State {
    /// The snapshot; `None` before the first.
    pub(super) list: Option<ListState>,
    /// Why and for how long the account rests, while it does.
    pub(super) account: Option<AccountState>,
    age: Option<Duration>,
}

pub(super) struct ListState {
    pub(super) models: usize,
    pub(super) available: usize,
    /// Somebody can be asked: a listed model, or the fallback router.
    pub(super) awake: bool,
    pub(super) first_wake: Duration,
    pub(super) fetched_at: SystemTime,
    pub(super) source: Source,
}

pub(super) struct AccountState {
    pub(super) limit: AccountLimit,
    pub(super) left: Duration,
    pub(super) until: SystemTime,
    pub(super) free_requests: Option<FreeRequests>,
}

impl State {
    pub(super) fn read(app: &App) -> Self {
        let now = Now::read();
        let snapshot = app.registry.snapshot();
        app.registry.with_cooldowns(|known| {
            let account = known.account_rest(now).map(|(why, wake)| AccountState {
                limit: why.limit,
                left: wake.left(now),
                until: wake.date(now),
                free_requests: why.free_requests,
            });
            let list = snapshot.as_ref().map(|snapshot| {
                let rest = |id| match known.standing(id, now) {
                    Standing::Resting(wake) => Some(wake.left(now)),
                    Standing::Awake | Standing::Probing => None,
                };
                let rests: Vec<_> = snapshot.candidates().map(|model| rest(&model.id)).collect();
                let listed = snapshot.models.len();
                ListState {
                    models: listed,
                    available: rests
                        .iter()
                        .take(listed)
                        .filter(|rest| rest.is_none())
                        .count(),
                    awake: rests.iter().any(Option::is_none),
                    first_wake: rests.iter().flatten().min().copied().unwrap_or_default(),
                    fetched_at: snapshot.fetched_at,
                    source: snapshot.source,
                }
            });
            let age = snapshot.map(|s| now.wall.duration_since(s.fetched_at).unwrap_or_default());
            Self { list, account, age }
        })
    }

    pub(super) fn gauges(&self) -> Gauges {
        let free = self
            .account
            .as_ref()
            .and_then(|account| account.free_requests);
        Gauges {
            active_models: self.list.as_ref().map_or(0, |list| list.models),
            cooldown_models: self
                .list
                .as_ref()
                .map_or(0, |list| list.models - list.available),
            snapshot_age_seconds: self.age.map(|age| age.as_secs_f64()),
            account_cooldown_seconds: self
                .account
                .as_ref()
                .map_or(0.0, |account| account.left.as_secs_f64()),
            free_requests: free.map(|free| (free.limit.saturating_sub(free.remaining), free.limit)),
        }
    }
}
