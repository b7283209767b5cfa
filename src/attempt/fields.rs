//! What a candidate is sent: the client's body without the fields that its provider does not take. If the
//! answer says that another field is unknown, it is asked once more without that one (spec §10.6).
//!
//! Both requests are one attempt; the log's DEBUG line `field_refused` marks the second.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use super::Account;
use super::asking::Asking;
use super::heard::Heard;
use super::opened::{Opened, Unanswered};
use super::walk::Walker;
use crate::clock::Now;
use crate::config::LogLevel;
use crate::model::{Candidate, Capabilities, Offer};
use crate::registry::{Claim, Drawn, Rests};
use crate::request::{ChatRequest, Dropped, Endpoint, FieldName, UpstreamBody};
use crate::surface::LARGE;
use crate::telemetry::Attempt;
use crate::verdict::{Cause, Failure, Lesson, Outcome, Rest, Scope};

/// What an offer's answers have taught, beyond what lists and rows say.
#[derive(Clone)]
struct Known {
    able: Capabilities,
    refused: Vec<FieldName>,
}

impl Walker {
    /// Asks one candidate. Past `deadline` it is not asked a second time.
    pub(super) async fn ask(
        &self,
        claim: &Claim,
        request: &ChatRequest,
        attempt: &Attempt,
        drawn: &mut Drawn,
        sent: &Notify,
        deadline: Instant,
    ) -> Result<Opened, Unanswered> {
        let candidate = claim.candidate();
        let Some(keys) = self.keyring(&candidate.account) else {
            let failure = self.rules.broken(None, Cause::Broken);
            return Err(Unanswered::Failed(failure));
        };
        let account = keys.under(claim.key());
        let mut known = self.known(candidate);
        let mut first: Option<(FieldName, Failure)> = None;
        loop {
            let asking = Asking {
                candidate,
                account,
                request,
                request_id: attempt.request_id(),
                drawn: &*drawn,
                sent,
            };
            let (body, dropped) = body_for(asking, &known).await;
            let answered = self.ask_with(asking, body).await;
            let (field, failure) = match (answered, first.take()) {
                (Ok(opened), taught) => {
                    if let Some((field, _)) = taught {
                        self.registry.learn_refused(candidate.model(), field);
                    }
                    return Ok(opened.without(dropped));
                }
                (Err(Unanswered::Failed(failure)), None) => match failure.lesson {
                    Some(Lesson::Refuses(field)) if Now::steady() < deadline && drawn.again() => {
                        (field, failure)
                    }
                    _ => return Err(Unanswered::Failed(failure)),
                },
                // It was reached the first time, and what it said then counts.
                (Err(Unanswered::Unreached(_)), Some((_, failure))) => {
                    drawn.refund();
                    return Err(Unanswered::Failed(failure));
                }
                (Err(unanswered), _) => return Err(unanswered),
            };
            self.log.emit(
                LogLevel::Debug,
                "field_refused",
                &serde_json::json!({
                    "model": candidate.offer.public_id, "provider": candidate.account.provider,
                    "account": *candidate.account, "field": field.as_str(), "status": failure.status,
                }),
            );
            known.refused.push(field);
            first = Some((field, failure));
        }
    }

    /// What an offer has taught. OpenRouter's offers get every field, whatever they teach.
    fn known(&self, candidate: &Candidate) -> Known {
        let learnt = |known: &Rests| Known {
            able: known.abilities(candidate),
            refused: known.found_refusing(candidate.model()).to_vec(),
        };
        if candidate.offer.provider.is_openrouter() {
            return Known {
                able: candidate.offer.capabilities,
                refused: Vec::new(),
            };
        }
        self.registry.with_rests(learnt)
    }
}

/// The body to send, and what was left out of it.
async fn body_for(asking: Asking<'_>, known: &Known) -> (UpstreamBody, Dropped) {
    let Asking {
        candidate,
        account,
        request,
        ..
    } = asking;
    let make = |request: &ChatRequest, offer: &Offer, account: &Account, known: &Known| {
        let fields = &account.provider.fields;
        request.body_for(offer, known.able, fields, &known.refused)
    };
    let offer = &candidate.offer;
    if request.size() < LARGE || offer.provider.is_openrouter() {
        return make(request, offer, account, known);
    }
    let (account, known) = (Arc::clone(account), known.clone());
    let (own, of) = (request.clone(), Arc::clone(offer));
    let made = tokio::task::spawn_blocking(move || make(&own, &of, &account, &known)).await;
    // Rewriting itself cannot fail; if its task does, the client's own body is better than none.
    made.unwrap_or_else(|_| (request.body_as_it_came(&offer.id), Dropped::default()))
}

/// Adds to a verdict the lesson of a refusal that calls a field unknown. The legacy endpoint says little
/// about the model, and a failure that calls for a rest has another cause: neither teaches this.
pub(super) fn taught(
    failure: Failure,
    heard: &Heard,
    body: &[u8],
    request: &ChatRequest,
) -> Failure {
    let provider = &heard.account.provider;
    let of_the_request = match failure.scope {
        Scope::Request | Scope::Model | Scope::Candidate => failure.rest == Rest::None,
        Scope::Account(_) | Scope::Key | Scope::Provider => false,
    };
    if provider.id.is_openrouter()
        || request.endpoint != Endpoint::Chat
        || failure.lesson.is_some()
        || !of_the_request
    {
        return failure;
    }
    let Some(field) = request.refused_field(heard.status, body, &provider.fields) else {
        return failure;
    };
    match request.lost_without(field) {
        None => Failure {
            lesson: Some(Lesson::Refuses(field)),
            ..failure
        },
        // Only another offer can serve the request.
        Some(capability) => Failure {
            outcome: Outcome::UpstreamError,
            scope: Scope::Model,
            lesson: Some(Lesson::Lacks(capability)),
            ..failure
        },
    }
}
