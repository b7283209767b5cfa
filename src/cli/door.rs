//! The proxy that an agent is to be pointed at, as seen from here: whether it is known, whether it
//! is listening, how to reach it past a web proxy, and how much context its models have.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Uri};

use super::running::Running;
use crate::agents::elsewhere;
use crate::config::{ConfigError, Door, foreign_variable};

/// A running proxy answers at once, and an agent is waiting to start.
const PATIENCE: Duration = Duration::from_millis(500);

/// Why the proxy is not known, and how to fix that.
pub(super) fn unknown(error: &ConfigError) -> String {
    format!(
        "{error}\nThe address and the key are those of the proxy's own settings: run this where \
         its .env is, with its environment, or name its file with --env-file"
    )
}

/// Whether anything is listening there.
pub(super) fn is_open(door: &Door) -> bool {
    const LIMIT: Duration = Duration::from_secs(1);
    let Ok(url) = door.base.parse::<http::Uri>() else {
        return false;
    };
    let port = url.port_u16().unwrap_or(match url.scheme_str() {
        Some("https") => 443,
        _ => 80,
    });
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let addresses = (host, port).to_socket_addrs().into_iter().flatten();
    addresses
        .into_iter()
        .any(|address| TcpStream::connect_timeout(&address, LIMIT).is_ok())
}

/// Whether an agent in this environment may get there through a web proxy, although nothing is seen from here.
pub(super) fn may_be_behind_a_web_proxy(door: &Door) -> bool {
    // Agents are told to reach the others directly.
    door.base.starts_with("https:") && elsewhere::has_web_proxy(&foreign_variable)
}

/// The hosts that an agent in this environment must reach without a web proxy.
pub(super) fn direct(door: &Door) -> Option<String> {
    elsewhere::direct(&door.base, &foreign_variable)
}

/// The same door with the context window of the models behind it, if the proxy says.
pub(super) fn with_window(door: Door) -> Door {
    let told = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()
        .and_then(|runtime| runtime.block_on(ask(&door)));
    match told {
        Some(window) => Door { window, ..door },
        None => door,
    }
}

async fn ask(door: &Door) -> Option<u64> {
    let base: Uri = door.base.parse().ok()?;
    // Behind TLS the window is left to the agent to find out.
    if base.scheme_str() != Some("http") {
        return None;
    }
    let host = base.host()?.trim_matches(['[', ']']);
    let mut addresses = (host, base.port_u16().unwrap_or(80))
        .to_socket_addrs()
        .ok()?;
    let running = Running::at(addresses.next()?, door.key.clone()).within(PATIENCE);
    let path = format!("{}/v1/models/auto", base.path().trim_end_matches('/'));
    let auto = running.ask(Method::GET, &path, Bytes::new()).await.ok()?;
    auto["context_length"].as_u64()
}
