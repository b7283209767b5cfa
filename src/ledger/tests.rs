//! Every sentence of spec §10.5, as rows.

mod bounds;
mod corrections;
mod fair;
mod hostile;
mod limits;
mod openrouter;
mod saved;
mod turn;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::clock::Now;
use crate::model::{AccountId, Candidate, ModelId, Offer, ProviderId};

/// 2026-11-29 12:00:00 UTC, a Sunday: 04:00 in California, 20:00 in China.
const NOON: u64 = 1_795_953_600;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A ledger with accounts and models, and a clock the test moves.
struct World {
    ledger: Ledger,
    slots: Vec<Slot>,
    candidates: Vec<Candidate>,
    limits: Vec<Limit>,
    counts_max_tokens: bool,
    day_ends: Option<Ends>,
    start: Instant,
    /// Seconds since noon.
    at: f64,
}

impl World {
    fn new(limits: &[Limit]) -> Self {
        Self::of(&[("groq", "groq", "m")], limits)
    }

    /// Provider, account and model of each candidate.
    fn of(candidates: &[(&str, &str, &str)], limits: &[Limit]) -> Self {
        let candidates = candidates
            .iter()
            .map(|(provider, label, model)| candidate(provider, label, model));
        let mut world = Self {
            ledger: Ledger::default(),
            slots: Vec::new(),
            candidates: candidates.collect(),
            limits: limits.to_vec(),
            counts_max_tokens: false,
            day_ends: None,
            start: Instant::now(),
            at: 0.0,
        };
        world.list();
        world
    }

    fn list(&mut self) {
        let terms = Terms {
            limits: &self.limits,
            counts_max_tokens: self.counts_max_tokens,
            day_ends: self.day_ends,
        };
        let now = at(self.start, self.at);
        let candidates = self.candidates.iter().map(|c| (c, terms));
        self.slots = self.ledger.list(candidates, now);
    }

    fn now(&self) -> Now {
        at(self.start, self.at)
    }

    fn said(&self, which: usize, ask: Ask) -> String {
        spelt(self.ledger.headroom(self.slots[which], || ask, self.now()))
    }

    fn room(&self, which: usize) -> String {
        self.said(which, Ask::default())
    }

    fn reserve(&mut self, which: usize, ask: Ask) -> Reservation {
        self.ledger.reserve(self.slots[which], ask, self.now())
    }

    fn settle(&mut self, reservation: Reservation, used: Used, succeeded: bool) {
        let now = self.now();
        self.ledger.settle(reservation, used, succeeded, now);
    }

    /// Sends `count` small requests, each answered at once.
    fn send(&mut self, which: usize, count: usize) {
        for _ in 0..count {
            let reservation = self.reserve(which, Ask::default());
            self.settle(reservation, NOTHING, true);
        }
    }

    fn fail(&mut self, which: usize, count: usize) {
        for _ in 0..count {
            let reservation = self.reserve(which, Ask::default());
            self.settle(reservation, NOTHING, false);
        }
    }

    /// The buckets of the first candidate's account: `used/limit source`.
    fn shown(&self) -> String {
        let buckets = self
            .ledger
            .buckets_of(&self.candidates[0].account, self.now());
        let shown = buckets.iter().map(|bucket| {
            let model = bucket.model.as_ref();
            format!(
                "{}{}/{} {}",
                model.map_or(String::new(), |model| format!("{} ", model.as_str())),
                bucket.used,
                bucket.limit,
                bucket.source.as_str()
            )
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

const NOTHING: Used = Used::Received { bytes: 0 };

fn told(tokens_in: u64, tokens_out: u64) -> Used {
    Used::Told {
        tokens_in,
        tokens_out,
    }
}

/// A prompt estimated at this many tokens.
fn tokens(tokens: u64) -> Ask {
    Ask {
        prompt_bytes: tokens * 4,
        max_tokens: None,
    }
}

fn at(start: Instant, seconds: f64) -> Now {
    let since = Duration::from_secs_f64(seconds);
    Now {
        steady: start + since,
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(NOON) + since,
    }
}

fn spelt(headroom: Headroom) -> String {
    match headroom {
        Headroom::Free => "free".into(),
        Headroom::Behind { source, .. } => format!("behind {}", source.as_str()),
        Headroom::Busy { .. } => "busy".into(),
        Headroom::Out { returns_in, .. } => match returns_in {
            Some(wait) => format!("out {}", wait.as_secs_f64().ceil()),
            None => "out".into(),
        },
        Headroom::TooLarge { .. } => "too large".into(),
    }
}

fn candidate(provider: &str, label: &str, model: &str) -> Candidate {
    let provider = ProviderId::try_from(provider).unwrap();
    let id = ModelId::try_from(model).unwrap();
    let offer = Offer::at(provider.clone(), id);
    let account = AccountId::new(provider, label);
    Candidate::new(Arc::new(offer), Arc::new(account), true)
}

fn limit(amount: u64, unit: Unit, per: Per, of: Counted, source: LimitSource) -> Limit {
    Limit {
        amount,
        unit,
        per,
        of,
        ends: None,
        models: Vec::new(),
        source,
    }
}

/// A limit on the account's requests, set by the user.
fn set(amount: u64, per: Per) -> Limit {
    let (unit, of) = (Unit::Requests, Counted::Account);
    limit(amount, unit, per, of, LimitSource::Set)
}

fn by_default(amount: u64, per: Per) -> Limit {
    Limit {
        source: LimitSource::Default,
        ..set(amount, per)
    }
}

fn ending(limit: Limit, ends: Ends) -> Limit {
    Limit {
        ends: Some(ends),
        ..limit
    }
}
