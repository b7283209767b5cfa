//! A request for a completion, whatever API it speaks (spec §4, §5).

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::asker::Asker;
use super::body::{self, Sent};
use super::door::{self, Entered, Voice};
use super::ending::{Walk, Walked, ends};
use super::error::ProxyError;
use super::keep_alive::KeepAlive;
use super::phases::Phases;
use super::reply::{self, ReplyBody};
use super::{App, MODEL_HEADER, PROVIDER_HEADER, WISH_HEADER};
use crate::answer::AnswerHead;
use crate::attempt::{Answer, Opened, Who};
use crate::config::{Client, ModelField, Target};
use crate::learnt::{Caller, SessionKey};
use crate::model::{Offer, Wish};
use crate::request::{Asked, ChatRequest};
use crate::select;
use crate::surface::Surface;
use crate::telemetry::{Ending, RequestRecord, Traits};
use crate::verdict::Outcome;

/// Answers a request whose key was accepted.
pub(super) async fn complete(
    app: &Arc<App>,
    surface: Surface,
    asker: Asker,
    (client, caller): (Arc<Client>, Caller),
    sent: Sent,
    phases: &Phases,
    request_id: &str,
) -> Response<ReplyBody> {
    let mut record = RequestRecord::new(
        app.log.clone(),
        Arc::clone(&app.metrics),
        Arc::clone(&app.traffic),
        request_id,
        surface,
        client.name.clone(),
        app.registry
            .snapshot()
            .map_or(0, |snapshot| snapshot.offers().len()),
    );
    let entered = read(app, surface, sent, phases, request_id, &mut record).await;
    let Entered {
        request,
        voice,
        session,
    } = match entered {
        Ok(entered) => entered,
        Err(error) => {
            // A record that is dropped without an ending means that the client has left.
            if !matches!(error, ProxyError::ClientGone) {
                ends(&mut record, &error, false);
            }
            return error.response();
        }
    };
    let admitted = match app
        .registry
        .admit(&client.name, select::ask(&request.needs))
    {
        Ok(admitted) => admitted,
        Err(over) => return fails(app, asker, &mut record, &ProxyError::ClientLimited(over)),
    };
    let session = session_of(app, caller, session.as_deref(), &request);
    let who = Who {
        client,
        session,
        admitted,
    };
    let wish = request.asked.wish();
    let streamed = request.stream;
    let wording = if streamed { None } else { voice.wording() };
    let trail = record.trail();
    let attempts = Arc::clone(&trail);
    let mut walk: Walk = {
        let (app, phases) = (Arc::clone(app), phases.clone());
        Box::pin(async move {
            let walked = {
                let walk = pin!(
                    app.walker
                        .walk(&request, who, wording.as_ref(), &mut record)
                );
                let walked = phases.unless(Phases::is_cut, walk).await;
                if walked.is_none() {
                    // Before the walk is dropped, and its attempt with it.
                    trail.cut();
                }
                walked
            };
            let result = match walked {
                Some(walked) => walked.map_err(|refusal| app.refused(refusal)),
                None => Err(ProxyError::ShuttingDown),
            };
            Walked { record, result }
        })
    };
    let keepalive = app.stream_keepalive.filter(|_| streamed);
    let walked = match keepalive {
        None => walk.await,
        Some(period) => match tokio::time::timeout(period, &mut walk).await {
            Ok(walked) => walked,
            Err(_) => {
                let mut head = HeaderMap::new();
                // Which model answers, and what its provider will not be sent, is not known yet.
                voice.name_dropped(&mut head, None);
                name_wish(&mut head, wish);
                let waiting =
                    KeepAlive::new(walk, period, voice.rendering(), asker, Arc::clone(app));
                let body = ReplyBody::flowing(waiting);
                let mut response = stream_response(body, &AnswerHead::default());
                response.headers_mut().extend(head);
                return with_attempts(response, attempts.count());
            }
        },
    };
    let mut response = answer(app, walked, voice, asker);
    name_wish(response.headers_mut(), wish);
    response
}

async fn read(
    app: &App,
    surface: Surface,
    sent: Sent,
    phases: &Phases,
    request_id: &str,
    record: &mut RequestRecord,
) -> Result<Entered, ProxyError> {
    let entered = enter(app, surface, sent, phases, request_id).await?;
    let request = &entered.request;
    record.describe(Traits {
        stream: request.stream,
        had_tools: request.needs.had_tools,
        had_response_format: request.needs.had_response_format,
        had_seed: request.needs.had_seed,
        had_stop: request.needs.had_stop,
        model_ignored: app.model_field == ModelField::Ignore
            && matches!(request.asked, Asked::Named(_)),
        wish: request.asked.wish(),
    });
    Ok(entered)
}

