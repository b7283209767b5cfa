//! The walk: candidates one after the other until one has begun to speak.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tokio::sync::Notify;
use tokio::time::sleep_until;
use tokio_util::task::TaskTracker;

use super::account::Keyrings;
use super::learning::Learning;
use super::opened::Unanswered;
use super::progress::{LastWord, Progress};
use super::refusal::{Walked, nobody_left, tried};
use super::waiting::{With, choose};
use super::{Answer, Keyring, Refusal, Wording};
use crate::clock::Now;
use crate::config::{Config, Limits, LogLevel, ModelField};
use crate::learnt::{Caller, Order, Parameters, Pins, Salt, SessionKey, teaches};
use crate::model::{AccountId, Candidate, Wish};
use crate::provider::{Provider, Rules};
use crate::redact::{Redactor, Secret};
use crate::registry::{Claim, Drawn, Knowledge, Registry, Rests, Snapshot};
use crate::request::{ChatRequest, Routing};
use crate::select::{
    By, Next, Out, OutBy, Preference, Quote, Wants, Why, filtered_out, next, next_quoted,
};
use crate::telemetry::{Log, RequestRecord, Traffic};
use crate::upstream::ConnectError;
use crate::verdict::{Cause, Failure, Rest};

/// Walks requests over the candidates.
pub struct Walker {
    pub(super) registry: Arc<Registry>,
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) times: Times,
    /// Owns what outlives a request: upstream bodies read to their end.
    pub(super) tasks: TaskTracker,
    pub(super) log: Log,
    /// How long models take to begin.
    pub(super) traffic: Arc<Traffic>,
    pub(super) accounts: Keyrings,
    pub(super) max_attempts: usize,
    pub(super) model_field: ModelField,
    pub(super) routing: Order,
    pub(super) learning: Parameters,
    /// A lock of its own, held for a look-up or an insert.
    pins: Mutex<Pins>,
    pub(super) salt: Salt,
}

/// The time limits of an attempt and of the walk (spec §6, §4.6).
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) first_event: Duration,
    pub(super) plain: Option<Duration>,
    pub(super) idle: Duration,
    pub(super) budget: Duration,
    /// Within so long of its arrival a request waits for who returns; `None` never does.
    pub(super) wait: Option<Duration>,
}

impl Times {
    /// The same at this provider, which may have a limit of its own (spec §10.1): no other cuts it
    /// short.
    pub(super) fn at(self, provider: &Provider) -> Self {
        let Some(own) = provider.timeout else {
            return self;
        };
        Self {
            first_event: own,
            plain: self.plain.map(|plain| plain.max(own)),
            idle: self.idle.max(own),
            budget: self.budget.max(own),
            wait: self.wait,
        }
    }
}

/// About so many bytes of a prompt are a token: enough for a guess of how long it takes to be read.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// No model is expected to begin sooner than this: a slow moment is no sign.
pub(super) const SOONEST: Duration = Duration::from_millis(250);

