//! `serve`: the real thing.

use std::net::SocketAddr;

use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Ending, say, signals};
use crate::config::{Config, LogLevel, reachable};
use crate::proxy::Proxy;
use crate::server::{self, Face};
use crate::telemetry::Log;
use crate::upstream::Connector;

/// Serves until a signal, then drains.
pub async fn run(config: Config) -> Ending {
    let listener = match bind((config.host, config.port).into(), "PORT").await {
        Ok(listener) => listener,
        Err(ending) => return ending,
    };
    on(listener, config).await
}

/// Listens, or says why not. `setting` is what to change then.
pub(super) async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, Ending> {
    TcpListener::bind(address).await.map_err(|error| {
        say::problem(format_args!(
            "cannot listen on {address}: {error}. Is it taken? {setting} chooses another."
        ));
        Ending::Fault
    })
}

/// Serves on a listener that is there already.
pub(super) async fn on(listener: TcpListener, config: Config) -> Ending {
    allow_many_sockets();
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
        Err(error) => {
            say::problem(error);
            return Ending::Fault;
        }
    };
    let mut beside = JoinSet::new();
    let stop = match signals::stop(log.clone(), &mut beside) {
        Ok(stop) => stop,
        Err(error) => {
            say::problem(format_args!("cannot listen for signals: {error}"));
            return Ending::Fault;
        }
    };
    log_panics(log.clone());
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
        }),
    );
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
    log.emit(LogLevel::Info, "stopped", &json!({"drained": drained}));
    writer.finish();
    Ending::Fine
}

/// Takes all the descriptors that the system gives: the usual soft limit of 1,024 is a crowd of
/// 500, each with its upstream. Where it may not be raised, fewer are served at once.
fn allow_many_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).ok();
}

async fn until(mut stop: watch::Receiver<bool>) {
    // A sender that is gone stops nothing.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A panic ends as one log line without its message, which may quote what it choked on.
fn log_panics(log: Log) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map(|at| format!("{}:{}", at.file(), at.line()));
        log.emit(LogLevel::Error, "panicked", &json!({"at": place}));
    }));
}
