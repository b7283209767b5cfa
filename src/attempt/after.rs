//! What follows from a failed attempt: a rest, a lesson, what it rules out for the request (spec §10.4).

use std::time::{Duration, Instant, SystemTime};

use super::Refusal;
use super::progress::{LastWord, Progress};
use super::walk::Walker;
use crate::clock::{Now, rfc3339};
use crate::config::LogLevel;
use crate::learnt::Order;
use crate::model::{Candidate, Capability, Subject, Wish};
use crate::registry::{Claim, Rests};
use crate::request::ChatRequest;
use crate::select::OutBy;
use crate::telemetry::Attempt;
use crate::verdict::{AccountLimit, Because, Failure, Lesson, Outcome, Rest, Scope};

impl Walker {
    /// Draws the consequences of a failure. Only a failure of the request's own ends the walk.
    pub(super) fn after(
        &self,
        request: &ChatRequest,
        failure: Failure,
        claim: Claim,
        progress: &mut Progress,
        attempt: Attempt,
    ) -> Option<Refusal> {
        let candidate = &**claim.candidate();
        let failure = self.growing(self.order(request), failure, attempt.begun());
        let until = self.let_rest(candidate, claim.key(), &failure, Now::read());
        self.tell(candidate, &failure, until, attempt);
        let rests_for_quota = until.is_some() && failure.outcome == Outcome::RateLimited;
        if rests_for_quota {
            progress.asked_is_spent();
        }
        match failure.scope {
            Scope::Request => {
                claim.is_well();
                return failure.answer.map(|answer| Refusal::Passed(*answer));
            }
            Scope::Model => {
                let by = if rests_for_quota {
                    OutBy::Spent(None)
                } else {
                    OutBy::Tried
                };
                progress.is_out(candidate.model(), by);
            }
            Scope::Candidate => {}
            Scope::Account(limit) => {
                let returns = rests_for_quota && limit != AccountLimit::Credit;
                let by = if returns {
                    OutBy::Spent(Some(limit))
                } else {
                    OutBy::Limit(limit)
                };
                progress.is_out(candidate.of_account(), by);
                progress.told = failure.answer.map(|answer| Refusal::Passed(*answer));
                progress.failed = true;
                return None;
            }
            Scope::Key if self.another_key(&claim, progress) => return None,
            Scope::Key => {
                self.no_key_is_left(candidate, &failure);
                progress.is_out(candidate.of_account(), OutBy::Limit(AccountLimit::Key));
                progress.told = Some(Refusal::UpstreamAuth {
                    status: failure.status.unwrap_or(401),
                    account: candidate.account.as_ref().clone(),
                });
                progress.failed = true;
                return None;
            }
            Scope::Provider => {
                progress.is_out(candidate.provider(), OutBy::Tried);
                progress.failed = true;
                return None;
            }
        }
        match failure.lesson {
            // Only if the request asked for it.
            Some(Lesson::Lacks(capability)) if request.needs.has(capability) => {
                // Whether there is such an endpoint does not depend on the model.
                let whose = if capability == Capability::Completions {
                    candidate.provider()
                } else {
                    candidate.model()
                };
                self.registry.learn(whose, capability);
            }
            Some(Lesson::Lacks(_)) | None => {}
            // Only a success without the field would have proved that.
            Some(Lesson::Refuses(_)) => {}
            // It is not the window that the request is too large for.
            Some(Lesson::OverLimit) => {}
            Some(Lesson::TooLong { window }) => {
                let own = candidate.offer.own_window();
                let small =
                    window.map_or(own, |named| Some(own.map_or(named, |own| own.min(named))));
                progress.above_context = progress.above_context.max(small);
                // One host behind an OpenRouter model says nothing about the others.
                if let (Some(named), false) = (window, candidate.offer.provider.is_openrouter()) {
                    self.registry.learn_window(candidate.model(), named);
                }
            }
        }
        // A model that refuses a request has answered, and so has its account; without a status, neither has
        // shown anything.
        match (failure.status, failure.rest) {
            (None, _) => {}
            // A failure that the request brought upon itself shows just as little.
            (Some(_), _) if failure.owed => {}
            (Some(_), Rest::None) => claim.is_well(),
            (
                Some(_),
                Rest::For(_)
                | Rest::Unadvised(_)
                | Rest::Growing { .. }
                | Rest::Until(_)
                | Rest::UntilNextList
                | Rest::Doubling { .. },
            ) => claim.account_is_well(),
        }
        // A model that is gone was never really a candidate.
        let gone = failure.rest == Rest::UntilNextList;
        progress.failed |= failure.answer.is_none() && !gone;
        // A missing endpoint is reported only if no model that has it said more.
        let says_less = failure.lesson == Some(Lesson::Lacks(Capability::Completions))
            && progress.last.is_some();
        if !gone && !says_less {
            progress.last = failure.answer.map(|answer| LastWord::Refused(*answer));
        }
        None
    }

