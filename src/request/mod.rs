//! The client's body, parsed only as far as routing needs (spec §4, §4.1).
//!
//! Pure. One pass over the top level checks the whole text; what goes upstream are slices of the
//! bytes that came in, with `model` replaced, and at providers other than OpenRouter with the
//! changes their rows require (`rewrite`). No value is rebuilt.

mod body;
mod coding;
mod dropped;
mod endpoint;
mod limits;
mod names;
mod needs;
mod opening;
mod policy;
mod prompt;
mod refused;
mod rewrite;
mod routing;

use bytes::Bytes;

use crate::json::{self, Members, Raw};
use crate::model::{Capabilities, Capability, ModelId, Offer, Wish};

use body::Edits;
pub use body::UpstreamBody;
pub use coding::{Coding, UnknownCoding, Unpackable};
pub use dropped::Dropped;
pub use endpoint::Endpoint;
use limits::Counts;
pub use limits::{MAX_FIELDS, MAX_MESSAGES, MAX_PARTS, MAX_STOPS, MAX_TOOLS};
pub use names::Names;
pub use needs::Needs;
pub use opening::Opening;
pub use policy::Fields;
use prompt::{Messages, Prompt};
pub use refused::FieldName;
pub use routing::Routing;

/// A request for a completion, parsed as far as the proxy needs.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    bytes: Bytes,
    edits: Edits,
    /// Where it goes upstream.
    pub endpoint: Endpoint,
    /// What a model must be able to do to serve it.
    pub needs: Needs,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// What its `model` field asks for.
    pub asked: Asked,
    /// How far it influences what serves it, where a router reads that.
    pub routing: Routing,
    /// The same where none does: what it asks of a model.
    asks: Routing,
    /// A stream's usage was asked for (`stream_options.include_usage`).
    pub wants_usage: bool,
    /// What of it tells its session.
    pub opening: Opening,
}

/// What a request's `model` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The proxy chooses, by this wish; by `auto` where there is no `model`.
    Wish(Wish),
    /// A model by name.
    Named(String),
}

impl Asked {
    fn read(model: Option<Raw<'_>>) -> Self {
        let Some(model) = present(model) else {
            return Self::Wish(Wish::Auto);
        };
        // What is no text is no valid name; noted, and otherwise treated as absent.
        let name = model.as_str().unwrap_or_default();
        let wish = Wish::named(&name).map(Self::Wish);
        wish.unwrap_or_else(|| Self::Named(name.into_owned()))
    }

    /// By which wish candidates are chosen: among those of a name, and behind it, by `auto`.
    #[must_use]
    pub fn wish(&self) -> Wish {
        match self {
            Self::Wish(wish) => *wish,
            Self::Named(_) => Wish::Auto,
        }
    }
}

