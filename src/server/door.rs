//! The door: a body in the words of one API becomes the request that is walked, and the answer is
//! put back into the same words. The translation itself is in `surface`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::App;
use super::error::ProxyError;
use crate::attempt::{Rendering, Wording};
use crate::clock::Now;
use crate::config::Limits;
use crate::request::{ChatRequest, Endpoint};
use crate::surface::{self, Dropped, Ids, LARGE, Surface, Translated, messages, responses};

/// Names what a request asked for and a translation had to leave out.
pub(super) const DROPPED_HEADER: HeaderName = HeaderName::from_static("x-free-llm-proxy-dropped");

/// A request that can be walked, and the form its answer must have.
pub(super) struct Entered {
    pub(super) request: ChatRequest,
    pub(super) voice: Voice,
    /// How the client calls its session in the words of another API.
    pub(super) session: Option<Box<str>>,
}

/// How a request is answered.
pub(super) struct Voice {
    surface: Surface,
    /// `None` if the answer goes out unchanged.
    reply: Option<surface::Reply>,
    dropped: Dropped,
    request_id: String,
}

/// Reads a body in the words of `surface`.
pub(super) async fn enter(
    app: &App,
    surface: Surface,
    bytes: Bytes,
    request_id: &str,
) -> Result<Entered, ProxyError> {
    let limits = &app.limits;
    let read = if bytes.len() < LARGE {
        read(surface, bytes, limits)
    } else {
        let limits = limits.clone();
        tokio::task::spawn_blocking(move || read(surface, bytes, &limits))
            .await
            .map_err(|_| ProxyError::Internal)?
    };
    let (request, translated) = read.map_err(ProxyError::Invalid)?;
    let (reply, dropped, session) = translated.map_or_else(Default::default, |translated| {
        let Translated {
            reply,
            dropped,
            session,
            ..
        } = translated;
        (Some(reply), dropped, session)
    });
    let voice = Voice {
        surface,
        reply,
        dropped,
        request_id: request_id.to_owned(),
    };
    Ok(Entered {
        request,
        voice,
        session,
    })
}

/// A request, and what its translation was, where there was one.
type Read = (ChatRequest, Option<Translated>);

fn read(surface: Surface, bytes: Bytes, limits: &Limits) -> Result<Read, surface::Invalid> {
    let depth = limits.max_json_depth;
    let as_it_came = |endpoint| {
        let request = ChatRequest::read_for(endpoint, bytes.clone(), depth)?;
        Ok((request, None))
    };
    let translated = match surface {
        Surface::Chat => return as_it_came(Endpoint::Chat),
        Surface::Completions => return as_it_came(Endpoint::Completions),
        Surface::Responses => responses::read(&bytes, depth)?,
        Surface::Messages => messages::read(&bytes, depth)?,
    };
    let request = ChatRequest::read(translated.chat.clone(), depth + surface::EXTRA_DEPTH)?;
    Ok((request, Some(translated)))
}

/// What was left out, as a header value; `None` if everything was carried over.
pub(super) fn in_words(dropped: &Dropped) -> Option<String> {
    let names = || dropped.names().collect::<Vec<_>>().join(", ");
    (!dropped.is_empty()).then(names)
}

impl Voice {
    /// How the stream of this request's answer is translated.
    pub(super) fn rendering(self) -> Rendering {
        let ids = self.ids();
        match (self.reply, self.surface) {
            (Some(reply), surface) => Rendering::Translated {
                stream: reply.stream(ids),
                surface,
            },
            (None, Surface::Completions) => Rendering::AsItCame(Endpoint::Completions),
            (None, _) => Rendering::AsItCame(Endpoint::Chat),
        }
    }

    /// How a plain answer is translated; `None` if it goes out unchanged.
    pub(super) fn wording(&self) -> Option<Wording> {
        let reply = self.reply.clone()?;
        let ids = self.ids();
        Some(Wording { reply, ids })
    }

    /// Reports in an answer's head what was left out: by the translation and, if a provider
    /// answered, of what it was sent.
    pub(super) fn name_dropped(&self, headers: &mut HeaderMap, by_provider: Option<&Dropped>) {
        let mut dropped = self.dropped.clone();
        by_provider.into_iter().for_each(|more| dropped.join(more));
        if let Some(names) = in_words(&dropped)
            && let Ok(names) = HeaderValue::from_str(&names)
        {
            headers.insert(DROPPED_HEADER, names);
        }
    }

    fn ids(&self) -> Ids {
        let now = Now::read().wall;
        let since = now.duration_since(std::time::UNIX_EPOCH);
        Ids {
            id: self.request_id.clone(),
            created: since.map_or(0, |since| since.as_secs()),
        }
    }
}
