//! A minimal OpenRouter, cheap enough never to be the bottleneck of a measurement: one thread,
//! prebuilt answers, no JSON parsing.
//!
//! Each request determines its own answer, see `script`. It knows nothing of the proxies.

mod answer;
mod asked;
mod connection;
mod documents;
mod tls;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context as _, Result};

pub(crate) use answer::STAMP;
pub(crate) use documents::{RANKING, RANKING_LIMITED};
pub(crate) use tls::{Certificate, Version, serve as serve_tls};

use crate::clock::Nanos;
use crate::poller::{Poller, Ready, Watch};
use crate::say;
use answer::Event;
use connection::{Connection, Next};

/// Everything it can answer.
pub(crate) struct Answers {
    documents: HashMap<&'static str, Vec<u8>>,
    not_found: Vec<u8>,
    plain: Vec<u8>,
    plain_closing: Vec<u8>,
    limited: Vec<u8>,
    stream_end: Vec<u8>,
    /// By the bytes of text in it.
    events: HashMap<usize, Event>,
}

impl Answers {
    fn new() -> Self {
        let ok = |body: &str| answer::whole("200 OK", "", body);
        let completion = answer::completion().to_string();
        let documents = documents::all().map(|(path, body)| (path, ok(&body.to_string())));
        Self {
            documents: documents.into(),
            not_found: answer::whole("404 Not Found", "", "{}"),
            plain: ok(&completion),
            plain_closing: answer::whole("200 OK", "Connection: close\r\n", &completion),
            limited: answer::rate_limited(),
            stream_end: answer::stream_end(),
            events: HashMap::new(),
        }
    }

    fn document(&self, path: &str) -> &[u8] {
        let path = path.split('?').next().unwrap_or(path);
        self.documents.get(path).unwrap_or(&self.not_found)
    }

    fn event(&mut self, text_bytes: usize) -> Event {
        let event = self.events.entry(text_bytes);
        event.or_insert_with(|| Event::new(text_bytes)).clone()
    }
}

/// Connections by key; a key is reused once its connection is closed.
#[derive(Default)]
struct Connections {
    all: Vec<Option<(Connection, Watch)>>,
    free: Vec<usize>,
}

const LISTENER: usize = usize::MAX - 1;

/// Serves this address until the process ends.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("{address} is taken"))?;
    // Ten thousand may arrive at once.
    rustix::net::listen(&listener, 4096).context("no backlog")?;
    listener.set_nonblocking(true)?;
    let poller = Poller::new()?;
    poller.add(&listener, LISTENER, Watch::Reads)?;
    let mut server = Server {
        listener,
        poller,
        answers: Answers::new(),
        connections: Connections::default(),
        timers: BinaryHeap::new(),
        scratch: vec![0; 256 * 1024],
    };
    let mut ready = Vec::new();
    loop {
        server.turn(&mut ready)?;
    }
}

struct Server {
    listener: TcpListener,
    poller: Poller,
    answers: Answers,
    connections: Connections,
    /// Which connection continues when. One that has closed in the meantime is skipped: a
    /// connection that has its key by then finds nothing due.
    timers: BinaryHeap<Reverse<(Nanos, usize)>>,
    scratch: Vec<u8>,
}

impl Server {
    fn turn(&mut self, ready: &mut Vec<Ready>) -> Result<()> {
        let next = self.timers.peek().map(|Reverse((due, _))| *due);
        self.poller.wait(next, ready)?;
        for socket in &*ready {
            if socket.key == LISTENER {
                self.accept()?;
                continue;
            }
            let Some(Some((connection, watch))) = self.connections.all.get_mut(socket.key) else {
                continue;
            };
            let mut next = Ok(Next::Read);
            if socket.writable && *watch == Watch::ReadsAndWrites {
                next = connection.go_on(&self.answers);
            }
            if socket.readable && matches!(next, Ok(Next::Read)) {
                next = connection.read(&mut self.scratch, &mut self.answers);
            }
            self.settle(socket.key, next)?;
        }
        let now = crate::clock::now();
        while let Some(Reverse((due, key))) = self.timers.peek().copied() {
            if due > now {
                break;
            }
            self.timers.pop();
            if let Some(Some((connection, _))) = self.connections.all.get_mut(key) {
                let next = connection.when_due(&self.answers);
                self.settle(key, next)?;
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).context("no further connection"),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let key = self.connections.free.pop().unwrap_or_else(|| {
                self.connections.all.push(None);
                self.connections.all.len() - 1
            });
            self.poller.add(&socket, key, Watch::Reads)?;
            if let Some(place) = self.connections.all.get_mut(key) {
                *place = Some((Connection::new(socket), Watch::Reads));
            }
        }
    }

    /// Watches for what a connection waits for next.
    fn settle(&mut self, key: usize, next: Result<Next>) -> Result<()> {
        let next = next.unwrap_or_else(|error| {
            say::progress(format_args!("upstream: {error:#}"));
            Next::Closed
        });
        let Some(place) = self.connections.all.get_mut(key) else {
            return Ok(());
        };
        let Some((connection, watch)) = place else {
            return Ok(());
        };
        let wanted = match next {
            Next::Read => Watch::Reads,
            Next::Write => Watch::ReadsAndWrites,
            Next::At(due) => {
                self.timers.push(Reverse((due, key)));
                Watch::Reads
            }
            Next::Closed => {
                *place = None;
                self.connections.free.push(key);
                return Ok(());
            }
        };
        if wanted != *watch {
            *watch = wanted;
            self.poller.change(&connection.socket, key, wanted)?;
        }
        Ok(())
    }
}
