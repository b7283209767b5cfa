//! One request as it arrives: the head is parsed, of the body only both ends are kept.

use anyhow::{Context as _, Result, bail};

use super::documents;
use crate::script::Script;

/// How much of a body's beginning and end is kept: the script is in one of them.
const EDGE: usize = 512;
const LONGEST_HEAD: usize = 64 * 1024;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A document.
    Get(String),
    /// A completion.
    Chat(Script),
    /// A completion, from the rate-limited model.
    Limited,
}

/// A request that arrives piece by piece.
#[derive(Default)]
pub(super) struct Incoming {
    head: Vec<u8>,
    /// The path, once the head is complete, and whether it is a POST.
    path: Option<(String, bool)>,
    /// Bytes of the body still to come.
    left: usize,
    edges: Edges,
}

/// The beginning and the end of a body.
#[derive(Default)]
pub(super) struct Edges {
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Incoming {
    /// Takes bytes; returns what is asked for once the request is complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Asked>> {
        let mut bytes = bytes;
        if self.path.is_none() {
            let before = self.head.len();
            self.head.extend_from_slice(bytes);
            let Some(length) = self.read_head()? else {
                return Ok(None);
            };
            bytes = bytes.get(length - before..).unwrap_or_default();
        }
        self.edges.keep(bytes);
        self.left = self.left.saturating_sub(bytes.len());
        if self.left > 0 {
            return Ok(None);
        }
        let asked = match self.path.take() {
            Some((path, false)) => Asked::Get(path),
            Some((_, true)) | None => self.edges.chat(),
        };
        self.head.clear();
        self.edges = Edges::default();
        Ok(Some(asked))
    }

    /// Its length, if it is complete.
    fn read_head(&mut self) -> Result<Option<usize>> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(&self.head).context("no HTTP request")?;
        let httparse::Status::Complete(length) = parsed else {
            if self.head.len() > LONGEST_HEAD {
                bail!("the head has no end");
            }
            return Ok(None);
        };
        let header = |name: &str| {
            let mut all = request.headers.iter();
            all.find(|header| header.name.eq_ignore_ascii_case(name))
                .and_then(|header| std::str::from_utf8(header.value).ok())
        };
        if header("transfer-encoding").is_some() {
            bail!("a chunked request: this upstream wants a Content-Length");
        }
        self.left = match header("content-length") {
            Some(text) => text.trim().parse().context("no Content-Length")?,
            None => 0,
        };
        let path = request.path.unwrap_or_default().to_owned();
        self.path = Some((path, request.method == Some("POST")));
        Ok(Some(length))
    }
}

impl Edges {
    /// Takes the next bytes of the body.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        let room = EDGE.saturating_sub(self.first.len());
        if room > 0 {
            self.first
                .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        }
        match bytes.len().checked_sub(EDGE) {
            Some(from) => {
                self.last.clear();
                self.last
                    .extend_from_slice(bytes.get(from..).unwrap_or_default());
            }
            None => {
                self.last.extend_from_slice(bytes);
                let excess = self.last.len().saturating_sub(EDGE);
                self.last.drain(..excess);
            }
        }
    }

    /// Which completion is asked for.
    pub(super) fn chat(&self) -> Asked {
        let limited = documents::LIMITED.as_bytes();
        let edges = [&self.first, &self.last];
        if edges
            .iter()
            .any(|edge| memchr::memmem::find(edge, limited).is_some())
        {
            return Asked::Limited;
        }
        let script = edges.iter().find_map(|edge| Script::find(edge));
        Asked::Chat(script.unwrap_or(Script::PLAIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request;

    #[test]
    fn a_request_is_understood_wherever_it_is_cut() {
        let script = Script::stream(3, std::time::Duration::from_millis(5));
        let body = request::body(&script, 3000);
        let chat = request::post("/api/v1/chat/completions", "", &body);
        let last = body.replacen(&format!("{script} "), "", 1);
        let last = format!(r#"{},"prompt":"{script}"}}"#, last.trim_end_matches('}'));
        let limited = body.replace("auto", documents::LIMITED);
        let rows = [
            (chat, Asked::Chat(script)),
            (request::post("/x", "", &last), Asked::Chat(script)),
            (request::post("/x", "", &limited), Asked::Limited),
            (request::post("/x", "", "{}"), Asked::Chat(Script::PLAIN)),
            (
                b"GET /api/v1/models HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
                Asked::Get("/api/v1/models".into()),
            ),
        ];
        for (request, expected) in rows {
            for size in [1, 7, 512, 4096] {
                let mut incoming = Incoming::default();
                // Twice over the same connection.
                for _ in 0..2 {
                    let mut asked = None;
                    for piece in request.chunks(size) {
                        assert_eq!(asked, None);
                        asked = incoming.feed(piece).expect("a request");
                    }
                    assert_eq!(asked.as_ref(), Some(&expected));
                }
            }
        }
    }
}
