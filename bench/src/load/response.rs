//! One HTTP/1.1 answer as it arrives: its status, its body without the framing, its end.

use anyhow::{Context as _, Result, bail};

const LONGEST_HEAD: usize = 64 * 1024;

/// How the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// This many bytes of the body remain.
    Length(usize),
    /// In the line with a chunk's size: the size so far, and whether it has ended.
    Size(usize, bool),
    /// This many bytes of a chunk remain, then CRLF.
    Data(usize),
    /// The line break after a chunk.
    DataEnd,
    /// After the last chunk; whether the current line is empty.
    Trailer(bool),
    /// The body ends with the connection.
    UntilClose,
}

/// What a head says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The connection closes after the answer.
    pub(super) close: bool,
}

/// An answer that arrives piece by piece.
#[derive(Debug)]
pub(super) struct Response {
    head_bytes: Vec<u8>,
    state: State,
    pub(super) head: Head,
}

impl Response {
    pub(super) fn new() -> Self {
        Self {
            head_bytes: Vec::new(),
            state: State::Head,
            head: Head::default(),
        }
    }

    /// Takes bytes, passes on those of the body; returns whether the answer is complete.
    pub(super) fn feed(&mut self, bytes: &[u8], mut body: impl FnMut(&[u8])) -> Result<bool> {
        let mut bytes = bytes;
        if self.state == State::Head {
            let before = self.head_bytes.len();
            self.head_bytes.extend_from_slice(bytes);
            let Some(length) = self.read_head()? else {
                return Ok(false);
            };
            bytes = bytes.get(length - before..).unwrap_or_default();
            self.head_bytes.clear();
            if self.state == State::Length(0) {
                return Ok(self.whole());
            }
        }
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Length(left) | State::Data(left) => {
                    let (piece, rest) = bytes.split_at((*left).min(bytes.len()));
                    *left -= piece.len();
                    bytes = rest;
                    body(piece);
                    if self.state == State::Length(0) {
                        return Ok(self.whole());
                    }
                    if self.state == State::Data(0) {
                        self.state = State::DataEnd;
                    }
                    continue;
                }
                State::UntilClose => {
                    body(bytes);
                    return Ok(false);
                }
                State::Size(size, ended) => match first {
                    b'\n' if *size == 0 => self.state = State::Trailer(true),
                    b'\n' => self.state = State::Data(*size),
                    digit if !*ended && digit.is_ascii_hexdigit() => {
                        let digit = char::from(*digit).to_digit(16).unwrap_or_default();
                        *size = *size * 16 + digit as usize;
                    }
                    // An extension, or the CR.
                    _ => *ended = true,
                },
                State::DataEnd if *first == b'\n' => self.state = State::Size(0, false),
                State::DataEnd if *first == b'\r' => {}
                State::Trailer(true) if *first == b'\n' => return Ok(self.whole()),
                State::Trailer(empty) => *empty = *first == b'\n' || (*empty && *first == b'\r'),
                State::DataEnd | State::Head => bail!("a chunk is longer than its size"),
            }
            bytes = rest;
        }
        Ok(false)
    }

    /// The connection has ended; returns whether the answer ended with it.
    pub(super) fn closed(&mut self) -> bool {
        self.state == State::UntilClose && self.whole()
    }

    /// Ready for the next answer.
    fn whole(&mut self) -> bool {
        self.state = State::Head;
        true
    }

    fn read_head(&mut self) -> Result<Option<usize>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&self.head_bytes).context("no HTTP answer")?;
        let httparse::Status::Complete(length) = parsed else {
            if self.head_bytes.len() > LONGEST_HEAD {
                bail!("the head has no end");
            }
            return Ok(None);
        };
        let header = |name: &str| {
            let mut all = response.headers.iter();
            all.find(|header| header.name.eq_ignore_ascii_case(name))
                .map(|header| header.value)
        };
        let is = |name: &str, value: &str| {
            header(name).is_some_and(|v| v.eq_ignore_ascii_case(value.as_bytes()))
        };
        self.head = Head {
            status: response.code.unwrap_or_default(),
            close: is("connection", "close"),
        };
        let size = header("content-length").and_then(|v| std::str::from_utf8(v).ok());
        self.state = if is("transfer-encoding", "chunked") {
            State::Size(0, false)
        } else if let Some(size) = size {
            State::Length(size.trim().parse().context("no Content-Length")?)
        } else {
            State::UntilClose
        };
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_same_wherever_it_is_cut() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        #[rustfmt::skip]
        let rows = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_owned(), 200, "hello", true),
            ("HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n".to_owned(),       204, "",      true),
            (format!("{chunked}3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),             200, "hello", true),
            (format!("{chunked}5;x=1\r\nhello\r\n0\r\nT: 1\r\n\r\n"),          200, "hello", true),
            (format!("{chunked}5\r\nhello\r\n"),                               200, "hello", false),
            ("HTTP/1.1 429 Slow\r\nConnection: close\r\n\r\nhello".to_owned(), 429, "hello", false),
        ];
        for (text, status, expected, whole) in rows {
            for size in [1, 2, 3, 1000] {
                let mut response = Response::new();
                let mut body = Vec::new();
                let mut ended = false;
                for piece in text.as_bytes().chunks(size) {
                    assert!(!ended, "{text}");
                    ended = response
                        .feed(piece, |bytes| body.extend_from_slice(bytes))
                        .expect("an answer");
                }
                assert_eq!(body, expected.as_bytes(), "{text}");
                assert_eq!((response.head.status, ended), (status, whole), "{text}");
                assert_eq!(response.closed(), text.contains("close"), "{text}");
            }
        }
    }
}
