//! Every known provider: the built-in rows, with what `CONFIG_FILE` and the settings change about
//! them (spec §10.1). Pure.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::ledger::{Counted, Limit, LimitSource, Per, Unit};
use crate::model::ProviderId;
use crate::provider::file::ConfigFile;
use crate::provider::{Provider, built_in};

/// The settings for the user's own server.
#[derive(Default)]
pub(super) struct Local {
    /// `LOCAL_BASE_URL`.
    pub base_url: Option<Uri>,
    /// `LOCAL_CONCURRENCY`.
    pub at_once: Value<usize>,
    /// `LOCAL_TIMEOUT_SEC`.
    pub timeout: Value<Duration>,
}

/// A setting's value, unless it is invalid.
#[derive(Clone, Copy, Default)]
pub(super) struct Value<T> {
    pub value: Option<T>,
    /// It is not a default: it overrides the file.
    pub is_set: bool,
}

/// All of them in order of preference, `local` last. `openrouter` is `UPSTREAM_BASE_URL`, if that
/// is set.
pub(super) fn all(
    file: &ConfigFile,
    openrouter: Option<&Uri>,
    local: &Local,
) -> Vec<Arc<Provider>> {
    let known = built_in().iter().map(|row| {
        let named = file.get(row.id.as_str());
        named.map_or_else(|| Arc::clone(row), |named| Arc::clone(&named.provider))
    });
    let is_custom = |named: &&crate::provider::file::FileProvider| named.provider.custom;
    let custom = file.providers.iter().filter(is_custom);
    let (last, mut rows): (Vec<_>, Vec<_>) = known
        .chain(custom.map(|named| Arc::clone(&named.provider)))
        .partition(|row| row.id.as_str() == ProviderId::LOCAL);
    for row in &mut rows {
        if let (Some(base), true) = (openrouter, row.id.is_openrouter()) {
            *row = Arc::new(moved(row, base));
        }
    }
    rows.extend(last.iter().map(|row| Arc::new(own(row, local))));
    rows.iter_mut().for_each(keep_connections);
    rows
}

/// The file's `connections`: the maximum number of concurrent requests, whatever accounts they use.
fn keep_connections(row: &mut Arc<Provider>) {
    if let Some(connections) = row.connections {
        Arc::make_mut(row).limits.push(Limit {
            amount: connections as u64,
            unit: Unit::AtOnce,
            per: Per::Moment,
            of: Counted::Address,
            ends: None,
            models: Vec::new(),
            source: LimitSource::Set,
        });
    }
}

/// A setting overrides the file, which overrides the defaults.
fn own(row: &Provider, local: &Local) -> Provider {
    let mut row = match &local.base_url {
        Some(base) => moved(row, base),
        None => row.clone(),
    };
    let is_at_once = |limit: &Limit| limit.unit == Unit::AtOnce;
    let counts = local.at_once.is_set || !row.limits.iter().any(is_at_once);
    if let (Some(at_once), true) = (local.at_once.value, counts) {
        row.limits.retain(|limit| !is_at_once(limit));
        row.limits.push(Limit {
            amount: at_once as u64,
            unit: Unit::AtOnce,
            per: Per::Moment,
            of: Counted::Account,
            ends: None,
            models: Vec::new(),
            source: LimitSource::Set,
        });
    }
    let counts = local.timeout.is_set || row.timeout.is_none();
    if let (Some(timeout), true) = (local.timeout.value, counts) {
        row.timeout = Some(timeout);
    }
    row
}

fn moved(row: &Provider, base: &Uri) -> Provider {
    row.clone().at(&base.to_string())
}
