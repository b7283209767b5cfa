//! The hop to a provider: how a request gets there, and what its answer means.
//!
//! Nothing here knows of other models, of rests that stand, or of the client: `attempt` does.
//! `classify`, `answer`, `retry_after` and `passed` are pure.

mod answer;
mod classify;
mod client;
mod connect;
mod error_body;
mod passed;
mod retry_after;
mod verdict;
mod wire;

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;

pub use answer::{Said, UpstreamError, read as read_answer, without_heartbeat};
pub use classify::Rules;
pub use client::{HttpClient, ReadError, SendError, read_body};
pub use connect::Connector;
pub use passed::without_key;
pub use verdict::{
    AccountLimit, AnswerHead, Cause, Failure, FreeRequests, Lesson, Outcome, PassedAnswer, Rest,
    Scope,
};

use crate::config::{Config, Secret};
use crate::request::UpstreamBody;

/// What we call ourselves on the wire.
pub const AGENT: &str = concat!("free-llm-proxy/", env!("CARGO_PKG_VERSION"));

/// One provider: its address, our key there, and the way to it.
#[derive(Clone)]
pub struct Upstream {
    client: HttpClient,
    base: String,
    chat: Uri,
    /// The headers of every call with the key; no header of the client's goes up (spec §9.7).
    headers: HeaderMap,
}

/// The upstream's address or key does not make a request.
#[derive(Debug, thiserror::Error)]
#[error("the upstream's address or key cannot stand in a request: {0}")]
pub struct InvalidUpstream(#[from] http::Error);

impl Upstream {
    /// The upstream that the settings name.
    ///
    /// # Errors
    /// When address or key cannot stand in a request.
    pub fn new(config: &Config, client: HttpClient) -> Result<Self, InvalidUpstream> {
        let base = config
            .upstream_base_url
            .to_string()
            .trim_end_matches('/')
            .to_owned();
        let chat = Uri::try_from(format!("{base}/chat/completions")).map_err(http::Error::from)?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer(&config.upstream_key)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ATTRIBUTION, config.referer.clone());
        headers.insert(HeaderName::from_static("x-title"), config.title.clone());
        Ok(Self {
            client,
            base,
            chat,
            headers,
        })
    }

    /// Sends one chat completion request.
    ///
    /// # Errors
    /// When no answer's head arrives.
    pub async fn chat(
        &self,
        body: UpstreamBody,
        stream: bool,
    ) -> Result<Response<Incoming>, SendError> {
        let accept = if stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        let make = || {
            let mut request = Request::new(body.clone());
            *request.method_mut() = Method::POST;
            *request.uri_mut() = self.chat.clone();
            *request.headers_mut() = self.headers.clone();
            request
                .headers_mut()
                .insert(ACCEPT, HeaderValue::from_static(accept));
            request
        };
        self.client.send(make).await
    }

    /// The address of one of its other routes, such as `key` or `models`.
    #[must_use]
    pub fn route(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }
}

/// OpenRouter's spelling of the attribution header is the standard's `Referer` with a prefix
/// (`docs/upstream.md` §1).
const ATTRIBUTION: HeaderName = HeaderName::from_static("http-referer");

/// `Bearer <key>`, marked so that nothing prints it.
///
/// # Errors
/// When the key has a character that no header may hold.
pub fn bearer(key: &Secret) -> Result<HeaderValue, http::Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose()))?;
    value.set_sensitive(true);
    Ok(value)
}

impl HttpClient {
    /// A GET with our own name and nothing of anybody's, unless a key is given.
    ///
    /// # Errors
    /// When the address makes no request, or no answer's head arrives.
    pub async fn get(
        &self,
        address: &str,
        key: Option<&Secret>,
    ) -> Result<Response<Incoming>, SendError> {
        let unfit = |e: http::Error| SendError::Connect(e.to_string());
        let mut request = Request::get(address)
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "gzip")
            .header(USER_AGENT, AGENT);
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, bearer(key).map_err(unfit)?);
        }
        let request = request.body(UpstreamBody::default()).map_err(unfit)?;
        self.send(|| request.clone()).await
    }
}
