//! One connection to the upstream: reads a request, plays its answer, reads the next.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Result, bail};

use super::Answers;
use super::answer::{self, Event};
use super::asked::{Asked, Incoming};
use crate::clock::{self, Nanos};
use crate::script::Script;

/// What a connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Its next request, or the rest of one.
    Read,
    /// Room to write.
    Write,
    /// This moment, for the next event of a stream.
    At(Nanos),
    /// Nothing: it has ended.
    Closed,
}

/// A streamed answer in progress.
struct Stream {
    event: Event,
    script: Script,
    /// Events sent so far.
    sent: u32,
    /// When the next burst is due.
    due: Nanos,
}

impl Stream {
    /// Counts an event; returns whether it was the last of a burst.
    fn has_sent_one(&mut self) -> bool {
        self.sent += 1;
        let ended =
            self.sent == self.script.chunks || self.sent.is_multiple_of(self.script.burst.max(1));
        if ended {
            self.due += clock::nanos(self.script.gap);
        }
        ended
    }
}

pub(super) struct Connection {
    pub(super) socket: TcpStream,
    incoming: Incoming,
    /// Bytes that the socket had no room for, and how many of them it has taken since.
    unsent: (Vec<u8>, usize),
    stream: Option<Stream>,
    close: bool,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            incoming: Incoming::default(),
            unsent: (Vec::new(), 0),
            stream: None,
            close: false,
        }
    }

    /// Reads what has arrived, and answers a request once it is complete.
    pub(super) fn read(&mut self, scratch: &mut [u8], answers: &mut Answers) -> Result<Next> {
        loop {
            let count = match self.socket.read(scratch) {
                Ok(0) => return Ok(Next::Closed),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Read),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Ok(Next::Closed),
            };
            let bytes = scratch.get(..count).unwrap_or_default();
            if let Some(asked) = self.incoming.feed(bytes)? {
                if self.stream.is_some() || !self.unsent.0.is_empty() {
                    bail!("a request before the answer to the last one has ended");
                }
                return self.answer(asked, answers);
            }
            if count < scratch.len() {
                return Ok(Next::Read);
            }
        }
    }

    fn answer(&mut self, asked: Asked, answers: &mut Answers) -> Result<Next> {
        let script = match asked {
            Asked::Get(path) => return self.whole(answers.document(&path)),
            Asked::Limited => return self.whole(&answers.limited),
            Asked::Chat(script) => script,
        };
        self.close = script.close;
        if script.chunks == 0 {
            let answer = if script.close {
                &answers.plain_closing
            } else {
                &answers.plain
            };
            return self.whole(answer);
        }
        self.stream = Some(Stream {
            event: answers.event(script.text_bytes),
            script,
            sent: 0,
            due: clock::now(),
        });
        // Together with the first event, as one write.
        self.unsent = (answer::STREAM_HEAD.to_vec(), 0);
        self.play(answers)
    }

    fn whole(&mut self, bytes: &[u8]) -> Result<Next> {
        Ok(if self.send(bytes) {
            self.ended()
        } else {
            Next::Write
        })
    }

    /// Continues the stream, if something is due.
    pub(super) fn when_due(&mut self, answers: &Answers) -> Result<Next> {
        if !self.unsent.0.is_empty() {
            return Ok(Next::Write);
        }
        match &self.stream {
            Some(stream) if stream.due <= clock::now() => self.play(answers),
            // The timer belonged to an earlier stream.
            Some(_) | None => Ok(Next::Read),
        }
    }

    /// Continues with unsent bytes, and with the stream.
    pub(super) fn go_on(&mut self, answers: &Answers) -> Result<Next> {
        if !self.flush() {
            return Ok(Next::Write);
        }
        if self.stream.is_some() {
            self.play(answers)
        } else {
            Ok(self.ended())
        }
    }

    /// Sends the events that are due. Unsent bytes go out with the first of them.
    fn play(&mut self, answers: &Answers) -> Result<Next> {
        let Some(mut stream) = self.stream.take() else {
            return Ok(self.ended());
        };
        let mut bytes = std::mem::take(&mut self.unsent.0);
        while stream.sent < stream.script.chunks {
            let now = clock::now();
            if now < stream.due {
                let due = stream.due;
                self.stream = Some(stream);
                return Ok(Next::At(due));
            }
            bytes.extend_from_slice(stream.event.stamped(now));
            if stream.has_sent_one() || !stream.script.together {
                let sent = self.send(&bytes);
                bytes.clear();
                if !sent {
                    self.stream = Some(stream);
                    return Ok(Next::Write);
                }
            }
        }
        self.whole(&answers.stream_end)
    }

    fn ended(&self) -> Next {
        if self.close { Next::Closed } else { Next::Read }
    }

    /// Whether all of it was sent; if not, the rest is kept.
    fn send(&mut self, bytes: &[u8]) -> bool {
        match self.socket.write(bytes) {
            Ok(count) if count == bytes.len() => true,
            Ok(count) => {
                let rest = bytes.get(count..).unwrap_or_default();
                self.unsent = (rest.to_vec(), 0);
                false
            }
            // A failure shows up again, for good, when the rest is written.
            Err(_) => {
                self.unsent = (bytes.to_vec(), 0);
                false
            }
        }
    }

    /// Whether nothing is left unsent.
    fn flush(&mut self) -> bool {
        let (bytes, sent) = &mut self.unsent;
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(count) => *sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                // The peer is gone: the next read reports that.
                Err(_) => {
                    self.stream = None;
                    self.close = true;
                    *sent = bytes.len();
                }
            }
        }
        bytes.clear();
        *sent = 0;
        true
    }
}
