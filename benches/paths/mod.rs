//! The hot paths through the pure modules, each with its input, by name. The micro-benchmarks time
//! them, the instruction counts count them: both do the same work.
//!
//! Only the library's public API is used here.
#![expect(
    clippy::expect_used,
    reason = "the input is our own, and a path that fails must not be timed"
)]

mod input;

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use free_llm_proxy::answer::{Mender, Said, read as read_answer};
use free_llm_proxy::clock::Now;
use free_llm_proxy::ledger::{
    Ask, Counted, Headroom, Ledger, Limit, LimitSource, Per, Slot, Terms, Unit, Used,
};
use free_llm_proxy::model::{
    AccountId, Candidate, CanonicalKey, Capabilities, Capability, ModelId, Offer, ProviderId,
};
use free_llm_proxy::provider::{Asked, Provider, Rules, find};
use free_llm_proxy::redact::{Redactor, Secret};
use free_llm_proxy::registry::{Knowledge, Parts, Snapshot, Source};
use free_llm_proxy::request::{ChatRequest, Endpoint, Routing};
use free_llm_proxy::select::{By, Preference, Wants, next};
use free_llm_proxy::sse::{Data, Event, Framer};
use free_llm_proxy::surface::{Ids, Invalid, Translated, messages, responses};
use free_llm_proxy::verdict::{Cause, Failure};
use http::{HeaderMap, HeaderValue};

/// One path.
pub(crate) struct Path {
    /// Module, a slash, and the input.
    pub(crate) name: &'static str,
    /// The bytes it reads, if it reads any.
    pub(crate) bytes: Option<u64>,
    /// Runs it once.
    pub(crate) once: Box<dyn Fn()>,
}

/// All of them.
pub(crate) fn all() -> Vec<Path> {
    vec![
        envelope("envelope/2 KB", 2_000),
        envelope("envelope/20 KB", 20_000),
        envelope("envelope/200 KB", 200_000),
        envelope("envelope/2000 KB", 2_000_000),
        rewriting("rewrite/200 KB for groq", 200_000, "groq"),
        rewriting("rewrite/200 KB for mistral", 200_000, "mistral"),
        mending("mend/20 events", 20),
        framing("sse/20 events, whole", usize::MAX, false),
        framing("sse/20 events, cut", 100, false),
        framing("sse/20 events, whole and read", usize::MAX, true),
        translation(
            "surface/20 events to responses",
            responses::read(&input::RESPONSES.into(), DEPTH),
        ),
        translation(
            "surface/20 events to messages",
            messages::read(&input::MESSAGES.into(), DEPTH),
        ),
        selection("select/10 models", 10),
        selection("select/1000 models", 1000),
        quotas("select/500 candidates with quotas", 0),
        quotas("select/500 candidates, 24 of 25 accounts out", 24),
        headroom("ledger/500 candidates"),
        charge("ledger/one request"),
        classification("classify/429"),
    ]
}

fn path<T>(name: &'static str, bytes: Option<usize>, once: impl Fn() -> T + 'static) -> Path {
    Path {
        name,
        bytes: bytes.map(|bytes| bytes as u64),
        once: Box::new(move || drop(black_box(once()))),
    }
}

/// `MAX_JSON_DEPTH`.
const DEPTH: usize = 128;

fn id(text: &str) -> ModelId {
    ModelId::try_from(text).expect("an id")
}

fn envelope(name: &'static str, bytes: usize) -> Path {
    let body = Bytes::from(input::body(bytes));
    let model = id("maker/model:free");
    path(name, Some(body.len()), move || {
        let request = ChatRequest::read(body.clone(), DEPTH).expect("a request");
        request.body_as_it_came(&model)
    })
}

/// The same for a provider whose row has requirements.
fn rewriting(name: &'static str, bytes: usize, provider: &str) -> Path {
    let body = Bytes::from(input::body(bytes));
    let row = find(provider).expect("a built-in provider");
    let offer = Offer {
        provider: row.id.clone(),
        ..Offer::at_openrouter(id("maker/model"))
    };
    let request = ChatRequest::read(body.clone(), DEPTH).expect("a request");
    path(name, Some(body.len()), move || {
        request.body_for(&offer, offer.capabilities, &row.fields, &[])
    })
}

