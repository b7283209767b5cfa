//! What a connection does to the requests on it. The other sides are played by hand, in memory and
//! under a paused clock; over HTTP/2 behind TLS, as in real use.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::BodyExt as _;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use super::{Answered, SendError};
use crate::request::UpstreamBody;
use crate::upstream::connect::Tls;
use crate::upstream::connection::{CONNECTION_WINDOW, STREAM_WINDOW, STREAMS};
use crate::upstream::{Connector, HttpClient, Origin, Unreachable};

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// It is answered.
    Serve,
    /// After this many milliseconds these bytes arrive, and the connection ends.
    Die(u64, &'static [u8]),
    /// Its stream is refused.
    Refuse,
    /// GOAWAY with this code, covering the request or not, and the connection ends.
    Leave(u32, Admits),
    /// Nothing arrives any more, not even an answer to a PING.
    Freeze,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admits {
    Yes,
    No,
}

use Act::{Die, Freeze, Leave, Refuse, Serve};

const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 11;
const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn s4_6_over_http1_a_request_is_sent_again_only_where_it_cannot_have_been_seen() {
    let half = b"HTTP/1.1 20".as_slice();
    #[rustfmt::skip]
    let rows: [(&str, &[Act], usize); 9] = [
        // what the upstream does with the requests                           it is asked
        ("answers",                             &[Serve, Serve],              2),
        ("had closed the kept connection",      &[Serve, Die(0, b""), Serve], 3),
        ("breaks it off soon",                  &[Serve, Die(900, b""), Serve], 3),
        ("breaks it off later",                 &[Serve, Die(1_100, b"")],    2),
        ("breaks it off after 4 s of work",     &[Serve, Die(4_000, b"")],    2),
        ("breaks it off within the head",       &[Serve, Die(0, half)],       2),
        ("breaks off a new connection",         &[Die(0, b"")],               1),
        ("breaks off a new one after 4 s",      &[Die(4_000, b"")],           1),
        ("breaks off the new one as well",      &[Serve, Die(0, b""), Die(0, b"")], 3),
    ];
    for tls in [false, true] {
        for (what, acts, asked) in rows {
            let peer = Peer::new(acts);
            let origin = peer.start(if tls { "http/1.1" } else { "" });
            let is_served = matches!(acts.last(), Some(Serve));
            assert_eq!(ask_for_all(&origin, acts).await, is_served, "{what}");
            assert_eq!(peer.asked(), asked, "{what}, TLS: {tls}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s4_6_over_http2_a_request_is_sent_again_only_where_it_cannot_have_been_seen() {
    use Admits::{No, Yes};
    #[rustfmt::skip]
    let rows: [(&str, &[Act], usize, u64); 11] = [
        // what the upstream does with the requests                                       it is asked  s
        ("answers",                           &[Serve, Serve],                            2,           0),
        ("refuses the stream",                &[Serve, Refuse, Serve],                    3,           0),
        ("refuses the first stream",          &[Refuse, Serve],                           2,           0),
        ("leaves, without the request",       &[Serve, Leave(NO_ERROR, No), Serve],       3,           0),
        ("leaves so in anger",                &[Serve, Leave(ENHANCE_YOUR_CALM, No), Serve], 3,        0),
        ("leaves with the request",           &[Serve, Leave(NO_ERROR, Yes)],             2,           0),
        ("leaves so in anger",                &[Serve, Leave(ENHANCE_YOUR_CALM, Yes)],    2,           0),
        ("had closed the kept connection",    &[Serve, Die(0, b""), Serve],               3,           0),
        ("breaks it off after 4 s of work",   &[Serve, Die(4_000, b"")],                  2,           4),
        ("breaks off a new connection",       &[Die(0, b"")],                             1,           0),
        ("answers no PING",                   &[Serve, Freeze],                           2,           10),
    ];
    for (what, acts, asked, seconds) in rows {
        let peer = Peer::new(acts);
        let origin = peer.start("h2");
        let begun = Instant::now();
        let is_served = matches!(acts.last(), Some(Serve));
        assert_eq!(ask_for_all(&origin, acts).await, is_served, "{what}");
        assert_eq!(peer.asked(), asked, "{what}");
        assert_eq!(begun.elapsed().as_secs(), seconds, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_6_waiting_for_a_connection_does_not_count_against_the_model() {
    #[rustfmt::skip]
    let rows = [
        // version   connected after  of 7 s for the head, it ends at
        ("",         0,               Ok(7)),
        ("http/1.1", 0,               Ok(7)),
        ("http/1.1", 9,               Ok(16)),
        ("h2",       9,               Ok(16)),
        ("h2",       11,              Err(10)),
    ];
    for (version, connected, expected) in rows {
        let peer = Peer {
            slow: Duration::from_secs(connected),
            ..Peer::new(&[Freeze])
        };
        let origin = peer.start(version);
        let begun = Instant::now();
        let answered = ask(&origin, Duration::from_secs(7)).await;
        let seconds = begun.elapsed().as_secs();
        let ended = match answered.unwrap_err() {
            SendError::Late => Ok(seconds),
            SendError::Connect(error) if error.why == Unreachable::Timeout => Err(seconds),
            error @ (SendError::Connect(_) | SendError::Broken(_)) => panic!("{version}: {error}"),
        };
        assert_eq!(ended, expected, "{version} {connected}");
    }
}

#[tokio::test(start_paused = true)]
async fn s4_6_clients_that_do_not_read_block_no_other() {
    const FLOOD: usize = 4 * STREAM_WINDOW as usize;
    let sent: Arc<Mutex<Vec<usize>>> = Arc::default();
    let counts = Arc::clone(&sent);
    let acceptor = Arc::new(Mutex::new(JoinSet::new()));
    let origin = origin(
        "h2",
        Duration::ZERO,
        move |tls, tasks| {
            let counts = Arc::clone(&counts);
            tasks.spawn(async move { flood(tls, FLOOD, counts).await });
        },
        &acceptor,
    );
    // The first opens the connection; then it gets as many as it can carry.
    let mut unread = vec![ask(&origin, Duration::MAX).await.unwrap()];
    let more = (2..STREAMS).map(|_| ask(&origin, Duration::MAX));
    unread.extend(join_all(more).await.into_iter().map(Result::unwrap));
    for round in 0..3 {
        let one = ask(&origin, Duration::MAX).await.unwrap();
        let whole = one.response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), FLOOD, "round {round}");
    }
    let sent = sent.lock().unwrap().clone();
    let unread_bytes: usize = sent.iter().take(unread.len()).sum();
    assert_eq!(sent.len(), unread.len() + 3, "all on one connection");
    assert!(
        sent.iter()
            .take(unread.len())
            .all(|sent| *sent <= STREAM_WINDOW as usize)
    );
    assert!(unread_bytes <= CONNECTION_WINDOW as usize, "{unread_bytes}");
}

/// Performs the requests that a client would make for these acts, one after the other: whether the
/// last was answered.
async fn ask_for_all(origin: &Origin, acts: &[Act]) -> bool {
    let requests = if matches!(acts, [Serve, _, ..]) { 2 } else { 1 };
    let mut is_served = false;
    for _ in 0..requests {
        let answered = ask(origin, Duration::from_secs(60)).await;
        is_served = answered.is_ok();
        if let Ok(answered) = answered {
            drop(answered.response.into_body().collect().await);
        }
    }
    is_served
}

async fn ask(origin: &Origin, limit: Duration) -> Result<Answered, SendError> {
    let make = |http2| {
        let mut request = Request::new(UpstreamBody::default());
        if http2 {
            *request.uri_mut() = http::Uri::from_static("https://upstream.test/");
        }
        request
    };
    origin.send(make, limit).await
}

/// An upstream that does what the test says, over all of its connections.
struct Peer {
    /// How long the TLS handshake takes.
    slow: Duration,
    told: Arc<Mutex<VecDeque<Act>>>,
    asked: Arc<Mutex<usize>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Peer {
    fn new(acts: &[Act]) -> Self {
        Self {
            slow: Duration::ZERO,
            told: Arc::new(Mutex::new(acts.iter().copied().collect())),
            asked: Arc::default(),
            tasks: Arc::default(),
        }
    }

    /// The origin for it: over this version behind TLS, or without.
    fn start(&self, version: &'static str) -> Origin {
        let (told, asked) = (Arc::clone(&self.told), Arc::clone(&self.asked));
        let next = move || {
            *asked.lock().unwrap() += 1;
            told.lock().unwrap().pop_front().unwrap_or(Serve)
        };
        origin(
            version,
            self.slow,
            move |socket, tasks| {
                let next = next.clone();
                tasks.spawn(async move {
                    if version == "h2" {
                        drop(play_http2(socket, next).await);
                    } else {
                        drop(play_http1(socket, next).await);
                    }
                });
            },
            &self.tasks,
        )
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// The origin of an upstream whose connections `serve` handles, once TLS is done.
fn origin(
    version: &'static str,
    slow: Duration,
    serve: impl Fn(Box<dyn Socket>, &mut JoinSet<()>) + Clone + Send + Sync + 'static,
    tasks: &Arc<Mutex<JoinSet<()>>>,
) -> Origin {
    let made = rcgen::generate_simple_self_signed(["upstream.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    settings.alpn_protocols = vec![version.as_bytes().to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(settings));
    let tasks = Arc::clone(tasks);
    let connector = Connector::memory(move || {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (acceptor, serve) = (acceptor.clone(), serve.clone());
        let owner = Arc::downgrade(&tasks);
        let mut tasks = tasks.lock().unwrap();
        if version.is_empty() {
            serve(Box::new(far), &mut tasks);
        } else {
            tasks.spawn(async move {
                sleep(slow).await;
                let socket = acceptor.accept(far).await.unwrap();
                if let Some(owner) = owner.upgrade() {
                    serve(Box::new(socket), &mut owner.lock().unwrap());
                }
            });
        }
        Ok(near)
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = HttpClient::trusting(connector, Tls::trusting(Arc::new(roots)).unwrap());
    let scheme = if version.is_empty() { "http" } else { "https" };
    client.origin(&format!("{scheme}://upstream.test").parse().unwrap())
}

async fn play_http1(mut socket: Box<dyn Socket>, next: impl Fn() -> Act) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await?);
        }
        match next() {
            Serve => socket.write_all(ANSWER).await?,
            Die(ms, words) => {
                sleep(Duration::from_millis(ms)).await;
                socket.write_all(words).await?;
                return socket.shutdown().await;
            }
            Freeze => std::future::pending().await,
            act @ (Refuse | Leave(..)) => panic!("HTTP/1.1 knows no {act:?}"),
        }
    }
}

/// HTTP/2 by hand: this can send what no library would.
async fn play_http2(mut socket: Box<dyn Socket>, next: impl Fn() -> Act) -> std::io::Result<()> {
    const DATA_AND_HEADERS_END: u8 = 0x5;
    const ACK: u8 = 0x1;
    socket.read_exact(&mut [0; 24]).await?;
    socket.write_all(&frame(4, 0, 0, &[])).await?;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        socket.read_exact(&mut payload).await?;
        let id = u32::from_be_bytes(id);
        match (kind, flags & ACK) {
            (4, 0) => socket.write_all(&frame(4, ACK, 0, &[])).await?,
            (6, 0) => socket.write_all(&frame(6, ACK, 0, &payload)).await?,
            (1, _) => match next() {
                Serve => {
                    // `:status: 204`, by its place in the static table.
                    let answer = frame(1, DATA_AND_HEADERS_END, id, &[0x89]);
                    socket.write_all(&answer).await?;
                }
                Die(ms, words) => {
                    sleep(Duration::from_millis(ms)).await;
                    socket.write_all(words).await?;
                    return socket.shutdown().await;
                }
                Refuse => {
                    let refused = frame(3, 0, id, &7_u32.to_be_bytes());
                    socket.write_all(&refused).await?;
                }
                Leave(code, admits) => {
                    let last = if admits == Admits::Yes { id } else { id - 2 };
                    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
                    socket.write_all(&frame(7, 0, 0, &payload)).await?;
                    return socket.shutdown().await;
                }
                Freeze => std::future::pending().await,
            },
            _ => {}
        }
    }
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let [_, length @ ..] = length;
    [&length[..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

/// Answers each request with this many bytes, as far as the other side accepts them.
async fn flood(socket: Box<dyn Socket>, bytes: usize, counts: Arc<Mutex<Vec<usize>>>) {
    let mut connection = h2::server::handshake(socket).await.unwrap();
    let mut streams = JoinSet::new();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let mut body = respond
            .send_response(http::Response::new(()), false)
            .unwrap();
        let counts = Arc::clone(&counts);
        let place = {
            let mut counts = counts.lock().unwrap();
            counts.push(0);
            counts.len() - 1
        };
        streams.spawn(async move {
            let mut left = bytes;
            while left > 0 {
                body.reserve_capacity(left);
                let Some(Ok(room)) = std::future::poll_fn(|cx| body.poll_capacity(cx)).await else {
                    return;
                };
                let piece = Bytes::from(vec![b'x'; room.min(left)]);
                left -= piece.len();
                counts.lock().unwrap()[place] += piece.len();
                body.send_data(piece, left == 0).unwrap();
            }
        });
    }
}
