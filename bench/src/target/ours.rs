//! Our proxy, as it comes: log lines, metrics and all else on.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::child::Child;

/// The key that clients present.
pub(super) const KEY: &str = "bench-key";

/// Starts this binary. `ranking` and `base` are addresses of the upstream's.
pub(super) fn start(
    binary: &Path,
    directory: &Path,
    core: usize,
    address: SocketAddr,
    settings: &[(&str, String)],
) -> Result<Child> {
    std::fs::create_dir_all(directory)?;
    Child::start(binary, core, &directory.join("log"), |command| {
        command
            .arg("serve")
            .current_dir(directory)
            .env_clear()
            .env("OPENROUTER_API_KEY", "sk-or-v1-bench")
            .env("PROXY_API_KEY", KEY)
            .env("HOST", address.ip().to_string())
            .env("PORT", address.port().to_string())
            .envs(settings.iter().map(|(name, value)| (name, value)));
    })
}