/// Why a body is refused (spec §3: `invalid_json`, `invalid_request`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// Its `Content-Encoding` is wrong.
    #[error("the body is not the {0} that its Content-Encoding names")]
    Packed(Coding),
    /// Not JSON. Only the place is reported.
    #[error("the body is {0}")]
    Json(json::Error),
    /// Nested deeper than `MAX_JSON_DEPTH`.
    #[error("the body nests deeper than {limit} levels")]
    TooDeep {
        /// The setting.
        limit: usize,
    },
    /// JSON, but not an object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A duplicate name: choosing one of the two would be a guess.
    #[error("the field \"{0}\" appears twice in the body")]
    Duplicate(&'static str),
    /// The same, for a field the proxy does not know by name.
    #[error("a field appears twice in the body")]
    DuplicateUnknown,
    /// More top-level fields than any API has.
    #[error("the body has more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// More of something than any agent sends.
    #[error("\"{field}\" has more than {limit} {what}")]
    TooMany {
        /// The field.
        field: &'static str,
        /// What there is too much of, as the sentence names it.
        what: &'static str,
        /// The maximum.
        limit: usize,
    },
    /// The model's input is missing.
    #[error("\"{0}\" is required")]
    Missing(&'static str),
    /// The same, but there is an input under the name that another API uses.
    #[error("\"{missing}\" is required; a body with \"{found}\" belongs to {path}")]
    Elsewhere {
        /// The name it should have.
        missing: &'static str,
        /// The name that was found.
        found: &'static str,
        /// Where that name is understood.
        path: &'static str,
    },
    /// Not exactly one of several fields.
    #[error("the body must have exactly one of {of}, and has {found}")]
    NotOne {
        /// The fields, as the sentence names them.
        of: &'static str,
        /// How many of them it has.
        found: usize,
    },
    /// A field has the wrong type.
    #[error("\"{field}\" must be {expected}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

impl InvalidRequest {
    /// The error for a body that could not be read within `limit` levels.
    #[must_use]
    pub fn unreadable(error: json::Error, limit: usize) -> Self {
        match error.problem {
            json::Problem::TooDeep => Self::TooDeep { limit },
            json::Problem::NotUtf8 | json::Problem::Syntax | json::Problem::CutShort => {
                Self::Json(error)
            }
        }
    }

    /// The field it concerns, for the error's `param`.
    #[must_use]
    pub fn param(&self) -> Option<&'static str> {
        match self {
            Self::Duplicate(field)
            | Self::Missing(field)
            | Self::Elsewhere { found: field, .. }
            | Self::TooMany { field, .. }
            | Self::WrongType { field, .. } => Some(field),
            Self::Packed(_)
            | Self::Json(_)
            | Self::TooDeep { .. }
            | Self::NotAnObject
            | Self::NotOne { .. }
            | Self::DuplicateUnknown
            | Self::TooManyFields => None,
        }
    }
}

/// The top-level fields that are examined; all others pass unseen.
#[derive(Default)]
struct Seen<'a> {
    model: Option<Raw<'a>>,
    /// `messages` or `prompt`.
    input: Option<Raw<'a>>,
    stream: Option<Raw<'a>>,
    stream_options: Option<Raw<'a>>,
    needs: needs::Fields<'a>,
}

impl<'a> Seen<'a> {
    /// The slot of a field that is examined, with its name.
    fn slot(
        &mut self,
        key: &str,
        endpoint: Endpoint,
    ) -> Option<(&'static str, &mut Option<Raw<'a>>)> {
        match key {
            "model" => Some(("model", &mut self.model)),
            key if key == endpoint.input() => Some((endpoint.input(), &mut self.input)),
            "stream" => Some(("stream", &mut self.stream)),
            "stream_options" => Some(("stream_options", &mut self.stream_options)),
            _ => self.needs.slot(key),
        }
    }
}

impl ChatRequest {
    /// Reads the body of a chat completion request, of at most `max_depth` levels.
    ///
    /// # Errors
    /// The first thing that makes it invalid. What only the upstream can judge (an empty
    /// `messages`, an unusual `temperature`) passes.
    pub fn read(bytes: Bytes, max_depth: usize) -> Result<Self, InvalidRequest> {
        Self::read_for(Endpoint::Chat, bytes, max_depth)
    }

    /// The same for any endpoint.
    ///
    /// # Errors
    /// As above.
    pub fn read_for(
        endpoint: Endpoint,
        bytes: Bytes,
        max_depth: usize,
    ) -> Result<Self, InvalidRequest> {
        let faulty = |e: json::Error| InvalidRequest::unreadable(e, max_depth);
        let mut members = Members::open(&bytes, max_depth)
            .map_err(faulty)?
            .ok_or(InvalidRequest::NotAnObject)?;
        let mut fields = Seen::default();
        let mut names = Names::default();
        let mut edits = Edits::default();
        let mut opening = Opening::default();
        let mut messages = Messages::default();
        let mut counts = Counts::default();
        let (mut routing, mut asks) = (Routing::Ours, Routing::Ours);
        while let Some(member) = members
            .next_through(|name, value| {
                match name {
                    "messages" if endpoint == Endpoint::Chat => {
                        messages = Messages::read(value, &mut counts)?;
                    }
                    "tools" => {
                        let of_tools = Routing::of_tools(value, &mut counts.tools)?;
                        routing = routing.max(of_tools);
                        asks = asks.max(of_tools.min(Routing::Asks));
                    }
                    "functions" => counts.functions = value.count()?,
                    "stop" => counts.stops = value.count()?,
                    name => {
                        let value = value.value()?;
                        routing = routing.max(Routing::of(name, value));
                        asks = asks.max(Routing::of_model(name, value));
                    }
                }
                Ok(())
            })
            .map_err(faulty)?
        {
            let slot = fields.slot(&member.key, endpoint);
            let known = slot.as_ref().map(|(name, _)| *name);
            if let Some((_, slot)) = slot {
                *slot = Some(member.value);
            }
            edits.see(&member);
            opening.see(&member, &messages, &bytes);
            names.add(member.key, known)?;
        }
        counts.check()?;
        let stream = match present(fields.stream).map(|v| v.as_bool()) {
            None => false,
            Some(Some(stream)) => stream,
            Some(None) => {
                return Err(InvalidRequest::WrongType {
                    field: "stream",
                    expected: "a boolean",
                });
            }
        };
        let field = endpoint.input();
        let input = present(fields.input).ok_or_else(|| endpoint.missing(&names))?;
        if let Some(expected) = endpoint.misfit(input.kind()) {
            return Err(InvalidRequest::WrongType { field, expected });
        }
        let prompt = Prompt::new(
            bytes.slice_ref(input.text().as_bytes()),
            messages.has_images,
        );
        let asked = Asked::read(fields.model);
        let needs = Needs::read(&fields.needs, prompt, endpoint);
        let usage = present(fields.stream_options).and_then(|options| options.get("include_usage"));
        Ok(Self {
            routing,
            asks,
            wants_usage: usage.and_then(Raw::as_bool) == Some(true),
            edits,
            endpoint,
            needs,
            stream,
            asked,
            opening,
            bytes,
        })
    }

