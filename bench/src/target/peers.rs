//! Other gateways, each configured to pass completions on to the upstream and nothing more.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::child::{Child, Watch};
use crate::machine;

/// One of them, and where it is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The command `litellm`.
    LiteLlm(PathBuf),
    /// The directory of the package `@portkey-ai/gateway`.
    Portkey(PathBuf),
}

/// The clients' key. LiteLLM does not start with one that is easily guessed.
const KEY: &str = "sk-bench-6b1d7c0e9f2a4835b7e0c4d9a1f36872";

impl Peer {
    /// Where completions go.
    pub(super) fn path(&self) -> &'static str {
        "/v1/chat/completions"
    }

    /// The headers that requests to it need.
    pub(super) fn headers(&self, upstream: SocketAddr) -> String {
        let key = format!("Authorization: Bearer {KEY}\r\n");
        match self {
            Self::LiteLlm(_) => key,
            Self::Portkey(_) => format!(
                "{key}x-portkey-provider: openai\r\n\
                 x-portkey-custom-host: http://{upstream}/api/v1\r\n"
            ),
        }
    }

    /// Starts it in this directory.
    pub(super) fn start(
        &self,
        directory: &Path,
        core: usize,
        address: SocketAddr,
        upstream: SocketAddr,
    ) -> Result<Child> {
        let (log, port) = (directory.join("log"), address.port().to_string());
        match self {
            Self::LiteLlm(command) => {
                let settings = directory.join("config.yaml");
                fs::write(&settings, litellm_settings(upstream))
                    .with_context(|| format!("{} cannot be written", settings.display()))?;
                Child::start(command, Watch::Kernel, core, &log, |command| {
                    command
                        .current_dir(directory)
                        // No price list from the network.
                        .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
                        .args(["--host", "127.0.0.1", "--port", &port])
                        .args(["--num_workers", "1", "--telemetry", "False"])
                        .arg("--config")
                        .arg(&settings);
                })
            }
            Self::Portkey(package) => {
                let node = Path::new("node");
                Child::start(node, Watch::Kernel, core, &log, |command| {
                    command
                        .current_dir(directory)
                        .env("NODE_ENV", "production")
                        .env("TRUSTED_CUSTOM_HOSTS", "127.0.0.1")
                        .arg(package.join("build/start-server.js"))
                        .args(["--headless", &format!("--port={port}")]);
                })
            }
        }
    }

    /// Its name and version.
    pub(crate) fn version(&self) -> Option<String> {
        match self {
            Self::LiteLlm(command) => machine::told(&command.display().to_string(), &["--version"]),
            Self::Portkey(package) => {
                let text = fs::read_to_string(package.join("package.json")).ok()?;
                let read: serde_json::Value = serde_json::from_str(&text).ok()?;
                Some(format!("Portkey gateway {}", read["version"].as_str()?))
            }
        }
    }
}

fn litellm_settings(upstream: SocketAddr) -> String {
    format!(
        "model_list:
  - model_name: auto
    litellm_params:
      model: openai/bench
      api_base: http://{upstream}/api/v1
      api_key: sk-bench
litellm_settings:
  num_retries: 0
  request_timeout: 300
general_settings:
  master_key: {KEY}
"
    )
}