    /// One of several keys was refused: whether another replaces it at once.
    fn another_key(&self, claim: &Claim, progress: &mut Progress) -> bool {
        let candidate = claim.candidate();
        let (Some(keys), Some(refused)) = (self.keyring(&candidate.account), claim.key()) else {
            return false;
        };
        progress.is_out(refused, OutBy::Tried);
        let out = &progress.out;
        let has_another = |known: &Rests, now| keys.has_another(known, out, now);
        let has_another = self.registry.with_rests_now(has_another);
        if has_another {
            progress.may_be_asked_again(candidate.itself());
        }
        has_another
    }

    /// An account with several keys has none left: it rests until the first of them returns.
    fn no_key_is_left(&self, candidate: &Candidate, failure: &Failure) {
        let Some(keys) = self.keyring(&candidate.account) else {
            return;
        };
        let returns_in = |known: &Rests, now| keys.returns_in(known, now);
        let left = self.registry.with_rests_now(returns_in);
        if !left.is_zero() {
            let failure = Failure {
                rest: Rest::For(left),
                ..failure.clone()
            };
            self.let_rest(candidate, None, &failure, Now::read());
        }
    }

    /// Logs and records a failed attempt.
    pub(super) fn tell(
        &self,
        candidate: &Candidate,
        failure: &Failure,
        until: Option<SystemTime>,
        attempt: Attempt,
    ) {
        self.log.emit(
            LogLevel::Debug,
            "attempt_failed",
            &serde_json::json!({
                "model": candidate.offer.public_id, "provider": candidate.account.provider,
                "account": *candidate.account, "outcome": failure.outcome.as_str(),
                "status": failure.status, "cause": failure.cause.as_str(),
            }),
        );
        attempt.fails(failure.outcome, failure, until);
    }

    /// Rests what a failure concerns (of several keys, the one asked with); returns until when.
    pub(super) fn let_rest(
        &self,
        candidate: &Candidate,
        key: Option<&Subject>,
        failure: &Failure,
        now: Now,
    ) -> Option<SystemTime> {
        let subject = concerned(candidate, key, failure.scope)?;
        let because = Because::of(&candidate.offer.public_id, failure, now);
        let limit = because.limit();
        let (wake, is_news) = self.registry.rest(subject, because, failure.rest, now);
        let until = wake.map(|wake| wake.date(now));
        if is_news && subject.is_shared() {
            let until = until.map(rfc3339);
            let mut fields = serde_json::json!({
                "provider": candidate.account.provider, "account": *candidate.account,
                "limit": limit.map(AccountLimit::as_str), "until": until,
            });
            if failure.scope == Scope::Provider {
                self.log.emit(LogLevel::Warning, "provider_rests", &fields);
            } else if failure.scope == Scope::Key && key.is_some() {
                fields["status"] = failure.status.into();
                fields["key_tail"] = self.key_tail(candidate, key).into();
                self.log.emit(LogLevel::Warning, "key_refused", &fields);
            } else {
                self.log.emit(LogLevel::Warning, "account_rests", &fields);
            }
        }
        until
    }

    /// The part of a key that may be shown.
    fn key_tail(&self, candidate: &Candidate, key: Option<&Subject>) -> Option<String> {
        let keys = self.keyring(&candidate.account)?;
        keys.under(key).key.as_ref()?.tail()
    }
}

impl Walker {
    /// The failure of an attempt that began at `began`: an unadvised rest of a model or candidate grows, unless
    /// the request's order is the ranking's (spec §11.2). An account's does not: a used-up quota is not back
    /// in seconds.
    fn growing(&self, order: Order, failure: Failure, began: Instant) -> Failure {
        let rest = match (failure.scope, failure.rest, order) {
            (Scope::Model | Scope::Candidate, Rest::Unadvised(ceiling), Order::Balanced) => {
                Rest::Growing {
                    first: Duration::try_from_secs_f64(self.learning.first_rest).unwrap_or(ceiling),
                    ceiling,
                    began,
                }
            }
            (_, rest, _) => rest,
        };
        Failure { rest, ..failure }
    }

    /// The same for an answer that had begun: a model's or candidate's break means no rest, because its cost
    /// already reflects it, unless the order is the ranking's.
    pub(super) fn in_mid_stream(&self, wish: Wish, failure: Failure, began: Instant) -> Failure {
        let order = self.routing.of(wish);
        match (failure.scope, failure.rest, order) {
            (Scope::Model | Scope::Candidate, Rest::Unadvised(_), Order::Balanced) => Failure {
                rest: Rest::None,
                ..failure
            },
            _ => self.growing(order, failure, began),
        }
    }
}

/// What a candidate's failure concerns, where `key` is the one of several keys it was asked with; `None` if
/// the failure is the request's own.
fn concerned<'a>(
    candidate: &'a Candidate,
    key: Option<&'a Subject>,
    scope: Scope,
) -> Option<&'a Subject> {
    match scope {
        Scope::Request => None,
        Scope::Candidate => Some(candidate.itself()),
        Scope::Model => Some(candidate.model()),
        Scope::Account(_) => Some(candidate.of_account()),
        Scope::Key => Some(key.unwrap_or(candidate.of_account())),
        Scope::Provider => Some(candidate.provider()),
    }
}
