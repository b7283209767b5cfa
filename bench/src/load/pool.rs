//! Client connections to one address, driven by one thread: each carries one request at a time.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context as _, Result, anyhow, bail};

use super::response::Response;
use super::stamps::Stamps;
use crate::clock::{self, Nanos};
use crate::poller::{Poller, Ready, Watch};

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished {
    /// When it was due to be sent.
    pub(crate) due: Nanos,
    pub(crate) ended: Nanos,
    /// The answer was a complete 200.
    pub(crate) ok: bool,
}

/// Data about the events of streams, while it is wanted.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// From the upstream's write to our read, in nanoseconds.
    pub(crate) delays: Vec<Nanos>,
    /// From the moment a request was due to its first event, in nanoseconds.
    pub(crate) firsts: Vec<Nanos>,
}

struct Connection {
    socket: TcpStream,
    response: Response,
    stamps: Stamps,
    /// How much of the request is sent.
    sent: usize,
    watch: Watch,
    /// When the current request was due; `None` when idle.
    due: Option<Nanos>,
    has_event: bool,
}

pub(crate) struct Pool {
    address: SocketAddr,
    request: Vec<u8>,
    /// Whether a complete answer is a stream.
    streamed: bool,
    poller: Poller,
    connections: Vec<Connection>,
    idle: Vec<usize>,
    ready: Vec<Ready>,
    scratch: Vec<u8>,
    /// Requests that have ended, to be taken by the caller.
    pub(crate) finished: Vec<Finished>,
    /// The events of the streams, while they are wanted.
    pub(crate) events: Option<Events>,
    /// The first thing that went wrong.
    pub(crate) trouble: Option<String>,
}

impl Pool {
    pub(crate) fn new(address: SocketAddr, request: Vec<u8>, streamed: bool) -> Result<Self> {
        Ok(Self {
            address,
            request,
            streamed,
            poller: Poller::new()?,
            connections: Vec::new(),
            idle: Vec::new(),
            ready: Vec::new(),
            scratch: vec![0; 256 * 1024],
            finished: Vec::new(),
            events: None,
            trouble: None,
        })
    }

    /// Sends a different request from now on. None may be in progress.
    pub(crate) fn set_request(&mut self, request: Vec<u8>, streamed: bool) {
        self.request = request;
        self.streamed = streamed;
    }

    /// Opens one more connection, idle; returns its number.
    pub(crate) fn connect(&mut self) -> Result<usize> {
        let at = self.connections.len();
        let socket = dial(self.address)?;
        self.poller.add(&socket, at, Watch::Reads)?;
        self.connections.push(Connection {
            socket,
            response: Response::new(),
            stamps: Stamps::default(),
            sent: 0,
            watch: Watch::Reads,
            due: None,
            has_event: false,
        });
        self.idle.push(at);
        Ok(at)
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// How many requests are in progress.
    pub(crate) fn busy(&self) -> usize {
        self.connections.len() - self.idle.len()
    }

    /// When the requests in progress were due.
    pub(crate) fn due(&self) -> impl Iterator<Item = Nanos> {
        self.connections
            .iter()
            .filter_map(|connection| connection.due)
    }

    /// Takes an idle connection, which then belongs to the caller.
    pub(crate) fn take_idle(&mut self) -> Option<usize> {
        self.idle.pop()
    }

    /// Sends the request that was due at that moment. The connection is one from `take_idle`.
    pub(crate) fn begin(&mut self, at: usize, due: Nanos) -> Result<()> {
        let connection = self.connections.get_mut(at).context("no such connection")?;
        connection.due = Some(due);
        connection.sent = 0;
        connection.has_event = false;
        self.send(at)
    }

    /// Waits until something happens or that moment has come, and handles it.
    pub(crate) fn turn(&mut self, until: Nanos) -> Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(Some(until), &mut ready)?;
        for socket in &ready {
            if socket.writable {
                self.send(socket.key)?;
            }
            if socket.readable {
                self.read(socket.key)?;
            }
        }
        self.ready = ready;
        Ok(())
    }

