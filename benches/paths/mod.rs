//! The hot paths through the pure modules, each with its input, by name. The micro-benchmarks time
//! them, the instruction counts count them: both do the same work.
//!
//! Only the library's public API is used here.
#![expect(
    clippy::expect_used,
    reason = "the input is our own, and a path that fails must not be timed"
)]

mod choosing;
mod counting;
mod input;
mod keeping;

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use free_llm_proxy::answer::{Mender, Said, read as read_answer};
use free_llm_proxy::clock::Now;
use free_llm_proxy::learnt::{Caller, Salt};
use free_llm_proxy::model::{ModelId, Offer};
use free_llm_proxy::provider::{Asked, Rules, find};
use free_llm_proxy::redact::{Redactor, Secret};
use free_llm_proxy::request::{ChatRequest, Endpoint, Routing};
use free_llm_proxy::sse::{Data, Event, Framer};
use free_llm_proxy::surface::{Ids, Invalid, Translated, messages, responses};
use free_llm_proxy::verdict::{Cause, Failure};
use http::{HeaderMap, HeaderValue};

/// One path.
pub(crate) struct Path {
    /// Module, a slash, and the input.
    pub(crate) name: &'static str,
    build: Box<dyn Fn() -> Ready>,
}

/// A path with its input in place.
pub(crate) struct Ready {
    /// The bytes it reads, if it reads any.
    pub(crate) bytes: Option<u64>,
    /// Runs it once.
    pub(crate) once: Box<dyn Fn()>,
}

