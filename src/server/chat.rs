//! `POST /v1/chat/completions` (spec §4, §5).

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use hyper::body::Incoming;

use super::aloud::Aloud;
use super::body;
use super::ending::{Walk, Walked, ends};
use super::error::ProxyError;
use super::phases::Phases;
use super::reply::{self, ReplyBody};
use super::{App, MODEL_HEADER};
use crate::attempt::Opened;
use crate::config::ModelField;
use crate::model::Model;
use crate::request::{ChatRequest, Wish};
use crate::telemetry::{Ending, RequestRecord, Traits};
use crate::upstream::{AnswerHead, Cause, Outcome};

/// A body of this many bytes is read on a thread of its own: at a few hundred MB/s a large one
/// would keep the others of its thread waiting.
const LARGE: usize = 1 << 20;

/// Answers a chat completion request whose key was right.
pub(super) async fn complete(
    app: &Arc<App>,
    incoming: Incoming,
    phases: &Phases,
    request_id: &str,
) -> Response<ReplyBody> {
    let mut record = RequestRecord::new(
        app.log.clone(),
        Arc::clone(&app.metrics),
        Arc::clone(&app.traffic),
        request_id.to_owned(),
        app.registry
            .snapshot()
            .map_or(0, |snapshot| snapshot.models.len()),
    );
    let request = match read(app, incoming, phases, &mut record).await {
        Ok(request) => request,
        Err(error) => {
            // A record that is dropped without an ending says that the client has left.
            if !matches!(error, ProxyError::ClientGone) {
                ends(&mut record, &error, false);
            }
            return error.response();
        }
    };
    let streamed = request.stream;
    let attempts = record.attempt_counter();
    let mut walk: Walk = {
        let (app, phases) = (Arc::clone(app), phases.clone());
        Box::pin(async move {
            let walked = {
                let walk = pin!(app.walker.walk(&request, &mut record));
                phases.unless(Phases::is_cut, walk).await
            };
            let result = match walked {
                Some(walked) => walked.map_err(|refusal| ProxyError::Refused {
                    refusal,
                    key: app.upstream_key.clone(),
                }),
                None => {
                    let cause = Some(Cause::ShuttingDown);
                    record.attempt_ends(Outcome::UpstreamError, None, cause, None);
                    Err(ProxyError::ShuttingDown)
                }
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
                let aloud = Aloud::new(walk, period, Arc::clone(&app.walker));
                let response = stream_response(ReplyBody::flowing(aloud), &AnswerHead::default());
                return with_attempts(response, attempts.load(Ordering::Relaxed));
            }
        },
    };
    answer(app, walked)
}

async fn read(
    app: &App,
    incoming: Incoming,
    phases: &Phases,
    record: &mut RequestRecord,
) -> Result<ChatRequest, ProxyError> {
    let request = read_request(app, incoming, phases).await?;
    record.describe(Traits {
        stream: request.stream,
        had_tools: request.needs.had_tools,
        had_response_format: request.needs.had_response_format,
        had_seed: request.needs.had_seed,
        had_stop: request.needs.had_stop,
        model_ignored: app.model_field == ModelField::Ignore && request.wish != Wish::Auto,
    });
    Ok(request)
}

/// Reads a chat completion request, or says why it is none.
pub(super) async fn read_request(
    app: &App,
    incoming: Incoming,
    phases: &Phases,
) -> Result<ChatRequest, ProxyError> {
    if app.is_draining() {
        phases.body_left_unread();
        return Err(ProxyError::ShuttingDown);
    }
    let bytes = body::read(incoming, &app.limits, phases)
        .await
        .inspect_err(|_| phases.body_left_unread())?;
    let depth = app.limits.max_json_depth;
    let request = if bytes.len() < LARGE {
        ChatRequest::read(bytes, depth)
    } else {
        tokio::task::spawn_blocking(move || ChatRequest::read(bytes, depth))
            .await
            .map_err(|_| ProxyError::Internal)?
    };
    request.map_err(ProxyError::Invalid)
}

fn answer(app: &App, walked: Walked) -> Response<ReplyBody> {
    let Walked { mut record, result } = walked;
    let attempts = record.attempt_count();
    let response = match result {
        Ok(Opened::Plain(plain)) => {
            record.counted(plain.completion_tokens);
            record.attempt_ends(Outcome::Success, None, None, None);
            record.ends(Ending::Answered { status: 200 });
            let mut response = reply::with_room(ReplyBody::full(plain.body));
            reply::head(response.headers_mut(), &plain.head, "application/json");
            name_model(response.headers_mut(), &plain.model);
            response
        }
        Ok(Opened::Stream(stream)) => {
            let (answer_head, model) = (stream.head.clone(), Arc::clone(&stream.model));
            let committed = stream.commit(Arc::clone(&app.walker), record);
            let mut response = stream_response(ReplyBody::flowing(committed), &answer_head);
            name_model(response.headers_mut(), &model);
            response
        }
        Err(error) => {
            ends(&mut record, &error, false);
            error.response()
        }
    };
    with_attempts(response, attempts)
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

fn name_model(headers: &mut HeaderMap, model: &Model) {
    // A ModelId is visible ASCII by its making.
    if let Ok(id) = HeaderValue::from_str(model.id.as_str()) {
        headers.insert(MODEL_HEADER, id);
    }
}
