//! A proxy in front of a simulator, and the means to talk to both.

mod answer;
pub mod providers;

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use free_llm_proxy::config::{Config, LogLevel};
use free_llm_proxy::provider::Provider;
use free_llm_proxy::proxy::{Proxy, Reloader};
use free_llm_proxy::server::{self, Current, Face};
use free_llm_proxy::telemetry::{Lines, Log, Writer};
use free_llm_proxy::upstream::Connector;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use simulator::{Script, Simulator, Step, list_of};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use answer::Answer;

/// The key that clients present.
pub const PROXY_KEY: &str = "proxy-key-for-tests";
/// The key that is sent upstream.
pub const UPSTREAM_KEY: &str = "sk-or-v1-upstream-key-for-tests-WXYZ";

/// The models of the built-in list, by rank.
pub const MODELS: [&str; 6] = [
    "inclusionai/ling-2.6-flash:free",
    "inclusionai/ling-2.6-1t:free",
    "minimax/minimax-m2.5:free",
    "openai/gpt-oss-120b:free",
    "openai/gpt-oss-20b:free",
    "nvidia/nemotron-3-super-120b-a12b:free",
];

/// A proxy in front of a simulator. Dropping it drops both.
pub struct Rig {
    /// The list and the upstream.
    pub simulator: Simulator,
    /// The proxy's log lines.
    pub log: Lines,
    /// The proxy.
    pub app: Arc<Current>,
    /// How many of the next connections to the simulator fail, and how; over pipes only.
    pub outage: Arc<Mutex<(usize, ErrorKind)>>,
    /// The simulator's address.
    base: String,
    /// Puts other settings in force.
    reloader: tokio::sync::Mutex<Reloader>,
    /// Writes the proxy's trace, where there is one.
    trace: Mutex<Option<Writer>>,
    way: Way,
    stop: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
}

enum Way {
    Sockets(std::net::SocketAddr),
    Pipes,
}

impl Rig {
    /// Over loopback sockets, the list already read.
    pub async fn start(script: Script) -> Self {
        Self::with(script, &[]).await
    }

    /// Over loopback sockets with these settings, the list already read.
    pub async fn with(script: Script, settings: &[(&str, &str)]) -> Self {
        let rig = Self::cold(script, settings).await;
        rig.until_ready().await;
        rig
    }

    /// Over loopback sockets; the list may not have been read yet.
    pub async fn cold(script: Script, settings: &[(&str, &str)]) -> Self {
        Self::cold_over(script, settings, |connector| connector).await
    }

    /// The same, over another connector.
    pub async fn cold_over(
        script: Script,
        settings: &[(&str, &str)],
        change: impl FnOnce(Connector) -> Connector,
    ) -> Self {
        let at = |base: &str| config(base, settings);
        Self::cold_at(script, at, change).await
    }

    /// The same, with the settings of an address.
    async fn cold_at(
        script: Script,
        settings: impl FnOnce(&str) -> Config,
        change: impl FnOnce(Connector) -> Connector,
    ) -> Self {
        let simulator = Simulator::new(script);
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", upstream.local_addr().unwrap());
        let way = Way::Sockets(listener.local_addr().unwrap());
        let config = settings(&base);
        let connector = Connector::network(&config.outbound_proxy, config.connect_timeout);
        let mut tasks = JoinSet::new();
        let serving = simulator.clone();
        tasks.spawn(async move { serving.serve(upstream).await });
        let rig = Self::put_together(simulator, &config, change(connector), way, tasks);
        let rig = Self { base, ..rig };
        let (app, stop) = (Arc::clone(&rig.app), rig.stop.subscribe());
        rig.spawn(async move {
            server::serve(listener, app, Face::Main, until(stop)).await;
        });
        rig
    }

    /// Over in-memory pipes, for a paused clock; the list has already been read.
    pub async fn paused(script: Script, settings: &[(&str, &str)]) -> Self {
        let rig = Self::paused_cold(script, settings);
        rig.until_ready().await;
        rig
    }

    /// Over in-memory pipes, for a paused clock; the list is yet to be read.
    pub fn paused_cold(script: Script, settings: &[(&str, &str)]) -> Self {
        Self::paused_at(script, &config("http://simulator.test", settings))
    }

    fn paused_at(script: Script, config: &Config) -> Self {
        let simulator = Simulator::new(script);
        let dialled = simulator.clone();
        let outage = Arc::new(Mutex::new((0, ErrorKind::Other)));
        let failing = Arc::clone(&outage);
        let connector = Connector::memory(move || {
            let (left, kind) = &mut *failing.lock().unwrap();
            if *left > 0 {
                *left -= 1;
                return Err((*kind).into());
            }
            let (near, far) = duplex(64 * 1024);
            let simulator = dialled.clone();
            spawn_detached(async move { simulator.serve_connection(far).await });
            Ok(near)
        });
        Self {
            outage,
            base: "http://simulator.test".to_owned(),
            ..Self::put_together(simulator, config, connector, Way::Pipes, JoinSet::new())
        }
    }

