//! How much the models hold, asked of the proxy that an agent is about to use.

use std::net::ToSocketAddrs as _;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Uri};

use super::running::Running;
use crate::config::Door;

/// A proxy that runs answers at once, and an agent is waiting to start.
const PATIENCE: Duration = Duration::from_millis(500);

/// The same door with the window of the models behind it, where the proxy tells.
pub(super) fn asked(door: Door) -> Door {
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
    // One behind TLS is left to tell it in its own time.
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
