//! The outside world of the program under test.

use serde_json::json;
use simulator::{Script, Simulator, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;

use crate::program::{LONG, Program};

/// A simulator on a local socket.
pub struct Outside {
    pub simulator: Simulator,
    base: String,
    _tasks: JoinSet<()>,
}

impl Outside {
    pub async fn with(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let simulator = Simulator::new(script);
        let serving = simulator.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { serving.serve(listener).await });
        Self {
            simulator,
            base,
            _tasks: tasks,
        }
    }

    pub fn list_url(&self) -> String {
        format!("{}{}", self.base, Simulator::LIST_PATH)
    }

    pub fn base_url(&self) -> String {
        format!("{}{}", self.base, Simulator::UPSTREAM_PATH)
    }

    /// The program with both keys, its list and its upstream here.
    pub fn program(&self, arguments: &str) -> Program {
        Program::with_keys(arguments)
            .env("MODELS_LIST_URL", &self.list_url())
            .env("UPSTREAM_BASE_URL", &self.base_url())
    }
}

/// An upstream without a catalogue, which sends the first event of a stream, and the rest when it
/// is released.
pub struct Gate {
    pub base_url: String,
    open: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Gate {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let (open, opened) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut opened = opened.clone();
                streams.spawn(async move {
                    let event = |json: &str| format!("{:x}\r\ndata: {json}\n\n\r\n", json.len() + 8);
                    let content = |text| {
                        event(&format!(r#"{{"choices":[{{"delta":{{"content":"{text}"}}}}]}}"#))
                    };
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
                    let finish = event(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#);
                    // A request is smaller than this, and arrives in one piece.
                    let mut request = [0; 65_536];
                    drop(socket.read(&mut request).await);
                    if request.starts_with(b"GET ") {
                        let none = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
                        drop(socket.write_all(none).await);
                        return;
                    }
                    let first = [head, &content("first")].concat();
                    drop(socket.write_all(first.as_bytes()).await);
                    drop(opened.wait_for(|open| *open).await);
                    let rest = [&content(" last"), &finish, &event("[DONE]"), "0\r\n\r\n"].concat();
                    drop(socket.write_all(rest.as_bytes()).await);
                    drop(socket.read(&mut [0; 1]).await);
                });
            }
        });
        Self {
            base_url,
            open,
            _tasks: tasks,
        }
    }

    /// Lets all streams finish.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

/// An upstream without a catalogue, in which the test plays each connection by hand.
pub struct Bare {
    pub base_url: String,
    asked: Mutex<mpsc::UnboundedReceiver<TcpStream>>,
    _tasks: JoinSet<()>,
}

impl Bare {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let (asks, asked) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n")
                    && let Ok(byte) = socket.read_u8().await
                {
                    head.push(byte);
                }
                if head.starts_with(b"POST ") {
                    drop(asks.send(socket));
                } else {
                    let none =
                        b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                    drop(socket.write_all(none).await);
                }
            }
        });
        Self {
            base_url,
            asked: asked.into(),
            _tasks: tasks,
        }
    }

    /// The next connection with a completion request, of which the head has been read and no more.
    pub async fn asked(&self) -> TcpStream {
        let mut asked = self.asked.lock().await;
        let next = tokio::time::timeout(LONG, asked.recv());
        next.await.ok().flatten().expect("it is asked")
    }
}

/// The key endpoint tells of an account that has bought nothing, two requests into its day.
pub fn a_free_day() -> Step {
    let requests = json!({"used": 2, "limit": 50, "remaining": 48});
    let data = json!({"is_free_tier": true, "limit_remaining": null, "free_model_daily_requests": requests});
    Step::status(200, &[], json!({"data": data}))
}
