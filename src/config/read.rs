//! From text to [`Config`]: every setting is read, and every error noted, before it ends.

mod clients;
mod learning;
mod providers;
mod replaying;

use std::net::SocketAddr;
use std::path::Path;

use super::accounts::{self, Account, Resolved, Standing, Variable};
use super::aliases::aliases;
use super::clients::Clients;
use super::table::{self, Group, Preset};
use super::value::{
    Refusal, boolean, count, depth, header, log_level, model_field, period, port, routing, seconds,
    seconds_or_zero, state,
};
use super::{Config, ConfigError, Door, Limits, OutboundProxy, USUAL_WINDOW, address, error};
use crate::model::ModelOrder;
use crate::provider::file::ConfigFile;
use crate::redact::Secret;
pub(super) use replaying::replaying;

/// What is read besides the settings of the table.
pub(super) struct Beside<'a> {
    /// The variables that may hold keys.
    pub layers: &'a [accounts::Layer],
    /// Reads a file that holds a key.
    pub read: &'a dyn Fn(&Path) -> Result<String, String>,
    /// `CONFIG_FILE`.
    pub file: &'a ConfigFile,
    /// Where that file is.
    pub file_is: &'a Variable,
}

/// The result of reading everything.
pub(super) struct Read {
    pub config: Result<Config, ConfigError>,
    pub standings: Vec<Standing>,
    /// Where the accounts' keys were found.
    pub found: Vec<Variable>,
    /// The keys that an account id goes with: where both were found.
    pub with_id: Vec<(Variable, Variable)>,
    /// What is wrong with the providers' settings only.
    pub problems: Vec<String>,
}

/// Every setting and every account.
pub(super) fn config(lookup: impl Fn(&str) -> Option<String>, beside: &Beside<'_>) -> Read {
    let mut reader = SettingsReader {
        lookup,
        problems: Vec::new(),
    };
    let Resolved {
        standings,
        accounts,
        with_id,
        problems,
        nobody,
        warnings,
    } = reader.accounts(beside);
    // People begin with the keys, so errors in other settings of providers come after them.
    let others = std::mem::take(&mut reader.problems);
    let problems = [problems, others].concat();
    reader.problems = nobody.into_iter().chain(problems.clone()).collect();
    let keyed = accounts
        .iter()
        .filter_map(|account| account.variable.clone());
    let spares = accounts.iter().flat_map(|account| &account.spares);
    let keyed = keyed.chain(spares.map(|spare| spare.variable.clone()));
    let clients = reader.clients(beside);
    let found = keyed.chain(clients.variables).collect();
    let warnings = [warnings, clients.warnings].concat();
    let config = reader.config(accounts, clients.clients, &standings, warnings);
    Read {
        config: reader.end(config),
        standings,
        found,
        with_id,
        problems,
    }
}

/// `HOST` and `PORT` only: all that a probe from within a container needs to know.
///
/// # Errors
///
/// What is wrong with the two.
pub fn listen_address(lookup: impl Fn(&str) -> Option<String>) -> Result<SocketAddr, ConfigError> {
    let mut reader = SettingsReader {
        lookup,
        problems: Vec::new(),
    };
    let listener = reader.listener();
    reader.end(listener)
}

