//! Why there is no connection to the upstream (spec §4.2): the fault of the path, not of a model.
//!
//! The words here go to clients, so they contain no host and no address.

/// Why no connection could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unreachable {
    /// The name has no address.
    Dns,
    /// Nothing is listening there.
    Refused,
    /// The connection was reset while it opened.
    Reset,
    /// This machine has no route there.
    NoRoute,
    /// No connection within `CONNECT_TIMEOUT_SEC`.
    Timeout,
    /// The other side's certificate is not trusted.
    TlsCertificate,
    /// Another failure of the TLS handshake.
    Tls,
    /// The user's own proxy cannot be reached, or breaks off.
    Proxy,
    /// It requires other credentials.
    Proxy407,
    /// It answers, but refuses to open a tunnel.
    ProxyRefused,
    /// This machine has no socket left.
    NoSocket,
    /// Anything else.
    Other,
}

impl Unreachable {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Dns,
        Self::Refused,
        Self::Reset,
        Self::NoRoute,
        Self::Timeout,
        Self::TlsCertificate,
        Self::Tls,
        Self::Proxy,
        Self::Proxy407,
        Self::ProxyRefused,
        Self::NoSocket,
        Self::Other,
    ];

    /// As logs and metrics spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::NoRoute => "no_route",
            Self::Timeout => "timeout",
            Self::TlsCertificate => "tls_certificate",
            Self::Tls => "tls",
            Self::Proxy => "proxy",
            Self::Proxy407 => "proxy_407",
            Self::ProxyRefused => "proxy_refused",
            Self::NoSocket => "no_socket",
            Self::Other => "other",
        }
    }

    /// As a client reads it, after "the proxy cannot reach its upstream".
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Dns => "its name has no address (DNS)",
            Self::Refused => "it refuses the connection",
            Self::Reset => "the connection is reset while it opens",
            Self::NoRoute => "there is no route to it",
            Self::Timeout => "it does not connect in time",
            Self::TlsCertificate => "its certificate is not trusted",
            Self::Tls => "the TLS handshake fails",
            Self::Proxy => "the outbound proxy cannot be reached",
            Self::Proxy407 => "the outbound proxy wants other credentials",
            Self::ProxyRefused => "the outbound proxy refuses to connect to it",
            Self::NoSocket => "the proxy's machine has no socket left",
            Self::Other => "the connection cannot be opened",
        }
    }

    /// Whether another try in a moment may succeed (spec §10.4).
    #[must_use]
    pub fn may_pass(self) -> bool {
        self != Self::Timeout && !self.is_settled()
    }

    /// Whether it stays like this until the operator fixes it.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(
            self,
            Self::TlsCertificate | Self::Proxy407 | Self::ProxyRefused
        )
    }
}

/// A failure to connect, for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot connect: {said}")]
pub struct ConnectError {
    /// Why.
    pub why: Unreachable,
    /// What the system, the TLS library or the outbound proxy said about it.
    pub said: String,
}

impl ConnectError {
    /// `why`, in the words of `error`'s innermost cause.
    pub(super) fn new(why: Unreachable, error: &(dyn std::error::Error + 'static)) -> Self {
        let said = chain(error).last().unwrap_or(error).to_string();
        Self { why, said }
    }
}

/// An error and its causes, including those within an `io::Error`, which names as its source only
/// what is below its own content.
pub(super) fn chain<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let content = error
            .downcast_ref::<std::io::Error>()
            .and_then(|e| e.get_ref());
        match content {
            Some(content) => Some(content),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_2_every_cause_is_listed_once_and_spelt_for_a_label() {
        let labels: std::collections::HashSet<_> =
            Unreachable::ALL.iter().map(|why| why.as_str()).collect();
        assert_eq!(labels.len(), Unreachable::ALL.len());
        let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(labels.iter().all(|label| label.chars().all(is_label)));
    }

    #[test]
    fn the_innermost_cause_is_found_within_io_errors() {
        let inner = std::io::Error::other("certificate expired");
        let outer = std::io::Error::other(std::io::Error::other(inner));
        let error = ConnectError::new(Unreachable::Tls, &outer);
        assert_eq!(error.to_string(), "cannot connect: certificate expired");
    }
}