    fn put_together(
        simulator: Simulator,
        config: &Config,
        connector: Connector,
        way: Way,
        mut tasks: JoinSet<()>,
    ) -> Self {
        let (log, lines) = Log::memory(LogLevel::Debug);
        let proxy = Proxy::build(config, connector, log).unwrap();
        tasks.spawn(proxy.refresh.run());
        let (stop, _) = watch::channel(false);
        Self {
            simulator,
            log: lines,
            app: proxy.app,
            base: String::new(),
            reloader: proxy.reloader.into(),
            trace: proxy.trace.into(),
            outage: Arc::new(Mutex::new((0, ErrorKind::Other))),
            way,
            stop,
            tasks: tasks.into(),
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap().spawn(task);
    }

    async fn until_ready(&self) {
        while self.app.registry().snapshot().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Puts these settings in force.
    pub async fn settle(&self, settings: &[(&str, &str)]) {
        self.settle_with(&config(&self.base, settings)).await;
    }

    async fn settle_with(&self, config: &Config) {
        let mut reloader = self.reloader.lock().await;
        reloader.settle(config).await.unwrap();
    }

    /// Begins the drain, as SIGTERM does.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Writes what is left of the trace. What comes later is in no trace.
    pub fn finish_trace(&self) {
        if let Some(trace) = self.trace.lock().unwrap().take() {
            trace.finish();
        }
    }

    /// The proxy's address; only over sockets.
    pub fn address(&self) -> std::net::SocketAddr {
        match self.way {
            Way::Sockets(address) => address,
            Way::Pipes => panic!("there is no address in memory"),
        }
    }

    /// A minimal valid request.
    pub fn hello() -> Value {
        json!({"messages": [{"role": "user", "content": "Hello!"}]})
    }

    /// The same, streamed.
    pub fn hello_stream() -> Value {
        json!({"stream": true, "messages": [{"role": "user", "content": "Hello!"}]})
    }

    /// Posts a chat completion request with the right key.
    pub async fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions", body).await
    }

    /// Posts JSON with the right key.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[], body.to_string()).await
    }

