//! `serve`: the real thing.

use std::net::SocketAddr;

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Exit, say, signals};
use crate::config::{Account, Config, LogLevel, reachable};
use crate::proxy::{BuildError, Proxy};
use crate::redact::Secret;
use crate::server::{self, Face};
use crate::telemetry::Log;
use crate::upstream::Connector;

/// Serves until a signal, then drains.
pub async fn run(config: Config) -> Exit {
    let listener = match bind((config.host, config.port).into(), "PORT").await {
        Ok(listener) => listener,
        Err(ending) => return ending,
    };
    on(listener, config, || ()).await
}

/// Listens, or says why not. `setting` is what to change in that case.
pub(super) async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, Exit> {
    TcpListener::bind(address).await.map_err(|error| {
        say::problem(format_args!(
            "cannot listen on {address}: {error}. Is it taken? {setting} chooses another."
        ));
        Exit::Fault
    })
}

/// Serves on an existing listener; `greet` once nothing can keep it from that.
pub(super) async fn on(listener: TcpListener, mut config: Config, greet: impl FnOnce()) -> Exit {
    let most = connections_with(allow_many_sockets());
    config.limits.max_connections = config.limits.max_connections.min(most);
    let metrics_listener = match config.metrics_addr {
        None => None,
        Some(address) => match bind(address, "METRICS_ADDR").await {
            Ok(listener) => Some(listener),
            Err(ending) => return ending,
        },
    };
    let (log, writer) = Log::to(std::io::stdout(), config.log_level);
    let connector = Connector::network(&config.outbound_proxy, config.connect_timeout);
    let proxy = match Proxy::build(&config, connector, log.clone()) {
        Ok(proxy) => proxy,
        Err(error @ BuildError::Trace { .. }) => {
            say::problem(error);
            return Exit::Settings;
        }
        Err(error) => {
            say::problem(error);
            return Exit::Fault;
        }
    };
    let mut beside = JoinSet::new();
    let stop = match signals::stop(log.clone(), &mut beside) {
        Ok(stop) => stop,
        Err(error) => {
            say::problem(format_args!("cannot listen for signals: {error}"));
            return Exit::Fault;
        }
    };
    log_panics(log.clone());
    greet();
    for warning in &config.warnings {
        let warning = json!({"warning": warning});
        log.emit(LogLevel::Warning, "settings_warning", &warning);
    }
    let address = listener
        .local_addr()
        .unwrap_or((config.host, config.port).into());
    log.emit(
        LogLevel::Info,
        "serving",
        &json!({
            "address": address.to_string(),
            "page": format!("http://{}/ui", reachable(address)),
            "version": env!("CARGO_PKG_VERSION"),
            "max_connections": config.limits.max_connections,
        }),
    );
    for account in &config.accounts {
        log.emit(LogLevel::Info, "account_found", &account_found(account));
    }
    if let Some(length) = config.short_key() {
        log.emit(
            LogLevel::Warning,
            "short_key",
            &json!({"setting": "PROXY_API_KEY", "characters": length}),
        );
    }
    beside.spawn(proxy.refresh.run());
    let metrics_served = async {
        match metrics_listener {
            Some(listener) => {
                server::serve(
                    listener,
                    proxy.app.clone(),
                    Face::Metrics,
                    until(stop.clone()),
                )
                .await
            }
            None => true,
        }
    };
    let served = server::serve(listener, proxy.app.clone(), Face::Main, until(stop.clone()));
    let (drained, _) = tokio::join!(served, metrics_served);
    if let Some(trace) = proxy.trace {
        trace.finish();
    }
    log.emit(LogLevel::Info, "stopped", &json!({"drained": drained}));
    writer.finish();
    Exit::Fine
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

/// Raises the limit on descriptors as far as the system allows, and returns it: the usual soft
/// limit of 1,024 is enough for 500 clients, each with its upstream.
fn allow_many_sockets() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).ok();
    getrlimit(Resource::Nofile).current
}

/// How many connections this many descriptors are enough for: each may need another to the
/// upstream, and some are shared.
fn connections_with(descriptors: Option<u64>) -> usize {
    const FOR_ALL: u64 = 64;
    let most = descriptors.map(|all| (all.saturating_sub(FOR_ALL) / 2).max(1));
    most.and_then(|most| usize::try_from(most).ok())
        .unwrap_or(usize::MAX)
}

async fn until(mut stop: watch::Receiver<bool>) {
    // A sender that is gone stops nothing.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Logs a panic as one line without its message, which may quote what caused it.
fn log_panics(log: Log) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map(|at| format!("{}:{}", at.file(), at.line()));
        log.emit(LogLevel::Error, "panicked", &json!({"at": place}));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_every_connection_can_have_its_upstream() {
        #[rustfmt::skip]
        let rows = [
            // open files   connections
            (Some(20_064),  10_000),
            (Some(1_024),   480),
            (Some(256),     96),
            (Some(10),      1),
            (None,          usize::MAX),
        ];
        for (descriptors, expected) in rows {
            assert_eq!(connections_with(descriptors), expected, "{descriptors:?}");
        }
    }
}
