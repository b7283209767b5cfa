//! A client in `/admin/state`: what it may ask, and what is left of its limits (spec §13). Nothing of its keys.

use serde::Serialize;

use super::account::LimitView;
use crate::clock::Now;
use crate::model::ClientName;
use crate::server::App;

/// A client.
#[derive(Serialize)]
pub(super) struct ClientView<'a> {
    name: &'a ClientName,
    admin: bool,
    /// Patterns; all models if there are none.
    models: &'a [String],
    limits: Vec<LimitView<'a>>,
}

/// All of them, in the order of the settings.
pub(super) fn clients(app: &App, now: Now) -> Vec<ClientView<'_>> {
    let clients = app.gate.clients().iter();
    let view = clients.map(|client| ClientView {
        name: &client.name,
        admin: client.admin,
        models: &client.models,
        limits: {
            let limits = app.registry.allowance(&client.name, now);
            limits.iter().map(LimitView::of_client).collect()
        },
    });
    view.collect()
}