/// The outbound proxy only.
pub(super) fn outbound_proxy(
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<OutboundProxy, ConfigError> {
    let mut reader = SettingsReader {
        lookup,
        problems: Vec::new(),
    };
    let proxy = reader.outbound_proxy();
    reader.end(Some(proxy))
}

/// Where the proxy listens, and the first key to it.
pub(super) fn running(
    lookup: impl Fn(&str) -> Option<String>,
    beside: &Beside<'_>,
) -> Result<(SocketAddr, Secret), ConfigError> {
    let mut reader = SettingsReader {
        lookup,
        problems: Vec::new(),
    };
    let key = reader.door_key(beside);
    let listener = reader.listener();
    reader.end(listener.zip(key))
}

/// Where clients find the proxy, and the first key to it; `url` is its address if it is reached by
/// another way than directly.
pub(super) fn door(
    lookup: impl Fn(&str) -> Option<String>,
    beside: &Beside<'_>,
    url: Option<&str>,
) -> Result<Door, ConfigError> {
    let mut reader = SettingsReader {
        lookup,
        problems: Vec::new(),
    };
    let key = reader.door_key(beside);
    let base = match url {
        Some(url) => reader.base_of(url),
        None => reader.own_base(),
    };
    let door = base.zip(key).map(|(base, key)| Door {
        base,
        key,
        window: USUAL_WINDOW,
    });
    reader.end(door)
}

/// How many attempts a request has if there is more than one account (spec §10.3).
const ATTEMPTS_OF_SEVERAL: usize = 10;

struct SettingsReader<F> {
    lookup: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> SettingsReader<F> {
    /// Two steps, so that one error does not hide the next: everything is read, then assembled.
    fn config(
        &mut self,
        accounts: Vec<Account>,
        clients: Option<Clients>,
        standings: &[Standing],
        warnings: Vec<String>,
    ) -> Option<Config> {
        let host = self.get("HOST", address::host);
        let port = self.get("PORT", port);
        let cors_allow_origins = self.get("CORS_ALLOW_ORIGINS", address::origins);
        let drain_timeout = self.get("DRAIN_TIMEOUT_SEC", seconds);
        let models_list_url = self.get("MODELS_LIST_URL", address::url);
        let models_refresh = self.get("MODELS_REFRESH_SEC", seconds);
        let model_field = self.get("MODEL_FIELD", model_field);
        let model_aliases = self.get("MODEL_ALIASES", aliases);
        let fallback_router = self.get("FALLBACK_ROUTER", boolean);
        let model_order = match self.given("MODEL_ORDER").as_deref() {
            None | Some("") => Some(ModelOrder::default()),
            Some(_) => self.get("MODEL_ORDER", ModelOrder::read),
        };
        let max_fallback_attempts = self.attempts(accounts.len());
        let referer = self.get("OPENROUTER_REFERER", header);
        let title = self.get("OPENROUTER_TITLE", header);
        let request_budget = self.get("REQUEST_BUDGET_SEC", seconds);
        let wait = self.get("WAIT_SEC", period);
        let connect_timeout = self.get("CONNECT_TIMEOUT_SEC", seconds);
        let upstream_timeout = self.get("UPSTREAM_TIMEOUT_SEC", seconds);
        let stream_idle_timeout = self.get("STREAM_IDLE_TIMEOUT_SEC", seconds);
        let plain_timeout = self.get("PLAIN_TIMEOUT_SEC", seconds);
        let stream_keepalive = self.get("STREAM_KEEPALIVE_SEC", period);
        let long_wait = self.get("LONG_WAIT_SEC", period);
        let routing = self.get("ROUTING", routing);
        let learning = self.learning();
        let rate_limit_cooldown = self.get("RATE_LIMIT_COOLDOWN_SEC", seconds_or_zero);
        let generic_error_cooldown = self.get("GENERIC_ERROR_COOLDOWN_SEC", seconds_or_zero);
        let log_level = self.get("LOG_LEVEL", log_level);
        let worker_threads = self.get("WORKER_THREADS", count);
        let metrics_addr = self.get("METRICS_ADDR", address::listener);
        let metrics_auth = self.get("METRICS_AUTH", boolean);
        let fair_share = self.get("FAIR_SHARE", boolean);
        let trusted_proxies = self.get("TRUSTED_PROXIES", address::networks);
        let trace_file = self.get("TRACE_FILE", |path| Ok(path.into()));
        let state = self.get("STATE", state);
        let limits = self.limits();
        let outbound_proxy = self.outbound_proxy();
        let main = host.zip(port).map(SocketAddr::from);
        self.lead_elsewhere(&accounts, main.into_iter().chain(metrics_addr));
        // An invalid value was noted when the accounts were read.
        let allow_paid = self.given("ALLOW_PAID").map(|text| boolean(&text).ok());
        let on = |standing: &&Standing| standing.off.is_none();
        let openrouter = standings.iter().find(|s| s.provider.id.is_openrouter());
        let openrouter_key = accounts.iter().find(|a| a.id.provider.is_openrouter());
        Some(Config {
            upstream_key: openrouter_key
                .and_then(|account| account.key.clone())
                .unwrap_or_else(|| Secret::new("")),
            clients: clients?,
            models_list_url: models_list_url?,
            models_refresh: models_refresh?,
            upstream_base_url: openrouter?.provider.base_url.parse().ok()?,
            providers: standings
                .iter()
                .filter(on)
                .map(|s| s.provider.clone())
                .collect(),
            accounts,
            model_order: model_order?,
            worker_threads,
            max_fallback_attempts: max_fallback_attempts?,
            request_budget: request_budget?,
            wait: wait?,
            connect_timeout: connect_timeout?.min(upstream_timeout?),
            upstream_timeout: upstream_timeout?,
            stream_idle_timeout: stream_idle_timeout?,
            plain_timeout,
            stream_keepalive: stream_keepalive?,
            long_wait: long_wait?,
            routing: routing?,
            learning: learning?,
            rate_limit_cooldown: rate_limit_cooldown?,
            generic_error_cooldown: generic_error_cooldown?,
            referer: referer?,
            title: title?,
            log_level: log_level?,
            host: host?,
            port: port?,
            model_field: model_field?,
            model_aliases: model_aliases.unwrap_or_default(),
            fallback_router: fallback_router?,
            allow_paid: allow_paid.unwrap_or(Some(false))?,
            drain_timeout: drain_timeout?,
            metrics_addr,
            metrics_auth: metrics_auth?,
            trace_file,
            state: state?,
            fair_share: fair_share?,
            trusted_proxies: trusted_proxies.unwrap_or_default(),
            cors_allow_origins: cors_allow_origins?,
            limits: limits?,
            outbound_proxy,
            warnings,
        })
    }

    /// A URL as given, with or without the path of the API.
    fn base_of(&mut self, url: &str) -> Option<String> {
        match address::base_url(url) {
            Ok(url) => {
                let url = url.to_string();
                let url = url.trim_end_matches('/');
                let url = url.strip_suffix("/v1").unwrap_or(url);
                Some(url.strip_suffix("/api").unwrap_or(url).to_owned())
            }
            Err(refusal) => self.note(format!("--url {}: {refusal}", error::shown(url))),
        }
    }

    fn listener(&mut self) -> Option<SocketAddr> {
        let host = self.get("HOST", address::host);
        let port = self.get("PORT", port);
        host.zip(port).map(SocketAddr::from)
    }

    fn own_base(&mut self) -> Option<String> {
        let listener = self.listener()?;
        match listener.port() {
            0 => self.note(
                "PORT is 0, so the port is unknown: say where the proxy is with --url".to_owned(),
            ),
            _ => Some(format!("http://{}", address::reachable(listener))),
        }
    }

    fn limits(&mut self) -> Option<Limits> {
        let max_body_bytes = self.get("MAX_BODY_BYTES", count);
        let max_json_depth = self.get("MAX_JSON_DEPTH", depth);
        let header_timeout = self.get("HEADER_TIMEOUT_SEC", seconds);
        let body_idle_timeout = self.get("BODY_IDLE_TIMEOUT_SEC", seconds);
        let idle_timeout = self.get("IDLE_TIMEOUT_SEC", seconds);
        let max_connections = self.get("MAX_CONNECTIONS", count);
        let max_list_bytes = self.get("MAX_LIST_BYTES", count);
        let max_catalogue_bytes = self.get("MAX_CATALOGUE_BYTES", count);
        let max_event_bytes = self.get("MAX_EVENT_BYTES", count);
        let max_answer_bytes = self.get("MAX_ANSWER_BYTES", count);
        let max_held_bytes = self.get("MAX_HELD_BYTES", count);
        Some(Limits {
            max_body_bytes: max_body_bytes?,
            max_json_depth: max_json_depth?,
            header_timeout: header_timeout?,
            body_idle_timeout: body_idle_timeout?,
            idle_timeout: idle_timeout?,
            max_connections: max_connections?,
            max_list_bytes: max_list_bytes?,
            max_catalogue_bytes: max_catalogue_bytes?,
            max_event_bytes: max_event_bytes?,
            max_answer_bytes: max_answer_bytes?,
            max_held_bytes: max_held_bytes?,
        })
    }

    fn outbound_proxy(&mut self) -> OutboundProxy {
        OutboundProxy {
            https: self.get("HTTPS_PROXY", address::proxy_url),
            http: self.get("HTTP_PROXY", address::proxy_url),
            all: self.get("ALL_PROXY", address::proxy_url),
            no: self.get("NO_PROXY", |hosts| Ok(hosts.to_owned())),
        }
    }

    /// The setting's value; `None` if there is none, or if a problem was noted.
    fn get<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, Refusal>) -> Option<T> {
        let setting = table::find(name)?;
        let given = self.given(name);
        match (given.as_deref(), setting.preset) {
            (None | Some(""), Preset::None) => None,
            (None, Preset::Text(text)) => parse(text).ok(),
            // An error in the other setting is reported under its own name.
            (None, Preset::Same(other)) => match self.given(other) {
                Some(text) => parse(&text).ok(),
                None => parse(setting.default_text()?).ok(),
            },
            (None, Preset::Required(hint)) => self.note(format!("{name} is required: {hint}")),
            (Some(""), Preset::Required(hint)) => {
                self.note(format!("{name} is empty, but required: {hint}"))
            }
            (
                Some(text),
                Preset::Required(_) | Preset::None | Preset::Text(_) | Preset::Same(_),
            ) => match (parse(text), setting.group == Group::Keys) {
                (Ok(value), _) => Some(value),
                (Err(refusal), true) => self.note(format!("{name} {refusal}")),
                (Err(refusal), false) => {
                    self.note(format!("{name}={}: {refusal}", error::shown(text)))
                }
            },
        }
    }

    fn given(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|text| text.trim().to_owned())
    }

    fn note<T>(&mut self, problem: String) -> Option<T> {
        self.problems.push(problem);
        None
    }

    fn end<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        value
            .filter(|_| self.problems.is_empty())
            .ok_or(ConfigError::new(self.problems))
    }
}

#[cfg(test)]
mod tests;
