//! The program under test, run to its end or for as long as it serves.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The key that clients present.
pub const PROXY_KEY: &str = "proxy-key-for-tests";
/// The key that goes upstream.
pub const UPSTREAM_KEY: &str = "sk-or-v1-upstream-key-for-tests-WXYZ";

/// Nothing here takes this long, unless something hangs.
pub const LONG: Duration = Duration::from_secs(30);

/// The program with nothing in its environment, in a directory of its own.
pub struct Program {
    command: Command,
    /// Its working directory.
    pub dir: Arc<TempDir>,
    /// The person's end of its terminal, if it has one.
    terminal: Option<std::fs::File>,
}

/// The result of a program.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// With these arguments, separated by blanks.
    pub fn new(arguments: &str) -> Self {
        Self::within(&Arc::new(tempfile::tempdir().unwrap()), arguments)
    }

    /// The same in a directory that is there already.
    pub fn within(dir: &Arc<TempDir>, arguments: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_free-llm-proxy"));
        command
            .args(arguments.split_whitespace())
            .env_clear()
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self {
            command,
            dir: Arc::clone(dir),
            terminal: None,
        }
    }

    /// With both keys set, on any free port of this machine.
    pub fn with_keys(arguments: &str) -> Self {
        Self::new(arguments)
            .env("OPENROUTER_API_KEY", UPSTREAM_KEY)
            .env("PROXY_API_KEY", PROXY_KEY)
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            // What is asked after what is the ranking's order only then.
            .env("ROUTING", "rank")
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Started so that it ignores a terminal that closes, as `nohup` does.
    pub fn ignoring_hangups(self) -> Self {
        self.ignoring("HUP")
    }

    /// Started so that it ignores this signal.
    pub fn ignoring(self, signal: &str) -> Self {
        let run = format!("trap '' {signal}; exec \"$0\" \"$@\"");
        self.through("/bin/sh", &["-c", &run])
    }

    /// Without a controlling terminal.
    pub fn without_terminal(self) -> Self {
        self.through("setsid", &[])
    }

    /// At a terminal of its own.
    pub fn at_a_terminal(self) -> Self {
        let (person, own) = terminal();
        let mut program = self.through("setsid", &["--ctty"]);
        program.command.stdin(own);
        program.terminal = Some(person);
        program
    }

    /// Started by another program, in whose place it then runs.
    fn through(mut self, other: &str, arguments: &[&str]) -> Self {
        let program = self.command.as_std();
        let mut shell = Command::new(other);
        shell
            .args(arguments)
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .envs(program.get_envs().filter_map(|(k, v)| Some((k, v?))))
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        self.command = shell;
        self
    }

    /// Starts it at this terminal.
    pub fn start_at(mut self, terminal: std::fs::File) -> Child {
        self.command.stdin(terminal.try_clone().unwrap());
        self.command.stdout(terminal);
        self.command.spawn().unwrap()
    }

    /// Runs it to its end at this terminal, which is closed with it.
    pub async fn run_at(self, terminal: std::fs::File) -> Option<i32> {
        let mut child = self.start_at(terminal);
        let ended = tokio::time::timeout(LONG, child.wait()).await;
        ended.expect("it ends").unwrap().code()
    }

    /// Runs it to its end with this on stdin.
    pub async fn typed(mut self, text: &str) -> Ran {
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
        drop(writer);
        self.command.stdin(reader);
        self.run().await
    }

    /// Prints there; the test sees nothing of it.
    pub fn stdout(mut self, to: std::io::PipeWriter) -> Self {
        self.command.stdout(to);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// With this file in its directory.
    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    /// Runs it to its end.
    pub async fn run(mut self) -> Ran {
        let ended = tokio::time::timeout(LONG, self.command.output()).await;
        let ended = ended.expect("it ends").unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran {
            code: ended.status.code(),
            stdout: text(ended.stdout),
            stderr: text(ended.stderr),
        }
    }

    /// Starts it; `address` is where it will listen, if it does.
    pub fn start(mut self, address: SocketAddr) -> Serving {
        let mut child = self.command.spawn().unwrap();
        let mut tasks = JoinSet::new();
        let stdout = Said::by(child.stdout.take(), &mut tasks);
        let stderr = Said::by(child.stderr.take(), &mut tasks);
        Serving {
            child,
            address,
            stdout,
            stderr,
            tasks,
            _dir: self.dir,
            _terminal: self.terminal,
        }
    }

    /// Starts it, and waits until it says that it serves.
    pub async fn serve(self) -> Serving {
        let mut serving = self.start(([127, 0, 0, 1], 0).into());
        let told = serving.logged("serving").await;
        serving.address = told["address"].as_str().unwrap().parse().unwrap();
        serving
    }

    /// The same, with its list read.
    pub async fn ready(self) -> Serving {
        let serving = self.serve().await;
        serving.logged("snapshot_refreshed").await;
        serving
    }
}

/// The program while it serves.
pub struct Serving {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    pub stdout: Said,
    pub stderr: Said,
    tasks: JoinSet<()>,
    _dir: Arc<TempDir>,
    _terminal: Option<std::fs::File>,
}

impl Serving {
    /// One that need not say where it is listening: on a port that was free a moment ago.
    pub async fn quiet(program: impl Fn() -> Program) -> Self {
        loop {
            if let Some(serving) = Self::quietly(&program).await {
                return serving;
            }
        }
    }

    /// The same, or `None` if one of its ports was taken in the meantime.
    pub async fn quietly(program: impl Fn() -> Program) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let port = address.port().to_string();
        let mut serving = program().env("PORT", &port).start(address);
        while serving.runs() {
            let ready = Self::client().get(format!("http://{address}/ready"));
            if ready
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
            {
                return Some(serving);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let code = serving.ended().await.code();
        assert_eq!(code, Some(1), "{:?}", serving.stderr.all());
        None
    }

    /// A client that takes no other way.
    pub fn client() -> reqwest::Client {
        let client = reqwest::Client::builder().no_proxy();
        client.timeout(LONG).build().unwrap()
    }

    /// Posts a chat request with the right key.
    pub async fn chat(&self, body: &Value) -> reqwest::Response {
        let url = format!("http://{}/v1/chat/completions", self.address);
        let request = Self::client().post(url).bearer_auth(PROXY_KEY).json(body);
        request.send().await.unwrap()
    }

    /// A GET without a key.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("http://{}{path}", self.address);
        Self::client().get(url).send().await.unwrap()
    }

    /// The first log line of this event, once it is there.
    pub async fn logged(&self, event: &str) -> Value {
        self.stdout
            .find(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                (line["event"] == event).then_some(line)
            })
            .await
    }

    /// Sends it this signal (`TERM`, `INT`, `HUP`).
    pub fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs");
        let kill = std::process::Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Limits it to this many descriptors from now on.
    pub fn allow_descriptors(&self, limit: u64) {
        self.limit(Resource::Nofile, limit);
    }

    /// From now on no file becomes longer than so many bytes by its writing.
    pub fn allow_file_bytes(&self, limit: u64) {
        self.limit(Resource::Fsize, limit);
    }

    fn limit(&self, resource: Resource, limit: u64) {
        let id = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        prlimit(id, resource, limit).unwrap();
    }

    /// Limits the files that it writes to this many bytes from now on.
    pub fn allow_bytes(&self, limit: u64) {
        let id = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let limit = Rlimit {
            current: Some(limit),
            maximum: None,
        };
        prlimit(id, Resource::Fsize, limit).unwrap();
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, and for all its output.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(LONG, self.child.wait()).await;
        let ended = ended.expect("it ends").unwrap();
        while self.tasks.join_next().await.is_some() {}
        ended
    }

    /// Nothing reads its output any more.
    pub async fn stop_reading(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// A person's end of a terminal, and the program's.
pub fn terminal() -> (std::fs::File, std::fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
    let terminal = std::fs::File::options()
        .read(true)
        .write(true)
        .open(name)
        .unwrap();
    (person.into(), terminal)
}

/// What was printed so far, line by line.
#[derive(Clone)]
pub struct Said {
    lines: Arc<Mutex<Vec<String>>>,
    more: watch::Receiver<()>,
}

impl Said {
    fn by(
        output: Option<impl AsyncRead + Unpin + Send + 'static>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (told, more) = watch::channel(());
        let kept = Arc::clone(&lines);
        tasks.spawn(async move {
            let Some(output) = output else { return };
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                kept.lock().unwrap().push(line);
                told.send_replace(());
            }
        });
        Self { lines, more }
    }

    pub fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The first line, present or future, in which something is found.
    pub async fn find<T>(&self, look: impl Fn(&str) -> Option<T>) -> T {
        let mut more = self.more.clone();
        let search = async {
            loop {
                more.mark_unchanged();
                if let Some(found) = self.all().iter().find_map(|line| look(line)) {
                    return Some(found);
                }
                if more.changed().await.is_err() {
                    return self.all().iter().find_map(|line| look(line));
                }
            }
        };
        let found = tokio::time::timeout(LONG, search).await.ok().flatten();
        found.unwrap_or_else(|| panic!("it was never said: {:#?}", self.all()))
    }
}
