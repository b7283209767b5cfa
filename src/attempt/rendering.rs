//! How a stream looks to the client: as the upstream sent it, or as another API would.

use std::borrow::Cow;

use bytes::Bytes;

use crate::answer::{Said, Usage, read_counted};
use crate::clients::Frame;
use crate::json::{self, Raw};
use crate::request::Endpoint;
use crate::surface::{self, Surface};

/// OpenAI's end of a stream.
const DONE: &[u8] = b"data: [DONE]\n\n";

/// How a stream looks to the client.
#[derive(Debug)]
pub enum Rendering {
    /// As the upstream sent it.
    AsItCame(Endpoint),
    /// As another API would send it, event by event.
    Translated {
        /// The translation so far.
        stream: surface::Stream,
        /// Into which API.
        surface: Surface,
    },
}

impl Rendering {
    /// What an event says, and what was used, if it states that. What the client gets of it is written to
    /// `out`, unless the stream goes out as the upstream sent it.
    ///
    /// # Errors
    /// When its payload is not JSON.
    pub(super) fn event(
        &mut self,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(Said, Usage), json::Error> {
        match self {
            Self::AsItCame(endpoint) => read_counted(payload, *endpoint),
            Self::Translated { stream, .. } => stream.event(payload, out),
        }
    }

    /// How many bytes of the answer are held back.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::AsItCame(_) => 0,
            Self::Translated { stream, .. } => stream.held(),
        }
    }

    /// The proper end of the stream.
    pub fn done(&mut self) -> Bytes {
        match self {
            Self::AsItCame(_) => Bytes::from_static(DONE),
            Self::Translated { stream, .. } => {
                let mut out = Vec::new();
                stream.done(&mut out);
                out.into()
            }
        }
    }

    /// The end of a stream that failed. `error` is the body of an error in OpenAI's shape.
    pub fn failed(&mut self, error: &[u8]) -> Bytes {
        self.failed_as(error, Frame::Plain)
    }

    /// The same, in the frame that this client needs.
    pub fn failed_as(&mut self, error: &[u8], frame: Frame) -> Bytes {
        match self {
            Self::AsItCame(_) => [b"data: ", &*one_line(error), b"\n\n", DONE]
                .concat()
                .into(),
            Self::Translated { stream, .. } => {
                let mut out = Vec::new();
                let told = Told::read(error);
                let failure = surface::StreamError {
                    behind_a_block: frame == Frame::BehindABlock,
                    ..told.failure()
                };
                stream.fail(&failure, &mut out);
                out.into()
            }
        }
    }

    /// What is sent now and again while a model is silent in the middle of its answer.
    pub(super) fn keepalive(&self) -> &'static [u8] {
        match self {
            Self::AsItCame(_) => Surface::Chat.keepalive(),
            Self::Translated { surface, .. } => surface.keepalive(),
        }
    }

    /// What is sent at once, and then now and again, while waiting for a model.
    #[must_use]
    pub fn waiting(&self) -> &'static [u8] {
        match self {
            Self::AsItCame(_) => b": waiting for a model\n\n",
            Self::Translated { surface, .. } => surface.keepalive(),
        }
    }
}

/// What an error says.
struct Told {
    code: String,
    kind: String,
    message: String,
}

impl Told {
    /// An upstream's own error may lack any of them, and its `code` may be a number.
    fn read(body: &[u8]) -> Self {
        let error = Raw::parse(body, json::MAX_DEPTH)
            .ok()
            .and_then(|body| body.get("error"));
        let [message, kind, code] = error
            .map(|error| error.pick(["message", "type", "code"]))
            .unwrap_or_default();
        let text = |value: Option<Raw<'_>>| value.and_then(Raw::as_str).map(Cow::into_owned);
        let is_request = code
            .and_then(Raw::as_u64)
            .is_some_and(|code| (400..500).contains(&code));
        let usual = if is_request {
            "invalid_request_error"
        } else {
            "upstream_error"
        };
        Self {
            code: text(code).unwrap_or_default(),
            kind: text(kind).unwrap_or_else(|| usual.to_owned()),
            message: text(message).unwrap_or_else(|| "The request failed.".to_owned()),
        }
    }

    fn failure(&self) -> surface::StreamError<'_> {
        surface::StreamError {
            code: &self.code,
            kind: &self.kind,
            message: &self.message,
            behind_a_block: false,
        }
    }
}

/// JSON on one line: an upstream's error may be printed on several, which an event cannot hold.
/// Line ends occur only between JSON's tokens, never inside its strings.
fn one_line(json: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', json).is_none() {
        return Cow::Borrowed(json);
    }
    let flat = json
        .iter()
        .map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b });
    Cow::Owned(flat.collect())
}