/// A stream that breaks nothing, checked for what it may break.
fn mending(name: &'static str, count: usize) -> Path {
    let events = input::events(count);
    let bytes = events.iter().map(Bytes::len).sum();
    path(name, Some(bytes), move || {
        let mut mender = Mender::new("0123456789abcdef");
        for raw in &events {
            let event = mender.event(Event { raw: raw.clone() });
            assert_eq!(event.raw.as_ptr(), raw.as_ptr());
        }
    })
}

/// A stream as it comes off the socket: each event in a read of its own, or cut into pieces.
fn framing(name: &'static str, piece: usize, read: bool) -> Path {
    let events = input::events(20);
    let pieces: Vec<Bytes> = if piece == usize::MAX {
        events.clone()
    } else {
        let stream = events.concat();
        stream.chunks(piece).map(Bytes::copy_from_slice).collect()
    };
    let bytes = events.iter().map(Bytes::len).sum();
    path(name, Some(bytes), move || {
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
fn translation(name: &'static str, request: Result<Translated, Invalid>) -> Path {
    let events = input::events(20);
    let reply = request.expect("a request").reply;
    let bytes = events.iter().map(Bytes::len).sum();
    path(name, Some(bytes), move || {
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

fn selection(name: &'static str, count: usize) -> Path {
    let able = able();
    let model = |rank: usize| Offer {
        rank: i64::try_from(rank).ok(),
        context_length: Some(131_072),
        capabilities: able,
        ..Offer::at_openrouter(id(&format!("maker/model-{rank}:free")))
    };
    let snapshot = Snapshot::new(Parts {
        offers: (1..=count).map(model).map(Arc::new).collect(),
        with_tools: None,
        places: Default::default(),
        fallback: None,
        accounts: vec![Arc::new(AccountId::openrouter())],
        fetched_at: SystemTime::UNIX_EPOCH,
        source: Source::Ranking,
    });
    let body = Bytes::from(input::body(20_000));
    let request = ChatRequest::read(body, DEPTH).expect("a request");
    let rests = Knowledge::default();
    let now = now();
    path(name, None, move || {
        let wants = Wants {
            needs: &request.needs,
            preference: Preference::None,
            out: &[],
            above_context: None,
            by: By::Rank,
        };
        let next = next(Some(&snapshot), wants, &rests, now);
        assert!(next.candidate().is_some());
        next.candidate().cloned()
    })
}

/// All capabilities.
fn able() -> Capabilities {
    let mut able = Capabilities::default();
    for capability in Capability::ALL {
        able.set(capability, Some(true));
    }
    able
}

/// Twenty offers through each of 25 accounts at five providers, `out` of which are out for today.
fn quotas(name: &'static str, out: usize) -> Path {
    let limit = |amount, per, of| Limit {
        amount,
        unit: Unit::Requests,
        per,
        of,
        ends: None,
        models: Vec::new(),
        source: LimitSource::Set,
    };
    let names = ["groq", "zai", "ovh", "mistral", "cerebras"];
    let row = |name: &&str| {
        Arc::new(Provider {
            limits: vec![
                limit(30, Per::Minute, Counted::Model),
                limit(40, Per::Day, Counted::Account),
            ],
            ..Provider::clone(find(name).expect("a built-in row"))
        })
    };
    let rows: Vec<_> = names.iter().map(row).collect();
    let offers = rows.iter().flat_map(|row| {
        (0..20).map(|n| Offer {
            provider: row.id.clone(),
            capabilities: able(),
            ..Offer::at_openrouter(id(&format!("model-{n}")))
        })
    });
    let accounts = rows.iter().flat_map(|row| {
        (1..=5).map(|n| AccountId {
            provider: row.id.clone(),
            label: format!("{}#{n}", row.id).into(),
        })
    });
    let snapshot = Snapshot::new(Parts {
        offers: offers.map(Arc::new).collect(),
        with_tools: None,
        places: Default::default(),
        fallback: None,
        accounts: accounts.map(Arc::new).collect(),
        fetched_at: SystemTime::UNIX_EPOCH,
        source: Source::Ranking,
    });
    let now = now();
    let mut known = Knowledge::default();
    let snapshot = known.list(snapshot, &rows, now);
    for account in snapshot.accounts().iter().take(out) {
        let own = snapshot.candidates().iter();
        for candidate in own.filter(|c| c.account == *account).cycle().take(40) {
            let slot = snapshot.slot(candidate).expect("a slot");
            let reservation = known.ledger.reserve(slot, ASK, now);
            known.ledger.settle(reservation, USED, true, now);
        }
    }
    let body = Bytes::from(input::body(20_000));
    let request = ChatRequest::read(body, DEPTH).expect("a request");
    path(name, None, move || {
        let wants = Wants {
            needs: &request.needs,
            preference: Preference::None,
            out: &[],
            above_context: None,
            by: By::Rank,
        };
        let next = next(Some(&snapshot), wants, &known, now);
        assert!(next.candidate().is_some());
        next.candidate().cloned()
    })
}

fn classification(name: &'static str) -> Path {
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
    path(name, Some(body.len()), move || -> Failure {
        let asked = Asked {
            provider: openrouter,
            key: None,
            model: &model,
            routing: Routing::Ours,
        };
        rules.classify(asked, 429, &headers, &body, Cause::Status, now)
    })
}

/// Ten accounts at five providers of fifty models each, with Groq's limits.
fn ledger() -> (Ledger, Vec<Slot>) {
    let limit = |amount, unit, per, of| Limit {
        amount,
        unit,
        per,
        of,
        ends: None,
        models: Vec::new(),
        source: LimitSource::Default,
    };
    let limits = [
        limit(30, Unit::Requests, Per::Minute, Counted::Model),
        limit(1000, Unit::Requests, Per::Day, Counted::Account),
        limit(8000, Unit::Tokens, Per::Minute, Counted::Model),
        limit(200_000, Unit::Tokens, Per::Day, Counted::Model),
    ];
    let terms = Terms {
        limits: &limits,
        counts_max_tokens: true,
        day_ends: None,
    };
    let candidates: Vec<Candidate> = (0..500)
        .map(|n| {
            let provider = format!("provider-{}", n / 100);
            let provider = ProviderId::try_from(provider.as_str()).expect("a name");
            let id = id(&format!("a/model-{}", n % 50));
            let account = AccountId {
                label: format!("account-{}", n / 50).into(),
                provider: provider.clone(),
            };
            let offer = Offer {
                provider,
                public_id: id.clone(),
                canonical: CanonicalKey::of(id.as_str()),
                id,
                rank: None,
                name: None,
                context_length: None,
                window_is_guessed: false,
                max_output: None,
                capabilities: Capabilities::default(),
            };
            Candidate::new(Arc::new(offer), Arc::new(account), true)
        })
        .collect();
    let mut ledger = Ledger::default();
    let slots = ledger.list(candidates.iter().map(|c| (c, terms)), now());
    for slot in &slots {
        let reservation = ledger.reserve(*slot, ASK, now());
        ledger.settle(reservation, USED, true, now());
    }
    (ledger, slots)
}

const ASK: Ask = Ask {
    prompt_bytes: 4000,
    max_tokens: Some(500),
};

const USED: Used = Used::Told {
    tokens_in: 900,
    tokens_out: 200,
};

/// Whether each of 500 candidates has headroom, when all have.
fn headroom(name: &'static str) -> Path {
    let (ledger, slots) = ledger();
    path(name, None, move || {
        let now = now();
        let room = |slot: &&Slot| ledger.headroom(**slot, || ASK, now) == Headroom::Free;
        slots.iter().filter(room).count()
    })
}

/// One request charged and settled.
fn charge(name: &'static str) -> Path {
    let (ledger, slots) = ledger();
    let ledger = RefCell::new(ledger);
    path(name, None, move || {
        let mut ledger = ledger.borrow_mut();
        let reservation = ledger.reserve(slots[250], ASK, now());
        ledger.settle(reservation, USED, true, now());
    })
}

fn now() -> Now {
    Now {
        steady: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000),
    }
}