    /// A GET with the right key.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// Any request; the right key is sent unless `authorization` is given (empty: none).
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let response = self.open(method, path, headers, body).await;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .unwrap_or_else(|e| panic!("the body broke: {e}"))
            .to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        }
    }

    /// Any request; the answer's body is still on its way.
    pub async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> http::Response<hyper::body::Incoming> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "proxy.test");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        {
            request = request.header("authorization", format!("Bearer {PROXY_KEY}"));
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let mut client = self.client().await;
        client
            .send_request(request.body(Full::new(body.into())).unwrap())
            .await
            .unwrap()
    }

    /// A connection that speaks HTTP.
    async fn client(&self) -> SendRequest<Full<Bytes>> {
        match self.way {
            Way::Sockets(address) => handshake(TcpStream::connect(address).await.unwrap()).await,
            Way::Pipes => handshake(self.pipe()).await,
        }
    }

    /// An in-memory connection to the proxy.
    pub fn pipe(&self) -> DuplexStream {
        self.pipe_to(Face::Main)
    }

    /// An in-memory connection to one of its faces.
    pub fn pipe_to(&self, face: Face) -> DuplexStream {
        let (near, far) = duplex(64 * 1024);
        let app = Arc::clone(&self.app);
        self.spawn(server::serve_connection(
            far,
            app,
            face,
            std::net::Ipv4Addr::LOCALHOST.into(),
        ));
        near
    }

    /// Sends raw bytes and reads until the proxy closes; only over sockets.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address()).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is still an answer.
        drop(socket.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The first line of this event, once there is one.
    pub async fn logged(&self, event: &str) -> Value {
        loop {
            if let Some(line) = self.log.of(event).into_iter().next() {
                return line;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The one `request_done` or `request_rejected` line of a test with one request.
    pub fn done(&self) -> Value {
        let mut lines = self.log.of("request_done");
        lines.extend(self.log.of("request_rejected"));
        assert_eq!(lines.len(), 1, "exactly one line a request: {lines:#?}");
        lines.remove(0)
    }

    /// The outcomes of the attempts in a `request_done` line: `model outcome` each.
    pub fn trail(line: &Value) -> Vec<String> {
        let attempts = line["attempts"].as_array().unwrap();
        attempts
            .iter()
            .map(|a| {
                format!(
                    "{} {}",
                    a["model"].as_str().unwrap(),
                    a["outcome"].as_str().unwrap()
                )
            })
            .collect()
    }

    /// A line of `/metrics`, its value.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text();
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }
}

/// A ranking of these models, with all capabilities and no fallback router.
pub fn ranking(ids: &[&str]) -> Step {
    let mut list = list_of(ids);
    if let Some(list) = list.as_object_mut() {
        list.remove("fallback");
    }
    Step::status(200, &[], list)
}

/// A script whose ranking is `a:free`, `b:free`, `c:free`.
pub fn abc() -> Script {
    Script::new().list(ranking(&["a:free", "b:free", "c:free"]))
}

impl Rig {
    /// From here on this script applies: the list is read again, every rest and request forgotten.
    pub async fn anew(&self, script: Script) {
        self.simulator.set_script(script);
        let refreshed = self.post("/admin/refresh", &Value::Null).await;
        assert_eq!(refreshed.status, 200, "{refreshed:?}");
        self.simulator.clear_requests();
    }

    /// The models asked since the last call, as `a b`: without their `:free`.
    pub fn asked(&self) -> String {
        let asked = self.simulator.models_asked();
        self.simulator.clear_requests();
        asked.join(" ").replace(":free", "")
    }

    /// The bodies of the completions requested since the last call, as they arrived upstream.
    pub fn sent_up(&self) -> Vec<String> {
        let seen = self.simulator.requests();
        self.simulator.clear_requests();
        let chats = seen.into_iter().filter(|seen| seen.model.is_some());
        chats
            .map(|seen| String::from_utf8(seen.body.to_vec()).unwrap())
            .collect()
    }

    /// The one line that this answer's request logged.
    pub fn line(&self, answer: &Answer) -> Value {
        let mut lines = self.log.of("request_done");
        lines.extend(self.log.of("request_rejected"));
        lines.retain(|line| line["request_id"] == answer.header("x-request-id"));
        assert_eq!(lines.len(), 1, "exactly one line a request: {lines:#?}");
        lines.remove(0)
    }

    /// The attempts of this answer's request, as `a rate_limited 429, b success`.
    pub fn attempts(&self, answer: &Answer) -> String {
        let line = self.line(answer);
        let attempts = line["attempts"].as_array().unwrap().iter().map(|a| {
            let status = a["status"]
                .as_u64()
                .map_or(String::new(), |s| format!(" {s}"));
            let (model, outcome) = (a["model"].as_str().unwrap(), a["outcome"].as_str().unwrap());
            format!("{} {outcome}{status}", model.replace(":free", ""))
        });
        attempts.collect::<Vec<_>>().join(", ")
    }
}

/// The settings of a test: the program's defaults, except for addresses and keys. Providers that
/// are on are the simulator's; `{base}` in a setting is its address.
pub fn config(base: &str, settings: &[(&str, &str)]) -> Config {
    let file = given(base, settings, "CONFIG_FILE").unwrap_or_default();
    let read = |name: &str| match name {
        // Its text, not its path.
        "CONFIG_FILE" => None,
        _ => given(base, settings, name).or_else(|| usual(base, name)),
    };
    let mut config = Config::read_with_file(read, &file).unwrap();
    for row in &mut config.providers {
        *row = simulated(row, base);
    }
    for account in &mut config.accounts {
        account.provider = simulated(&account.provider, base);
    }
    config
}

/// The same provider, at the simulator.
fn simulated(row: &Arc<Provider>, base: &str) -> Arc<Provider> {
    match simulator::addresses(base, row.id.as_str()) {
        Some(there) if !row.id.is_openrouter() => {
            let mut row = (**row).clone().at(&there.base_url);
            row.list.url = Some(there.list_url);
            Arc::new(row)
        }
        Some(_) | None => Arc::clone(row),
    }
}

fn given(base: &str, settings: &[(&str, &str)], name: &str) -> Option<String> {
    let mut settings = settings.iter();
    let given = settings.find(|(key, _)| *key == name);
    given.map(|(_, value)| value.replace("{base}", base))
}

fn usual(base: &str, name: &str) -> Option<String> {
    match name {
        "OPENROUTER_API_KEY" => Some(UPSTREAM_KEY.to_owned()),
        "PROXY_API_KEY" => Some(PROXY_KEY.to_owned()),
        // Of rows that are not about waiting.
        "WAIT_SEC" => Some("0".to_owned()),
        "MODELS_LIST_URL" => Some(format!("{base}{}", Simulator::LIST_PATH)),
        "UPSTREAM_BASE_URL" => Some(format!("{base}{}", Simulator::UPSTREAM_PATH)),
        // What a row says of who is asked after whom is said of the ranking's order, and what it says
        // of rests of their whole length. The rows of §11 set it otherwise.
        "ROUTING" => Some("rank".to_owned()),
        _ => None,
    }
}

async fn handshake<S>(socket: S) -> SendRequest<Full<Bytes>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .unwrap();
    spawn_detached(async move { drop(connection.await) });
    client
}

async fn until(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test's runtime owns it, and ends with the test"
)]
fn spawn_detached(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
