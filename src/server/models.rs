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

/// `GET /v1/models/{id}`; an alias is answered with its target.
pub(super) fn one(
    app: &App,
    id: &str,
    dialect: Dialect,
) -> Result<Response<ReplyBody>, ProxyError> {
    let snapshot = snapshot(app)?;
    let created = created(&snapshot);
    // An alias may mean whatever a request may name; here an id is spelt as in the list.
    let found = match app.aliases.target(id) {
        Some(Target::Auto) => None,
        Some(Target::Model(name)) => snapshot.offer(name.as_str()),
        None => {
            let mut named = snapshot.named(id).map(|candidate| &candidate.offer);
            named.find(|offer| offer.public_id.as_str() == id)
        }
    };
    let is_auto = id == "auto" || app.aliases.target(id) == Some(&Target::Auto);
    let auto = || is_auto.then(|| auto(&snapshot, created));
    found
        .map(|offer| describe(offer, created))
        .or_else(auto)
        .map(|model| reply::json(StatusCode::OK, &dialect.entry(model)))
        .ok_or(ProxyError::ModelNotFound)
}

/// The current list.
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

/// The entry that leaves the choice to the proxy; agents shorten a conversation by its window.
fn auto(snapshot: &Snapshot, created: u64) -> Value {
    json!({
        "id": "auto",
        "object": "model",
        "created": created,
        "owned_by": owner_of_auto(snapshot),
        "name": "The best free model right now",
        "context_length": window_of_auto(snapshot.offers().iter().map(|offer| &**offer)),
    })
}

/// The provider if there is only one, else the proxy itself.
fn owner_of_auto(snapshot: &Snapshot) -> &str {
    let mut providers = snapshot.accounts().iter().map(|account| &account.provider);
    match providers.next() {
        Some(first) if providers.all(|other| other == first) => first.as_str(),
        _ => env!("CARGO_PKG_NAME"),
    }
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
        "canonical": offer.canonical.as_str(),
        "name": offer.name,
        "context_length": offer.context_length,
        "supported_parameters": able.collect::<Vec<_>>(),
    })
}
