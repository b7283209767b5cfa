//! The program as a process, and the load on it.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use simulator::{Script, Simulator};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::rig::{PROXY_KEY, UPSTREAM_KEY};

/// Nothing here takes this long, unless something hangs.
pub const LONG: Duration = Duration::from_secs(60);

/// What its log contained, counted: 20,000 lines are not kept.
#[derive(Default)]
pub struct Told {
    pub done: AtomicUsize,
    pub left: AtomicUsize,
    pub refreshed: AtomicUsize,
    /// Lines of level WARNING or ERROR, and anything on stderr.
    pub bad: std::sync::Mutex<Vec<String>>,
}

/// The program in front of a simulator in this process. Dropping it ends both.
pub struct Program {
    pub address: SocketAddr,
    pub simulator: Simulator,
    pub told: Arc<Told>,
    child: Child,
    _tasks: JoinSet<()>,
    _dir: TempDir,
}

impl Program {
    /// Started, with its list read, with a small soft limit of descriptors: it raises that as
    /// needed for a crowd.
    pub async fn start(script: Script, settings: &[(&str, &str)]) -> Self {
        let simulator = Simulator::new(script);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        let serving = simulator.clone();
        tasks.spawn(async move { serving.serve(listener).await });
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "ulimit -Sn 256; exec \"$0\""])
            .arg(env!("CARGO_BIN_EXE_free-llm-proxy"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("OPENROUTER_API_KEY", UPSTREAM_KEY)
            .env("PROXY_API_KEY", PROXY_KEY)
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            .env("MODELS_LIST_URL", format!("{base}{}", Simulator::LIST_PATH))
            .env(
                "UPSTREAM_BASE_URL",
                format!("{base}{}", Simulator::UPSTREAM_PATH),
            )
            .envs(settings.iter().copied())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let told = Arc::new(Told::default());
        let (tell, mut address) = watch::channel(None);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heard = Arc::clone(&told);
        tasks.spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                heard.hear(&line);
                if line.contains(r#""event":"serving""#) {
                    let line: Value = serde_json::from_str(&line).unwrap();
                    tell.send_replace(line["address"].as_str().map(|at| at.parse().unwrap()));
                }
            }
        });
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let heard = Arc::clone(&told);
        tasks.spawn(async move {
            while let Ok(Some(line)) = errors.next_line().await {
                heard.bad.lock().unwrap().push(line);
            }
        });
        let found = tokio::time::timeout(LONG, address.wait_for(Option::is_some)).await;
        let address: SocketAddr = found.expect("it serves").unwrap().expect("an address");
        let program = Self {
            address,
            simulator,
            told,
            child,
            _tasks: tasks,
            _dir: dir,
        };
        program
            .settles("the list", |p| p.told.refreshed.load(Ordering::SeqCst) > 0)
            .await;
        program
    }

    /// Waits until this holds.
    pub async fn settles(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(LONG, waiting).await;
        assert!(waited.is_ok(), "{what}: {:?}", self.costs());
    }

    /// Its memory in KB, its open descriptors, its threads, and the upstream's connections.
    pub fn costs(&self) -> Costs {
        let process = format!("/proc/{}", self.child.id().expect("it runs"));
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let mut words = line.unwrap_or_default().split_whitespace();
            words.next().and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        Costs {
            memory: number("VmRSS:"),
            descriptors: std::fs::read_dir(format!("{process}/fd")).unwrap().count(),
            threads: number("Threads:"),
            upstream: self.simulator.open(),
            dialled: self.simulator.accepted(),
        }
    }

    /// A connection of a client's.
    pub async fn client(&self) -> Client {
        Client::to(self.address).await
    }
}

impl Told {
    fn hear(&self, line: &str) {
        let count = |what: &AtomicUsize| what.fetch_add(1, Ordering::SeqCst);
        if line.contains(r#""event":"request_done""#) {
            count(&self.done);
            if line.contains(r#""status":499"#) {
                count(&self.left);
            }
        }
        if line.contains(r#""event":"snapshot_refreshed""#) {
            count(&self.refreshed);
        }
        if line.contains(r#""level":"WARNING""#) || line.contains(r#""level":"ERROR""#) {
            self.bad.lock().unwrap().push(line.to_owned());
        }
    }

    /// How many requests were logged as done.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }
}

/// The resources of a process.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    pub memory: u64,
    pub descriptors: usize,
    pub threads: u64,
    /// The upstream's connections that are open.
    pub upstream: usize,
    /// All of them so far.
    pub dialled: u64,
}

/// A keep-alive connection to the proxy.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinSet<()>,
}

impl Client {
    pub async fn to(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let (sender, io) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
            .await
            .unwrap();
        let mut connection = JoinSet::new();
        connection.spawn(async move { drop(io.await) });
        Self { sender, connection }
    }

    /// Sends a request with the right key; the body is still to come.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &'static str,
    ) -> http::Response<hyper::body::Incoming> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "proxy.test")
            .header("authorization", format!("Bearer {PROXY_KEY}"))
            .body(Full::new(Bytes::from_static(body.as_bytes())));
        self.sender.ready().await.unwrap();
        let sent = self.sender.send_request(request.unwrap());
        let answered = tokio::time::timeout(LONG, sent).await;
        answered.expect("an answer in time").unwrap()
    }

    /// The same to its end: status and body.
    pub async fn whole(&mut self, method: &str, path: &str, body: &'static str) -> (u16, Bytes) {
        let answer = self.send(method, path, body).await;
        let status = answer.status().as_u16();
        let body = tokio::time::timeout(LONG, answer.into_body().collect()).await;
        (status, body.expect("a body in time").unwrap().to_bytes())
    }

    /// Leaves at once, whatever is in progress.
    pub fn leave(mut self) {
        self.connection.abort_all();
    }
}

/// How many descriptors this process may still open, minus a margin for the other tests in it.
pub fn room() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    soft.unwrap_or(1024_usize).saturating_sub(open + 200)
}
