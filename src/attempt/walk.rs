//! The walk: asks candidates one after another until one begins to answer.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep_until;
use tokio_util::task::TaskTracker;

use super::account::Keyrings;
use super::learning::Learning;
use super::opened::Unanswered;
use super::progress::{LastWord, Progress};
use super::refusal::{Walked, none_left, tried};
use super::wants::weigh;
use super::{Answer, Keyring, Refusal, Who, Wording};
use crate::clock::Now;
use crate::config::{Client, Config, Limits, ModelField};
use crate::learnt::{Order, Parameters, Pins, Salt, SessionKey, teaches};
use crate::model::AccountId;
use crate::provider::{Provider, Rules};
use crate::redact::{Redactor, Secret};
use crate::registry::{Admitted, Claim, Drawn, Knowledge, Registry, Snapshot};
use crate::request::{ChatRequest, Routing};
use crate::select::{Next, OutBy, Why};
use crate::telemetry::{Log, RequestRecord, Traffic};
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
    /// How long models take to begin answering.
    pub(super) traffic: Arc<Traffic>,
    pub(super) accounts: Keyrings,
    pub(super) max_attempts: usize,
    pub(super) model_field: ModelField,
    pub(super) routing: Order,
    pub(super) learning: Parameters,
    /// Its own lock, held only for a lookup or an insert.
    pins: Arc<Mutex<Pins>>,
    pub(super) salt: Salt,
    /// The last list of its settings, once others have come (spec §12.2).
    last_list: OnceLock<Option<Arc<Snapshot>>>,
}

/// The time limits of an attempt and of the walk (spec §6, §4.6).
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) first_event: Duration,
    pub(super) plain: Option<Duration>,
    pub(super) idle: Duration,
    pub(super) budget: Duration,
    /// How long after its arrival a request may wait for a candidate to return; `None` means it never waits.
    pub(super) wait: Option<Duration>,
}

