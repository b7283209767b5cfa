//! Opens a TCP connection to a host. Its addresses race (RFC 8305), so that one that drops packets,
//! or a whole family without a route, costs a quarter of a second.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use rustix::net::sockopt;
use tokio::net::{TcpSocket, TcpStream};
use tower_service::Service;

use super::unreachable::{ConnectError, Unreachable};

/// How long to wait for an address before the next one is tried in parallel.
const STAGGER: Duration = Duration::from_millis(250);

/// How many addresses of a name are tried; more would not get their turn within the usual limits.
const MOST_ADDRESSES: usize = 32;

/// How long a connection is silent before it is probed.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Opens TCP connections to the hosts of URLs.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) names: Names,
}

type Given = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// How names are resolved.
#[derive(Clone)]
pub(super) enum Names {
    System,
    /// Given by a test.
    Given(Arc<Given>),
}

impl Dialer {
    /// A connection to the host and port of `target`.
    pub(super) async fn dial(&self, target: &Uri) -> Result<TcpStream, ConnectError> {
        let host = bare_host(target);
        let port = target.port_u16().unwrap_or(match target.scheme_str() {
            Some("https") => 443,
            Some("socks5" | "socks5h") => 1080,
            Some(_) | None => 80,
        });
        let addresses = match &self.names {
            Names::Given(names) => Ok(names(host)
                .into_iter()
                .map(|address| SocketAddr::new(address, port))
                .collect()),
            Names::System => tokio::net::lookup_host((host, port))
                .await
                .map(Iterator::collect),
        };
        let addresses: Vec<_> = addresses.map_err(|error| looking_up(&error))?;
        if addresses.is_empty() {
            return Err(looking_up(&io::Error::other("the name has no address")));
        }
        race(addresses, connect)
            .await
            .map_err(|error| ConnectError::new(why(&error), &error))
    }
}

/// The host without the brackets of an IPv6 address.
pub(super) fn bare_host(target: &Uri) -> &str {
    let host = target.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The first connection that opens. The next address is tried when one has failed, or has not
/// connected for a while.
async fn race<T, F>(
    addresses: Vec<SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<T, io::Error>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = interleaved(addresses).into_iter().take(MOST_ADDRESSES);
    let mut racing = FuturesUnordered::new();
    let mut failed: Option<io::Error> = None;
    loop {
        let next = waiting.next();
        let was_last = next.is_none();
        racing.extend(next.map(&connect));
        let ended = if was_last {
            racing.next().await
        } else {
            let ended = tokio::time::timeout(STAGGER, racing.next()).await;
            let Ok(ended) = ended else { continue };
            ended
        };
        match ended {
            Some(Ok(opened)) => return Ok(opened),
            Some(Err(error)) => {
                // A machine without IPv6 says "no route" for half the addresses.
                let tells_little = |error: &io::Error| why(error) == Unreachable::NoRoute;
                if failed.as_ref().is_none_or(tells_little) {
                    failed = Some(error);
                }
            }
            None => {
                let nowhere = || io::Error::from(io::ErrorKind::NotFound);
                return Err(failed.unwrap_or_else(nowhere));
            }
        }
    }
}

/// The two families alternate, beginning with that of the first address; within each the order is
/// kept.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first = addresses.first().map(SocketAddr::is_ipv4);
    let (mut ours, mut theirs): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| Some(address.is_ipv4()) == first);
    let turns = ours.len().max(theirs.len());
    let mut mixed = Vec::with_capacity(ours.len() + theirs.len());
    let (mut ours, mut theirs) = (ours.drain(..), theirs.drain(..));
    for _ in 0..turns {
        mixed.extend(ours.next());
        mixed.extend(theirs.next());
    }
    mixed
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_nodelay(true)?;
    // A system without this option connects all the same.
    watch_over(&socket).ok();
    socket.connect(address).await
}

fn watch_over(socket: &TcpSocket) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, KEEPALIVE)?;
    // A connection that was asleep with its laptop is dead: unacknowledged bytes end it.
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(socket, 10_000)?;
    Ok(())
}

fn looking_up(error: &io::Error) -> ConnectError {
    // Without a descriptor, no name can be resolved either.
    let why = Some(why(error)).filter(|why| *why == Unreachable::NoSocket);
    ConnectError::new(why.unwrap_or(Unreachable::Dns), error)
}

/// The cause of a failed connect.
pub(super) fn why(error: &io::Error) -> Unreachable {
    use io::ErrorKind;
    #[rustfmt::skip]
    let kinds = [
        // No port is left.
        (ErrorKind::AddrNotAvailable,   Unreachable::NoSocket),
        (ErrorKind::OutOfMemory,        Unreachable::NoSocket),
        (ErrorKind::ConnectionRefused,  Unreachable::Refused),
        (ErrorKind::ConnectionReset,    Unreachable::Reset),
        (ErrorKind::ConnectionAborted,  Unreachable::Reset),
        (ErrorKind::HostUnreachable,    Unreachable::NoRoute),
        (ErrorKind::NetworkUnreachable, Unreachable::NoRoute),
        (ErrorKind::NetworkDown,        Unreachable::NoRoute),
        (ErrorKind::TimedOut,           Unreachable::Timeout),
    ];
    let kind = error.kind();
    if let Some((_, why)) = kinds.iter().find(|(of, _)| *of == kind) {
        return *why;
    }
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS) => Unreachable::NoSocket,
        Some(Errno::AFNOSUPPORT) => Unreachable::NoRoute,
        _ => Unreachable::Other,
    }
}

