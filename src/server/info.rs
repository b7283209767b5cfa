//! What the proxy says about itself: what it is, health, readiness, metrics (spec §3).

use http::header::{ACCEPT, LOCATION, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::App;
use super::reply::{self, ReplyBody};
use super::state::State;
use crate::clock::rfc3339;
use crate::condition::Tone;

/// `GET /`, `/v1`, `/api/v1`: agents probe the base URL. A browser at `/` is shown the page.
pub(super) fn about(path: &str, headers: &HeaderMap) -> Response<ReplyBody> {
    if path != "/" {
        return told_about();
    }
    let mut response = if wants_a_page(headers) {
        let mut response = Response::new(ReplyBody::full(""));
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        // Relative, because a proxy in front of this one may have put a prefix to the path.
        let there = HeaderValue::from_static("ui");
        response.headers_mut().insert(LOCATION, there);
        response
    } else {
        told_about()
    };
    let by_accept = HeaderValue::from_static("accept");
    response.headers_mut().append(VARY, by_accept);
    response
}

/// Whether HTML is asked for explicitly: every API client sends `*/*`.
fn wants_a_page(headers: &HeaderMap) -> bool {
    let ranges = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    ranges
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/html"))
}

fn told_about() -> Response<ReplyBody> {
    reply::json(
        StatusCode::OK,
        &json!({
            "name": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "description": env!("CARGO_PKG_DESCRIPTION"),
        }),
    )
}

/// `GET /health`.
pub(super) fn health() -> Response<ReplyBody> {
    reply::json(StatusCode::OK, &json!({"status": "ok"}))
}

/// `GET /ready`: whether a request could be served now.
pub(super) fn ready(app: &App) -> Response<ReplyBody> {
    let state = State::read(app);
    let condition = state.condition(app);
    let shown = condition.shown(&app.names, state.now);
    let ready = condition.is_ready();
    let mut body = json!({"status": if ready { "ready" } else { "not_ready" }});
    if let Some(list) = &state.list {
        body["models"] = list.listed().into();
        body["available"] = list.available().into();
        body["fetched_at"] = rfc3339(list.snapshot.fetched_at).into();
        body["source"] = list.snapshot.source.as_str().into();
    }
    if let Some(account) = state.account()
        && let (Some(limit), Some(until)) = (account.limit, account.until)
    {
        body["account"] = json!({"limit": limit.as_str(), "until": rfc3339(until)});
    }
    if condition.tone() != Tone::Good {
        body["code"] = shown.code.into();
        body["reason"] = shown.sentence.into();
        body["next_step"] = shown.next_step.into();
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    reply::json(status, &body)
}

/// `GET /metrics`.
pub(super) fn metrics(app: &App) -> Response<ReplyBody> {
    let classic = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    // Not where anybody may read them (spec §13).
    let with_clients = app.metrics_auth || app.metrics_elsewhere;
    let text = app
        .metrics
        .render(State::read(app).gauges(app), with_clients);
    reply::text(StatusCode::OK, classic, text)
}
