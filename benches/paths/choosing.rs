//! Who is asked next, among many.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use free_llm_proxy::clock::Now;
use free_llm_proxy::learnt::{Caller, Cells, Parameters, Salt, SessionKey};
use free_llm_proxy::ledger::{Counted, Limit, LimitSource, Per, Unit};
use free_llm_proxy::model::{AccountId, Capabilities, Capability, Offer, Place, Tier};
use free_llm_proxy::provider::{Provider, find};
use free_llm_proxy::registry::{Knowledge, Parts, Snapshot, Source};
use free_llm_proxy::request::ChatRequest;
use free_llm_proxy::select::{By, Preference, Quote, Wants, next_quoted};
use http::{HeaderMap, HeaderValue};

use super::counting::{ASK, USED};
use super::{DEPTH, Ready, id, input, now, ready};

/// The best of so many models, with nothing known of any.
pub(super) fn ranked(count: usize) -> Ready {
    let model = |rank: usize| Offer {
        rank: i64::try_from(rank).ok(),
        context_length: Some(131_072),
        capabilities: able(),
        ..Offer::at_openrouter(id(&format!("maker/model-{rank}:free")))
    };
    let accounts = vec![Arc::new(AccountId::openrouter())];
    let snapshot = Snapshot::new(parts((1..=count).map(model), Vec::new(), accounts));
    choice(snapshot, Knowledge::default(), now(), Part::Whole, |_| {
        By::Rank
    })
}

/// The best of 500, `out` of whose 25 accounts are out for today.
pub(super) fn quotas(out: usize) -> Ready {
    let now = now();
    let (snapshot, mut known) = five_hundred(now);
    for account in snapshot.accounts().iter().take(out) {
        let own = snapshot.candidates().iter();
        for candidate in own.filter(|c| c.account == *account).cycle().take(40) {
            let slot = snapshot.slot(candidate).expect("a slot");
            let reservation = known.ledger.reserve(slot, ASK, now);
            known.ledger.settle(reservation, USED, true, now);
        }
    }
    choice(snapshot, known, now, Part::Whole, |_| By::Rank)
}

/// What was seen of candidates.
#[derive(Clone, Copy)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// Of each a first token, in a second.
    All,
    /// The same after a minute: nobody is ruled out by its place.
    Slow,
}

/// How much of a choice is done.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// What is done under the registry's lock.
    Locked,
}

/// The cheapest of the same 500, for a request of a session that begins.
pub(super) fn balanced(seen: Known, part: Part) -> Ready {
    let now = now();
    let (snapshot, known) = five_hundred(now);
    let parameters = Parameters::default();
    let candidates = snapshot.candidates().iter().map(|c| &**c);
    let evidences = Cells::default().list(candidates, &parameters, now);
    let took = match seen {
        Known::Nothing => None,
        Known::All => Some(Duration::from_secs(1)),
        Known::Slow => Some(Duration::from_secs(60)),
    };
    for (index, took) in took
        .into_iter()
        .flat_map(|took| (0..500).map(move |n| (n, took)))
    {
        // Each offer at a moment of its own, which is that of its five accounts.
        let then = now.plus(Duration::from_millis(index as u64 / 5));
        let began = then.steady - took;
        evidences.teach(index, &parameters, then, |evidence, through| {
            evidence.began(through, began);
            evidence.first_event(through, began, 5000, &parameters, then);
        });
    }
    let snapshot = snapshot.with_evidences(evidences);
    let session = (session(), salt());
    choice(snapshot, known, after(now, 10), part, move |parameters| {
        By::Cost {
            rank_worth: parameters.rank_worth,
            parameters,
            pin: None,
            session: Some(session),
        }
    })
}

fn choice(
    snapshot: Snapshot,
    known: Knowledge,
    now: Now,
    part: Part,
    by: impl for<'p> Fn(&'p Parameters) -> By<'p> + 'static,
) -> Ready {
    let body = Bytes::from(input::body(20_000));
    let request = ChatRequest::read(body, DEPTH).expect("a request");
    let parameters = Parameters::default();
    // It stays for as long as the program runs: what was quoted beforehand refers to it.
    let snapshot: &Snapshot = Box::leak(Box::new(snapshot));
    let beforehand = Quote::new(snapshot, wants(&request, by(&parameters)), now);
    ready(None, move || {
        let wants = wants(&request, by(&parameters));
        let quote = match part {
            Part::Whole => &Quote::new(snapshot, wants, now),
            Part::Locked => &beforehand,
        };
        let next = next_quoted(Some(snapshot), wants, quote, &known, now);
        assert!(next.candidate().is_some());
        next.candidate().cloned()
    })
}

fn wants<'a>(request: &'a ChatRequest, by: By<'a>) -> Wants<'a> {
    Wants {
        needs: &request.needs,
        preference: Preference::None,
        out: &[],
        above_context: None,
        by,
        client: None,
    }
}

/// Twenty models through each of 25 accounts at five providers, the models in their places.
fn five_hundred(now: Now) -> (Snapshot, Knowledge) {
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
    let offers = (0..20).flat_map(|place| {
        rows.iter().map(move |row| Offer {
            provider: row.id.clone(),
            capabilities: able(),
            ..Offer::at_openrouter(id(&format!("model-{place}")))
        })
    });
    let places = (0..20).flat_map(|place| {
        let tier = Tier::Rest;
        std::iter::repeat_n(Place { tier, place }, names.len())
    });
    let accounts = rows.iter().flat_map(|row| {
        (1..=5).map(|n| Arc::new(AccountId::new(row.id.clone(), &format!("{}#{n}", row.id))))
    });
    let snapshot = Snapshot::new(parts(offers, places.collect(), accounts.collect()));
    let mut known = Knowledge::default();
    let snapshot = known.list(snapshot, &rows, now);
    assert_eq!(snapshot.candidates().len(), 500);
    (snapshot, known)
}

fn parts(
    offers: impl Iterator<Item = Offer>,
    places: Vec<Place>,
    accounts: Vec<Arc<AccountId>>,
) -> Parts {
    Parts {
        offers: offers.map(Arc::new).collect(),
        with_tools: None,
        places: [places, Vec::new()],
        fallback: None,
        accounts,
        fetched_at: SystemTime::UNIX_EPOCH,
        source: Source::Ranking,
    }
}

/// All capabilities.
fn able() -> Capabilities {
    let mut able = Capabilities::default();
    for capability in Capability::ALL {
        able.set(capability, Some(true));
    }
    able
}

fn after(now: Now, seconds: u64) -> Now {
    let later = Duration::from_secs(seconds);
    Now {
        steady: now.steady + later,
        wall: now.wall + later,
    }
}

fn salt() -> Salt {
    Salt::of(["a key"])
}

fn session() -> SessionKey {
    let mut headers = HeaderMap::new();
    headers.insert("x-session-id", HeaderValue::from_static("a session"));
    let caller = Caller::of(&headers, b"", salt());
    caller.session(&Default::default()).expect("a session")
}
