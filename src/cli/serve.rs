//! `serve`: the real thing.

use std::net::SocketAddr;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::{Exit, say, signals};
use crate::config::{Config, LogLevel, Seen, Sources, reachable};
use crate::proxy::{BuildError, Proxy};
use crate::reload::{Reload, announce};
use crate::server::{self, Face};
use crate::telemetry::Log;
use crate::upstream::Connector;

/// Serves until a signal, then drains. The settings are those of `sources`, whose files contained this when they were
/// read, and follow them.
pub async fn run(sources: (Sources, Seen), config: Config) -> Exit {
    let listener = match bind((config.host, config.port).into(), "PORT").await {
        Ok(listener) => listener,
        Err(ending) => return ending,
    };
    on(listener, config, Some(sources), || ()).await
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

/// Serves on an existing listener; `greet` once nothing can keep it from that. The settings follow `sources`, if there
/// are any.
pub(super) async fn on(
    listener: TcpListener,
    mut config: Config,
    sources: Option<(Sources, Seen)>,
    greet: impl FnOnce(),
) -> Exit {
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
        Err(error @ (BuildError::Trace { .. } | BuildError::State { .. })) => {
            say::problem(error);
            return Exit::Settings;
        }
        Err(error) => {
            say::problem(error);
            return Exit::Fault;
        }
    };
    let mut beside = JoinSet::new();
    let watched = sources.map(|sources| (sources, Arc::new(Notify::new())));
    let reload = watched.as_ref().map(|(_, told)| Arc::clone(told));
    let stop = match signals::stop(log.clone(), reload, &mut beside) {
        Ok(stop) => stop,
        Err(error) => {
            say::problem(format_args!("cannot listen for signals: {error}"));
            return Exit::Fault;
        }
    };
    log_panics(log.clone());
    greet();
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
    announce(&log, &config, None);
    beside.spawn(proxy.refresh.run());
    if let Some(keeper) = &proxy.keeper {
        beside.spawn(Arc::clone(keeper).run(stop.clone()));
    }
    if let Some((sources, told)) = watched {
        let reload = Reload::new(sources, config.clone(), proxy.reloader, most);
        beside.spawn(reload.run(told));
    }
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
    if let Some(keeper) = &proxy.keeper {
        keeper.write().await;
    }
    if let Some(trace) = proxy.trace {
        trace.finish();
    }
    log.emit(LogLevel::Info, "stopped", &json!({"drained": drained}));
    writer.finish();
    Exit::Fine
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
