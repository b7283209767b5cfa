//! What is heard of an account outside its requests: its key endpoint, and whether it is still there.

use super::Registry;
use crate::clock::Now;
use crate::ledger::FreeDay;
use crate::model::{AccountId, Subject};
use crate::provider::KeySaid;

impl Registry {
    /// Whether it belongs to an account that has another key by now, or is gone: a verdict on it is dropped
    /// (spec §12.2).
    pub(super) fn is_of_old_key(&self, subject: &Subject) -> bool {
        let list = self.snapshot.load();
        let list = list.as_ref().zip(subject.of_account());
        list.is_some_and(|(list, account)| !list.has_account(account))
    }

    /// Whether what is reported of this account is reported of OpenRouter: that is so of its first account.
    pub(super) fn speaks_for_openrouter(&self, account: &AccountId) -> bool {
        let list = self.snapshot.load();
        let first = list.as_ref().and_then(|list| list.speaks_for_openrouter());
        account.provider.is_openrouter() && first.is_none_or(|first| **first == *account)
    }

    /// The key endpoint has answered for this account. If it reports free requests that were known to be gone, the
    /// rest until the day's end is over. Watchers are notified if anything has changed.
    pub fn key_said(&self, account: &AccountId, said: KeySaid, now: Now) {
        let mut gives_back = false;
        if let KeySaid::Accepted { today: Some(today) } = said {
            let told = FreeDay {
                limit: today.limit,
                used: today.limit.saturating_sub(today.remaining),
            };
            let mut held = self.lock();
            gives_back = held.ledger.told_free_day(account, told, now);
            if gives_back {
                held.ends_day(&Subject::account(account), now);
            }
            self.lets_go(held);
        }
        let (mut before, mut after) = (false, false);
        if self.speaks_for_openrouter(account) {
            self.note(|outside| {
                before = outside.key_is_refused();
                outside.key_said(said, gives_back, now);
                after = outside.key_is_refused();
            });
        }
        if before != after || gives_back {
            self.changes.send_replace(());
        }
    }
}