impl Times {
    /// The limits at this provider. If it has its own (spec §10.1), no other limit cuts that short.
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

/// Roughly how many bytes of a prompt make one token: close enough to guess how long reading it takes.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

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
            pins: Arc::default(),
            salt: Salt::of(config.clients.keys().map(Secret::expose)),
            last_list: OnceLock::new(),
        }
    }

    /// The same walker under other settings, with these accounts.
    #[must_use]
    pub fn under(&self, config: &Config, accounts: Vec<Keyring>, redactor: Redactor) -> Self {
        let new = Self::new(
            config,
            accounts,
            redactor,
            Arc::clone(&self.registry),
            self.log.clone(),
            Arc::clone(&self.traffic),
            self.tasks.clone(),
        );
        Self {
            pins: Arc::clone(&self.pins),
            salt: self.salt,
            ..new
        }
    }

    /// The same with this salt for its sessions, in place of one from the keys of the clients (spec §11.4).
    #[must_use]
    pub fn salted(self, salt: Salt) -> Self {
        Self { salt, ..self }
    }

    /// Other settings are about to come, and a list of their accounts: requests that began with these keep theirs.
    pub fn retire(&self) {
        self.last_list.get_or_init(|| self.registry.snapshot());
    }

    /// The list that a request begins with.
    fn list(&self) -> Option<Arc<Snapshot>> {
        // In this order: if the list is of later settings already, these have been retired before.
        let current = self.registry.snapshot();
        self.last_list.get().cloned().unwrap_or(current)
    }

    /// Finds a candidate that answers the request; a plain answer is put into `wording`, if there is one.
    /// Dropping the future drops the attempt under way.
    ///
    /// # Errors
    /// When no candidate gives an answer.
    pub async fn walk(
        &self,
        request: &ChatRequest,
        who: Who,
        wording: Option<&Wording>,
        record: &mut RequestRecord,
    ) -> Result<Answer, Refusal> {
        let mut snapshot = self.list();
        if let Some(snapshot) = &snapshot {
            self.filter(snapshot, request, record);
            weigh(snapshot, request);
        }
        let mut deadline = None;
        let Who {
            client,
            session,
            mut admitted,
        } = who;
        let mut progress = self.begins(client, session);
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
            let Some((claim, mut drawn)) = self
                .claims(&mut snapshot, request, &mut progress, record, now, deadline)
                .await?
            else {
                break;
            };
            let list = snapshot.as_deref();
            let candidate = Arc::clone(claim.candidate());
            if self.keyring(&candidate.account).is_none() {
                // It has waited, and this account is one of later settings.
                drop(claim);
                drawn.refund();
                progress.take_back();
                progress.is_out(candidate.of_account(), OutBy::Tried);
                continue;
            }
            let chosen = self.chosen(list, &candidate, request, &progress);
            admitted.asks();
            let mut attempt = record.attempt(&candidate, chosen);
            if let (true, Some(list)) = (record.is_traced(), list) {
                attempt.stands(self.stands(list, &candidate, request));
            }
            let learning = Learning::begins(list, &candidate, self.learning, attempt.begun());
            let sent = Notify::new();
            let patience = self.patience(list, &candidate, request, &progress);
            let may_end = || self.may_end(list, &candidate, request, &progress, deadline);
            let asked = {
                let asked = pin!(self.ask(&claim, request, &attempt, &mut drawn, &sent, deadline));
                self.within(patience, asked, &sent, may_end).await
            };
            let asked = match asked {
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
                    // It did answer, so there is nothing to learn, and another may have more to say.
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
                    let drawn = drawn.answers(admitted);
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
                    // Dropped only now: a request that waits for this place must find its candidate resting.
                    drop(drawn);
                    if let Some(refusal) = refusal {
                        return Err(refusal);
                    }
                }
                Err(error) => {
                    // It was never asked, so nothing was learnt about it.
                    drop(learning);
                    drop(claim);
                    drawn.refund();
                    admitted.was_not_reached();
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
        self.none_answered(snapshot.as_deref(), request, progress, admitted, record)
    }

    /// Claims the next candidate, at once or when its turn comes, in a list that may be a newer one by then.
    /// `None` if there is none to ask, or to wait for.
    async fn claims(
        &self,
        snapshot: &mut Option<Arc<Snapshot>>,
        request: &ChatRequest,
        progress: &mut Progress,
        record: &mut RequestRecord,
        now: Now,
        deadline: Instant,
    ) -> Result<Option<(Claim, Drawn)>, Refusal> {
        match self.choose(snapshot.as_deref(), request, progress, now) {
            (Next::Ask(_), Some(claimed)) => return Ok(Some(claimed)),
            (Next::None(Why::NoneCapable { missing }), _) if progress.out.is_empty() => {
                return Err(Refusal::none_capable(missing));
            }
            (Next::None(Why::NotListed), _) => return Err(Refusal::ModelNotFound),
            (Next::None(Why::NotAllowed), _) => return Err(Refusal::NotAllowed),
            (Next::None(Why::NoSnapshot), _) => return Err(Refusal::NotReady),
            (Next::None(Why::NoneCapable { .. }), _) => return Ok(None),
            // Even a candidate that is free is left to the requests already waiting, if they come first.
            (Next::Ask(_) | Next::Wait { .. }, _)
            | (Next::None(Why::Resting { .. } | Why::Exhausted), _) => {}
        }
        let turn = self.waits(request, progress, record, deadline).await;
        Ok(turn.map(|turn| {
            *snapshot = Some(turn.list);
            (turn.claim, turn.drawn)
        }))
    }

    /// What the client gets where none has answered: perhaps an empty answer, if that is all there was.
    fn none_answered(
        &self,
        snapshot: Option<&Snapshot>,
        request: &ChatRequest,
        mut progress: Progress,
        admitted: Admitted,
        record: &RequestRecord,
    ) -> Result<Answer, Refusal> {
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
            let left = none_left(snapshot, walked, known, now);
            left.map_err(|refusal| refusal.no_sooner_than(turn_in, now))
        };
        let opened = self.registry.with_known_now(end)?;
        Ok(Answer {
            opened: opened.answers(admitted),
            attempt: None,
        })
    }

    /// What a walk for this client and session begins with.
    pub(super) fn begins(&self, client: Arc<Client>, session: Option<SessionKey>) -> Progress {
        let mut progress = Progress::default();
        progress.client = Some(client);
        progress.session = session;
        progress.pin = session.and_then(|session| self.pins().of(session).cloned());
        progress
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        // Each pin is complete in itself, so a poisoned lock does no harm.
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The accounts that can be asked.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<AccountId>> {
        self.accounts.iter().map(Keyring::id)
    }

    /// The keys of one account; `None` if a snapshot names an account that this walker does not know.
    pub(super) fn keyring(&self, id: &Arc<AccountId>) -> Option<&Keyring> {
        self.accounts.of(id)
    }

    /// How much the request itself decides what serves it at the claimed account.
    fn routing_of(&self, request: &ChatRequest, claim: &Claim) -> Routing {
        let keys = self.keyring(&claim.candidate().account);
        keys.map_or(request.routing, |keys| {
            keys.under(claim.key()).routing_of(request)
        })
    }
}
