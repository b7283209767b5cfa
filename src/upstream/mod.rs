//! The hop to a provider: how a request gets there.
//!
//! Nothing here knows of other models, of active rests, or of the client: `attempt` does.
//! `provider` and `answer` interpret the answer.

mod client;
mod connect;
mod connection;
mod dial;
mod driver;
mod kept;
mod lease;
mod pool;
mod send;
mod unreachable;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};

pub use client::{HttpClient, Origin, ReadError, read_body};
pub use connect::Connector;
pub use lease::AnswerBody;
pub use send::{Answered, SendError};
pub use unreachable::{ConnectError, Unreachable};

use crate::provider::Auth;
use crate::redact::Secret;
use crate::request::{Endpoint, UpstreamBody};

/// What we call ourselves on the wire.
pub const AGENT: &str = concat!("free-llm-proxy/", env!("CARGO_PKG_VERSION"));

/// Marks a request to an address that may be a proxy like this one (spec §10.1).
pub const HOP: HeaderName = HeaderName::from_static("x-free-llm-proxy-hop");

/// The header of that name.
#[must_use]
pub fn mark() -> (HeaderName, HeaderValue) {
    (HOP, HeaderValue::from_static("1"))
}

/// Where an account is asked, and what every request to it carries. Plain data.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The address to which `/chat/completions` is appended.
    pub base: Uri,
    /// The header with the key, if there is one; it is marked so that it is never printed.
    pub auth: Option<(HeaderName, HeaderValue)>,
    /// The other headers of a request for a completion: attribution, for OpenRouter; the mark of a
    /// hop, for what may be a proxy like this one.
    pub headers: HeaderMap,
}

/// One account's way to its provider.
#[derive(Clone)]
pub struct Upstream {
    origin: Origin,
    base: String,
    auth: Option<(HeaderName, HeaderValue)>,
    /// Every request that goes this way is marked as a hop.
    marked: bool,
    chat: Route,
    completions: Route,
}

/// What all requests to one address have in common.
#[derive(Clone)]
struct Route {
    /// For HTTP/2.
    absolute: Uri,
    /// For HTTP/1.1, where the host is in a header.
    path: Uri,
    /// Our own: no header of the client's is passed on (spec §3.1).
    headers: HeaderMap,
}

impl Route {
    fn new(address: &str, mut headers: HeaderMap) -> Result<Self, http::Error> {
        let absolute = Uri::try_from(address)?;
        let path = absolute.path_and_query().map_or("/", |path| path.as_str());
        let authority = absolute.authority().map_or("", |host| host.as_str());
        // RFC 9110 §4.2.4: what comes before an `@` is not part of the host.
        let host = authority.rsplit('@').next().unwrap_or_default();
        headers.insert(HOST, HeaderValue::from_str(host)?);
        Ok(Self {
            path: Uri::try_from(path)?,
            headers,
            absolute,
        })
    }

    fn request(&self, method: Method, body: UpstreamBody, http2: bool) -> Request<UpstreamBody> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.headers_mut() = self.headers.clone();
        let uri = if http2 {
            request.headers_mut().remove(HOST);
            &self.absolute
        } else {
            &self.path
        };
        *request.uri_mut() = uri.clone();
        request
    }
}

