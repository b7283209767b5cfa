//! The routes that tell something: models, health, readiness, metrics (spec §3).

use http::header::{ACCEPT, LOCATION, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::App;
use super::error::ProxyError;
use super::reply::{self, ReplyBody};
use super::state::State;
use crate::attempt::Refusal;
use crate::clock::rfc3339;
use crate::condition::Tone;
use crate::config::{ModelField, Target};
use crate::model::{Capability, Model, window_of_auto};
use crate::registry::Snapshot;

/// `GET /`, `/v1`, `/api/v1`: agents probe the base URL. A browser at `/` is shown the page.
pub(super) fn about(path: &str, headers: &HeaderMap) -> Response<ReplyBody> {
    if path != "/" {
        return told_about();
    }
    let mut response = if wants_a_page(headers) {
        let mut response = Response::new(ReplyBody::full(""));
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        // Relative, as a proxy before this one may have put a prefix to the path.
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

/// Whether HTML is asked for by name: `*/*` is what every client of an API sends.
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
    let told = condition.told(&app.names, state.now);
    let ready = condition.is_ready();
    let mut body = json!({"status": if ready { "ready" } else { "not_ready" }});
    if let Some(list) = &state.list {
        body["models"] = list.listed().into();
        body["available"] = list.available().into();
        body["fetched_at"] = rfc3339(list.snapshot.fetched_at).into();
        body["source"] = list.snapshot.source.as_str().into();
    }
    if let (Some(limit), Some(rest)) = (state.account.limit, &state.account.rest) {
        body["account"] = json!({"limit": limit.as_str(), "until": rfc3339(rest.until)});
    }
    if condition.tone() != Tone::Good {
        body["code"] = told.code.into();
        body["reason"] = told.sentence.into();
        body["next_step"] = told.next_step.into();
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
    let text = app.metrics.render(State::read(app).gauges(app));
    reply::text(StatusCode::OK, classic, text)
}

/// `GET /v1/models`.
pub(super) fn models(app: &App) -> Result<Response<ReplyBody>, ProxyError> {
    let snapshot = snapshot(app)?;
    let created = created(&snapshot);
    let auto = offers_auto(app).then(|| auto(&snapshot, created));
    let listed = snapshot.models.iter().map(|model| describe(model, created));
    let data: Vec<Value> = auto.into_iter().chain(listed).collect();
    Ok(reply::json(
        StatusCode::OK,
        &json!({"object": "list", "data": data}),
    ))
}

/// `GET /v1/models/{id}`, or by an alias, which is answered with what it stands for.
pub(super) fn model(app: &App, id: &str) -> Result<Response<ReplyBody>, ProxyError> {
    let snapshot = snapshot(app)?;
    let created = created(&snapshot);
    let id = match app.aliases.target(id) {
        Some(Target::Auto) => "auto",
        Some(Target::Model(id)) => id.as_str(),
        None => id,
    };
    let found = match id {
        "auto" => Some(auto(&snapshot, created)),
        id => snapshot.model(id).map(|model| describe(model, created)),
    };
    found
        .map(|model| reply::json(StatusCode::OK, &model))
        .ok_or(ProxyError::ModelNotFound)
}

pub(super) fn snapshot(app: &App) -> Result<std::sync::Arc<Snapshot>, ProxyError> {
    let not_ready = || ProxyError::Refused {
        refusal: Refusal::NotReady,
        key: app.upstream_key.clone(),
    };
    app.registry.snapshot().ok_or_else(not_ready)
}

fn offers_auto(app: &App) -> bool {
    match app.model_field {
        ModelField::Ignore => false,
        ModelField::Prefer | ModelField::Pin => true,
    }
}

fn created(snapshot: &Snapshot) -> u64 {
    snapshot
        .fetched_at
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// What leaves the choice to the proxy; agents shorten a conversation by its window.
fn auto(snapshot: &Snapshot, created: u64) -> Value {
    json!({
        "id": "auto",
        "object": "model",
        "created": created,
        "owned_by": "openrouter",
        "name": "The best free model right now",
        "context_length": window_of_auto(snapshot.models.iter().map(|model| &**model)),
    })
}

fn describe(model: &Model, created: u64) -> Value {
    let able = Capability::ALL
        .into_iter()
        .filter(|c| model.capabilities.has(*c))
        .filter_map(Capability::parameter);
    json!({
        "id": model.id,
        "object": "model",
        "created": created,
        "owned_by": "openrouter",
        "name": model.name,
        "context_length": model.context_length,
        "supported_parameters": able.collect::<Vec<_>>(),
    })
}
