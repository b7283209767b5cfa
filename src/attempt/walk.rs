//! The walk: candidates one after the other until one has begun to speak.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{sleep_until, timeout_at};
use tokio_util::task::TaskTracker;

use super::opened::Unanswered;
use super::refusal::{account_refusal, seconds};
use super::way::Way;
use super::{Opened, Refusal, Tried, Wording};
use crate::answer::PassedAnswer;
use crate::clock::Now;
use crate::config::{Config, Limits, LogLevel, ModelField};
use crate::live::AttemptRecord;
use crate::model::{Model, ModelId};
use crate::provider::Rules;
use crate::redact::Redactor;
use crate::registry::{AccountRest, Claim, Cooldowns, Registry, Snapshot};
use crate::request::ChatRequest;
use crate::select::{Preference, Selection, Unavailable, Wants, filtered_out, select};
use crate::telemetry::{Log, RequestRecord, Traffic};
use crate::upstream::{ConnectError, Upstream};
use crate::verdict::{AccountLimit, Because, Cause, Failure, Lesson, Rest, Scope};

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
    /// How long models take to begin.
    traffic: Arc<Traffic>,
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

/// How far a walk has come.
#[derive(Default)]
pub(super) struct Progress {
    tried: Vec<ModelId>,
    way: Way,
    above_context: Option<u64>,
    /// What the last model said to this request that has no answer, while all of them did so.
    last: Option<LastWord>,
    /// An attempt failed for another reason than the request.
    failed: bool,
}

/// What the client gets if every model says the like.
enum LastWord {
    /// A refusal.
    Refused(PassedAnswer),
    /// An answer without anything in it.
    Silent(Box<Opened>),
}

/// How long a model may take to begin of which nothing is known, before one more is sent to probe
/// (spec §9.8).
const USUAL: Duration = Duration::from_secs(2);
/// No model is expected to begin sooner than this: a slow moment is no sign.
const SOONEST: Duration = Duration::from_millis(250);