impl Path {
    /// Builds its input, and nothing of any other path's.
    pub(crate) fn build(&self) -> Ready {
        (self.build)()
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Path> {
    use choosing::Known::{All, Nothing, Slow};
    use choosing::Part::{Locked, Whole};
    use choosing::{balanced, quotas, ranked};
    use counting::{charge, headroom};
    vec![
        path("envelope/2 KB", || envelope(2_000)),
        path("envelope/20 KB", || envelope(20_000)),
        path("envelope/200 KB", || envelope(200_000)),
        path("envelope/2000 KB", || envelope(2_000_000)),
        path("session/an agent's request", || {
            session(input::body(200_000))
        }),
        path("session/one message of 200 KB", || {
            session(input::message(200_000))
        }),
        path("rewrite/200 KB for groq", || rewriting(200_000, "groq")),
        path("rewrite/200 KB for mistral", || {
            rewriting(200_000, "mistral")
        }),
        path("mend/20 events", || mending(20)),
        path("sse/20 events, whole", || framing(usize::MAX, false)),
        path("sse/20 events, cut", || framing(100, false)),
        path("sse/20 events, whole and read", || {
            framing(usize::MAX, true)
        }),
        path("surface/20 events to responses", || {
            translation(responses::read(&input::RESPONSES.into(), DEPTH))
        }),
        path("surface/20 events to messages", || {
            translation(messages::read(&input::MESSAGES.into(), DEPTH))
        }),
        path("select/10 models", || ranked(10)),
        path("select/1000 models", || ranked(1000)),
        path("select/500 candidates with quotas", || quotas(0)),
        path("select/500 candidates, 24 of 25 accounts out", || {
            quotas(24)
        }),
        path("select/500 candidates, nothing known", || {
            balanced(Nothing, Whole)
        }),
        path("select/500 candidates, nothing known, locked", || {
            balanced(Nothing, Locked)
        }),
        path("select/500 candidates, all known", || balanced(All, Whole)),
        path("select/500 candidates, all known, locked", || {
            balanced(All, Locked)
        }),
        path("select/500 candidates, all slow", || balanced(Slow, Whole)),
        path("select/500 candidates, all slow, locked", || {
            balanced(Slow, Locked)
        }),
        path("ledger/500 candidates", headroom),
        path("ledger/one request", charge),
        path("classify/429", classification),
        path("state/25 accounts of 10 models", keeping::keep),
    ]
}

fn path(name: &'static str, build: impl Fn() -> Ready + 'static) -> Path {
    Path {
        name,
        build: Box::new(build),
    }
}

fn ready<T>(bytes: Option<usize>, once: impl Fn() -> T + 'static) -> Ready {
    Ready {
        bytes: bytes.map(|bytes| bytes as u64),
        once: Box::new(move || drop(black_box(once()))),
    }
}

/// `MAX_JSON_DEPTH`.
const DEPTH: usize = 128;

fn id(text: &str) -> ModelId {
    ModelId::try_from(text).expect("an id")
}

fn envelope(bytes: usize) -> Ready {
    let body = Bytes::from(input::body(bytes));
    let model = id("maker/model:free");
    ready(Some(body.len()), move || {
        let request = ChatRequest::read(body.clone(), DEPTH).expect("a request");
        request.body_as_it_came(&model)
    })
}

/// Which session a request belongs to that says so nowhere.
fn session(body: String) -> Ready {
    let body = Bytes::from(body);
    let request = ChatRequest::read(body, DEPTH).expect("a request");
    let salt = Salt::of(["a key"]);
    let mut headers = HeaderMap::new();
    for name in ["host", "user-agent", "authorization", "content-type"] {
        headers.insert(name, HeaderValue::from_static("something"));
    }
    ready(None, move || {
        let caller = Caller::of(&headers, b"Bearer a key", salt);
        caller.session(&request.opening).expect("a session")
    })
}

/// The same for a provider whose row has requirements.
fn rewriting(bytes: usize, provider: &str) -> Ready {
    let body = Bytes::from(input::body(bytes));
    let row = find(provider).expect("a built-in provider");
    let offer = Offer {
        provider: row.id.clone(),
        ..Offer::at_openrouter(id("maker/model"))
    };
    let request = ChatRequest::read(body.clone(), DEPTH).expect("a request");
    ready(Some(body.len()), move || {
        request.body_for(&offer, offer.capabilities, &row.fields, &[])
    })
}

/// A stream that breaks nothing, checked for what it may break.
fn mending(count: usize) -> Ready {
    let events = input::events(count);
    let bytes = events.iter().map(Bytes::len).sum();
    ready(Some(bytes), move || {
        let mut mender = Mender::new("0123456789abcdef");
        for raw in &events {
            let event = mender.event(Event { raw: raw.clone() });
            assert_eq!(event.raw.as_ptr(), raw.as_ptr());
        }
    })
}

/// A stream as it comes off the socket: each event in a read of its own, or cut into pieces.
fn framing(piece: usize, read: bool) -> Ready {
    let events = input::events(20);
    let pieces: Vec<Bytes> = if piece == usize::MAX {
        events.clone()
    } else {
        let stream = events.concat();
        stream.chunks(piece).map(Bytes::copy_from_slice).collect()
    };
    let bytes = events.iter().map(Bytes::len).sum();
    ready(Some(bytes), move || {
        let mut framer = Framer::new(1 << 24);
        let mut useful = 0;
        for piece in &pieces {
            framer.push(piece.clone());
            while let Some(event) = framer.next().expect("a small event") {
                if !read {
                    useful += 1;
                } else if let Data::Payload(payload) = event.data() {
                    let said = read_answer(&payload, Endpoint::Chat).expect("JSON");
                    useful += usize::from(matches!(said, Said::Useful { .. }));
                }
            }
        }
        assert!(useful >= 20);
    })
}

/// The same stream on its way to a client of another API.
fn translation(request: Result<Translated, Invalid>) -> Ready {
    let events = input::events(20);
    let reply = request.expect("a request").reply;
    let bytes = events.iter().map(Bytes::len).sum();
    ready(Some(bytes), move || {
        let ids = Ids {
            id: "0123456789abcdef".to_owned(),
            created: 1_790_000_000,
        };
        let mut stream = reply.clone().stream(ids);
        let mut framer = Framer::new(1 << 24);
        let mut out = Vec::new();
        for piece in &events {
            framer.push(piece.clone());
            while let Some(event) = framer.next().expect("a small event") {
                if let Data::Payload(payload) = event.data() {
                    stream.event(&payload, &mut out).expect("JSON");
                }
            }
        }
        stream.done(&mut out);
        assert!(out.len() > 1000);
        out
    })
}

fn classification() -> Ready {
    let rules = Rules {
        rate_limit_cooldown: Duration::from_secs(300),
        generic_error_cooldown: Duration::from_secs(60),
        redactor: Redactor::new([Secret::new("sk-or-v1-0123456789abcdef")]),
    };
    let body = Bytes::from_static(input::RATE_LIMITED);
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("30"));
    let (model, now) = (id("maker/model:free"), now());
    let openrouter = find("openrouter").expect("a built-in row");
    ready(Some(body.len()), move || -> Failure {
        let asked = Asked {
            provider: openrouter,
            key: None,
            model: &model,
            routing: Routing::Ours,
        };
        rules.classify(asked, 429, &headers, &body, Cause::Status, now)
    })
}

fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000),
    }
}
