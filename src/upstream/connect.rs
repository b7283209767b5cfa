//! Opens connections that are ready for HTTP: directly, or through the user's own proxy
//! (`HTTPS_PROXY` and the like), with TLS if the address requires it.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::dial::{Dialer, Names, bare_host, why};
use super::unreachable::{ConnectError, Unreachable, chain};
use super::wire::Wire;
use crate::config::{OutboundProxy, is_private_host};

/// Opens connections, directly or through a proxy.
#[derive(Clone)]
pub struct Connector {
    way: Way,
    /// How long a connection may take to become ready for a request, TLS included.
    limit: Duration,
}

type Dial = dyn Fn() -> io::Result<DuplexStream> + Send + Sync;

#[derive(Clone)]
enum Way {
    Network {
        dialer: Dialer,
        proxies: Arc<Matcher>,
    },
    Memory(Arc<Dial>),
}

impl Connector {
    /// Over the network. `limit` covers all of it: name look-up, TCP, the proxy's greeting and TLS.
    #[must_use]
    pub fn network(proxy: &OutboundProxy, limit: Duration) -> Self {
        // The matcher's `*` covers names, but not addresses; curl's covers both.
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
                dialer: Dialer {
                    names: Names::System,
                },
                proxies: Arc::new(proxies),
            },
            limit,
        }
    }

    /// The same, with another limit.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The same, for tests: `names` has the addresses of every name.
    #[must_use]
    pub fn with_names(
        mut self,
        names: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        if let Way::Network { dialer, .. } = &mut self.way {
            dialer.names = Names::Given(Arc::new(names));
        }
        self
    }

    /// To a simulator in the same process, for tests under a paused clock.
    #[must_use]
    pub fn memory(dial: impl Fn() -> io::Result<DuplexStream> + Send + Sync + 'static) -> Self {
        Self {
            way: Way::Memory(Arc::new(dial)),
            limit: Duration::from_secs(10),
        }
    }

    /// A connection to the scheme, host and port of `origin`, ready for a request.
    pub(super) async fn open(&self, origin: &Uri, tls: &Tls) -> Result<Wire, ConnectError> {
        let opened = async {
            let secured = origin.scheme_str() == Some("https");
            match (&self.way, secured) {
                (Way::Memory(dial), secured) => {
                    let pipe = dial().map_err(|error| ConnectError::new(why(&error), &error))?;
                    if secured {
                        Ok(tls.over(pipe, origin).await?.into())
                    } else {
                        Ok(pipe.into())
                    }
                }
                (Way::Network { dialer, proxies }, secured) => {
                    // The proxy must not see what is only for this machine's network (spec §10.1).
                    let is_private = origin.host().is_some_and(is_private_host);
                    let socket = match proxies.intercept(origin).filter(|_| !is_private) {
                        None => dialer.dial(origin).await?,
                        Some(proxy) => through(&proxy, dialer.clone(), origin).await?,
                    };
                    if secured {
                        Ok(tls.over(socket, origin).await?.into())
                    } else {
                        Ok(socket.into())
                    }
                }
            }
        };
        tokio::time::timeout(self.limit, opened)
            .await
            .unwrap_or_else(|_| {
                Err(ConnectError {
                    why: Unreachable::Timeout,
                    said: format!("no connection within {} s", self.limit.as_secs_f64()),
                })
            })
    }
}

/// What is accepted as the other side of a TLS connection.
#[derive(Clone)]
pub(super) struct Tls(Arc<rustls::ClientConfig>);

impl Tls {
    /// Roots inside the binary, so that an empty container image works, plus the system's. They are
    /// read once per process.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        static ROOTS: LazyLock<Arc<rustls::RootCertStore>> = LazyLock::new(|| {
            let built_in = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
            let mut roots = rustls::RootCertStore::from_iter(built_in);
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(roots)
        });
        Self::trusting(Arc::clone(&ROOTS))
    }

    pub(super) fn trusting(roots: Arc<rustls::RootCertStore>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    async fn over<S>(&self, socket: S, origin: &Uri) -> Result<TlsStream<S>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(bare_host(origin).to_owned())
            .map_err(|error| ConnectError::new(Unreachable::Tls, &error))?;
        let connector = TlsConnector::from(Arc::clone(&self.0));
        let shaken = connector.connect(name, socket).await;
        shaken.map_err(|error| unshaken(&error))
    }
}

