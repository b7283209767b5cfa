//! Asks the upstream's key endpoint whether the key is accepted and how many of the day's free
//! requests are left (spec §10.5): with each read of the list, and every five minutes while there
//! are requests.
//!
//! It is for people, and for the ledger: no request waits for it. [`KeySaid`] interprets the
//! answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::attempt::{Account, Keyring};
use crate::clock::Now;
use crate::config::LogLevel;
use crate::provider::KeySaid;
use crate::redact::Secret;
use crate::registry::Registry;
use crate::telemetry::{Log, Traffic};
use crate::upstream::read_body;

/// How long an answer may take, and how large it may be.
const LIMIT: Duration = Duration::from_secs(15);
const MAX_BYTES: usize = 64 << 10;
/// How often it is asked while there are requests.
const PERIOD: Duration = Duration::from_secs(300);

/// Asks, and records the answer.
#[derive(Clone)]
pub struct KeyTask {
    /// The account under each of its keys.
    pub keys: Keyring,
    /// Where the answer goes.
    pub registry: Arc<Registry>,
    /// Whether there are requests.
    pub traffic: Arc<Traffic>,
    /// Where a refusal is logged.
    pub log: Log,
    /// When it is to be asked.
    pub reads: KeyReads,
}

/// The reads of one account's key endpoint: how many are wanted, and how many of those have landed. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct KeyReads {
    wanted: Arc<watch::Sender<u64>>,
    landed: Arc<watch::Sender<u64>>,
}

impl Default for KeyReads {
    fn default() -> Self {
        Self {
            wanted: Arc::new(watch::channel(0).0),
            landed: Arc::new(watch::channel(0).0),
        }
    }
}

impl KeyReads {
    /// The endpoint is to be asked now.
    pub fn want(&self) {
        self.wanted.send_modify(|wanted| *wanted += 1);
    }

    /// Waits until what was wanted so far has been asked and recorded, but no longer than an answer may take.
    pub async fn landed(&self) {
        let wanted = *self.wanted.borrow();
        let mut landed = self.landed.subscribe();
        let all = landed.wait_for(|landed| *landed >= wanted);
        // An endpoint that does not answer has nothing to say.
        drop(tokio::time::timeout(LIMIT, all).await);
    }
}

impl KeyTask {
    /// Asks whenever it is due; never ends.
    pub async fn run(self) {
        let (mut refused, mut asked_for) = (false, 0);
        loop {
            self.until_due(asked_for).await;
            // A read that is wanted from here on is another one.
            asked_for = *self.reads.wanted.borrow();
            let (said, asked) = self.ask().await;
            self.registry.key_said(self.keys.id(), said, Now::read());
            self.reads.landed.send_replace(asked_for);
            let refused_before = std::mem::replace(&mut refused, is_refused(said));
            if let (KeySaid::Refused { status }, false) = (said, refused_before) {
                self.log.emit(
                    LogLevel::Warning,
                    "key_refused",
                    &serde_json::json!({
                        "account": **self.keys.id(), "status": status,
                        "key_tail": asked.key.as_ref().and_then(Secret::tail),
                    }),
                );
            }
        }
    }

    /// Waits for a read of the list, or for five minutes in which a request ended: while the account is ruled
    /// out none is sent, and it is the endpoint that tells when it may be asked again.
    async fn until_due(&self, asked_for: u64) {
        let mut wanted = self.reads.wanted.subscribe();
        let ended = || self.traffic.read(|live| live.ended());
        let before = ended();
        loop {
            tokio::select! {
                _ = wanted.wait_for(|wanted| *wanted > asked_for) => return,
                () = tokio::time::sleep(PERIOD) => {
                    if ended() != before {
                        return;
                    }
                }
            }
        }
    }

    /// The endpoint's answer for the first of its keys that is not refused; all belong to one
    /// account.
    async fn ask(&self) -> (KeySaid, &Account) {
        let mut asked = (KeySaid::Nothing, &**self.keys.first());
        for account in self.keys.accounts() {
            asked = (ask(account).await, account);
            if !is_refused(asked.0) {
                break;
            }
        }
        asked
    }
}

/// An upstream that does not answer, or has no such endpoint, says nothing.
async fn ask(account: &Account) -> KeySaid {
    let whole = async {
        let (head, body) = account.upstream.key().await.ok()?.into_parts();
        let body = read_body(&head.headers, body, MAX_BYTES).await.ok()?;
        Some(KeySaid::read(head.status.as_u16(), &body))
    };
    let answered = tokio::time::timeout(LIMIT, whole).await;
    answered.ok().flatten().unwrap_or(KeySaid::Nothing)
}

fn is_refused(said: KeySaid) -> bool {
    matches!(said, KeySaid::Refused { .. })
}
