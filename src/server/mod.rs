//! The HTTP face: connections, routes, keys, limits, errors, drain (spec §3, §6, §8).
//!
//! It depends on everything, and nothing depends on it. What a request needs and which model serves
//! it is decided below.

mod access;
mod accounts;
mod address;
mod admin;
mod asker;
mod body;
mod chat;
mod committed;
mod connection;
mod current;
mod dialect;
mod door;
mod ending;
mod error;
mod gate;
mod guessing;
mod info;
mod keep_alive;
mod models;
mod open;
mod phases;
mod reply;
mod routes;
mod seldom;
mod serve;
mod state;
mod ui;
mod view;

use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use http::header::{HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use ipnet::IpNet;
use serde_json::json;

use current::Reloads;
pub use current::{Current, Told};
pub use serve::{Face, serve, serve_connection};

use crate::attempt::{Refusal, Walker};
use crate::condition::Names;
use crate::config::{Aliases, AllowOrigins, Client, Config, Limits, LogLevel, ModelField};
use crate::list::Refresher;
use crate::registry::Registry;
use crate::state::Noted;
use crate::surface::{Surface, messages};
use crate::telemetry::{Log, Metrics, Traffic};
use crate::upstream::HOP;
use accounts::Accounts;
use asker::Asker;
use body::Sent;
use dialect::Dialect;
use error::ProxyError;
use gate::{Closed, Gate};
use open::Open;
use phases::{Busy, Phases};
use reply::ReplyBody;
use routes::{Route, route};

const MODEL_HEADER: HeaderName = HeaderName::from_static("x-free-llm-proxy-model");
const PROVIDER_HEADER: HeaderName = HeaderName::from_static("x-free-llm-proxy-provider");
const WISH_HEADER: HeaderName = HeaderName::from_static("x-free-llm-proxy-wish");
const ATTEMPTS_HEADER: HeaderName = HeaderName::from_static("x-free-llm-proxy-attempts");
/// What Anthropic's SDKs take a request's id from.
const ANTHROPIC_ID_HEADER: HeaderName = HeaderName::from_static("request-id");
const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Everything a request may need, under the settings that it began with. What outlives these, the next one shares
/// (spec §12.2).
pub struct App {
    registry: Arc<Registry>,
    walker: Arc<Walker>,
    refresher: Refresher,
    log: Log,
    metrics: Arc<Metrics>,
    traffic: Arc<Traffic>,
    gate: Gate,
    /// What people may know of the accounts.
    accounts: Accounts,
    /// What outlives the process.
    kept: Arc<Noted>,
    /// What the outside services are called in texts for people.
    names: Names,
    limits: Limits,
    stream_keepalive: Option<Duration>,
    long_wait: Option<Duration>,
    model_field: ModelField,
    aliases: Aliases,
    cors: AllowOrigins,
    metrics_auth: bool,
    metrics_elsewhere: bool,
    drain_timeout: Duration,
    trusted_proxies: Vec<IpNet>,
    open: Arc<Open>,
    reloads: Reloads,
}

impl App {
    /// Builds the HTTP face from these parts.
    #[must_use]
    pub fn new(
        config: &Config,
        registry: Arc<Registry>,
        walker: Arc<Walker>,
        refresher: Refresher,
        log: Log,
        metrics: Arc<Metrics>,
        traffic: Arc<Traffic>,
    ) -> Self {
        Self {
            registry,
            walker,
            refresher,
            log,
            metrics,
            traffic,
            gate: Gate::new(config.clients.clone()),
            accounts: Accounts::of(config),
            kept: Arc::new(Noted::nowhere()),
            names: Names::of_all(config),
            limits: config.limits.clone(),
            stream_keepalive: config.stream_keepalive,
            long_wait: config.long_wait,
            model_field: config.model_field,
            aliases: config.model_aliases.clone(),
            cors: config.cors_allow_origins.clone(),
            metrics_auth: config.metrics_auth,
            metrics_elsewhere: config.metrics_addr.is_some(),
            drain_timeout: config.drain_timeout,
            trusted_proxies: config.trusted_proxies.clone(),
            open: Arc::new(Open::new(config.limits.max_connections)),
            reloads: Reloads::default(),
        }
    }

    /// The same with what people may know of what outlives the process.
    #[must_use]
    pub fn keeping(self, kept: Arc<Noted>) -> Self {
        Self { kept, ..self }
    }

    /// The same proxy under other settings.
    fn under(&self, config: &Config, walker: Arc<Walker>) -> Self {
        let new = Self::new(
            config,
            Arc::clone(&self.registry),
            walker,
            self.refresher.clone(),
            self.log.clone(),
            Arc::clone(&self.metrics),
            Arc::clone(&self.traffic),
        );
        self.open.allow(config.limits.max_connections);
        Self {
            gate: self.gate.with_clients(config.clients.clone()),
            open: Arc::clone(&self.open),
            kept: Arc::clone(&self.kept),
            reloads: self.reloads.clone(),
            // The listeners stay what they are.
            metrics_elsewhere: self.metrics_elsewhere,
            ..new
        }
    }

    /// The error for a walk that brought no answer.
    fn refused(&self, refusal: Refusal) -> ProxyError {
        let whose = if let Refusal::UpstreamAuth { account, .. } = &refusal {
            self.accounts.get(account).cloned()
        } else {
            None
        };
        ProxyError::Refused { refusal, whose }
    }

    /// Whether the key endpoint refused OpenRouter's key when it was last asked, and no answer has
    /// come since.
    fn key_is_refused(&self) -> bool {
        let Some((Some(_), at)) = self.registry.outside().key else {
            return false;
        };
        // With several accounts it may be another's.
        let last = self.traffic.read(|live| live.last_answer());
        self.accounts.len() > 1 || last.is_none_or(|(_, answered)| answered < at)
    }

    fn is_draining(&self) -> bool {
        self.open.is_draining()
    }

    /// Answers one request, whatever happens, unless its connection is to be closed.
    async fn answer(
        self: Arc<Self>,
        face: Face,
        peer: IpAddr,
        request: Request<Incoming>,
        phases: Phases,
        busy: Busy,
    ) -> Result<Response<ReplyBody>, Closed> {
        let origin = access::origin(request.headers());
        let request_id = request_id();
        let surface = routes::surface(request.uri().path(), request.headers());
        let handled =
            std::panic::AssertUnwindSafe(self.handle(face, peer, request, &phases, &request_id))
                .catch_unwind()
                .await;
        let mut response = match handled {
            Ok(handled) => handled?,
            Err(_) => {
                self.log.emit(
                    LogLevel::Error,
                    "handler_panicked",
                    &json!({"request_id": request_id}),
                );
                ProxyError::Internal.response()
            }
        };
        response = error::in_shape(response, surface, &request_id);
        access::dress(
            response.headers_mut(),
            origin.as_ref(),
            &self.cors,
            &request_id,
        );
        if surface == Surface::Messages
            && let Some(id) = response.headers().get(REQUEST_ID_HEADER).cloned()
        {
            response.headers_mut().insert(ANTHROPIC_ID_HEADER, id);
        }
        Ok(response.map(|body| body.until_end(busy)))
    }

    async fn handle(
        self: &Arc<Self>,
        face: Face,
        peer: IpAddr,
        request: Request<Incoming>,
        phases: &Phases,
        request_id: &str,
    ) -> Result<Response<ReplyBody>, Closed> {
        let coded = request.headers().contains_key(TRANSFER_ENCODING);
        let ambiguous = coded && (phases.is_ambiguous() || !is_chunked(request.headers()));
        phases.head_is_read();
        // RFC 9112 §3.2: HTTP/1.1 wants exactly one Host.
        let hosts = request.headers().get_all(HOST).iter().count();
        let hostless = request.version() == Version::HTTP_11 && hosts != 1;
        if ambiguous || hostless {
            phases.body_left_unread();
            return Ok(ProxyError::Malformed(StatusCode::BAD_REQUEST).response());
        }
        let wanted = match (face, route(request.method(), request.uri().path())) {
            (Face::Metrics, Route::Metrics) => Route::Metrics,
            (Face::Metrics, _) => Route::NotFound,
            (Face::Main, route) if self.metrics_elsewhere && route.is_metrics() => Route::NotFound,
            (Face::Main, route) => route,
        };
        let client = match self.gate.check(request.headers()) {
            _ if wanted.is_open(self.metrics_auth) => None,
            Ok(client) => Some(client),
            Err(error) => {
                self.leave_body(&request, phases);
                let peer = address::address_of(peer, &self.trusted_proxies, request.headers());
                // Boxed: requests are rarely turned away.
                let turned_away =
                    self.gate
                        .turn_away(&error, peer, phases, &self.metrics, &self.log);
                Box::pin(turned_away).await?;
                return Ok(if let Route::Complete(surface) = wanted {
                    self.refuse(Asker::of(surface, request.headers()), &error)
                } else {
                    error.response()
                });
            }
        };
        if client.is_some_and(|client| !client.admin) && routes::is_for_admins(request.uri().path())
        {
            self.leave_body(&request, phases);
            return Ok(ProxyError::AdminsOnly.response());
        }
        if request.headers().contains_key(HOP) && !wanted.is_open(true) {
            self.leave_body(&request, phases);
            return Ok(if let Route::Complete(surface) = wanted {
                self.refuse(Asker::of(surface, request.headers()), &ProxyError::Loop)
            } else {
                ProxyError::Loop.response()
            });
        }
        if let (Route::Complete(surface), Some(client)) = (&wanted, client) {
            let (surface, client) = (*surface, Arc::clone(client));
            let asker = Asker::of(surface, request.headers());
            let caller = self.walker.caller(&client, request.headers());
            let sent = Sent::from(request);
            // Boxed, as is the walk within it: a connection holds the space for an answer's future
            // as long as it is open.
            let completed = chat::complete(
                self,
                surface,
                asker,
                (client, caller),
                sent,
                phases,
                request_id,
            );
            return Ok(Box::pin(completed).await);
        }
        if wanted == Route::CountTokens {
            return Ok(self.count_tokens(request.into(), phases).await);
        }
        if let (Route::Admin(call), Some(client)) = (&wanted, client) {
            // Boxed: every request moves the space that its future takes.
            let answer = Box::pin(admin::answer(self, *call, client, request, phases)).await;
            return Ok(answer.unwrap_or_else(|error| error.response()));
        }
        self.leave_body(&request, phases);
        let told = phases
            .unless(Phases::is_cut, pin!(self.tell(wanted, client, &request)))
            .await
            .unwrap_or(Err(ProxyError::ShuttingDown));
        Ok(told.unwrap_or_else(|error| error.response()))
    }

    /// The routes that have no use for a body.
    async fn tell(
        &self,
        wanted: Route,
        client: Option<&Arc<Client>>,
        request: &Request<Incoming>,
    ) -> Result<Response<ReplyBody>, ProxyError> {
        match wanted {
            Route::Health => Ok(info::health()),
            Route::Ready => Ok(info::ready(self)),
            Route::Metrics => Ok(info::metrics(self)),
            // Also while draining: the page then says so.
            Route::Ui(name) => Ok(ui::file(name, request.uri().path(), request.headers())),
            _ if self.is_draining() => Err(ProxyError::ShuttingDown),
            Route::Preflight => Ok(access::preflight(request.headers(), &self.cors)),
            Route::About => Ok(info::about(request.uri().path(), request.headers())),
            Route::Models => models::all(self, client, Dialect::of(request.headers())),
            Route::Model(id) => models::one(self, client, &id, Dialect::of(request.headers())),
            Route::Refresh => self.refresh().await,
            Route::MethodNotAllowed { wanted, .. }
                if matches!(*wanted, Route::Complete(_)) && wants_websocket(request.headers()) =>
            {
                Err(ProxyError::NoWebSocket)
            }
            Route::MethodNotAllowed { allow, .. } => Err(ProxyError::MethodNotAllowed { allow }),
            Route::NotFound | Route::Complete(_) | Route::CountTokens | Route::Admin(_) => {
                Err(ProxyError::NotFound)
            }
        }
    }

    /// Anthropic's count of a request's tokens: an estimate.
    async fn count_tokens(&self, sent: Sent, phases: &Phases) -> Response<ReplyBody> {
        let depth = self.limits.max_json_depth;
        let counted = chat::body_of(self, sent, phases).await;
        let counted = match counted {
            // A large one would keep other tasks of its thread waiting.
            Ok(body) if body.len() >= crate::surface::LARGE => {
                let count = move || messages::count_tokens(&body, depth);
                tokio::task::spawn_blocking(count)
                    .await
                    .map_err(|_| ProxyError::Internal)
                    .and_then(|count| count.map_err(ProxyError::Invalid))
            }
            Ok(body) => messages::count_tokens(&body, depth).map_err(ProxyError::Invalid),
            Err(error) => Err(error),
        };
        match counted {
            Ok(count) => {
                let json = HeaderValue::from_static("application/json");
                reply::text(StatusCode::OK, json, count)
            }
            Err(error) => error.response(),
        }
    }

    async fn refresh(&self) -> Result<Response<ReplyBody>, ProxyError> {
        let refreshed = self
            .refresher
            .refresh()
            .await
            .map_err(ProxyError::RefreshFailed)?;
        admin::refreshed(self, refreshed)
    }

    fn leave_body(&self, request: &Request<Incoming>, phases: &Phases) {
        if !request.body().is_end_stream() {
            phases.body_left_unread();
        }
    }
}

/// Whether the body is chunked and nothing else: no other coding is supported here (RFC 9112 §6.1),
/// and hyper treats `gzip, chunked` as `chunked`.
fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let alone = codings
        .next()
        .is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    alone && codings.next().is_none()
}

/// Codex asks for one first, and takes a 426 for a no.
fn wants_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE);
    upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// A new id for a request: random bits of the process, and a counter spread over as many bits, so
/// that no two are the same and creating one takes no system call.
fn request_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| getrandom::u64().unwrap_or_default());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // An odd factor (2^64 / the golden ratio) makes it a permutation.
    let spread = count.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ PROCESS.rotate_left(32);
    let number = (u128::from(*PROCESS) << 64) | u128::from(spread);
    let digit = |at: u32| char::from_digit((number >> (4 * at)) as u32 & 0xf, 16);
    let mut id = String::with_capacity(32);
    id.extend((0..32).rev().filter_map(digit));
    id
}
