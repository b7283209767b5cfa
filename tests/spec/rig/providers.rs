//! A rig with several providers, each with accounts of its own.

use std::sync::Arc;

use free_llm_proxy::config::Config;
use free_llm_proxy::provider::{Provider, built_in};
use simulator::{Account, Script};

use super::{Rig, UPSTREAM_KEY, given, usual};

impl Rig {
    /// Over loopback sockets with these providers on, each with so many accounts, the lists already
    /// read. What the script says of their accounts counts; the others get a key each. `CONFIG_FILE`
    /// among the settings is its text.
    ///
    /// ```ignore
    /// let rig = Rig::with_providers(abc(), &[("openrouter", 1), ("groq", 2)], &[]).await;
    /// ```
    pub async fn with_providers(
        script: Script,
        providers: &[(&str, usize)],
        settings: &[(&str, &str)],
    ) -> Self {
        let script = script_of(script, providers);
        let keyed = script.clone();
        let at = |base: &str| config_of(base, &keyed, providers, settings);
        let rig = Self::cold_at(script, at, |connector| connector).await;
        rig.until_ready().await;
        rig
    }

    /// Puts these providers on, with these settings and the keys that the script gives their accounts.
    pub async fn settle_providers(
        &self,
        script: Script,
        providers: &[(&str, usize)],
        settings: &[(&str, &str)],
    ) {
        let script = script_of(script, providers);
        self.simulator.set_script(script.clone());
        let config = config_of(&self.base, &script, providers, settings);
        self.settle_with(&config).await;
    }

    /// The same over in-memory pipes, for a paused clock.
    pub async fn paused_with_providers(
        script: Script,
        providers: &[(&str, usize)],
        settings: &[(&str, &str)],
    ) -> Self {
        let rig = Self::paused_cold_with_providers(script, providers, settings);
        rig.until_ready().await;
        rig
    }

    /// The same, the lists yet to be read.
    pub fn paused_cold_with_providers(
        script: Script,
        providers: &[(&str, usize)],
        settings: &[(&str, &str)],
    ) -> Self {
        let script = script_of(script, providers);
        let config = config_of("http://simulator.test", &script, providers, settings);
        Self::paused_at(script, &config)
    }
}

/// The label of a provider's account, counted from 1.
fn label(provider: &str, number: usize) -> String {
    match number {
        1 => provider.to_owned(),
        _ => format!("{provider}#{number}"),
    }
}

/// The key that a test gives an account.
pub fn key_of(provider: &str, number: usize) -> String {
    match (provider, number) {
        ("openrouter", 1) => UPSTREAM_KEY.to_owned(),
        _ => format!("{provider}-key-for-tests-number-{number}-K{number:03}"),
    }
}

/// The script with accounts for these providers, where it does not name theirs.
fn script_of(mut script: Script, providers: &[(&str, usize)]) -> Script {
    for (name, count) in providers {
        let row = row_of(name);
        if *name == "openrouter" && *count == 1 {
            continue;
        }
        let own = script.providers.entry((*name).to_owned()).or_default();
        if own.accounts.is_empty() {
            own.accounts = (1..=*count)
                .map(|n| match row.keyless {
                    true => Account::keyless(label(name, n)),
                    false => Account::new(label(name, n), key_of(name, n)).id(format!("id-{n}")),
                })
                .collect();
        }
    }
    script
}

fn row_of(provider: &str) -> Arc<Provider> {
    let row = built_in().iter().find(|row| row.id.as_str() == provider);
    Arc::clone(row.unwrap_or_else(|| panic!("there is no row {provider}")))
}

/// The settings of a test with several providers, each at the simulator's address.
fn config_of(
    base: &str,
    script: &Script,
    providers: &[(&str, usize)],
    settings: &[(&str, &str)],
) -> Config {
    let names: Vec<_> = providers.iter().map(|(name, _)| *name).collect();
    let mut values = vec![("PROVIDERS".to_owned(), names.join(","))];
    let file = given(base, settings, "CONFIG_FILE").unwrap_or_default();
    let mut file: toml_edit::DocumentMut = file.parse().unwrap();
    for name in names {
        let row = row_of(name);
        let at = simulator::addresses(base, name).unwrap().base_url;
        match name {
            "openrouter" => {}
            "local" => values.push(("LOCAL_BASE_URL".to_owned(), at)),
            _ => {
                let rows = file.entry("providers").or_insert(toml_edit::table());
                let row = rows.as_table_like_mut().unwrap().entry(name);
                row.or_insert(toml_edit::table())["base_url"] = toml_edit::value(at);
            }
        }
        let accounts = script.providers.get(name).map(|own| &own.accounts[..]);
        let accounts = accounts.unwrap_or_default();
        let keys: Vec<_> = accounts.iter().filter_map(|a| a.keys.first()).collect();
        if let (Some(variable), false) = (row.key_names.first(), keys.is_empty()) {
            let keys: Vec<_> = keys.into_iter().map(String::as_str).collect();
            values.push((variable.clone(), keys.join(",")));
        }
        if let (Some(variable), Some(account)) = (&row.account_id_name, accounts.first()) {
            values.push((variable.clone(), account.id.clone()));
        }
    }
    let values = |name: &str| {
        let mut values = values.iter();
        values
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    let read = |name: &str| match name {
        "CONFIG_FILE" => None,
        _ => given(base, settings, name)
            .or_else(|| values(name))
            .or_else(|| usual(base, name)),
    };
    Config::read_with_file(read, &file.to_string()).unwrap()
}
