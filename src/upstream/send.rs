//! One request on one connection, and its result.

use std::time::Duration;

use http::{Request, Response};
use tokio::time::{Instant, timeout};

use super::connection::Connection;
use super::kept::Kept;
use super::lease::{AnswerBody, Lease};
use super::unreachable::{ConnectError, chain};
use super::wire::Past;
use crate::request::UpstreamBody;

/// A connection that dies without a word this soon after a request was sent had been dead before:
/// the other side has not seen the request. Later it may have worked on it.
const UNSEEN: Duration = Duration::from_secs(1);

/// An answer whose head has arrived.
#[derive(Debug)]
pub struct Answered {
    /// Its body is still on its way.
    pub response: Response<AnswerBody>,
    /// When the request was sent, on an open connection.
    pub asked_at: Instant,
}

/// Why there is no answer at all.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No answer's head in time.
    #[error("no answer in time")]
    Late,
    /// The connection broke before the answer's head arrived.
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl SendError {
    /// From what a connection says.
    pub(super) fn broken(error: &hyper::Error) -> Self {
        Self::Broken(
            chain(error)
                .last()
                .map(ToString::to_string)
                .unwrap_or_default(),
        )
    }
}

/// A request that was not answered.
pub(super) struct Unanswered {
    pub(super) error: SendError,
    /// Nothing of it was sent, or the server did not look at it.
    pub(super) unsent: bool,
    /// The connection had served before and died at once, without a word: nothing has failed.
    pub(super) stale: bool,
}

impl Unanswered {
    /// Whether the other side cannot have seen it, although there was a connection.
    pub(super) fn may_be_sent_again(&self) -> bool {
        let is_connected = !matches!(self.error, SendError::Connect(_));
        is_connected && (self.unsent || self.stale)
    }
}

/// A request that has just been sent.
struct Sent {
    at: Instant,
    /// What had been received until then, on a connection that had served before.
    heard: Option<u64>,
}

impl Sent {
    fn now(past: &Past) -> Self {
        Self {
            at: Instant::now(),
            heard: past.served().then(|| past.heard()),
        }
    }

    /// Whether the connection, which is dead, already was before.
    fn is_stale(&self, past: &Past) -> bool {
        self.heard == Some(past.heard()) && self.at.elapsed() < UNSEEN
    }
}

/// Sends what `make` builds, given whether it goes over HTTP/2; the head of the answer may take
/// `limit`. At the end of its answer an HTTP/1.1 connection returns to `kept`.
pub(super) async fn send(
    connection: Connection,
    make: &impl Fn(bool) -> Request<UpstreamBody>,
    kept: &Kept,
    limit: Duration,
) -> Result<Answered, Unanswered> {
    timeout(limit, send_at_leisure(connection, make, kept))
        .await
        .unwrap_or(Err(Unanswered {
            error: SendError::Late,
            unsent: false,
            stale: false,
        }))
}

async fn send_at_leisure(
    connection: Connection,
    make: &impl Fn(bool) -> Request<UpstreamBody>,
    kept: &Kept,
) -> Result<Answered, Unanswered> {
    match connection {
        Connection::Http1(mut http1) => {
            let sent = Sent::now(&http1.past);
            match http1.send(make(false)).await {
                Ok(response) => {
                    http1.past.has_served();
                    let lease = Lease::Http1(http1, kept.clone());
                    Ok(Answered {
                        response: response.map(|body| AnswerBody::new(body, lease)),
                        asked_at: sent.at,
                    })
                }
                Err(error) => Err(Unanswered {
                    unsent: error.message().is_some(),
                    stale: sent.is_stale(&http1.past),
                    error: SendError::broken(error.error()),
                }),
            }
        }
        Connection::Http2(mut http2) => {
            let sent = Sent::now(&http2.past);
            match http2.sender.try_send_request(make(true)).await {
                Ok(response) => {
                    http2.past.has_served();
                    let lease = Lease::Stream(http2.streams);
                    Ok(Answered {
                        response: response.map(|body| AnswerBody::new(body, lease)),
                        asked_at: sent.at,
                    })
                }
                Err(error) => Err(Unanswered {
                    unsent: error.message().is_some() || is_refused(error.error()),
                    stale: is_dead(error.error()) && sent.is_stale(&http2.past),
                    error: SendError::broken(error.error()),
                }),
            }
        }
    }
}

/// Whether the whole connection broke.
fn is_dead(error: &hyper::Error) -> bool {
    let mut chain = std::iter::successors(std::error::Error::source(error), |e| e.source());
    chain.any(|e| e.is::<std::io::Error>() || e.downcast_ref().is_some_and(h2::Error::is_io))
}

/// Whether the server says that it has not processed the request, which may then be sent again (RFC
/// 9113 §8.7). A GOAWAY is an error only of the streams above the one it names.
fn is_refused(error: &hyper::Error) -> bool {
    let h2 = std::error::Error::source(error).and_then(|e| e.downcast_ref::<h2::Error>());
    h2.is_some_and(|error| {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (refused || error.is_go_away())
    })
}

#[cfg(test)]
mod tests;
