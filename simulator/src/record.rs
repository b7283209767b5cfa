//! What the simulator has seen: its requests, up to a limit, and its connections.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::clock::{Now, rfc3339};
use crate::providers::Outcome;

const MAX_KEPT: usize = 10_000;

/// A request as received.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The model of a chat completion request.
    pub model: Option<String>,
    /// The provider it was sent to.
    pub provider: Option<String>,
    /// The account whose key it had, if the provider has accounts.
    pub account: Option<String>,
    /// The status of the answer; none if a script plays bytes or breaks off.
    pub status: Option<u16>,
    /// Why it did not get a good answer, in a few words: `key`, `over requests per day`, `too large
    /// for tokens per minute`, `field logit_bias`, `no such model`, `case groq key dead`, `status
    /// 500`.
    pub why: Option<String>,
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; empty while bodies are not kept.
    pub body: Bytes,
    /// The number of the connection it came on, from 1.
    pub connection: u64,
    /// When it had arrived completely.
    pub at: Now,
    /// The peer closed the connection before the answer was complete.
    pub closed_early: bool,
    /// The answer was played to its end, whatever that was.
    pub finished: bool,
}

impl Seen {
    /// The body as JSON, or null.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// As `GET /requests` shows it: without any key.
    pub(super) fn told(&self) -> Value {
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let shown = match is_key(name) {
                true => "***".into(),
                false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
            };
            (name.to_string(), Value::from(shown))
        };
        let body = serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&self.body)));
        json!({
            "model": self.model, "provider": self.provider, "account": self.account,
            "status": self.status, "why": self.why, "method": self.method, "path": self.path,
            "headers": self.headers.iter().map(header).collect::<serde_json::Map<_, _>>(),
            "body": body, "connection": self.connection,
            "at": rfc3339(self.at.wall),
            "closed_early": self.closed_early, "finished": self.finished,
        })
    }
}

/// Whether this header may contain a key.
fn is_key(name: &http::HeaderName) -> bool {
    let name = name.as_str();
    name == "authorization" || name.contains("key") || name.contains("token")
}

/// What an account was asked for, and how it answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of chat requests.
    pub requests: u64,
    /// The number of answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// How many were refused because of the account's limits: the 429s that were provoked.
    pub over: u64,
}

/// How an answer ended.
pub(super) enum Ended {
    Finished,
    ClosedEarly,
}

/// The record. Its lock is held for a push or a copy, never across an await.
pub(super) struct Record {
    kept: Mutex<VecDeque<(u64, Seen)>>,
    tally: Mutex<BTreeMap<(String, String), Tally>>,
    next: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) open: AtomicUsize,
    changed: watch::Sender<()>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            kept: Mutex::default(),
            tally: Mutex::default(),
            next: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            changed: watch::Sender::new(()),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(u64, Seen)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a request, and returns the number under which its end is reported.
    pub(super) fn push(&self, seen: Seen) -> u64 {
        let mut kept = self.kept();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if kept.len() == MAX_KEPT {
            kept.pop_front();
        }
        kept.push_back((number, seen));
        drop(kept);
        self.changed.send_replace(());
        number
    }

    pub(super) fn end(&self, number: u64, ended: &Ended) {
        let mut kept = self.kept();
        if let Ok(at) = kept.binary_search_by_key(&number, |(number, _)| *number)
            && let Some((_, seen)) = kept.get_mut(at)
        {
            match ended {
                Ended::Finished => seen.finished = true,
                Ended::ClosedEarly => seen.closed_early = true,
            }
        }
        drop(kept);
        self.changed.send_replace(());
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.kept().iter().map(|(_, seen)| seen.clone()).collect()
    }

    pub(super) fn clear(&self) {
        self.kept().clear();
        self.tallied().clear();
    }

    fn tallied(&self) -> MutexGuard<'_, BTreeMap<(String, String), Tally>> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a chat request for its account.
    pub(super) fn count(&self, provider: &str, outcome: &Outcome) {
        let account = outcome.account.clone().unwrap_or_default();
        let mut tallied = self.tallied();
        let tally = tallied.entry((provider.to_owned(), account)).or_default();
        tally.requests += 1;
        if let Some(status) = outcome.status {
            *tally.statuses.entry(status).or_default() += 1;
        }
        let over = |why: &String| why.starts_with("over ") || why.starts_with("too large");
        tally.over += u64::from(outcome.why.as_ref().is_some_and(over));
    }

    pub(super) fn tally(&self) -> BTreeMap<(String, String), Tally> {
        self.tallied().clone()
    }

    /// A connection begins; it ends when the returned value is dropped.
    pub(super) fn connect(&self) -> (u64, OpenConnection<'_>) {
        self.open.fetch_add(1, Ordering::Relaxed);
        let number = self.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        self.changed.send_replace(());
        (number, OpenConnection(self))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

/// Counts as open while it lives.
pub(super) struct OpenConnection<'a>(&'a Record);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.send_replace(());
    }
}
