//! Asks the upstream's key endpoint whether the key is accepted and how many of the day's free
//! requests are left (spec §10.5): with each read of the list, and every five minutes while there
//! are requests.
//!
//! It is for people, and for the ledger: no request waits for it. [`KeySaid`] interprets the
//! answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

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
    /// Notified when the list has been read.
    pub list_read: Arc<Notify>,
}

impl KeyTask {
    /// Asks whenever it is due; never ends.
    pub async fn run(self) {
        let mut refused = false;
        loop {
            self.until_due().await;
            let (said, asked) = self.ask().await;
            self.registry.key_said(self.keys.id(), said, Now::read());
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
    async fn until_due(&self) {
        let ended = || self.traffic.read(|live| live.ended());
        let before = ended();
        loop {
            tokio::select! {
                () = self.list_read.notified() => return,
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
