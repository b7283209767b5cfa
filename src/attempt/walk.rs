//! The walk: candidates one after the other until one has begun to speak.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{sleep_until, timeout_at};
use tokio_util::task::TaskTracker;

use super::ask::Unanswered;
use super::way::Way;
use super::{Opened, Wording};
use crate::clock::Now;
use crate::config::{Config, Limits, LogLevel, ModelField};
use crate::live::AttemptRecord;
use crate::model::{Capability, Model, ModelId};
use crate::registry::{AccountRest, Because, Claim, Cooldowns, Registry, Snapshot};
use crate::request::ChatRequest;
use crate::select::{Preference, Selection, Wants, filtered_out, select};
use crate::telemetry::{Log, RequestRecord};
use crate::upstream::{
    AccountLimit, ConnectError, Failure, Lesson, Outcome, PassedAnswer, Rest, Rules, Scope,
    Unreachable, Upstream,
};

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
    pub(super) max_attempts: usize,
    pub(super) model_field: ModelField,
}

/// The time limits of an attempt and of the walk (spec §6, §9.3).
pub(super) struct Times {
    pub(super) first_event: Duration,
    pub(super) plain: Option<Duration>,
    pub(super) idle: Duration,
    pub(super) budget: Duration,
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
    /// The way to the upstream is broken, which is no model's failure.
    Unreachable {
        /// What keeps a connection from coming about.
        why: Unreachable,
        /// What was tried before.
        tried: Vec<Tried>,
    },
    /// The free quota of the account is used up.
    AccountLimited {
        /// Which quota.
        limit: AccountLimit,
        /// How many requests it has, if the upstream said so.
        requests: Option<u64>,
        /// Whole seconds until it returns, at least 1.
        retry_after: u64,
        /// The same as a date.
        available_at: SystemTime,
    },
    /// The upstream's own answer: the request is at fault, or the account is out of credit.
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

/// How far a walk has come.
#[derive(Default)]
pub(super) struct Progress {
    tried: Vec<ModelId>,
    way: Way,
    above_context: Option<u64>,
    /// The last answer that a model refused this request with, while all of them did.
    refused: Option<PassedAnswer>,
    /// An attempt failed for another reason than the request.
    failed: bool,
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

    /// Finds a model that answers the request, a plain answer in the words that are wanted.
    /// Dropping the future drops the attempt under way.
    ///
    /// # Errors
    /// When no model's answer is to be had.
    pub async fn walk(
        &self,
        request: &ChatRequest,
        wording: Option<&Wording>,
        record: &mut RequestRecord,
    ) -> Result<Opened, Refusal> {
        let snapshot = self.registry.snapshot();
        if let Some(snapshot) = &snapshot {
            let out = self
                .registry
                .with_cooldowns(|known| filtered_out(snapshot, &request.needs, known));
            record.filtered_out(&out);
            weigh(snapshot, request);
        }
        let mut deadline = None;
        let mut progress = Progress::default();
        loop {
            let now = Now::read();
            let deadline = *deadline.get_or_insert(now.plus(self.times.budget).steady);
            if progress.tried.len() >= self.max_attempts || now.steady >= deadline {
                break;
            }
            let mut changes = self.registry.changes();
            let (selection, claim) = self.choose(snapshot.as_deref(), request, &progress, now);
            match (selection, claim) {
                (Selection::Candidates(models), Some(claim)) => {
                    let Some(model) = models.first() else { break };
                    record.attempt_begins(&model.id);
                    progress.tried.push(model.id.clone());
                    let asked = match self.ask(model, request).await {
                        Ok(opened) => self.put(opened, wording).await.map_err(Unanswered::Failed),
                        failed => failed,
                    };
                    match asked {
                        Ok(opened) => {
                            claim.is_well();
                            return Ok(opened);
                        }
                        Err(Unanswered::Unreached(error)) => {
                            // It was not asked after all, and nothing is known of it.
                            drop(claim);
                            progress.tried.pop();
                            let wait = self.unreached(&error, &mut progress.way, record);
                            let until = wait.map(|wait| Now::read().plus(wait).steady);
                            let Some(until) = until.filter(|until| *until < deadline) else {
                                return Err(Refusal::Unreachable {
                                    why: error.why,
                                    tried: tried(record.attempts()),
                                });
                            };
                            sleep_until(until.into()).await;
                        }
                        Err(Unanswered::Failed(failure)) => {
                            if let Some(refusal) =
                                self.after(model, failure, claim, &mut progress, record)
                            {
                                return Err(refusal);
                            }
                        }
                    }
                }
                (Selection::Probing { wakes_in }, _) => {
                    // Whatever ends the probe is told; past the budget nothing starts anyway.
                    let wakes = wakes_in.map_or(deadline, |left| now.plus(left).steady);
                    let until = deadline.min(wakes);
                    drop(timeout_at(until.into(), changes.changed()).await);
                }
                (Selection::AccountResting, _) => {
                    // By the same clock it rests still.
                    let Some(refusal) = self.account_refusal(now) else {
                        continue;
                    };
                    return Err(refusal);
                }
                (Selection::NoneCapable { missing }, _) if progress.tried.is_empty() => {
                    return Err(Refusal::NoCapableModel { missing });
                }
                (Selection::NotListed, _) => return Err(Refusal::ModelNotFound),
                (Selection::NoSnapshot, _) => return Err(Refusal::NotReady),
                (
                    Selection::Candidates(_)
                    | Selection::AllCooling { .. }
                    | Selection::Exhausted
                    | Selection::NoneCapable { .. },
                    _,
                ) => break,
            }
        }
        Err(self.nothing_left(snapshot.as_deref(), request, progress, record.attempts()))
    }