/// The upstream's address or key does not make a valid request.
#[derive(Debug, thiserror::Error)]
#[error("the upstream's address or key cannot be used in a request: {0}")]
pub struct InvalidUpstream(#[from] http::Error);

impl Upstream {
    /// The way that `hop` describes.
    ///
    /// # Errors
    /// When its address cannot be used in a request.
    pub fn new(hop: Hop, client: &HttpClient) -> Result<Self, InvalidUpstream> {
        let base = hop.base.to_string().trim_end_matches('/').to_owned();
        let mut headers = hop.headers;
        let marked = headers.contains_key(HOP);
        headers.extend(hop.auth.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let chat = Route::new(&format!("{base}/chat/completions"), headers.clone())?;
        let completions = Route::new(&format!("{base}/completions"), headers)?;
        Ok(Self {
            origin: client.origin(&chat.absolute),
            base,
            auth: hop.auth,
            marked,
            chat,
            completions,
        })
    }

    /// The address to which paths are appended.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends one request for a completion, and says when it goes out; the head of the answer may take `limit` from the moment
    /// there is a connection.
    ///
    /// # Errors
    /// When no answer's head arrives.
    pub async fn complete(
        &self,
        endpoint: Endpoint,
        body: UpstreamBody,
        stream: bool,
        limit: Duration,
        sent: impl Fn(),
    ) -> Result<Answered, SendError> {
        let route = match endpoint {
            Endpoint::Chat => &self.chat,
            Endpoint::Completions => &self.completions,
        };
        let make = |http2| {
            sent();
            let mut request = route.request(Method::POST, body.clone(), http2);
            if stream {
                let events = HeaderValue::from_static("text/event-stream");
                request.headers_mut().insert(ACCEPT, events);
            }
            request
        };
        self.origin.send(make, limit).await
    }

    /// Fetches one of its other routes, such as `models`, without a key. The connection is kept for
    /// later completions.
    ///
    /// # Errors
    /// When no answer's head arrives.
    pub async fn get(&self, name: &str) -> Result<Response<AnswerBody>, SendError> {
        self.fetch(name, None).await
    }

    /// Fetches what it says about our key, which goes with the request: here and nowhere else.
    ///
    /// # Errors
    /// When no answer's head arrives.
    pub async fn key(&self) -> Result<Response<AnswerBody>, SendError> {
        self.fetch("key", self.auth.as_ref()).await
    }

    async fn fetch(
        &self,
        name: &str,
        auth: Option<&(HeaderName, HeaderValue)>,
    ) -> Result<Response<AnswerBody>, SendError> {
        let address = format!("{}/{name}", self.base);
        let mark = self.marked.then(mark);
        let headers = auth.cloned().into_iter().chain(mark).collect();
        ask(&address, headers, None, |_| self.origin.clone()).await
    }
}

/// The header with which a key is presented, if it is presented at all; marked so that it is never
/// printed.
///
/// # Errors
/// When the key has a character that is not allowed in a header.
pub fn shown(auth: &Auth, key: &Secret) -> Result<Option<(HeaderName, HeaderValue)>, http::Error> {
    let (name, text) = match auth {
        Auth::None => return Ok(None),
        Auth::Bearer => (AUTHORIZATION, format!("Bearer {}", key.expose())),
        Auth::Header(name) => (HeaderName::try_from(name)?, key.expose().to_owned()),
    };
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

impl HttpClient {
    /// A GET, or a POST if there is JSON to send, with our own user agent and the caller's headers:
    /// how an account presents its key, the mark of a hop.
    ///
    /// # Errors
    /// When the address does not make a valid request, or no answer's head arrives.
    pub async fn ask(
        &self,
        address: &str,
        headers: HeaderMap,
        json: Option<Bytes>,
    ) -> Result<Response<AnswerBody>, SendError> {
        ask(address, headers, json, |absolute| self.origin(absolute)).await
    }
}

fn unfit(error: http::Error) -> ConnectError {
    ConnectError::new(Unreachable::Other, &error)
}

/// The caller limits the total time.
async fn ask(
    address: &str,
    beside: HeaderMap,
    json: Option<Bytes>,
    origin: impl FnOnce(&Uri) -> Origin,
) -> Result<Response<AnswerBody>, SendError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if json.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.extend(beside);
    let method = json.as_ref().map_or(Method::GET, |_| Method::POST);
    let body = json.map(UpstreamBody::from).unwrap_or_default();
    let route = Route::new(address, headers).map_err(unfit)?;
    let make = |http2| route.request(method.clone(), body.clone(), http2);
    let answered = origin(&route.absolute).send(make, Duration::MAX).await?;
    Ok(answered.response)
}
