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
    open_files: u64,
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
        let answer = ask(running.address, &request);
        match answer {
            Ok(200) => return Ok(()),
            Ok(_) | Err(_) if running.child.as_mut().is_some_and(Child::has_ended) => {
                bail!("it has ended")
            }
            Ok(status) if clock::now() > limit => bail!("it answers {status}"),
            Err(error) if clock::now() > limit => return Err(error),
            Ok(_) | Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The status of one answer, on a connection of its own.
fn ask(address: SocketAddr, request: &[u8]) -> Result<u16> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.write_all(request)?;
    let mut head = [0; "HTTP/1.1 200".len()];
    socket.read_exact(&mut head)?;
    let status = std::str::from_utf8(&head)?.rsplit(' ').next();
    status.unwrap_or_default().parse().context("no HTTP answer")
}
