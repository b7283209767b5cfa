//! What is measured: proxies between the load and the upstream, and the way without one.

mod child;
mod nginx;
mod ours;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::clock;
use crate::machine::Cores;
use crate::request;
use crate::script::Script;
use crate::upstream;
use crate::usage::Tree;
use child::Child;

/// One that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No proxy: the load speaks to the upstream.
    Direct,
    Nginx,
    /// A binary of ours.
    Ours(PathBuf),
}

impl Target {
    /// The way without a proxy.
    pub(crate) fn direct() -> Self {
        Self {
            name: "direct".into(),
            kind: Kind::Direct,
        }
    }

    pub(crate) fn nginx() -> Self {
        Self {
            name: "nginx".into(),
            kind: Kind::Nginx,
        }
    }
}

/// Which upstream a proxy is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Behind {
    /// The plain one.
    Plain,
    /// The plain one, with the ranking whose best model is rate-limited. Only ours reads one.
    Limited,
}

/// A target that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    path: &'static str,
    headers: String,
    child: Option<Child>,
}

impl Running {
    /// The request with this body.
    pub(crate) fn post(&self, body: &str) -> Vec<u8> {
        request::post(self.path, &self.headers, body)
    }

    /// What one answer says in this header.
    pub(crate) fn header(
        &self,
        script: &Script,
        body_bytes: usize,
        name: &str,
    ) -> Result<Option<String>> {
        let request = self.post(&request::body(script, body_bytes));
        let head = ask(self.address, &request)?;
        let value = head.lines().find_map(|line| {
            let (header, value) = line.split_once(':')?;
            header
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        });
        Ok(value)
    }

    /// Its processes; none of the direct way.
    pub(crate) fn tree(&self) -> Result<Option<Tree>> {
        let id = self.child.as_ref().map(Child::id);
        id.map(Tree::under).transpose()
    }
}

/// The place where it all runs: the upstream, and the targets that have been started so far.
pub(crate) struct Stand {
    pub(crate) cores: Cores,
    work: PathBuf,
    /// How many files a process may have open.
    pub(crate) open_files: u64,
    upstream: SocketAddr,
    _upstream: Child,
    running: HashMap<(String, Behind), Rc<Running>>,
}

impl Stand {
    /// Starts the upstream. What is written goes below `work`.
    pub(crate) fn set_up(work: PathBuf, cores: Cores, open_files: u64) -> Result<Self> {
        let program = std::env::current_exe().context("who am I?")?;
        let address = child::free_address()?;
        let log = work.join("upstream.log");
        let upstream = Child::start(&program, cores.upstream, &log, |command| {
            command.arg("upstream").arg(address.to_string());
        })?;
        let mut stand = Self {
            cores,
            work,
            open_files,
            upstream: address,
            _upstream: upstream,
            running: HashMap::new(),
        };
        stand.running(&Target::direct(), Behind::Plain)?;
        Ok(stand)
    }

    /// The target, started if it is not.
    pub(crate) fn running(&mut self, target: &Target, behind: Behind) -> Result<Rc<Running>> {
        let place = (target.name.clone(), behind);
        if let Some(running) = self.running.get(&place) {
            return Ok(Rc::clone(running));
        }
        let running = Rc::new(self.start(target, behind)?);
        self.running.insert(place, Rc::clone(&running));
        Ok(running)
    }

    /// Starts the target anew, and waits until it serves.
    pub(crate) fn start(&self, target: &Target, behind: Behind) -> Result<Running> {
        let directory = self
            .work
            .join(format!("{}-{behind:?}", target.name).to_lowercase());
        let core = self.cores.target;
        let address = match target.kind {
            Kind::Direct => self.upstream,
            Kind::Nginx | Kind::Ours(_) => child::free_address()?,
        };
        let mut running = Running {
            address,
            path: "/api/v1/chat/completions",
            headers: String::new(),
            child: None,
        };
        match &target.kind {
            Kind::Direct => {}
            Kind::Nginx => {
                let child = nginx::start(&directory, core, address, self.upstream, self.open_files);
                running.child = Some(child?);
            }
            Kind::Ours(binary) => {
                running.headers = format!("Authorization: Bearer {}\r\n", ours::KEY);
                let settings = self.settings(behind);
                let child = ours::start(binary, &directory, core, address, &settings);
                running.child = Some(child?);
            }
        }
        until_it_serves(&mut running).with_context(|| {
            format!(
                "{} does not serve; see {}",
                target.name,
                directory.display()
            )
        })?;
        Ok(running)
    }

    fn settings(&self, behind: Behind) -> Vec<(&'static str, String)> {
        let ranking = match behind {
            Behind::Plain => upstream::RANKING,
            Behind::Limited => upstream::RANKING_LIMITED,
        };
        vec![
            (
                "MODELS_LIST_URL",
                format!("http://{}{ranking}", self.upstream),
            ),
            (
                "UPSTREAM_BASE_URL",
                format!("http://{}/api/v1", self.upstream),
            ),
        ]
    }
}

/// How long the slowest may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(60);

fn until_it_serves(running: &mut Running) -> Result<()> {
    let request = running.post(&request::body(&Script::PLAIN, 500));
    let limit = clock::now() + clock::nanos(START_LIMIT);
    loop {
        let head = ask(running.address, &request);
        if head
            .as_ref()
            .is_ok_and(|head| head.starts_with("HTTP/1.1 200"))
        {
            return Ok(());
        }
        if running.child.as_mut().is_some_and(Child::has_ended) {
            bail!("it has ended");
        }
        if clock::now() > limit {
            bail!("it answers {}", head?.lines().next().unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The head of one answer, on a connection of its own.
fn ask(address: SocketAddr, request: &[u8]) -> Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.write_all(request)?;
    let mut head = Vec::new();
    while memchr::memmem::find(&head, b"\r\n\r\n").is_none() {
        let mut bytes = [0; 4096];
        let count = socket.read(&mut bytes)?;
        if count == 0 {
            bail!("no HTTP answer");
        }
        head.extend_from_slice(bytes.get(..count).unwrap_or_default());
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
