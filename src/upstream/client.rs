//! The HTTP client behind every call to the outside.
//!
//! It follows no redirect, and resends a request only if the other side cannot have seen it. It
//! does not interpret answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Body;

use super::connect::{Connector, Tls};
use super::pool::Pool;
use super::send::{Answered, SendError};
use crate::request::UpstreamBody;

/// Sends requests to the outside.
#[derive(Clone)]
pub struct HttpClient {
    connector: Connector,
    tls: Tls,
    /// By scheme and authority, so that accounts of one provider, its list and its key test share
    /// connections. There are as many as the settings name.
    origins: Arc<Mutex<HashMap<String, Origin>>>,
}

/// Sends requests to one origin, over connections that it keeps open.
#[derive(Clone)]
pub struct Origin {
    pub(super) pool: Pool,
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is larger than allowed, compressed or decompressed.
    #[error("the body is too large")]
    TooLarge,
    /// The connection broke, or the framing is wrong.
    #[error("the body is cut short")]
    Broken,
    /// Its compression was not asked for, or it is damaged.
    #[error("the body cannot be unpacked")]
    Packed,
}

impl HttpClient {
    /// A client that opens its connections through `connector`.
    ///
    /// # Errors
    /// When the TLS library rejects its own defaults.
    pub fn new(connector: Connector) -> Result<Self, rustls::Error> {
        let tls = Tls::new()?;
        Ok(Self::over(connector, tls))
    }

    /// A client that trusts the roots of `tls`.
    #[cfg(test)]
    pub(super) fn trusting(connector: Connector, tls: Tls) -> Self {
        Self::over(connector, tls)
    }

    fn over(connector: Connector, tls: Tls) -> Self {
        Self {
            connector,
            tls,
            origins: Arc::default(),
        }
    }

    /// The origin of an address: the same one each time.
    #[must_use]
    pub fn origin(&self, address: &Uri) -> Origin {
        let scheme = address.scheme_str().unwrap_or_default();
        let authority = address
            .authority()
            .map_or("", |authority| authority.as_str());
        let name = format!("{scheme}://{authority}").to_ascii_lowercase();
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Origin {
            pool: Pool::new(self.connector.clone(), self.tls.clone(), address.clone()),
        };
        origins.entry(name).or_insert_with(new).clone()
    }
}

impl Origin {
    /// Sends the request that `make` builds, given whether it goes over HTTP/2; the answer's body
    /// is still on its way. Its head may take `limit` from the moment there is a connection.
    ///
    /// # Errors
    /// When no answer's head arrives.
    pub async fn send(
        &self,
        make: impl Fn(bool) -> Request<UpstreamBody>,
        limit: Duration,
    ) -> Result<Answered, SendError> {
        match self.pool.send(&make, limit, false).await {
            Ok(answered) => Ok(answered),
            Err(none) if none.may_be_sent_again() => {
                let again = self.pool.send(&make, limit, true).await;
                again.map_err(|none| none.error)
            }
            Err(none) => Err(none.error),
        }
    }
}

/// Reads a body of at most `limit` bytes, and decompresses it, as `headers` say, within the same
/// limit.
///
/// # Errors
/// When it is too large, cut short, or compressed in an unsupported way.
pub async fn read_body(
    headers: &HeaderMap,
    mut body: impl Body<Data = Bytes> + Unpin,
    limit: usize,
) -> Result<Bytes, ReadError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ReadError::TooLarge);
    }
    let mut whole = Vec::new();
    let mut first = Bytes::new();
    // Checking whether it has ended saves waiting for the connection to say so.
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