    /// Chooses and claims the next model.
    fn choose(
        &self,
        snapshot: Option<&Snapshot>,
        request: &ChatRequest,
        progress: &Progress,
        now: Now,
    ) -> (Selection, Option<Claim>) {
        let wants = self.wants(request, progress);
        self.registry.claim(|known| {
            let selection = select(snapshot, wants, known, now);
            let first = selection.first().map(|model| model.id.clone());
            (selection, first)
        })
    }

    pub(super) fn wants<'a>(&self, request: &'a ChatRequest, progress: &'a Progress) -> Wants<'a> {
        Wants {
            needs: &request.needs,
            preference: Preference::new(self.model_field, &request.wish),
            tried: &progress.tried,
            above_context: progress.above_context,
        }
    }

    /// There was no connection: tells the operator, and answers how long to wait before the next
    /// try, if there is to be one.
    fn unreached(
        &self,
        error: &ConnectError,
        way: &mut Way,
        record: &mut RequestRecord,
    ) -> Option<Duration> {
        let wait = way.fails(error.why);
        self.log.emit(
            LogLevel::Debug,
            "connect_failed",
            &serde_json::json!({
                "cause": error.why.as_str(), "error": error.said,
                "again_in_ms": wait.map(|wait| wait.as_millis() as u64),
            }),
        );
        record.unreached(error.why);
        wait
    }

    /// Draws the consequences of a failure: a rest, a lesson, and an end of the walk where
    /// another model would not help.
    fn after(
        &self,
        model: &Model,
        failure: Failure,
        claim: Claim,
        progress: &mut Progress,
        record: &mut RequestRecord,
    ) -> Option<Refusal> {
        let now = Now::read();
        let until = self.let_rest(&model.id, &failure);
        self.log.emit(
            LogLevel::Debug,
            "attempt_failed",
            &serde_json::json!({
                "model": model.id, "outcome": failure.outcome.as_str(),
                "status": failure.status, "cause": failure.cause.as_str(),
            }),
        );
        record.attempt_fails(failure.outcome, &failure, until);
        match failure.scope {
            Scope::Model => {
                // A model that refuses one request has answered, and so has the account; who
                // was never reached has told nothing of either.
                match (failure.status, failure.rest) {
                    (None, _) => {}
                    (Some(_), Rest::None) => claim.is_well(),
                    (Some(_), Rest::For(_) | Rest::Until(_) | Rest::UntilNextList) => {
                        claim.account_is_well();
                    }
                }
                match failure.lesson {
                    Some(Lesson::Lacks(capability)) => self.registry.learn(&model.id, capability),
                    Some(Lesson::TooLong) => {
                        progress.above_context = progress.above_context.max(model.context_length);
                    }
                    None => {}
                }
                // A model that is gone was no candidate in truth.
                let gone = failure.rest == Rest::UntilNextList;
                progress.failed |= failure.answer.is_none() && !gone;
                if gone {
                    return None;
                }
                progress.refused = failure.answer;
                None
            }
            Scope::Account(AccountLimit::Credit) => failure.answer.map(Refusal::Passed),
            Scope::Account(limit @ (AccountLimit::Minute | AccountLimit::Day)) => {
                // A quota that is back already ends this request all the same, and no other.
                let back = || Refusal::AccountLimited {
                    limit,
                    requests: failure.free_requests.map(|free| free.limit),
                    retry_after: 1,
                    available_at: now.wall,
                };
                Some(self.account_refusal(now).unwrap_or_else(back))
            }
            Scope::Key => Some(Refusal::UpstreamAuth {
                status: failure.status.unwrap_or(401),
            }),
            Scope::Request => {
                claim.is_well();
                failure.answer.map(Refusal::Passed)
            }
        }
    }

