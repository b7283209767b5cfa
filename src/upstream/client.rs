//! The HTTP client under every call to the outside.
//!
//! It follows no redirect and retries nothing but a connection that had gone stale in the
//! pool. What an answer means is not its business.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use rustix::io::Errno;

use super::connect::{Connector, Limited};
use super::lease::AnswerBody;
use super::pool::Pool;
use crate::request::UpstreamBody;

/// Sends requests to the outside.
#[derive(Clone)]
pub struct HttpClient {
    connector: Limited<HttpsConnector<Connector>>,
}

/// Sends requests to one origin, over connections that it keeps.
#[derive(Clone)]
pub struct Origin {
    pub(super) pool: Pool,
}

/// Why there is no answer at all.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// This machine has no socket left to connect with, which is nobody's failure out there.
    #[error("no socket is left: {0}")]
    NoSocket(String),
    /// The connection broke before the answer's head was there.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is larger than allowed, packed or unpacked.
    #[error("the body is too large")]
    TooLarge,
    /// The connection broke, or the framing is wrong.
    #[error("the body is cut short")]
    Broken,
    /// It is packed in a way that was not asked for, or damaged.
    #[error("the body cannot be unpacked")]
    Packed,
}

impl HttpClient {
    /// A client that opens its connections through `connector`.
    ///
    /// # Errors
    /// When the TLS library refuses its own defaults.
    pub fn new(connector: Connector) -> Result<Self, rustls::Error> {
        let limit = connector.limit;
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls()?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector);
        let connector = Limited {
            inner: https,
            limit,
        };
        Ok(Self { connector })
    }

    /// The origin of an address.
    #[must_use]
    pub fn origin(&self, address: &Uri) -> Origin {
        Origin {
            pool: Pool::new(self.connector.clone(), address.clone()),
        }
    }
}

impl Origin {
    /// Sends the request that `make` makes, which is told whether over HTTP/2; the answer's body
    /// is still on its way.
    ///
    /// # Errors
    /// When no answer's head arrives.
    pub async fn send(
        &self,
        make: impl Fn(bool) -> Request<UpstreamBody>,
    ) -> Result<Response<AnswerBody>, SendError> {
        match self.pool.send(&make, false).await {
            Ok(response) => Ok(response),
            Err(none) if none.stale => {
                let again = self.pool.send(&make, true).await;
                again.map_err(|none| none.error)
            }
            Err(none) => Err(none.error),
        }
    }
}

impl SendError {
    /// From what a connector says.
    pub(super) fn connecting(error: &(dyn std::error::Error + 'static)) -> Self {
        let chain = || std::iter::successors(Some(error), |error| error.source());
        let exhausted = chain().any(|e| e.downcast_ref().is_some_and(is_exhausted));
        let cause = chain().last().unwrap_or(error).to_string();
        if exhausted {
            Self::NoSocket(cause)
        } else {
            Self::Connect(cause)
        }
    }

    /// From what a connection says.
    pub(super) fn broken(error: &hyper::Error) -> Self {
        let error: &(dyn std::error::Error + 'static) = error;
        let chain = std::iter::successors(Some(error), |error| error.source());
        Self::Broken(chain.last().unwrap_or(error).to_string())
    }
}

/// Whether this machine is out of descriptors, ports or memory for one more connection.
fn is_exhausted(error: &std::io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| {
        [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
            Errno::ADDRNOTAVAIL,
        ]
        .contains(&errno)
    })
}

/// Roots inside the binary, so that an empty container image works; the system's as well. They
/// are read once a process.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    static ROOTS: LazyLock<Arc<rustls::RootCertStore>> = LazyLock::new(|| {
        let built_in = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        let mut roots = rustls::RootCertStore::from_iter(built_in);
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(&ROOTS))
        .with_no_client_auth())
}

/// Reads a body of at most `limit` bytes, and unpacks it, as `headers` say, within the same limit.
///
/// # Errors
/// When it is too large, cut short, or packed in a way that cannot be undone.
pub async fn read_body(
    headers: &HeaderMap,
    mut body: AnswerBody,
    limit: usize,
) -> Result<Bytes, ReadError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ReadError::TooLarge);
    }
    let mut whole = Vec::new();
    let mut first = Bytes::new();
    // Asking whether it has ended saves waiting for the connection to say so.
    while !body.is_end_stream()
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame.map_err(|_| ReadError::Broken)?.into_data() else {
            continue;
        };
        if first.len() + whole.len() + data.len() > limit {
            return Err(ReadError::TooLarge);
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&data);
        }
    }
    let packed = if whole.is_empty() {
        first
    } else {
        whole.into()
    };
    unpack(headers, packed, limit)
}

fn unpack(headers: &HeaderMap, packed: Bytes, limit: usize) -> Result<Bytes, ReadError> {
    use std::io::Read as _;
    let encoding = headers
        .get(http::header::CONTENT_ENCODING)
        .map(|v| v.as_bytes().to_ascii_lowercase());
    match encoding.as_deref() {
        None | Some(b"" | b"identity") => Ok(packed),
        Some(b"gzip" | b"x-gzip") => {
            let mut plain = Vec::new();
            let one_more = limit as u64 + 1;
            flate2::read::MultiGzDecoder::new(packed.as_ref())
                .take(one_more)
                .read_to_end(&mut plain)
                .map_err(|_| ReadError::Packed)?;
            if plain.len() > limit {
                Err(ReadError::TooLarge)
            } else {
                Ok(plain.into())
            }
        }
        Some(_) => Err(ReadError::Packed),
    }
}
