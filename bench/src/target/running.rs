//! A running target: how to talk to it, and its processes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, bail};

use super::child::Child;
use crate::clock;
use crate::request::{self, Api};
use crate::script::Script;
use crate::usage::Tree;

/// A running target. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(super) path: &'static str,
    /// The headers of every request to it, one `Name: value` per line, each with its CRLF.
    pub(super) headers: String,
    /// `None` for the direct connection.
    pub(super) child: Option<Child>,
}

/// How long the slowest may take to start serving.
const START_LIMIT: Duration = Duration::from_secs(90);

impl Running {
    /// The request with this body.
    pub(crate) fn post(&self, body: &str) -> Vec<u8> {
        request::post(self.path, &self.headers, body)
    }

    /// The request, in the words of this API, for this answer.
    pub(crate) fn post_in(&self, api: Api, script: &Script, body_bytes: usize) -> Vec<u8> {
        let path = api.path().unwrap_or(self.path);
        request::post(path, &self.headers, &api.body(script, body_bytes))
    }

    /// The value of this header in one answer.
    pub(crate) fn header(&self, script: &Script, name: &str) -> Result<Option<String>> {
        let head = ask(self.address, &self.post(&request::body(script, 500)))?;
        let value = head.lines().find_map(|line| {
            let (header, value) = line.split_once(':')?;
            let same = header.eq_ignore_ascii_case(name);
            same.then(|| value.trim().to_owned())
        });
        Ok(value)
    }

    /// Its processes; `None` for the direct connection.
    pub(crate) fn tree(&self) -> Result<Option<Tree>> {
        let id = self.child.as_ref().map(Child::id);
        id.map(Tree::under).transpose()
    }

    /// Waits until it is nearly idle, for half a minute at most.
    pub(crate) fn until_calm(&self) -> Result<()> {
        let Some(tree) = self.tree()? else {
            return Ok(());
        };
        let pause = Duration::from_millis(200);
        for _ in 0..150 {
            let before = tree.cpu();
            std::thread::sleep(pause);
            if tree.cpu() - before < clock::nanos(pause) / 20 {
                break;
            }
        }
        Ok(())
    }

    /// Ends it, giving it time.
    pub(crate) fn stop(self) {
        if let Some(child) = &self.child {
            child.stop(Duration::from_secs(30));
        }
    }

    /// Waits until a completion gets through.
    pub(super) fn until_it_serves(&self) -> Result<()> {
        let request = self.post(&request::body(&Script::PLAIN, 500));
        let limit = clock::now() + clock::nanos(START_LIMIT);
        loop {
            let head = ask(self.address, &request);
            let serves = |head: &String| head.starts_with("HTTP/1.1 200");
            if head.as_ref().is_ok_and(serves) {
                return Ok(());
            }
            if self.child.as_ref().is_some_and(Child::has_ended) {
                bail!("it has ended");
            }
            if clock::now() > limit {
                bail!("it answers {}", head?.lines().next().unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The head of one answer, on a connection of its own.
fn ask(address: SocketAddr, request: &[u8]) -> Result<String> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
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
