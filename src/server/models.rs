//! The models that a client may name (spec §3).

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::App;
use super::dialect::Dialect;
use super::error::ProxyError;
use super::reply::{self, ReplyBody};
use crate::attempt::Refusal;
use crate::config::{ModelField, Target};
use crate::model::{Capability, Offer, window_of_auto};
use crate::registry::Snapshot;

/// `GET /v1/models`.
pub(super) fn all(app: &App, dialect: Dialect) -> Result<Response<ReplyBody>, ProxyError> {
    let snapshot = snapshot(app)?;
    let created = created(&snapshot);
    let auto = offers_auto(app).then(|| auto(&snapshot, created));
    let offers = snapshot.offers().iter();
    let listed = offers.map(|offer| describe(offer, created));
    let data = auto.into_iter().chain(listed);
    let list = dialect.list(data.map(|model| dialect.entry(model)).collect());
    Ok(reply::json(StatusCode::OK, &list))
}

/// `GET /v1/models/{id}`; an alias is answered with what it stands for.
pub(super) fn one(
    app: &App,
    id: &str,
    dialect: Dialect,
) -> Result<Response<ReplyBody>, ProxyError> {
    let snapshot = snapshot(app)?;
    let created = created(&snapshot);
    let id = match app.aliases.target(id) {
        Some(Target::Auto) => "auto",
        Some(Target::Model(id)) => id.as_str(),
        None => id,
    };
    let found = match id {
        "auto" => Some(auto(&snapshot, created)),
        id => snapshot.offer(id).map(|offer| describe(offer, created)),
    };
    found
        .map(|model| reply::json(StatusCode::OK, &dialect.entry(model)))
        .ok_or(ProxyError::ModelNotFound)
}

/// The list of this moment.
pub(super) fn snapshot(app: &App) -> Result<Arc<Snapshot>, ProxyError> {
    let not_ready = || app.refused(Refusal::NotReady);
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
        .duration_since(UNIX_EPOCH)
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
        "context_length": window_of_auto(snapshot.offers().iter().map(|offer| &**offer)),
    })
}

fn describe(offer: &Offer, created: u64) -> Value {
    let able = Capability::ALL
        .into_iter()
        .filter(|c| offer.capabilities.has(*c))
        .filter_map(Capability::parameter);
    json!({
        "id": offer.public_id,
        "object": "model",
        "created": created,
        "owned_by": offer.provider,
        "name": offer.name,
        "context_length": offer.context_length,
        "supported_parameters": able.collect::<Vec<_>>(),
    })
}