fn unshaken(error: &io::Error) -> ConnectError {
    let of_certificate = |error: &rustls::Error| {
        matches!(
            error,
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented
        )
    };
    let why = match chain(error).find_map(|e| e.downcast_ref::<rustls::Error>()) {
        Some(error) if of_certificate(error) => Unreachable::TlsCertificate,
        Some(_) | None => Unreachable::Tls,
    };
    ConnectError::new(why, error)
}

/// A connection to `target` through a proxy.
async fn through(
    proxy: &Intercept,
    dialer: Dialer,
    target: &Uri,
) -> Result<TcpStream, ConnectError> {
    let target = with_port(target).map_err(|e| ConnectError::new(Unreachable::Other, &e))?;
    let at = proxy.uri().clone();
    let socket = match at.scheme_str() {
        Some(scheme @ ("socks5" | "socks5h")) => {
            let mut socks = SocksV5::new(at.clone(), dialer).local_dns(scheme == "socks5");
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            socks.call(target).await.map_err(|e| in_socks(&e))
        }
        Some(_) | None => {
            let mut tunnel = Tunnel::new(at, dialer);
            if let Some(auth) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(auth.clone());
            }
            tunnel.call(target).await.map_err(|e| in_tunnel(&e))
        }
    };
    Ok(socket?.into_inner())
}

type InSocks = <SocksV5<Dialer> as Service<Uri>>::Error;
type InTunnel = <Tunnel<Dialer> as Service<Uri>>::Error;

fn in_socks(error: &InSocks) -> ConnectError {
    match error {
        InSocks::Inner(dialled) => not_at_the_proxy(dialled),
        InSocks::DnsFailure => ConnectError::new(Unreachable::Dns, error),
        InSocks::Io(broken) => ConnectError::new(Unreachable::Proxy, broken),
        InSocks::MissingHost
        | InSocks::MissingPort
        | InSocks::V4(_)
        | InSocks::V5(_)
        | InSocks::Parsing(_)
        | InSocks::Serialize(_) => ConnectError::new(Unreachable::ProxyRefused, error),
    }
}

fn in_tunnel(error: &InTunnel) -> ConnectError {
    let why = match error {
        InTunnel::ConnectFailed(dialled) => match dialled.downcast_ref() {
            Some(dialled) => return not_at_the_proxy(dialled),
            None => Unreachable::Proxy,
        },
        InTunnel::Io(_) | InTunnel::TunnelUnexpectedEof => Unreachable::Proxy,
        InTunnel::ProxyAuthRequired => Unreachable::Proxy407,
        InTunnel::MissingHost | InTunnel::ProxyHeadersTooLong | InTunnel::TunnelUnsuccessful => {
            Unreachable::ProxyRefused
        }
    };
    ConnectError::new(why, error)
}

/// There is no connection to the proxy itself.
fn not_at_the_proxy(dialled: &ConnectError) -> ConnectError {
    let is_ours = dialled.why == Unreachable::NoSocket;
    let why = if is_ours {
        dialled.why
    } else {
        Unreachable::Proxy
    };
    ConnectError {
        why,
        said: format!("to the outbound proxy: {}", dialled.said),
    }
}

/// The target with an explicit port: a tunnel assumes 443, whatever the scheme.
fn with_port(target: &Uri) -> Result<Uri, http::Error> {
    let (Some(host), None, Some("http")) = (target.host(), target.port(), target.scheme_str())
    else {
        return Ok(target.clone());
    };
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder()
        .scheme("http")
        .authority(format!("{host}:80"))
        .path_and_query(path)
        .build()
}