/// For the tunnels through a proxy, which need a connection to it.
impl Service<Uri> for Dialer {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { dialer.dial(&target).await.map(TokioIo::new) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;

    #[test]
    fn s6_the_families_alternate() {
        #[rustfmt::skip]
        let rows = [
            ("",              ""),
            ("4a 4b",         "4a 4b"),
            ("6a 6b 4a 4b",   "6a 4a 6b 4b"),
            ("4a 6a 6b 6c",   "4a 6a 6b 6c"),
            ("6a 4a 4b 4c 6b","6a 4a 6b 4b 4c"),
        ];
        for (given, expected) in rows {
            let mixed = interleaved(given.split_whitespace().map(address).collect());
            let expected: Vec<_> = expected.split_whitespace().map(address).collect();
            assert_eq!(mixed, expected, "{given}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn s6_addresses_race_a_quarter_of_a_second_apart() {
        let refused = || io::Error::from(Errno::CONNREFUSED);
        let no_route = || io::Error::from(Errno::NETUNREACH);
        #[rustfmt::skip]
        let rows: [(&str, Result<&str, Unreachable>, u64); 10] = [
            // what each address does          which wins                   ms
            ("4a+0",                           Ok("4a"),                    0),
            ("4a silent, 4b+0",                Ok("4b"),                    250),
            ("4a silent, 4b silent, 4c+10",    Ok("4c"),                    510),
            ("6a silent, 4a+0",                Ok("4a"),                    250),
            ("6a silent, 6b silent, 4a+0",     Ok("4a"),                    250),
            ("4a+300, 4b+200",                 Ok("4a"),                    300),
            ("4a refused, 4b+0",               Ok("4b"),                    0),
            ("4a+400, 4b refused",             Ok("4a"),                    400),
            ("4a refused, 4b refused",         Err(Unreachable::Refused),   0),
            ("6a no route, 4a refused",        Err(Unreachable::Refused),   0),
        ];
        for (given, expected, ms) in rows {
            let acts: Vec<(SocketAddr, &str)> = given
                .split(", ")
                .filter(|act| !act.is_empty())
                .map(|act| act.split_at(2))
                .map(|(name, act)| (address(name), act.trim()))
                .collect();
            let addresses = acts.iter().map(|(address, _)| *address).collect();
            let begun = Instant::now();
            let raced = race(addresses, |address| {
                let act = acts.iter().find(|(at, _)| *at == address).unwrap().1;
                async move {
                    match act {
                        "silent" => std::future::pending().await,
                        "refused" => Err(refused()),
                        "no route" => Err(no_route()),
                        after => {
                            let ms = after.trim_start_matches('+').parse().unwrap();
                            tokio::time::sleep(Duration::from_millis(ms)).await;
                            Ok(address)
                        }
                    }
                }
            })
            .await;
            let came_to = raced.map_err(|error| why(&error));
            assert_eq!(came_to, expected.map(address), "{given}");
            assert_eq!(begun.elapsed().as_millis(), ms.into(), "{given}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn s6_the_number_of_addresses_tried_is_limited() {
        let tried = Mutex::new(0);
        let many = (0..=255).map(|last| SocketAddr::new([10, 0, 0, last].into(), 443));
        let raced = race(many.collect(), |_| {
            *tried.lock().unwrap() += 1;
            async { Err::<(), _>(io::Error::from(Errno::CONNREFUSED)) }
        });
        assert!(raced.await.is_err());
        assert_eq!(*tried.lock().unwrap(), MOST_ADDRESSES);
    }

    #[tokio::test]
    async fn s4_2_a_name_without_addresses_and_a_port_without_a_listener() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = closed.local_addr().unwrap().port();
        drop(closed);
        let dialer = Dialer {
            names: Names::System,
        };
        #[rustfmt::skip]
        let rows = [
            ("http://nowhere.invalid/".to_owned(),  Unreachable::Dns),
            (format!("http://127.0.0.1:{port}/"),   Unreachable::Refused),
        ];
        for (target, expected) in rows {
            let error = dialer.dial(&target.parse().unwrap()).await.unwrap_err();
            assert_eq!(error.why, expected, "{target}: {error}");
        }
    }

    /// `4a`, `6b`: an address of this family.
    fn address(name: &str) -> SocketAddr {
        let last = u8::try_from(name.chars().nth(1).unwrap()).unwrap();
        let ip = match name.chars().next() {
            Some('4') => IpAddr::from([192, 0, 2, last]),
            _ => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()]),
        };
        SocketAddr::new(ip, 443)
    }
}
