//! The ledger as it outlives the process (spec §12.3): what was used, stated and learnt. What the file and the
//! table say is read anew.
//!
//! What comes back is hostile until it is checked: nothing lasts longer than its window allows, whatever the
//! clocks said when it was saved.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::Ledger;
use super::book::Line;
use super::bucket::{SavedBucket, Whose};
use super::charge::{Ratio, SavedRatio};
use super::fair::{Fair, SavedAsked};
use super::time::{Moment, Until};
use crate::clock::{Now, from_unix_millis, unix_millis};
use crate::model::{AccountId, ModelId, Whom};

/// All that is counted, by whom it concerns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedLedger<W> {
    /// The ledger's own time when this was saved; the moments below are readings of it.
    running_ns: u64,
    buckets: Vec<(W, SavedBucket)>,
    /// How tokens relate to bytes, by candidate.
    ratios: Vec<(W, SavedRatio)>,
    /// When each client asked last, where days are fair.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    asked: Vec<SavedAsked>,
}

impl<W> Default for SavedLedger<W> {
    fn default() -> Self {
        Self {
            running_ns: 0,
            buckets: Vec::new(),
            ratios: Vec::new(),
            asked: Vec::new(),
        }
    }
}

impl<W> SavedLedger<W> {
    /// The same about others: those that `whom` does not know are left out.
    pub fn about<V>(self, mut whom: impl FnMut(W) -> Option<V>) -> SavedLedger<V> {
        SavedLedger {
            running_ns: self.running_ns,
            buckets: about(self.buckets, &mut whom),
            ratios: about(self.ratios, &mut whom),
            asked: self.asked,
        }
    }
}

/// The entries about those that `whom` knows.
fn about<W, V, T>(entries: Vec<(W, T)>, whom: &mut impl FnMut(W) -> Option<V>) -> Vec<(V, T)> {
    let known = entries.into_iter();
    known
        .filter_map(|(about, entry)| Some((whom(about)?, entry)))
        .collect()
}

/// When something is over, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SavedUntil {
    /// By the ledger's own time, in nanoseconds: rounded, it would come back early.
    Running(u64),
    /// By date, in milliseconds since 1970.
    Date(u64),
}

impl SavedUntil {
    pub(super) fn of(until: Until) -> Self {
        match until {
            Until::Running(end) => Self::Running(whole_nanos(end)),
            Until::Wall { end, .. } => Self::Date(unix_millis(end)),
        }
    }

    /// No later than `longest` from now; `None` if it is past.
    pub(super) fn back(self, longest: Duration, at: Moment) -> Option<Until> {
        let until = match self {
            Self::Running(end) => {
                let latest = at.running.saturating_add(longest);
                Until::Running(Duration::from_nanos(end).min(latest))
            }
            Self::Date(end) => {
                let latest = at.wall.checked_add(longest)?;
                Until::Wall {
                    end: from_unix_millis(end)?.min(latest),
                    given: at,
                }
            }
        };
        (!until.is_past(at)).then_some(until)
    }
}

pub(super) fn whole_nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// Rounded up: nothing comes back early.
pub(super) fn whole_millis(length: Duration) -> u64 {
    u64::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl Ledger {
    /// What is to outlive the process.
    #[must_use]
    pub fn save(&self, now: Now) -> SavedLedger<Whom> {
        let at = self.running.at(now);
        let buckets = self.buckets.iter();
        let ratios = self.lines.iter();
        SavedLedger {
            running_ns: whole_nanos(at.running),
            asked: self.fair.as_ref().map(Fair::save).unwrap_or_default(),
            buckets: buckets
                .filter_map(|(_, bucket)| Some((whom(&bucket.whose), bucket.save(at)?)))
                .collect(),
            ratios: ratios
                .filter_map(|(_, line)| {
                    let account = AccountId::clone(&line.account);
                    let whom = Whom::Candidate(account, line.model.clone());
                    Some((whom, line.ratio.save()?))
                })
                .collect(),
        }
    }

    /// Takes over what an earlier process has saved at `saved_at`. A ledger that already counts takes nothing.
    pub fn restore(&mut self, saved: SavedLedger<Whom>, saved_at: SystemTime, now: Now) {
        if !self.buckets.is_empty() || !self.lines.is_empty() {
            return;
        }
        let running = Duration::from_nanos(saved.running_ns);
        let at = self.running.resume(running, saved_at, now);
        self.restored = Some(at.running);
        if let Some(fair) = &mut self.fair {
            fair.restore(saved.asked, at);
        }
        for (about, saved) in saved.buckets {
            let whose = match about {
                Whom::Account(account) => Whose::Account(account),
                Whom::Candidate(account, model) => Whose::Model(account, model),
                Whom::Provider(provider) => Whose::Address(provider),
                Whom::Key(..) | Whom::Model(..) => continue,
            };
            let of_whose = self.by_whose.get(&whose).map_or(0, Vec::len);
            if of_whose >= super::book::MOST_BUCKETS {
                continue;
            }
            if let Some(kind) = saved.kind() {
                let index = self.bucket(whose, kind);
                if let Some(bucket) = self.buckets.get_mut(index as usize) {
                    bucket.restore(saved, at);
                }
            }
        }
        for (about, saved) in saved.ratios {
            if let Whom::Candidate(account, model) = about
                && let Some(ratio) = saved.back()
            {
                self.expect(Arc::new(account), model, ratio, at);
            }
        }
    }

    /// A candidate of which something is known before the list names it: forgotten like one that has left.
    fn expect(&mut self, account: Arc<AccountId>, model: ModelId, ratio: Ratio, at: Moment) {
        let key = (AccountId::clone(&account), model.clone());
        if self.by_candidate.contains_key(&key) {
            return;
        }
        self.generations = self.generations.wrapping_add(1);
        let mut line = Line::new(account, model, self.generations);
        (line.ratio, line.left) = (ratio, Some(at.running));
        let index = self.lines.insert(line);
        self.by_candidate.insert(key, super::listing::number(index));
    }
}

fn whom(whose: &Whose) -> Whom {
    match whose.clone() {
        Whose::Account(account) => Whom::Account(account),
        Whose::Model(account, model) => Whom::Candidate(account, model),
        Whose::Address(provider) => Whom::Provider(provider),
    }
}
