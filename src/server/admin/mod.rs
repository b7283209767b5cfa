//! What the operator can ask of a running proxy: its state, its events, a dry run, ending a rest
//! (`docs/admin.md`).
//!
//! Nothing here is on a request's path, and nothing of a request's or an answer's content gets
//! here.

mod awake;
mod clear;
mod events;
mod explain;
mod providers_off;
mod still_out;
mod view;

use std::pin::pin;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

use super::App;
use super::error::ProxyError;
use super::phases::Phases;
use super::reply::{self, ReplyBody};
use super::state::State;
use crate::clock::rfc3339;
use crate::config::Client;
use crate::list::Refreshed;
use still_out::{StillOut, still_out};
use view::StateView;

/// The admin routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admin {
    /// `GET /admin/state`
    State,
    /// `GET /admin/events`
    Events,
    /// `POST /admin/explain`
    Explain,
    /// `POST /admin/clear`
    Clear,
}

/// Answers one of them for a client, which is an admin's.
pub(super) async fn answer(
    app: &Arc<App>,
    call: Admin,
    client: &Arc<Client>,
    request: Request<Incoming>,
    phases: &Phases,
) -> Result<Response<ReplyBody>, ProxyError> {
    match call {
        // Draining is a state, too.
        Admin::State => {
            app.leave_body(&request, phases);
            state(app)
        }
        Admin::Events => {
            app.leave_body(&request, phases);
            events::listen(app, app.gate.pass(request.headers()), phases)
        }
        Admin::Explain => {
            let caller = app.walker.caller(client, request.headers());
            let explained = explain::explain(app, (client, caller), request.into(), phases);
            let body = pin!(explained);
            uncut(phases, body).await
        }
        Admin::Clear => {
            let body = pin!(clear::clear(app, request.into(), phases));
            uncut(phases, body).await
        }
    }
}

/// All that is known now.
fn state(app: &App) -> Result<Response<ReplyBody>, ProxyError> {
    let state = State::read(app);
    let next = state.next(app);
    json(&StateView::of(app, &state, &next))
}

async fn uncut(
    phases: &Phases,
    work: impl Future<Output = Result<Response<ReplyBody>, ProxyError>> + Unpin,
) -> Result<Response<ReplyBody>, ProxyError> {
    let done = phases.unless(Phases::is_cut, work).await;
    done.unwrap_or(Err(ProxyError::ShuttingDown))
}

/// The answer to `POST /admin/refresh`, which read the list.
pub(super) fn refreshed(app: &App, read: Refreshed) -> Result<Response<ReplyBody>, ProxyError> {
    let state = State::read(app);
    json(&RefreshedView {
        models: read.models,
        fetched_at: rfc3339(read.fetched_at),
        not_read: read.not_read,
        still_out: still_out(&state),
    })
}

#[derive(Serialize)]
struct RefreshedView<'a> {
    models: usize,
    fetched_at: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_read: Vec<String>,
    still_out: Vec<StillOut<'a>>,
}

/// A 200 that is never cached.
fn json(body: &impl Serialize) -> Result<Response<ReplyBody>, ProxyError> {
    let body = serde_json::to_vec(body).map_err(|_| ProxyError::Internal)?;
    let kind = HeaderValue::from_static("application/json");
    Ok(uncached(reply::text(StatusCode::OK, kind, body)))
}

fn uncached(mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    let never = HeaderValue::from_static("no-cache, no-store");
    response.headers_mut().insert(CACHE_CONTROL, never);
    response
}

/// A 200 with a stream of events.
fn event_stream(body: ReplyBody) -> Response<ReplyBody> {
    let mut response = reply::with_room(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(
        http::HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    uncached(response)
}
