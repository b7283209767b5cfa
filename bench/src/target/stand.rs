//! The test bench: the upstreams, and the targets started so far.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::child::{self, Child, Watch};
use super::nginx::Nginx;
use super::ours::Ours;
use super::running::Running;
use super::{Behind, Kind, Target};
use crate::machine::Cores;
use crate::upstream::{self, Certificate, Version};

pub(crate) struct Stand {
    cores: Cores,
    work: PathBuf,
    /// How many files a process may have open.
    pub(crate) open_files: u64,
    certificate: Certificate,
    upstream: Upstream,
    upstreams_with_tls: HashMap<Version, Upstream>,
    running: HashMap<(String, Behind), Rc<Running>>,
}

/// A running upstream.
struct Upstream {
    address: SocketAddr,
    _child: Child,
}

/// Where completions go, at the upstream and at ours.
const PATH: &str = "/api/v1/chat/completions";

impl Stand {
    /// Starts the upstream. Files are written below `work`.
    pub(crate) fn set_up(work: PathBuf, cores: Cores, open_files: u64) -> Result<Self> {
        let certificate = Certificate::at(&work);
        certificate.make()?;
        let upstream = start_upstream(&work, cores, "plain", &[])?;
        let mut stand = Self {
            cores,
            work,
            open_files,
            certificate,
            upstream,
            upstreams_with_tls: HashMap::new(),
            running: HashMap::new(),
        };
        stand.running(&Target::direct(), Behind::Plain)?;
        Ok(stand)
    }

    /// Where files may be written.
    pub(crate) fn work(&self) -> &Path {
        &self.work
    }

    /// The target, started if it is not running.
    pub(crate) fn running(&mut self, target: &Target, behind: Behind) -> Result<Rc<Running>> {
        let place = (target.name.clone(), behind);
        if let Some(running) = self.running.get(&place) {
            return Ok(Rc::clone(running));
        }
        let running = Rc::new(self.start(target, behind)?);
        self.running.insert(place, Rc::clone(&running));
        Ok(running)
    }

    /// Starts the target afresh, and waits until it serves.
    pub(crate) fn start(&mut self, target: &Target, behind: Behind) -> Result<Running> {
        let upstream = self.upstream(behind)?;
        let directory = self.directory(&target.name, behind)?;
        let core = self.cores.target;
        let mut running = Running {
            address: upstream,
            path: PATH,
            headers: String::new(),
            child: None,
        };
        match &target.kind {
            Kind::Direct => {}
            Kind::Nginx => {
                running.address = child::free_address()?;
                let nginx = Nginx {
                    address: running.address,
                    upstream,
                    trusted: matches!(behind, Behind::Tls(_)).then_some(&self.certificate),
                    open_files: self.open_files,
                };
                running.child = Some(nginx.start(&directory, core)?);
            }
            Kind::Ours(binary) => {
                running.address = child::free_address()?;
                running.headers = Ours::headers();
                let ours = self.ours(&[], binary, running.address, behind)?;
                running.child = Some(ours.start(Watch::Kernel, &directory, core)?);
            }
            Kind::Peer(peer) => {
                running.address = child::free_address()?;
                running.path = peer.path();
                running.headers = peer.headers(upstream);
                let child = peer.start(&directory, core, running.address, upstream)?;
                running.child = Some(child);
            }
        }
        running.until_it_serves().with_context(|| {
            let log = directory.join("log");
            format!("{} does not serve; see {}", target.name, log.display())
        })?;
        Ok(running)
    }

    /// Starts a build of ours without waiting, so that its start can be timed.
    pub(crate) fn start_unwatched(&mut self, binary: &Path) -> Result<(Child, SocketAddr)> {
        let directory = self.directory("start", Behind::Plain)?;
        let (address, core) = (child::free_address()?, self.cores.target);
        let ours = self.ours(&[], binary, address, Behind::Plain)?;
        let child = ours.start(Watch::Terminal, &directory, core)?;
        Ok((child, address))
    }

