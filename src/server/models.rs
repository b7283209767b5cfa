//! The models that a client may name (spec §3).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::App;
use super::dialect::Dialect;
use super::error::ProxyError;
use super::reply::{self, ReplyBody};
use crate::attempt::Refusal;
use crate::config::{Client, Target};
use crate::model::{Candidate, Capability, ModelId, Offer, Wish, window_of_auto};
use crate::registry::Snapshot;

/// `GET /v1/models`.
pub(super) fn all(
    app: &App,
    client: Option<&Arc<Client>>,
    dialect: Dialect,
) -> Result<Response<ReplyBody>, ProxyError> {
    let snapshot = snapshot(app)?;
    let created = created(&snapshot);
    let wishes = Wish::ALL.map(|wish| wished(wish, &snapshot, client, created));
    let gone = gone(app, &snapshot);
    let offers = snapshot
        .offers()
        .iter()
        .filter(|offer| may_ask(client, offer));
    let offers = offers.filter(|offer| !gone.contains(&offer.public_id));
    let listed = offers.map(|offer| describe(offer, created));
    let data = wishes.into_iter().chain(listed);
    let list = dialect.list(data.map(|model| dialect.entry(model)).collect());
    Ok(reply::json(StatusCode::OK, &list))
}

/// `GET /v1/models/{id}`; an alias is answered with its target.
pub(super) fn one(
    app: &App,
    client: Option<&Arc<Client>>,
    id: &str,
    dialect: Dialect,
) -> Result<Response<ReplyBody>, ProxyError> {
    let snapshot = snapshot(app)?;
    let created = created(&snapshot);
    // In the order of spec §10.2. An alias may mean whatever a request may name; here an id is spelt as in
    // the list.
    let target = Wish::named(id).map(Target::Wish);
    let target = target.or_else(|| app.aliases.target(id).cloned());
    let of_offer = |id: &str| {
        let found = snapshot.offer(id)?;
        let is_gone = gone(app, &snapshot).contains(&found.public_id);
        (!is_gone && may_ask(client, found)).then(|| describe(found, created))
    };
    let found = match target {
        Some(Target::Wish(wish)) => Some(wished(wish, &snapshot, client, created)),
        Some(Target::Model(name)) => of_offer(name.as_str()),
        None => of_offer(id),
    };
    found
        .map(|model| reply::json(StatusCode::OK, &dialect.entry(model)))
        .ok_or(ProxyError::ModelNotFound)
}

fn may_ask(client: Option<&Arc<Client>>, offer: &Offer) -> bool {
    client.is_none_or(|client| client.may_ask(offer))
}

/// The offers whose provider said that they are gone, until the next list (spec §10.7).
fn gone(app: &App, snapshot: &Snapshot) -> HashSet<ModelId> {
    app.registry.with_rests_now(|known, now| {
        if known.is_empty() {
            return HashSet::new();
        }
        let is_gone = |candidate: &&Arc<Candidate>| {
            let rest = known.rest_of(candidate.model(), now);
            rest.is_some_and(|rest| rest.until_next_list)
        };
        let gone = snapshot.candidates().iter().filter(is_gone);
        gone.map(|candidate| candidate.offer.public_id.clone())
            .collect()
    })
}

/// The current list.
pub(super) fn snapshot(app: &App) -> Result<Arc<Snapshot>, ProxyError> {
    let not_ready = || app.refused(Refusal::NotReady);
    app.registry.snapshot().ok_or_else(not_ready)
}

fn created(snapshot: &Snapshot) -> u64 {
    snapshot
        .fetched_at
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// An entry that leaves the choice to the proxy; agents shorten a conversation by its window.
fn wished(wish: Wish, snapshot: &Snapshot, client: Option<&Arc<Client>>, created: u64) -> Value {
    let offers = snapshot.offers().iter().map(|offer| &**offer);
    let offers = offers.filter(|offer| may_ask(client, offer));
    json!({
        "id": wish.as_str(),
        "object": "model",
        "created": created,
        "owned_by": owner_of_auto(snapshot),
        "name": match wish {
            Wish::Auto => "The best free model right now",
            Wish::Best => "The best free model, even if it takes a while",
            Wish::Fast => "The fastest good free model right now",
            Wish::Rank => "The first free model of the ranking that is awake",
        },
        "context_length": window_of_auto(offers),
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