/// Reads a request, with an alias replaced by its target.
pub(super) async fn enter(
    app: &App,
    surface: Surface,
    sent: Sent,
    phases: &Phases,
    request_id: &str,
) -> Result<Entered, ProxyError> {
    let bytes = body_of(app, sent, phases).await?;
    let mut entered = door::enter(app, surface, bytes, request_id).await?;
    let request = &mut entered.request;
    if let Asked::Named(name) = &request.asked
        && let Some(target) = app.aliases.target(name)
    {
        request.asked = match target {
            Target::Wish(wish) => Asked::Wish(*wish),
            Target::Model(id) => Asked::Named(id.to_string()),
        };
    }
    Ok(entered)
}

/// The session that a request belongs to, which the words of another API may name.
pub(super) fn session_of(
    app: &App,
    caller: Caller,
    named: Option<&str>,
    request: &ChatRequest,
) -> Option<SessionKey> {
    let session = || caller.or_named(named).session(&request.opening);
    app.walker.tells_sessions(request).then(session).flatten()
}

/// The body of a request, unless it is too late to read one.
pub(super) async fn body_of(app: &App, sent: Sent, phases: &Phases) -> Result<Bytes, ProxyError> {
    if app.is_draining() {
        phases.body_left_unread();
        return Err(ProxyError::ShuttingDown);
    }
    body::read(sent, &app.limits, phases).await
}

fn answer(app: &App, walked: Walked, voice: Voice, asker: Asker) -> Response<ReplyBody> {
    let Walked { mut record, result } = walked;
    let attempts = record.attempt_count();
    let mut dropped = HeaderMap::new();
    let by_provider = result.as_ref().ok().map(|answer| answer.opened.dropped());
    voice.name_dropped(&mut dropped, by_provider);
    let mut response = match result {
        Ok(Answer {
            opened: Opened::Plain(plain),
            attempt,
        }) => {
            record.counted(plain.usage);
            if let Some(attempt) = attempt {
                attempt.ends(Outcome::Success, None, None, None);
            }
            record.ends(Ending::Answered { status: 200 });
            let mut response = reply::with_room(ReplyBody::full(plain.body));
            reply::head(response.headers_mut(), &plain.head, "application/json");
            name_model(response.headers_mut(), &plain.candidate.offer);
            response
        }
        Ok(Answer {
            opened: Opened::Stream(stream),
            attempt,
        }) => {
            let (answer_head, candidate) = (stream.head.clone(), Arc::clone(&stream.candidate));
            let walker = Arc::clone(&app.walker);
            let (rendering, keepalive) = (voice.rendering(), app.stream_keepalive);
            let committed = stream.commit(rendering, walker, keepalive, attempt, record);
            let mut response = stream_response(ReplyBody::flowing(committed), &answer_head);
            name_model(response.headers_mut(), &candidate.offer);
            response
        }
        Err(error) => fails(app, asker, &mut record, &error),
    };
    response.headers_mut().extend(dropped);
    with_attempts(response, attempts)
}

fn fails(
    app: &App,
    asker: Asker,
    record: &mut RequestRecord,
    error: &ProxyError,
) -> Response<ReplyBody> {
    let response = app.refuse(asker, error);
    record.sent_as(response.status().as_u16());
    ends(record, error, false);
    response
}

fn with_attempts(mut response: Response<ReplyBody>, attempts: usize) -> Response<ReplyBody> {
    if attempts > 0 {
        let headers = response.headers_mut();
        headers.insert(super::ATTEMPTS_HEADER, HeaderValue::from(attempts));
    }
    response
}

fn stream_response(body: ReplyBody, answer_head: &AnswerHead) -> Response<ReplyBody> {
    let mut response = reply::with_room(body);
    let headers = response.headers_mut();
    reply::head(headers, answer_head, "text/event-stream");
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store"),
    );
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

/// Says by what the model was chosen, where that is not the setting: behind an alias, or a client's own
/// list of names, a person may not see the wish.
fn name_wish(headers: &mut HeaderMap, wish: Wish) {
    if wish != Wish::Auto {
        headers.insert(WISH_HEADER, HeaderValue::from_static(wish.as_str()));
    }
}

fn name_model(headers: &mut HeaderMap, offer: &Offer) {
    // A ModelId is visible ASCII by construction.
    if let Ok(id) = HeaderValue::from_str(offer.public_id.as_str()) {
        headers.insert(MODEL_HEADER, id);
    }
    // So is a provider's id.
    if let Ok(provider) = HeaderValue::from_str(offer.provider.as_str()) {
        headers.insert(PROVIDER_HEADER, provider);
    }
}