    /// How far it influences what serves it, at a provider that is a router itself or that is none: asked only
    /// if that matters to this request.
    #[must_use]
    pub fn routing_at(&self, is_router: impl FnOnce() -> bool) -> Routing {
        if self.routing != self.asks && is_router() {
            self.routing
        } else {
            self.asks
        }
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The body to send to an offer, and what was left out of it.
    ///
    /// To OpenRouter it is [`ChatRequest::body_as_it_came`]. To another provider it is the same,
    /// except for the changes in the provider's `fields`, for what the offer is not `able` to do,
    /// and for the fields that it was found to refuse (spec §10.6).
    #[must_use]
    pub fn body_for(
        &self,
        offer: &Offer,
        able: Capabilities,
        fields: &Fields,
        refused: &[FieldName],
    ) -> (UpstreamBody, Dropped) {
        if offer.provider.is_openrouter() {
            return (self.body_as_it_came(&offer.id), Dropped::default());
        }
        rewrite::rewrite(&self.bytes, self.endpoint, offer, able, fields, refused)
    }

    /// The client's body with `model` set, and `models` and `route` removed (spec §3.1).
    #[must_use]
    pub fn body_as_it_came(&self, model: &ModelId) -> UpstreamBody {
        self.edits.apply(&self.bytes, model)
    }

    /// The field that an error answer says is unknown or unsupported, at a provider with these
    /// `fields`: under the name that it has in the request (spec §10.6). It is looked for in the
    /// answer's own fields and at the beginning of its message, never in text that may quote the
    /// request.
    #[must_use]
    pub fn refused_field(&self, status: u16, body: &[u8], fields: &Fields) -> Option<FieldName> {
        let members = rewrite::top_level(&self.bytes);
        let has = |name: &str| members.iter().any(|member| member.key == name);
        refused::refused_field(status, body, |name| {
            let name = fields.original(name, has);
            has(name).then(|| FieldName::new(name)).flatten()
        })
    }

    /// What an offer lacks if it refuses a field without which the answer would have another form,
    /// so that only another offer can serve the request; `None` if the field may be left out.
    #[must_use]
    pub fn lost_without(&self, name: FieldName) -> Option<Capability> {
        let lost = policy::form(name.as_str())?;
        let members = rewrite::top_level(&self.bytes);
        let mut of_the_name = members.iter().filter(|member| member.key == name.as_str());
        let with_tools = rewrite::has_tools(&members);
        let asks = |value: Raw<'_>| {
            !value.is_null() && !rewrite::is_default(name.as_str(), value, with_tools)
        };
        let is_lost = of_the_name.any(|member| asks(member.value));
        is_lost.then(|| lost.first().copied())?
    }
}

/// `null` counts as absent (spec §4.1).
fn present(value: Option<Raw<'_>>) -> Option<Raw<'_>> {
    value.filter(|v| !v.is_null())
}

#[cfg(test)]
mod tests;
