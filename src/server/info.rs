//! The routes that tell something: models, health, readiness, metrics (spec §3).

use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::App;
use super::error::ProxyError;
use super::reply::{self, ReplyBody};
use crate::attempt::Refusal;
use crate::clock::{Now, rfc3339};
use crate::config::ModelField;
use crate::model::{Capability, Model};
use crate::registry::Snapshot;
use crate::telemetry::Gauges;

/// `GET /`, `/v1`, `/api/v1`: agents probe the base URL.
pub(super) fn about() -> Response<ReplyBody> {
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
    let not = |reason: String| json!({"status": "not_ready", "reason": reason});
    let (status, body) = match app.registry.snapshot() {
        _ if app.is_draining() => (
            StatusCode::SERVICE_UNAVAILABLE,
            not("the proxy is shutting down".to_owned()),
        ),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            not("the model list has not been read yet".to_owned()),
        ),
        Some(snapshot) => {
            let (resting, wakes_in) = resting(app, &snapshot);
            let available = snapshot.models.len() - resting;
            let mut body = json!({
                "status": "ready",
                "models": snapshot.models.len(),
                "available": available,
                "fetched_at": rfc3339(snapshot.fetched_at),
                "source": snapshot.source.as_str(),
            });
            if available > 0 {
                (StatusCode::OK, body)
            } else {
                body["status"] = "not_ready".into();
                body["reason"] =
                    format!("every model is resting; the first wakes in {wakes_in} s").into();
                (StatusCode::SERVICE_UNAVAILABLE, body)
            }
        }
    };
    reply::json(status, &body)
}

/// How many models rest, and the seconds until the first of them wakes.
fn resting(app: &App, snapshot: &Snapshot) -> (usize, u64) {
    let now = Now::read();
    app.registry.with_cooldowns(|cooldowns| {
        let wakes = snapshot
            .models
            .iter()
            .filter_map(|model| cooldowns.wake(&model.id, now))
            .map(|wake| wake.left(now));
        let wakes: Vec<_> = wakes.collect();
        (
            wakes.len(),
            wakes.iter().min().map_or(0, |left| left.as_secs() + 1),
        )
    })
}

/// `GET /metrics`.
pub(super) fn metrics(app: &App) -> Response<ReplyBody> {
    let gauges = match app.registry.snapshot() {
        None => Gauges::default(),
        Some(snapshot) => Gauges {
            active_models: snapshot.models.len(),
            cooldown_models: resting(app, &snapshot).0,
            snapshot_age_seconds: Some(
                Now::read()
                    .wall
                    .duration_since(snapshot.fetched_at)
                    .unwrap_or_default()
                    .as_secs_f64(),
            ),
        },
    };
    let classic = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    reply::text(StatusCode::OK, classic, app.metrics.render(gauges))
}

/// `GET /v1/models`.
pub(super) fn models(app: &App) -> Result<Response<ReplyBody>, ProxyError> {
    let snapshot = snapshot(app)?;
    let created = created(&snapshot);
    let auto = offers_auto(app).then(|| auto(created));
    let listed = snapshot.models.iter().map(|model| describe(model, created));
    let data: Vec<Value> = auto.into_iter().chain(listed).collect();
    Ok(reply::json(
        StatusCode::OK,
        &json!({"object": "list", "data": data}),
    ))
}

/// `GET /v1/models/{id}`.
pub(super) fn model(app: &App, id: &str) -> Result<Response<ReplyBody>, ProxyError> {
    let snapshot = snapshot(app)?;
    let created = created(&snapshot);
    let found = match id {
        "auto" => Some(auto(created)),
        id => snapshot.model(id).map(|model| describe(model, created)),
    };
    found
        .map(|model| reply::json(StatusCode::OK, &model))
        .ok_or(ProxyError::ModelNotFound)
}

fn snapshot(app: &App) -> Result<std::sync::Arc<Snapshot>, ProxyError> {
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

fn auto(created: u64) -> Value {
    json!({"id": "auto", "object": "model", "created": created, "owned_by": "openrouter", "name": "The best free model right now"})
}

fn describe(model: &Model, created: u64) -> Value {
    let able = Capability::ALL
        .into_iter()
        .filter(|c| model.capabilities.has(*c))
        .map(Capability::parameter);
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
