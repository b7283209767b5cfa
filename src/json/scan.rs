//! The scanner under the reader: one pass, byte by byte except in strings.

use std::borrow::Cow;

use super::stops::Stops;
use super::{Error, Problem, Raw};

/// A position in a text, and what may come next there.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    max_depth: usize,
    stops: Stops,
    /// The last string has an escape.
    escaped: bool,
}

type Scan<T> = Result<T, Error>;

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, max_depth: usize) -> Self {
        Self {
            text,
            at: 0,
            max_depth,
            stops: Stops::default(),
            escaped: false,
        }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Only white space may follow.
    pub(super) fn end(&mut self) -> Scan<()> {
        self.space();
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(self.fault())
        }
    }

    /// Skips one value and returns its text. `depth` is the number of enclosing containers.
    pub(super) fn value(&mut self, depth: usize) -> Scan<&'a str> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'{') => self.container(depth, b'{', b'}')?,
            Some(b'[') => self.container(depth, b'[', b']')?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(_) | None => return Err(self.fault()),
        }
        Ok(self.since(start))
    }

    fn container(&mut self, depth: usize, open: u8, close: u8) -> Scan<()> {
        if depth >= self.max_depth {
            return Err(Error {
                at: self.at,
                problem: Problem::TooDeep,
            });
        }
        let mut more = self.enter(open, close)?;
        while more {
            if open == b'{' {
                self.string()?;
                self.colon()?;
            }
            self.value(depth + 1)?;
            more = self.more(close)?;
        }
        Ok(())
    }

    /// Steps into a container; returns whether it is non-empty, positioned before its first item.
    pub(super) fn enter(&mut self, open: u8, close: u8) -> Scan<bool> {
        self.take(open)?;
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// After a value in a container: steps over the comma, or out of the container.
    pub(super) fn more(&mut self, close: u8) -> Scan<bool> {
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        self.take(b',')?;
        self.space();
        Ok(true)
    }

    /// Skips a member's name and the colon after it, and returns the name, unescaped.
    pub(super) fn name(&mut self) -> Scan<Cow<'a, str>> {
        let name = self.string()?;
        let inner = name.get(1..name.len() - 1).unwrap_or_default();
        let name = if self.escaped {
            // With an escape that is not a character (a lone surrogate) it cannot be a known name.
            Raw(name).as_str().unwrap_or(Cow::Borrowed(name))
        } else {
            Cow::Borrowed(inner)
        };
        self.colon()?;
        Ok(name)
    }

    fn colon(&mut self) -> Scan<()> {
        self.space();
        self.take(b':')?;
        self.space();
        Ok(())
    }

    /// Skips a string and returns it with its quotes.
    pub(super) fn string(&mut self) -> Scan<&'a str> {
        let start = self.at;
        self.take(b'"')?;
        // Copies, which stay in registers between stops.
        let (bytes, mut stops) = (self.text.as_bytes(), self.stops);
        let first = stops.next(bytes, self.at);
        let mut at = first;
        let whole = loop {
            match bytes.get(at) {
                Some(b'"') => break true,
                Some(b'\\') => match behind_escape(bytes, at) {
                    Ok(behind) => at = stops.next(bytes, behind),
                    Err(fault) => {
                        at = fault;
                        break false;
                    }
                },
                Some(_) | None => break false,
            }
        };
        (self.stops, self.at, self.escaped) = (stops, at, at != first);
        if !whole {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(self.since(start))
    }

    fn number(&mut self) -> Scan<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Scan<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            Err(self.fault())
        } else {
            Ok(())
        }
    }

    fn word(&mut self, word: &str) -> Scan<()> {
        word.bytes().try_for_each(|b| self.take(b))
    }

    fn take(&mut self, byte: u8) -> Scan<()> {
        if self.peek() != Some(byte) {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn fault(&self) -> Error {
        let problem = if self.at >= self.text.len() {
            Problem::CutShort
        } else {
            Problem::Syntax
        };
        Error {
            at: self.at,
            problem,
        }
    }
}

/// What may follow a backslash, except `u`: a table, because no processor can predict branches on
/// these eight characters.
const ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut escaped: &[u8] = b"\"\\/bfnrt";
    while let [first, rest @ ..] = escaped {
        table[*first as usize] = true;
        escaped = rest;
    }
    table
};

/// The position after the escape whose backslash is at `at`; else of the first byte in it that is
/// wrong.
fn behind_escape(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let Some(escaped) = bytes.get(at + 1) else {
        return Err(at + 1);
    };
    if ESCAPED[usize::from(*escaped)] {
        return Ok(at + 2);
    }
    if *escaped != b'u' {
        return Err(at + 1);
    }
    let digit = |at: &usize| bytes.get(*at).is_some_and(u8::is_ascii_hexdigit);
    (at + 2..at + 6)
        .find(|at| !digit(at))
        .map_or(Ok(at + 6), Err)
}
