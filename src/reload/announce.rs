//! What the log says about settings that come into force: at the start, and with each change what is new.

use serde_json::json;

use crate::config::{Account, Config, LogLevel};
use crate::redact::Secret;
use crate::telemetry::Log;

/// Logs the warnings, the accounts and a key that is too short; with settings before them only what those had not.
pub fn announce(log: &Log, config: &Config, before: Option<&Config>) {
    let warned = |warning: &String| before.is_some_and(|before| before.warnings.contains(warning));
    for warning in config.warnings.iter().filter(|warning| !warned(warning)) {
        let warning = json!({"warning": warning});
        log.emit(LogLevel::Warning, "settings_warning", &warning);
    }
    let known = |account: &&Account| {
        let mut accounts = before.iter().flat_map(|before| &before.accounts);
        accounts.any(|other| other.id == account.id)
    };
    for account in config.accounts.iter().filter(|account| !known(account)) {
        log.emit(LogLevel::Info, "account_found", &account_found(account));
    }
    let short = config.short_key();
    if let Some(length) = short.filter(|_| before.and_then(Config::short_key) != short) {
        log.emit(
            LogLevel::Warning,
            "short_key",
            &json!({"setting": "PROXY_API_KEY", "characters": length}),
        );
    }
}

/// Whose account it is, where its key was found and what to know about it (spec §10.8); `further_keys` are
/// those that `CONFIG_FILE` gives the same label.
fn account_found(account: &Account) -> serde_json::Value {
    let of_key = |under: &Account| {
        let variable = under.variable.as_ref();
        json!({
            "variable": variable.map(|variable| &variable.name),
            "place": variable.map(|variable| &variable.place),
            "key_shape": under.key.as_ref().map(|_| if under.odd_shape { "odd" } else { "fine" }),
            "key_tail": under.key.as_ref().and_then(Secret::tail),
        })
    };
    let mut keys: Vec<_> = account
        .under_each_key()
        .map(|under| of_key(&under))
        .collect();
    let mut found = json!({
        "provider": account.id.provider,
        "label": &*account.id.label,
        "training": account.provider.training.as_str(),
    });
    let further = keys.split_off(1);
    let first = keys
        .into_iter()
        .filter_map(|mut key| key.as_object_mut().map(std::mem::take));
    for (name, value) in first.flatten() {
        found[name] = value;
    }
    if !further.is_empty() {
        found["further_keys"] = further.into();
    }
    found
}