impl Walker {
    /// A walker over the models that `registry` knows.
    #[must_use]
    pub fn new(
        config: &Config,
        accounts: Vec<Keyring>,
        redactor: Redactor,
        registry: Arc<Registry>,
        log: Log,
        traffic: Arc<Traffic>,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            registry,
            rules: Rules {
                rate_limit_cooldown: config.rate_limit_cooldown,
                generic_error_cooldown: config.generic_error_cooldown,
                redactor,
            },
            limits: config.limits.clone(),
            times: Times {
                first_event: config.upstream_timeout,
                plain: config.plain_timeout,
                idle: config.stream_idle_timeout,
                budget: config.request_budget,
                wait: config.wait,
            },
            tasks,
            log,
            traffic,
            accounts: Keyrings::new(accounts),
            max_attempts: config.max_fallback_attempts,
            model_field: config.model_field,
            routing: config.routing,
            learning: config.learning,
            pins: Mutex::default(),
            salt: Salt::of(config.proxy_keys.iter().map(Secret::expose)),
        }
    }

    /// Finds a candidate that answers the request, a plain answer in the words that are wanted.
    /// Dropping the future drops the attempt under way.
    ///
    /// # Errors
    /// When no candidate's answer is to be had.
    pub async fn walk(
        &self,
        request: &ChatRequest,
        session: Option<SessionKey>,
        wording: Option<&Wording>,
        record: &mut RequestRecord,
    ) -> Result<Answer, Refusal> {
        let mut snapshot = self.registry.snapshot();
        if let Some(snapshot) = &snapshot {
            self.filter(snapshot, request, record);
            weigh(snapshot, request);
        }
        let mut deadline = None;
        let mut progress = self.begins(session);
        if session.is_some() {
            record.of_session();
        }
        if record.is_traced() {
            record.asks(self.asks(request, session));
        }
        loop {
            let now = Now::read();
            let deadline = *deadline.get_or_insert(now.plus(self.times.budget).steady);
            if progress.attempts >= self.max_attempts || now.steady >= deadline {
                break;
            }
            let list = snapshot.as_deref();
            let (claim, mut drawn) = match self.choose(list, request, &mut progress, now) {
                (Next::Ask(_), Some(claimed)) => claimed,
                (Next::None(Why::NoneCapable { missing }), _) if progress.out.is_empty() => {
                    return Err(Refusal::none_capable(missing));
                }
                (Next::None(Why::NotListed), _) => return Err(Refusal::ModelNotFound),
                (Next::None(Why::NoSnapshot), _) => return Err(Refusal::NotReady),
                (Next::None(Why::NoneCapable { .. }), _) => break,
                // One that may be asked is left to those who wait, where they come first.
                (Next::Ask(_) | Next::Wait { .. }, _)
                | (Next::None(Why::Resting { .. } | Why::Exhausted), _) => {
                    let turn = self.waits(request, &mut progress, record, deadline).await;
                    let Some(turn) = turn else { break };
                    snapshot = Some(turn.list);
                    (turn.claim, turn.drawn)
                }
            };
            let list = snapshot.as_deref();
            let candidate = Arc::clone(claim.candidate());
            let chosen = self.chosen(list, &candidate, request, &progress);
            let mut attempt = record.attempt(&candidate, chosen);
            if let (true, Some(list)) = (record.is_traced(), list) {
                attempt.stands(self.stands(list, &candidate, request));
            }
            let learning = Learning::begins(list, &candidate, self.learning, attempt.begun());
            let sent = Notify::new();
            let patience = self.patience(list, &candidate, request, &progress);
            let may_end = || self.may_end(list, &candidate, request, &progress, deadline);
            let asked = self.ask(&claim, request, &attempt, &mut drawn, &sent, deadline);
            let asked = match self.within(patience, asked, &sent, may_end).await {
                Ok(opened) => self.put(opened, wording).await.map_err(Unanswered::Failed),
                failed => failed,
            };
            let asked = match asked {
                Err(Unanswered::Unreached(error)) => Err(error),
                Err(Unanswered::Failed(failure)) => Ok(Err(failure)),
                Err(Unanswered::Late(failure)) => {
                    progress.has_ended_one = true;
                    record.first_token_limit_hit();
                    attempt.is_late();
                    Ok(Err(failure))
                }
                Ok(opened) => Ok(Ok(opened)),
            };
            if asked.is_ok() {
                self.reached(&candidate, &mut progress);
            }
            match asked {
                Ok(Ok(opened)) if opened.is_silent() => {
                    // It has answered, which teaches nothing, and another may have more to say.
                    let failure = Failure {
                        rest: Rest::None,
                        ..self.rules.broken(Some(200), Cause::Silent)
                    };
                    self.tell(&candidate, &failure, None, attempt);
                    drop(learning);
                    claim.is_well();
                    progress.is_out(candidate.model(), OutBy::Tried);
                    let opened = opened.with_drawn(drawn);
                    progress.last = Some(LastWord::Silent(Box::new(opened)));
                }
                Ok(Ok(opened)) => {
                    claim.is_well();
                    if let Some(session) = session {
                        self.pins().set(session, &candidate, Now::read());
                    }
                    let tokens = request.needs.prompt_bytes() / BYTES_PER_TOKEN;
                    let opened = opened.with_drawn(drawn).teaching(learning, tokens);
                    let attempt = Some(attempt);
                    return Ok(Answer { opened, attempt });
                }
                Ok(Err(failure)) => {
                    drawn.refused(&failure);
                    let failure = failure.owed_to(self.routing_of(request, &claim));
                    if teaches(&failure) {
                        learning.failed();
                    } else {
                        drop(learning);
                    }
                    let refusal = self.after(request, failure, claim, &mut progress, attempt);
                    // Who waits for its place finds it at rest.
                    drop(drawn);
                    if let Some(refusal) = refusal {
                        return Err(refusal);
                    }
                }
                Err(error) => {
                    // It was not asked after all, and nothing is known of it.
                    drop(learning);
                    drop(claim);
                    drawn.refund();
                    progress.take_back();
                    let took = Now::steady().saturating_duration_since(attempt.begun());
                    attempt.was_none();
                    let wants = self.wants(request, &progress);
                    let elsewhere = self.is_elsewhere(list, wants, &candidate);
                    let wait = progress.way(candidate.provider());
                    let wait = wait.fails(error.why, took, elsewhere);
                    self.unreached(&error, &candidate, wait, record);
                    let until = wait.map(|wait| Now::read().plus(wait).steady);
                    match until.filter(|until| *until < deadline) {
                        Some(until) => sleep_until(until.into()).await,
                        None if elsewhere => {
                            let provider = candidate.provider();
                            self.registry.way_fails(provider, Now::read());
                            progress.unreached = Some(error.why);
                            if !error.why.may_pass() {
                                progress.is_out(provider, OutBy::Unreached);
                            }
                        }
                        None => {
                            return Err(Refusal::Unreachable {
                                why: error.why,
                                tried: tried(&record.attempts()),
                            });
                        }
                    }
                }
            }
        }
        let last = progress.last.take();
        let walked = Walked {
            wants: self.wants(request, &progress),
            told: progress.told.as_ref(),
            last: last.filter(|_| !progress.failed),
            unreached: progress.unreached,
            attempts: &record.attempts(),
        };
        let turn_in = progress.turn_in;
        let end = |known: &Knowledge, now| {
            let left = nobody_left(snapshot.as_deref(), walked, known, now);
            left.map_err(|refusal| refusal.no_sooner_than(turn_in, now))
        };
        let opened = self.registry.with_known_now(end)?;
        Ok(Answer {
            opened,
            attempt: None,
        })
    }

    /// A walk of this session's begins.
    pub(super) fn begins(&self, session: Option<SessionKey>) -> Progress {
        let mut progress = Progress::default();
        progress.session = session;
        progress.pin = session.and_then(|session| self.pins().of(session).cloned());
        progress
    }

    /// Counts whom the needs rule out.
    fn filter(&self, snapshot: &Arc<Snapshot>, request: &ChatRequest, record: &RequestRecord) {
        let needs = &request.needs;
        if !needs.capabilities().is_empty() {
            let find = |known: &Rests| filtered_out(snapshot, needs, known).cloned().collect();
            let capabilities = needs.capabilities();
            let out = self.registry.filtered_out(snapshot, capabilities, find);
            record.filtered_out(&out);
        }
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        // Every pin is whole by itself.
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The accounts that are asked.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<AccountId>> {
        self.accounts.iter().map(Keyring::id)
    }

    /// The keys of one of them; `None` if a snapshot speaks of an account that this walker does not know.
    pub(super) fn keyring(&self, id: &Arc<AccountId>) -> Option<&Keyring> {
        self.accounts.of(id)
    }

    /// How far a request influences what serves it where it is asked now.
    fn routing_of(&self, request: &ChatRequest, claim: &Claim) -> Routing {
        let keys = self.keyring(&claim.candidate().account);
        keys.map_or(request.routing, |keys| {
            keys.under(claim.key()).routing_of(request)
        })
    }

    /// What a choice looks at.
    fn with(&self) -> With<'_> {
        With {
            accounts: &self.accounts,
            traffic: &self.traffic,
        }
    }

    /// Chooses and claims the next candidate.
    fn choose<'s>(
        &self,
        snapshot: Option<&'s Snapshot>,
        request: &ChatRequest,
        progress: &mut Progress,
        now: Now,
    ) -> (Next<'s>, Option<(Claim, Drawn)>) {
        let wants = self.wants(request, progress);
        let quote = snapshot.map(|list| Quote::new(list, wants, now));
        let quote = quote.unwrap_or_default();
        let choose_one = |known: &Knowledge, now| {
            let next = next_quoted(snapshot, wants, &quote, known, now);
            let candidate = next.candidate().cloned();
            let was_unreached = candidate
                .as_ref()
                .is_some_and(|candidate| known.was_unreached(candidate.provider()));
            let chosen = snapshot.zip(candidate);
            let chosen = chosen
                .map(|(list, candidate)| choose(list, wants, &candidate, known, now, self.with()));
            ((next, was_unreached), chosen)
        };
        let ((next, was_unreached), claim) = self.registry.claim(choose_one);
        progress.was_unreached = was_unreached;
        if let Some((claim, _)) = &claim {
            progress.asks(claim.candidate());
        }
        (next, claim)
    }

    /// Who asks with a request of these headers, which tells its session.
    #[must_use]
    pub fn caller(&self, headers: &HeaderMap) -> Caller {
        let client = headers
            .get(AUTHORIZATION)
            .or_else(|| headers.get("x-api-key"))
            .map(HeaderValue::as_bytes);
        Caller::of(headers, client.unwrap_or_default(), self.salt)
    }

    /// Whether a request's session counts: its answer is remembered for those by cost, if it is not itself
    /// one of them. A trace of the ranking's order is worth as much to who compares the two.
    #[must_use]
    pub fn tells_sessions(&self, request: &ChatRequest) -> bool {
        let orders = [self.routing, self.order(request)];
        orders.contains(&Order::Balanced) || self.traffic.is_traced()
    }

    /// By what a request's candidates are ordered. Its rests and its patience are those of this order too
    /// (spec §11.6).
    pub(super) fn order(&self, request: &ChatRequest) -> Order {
        self.routing.of(request.asked.wish())
    }

    /// By what the candidates of a tier are ordered for a request of no session.
    #[must_use]
    pub fn by(&self) -> By<'_> {
        By::new(self.routing, Wish::Auto, &self.learning, None, None)
    }

    pub(super) fn wants<'a>(
        &'a self,
        request: &'a ChatRequest,
        progress: &'a Progress,
    ) -> Wants<'a> {
        Wants {
            needs: &request.needs,
            preference: Preference::new(self.model_field, &request.asked),
            out: &progress.out,
            above_context: progress.above_context,
            by: By::new(
                self.routing,
                request.asked.wish(),
                &self.learning,
                progress.session.map(|session| (session, self.salt)),
                progress.pin.as_ref(),
            ),
        }
    }

    /// A connection to a candidate's provider came about.
    fn reached(&self, candidate: &Candidate, progress: &mut Progress) {
        // Should it break again, that is another outage.
        *progress.way(candidate.provider()) = super::way::Way::default();
        if progress.was_unreached {
            self.registry.way_opens(candidate.provider());
        }
    }

    /// Whether somebody at another provider could be asked instead.
    fn is_elsewhere(
        &self,
        snapshot: Option<&Snapshot>,
        wants: Wants<'_>,
        candidate: &Candidate,
    ) -> bool {
        let here = Out {
            subject: candidate.provider().clone(),
            by: OutBy::Unreached,
        };
        let out = [wants.out, &[here]].concat();
        let wants = Wants { out: &out, ..wants };
        let reachable = |known: &Knowledge, now| {
            let other = next(snapshot, wants, known, now).candidate();
            other.is_some_and(|other| !known.is_unreached(other.provider(), now))
        };
        self.registry.with_known_now(reachable)
    }

    /// There was no connection: tells the operator.
    fn unreached(
        &self,
        error: &ConnectError,
        candidate: &Candidate,
        wait: Option<Duration>,
        record: &mut RequestRecord,
    ) {
        self.log.emit(
            LogLevel::Debug,
            "connect_failed",
            &serde_json::json!({
                "provider": candidate.account.provider,
                "cause": error.why.as_str(), "error": error.said,
                "again_in_ms": wait.map(|wait| wait.as_millis() as u64),
            }),
        );
        record.unreached(error.why);
    }
}

/// A long prompt is weighed before choosing, not under the lock that choosing takes.
fn weigh(snapshot: &Snapshot, request: &ChatRequest) {
    if let Some(least) = snapshot.least_context() {
        request.needs.weigh(least);
    }
}
