//! Which buckets there are, and which of them each candidate draws from: rebuilt with each list.

use std::collections::HashSet;
use std::sync::Arc;

use super::book::{GRACE, Line, Slot, Terms};
use super::bucket::{Bucket, Kind, Whose};
use super::limit::is_about;
use super::time::Moment;
use super::{Counted, Ledger, Per, Unit};
use crate::clock::Now;
use crate::model::{AccountId, Candidate, ModelId, ProviderId};

/// What is counted for a candidate and its account before any limit is known, so that a 429 which names one
/// of these windows teaches how much the window allows.
const TALLIES: [(Unit, Per); 5] = [
    (Unit::Requests, Per::Minute),
    (Unit::Requests, Per::Hour),
    (Unit::Requests, Per::Day),
    (Unit::Tokens, Per::Minute),
    (Unit::Tokens, Per::Day),
];

impl Ledger {
    /// Takes a new list, or new limits. Returns each candidate's slot, in order. What was used, stated and
    /// learnt is kept. Candidates that are gone are dropped, and their buckets once no current window has any
    /// usage.
    pub fn list<'a>(
        &mut self,
        candidates: impl IntoIterator<Item = (&'a Candidate, Terms<'a>)>,
        now: Now,
    ) -> Vec<Slot> {
        let at = self.running.advance(now);
        for (_, bucket) in &mut self.buckets {
            bucket.numbers.clear_base();
        }
        for (_, line) in &mut self.lines {
            line.left = line.left.or(Some(at.running));
        }
        let slots = candidates
            .into_iter()
            .map(|(candidate, terms)| self.enrol(candidate, terms))
            .collect();
        self.drop_what_is_gone(at);
        self.link();
        for (_, bucket) in &mut self.buckets {
            bucket.tidy(at);
        }
        slots
    }

    fn enrol(&mut self, candidate: &Candidate, terms: Terms<'_>) -> Slot {
        let key = (
            AccountId::clone(&candidate.account),
            candidate.offer.id.clone(),
        );
        for limit in terms.limits {
            if is_about(&limit.models, key.1.as_str()) {
                let of_one = limit.of == Counted::Model;
                let kind = Kind {
                    unit: limit.unit,
                    per: limit.per,
                    ends: limit.ends,
                    models: if of_one {
                        [].into()
                    } else {
                        limit.models.clone().into()
                    },
                };
                let index = self.bucket(whose(limit.of, &key.0, &key.1), kind);
                if let Some(bucket) = self.buckets.get_mut(index as usize) {
                    bucket.numbers.base(limit.amount, limit.source);
                }
            }
        }
        let index = match self.by_candidate.get(&key) {
            Some(index) => *index,
            None => {
                self.generations = self.generations.wrapping_add(1);
                let (account, model) = (Arc::clone(&candidate.account), key.1.clone());
                let line = Line::new(account, model, self.generations);
                let index = number(self.lines.insert(line));
                self.by_candidate.insert(key, index);
                index
            }
        };
        let mut generation = 0;
        if let Some(line) = self.lines.get_mut(index as usize) {
            line.left = None;
            line.is_tallied = false;
            line.counts_max_tokens = terms.counts_max_tokens;
            line.day_ends = terms.day_ends;
            generation = line.generation;
        }
        Slot { index, generation }
    }

    /// The bucket of that kind; made if missing.
    pub(super) fn bucket(&mut self, whose: Whose, kind: Kind) -> u32 {
        let of_whose = self.by_whose.entry(whose.clone()).or_default();
        let known = of_whose.iter().copied().find(|index| {
            let bucket = self.buckets.get(*index as usize);
            bucket.is_some_and(|bucket| bucket.kind == kind)
        });
        known.unwrap_or_else(|| {
            let bucket = Bucket::new(whose, kind, self.reservations);
            let index = number(self.buckets.insert(bucket));
            of_whose.push(index);
            index
        })
    }

    /// Starts counting what a candidate and its account use, in windows not counted yet. Limits of
    /// `OpenRouter` and of the user's own server are never learnt from a count.
    pub(super) fn tally(&mut self, slot: Slot) {
        let Some(line) = self.line(slot).filter(|line| !line.is_tallied) else {
            return;
        };
        let (account, model) = (Arc::clone(&line.account), line.model.clone());
        let day_ends = line.day_ends;
        if let Some(line) = self.lines.get_mut(slot.index as usize) {
            line.is_tallied = true;
        }
        if account.provider.is_openrouter() || account.provider.as_str() == ProviderId::LOCAL {
            return;
        }
        for of in [Counted::Account, Counted::Model] {
            for (unit, per) in TALLIES {
                let whose = whose(of, &account, &model);
                let mut of_whose = self.by_whose.get(&whose).into_iter().flatten();
                let is_there = of_whose.any(|index| {
                    let bucket = self.buckets.get(*index as usize);
                    bucket.is_some_and(|bucket| {
                        let kind = &bucket.kind;
                        kind.unit == unit && kind.per == per && kind.models.is_empty()
                    })
                });
                if !is_there {
                    let kind = Kind {
                        unit,
                        per,
                        ends: day_ends.filter(|_| per == Per::Day),
                        models: [].into(),
                    };
                    self.bucket(whose, kind);
                }
            }
        }
        self.link();
    }

    fn drop_what_is_gone(&mut self, at: Moment) {
        self.lines.retain(|_, line| {
            let is_gone = line
                .left
                .is_some_and(|left| at.running.saturating_sub(left) >= GRACE);
            line.under_way > 0 || !is_gone
        });
        let lines = &self.lines;
        self.by_candidate
            .retain(|_, index| lines.contains(*index as usize));
        let listed = lines.iter().filter(|(_, line)| line.left.is_none());
        let listed: HashSet<_> = listed
            .map(|(_, line)| (&*line.account, &line.model))
            .collect();
        let restored = self.restored.map(|then| at.running.saturating_sub(then));
        self.restored = self
            .restored
            .filter(|_| restored.is_some_and(|ago| ago < GRACE));
        let may_be_listed = self.restored.is_some();
        self.buckets.retain(|_, bucket| {
            let is_listed = match &bucket.whose {
                Whose::Model(account, model) => listed.contains(&(account, model)),
                Whose::Account(_) | Whose::Address(_) => true,
            };
            let is_known = !bucket.numbers.is_empty();
            !bucket.is_idle(at) || is_known && (is_listed || may_be_listed)
        });
        let buckets = &self.buckets;
        self.by_whose.retain(|_, of_whose| {
            of_whose.retain(|index| buckets.contains(*index as usize));
            !of_whose.is_empty()
        });
    }

    /// Connects each line to the buckets it draws from.
    pub(super) fn link(&mut self) {
        for (_, line) in &mut self.lines {
            line.buckets.clear();
            line.tallies.clear();
            for of in [Counted::Account, Counted::Model, Counted::Address] {
                let whose = whose(of, &line.account, &line.model);
                let of_whose = self.by_whose.get(&whose).into_iter().flatten();
                let about = of_whose.copied().filter(|index| {
                    let bucket = self.buckets.get(*index as usize);
                    bucket.is_some_and(|bucket| is_about(&bucket.kind.models, line.model.as_str()))
                });
                for index in about {
                    let bucket = self.buckets.get(index as usize);
                    if bucket.is_some_and(|bucket| bucket.numbers.is_empty()) {
                        line.tallies.push(index);
                    } else {
                        line.buckets.push(index);
                    }
                }
            }
        }
        self.find_shared();
    }

    /// Finds the buckets that all listed models of their accounts draw from.
    fn find_shared(&mut self) {
        for (_, bucket) in &mut self.buckets {
            bucket.of_all = !matches!(bucket.whose, Whose::Model(..));
        }
        let of_some: Vec<_> = self
            .buckets
            .iter()
            .filter(|(_, bucket)| bucket.of_all && !bucket.kind.models.is_empty())
            .map(|(index, _)| index)
            .collect();
        for index in of_some {
            let Some(bucket) = self.buckets.get(index) else {
                continue;
            };
            let own = |line: &Line| match &bucket.whose {
                Whose::Account(account) => *line.account == *account,
                Whose::Address(provider) => line.account.provider == *provider,
                Whose::Model(..) => false,
            };
            let mut own = self
                .lines
                .iter()
                .filter(|(_, line)| line.left.is_none() && own(line));
            let of_all = own.all(|(_, line)| is_about(&bucket.kind.models, line.model.as_str()));
            if let Some(bucket) = self.buckets.get_mut(index) {
                bucket.of_all = of_all;
            }
        }
    }
}

pub(super) fn whose(of: Counted, account: &AccountId, model: &ModelId) -> Whose {
    match of {
        Counted::Account => Whose::Account(account.clone()),
        Counted::Model => Whose::Model(account.clone(), model.clone()),
        Counted::Address => Whose::Address(account.provider.clone()),
    }
}

/// Indices are bounded by offers times accounts, so this never saturates.
pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
