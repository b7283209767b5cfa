//! Asks a running proxy over HTTP, with the address and the key of the settings.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Exit, say};
use crate::config::{Sources, reachable};
use crate::redact::Secret;

/// How long a connection and the head of an answer may take.
const LIMIT: Duration = Duration::from_secs(5);
/// No answer of a proxy is larger.
const MAX_BYTES: usize = 64 << 20;

/// Where it is, and the key to it.
#[derive(Clone, Debug)]
pub(super) struct Running {
    peer: SocketAddr,
    key: Secret,
    limit: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The settings do not say which proxy to ask.
    Settings(String),
    /// There is no answer.
    NoAnswer { peer: SocketAddr, why: String },
    /// It does not accept the key.
    WrongKey { peer: SocketAddr },
    /// It answers with an error.
    Refused {
        peer: SocketAddr,
        status: u16,
        message: String,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(what) => f.write_str(what),
            Self::NoAnswer { peer, why } => write!(
                f,
                "no proxy answers at http://{peer}: {why}. Is it running? HOST and PORT say where"
            ),
            Self::WrongKey { peer } => write!(
                f,
                "the proxy at http://{peer} does not accept the key: PROXY_API_KEY must be one of its own"
            ),
            Self::Refused {
                peer,
                status: 403,
                message: _,
            } => write!(
                f,
                "the proxy at http://{peer} does not show this to the key: its client needs admin = true in CONFIG_FILE"
            ),
            Self::Refused {
                peer,
                status: 404,
                message: _,
            } => write!(
                f,
                "what answers at http://{peer} does not know this question: an older proxy, or something else"
            ),
            Self::Refused {
                peer,
                status,
                message,
            } => write!(f, "the proxy at http://{peer} answers {status}: {message}"),
        }
    }
}

impl Trouble {
    /// Prints it, and ends the command.
    pub(super) fn end(&self) -> Exit {
        say::problem(self);
        match self {
            Self::Settings(_) => Exit::Settings,
            Self::NoAnswer { .. } | Self::WrongKey { .. } | Self::Refused { .. } => Exit::Fault,
        }
    }

    /// Whether it may go away on its own.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Settings(_) | Self::WrongKey { .. } => false,
        }
    }
}

/// An answer that has begun; dropping it closes the connection.
pub(super) struct Answer {
    pub(super) body: Incoming,
    _connection: JoinSet<()>,
}

impl Running {
    /// The proxy that these settings describe.
    pub(super) fn of(sources: &Sources) -> Result<Self, Trouble> {
        let (listener, key) = sources
            .running()
            .map_err(|error| Trouble::Settings(error.to_string()))?;
        let peer = reachable(listener);
        if peer.port() == 0 {
            let what = "PORT is 0, so the port that was chosen is unknown";
            return Err(Trouble::Settings(what.to_owned()));
        }
        Ok(Self::at(peer, key))
    }

    /// The proxy at this address.
    pub(super) fn at(peer: SocketAddr, key: Secret) -> Self {
        Self {
            peer,
            key,
            limit: LIMIT,
        }
    }

    /// The same, with less patience.
    pub(super) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Its answer, parsed as JSON.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Value, Trouble> {
        let answer = self.open(method, path, body).await?;
        let bytes = self.whole(answer.body).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.no_answer("what answers is not a proxy"))
    }

    /// An answer of which only the head has arrived.
    pub(super) async fn open(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, Trouble> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.peer.to_string())
            .header(AUTHORIZATION, format!("Bearer {}", self.key.expose()))
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .body(Full::new(body))
            .map_err(|_| {
                Trouble::Settings("PROXY_API_KEY cannot be sent in a header".to_owned())
            })?;
        let mut connection = JoinSet::new();
        let asked = tokio::time::timeout(self.limit, self.send(request, &mut connection)).await;
        let response = asked
            .unwrap_or_else(|_| Err(format!("no answer in {} s", self.limit.as_secs())))
            .map_err(|why| self.no_answer(why))?;
        let (status, body) = (response.status(), response.into_body());
        if status.is_success() {
            return Ok(Answer {
                body,
                _connection: connection,
            });
        }
        if status == http::StatusCode::UNAUTHORIZED {
            return Err(Trouble::WrongKey { peer: self.peer });
        }
        let told: Value = serde_json::from_slice(&self.whole(body).await?).unwrap_or_default();
        Err(Trouble::Refused {
            peer: self.peer,
            status: status.as_u16(),
            message: say::clean(told["error"]["message"].as_str().unwrap_or_default()),
        })
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
        connection: &mut JoinSet<()>,
    ) -> Result<Response<Incoming>, String> {
        let socket = TcpStream::connect(self.peer).await;
        let socket = TokioIo::new(socket.map_err(|error| error.to_string())?);
        let not_http = |_: hyper::Error| "what answers is not an HTTP server".to_owned();
        let (mut client, running) = http1::handshake(socket).await.map_err(not_http)?;
        connection.spawn(async move { drop(running.await) });
        client.send_request(request).await.map_err(not_http)
    }

    async fn whole(&self, body: Incoming) -> Result<Bytes, Trouble> {
        let read = Limited::new(body, MAX_BYTES).collect();
        match tokio::time::timeout(self.limit, read).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) => Err(self.no_answer(error)),
            Err(_) => Err(self.no_answer("its answer never ends")),
        }
    }

    fn no_answer(&self, why: impl fmt::Display) -> Trouble {
        Trouble::NoAnswer {
            peer: self.peer,
            why: why.to_string(),
        }
    }
}
