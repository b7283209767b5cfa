//! An upstream behind TLS that speaks HTTP/2 and does what the test says, and one that speaks
//! HTTP/1.1.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{Method, Response};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use simulator::{Script, Simulator};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Notify};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::program::{LONG, Program};
use crate::upstream::Outside;

/// What happens to a completion request over HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is answered.
    Serve,
    /// It is answered once another one has arrived as well.
    Meet,
    /// It is refused before it was processed.
    Refuse,
    /// The server leaves, and says that it has not processed it.
    Leave,
    /// The server leaves, having accepted the request, and the connection ends.
    TakeAlong,
    /// The connection ends without a word.
    Die,
    /// Endless events, as many as are let in.
    Flood,
}

/// The upstream. The list comes from a simulator, without TLS.
pub struct Secured {
    /// Its certificate authority, as PEM.
    certificate: String,
    list: Outside,
    base_url: String,
    connections: Arc<AtomicUsize>,
    stalled: Arc<Notify>,
    _tasks: JoinSet<()>,
}

struct Told {
    acts: Mutex<VecDeque<Act>>,
    most_streams: u32,
    meeting: Barrier,
    stalled: Arc<Notify>,
}

impl Secured {
    /// Over HTTP/2: does this with the completion requests in order, and serves the rest. It allows
    /// this many streams per connection.
    pub async fn http2(acts: &[Act], most_streams: u32) -> Self {
        let told = Arc::new(Told {
            acts: Mutex::new(acts.iter().copied().collect()),
            most_streams,
            meeting: Barrier::new(2),
            stalled: Arc::default(),
        });
        let stalled = Arc::clone(&told.stalled);
        let started = Self::start(b"h2", move |socket| play(socket, Arc::clone(&told))).await;
        Self { stalled, ..started }
    }

    /// Over HTTP/1.1.
    pub async fn http1() -> Self {
        let simulator = Simulator::new(Script::new());
        Self::start(b"http/1.1", move |socket| {
            let simulator = simulator.clone();
            async move { simulator.serve_connection(socket).await }
        })
        .await
    }

    async fn start<F>(
        version: &[u8],
        serve: impl Fn(TlsStream<TcpStream>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut settings = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        settings.alpn_protocols = vec![version.to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(settings));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let counted = Arc::clone(&connections);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                if let Ok(socket) = acceptor.accept(socket).await {
                    counted.fetch_add(1, Ordering::Relaxed);
                    open.spawn(serve(socket));
                }
            }
        });
        Self {
            certificate: made.cert.pem(),
            list: Outside::with(Script::new()).await,
            base_url: format!("https://localhost:{port}{}", Simulator::UPSTREAM_PATH),
            connections,
            stalled: Arc::default(),
            _tasks: tasks,
        }
    }

    /// The program with its upstream here, which does not trust any yet.
    pub fn program(&self) -> Program {
        self.list
            .program("")
            .env("UPSTREAM_BASE_URL", &self.base_url)
    }

    /// The same; it trusts this upstream.
    pub fn trusted(&self) -> Program {
        let program = self.program().file("roots.pem", &self.certificate);
        let roots = program.dir.path().join("roots.pem");
        program.env("SSL_CERT_FILE", roots.to_str().unwrap())
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Waits until a flood is let in no further.
    pub async fn stalled(&self) {
        let stalled = tokio::time::timeout(LONG, self.stalled.notified());
        stalled.await.expect("somebody does not read");
    }
}

async fn play(socket: TlsStream<TcpStream>, told: Arc<Told>) {
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(told.most_streams)
        .handshake::<_, Bytes>(socket)
        .await
        .unwrap();
    let mut answers = JoinSet::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        if request.method() == Method::GET {
            let none = Response::builder().status(404).body(()).unwrap();
            respond.send_response(none, true).unwrap();
            continue;
        }
        let act = told.acts.lock().unwrap().pop_front();
        match act.unwrap_or(Act::Serve) {
            Act::Serve => answer(respond),
            Act::Meet => {
                let told = Arc::clone(&told);
                answers.spawn(async move {
                    told.meeting.wait().await;
                    answer(respond);
                });
            }
            Act::Refuse => respond.send_reset(Reason::REFUSED_STREAM),
            Act::Leave => {
                respond.send_reset(Reason::REFUSED_STREAM);
                connection.graceful_shutdown();
            }
            Act::TakeAlong => {
                connection.abrupt_shutdown(Reason::NO_ERROR);
                drop(poll_fn(|cx| connection.poll_closed(cx)).await);
                return;
            }
            Act::Die => return,
            Act::Flood => {
                let told = Arc::clone(&told);
                answers.spawn(async move { flood(respond, &told.stalled).await });
            }
        }
    }
}

fn answer(mut respond: SendResponse<Bytes>) {
    let head = Response::builder()
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let body = r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}"#;
    let mut stream = respond.send_response(head, false).unwrap();
    stream
        .send_data(Bytes::from_static(body.as_bytes()), true)
        .unwrap();
}

async fn flood(mut respond: SendResponse<Bytes>, stalled: &Notify) {
    let head = Response::builder()
        .header("content-type", "text/event-stream")
        .body(())
        .unwrap();
    let mut stream = respond.send_response(head, false).unwrap();
    let event = r#"data: {"choices":[{"delta":{"content":"hello"}}]}"#;
    let events = Bytes::from([event, "\n\n"].concat().repeat(1_000));
    let mut left = events.clone();
    loop {
        stream.reserve_capacity(left.len());
        // Nothing takes this long but a reader that does not read.
        let room = poll_fn(|cx| stream.poll_capacity(cx));
        match timeout(Duration::from_secs(1), room).await {
            Ok(Some(Ok(room))) => {
                let piece = left.split_to(room.min(left.len()));
                stream.send_data(piece, false).unwrap();
                if left.is_empty() {
                    left = events.clone();
                }
            }
            Ok(_) => return,
            Err(_) => stalled.notify_one(),
        }
    }
}