impl Walker {
    /// A walker over the models that `registry` knows.
    #[must_use]
    pub fn new(
        config: &Config,
        upstream: Upstream,
        registry: Arc<Registry>,
        log: Log,
        traffic: Arc<Traffic>,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            upstream,
            registry,
            rules: Rules {
                rate_limit_cooldown: config.rate_limit_cooldown,
                generic_error_cooldown: config.generic_error_cooldown,
                upstream_key: config.upstream_key.clone(),
                redactor: Redactor::new([config.upstream_key.clone()]),
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
            traffic,
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
            let (selection, claim) = self.choose(snapshot.as_deref(), request, &progress);
            match (selection, claim) {
                (Selection::Candidates(models), Some(claim)) => {
                    let Some(model) = models.first() else { break };
                    record.attempt_begins(&model.id);
                    progress.tried.push(model.id.clone());
                    let begun = Now::steady();
                    let asked = match self.ask(model, request).await {
                        Ok(opened) => self.put(opened, wording).await.map_err(Unanswered::Failed),
                        failed => failed,
                    };
                    if !matches!(asked, Err(Unanswered::Unreached(_))) {
                        // Should it break again, that is another outage.
                        progress.way = Way::default();
                    }
                    match asked {
                        Ok(opened) if opened.is_silent() => {
                            // It has answered, and another may have more to say.
                            let failure = Failure {
                                rest: Rest::None,
                                ..self.rules.broken(Some(200), Cause::Silent)
                            };
                            self.tell(model, &failure, None, record);
                            claim.is_well();
                            progress.last = Some(LastWord::Silent(Box::new(opened)));
                        }
                        Ok(opened) => {
                            claim.is_well();
                            return Ok(opened);
                        }
                        Err(Unanswered::Unreached(error)) => {
                            // It was not asked after all, and nothing is known of it.
                            drop(claim);
                            progress.tried.pop();
                            let took = Now::steady().saturating_duration_since(begun);
                            let wait = progress.way.fails(error.why, took);
                            self.unreached(&error, wait, record);
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
                            let failure = failure.owed_to(request.routing);
                            if let Some(refusal) =
                                self.after(model, request, failure, claim, &mut progress, record)
                            {
                                return Err(refusal);
                            }
                        }
                    }
                }
                (Selection::Probing { wakes_in }, _) => {
                    // Whatever ends the probe is told; past the budget nothing starts anyway.
                    let wakes = wakes_in.map_or(deadline, |left| Now::read().plus(left).steady);
                    let until = deadline.min(wakes);
                    drop(timeout_at(until.into(), changes.changed()).await);
                }
                (Selection::AccountResting, _) => {
                    // It may have been cleared in between.
                    let Some(refusal) = self.account_refusal() else {
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
        match progress.last.take().filter(|_| !progress.failed) {
            Some(LastWord::Silent(opened)) => Ok(*opened),
            Some(LastWord::Refused(answer))
                if !self.somebody_may_do_better(snapshot.as_deref(), request, &progress) =>
            {
                Err(Refusal::Passed(answer))
            }
            Some(LastWord::Refused(_)) | None => {
                Err(self.nothing_left(snapshot.as_deref(), request, &progress, record.attempts()))
            }
        }
    }

    /// Chooses and claims the next model.
    fn choose(
        &self,
        snapshot: Option<&Snapshot>,
        request: &ChatRequest,
        progress: &Progress,
    ) -> (Selection, Option<Claim>) {
        let wants = self.wants(request, progress);
        let choose = |known: &Cooldowns, now| {
            let selection = select(snapshot, wants, known, now);
            let first = selection.first().map(|model| model.id.clone());
            (selection, first)
        };
        self.registry.claim(choose, |id| self.usual(id))
    }

    /// How long the model usually takes to begin, as far as streams have shown it.
    fn usual(&self, id: &ModelId) -> Duration {
        let [hour, day] = self.traffic.read(|live| live.figures(id, Now::read()));
        let shown = [hour, day].into_iter().flatten();
        let millis = shown.filter_map(|figures| figures.ttft_p50_ms).next();
        millis.map_or(USUAL, |millis| Duration::from_millis(millis).max(SOONEST))
    }

    pub(super) fn wants<'a>(&self, request: &'a ChatRequest, progress: &'a Progress) -> Wants<'a> {
        Wants {
            needs: &request.needs,
            preference: Preference::new(self.model_field, &request.wish),
            tried: &progress.tried,
            above_context: progress.above_context,
        }
    }

    /// There was no connection: tells the operator.
    fn unreached(&self, error: &ConnectError, wait: Option<Duration>, record: &mut RequestRecord) {
        self.log.emit(
            LogLevel::Debug,
            "connect_failed",
            &serde_json::json!({
                "cause": error.why.as_str(), "error": error.said,
                "again_in_ms": wait.map(|wait| wait.as_millis() as u64),
            }),
        );
        record.unreached(error.why);
    }

    /// Draws the consequences of a failure: a rest, a lesson, and an end of the walk where
    /// another model would not help.
    fn after(
        &self,
        model: &Model,
        request: &ChatRequest,
        failure: Failure,
        claim: Claim,
        progress: &mut Progress,
        record: &mut RequestRecord,
    ) -> Option<Refusal> {
        let until = self.let_rest(&model.id, &failure, Now::read());
        self.tell(model, &failure, until, record);
        match failure.scope {
            Scope::Model | Scope::Candidate => {
                // A model that refuses one request has answered, and so has the account; who
                // was never reached has told nothing of either.
                match (failure.status, failure.rest) {
                    (None, _) => {}
                    // What the request brought upon itself says as little.
                    (Some(_), _) if failure.owed => {}
                    (Some(_), Rest::None) => claim.is_well(),
                    (
                        Some(_),
                        Rest::For(_) | Rest::Until(_) | Rest::UntilNextList | Rest::Doubling { .. },
                    ) => claim.account_is_well(),
                }
                match failure.lesson {
                    // Only of what was asked of it.
                    Some(Lesson::Lacks(capability)) if request.needs.has(capability) => {
                        self.registry.learn(&model.id, capability);
                    }
                    Some(Lesson::Lacks(_)) => {}
                    Some(Lesson::TooLong) => {
                        progress.above_context = progress.above_context.max(model.context_length);
                    }
                    // Its window is not what the request is too large for.
                    Some(Lesson::OverLimit) | None => {}
                }
                // A model that is gone was never really a candidate.
                let gone = failure.rest == Rest::UntilNextList;
                progress.failed |= failure.answer.is_none() && !gone;
                if gone {
                    return None;
                }
                progress.last = failure.answer.map(LastWord::Refused);
                None
            }
            Scope::Account(AccountLimit::Credit) => failure.answer.map(Refusal::Passed),
            Scope::Account(
                limit @ (AccountLimit::Minute
                | AccountLimit::Day
                | AccountLimit::Quota
                | AccountLimit::Key),
            ) => {
                // A quota that is back already ends this request all the same, and no other.
                let back = || Refusal::AccountLimited {
                    limit,
                    requests: failure.free_requests.map(|free| free.limit),
                    retry_after: 1,
                    available_at: Now::read().wall,
                };
                Some(self.account_refusal().unwrap_or_else(back))
            }
            Scope::Key | Scope::Provider => Some(Refusal::UpstreamAuth {
                status: failure.status.unwrap_or(401),
            }),
            Scope::Request => {
                claim.is_well();
                failure.answer.map(Refusal::Passed)
            }
        }
    }

    /// Log and record learn of a failed attempt.
    fn tell(
        &self,
        model: &Model,
        failure: &Failure,
        until: Option<SystemTime>,
        record: &mut RequestRecord,
    ) {
        self.log.emit(
            LogLevel::Debug,
            "attempt_failed",
            &serde_json::json!({
                "model": model.id, "outcome": failure.outcome.as_str(),
                "status": failure.status, "cause": failure.cause.as_str(),
            }),
        );
        record.attempt_fails(failure.outcome, failure, until);
    }

    /// Lets the model, or the account, rest if the failure is its own; answers until when.
    pub(super) fn let_rest(&self, id: &ModelId, failure: &Failure, now: Now) -> Option<SystemTime> {
        let because = Because::of(id, failure, now);
        let limit = match failure.scope {
            Scope::Request => return None,
            Scope::Model | Scope::Candidate => {
                let wake = self.registry.rest(because, failure.rest, now);
                return wake.map(|wake| wake.date(now));
            }
            Scope::Account(limit) => limit,
            Scope::Key | Scope::Provider => AccountLimit::Key,
        };
        let why = AccountRest {
            limit,
            answer: failure.answer.clone(),
            free_requests: failure.free_requests,
        };
        let (wake, is_news) = self.registry.rest_account(because, why, failure.rest, now);
        let until = wake.map(|wake| wake.date(now));
        if is_news {
            self.log.emit(
                LogLevel::Warning,
                "account_rests",
                &serde_json::json!({
                    "limit": limit.as_str(), "until": until.map(crate::clock::rfc3339),
                }),
            );
        }
        until
    }

    /// What is told while the account rests; `None` if it does not.
    fn account_refusal(&self) -> Option<Refusal> {
        self.registry.with_cooldowns_now(account_refusal)
    }

    /// Whether a resting model may answer where all that were asked did not. A model that is gone was
    /// never really a candidate.
    fn somebody_may_do_better(
        &self,
        snapshot: Option<&Snapshot>,
        request: &ChatRequest,
        progress: &Progress,
    ) -> bool {
        let gone = self.registry.with_cooldowns(Cooldowns::gone);
        let out = [progress.tried.as_slice(), &gone].concat();
        let wants = Wants {
            tried: &out,
            ..self.wants(request, progress)
        };
        let left = |known: &Cooldowns, now| select(snapshot, wants, known, now);
        let left = self.registry.with_cooldowns_now(left);
        matches!(left, Selection::AllCooling { .. })
    }

    /// What is told when the walk has come to its end.
    pub(super) fn nothing_left(
        &self,
        snapshot: Option<&Snapshot>,
        request: &ChatRequest,
        progress: &Progress,
        attempts: &[AttemptRecord],
    ) -> Refusal {
        let wants = self.wants(request, progress);
        let (left, why) = self.registry.with_cooldowns_now(|known, now| {
            let untried = Wants {
                tried: &[],
                ..wants
            };
            let why = snapshot.map(|snapshot| Unavailable::count(snapshot, wants, known, now));
            (select(snapshot, untried, known, now), why)
        });
        let wakes_in = match left {
            Selection::AllCooling { wakes_in }
            | Selection::Probing {
                wakes_in: Some(wakes_in),
            } => Some(wakes_in),
            Selection::Candidates(_)
            | Selection::Probing { wakes_in: None }
            | Selection::AccountResting
            | Selection::Exhausted
            | Selection::NoneCapable { .. }
            | Selection::NotListed
            | Selection::NoSnapshot => None,
        };
        Refusal::AllUnavailable {
            retry_after: seconds(wakes_in.unwrap_or_default()),
            returns: wakes_in.is_some(),
            why: why.unwrap_or_default(),
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
