//! The walk: candidates one after the other until one has begun to speak.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_util::task::TaskTracker;

use super::Opened;
use crate::clock::Now;
use crate::config::{Config, Limits, LogLevel, ModelField};
use crate::model::{Capability, Model, ModelId};
use crate::registry::{Registry, Snapshot};
use crate::request::ChatRequest;
use crate::select::{Preference, Selection, select};
use crate::telemetry::{Log, RequestRecord};
use crate::upstream::{Failure, Outcome, PassedAnswer, Rules, Scope, Upstream};

/// Walks requests over the candidates.
pub struct Walker {
    pub(super) upstream: Upstream,
    pub(super) registry: Arc<Registry>,
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) times: Times,
    /// Owns what outlives a request: upstream bodies read to their end.
    pub(super) tasks: TaskTracker,
    log: Log,
    max_attempts: usize,
    model_field: ModelField,
}

/// The time limits of an attempt and of the walk (spec §6, §9.3).
pub(super) struct Times {
    pub(super) first_event: Duration,
    pub(super) plain: Duration,
    pub(super) idle: Duration,
    budget: Duration,
}

/// Why a request gets no answer of a model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No list has been read yet.
    NotReady,
    /// `MODEL_FIELD=pin`, and the named model is not in the snapshot.
    ModelNotFound,
    /// No model of the snapshot can do what the request needs.
    NoCapableModel {
        /// Of which needs that is so.
        missing: Vec<Capability>,
    },
    /// Every able model failed or rests.
    AllUnavailable {
        /// Whole seconds until the first of them wakes, at least 1.
        retry_after: u64,
        /// What was tried.
        tried: Vec<Tried>,
    },
    /// The upstream says that the request is at fault.
    Passed(PassedAnswer),
    /// The upstream does not take our key.
    UpstreamAuth {
        /// The status it said so with.
        status: u16,
    },
}

/// One attempt, as the caller sees it in `error.attempts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The model that was asked.
    pub model: ModelId,
    /// How it ended.
    pub outcome: Outcome,
    /// The upstream's status, where there was one.
    pub status: Option<u16>,
    /// When the model wakes, if it rests.
    pub available_at: Option<SystemTime>,
}

impl Walker {
    /// A walker over the models that `registry` knows.
    #[must_use]
    pub fn new(
        config: &Config,
        upstream: Upstream,
        registry: Arc<Registry>,
        log: Log,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            upstream,
            registry,
            rules: Rules {
                rate_limit_cooldown: config.rate_limit_cooldown,
                generic_error_cooldown: config.generic_error_cooldown,
                upstream_key: config.upstream_key.clone(),
            },
            limits: config.limits.clone(),
            times: Times {
                first_event: config.upstream_timeout,
                plain: config.plain_timeout,
                idle: config.stream_idle_timeout,
                budget: config.request_budget,
            },
            tasks,
            log,
            max_attempts: config.max_fallback_attempts,
            model_field: config.model_field,
        }
    }

    /// Finds a model that answers the request. Dropping the future drops the attempt under way.
    ///
    /// # Errors
    /// When no model's answer is to be had.
    pub async fn walk(
        &self,
        request: &ChatRequest,
        record: &mut RequestRecord,
    ) -> Result<Opened, Refusal> {
        let snapshot = self.registry.snapshot();
        let start = Now::read();
        let candidates = match self.select(snapshot.as_deref(), request, start, Some(record)) {
            Selection::Candidates(candidates) => candidates,
            Selection::AllCooling { wakes_in } => {
                return Err(Refusal::AllUnavailable {
                    retry_after: whole_seconds(wakes_in),
                    tried: Vec::new(),
                });
            }
            Selection::NoneCapable { missing } => return Err(Refusal::NoCapableModel { missing }),
            Selection::NotListed => return Err(Refusal::ModelNotFound),
            Selection::NoSnapshot => return Err(Refusal::NotReady),
        };
        let deadline = start.plus(self.times.budget).steady;
        for model in candidates {
            let now = Now::read();
            if record.attempt_count() >= self.max_attempts || now.steady >= deadline {
                break;
            }
            if self.is_resting(&model.id, now) {
                // Another request has found out since the candidates were chosen.
                continue;
            }
            record.attempt_begins(&model.id);
            match self.ask(&model, request).await {
                Ok(opened) => return Ok(opened),
                Err(failure) => {
                    if let Some(refusal) = self.after(&model, failure, record) {
                        return Err(refusal);
                    }
                }
            }
        }
        let retry_after = match self.select(snapshot.as_deref(), request, Now::read(), None) {
            Selection::AllCooling { wakes_in } => whole_seconds(wakes_in),
            Selection::Candidates(_)
            | Selection::NoneCapable { .. }
            | Selection::NotListed
            | Selection::NoSnapshot => 1,
        };
        let tried = record.attempts().iter().map(|attempt| Tried {
            model: attempt.model.clone(),
            outcome: attempt.outcome,
            status: attempt.status,
            available_at: attempt.cooldown_until,
        });
        Err(Refusal::AllUnavailable {
            retry_after,
            tried: tried.collect(),
        })
    }

    fn select(
        &self,
        snapshot: Option<&Snapshot>,
        request: &ChatRequest,
        now: Now,
        record: Option<&mut RequestRecord>,
    ) -> Selection {
        let preference = Preference::new(self.model_field, &request.wish);
        let selected = self
            .registry
            .with_cooldowns(|resting| select(snapshot, &request.needs, preference, resting, now));
        if let Some(record) = record {
            record.selected(
                snapshot.map_or(0, |s| s.models.len()),
                &selected.filtered_out,
            );
        }
        selected.selection
    }

    fn is_resting(&self, id: &ModelId, now: Now) -> bool {
        self.registry
            .with_cooldowns(|resting| resting.wake(id, now).is_some())
    }

    /// Draws the consequences of a failure: a rest, and an end of the walk where another model
    /// would not help.
    fn after(
        &self,
        model: &Model,
        failure: Failure,
        record: &mut RequestRecord,
    ) -> Option<Refusal> {
        let until = self.let_rest(&model.id, &failure);
        self.log.emit(LogLevel::Debug, "attempt_failed", &serde_json::json!({
            "model": model.id, "outcome": failure.outcome.as_str(), "status": failure.status, "cause": failure.cause.as_str(),
        }));
        record.attempt_ends(failure.outcome, failure.status, Some(failure.cause), until);
        match failure.scope {
            Scope::Model | Scope::Account => None,
            Scope::Key => Some(Refusal::UpstreamAuth {
                status: failure.status.unwrap_or(401),
            }),
            Scope::Request => failure.answer.map(Refusal::Passed),
        }
    }

    /// Lets the model rest if the failure is its own; answers until when.
    pub(super) fn let_rest(&self, id: &ModelId, failure: &Failure) -> Option<SystemTime> {
        let now = Now::read();
        match failure.scope {
            Scope::Model => self
                .registry
                .rest(id, failure.rest, now)
                .map(|wake| wake.date(now)),
            Scope::Account | Scope::Key | Scope::Request => None,
        }
    }
}

/// For `Retry-After`: rounded up, at least 1.
fn whole_seconds(wait: Duration) -> u64 {
    let up = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + up).max(1)
}