    /// Lets the model, or the account, rest if the failure is its own; answers until when.
    pub(super) fn let_rest(&self, id: &ModelId, failure: &Failure) -> Option<SystemTime> {
        let now = Now::read();
        let because = Because::of(id, failure, now);
        match failure.scope {
            Scope::Model => self
                .registry
                .rest(because, failure.rest, now)
                .map(|wake| wake.date(now)),
            Scope::Account(limit) => {
                let why = AccountRest {
                    limit,
                    answer: failure.answer.clone(),
                    free_requests: failure.free_requests,
                };
                let wake = self.registry.rest_account(because, why, failure.rest, now);
                let until = wake.map(|wake| wake.date(now));
                self.log.emit(
                    LogLevel::Warning,
                    "account_rests",
                    &serde_json::json!({
                        "limit": limit.as_str(), "until": until.map(crate::clock::rfc3339),
                    }),
                );
                until
            }
            Scope::Key | Scope::Request => None,
        }
    }

    /// What is told while the account rests; `None` if it does not.
    pub(super) fn account_refusal(&self, now: Now) -> Option<Refusal> {
        self.registry.with_cooldowns(|known| {
            let (why, wake) = known.account_rest(now)?;
            let retry_after = whole_seconds(wake.left(now));
            Some(match &why.answer {
                Some(answer) => Refusal::Passed(PassedAnswer {
                    retry_after: Some(retry_after.into()),
                    ..answer.clone()
                }),
                None => Refusal::AccountLimited {
                    limit: why.limit,
                    requests: why.free_requests.map(|free| free.limit),
                    retry_after,
                    available_at: wake.date(now),
                },
            })
        })
    }

    /// What is told when the walk has come to its end.
    pub(super) fn nothing_left(
        &self,
        snapshot: Option<&Snapshot>,
        request: &ChatRequest,
        progress: Progress,
        attempts: &[AttemptRecord],
    ) -> Refusal {
        let now = Now::read();
        let left = |tried: &[ModelId]| {
            let wants = Wants {
                tried,
                ..self.wants(request, &progress)
            };
            self.registry
                .with_cooldowns(|known| select(snapshot, wants, known, now))
        };
        let gone = self.registry.with_cooldowns(Cooldowns::gone);
        let out = [progress.tried.as_slice(), &gone].concat();
        let somebody_rests = matches!(left(&out), Selection::AllCooling { .. });
        if let (Some(answer), false, false) = (&progress.refused, progress.failed, somebody_rests) {
            return Refusal::Passed(answer.clone());
        }
        let retry_after = match left(&[]) {
            Selection::AllCooling { wakes_in }
            | Selection::Probing {
                wakes_in: Some(wakes_in),
            } => whole_seconds(wakes_in),
            Selection::Candidates(_)
            | Selection::Probing { wakes_in: None }
            | Selection::AccountResting
            | Selection::Exhausted
            | Selection::NoneCapable { .. }
            | Selection::NotListed
            | Selection::NoSnapshot => 1,
        };
        Refusal::AllUnavailable {
            retry_after,
            tried: tried(attempts),
        }
    }
}

/// The attempts as the caller sees them.
fn tried(attempts: &[AttemptRecord]) -> Vec<Tried> {
    let tried = attempts.iter().map(|attempt| Tried {
        model: attempt.model.clone(),
        outcome: attempt.outcome,
        status: attempt.status,
        available_at: attempt.cooldown_until,
    });
    tried.collect()
}

/// A long prompt is weighed before choosing, not under the lock that choosing takes.
fn weigh(snapshot: &Snapshot, request: &ChatRequest) {
    let lengths = snapshot.candidates().filter_map(|m| m.context_length);
    if let Some(least) = lengths.min() {
        request.needs.weigh(least);
    }
}

/// For `Retry-After`: rounded up, at least 1.
fn whole_seconds(wait: Duration) -> u64 {
    let up = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + up).max(1)
}
