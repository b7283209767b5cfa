//! Opens connections: straight, or through the user's own proxy (`HTTPS_PROXY` and friends).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tower_service::Service;

use super::wire::Wire;
use crate::config::OutboundProxy;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections, straight or through a proxy.
#[derive(Clone)]
pub struct Connector {
    way: Way,
    /// How long a connection may take until it is ready for a request, TLS included.
    pub(super) limit: Duration,
}

#[derive(Clone)]
enum Way {
    Network {
        tcp: HttpConnector,
        proxies: Arc<Matcher>,
    },
    Memory(Arc<dyn Fn() -> DuplexStream + Send + Sync>),
}

impl Connector {
    /// Over the network. `limit` bounds the whole way: name look-up, TCP, the proxy's greeting
    /// and TLS.
    #[must_use]
    pub fn network(proxy: &OutboundProxy, limit: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        // A connection that slept with its laptop is dead: bytes that nobody acknowledges end the connection.
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(Duration::from_secs(10)));
        // The matcher's `*` stands for names, not for addresses; curl's for both.
        let none = proxy.no.as_deref().is_some_and(|no| no.trim() == "*");
        let text = |value: &Option<String>| value.clone().filter(|_| !none).unwrap_or_default();
        let proxies = Matcher::builder()
            .https(text(&proxy.https))
            .http(text(&proxy.http))
            .all(text(&proxy.all))
            .no(text(&proxy.no))
            .build();
        Self {
            way: Way::Network {
                tcp,
                proxies: Arc::new(proxies),
            },
            limit,
        }
    }

    /// To a simulator in the same process, for tests under a paused clock.
    #[must_use]
    pub fn memory(dial: impl Fn() -> DuplexStream + Send + Sync + 'static) -> Self {
        Self {
            way: Way::Memory(Arc::new(dial)),
            limit: Duration::from_secs(10),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Wire>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let way = self.way.clone();
        Box::pin(async move { Ok(TokioIo::new(open(way, target).await?)) })
    }
}

/// Another connector (TLS over [`Connector`]), within a time limit.
#[derive(Clone)]
pub(super) struct Limited<C> {
    pub(super) inner: C,
    pub(super) limit: Duration,
}

impl<C> Service<Uri> for Limited<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
    C::Response: Send,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let opened = tokio::time::timeout(self.limit, self.inner.call(target));
        Box::pin(async move { opened.await? })
    }
}

async fn open(way: Way, target: Uri) -> Result<Wire, BoxError> {
    let (mut tcp, proxies) = match way {
        Way::Network { tcp, proxies } => (tcp, proxies),
        Way::Memory(dial) => return Ok(dial().into()),
    };
    let Some(proxy) = proxies.intercept(&target) else {
        return Ok(tcp.call(target).await?.into_inner().into());
    };
    let target = with_port(target)?;
    let at = proxy.uri().clone();
    let socket = match at.scheme_str() {
        Some(scheme @ ("socks5" | "socks5h")) => {
            let mut socks = SocksV5::new(at.clone(), tcp).local_dns(scheme == "socks5");
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            socks.call(target).await?
        }
        Some(_) | None => {
            let mut tunnel = Tunnel::new(at, tcp);
            if let Some(auth) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(auth.clone());
            }
            tunnel.call(target).await?
        }
    };
    Ok(socket.into_inner().into())
}

/// The target with its port spelt out: a tunnel takes 443 for granted, whatever the scheme.
fn with_port(target: Uri) -> Result<Uri, http::Error> {
    let (Some(host), None, Some("http")) = (target.host(), target.port(), target.scheme_str())
    else {
        return Ok(target);
    };
    let authority = format!("{host}:80");
    let path = target.path_and_query().cloned();
    let builder = Uri::builder().scheme("http").authority(authority);
    match path {
        Some(path) => builder.path_and_query(path).build(),
        None => builder.path_and_query("/").build(),
    }
}
