//! Settings: read once, checked together, plain typed values afterwards (spec §6).
//!
//! One table ([`SETTINGS`]) feeds the reader, `--help`, `.env.example` and `docs/configuration.md`.
//! Nothing outside this module reads the environment.

mod accounts;
mod address;
mod aliases;
mod changes;
mod clients;
mod document;
pub(crate) mod dotenv;
mod env_file;
mod error;
mod file;
mod hold;
mod near;
mod read;
mod rows;
mod sources;
mod table;
mod trust;
mod upstream;
mod value;
mod watched;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use ipnet::IpNet;

use crate::learnt::{Order, Parameters};
use crate::model::ModelOrder;
use crate::provider::Provider;
use crate::redact::Secret;

pub use crate::redact::looks_like_key;
pub use accounts::{Account, Off, Standing, Variable, is_odd, meant_provider, next_name, pasted};
pub use address::{is_private_host, reachable};
pub use aliases::{Aliases, Target};
pub use changes::Changes;
pub use clients::{Client, Clients};
#[cfg(test)]
pub(crate) use document::tests::{between, keep};
pub use document::{Reach, env_example, env_file, markdown_table, markdown_tables};
pub use env_file::text_in_folder;
pub use error::ConfigError;
pub use hold::Destinations;
pub use read::listen_address;
pub use sources::{Sources, folder_file_is_ours, foreign_variable, user_file};
pub use table::{Group, Preset, SETTINGS, Setting};
pub use trust::{Source, may_go};
pub(crate) use upstream::is_openrouters;
pub use value::is_placeholder;
pub use watched::Seen;

/// Everything `serve` needs to know. Field by field the meaning is that of spec §6.
#[derive(Clone, Debug)]
pub struct Config {
    /// All accounts that may be asked, in the order of their providers. Never empty.
    pub accounts: Vec<Account>,
    /// The providers that are on, in order of preference (spec §10.3), `local` last; including what
    /// `CONFIG_FILE` and the settings change about them.
    pub providers: Vec<Arc<Provider>>,
    /// `MODEL_ORDER`.
    pub model_order: ModelOrder,
    /// The first key for OpenRouter; empty if OpenRouter is not on.
    pub upstream_key: Secret,
    /// `PROXY_API_KEY`, and the clients of `CONFIG_FILE`: each of their keys gives access. Never empty.
    pub clients: Clients,
    /// `MODELS_LIST_URL`.
    pub models_list_url: Uri,
    /// `MODELS_REFRESH_SEC`.
    pub models_refresh: Duration,
    /// OpenRouter's address, without a trailing slash.
    pub upstream_base_url: Uri,
    /// `WORKER_THREADS`; `None` is one for each core.
    pub worker_threads: Option<usize>,
    /// `MAX_FALLBACK_ATTEMPTS`: models per request; by default more with more than one account.
    pub max_fallback_attempts: usize,
    /// `REQUEST_BUDGET_SEC`: no attempt starts after this.
    pub request_budget: Duration,
    /// `CONNECT_TIMEOUT_SEC`, never above `upstream_timeout`.
    pub connect_timeout: Duration,
    /// `WAIT_SEC`: within so long of its arrival a request waits for a candidate to wake; `None` never waits.
    pub wait: Option<Duration>,
    /// `UPSTREAM_TIMEOUT_SEC`: until the first useful event.
    pub upstream_timeout: Duration,
    /// `STREAM_IDLE_TIMEOUT_SEC`: silence within a stream.
    pub stream_idle_timeout: Duration,
    /// `PLAIN_TIMEOUT_SEC`: a whole plain answer, if that has a limit of its own.
    pub plain_timeout: Option<Duration>,
    /// `STREAM_KEEPALIVE_SEC`; `None` never waits aloud.
    pub stream_keepalive: Option<Duration>,
    /// `LONG_WAIT_SEC`: longer waits are sent in the form that the client shows; `None` is never.
    pub long_wait: Option<Duration>,
    /// `ROUTING`.
    pub routing: Order,
    /// `RANK_WORTH_SEC` and `LEARN_...`.
    pub learning: Parameters,
    /// `RATE_LIMIT_COOLDOWN_SEC`.
    pub rate_limit_cooldown: Duration,
    /// `GENERIC_ERROR_COOLDOWN_SEC`.
    pub generic_error_cooldown: Duration,
    /// `OPENROUTER_REFERER`: the `HTTP-Referer` header.
    pub referer: HeaderValue,
    /// `OPENROUTER_TITLE`: the `X-Title` header.
    pub title: HeaderValue,
    /// `LOG_LEVEL`.
    pub log_level: LogLevel,
    /// `HOST`.
    pub host: IpAddr,
    /// `PORT`; 0 takes a free one.
    pub port: u16,
    /// `MODEL_FIELD`.
    pub model_field: ModelField,
    /// `MODEL_ALIASES`.
    pub model_aliases: Aliases,
    /// `FALLBACK_ROUTER`.
    pub fallback_router: bool,
    /// `ALLOW_PAID`.
    pub allow_paid: bool,
    /// `DRAIN_TIMEOUT_SEC`.
    pub drain_timeout: Duration,
    /// `METRICS_ADDR`: serves `/metrics` there and not on the main port.
    pub metrics_addr: Option<std::net::SocketAddr>,
    /// `METRICS_AUTH`: `/metrics` wants the key.
    pub metrics_auth: bool,
    /// `TRACE_FILE`: a line about each attempt goes there.
    pub trace_file: Option<PathBuf>,
    /// `STATE`: what outlives the process is kept there.
    pub state: State,
    /// `CORS_ALLOW_ORIGINS`.
    pub cors_allow_origins: AllowOrigins,
    /// `FAIR_SHARE`: no client takes more than its share of an account's day from others.
    pub fair_share: bool,
    /// `TRUSTED_PROXIES`: what their `X-Forwarded-For` says of a client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The byte, depth and time limits on input from outside.
    pub limits: Limits,
    /// The proxy through which the upstream and the list are reached.
    pub outbound_proxy: OutboundProxy,
    /// What is worth knowing about these settings without being an error; one sentence each.
    pub warnings: Vec<String>,
}