    fn send(&mut self, at: usize) -> Result<()> {
        let connection = self.connections.get_mut(at).context("no such connection")?;
        while let Some(rest) = self
            .request
            .get(connection.sent..)
            .filter(|r| !r.is_empty())
        {
            match connection.socket.write(rest) {
                Ok(count) => connection.sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return watch(&self.poller, connection, at, Watch::ReadsAndWrites);
                }
                // An answer may have arrived before; reading will show.
                Err(_) => break,
            }
        }
        watch(&self.poller, connection, at, Watch::Reads)
    }

    fn read(&mut self, at: usize) -> Result<()> {
        let connection = self.connections.get_mut(at).context("no such connection")?;
        loop {
            let count = match connection.socket.read(&mut self.scratch) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return self.broken(at, &anyhow!(error)),
            };
            let now = clock::now();
            if count == 0 {
                let whole = connection.response.closed();
                return if whole && connection.due.is_some() {
                    self.end(at, now, true)
                } else {
                    self.broken(at, &anyhow!("the connection was closed"))
                };
            }
            let bytes = self.scratch.get(..count).unwrap_or_default();
            let (stamps, events) = (&mut connection.stamps, &mut self.events);
            let (first, due) = (&mut connection.has_event, connection.due);
            let fed = connection.response.feed(bytes, |body| {
                stamps.see(body, |sent| {
                    if let Some(events) = events {
                        events.delays.push(now.saturating_sub(sent));
                        if let (false, Some(due)) = (*first, due) {
                            events.firsts.push(now.saturating_sub(due));
                        }
                    }
                    *first = true;
                });
            });
            match fed {
                Ok(true) => {
                    let close = connection.response.head.close;
                    return self.end(at, now, close);
                }
                Ok(false) if count < self.scratch.len() => return Ok(()),
                Ok(false) => {}
                Err(error) => return self.broken(at, &error),
            }
        }
    }

    /// An answer is complete.
    fn end(&mut self, at: usize, now: Nanos, close: bool) -> Result<()> {
        let connection = self.connections.get_mut(at).context("no such connection")?;
        let Some(due) = connection.due.take() else {
            bail!("an answer that nobody asked for");
        };
        let status = connection.response.head.status;
        let complete = connection.stamps.end() || !self.streamed;
        let ok = status == 200 && complete;
        if !ok {
            let what = if complete {
                "status"
            } else {
                "a cut stream, status"
            };
            self.trouble
                .get_or_insert_with(|| format!("{what} {status}"));
        }
        self.finished.push(Finished {
            due,
            ended: now,
            ok,
        });
        if close {
            self.redial(at)?;
        }
        self.idle.push(at);
        Ok(())
    }

    /// Drops a broken connection; an idle one is simply reopened.
    fn broken(&mut self, at: usize, why: &anyhow::Error) -> Result<()> {
        self.redial(at)?;
        let connection = self.connections.get_mut(at).context("no such connection")?;
        let Some(due) = connection.due.take() else {
            return Ok(());
        };
        self.trouble.get_or_insert_with(|| format!("{why:#}"));
        self.finished.push(Finished {
            due,
            ended: clock::now(),
            ok: false,
        });
        self.idle.push(at);
        Ok(())
    }

    fn redial(&mut self, at: usize) -> Result<()> {
        let connection = self.connections.get_mut(at).context("no such connection")?;
        connection.socket = dial(self.address)?;
        connection.response = Response::new();
        connection.stamps = Stamps::default();
        connection.watch = Watch::Reads;
        self.poller.add(&connection.socket, at, Watch::Reads)
    }
}

fn watch(poller: &Poller, connection: &mut Connection, at: usize, wanted: Watch) -> Result<()> {
    if connection.watch == wanted {
        return Ok(());
    }
    connection.watch = wanted;
    poller.change(&connection.socket, at, wanted)
}

/// On loopback a connection is established at once, so this may block.
fn dial(address: SocketAddr) -> Result<TcpStream> {
    let socket =
        TcpStream::connect(address).with_context(|| format!("no connection to {address}"))?;
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
