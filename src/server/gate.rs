//! Who is let in, by the key (spec §3), and how guessing is slowed down (spec §13).

use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep};

use super::error::ProxyError;
use super::guessing::Guesses;
use super::phases::Phases;
use super::seldom::Seldom;
use crate::config::{Client, Clients, LogLevel};
use crate::telemetry::{Log, Metrics};

/// Anthropic's header for a key.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// How long a guess waits for its answer.
const HELD_FOR: Duration = Duration::from_secs(1);
/// How many wait at once; a further one gets no answer.
const HELD: usize = 64;

/// The clients, and the wrong keys that were tried.
#[derive(Debug)]
pub(super) struct Gate {
    clients: Clients,
    /// Those of the settings in force, whichever this gate is of.
    in_force: watch::Sender<Clients>,
    tried: Arc<Tried>,
}

/// The wrong keys that were tried: new keys forget none of them.
#[derive(Debug)]
struct Tried {
    /// A std lock, held to look up one address.
    guesses: Mutex<(Guesses, Seldom)>,
    held: Semaphore,
}

/// An admin's key that lets in what lasts, for as long as it is one.
pub(super) struct Pass {
    /// Those that hold the key.
    headers: HeaderMap,
    clients: watch::Receiver<Clients>,
}

/// Neither let in nor answered: the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed without an answer")]
pub(super) struct Closed;

impl Gate {
    pub(super) fn new(clients: Clients) -> Self {
        let tried = Tried {
            guesses: Mutex::default(),
            held: Semaphore::new(HELD),
        };
        Self {
            in_force: watch::Sender::new(clients.clone()),
            clients,
            tried: Arc::new(tried),
        }
    }

    /// The same gate for other clients.
    pub(super) fn with_clients(&self, clients: Clients) -> Self {
        Self {
            clients,
            in_force: self.in_force.clone(),
            tried: Arc::clone(&self.tried),
        }
    }

    /// Its clients are those of the settings in force from now on.
    pub(super) fn is_in_force(&self) {
        self.in_force.send_replace(self.clients.clone());
    }

    /// A pass with the key of a request.
    pub(super) fn pass(&self, headers: &HeaderMap) -> Pass {
        let mut own = HeaderMap::new();
        for name in [AUTHORIZATION, API_KEY] {
            for value in headers.get_all(&name) {
                own.append(name.clone(), value.clone());
            }
        }
        let mut clients = self.in_force.subscribe();
        // They may be others by now than when the request was let in.
        clients.mark_changed();
        Pass {
            headers: own,
            clients,
        }
    }

    /// Every client.
    pub(super) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The client whose key a request has.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<&Arc<Client>, ProxyError> {
        client_of(headers, &self.clients)
    }

    /// Counts a request that was not let in, and delays the answer if it is a guess.
    pub(super) async fn turn_away(
        &self,
        error: &ProxyError,
        peer: IpAddr,
        phases: &Phases,
        metrics: &Metrics,
        log: &Log,
    ) -> Result<(), Closed> {
        metrics.unauthorized(error.code());
        // Without a key it is not a guess.
        if !matches!(error, ProxyError::InvalidKey) || !self.is_guess(peer, log) {
            return Ok(());
        }
        let _held = self.tried.held.try_acquire().map_err(|_| Closed)?;
        let late = pin!(sleep(HELD_FOR));
        phases.unless(Phases::is_draining, late).await;
        Ok(())
    }

    fn is_guess(&self, peer: IpAddr, log: &Log) -> bool {
        let now = Instant::now();
        let told = {
            let guesses = self.tried.guesses.lock();
            let mut guesses = guesses.unwrap_or_else(PoisonError::into_inner);
            let (guesses, seldom) = &mut *guesses;
            if !guesses.wrong(peer, now) {
                return false;
            }
            seldom.happened(now)
        };
        if let Some(count) = told {
            let fields = json!({"address": peer.to_canonical().to_string(), "count": count});
            log.emit(LogLevel::Warning, "keys_guessed", &fields);
        }
        true
    }
}

impl Pass {
    /// Returns when its key is no longer an admin's.
    pub(super) async fn ends(&mut self) {
        while self.clients.changed().await.is_ok() {
            let clients = self.clients.borrow_and_update();
            if !client_of(&self.headers, &clients).is_ok_and(|client| client.admin) {
                return;
            }
        }
    }
}

/// The client with the key of a request, which may be in `Authorization: Bearer` or in `x-api-key`: agents configured
/// with one key send another vendor's in the other.
fn client_of<'c>(headers: &HeaderMap, clients: &'c Clients) -> Result<&'c Arc<Client>, ProxyError> {
    let bearer = only(headers, &AUTHORIZATION).map(|value| value.and_then(bearer));
    let other = only(headers, &API_KEY).map(|value| {
        let value = value.map(<[u8]>::trim_ascii);
        value.filter(|token| !token.is_empty())
    });
    let tokens = [bearer, other];
    let mut known = tokens.iter().flatten().flatten();
    match known.find_map(|token| clients.of(token)) {
        Some(client) => Ok(client),
        None if tokens.iter().all(|token| *token == Ok(None)) => Err(ProxyError::MissingKey),
        None => Err(ProxyError::InvalidKey),
    }
}

/// There are two, and choosing one would be a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ambiguous;

/// The only value of a header.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Ambiguous> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::as_bytes);
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Ambiguous),
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}