/// A shorter key can be guessed, given time.
pub const SAFE_KEY: usize = 16;

impl Config {
    /// The length of the shortest key if others than this machine can try it, and it is too short
    /// for that (spec §13).
    #[must_use]
    pub fn short_key(&self) -> Option<usize> {
        let shortest = self.clients.keys().map(Secret::len).min()?;
        let is_open = !self.host.to_canonical().is_loopback();
        (is_open && shortest < SAFE_KEY).then_some(shortest)
    }
}

/// What a client needs: the proxy's address, and a key to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// `http://127.0.0.1:8080`: no slash at its end, and no `/v1`.
    pub base: String,
    /// The first of `PROXY_API_KEY`, or a client's of `CONFIG_FILE`.
    pub key: Secret,
    /// The context window of the models, in tokens: a request and its answer.
    pub window: u64,
}

/// The window that agents get while the proxy cannot be asked for its models'.
pub const USUAL_WINDOW: u64 = 131_072;

/// Limits on size, depth and slowness of input (spec §6).
#[derive(Clone, Debug)]
pub struct Limits {
    /// `MAX_BODY_BYTES`: a request's body.
    pub max_body_bytes: usize,
    /// `MAX_JSON_DEPTH`: nesting of a request's body.
    pub max_json_depth: usize,
    /// `HEADER_TIMEOUT_SEC`: a request's head, from its first byte.
    pub header_timeout: Duration,
    /// `BODY_IDLE_TIMEOUT_SEC`: silence within a request's body.
    pub body_idle_timeout: Duration,
    /// `IDLE_TIMEOUT_SEC`: an idle connection.
    pub idle_timeout: Duration,
    /// `MAX_CONNECTIONS`: of clients, at once.
    pub max_connections: usize,
    /// `MAX_LIST_BYTES`: the ranking.
    pub max_list_bytes: usize,
    /// `MAX_CATALOGUE_BYTES`: the upstream's catalogue.
    pub max_catalogue_bytes: usize,
    /// `MAX_EVENT_BYTES`: one event of a stream.
    pub max_event_bytes: usize,
    /// `MAX_ANSWER_BYTES`: a plain answer, after unpacking.
    pub max_answer_bytes: usize,
    /// `MAX_HELD_BYTES`: what is held back before the commit.
    pub max_held_bytes: usize,
}

/// `STATE`: where what outlives the process is kept (spec §12.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nowhere.
    #[default]
    Memory,
    /// In this file.
    File(PathBuf),
}

impl State {
    /// The same with `~/` as this folder.
    fn below(self, home: Option<PathBuf>) -> Self {
        match (&self, home) {
            (Self::File(path), Some(home)) => match path.strip_prefix("~") {
                Ok(rest) => Self::File(home.join(rest)),
                Err(_) => self,
            },
            (Self::Memory, _) | (Self::File(_), None) => self,
        }
    }
}

/// What happens to a request's own `model` (spec §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelField {
    /// The proxy chooses.
    Ignore,
    /// The named model first, if it is in the snapshot.
    Prefer,
    /// The named model alone.
    Pin,
}

/// Which pages may call us from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowOrigins {
    /// Any (`*`).
    Any,
    /// These, letter by letter.
    Listed(Vec<HeaderValue>),
}

/// `LOG_LEVEL`, least important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every attempt.
    Debug,
    /// Every request.
    Info,
    /// What went wrong and was handled, or should be looked at.
    Warning,
    /// What a person must act on.
    Error,
}

/// The usual proxy variables, upper or lower case (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
/// `NO_PROXY`), each checked to be an `http`, `https`, `socks5` or `socks5h` URL.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OutboundProxy {
    /// For `https` targets.
    pub https: Option<String>,
    /// For `http` targets.
    pub http: Option<String>,
    /// For both, if the one above is missing.
    pub all: Option<String>,
    /// The hosts that are reached directly.
    pub no: Option<String>,
}

impl fmt::Debug for OutboundProxy {
    /// Only which are set: a proxy's URL may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboundProxy")
            .field("https", &self.https.is_some())
            .field("http", &self.http.is_some())
            .field("all", &self.all.is_some())
            .field("no", &self.no)
            .finish()
    }
}