    /// Starts a build of ours under an analysis tool, with a trace or without, and waits until it serves.
    pub(crate) fn start_under(
        &mut self,
        tool: &[String],
        binary: &Path,
        is_traced: bool,
    ) -> Result<Running> {
        let directory = self.directory("tool", Behind::Plain)?;
        let (address, core) = (child::free_address()?, self.cores.target);
        let ours = Ours {
            is_traced,
            ..self.ours(tool, binary, address, Behind::Plain)?
        };
        let running = Running {
            address,
            path: PATH,
            headers: Ours::headers(),
            child: Some(ours.start(Watch::Kernel, &directory, core)?),
        };
        // Requests that come too early are work too: keeping them few makes counts comparable.
        std::thread::sleep(Duration::from_millis(1500));
        running.until_it_serves()?;
        Ok(running)
    }

    fn ours<'a>(
        &'a mut self,
        tool: &'a [String],
        binary: &'a Path,
        address: SocketAddr,
        behind: Behind,
    ) -> Result<Ours<'a>> {
        let upstream = self.upstream(behind)?;
        let (ranking, routing) = match behind {
            Behind::Plain | Behind::Tls(_) => (upstream::RANKING, "balanced"),
            // By what it learns it would soon ask the limited model no more, and nothing would fail over.
            Behind::Limited => (upstream::RANKING_LIMITED, "rank"),
        };
        let (scheme, trusted) = match behind {
            Behind::Plain | Behind::Limited => ("http", None),
            Behind::Tls(_) => ("https", Some(&self.certificate)),
        };
        Ok(Ours {
            tool,
            binary,
            address,
            ranking: format!("http://{}{ranking}", self.upstream.address),
            routing,
            base: format!("{scheme}://{upstream}/api/v1"),
            trusted,
            is_traced: false,
        })
    }

    fn directory(&self, name: &str, behind: Behind) -> Result<PathBuf> {
        let behind = match behind {
            Behind::Plain => "plain",
            Behind::Limited => "limited",
            Behind::Tls(Version::Http1) => "tls-http1",
            Behind::Tls(Version::Http2) => "tls-http2",
        };
        let directory = self.work.join(format!("{name}-{behind}"));
        fs::create_dir_all(&directory)
            .with_context(|| format!("no directory {}", directory.display()))?;
        Ok(directory)
    }

    /// The address of an upstream, started if it is not running.
    fn upstream(&mut self, behind: Behind) -> Result<SocketAddr> {
        let version = match behind {
            Behind::Plain | Behind::Limited => return Ok(self.upstream.address),
            Behind::Tls(version) => version,
        };
        if !self.upstreams_with_tls.contains_key(&version) {
            let work = self.work.display().to_string();
            let arguments = [version.as_str(), &work];
            let name = version.as_str().replace('/', "");
            let upstream = start_upstream(&self.work, self.cores, &name, &arguments)?;
            self.upstreams_with_tls.insert(version, upstream);
        }
        let upstream = self.upstreams_with_tls.get(&version);
        upstream
            .map(|upstream| upstream.address)
            .context("no upstream")
    }
}

/// This program itself is the upstream.
fn start_upstream(work: &Path, cores: Cores, name: &str, arguments: &[&str]) -> Result<Upstream> {
    let program = std::env::current_exe().context("this program has no name")?;
    let address = child::free_address()?;
    let log = work.join(format!("upstream-{name}.log"));
    let child = Child::start(&program, Watch::Kernel, cores.upstream, &log, |command| {
        command
            .arg("upstream")
            .arg(address.to_string())
            .args(arguments);
    })?;
    ensure!(
        child::listens(&child, address),
        "the upstream does not start; see {}",
        log.display()
    );
    Ok(Upstream {
        address,
        _child: child,
    })
}
