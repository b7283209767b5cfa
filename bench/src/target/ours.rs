//! Our proxy, with its defaults: log lines, metrics and everything else on.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::child::{Child, Watch};
use crate::upstream::Certificate;

/// The key that clients present.
const KEY: &str = "bench-key";

pub(super) struct Ours<'a> {
    /// The tool the binary runs under, with its options; usually none.
    pub(super) tool: &'a [String],
    pub(super) binary: &'a Path,
    pub(super) address: SocketAddr,
    /// Where its ranking is.
    pub(super) ranking: String,
    /// Its `ROUTING`.
    pub(super) routing: &'static str,
    /// Where its completions go.
    pub(super) base: String,
    /// The upstream is behind TLS and has this certificate.
    pub(super) trusted: Option<&'a Certificate>,
    /// It writes a trace.
    pub(super) is_traced: bool,
}

impl Ours<'_> {
    /// The headers that requests to it need.
    pub(super) fn headers() -> String {
        format!("Authorization: Bearer {KEY}\r\n")
    }

    /// Starts it in this directory.
    pub(super) fn start(&self, watch: Watch, directory: &Path, core: usize) -> Result<Child> {
        let mut words = self.tool.iter().map(Path::new).chain([self.binary]);
        let program = words.next().unwrap_or(self.binary);
        let log = directory.join("log");
        Child::start(program, watch, core, &log, |command| {
            command
                .args(words)
                .arg("serve")
                .current_dir(directory)
                .env_clear()
                .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
                .env("OPENROUTER_API_KEY", "sk-or-v1-bench")
                .env("PROXY_API_KEY", KEY)
                .env("HOST", self.address.ip().to_string())
                .env("PORT", self.address.port().to_string())
                .env("MODELS_LIST_URL", &self.ranking)
                .env("ROUTING", self.routing)
                .env("UPSTREAM_BASE_URL", &self.base);
            if let Some(certificate) = self.trusted {
                command.env("SSL_CERT_FILE", &certificate.certificate);
            }
            if self.is_traced {
                command.env("TRACE_FILE", directory.join("trace"));
            }
        })
    }
}
